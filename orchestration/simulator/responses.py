"""What a contact does to the person contacted: potential outcomes, and what is said and done.

Here: for every action family, cause and person the effect that a contact would have, whether and
how people answer, weariness of contacts, and carrying out what was agreed. Not here: who is
contacted (`field.py`, `campaigns.py`), what is reported of it (`field_reports.py`).

Potential outcomes are a pure function of the seed and the slot. The right remedy lowers the hazard
of leaving for `REMEDY_DAYS`, much in most people and little in the rest; a wrong one changes
nothing; who is better left alone is harmed by any. Each contact of the last `FATIGUE_DAYS` makes
the next one less welcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator import adjustments, devices, holdings, life, market, money
from orchestration.simulator import catalogue as cat
from orchestration.simulator.fatigue import FATIGUE_DAYS, remember_contact
from orchestration.simulator.people import People
from orchestration.simulator.randomness import Floats, scramble
from orchestration.simulator.reference import offer_id
from orchestration.simulator.state import GONE, NO_PRODUCT, PACK, THINKING
from orchestration.simulator.today import Flags, Ints, Today
from orchestration.simulator.work_lists import APP, CALL, DOOR, HALL, SMS

OUTCOMES = (
    "REACHED",
    "ACCEPTED",
    "REFUSED",
    "NO_ANSWER",
    "OPT_OUT",
    "WRONG_NUMBER",
    "DELIVERED",
    "UNDELIVERED",
    "NOT_HOME",
    "CALL_BACK",
)
(
    REACHED,
    ACCEPTED,
    REFUSED,
    NO_ANSWER,
    OPT_OUT,
    WRONG_NUMBER,
    DELIVERED,
    UNDELIVERED,
    NOT_HOME,
    CALL_BACK,
) = range(10)
TALKS = (REACHED, ACCEPTED, REFUSED, OPT_OUT)
GETS_THROUGH = (*TALKS, DELIVERED, CALL_BACK)

REMEDY_DAYS = 90
TAKES_PERCENT = 60  # who takes a right remedy well
FACTOR_TAKEN, FACTOR_ELSE, FACTOR_DOG = 0.4, 0.8, 1.5
WINS_BACK_PERCENT = 50
ACCEPTS_RIGHT, ACCEPTS_WRONG, ACCEPTS_DOG, ACCEPTS_BY_TEXT = 0.5, 0.2, 0.3, 0.35
FATIGUE_ANSWERS, FATIGUE_ACCEPTS, FATIGUE_HARM = 0.88, 0.80, 1.04  # each contact before
TALK_STRENGTH, TEXT_STRENGTH = 0.5, 0.25  # of what an acceptance does
LEAST_FACTOR, MOST_FACTOR = 0.3, 2.0
UNREACHABLE_PERCENT, WRONG_NUMBER_PERCENT = 6, 1

_OPTS_OUT = 0.012
_CALLS_BACK = 0.08
_REFUSES_ABOVE = 0.65
_GONE_REFUSES = 0.6
_GONE_STILL_ANSWERS = 0.12  # the old card lies in a drawer
TEXT_ARRIVES = {SMS: 0.95, APP: 0.6}
AT_HOME, COMES_TO_HALL = 0.55, 0.35
_PORTED = cat.EXITS.index("PORT_OUT")
# Salts of the fractions: below 64 takes, then won back, then what is not of a family.
_WINS_BACK, _UNREACHABLE, _WRONG, _RIVAL = 64, 120, 121, 122
_SALTS = 128

# What holds for everybody; written to the truth so that any outcome can be computed from it.
CONSTANTS: Mapping[str, float] = {
    "remedy_days": REMEDY_DAYS,
    "takes_percent": TAKES_PERCENT,
    "factor_taken": FACTOR_TAKEN,
    "factor_else": FACTOR_ELSE,
    "factor_sleeping_dog": FACTOR_DOG,
    "wins_back_percent": WINS_BACK_PERCENT,
    "accepts_right": ACCEPTS_RIGHT,
    "accepts_wrong": ACCEPTS_WRONG,
    "accepts_sleeping_dog": ACCEPTS_DOG,
    "accepts_by_text": ACCEPTS_BY_TEXT,
    "fatigue_days": FATIGUE_DAYS,
    "fatigue_answers": FATIGUE_ANSWERS,
    "fatigue_accepts": FATIGUE_ACCEPTS,
    "fatigue_harm": FATIGUE_HARM,
    "arrives_by_sms": TEXT_ARRIVES[SMS],
    "arrives_by_app": TEXT_ARRIVES[APP],
    "at_home": AT_HOME,
    "comes_to_hall": COMES_TO_HALL,
    "talk_strength": TALK_STRENGTH,
    "text_strength": TEXT_STRENGTH,
}


def percent(people: People, slots: Ints, salt: Ints | int) -> Ints:
    """A whole number 0..99 of the person, fixed for ever, another one for each salt."""
    own = scramble(people.potential[slots])
    mixed = scramble(scramble(slots * _SALTS + salt) ^ own)
    return ((mixed >> np.uint64(11)) % np.uint64(100)).astype(np.int64)


def takes_percent(people: People, slots: Ints, families: Ints | int) -> Ints:
    """Below `TAKES_PERCENT` the person takes the right remedy of the family well."""
    return percent(people, slots, families)


def wins_back_percent(people: People, slots: Ints, families: Ints | int) -> Ints:
    """Below `WINS_BACK_PERCENT` accepting the right remedy ends the thought of leaving."""
    return percent(people, slots, _WINS_BACK + families)


def is_unreachable(people: People, slots: Ints) -> Flags:
    """Never answers the phone."""
    return percent(people, slots, _UNREACHABLE) < UNREACHABLE_PERCENT


def has_wrong_number(people: People, slots: Ints) -> Flags:
    """Somebody else answers the number on file."""
    return percent(people, slots, _WRONG) < WRONG_NUMBER_PERCENT


def rival(people: People, slots: Ints) -> Ints:
    """The competitor that the person talks about."""
    return percent(people, slots, _RIVAL) % len(cat.COMPETITORS)


def potential_factor(people: People, slots: Ints, families: Ints, causes: Ints) -> Floats:
    """What accepting an action of the family does to the hazard of leaving for the cause.

    A factor on the daily hazard for `REMEDY_DAYS`: well below 1 for the right remedy in most
    people, 1 for a wrong one, above 1 for who is better left alone.
    """
    right = cat.REMEDIES[families, causes]
    takes_it = takes_percent(people, slots, families) < TAKES_PERCENT
    factor = np.where(right, np.where(takes_it, FACTOR_TAKEN, FACTOR_ELSE), 1.0)
    return (factor * np.where(people.is_sleeping_dog[slots], FACTOR_DOG, 1.0)).astype(np.float32)


def is_won_back(people: People, slots: Ints, families: Ints, causes: Ints) -> Flags:
    """Whether accepting the action would end a present thought of leaving for the cause."""
    right = cat.REMEDIES[families, causes]
    wins = wins_back_percent(people, slots, families) < WINS_BACK_PERCENT
    return right & wins & ~people.is_sleeping_dog[slots]


def accept_chance(people: People, slots: Ints, families: Ints, causes: Ints) -> Floats:
    """Chance that the person, once reached by somebody and not yet weary, accepts."""
    chance = np.where(cat.REMEDIES[families, causes], ACCEPTS_RIGHT, ACCEPTS_WRONG)
    return (chance * np.where(people.is_sleeping_dog[slots], ACCEPTS_DOG, 1.0)).astype(np.float32)


def current_cause(today: Today, slots: Ints) -> Ints:
    """Why the person thinks of leaving, or would."""
    state = today.state
    thinking = (state.stage[slots] >= THINKING) & (state.cause[slots] >= 0)
    dominant = today.world.people.hazards[slots].argmax(axis=1)
    return np.where(thinking, state.cause[slots], dominant).astype(np.int64)


@dataclass(frozen=True)
class Contacts:
    """Contacts of a day before they are known to succeed; each slot once."""

    slots: Ints
    families: Ints
    channels: Ints
    is_marketing: Ints
    is_last_attempt: Flags
    causes: Ints
    recent: Ints


def outcomes(today: Today, contacts: Contacts, u: Mapping[str, Floats]) -> Ints:
    """What comes of each contact, by draws `reach`, `mood`, `busy` of each slot."""
    people, slots, channels = today.world.people, contacts.slots, contacts.channels
    gone = today.state.stage[slots] == GONE
    by_text = np.isin(channels, (SMS, APP))
    answers = u["reach"][slots] < _answer_chance(today, contacts, gone)
    mood = u["mood"][slots]
    accepts = accept_chance(people, slots, contacts.families, contacts.causes)
    accepts = accepts * FATIGUE_ACCEPTS**contacts.recent * np.where(by_text, ACCEPTS_BY_TEXT, 1.0)
    outcome = np.where(mood < accepts, ACCEPTED, np.where(mood < _REFUSES_ABOVE, REACHED, REFUSED))
    outcome = np.where(gone, np.where(mood < _GONE_REFUSES, REFUSED, REACHED), outcome)
    # A text arrives and is mostly not answered.
    outcome = np.where(by_text & (outcome != ACCEPTED), DELIVERED, outcome)
    busy = (channels == CALL) & ~contacts.is_last_attempt & ~gone
    outcome = np.where(busy & (u["busy"][slots] < _CALLS_BACK), CALL_BACK, outcome)
    opts_out = (contacts.is_marketing == 1) & (mood > 1 - _OPTS_OUT * (1 + contacts.recent)) & ~gone
    outcome = np.where(opts_out, OPT_OUT, outcome)
    wrong = has_wrong_number(people, slots) & (channels == CALL)
    outcome = np.where(wrong, WRONG_NUMBER, outcome)
    missed = np.where(channels == DOOR, NOT_HOME, np.where(by_text, UNDELIVERED, NO_ANSWER))
    # Numbers given back are somebody else's after a while.
    given_back = (today.state.status[slots] == cat.DEACTIVATED) & (channels == CALL)
    missed = np.where(given_back & (u["busy"][slots] < 0.5), WRONG_NUMBER, missed)
    outcome = np.where(answers, outcome, missed).astype(np.int64)
    # Nobody can accept a handset that there is not.
    accepting = np.flatnonzero(outcome == ACCEPTED)
    may = market.may_have_handset(today, slots[accepting], contacts.families[accepting])
    wants = accepting[~may]
    outcome[wants] = np.where(by_text[wants], DELIVERED, REACHED)
    return outcome


def _answer_chance(today: Today, contacts: Contacts, gone: Flags) -> npt.NDArray[np.float64]:
    """Chance that the contact gets through, by channel and by where the person stands."""
    state, people, slots = today.state, today.world.people, contacts.slots
    channels = contacts.channels
    cut_off = state.status[slots] >= cat.TWO_WAY
    ported = gone & (state.exit_kind[slots] == _PORTED)  # the number lives on elsewhere
    phone = people.reachability[slots] * ~is_unreachable(people, slots)
    phone = phone * FATIGUE_ANSWERS**contacts.recent
    silent = np.where(cut_off, 0.0, _GONE_STILL_ANSWERS) * ~is_unreachable(people, slots)
    phone = np.where(gone & ~ported, silent, np.where(cut_off & ~ported, 0.0, phone))
    chance = np.select(
        [channels == CALL, channels == DOOR, channels == HALL],
        [phone, AT_HOME, np.where(gone, 0.0, COMES_TO_HALL)],
        np.where(channels == SMS, TEXT_ARRIVES[SMS], TEXT_ARRIVES[APP]),
    )
    by_text = np.isin(channels, (SMS, APP))
    return np.where(by_text & (cut_off | gone), 0.0, chance)


def effects(
    people: People, contacts: Contacts, outcome: Ints, weight: float = 1.0
) -> npt.NDArray[np.float64]:
    """The factor on the hazard that each contact has with its outcome.

    Accepting has the full potential effect, listening half of it and a text a quarter; who is
    better left alone is harmed by a refused offer too. Weariness adds to whatever got through.
    """
    factor = potential_factor(people, contacts.slots, contacts.families, contacts.causes)
    harmed = np.isin(outcome, (REFUSED, OPT_OUT)) & (factor > 1)
    strength = np.select(
        [(outcome == ACCEPTED) | harmed, outcome == REACHED, outcome == DELIVERED],
        [1.0, TALK_STRENGTH, TEXT_STRENGTH],
        0.0,
    )
    weary = np.where(np.isin(outcome, GETS_THROUGH), FATIGUE_HARM**contacts.recent, 1.0)
    return factor.astype(np.float64) ** (strength * weight) * weary


def react(
    today: Today, contacts: Contacts, outcome: Ints, effect: npt.NDArray[np.floating]
) -> Flags:
    """Let the effects be felt; gives back who was won back."""
    state, people, day = today.state, today.world.people, today.day
    slots = contacts.slots
    there = state.stage[slots] != GONE
    touched = there & (effect != 1)
    before = np.where(state.remedy_until[slots] >= day, state.remedy_factor[slots], 1.0)
    after = np.clip(before * effect, LEAST_FACTOR, MOST_FACTOR)
    state.remedy_factor[slots[touched]] = after[touched]
    state.remedy_until[slots[touched]] = day + REMEDY_DAYS
    through = there & np.isin(outcome, GETS_THROUGH)
    remember_contact(state, slots[through], day)
    back = there & (outcome == ACCEPTED) & (state.stage[slots] >= THINKING)
    back &= is_won_back(people, slots, contacts.families, contacts.causes)
    life.forget_exit(today, slots[back])
    return back


def carry_out(today: Today, slots: Ints, families: Ints, u: Mapping[str, Floats]) -> None:
    """What was promised is done."""
    state, people = today.state, today.world.people

    def of(*codes: str) -> Flags:
        return np.isin(families, [cat.FAMILY[code] for code in codes])

    changing = slots[of("PLAN_CHANGE", "MATCH_TARIFF")]
    state.next_plan[changing] = people.best_plan[changing]
    bonus = slots[of("TOPUP_BONUS") & people.is_prepaid[slots]]
    if len(bonus):
        at = today.at(u["at"], 20.0, 21.0)[bonus]
        money.top_up(
            today,
            bonus,
            np.full(len(bonus), 5_000),
            at,
            np.zeros(len(bonus)),
            offer_id(cat.FAMILY["TOPUP_BONUS"]),
        )
    _pay_after_reminder(today, slots[of("REMINDER")], u)
    waived = slots[of("OVERAGE_WAIVER")]
    adjustments.waive_overage(today, waived, cat.FAMILY["OVERAGE_WAIVER"])
    pack = slots[of("DATA_PACK")]
    pack = pack[state.holding[pack, PACK] == NO_PRODUCT]
    holdings.order(today, pack, PACK, np.full(len(pack), cat.FIRST_PACK))
    models = market.take_handsets(today, slots, families)
    handset = slots[models >= 0]
    devices.give(today, handset, models[models >= 0], today.at(u["at"], 20.0, 21.0)[handset])


def _pay_after_reminder(today: Today, slots: Ints, u: Mapping[str, Floats]) -> None:
    """Who agrees to pay tops up in the evening or pays the open bill today."""
    state, prepaid, day = today.state, today.world.people.is_prepaid[slots], today.day
    empty = (state.balance_fen[slots] < 0) | (state.valid_until[slots] < day)
    topping = slots[prepaid & empty]
    if len(topping):
        amounts = np.maximum(today.world.people.topup_fen[topping], -state.balance_fen[topping])
        money.top_up(
            today,
            topping,
            amounts,
            today.at(u["at"], 20.0, 21.0)[topping],
            np.zeros(len(topping)),
            offer_id(cat.FAMILY["REMINDER"]),
        )
    owing = slots[~prepaid & (state.owed_fen[slots] > 0)]
    state.pay_day[owing] = day
