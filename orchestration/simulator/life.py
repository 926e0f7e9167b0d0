"""Thoughts of leaving: from content to thinking to decided, by cause.

Here: absences, the stages, the decision and its day. Not here: how a departure shows in statuses
and events (`standing.py`), how it shows before (`usage.py`, `care.py`, `money.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.state import CONTENT, DECIDED, GONE, NEVER, NO_CAUSE, THINKING, VAS
from orchestration.simulator.today import Flags, Ints, Today

# Days for which the truth says how likely a departure is: to the lead of 7 days, and to 30, 90
# and 180 days after it, or after today.
CHANCE_DAYS = (7, 30, 37, 60, 90, 97, 180, 187)
_PACE_EDGES = np.linspace(-0.6, 0.6, 13)  # of the log of the pace: people of about the same
ABRUPT = 0.10  # share that decides at once
DECISIONS_A_DAY = 0.12  # of those who think, at full pace
DAYS_TO_FULL_PACE = 55
RIPENING = 3  # power with which the pace grows until then
RECOVERIES_A_DAY = 0.0025
DAYS_TO_EXIT = 3  # mean, from the decision, after the first day
DAYS_OF_DECLINE = 12  # for usage to fall by the trait's log factor
MOST_DECLINE = 2.3
DAYS_OF_THINKING = 50  # about the mean time from the thought to the exit
_SETTLED = np.float32(0.3)  # hazard of who has found another way to talk
_LIFE_EVENTS_A_DAY = 0.00006
_FRAUDS_A_DAY = 0.00003
_HOLDS_A_DAY = 0.00007
_LOST_SIMS_A_DAY = 0.0001
_REAL_NAME_BARS_A_DAY = 0.00005
_OPERATOR_BARS_A_DAY = 0.00002
# Cumulative shares of how one goes, in the order of the kinds.
_KINDS = (cat.EXITS.index("PORT_OUT"), cat.EXITS.index("CLOSED"), cat.EXITS.index("SILENT"))
_UNPAID = cat.EXITS.index("UNPAID")
_PREPAID_KINDS = (0.12, 0.20)
_POSTPAID_KINDS = (0.56, 0.94)
_SERVICE_CAUSES = [
    cat.CAUSE[cause]
    for cause in ("UNAUTHORISED_ORDER", "SERVICE_ATTITUDE", "SERVICE_METHOD", "NETWORK_QUALITY")
]


@dataclass(frozen=True)
class Turns:
    """What turned for whom today (flags by slot)."""

    decided: Flags
    fraud: Flags
    hold: Flags
    lost_sim: Flags
    real_name: Flags
    operator: Flags
    hold_days: Ints


def think(today: Today) -> Turns:
    """Move everybody's mind on by a day."""
    state, people, day = today.state, today.world.people, today.day
    u = today.uniform(
        Stream.LIFE,
        "absence",
        "absent_days",
        "absent_level",
        "dormant",
        "thought",
        "cause",
        "abrupt",
        "decide",
        "recover",
        "kind",
        "exit_days",
        "life_event",
        "fraud",
        "hold",
        "lost",
        "barred",
        "hold_days",
    )
    able = today.is_living & (state.status <= cat.ONE_WAY)
    _be_absent(today, u, able)

    thinking = able & (state.stage == THINKING)
    pace = DECISIONS_A_DAY * np.exp(people.haste) * _remedy(today)
    pace *= np.minimum(1.0, (day - state.stage_day + 1) / DAYS_TO_FULL_PACE) ** RIPENING
    decided = thinking & (u["decide"] < pace)
    recovered = thinking & ~decided & (u["recover"] < RECOVERIES_A_DAY)
    state.stage[recovered] = CONTENT
    state.stage_day[recovered] = day

    content = np.flatnonzero(able & (state.stage == CONTENT) & ~recovered)
    hazards = daily_hazards(today, content)
    total = hazards.sum(axis=1)
    new = u["thought"][content] < -np.expm1(-total)
    thinkers = content[new]
    state.cause[thinkers] = pick_cause(hazards[new], u["cause"][thinkers])
    state.stage[thinkers] = THINKING
    state.stage_day[thinkers] = day
    decided[thinkers] = u["abrupt"][thinkers] < ABRUPT

    life_event = able & ~decided & (u["life_event"] < _LIFE_EVENTS_A_DAY)
    state.cause[life_event] = cat.CAUSE["LIFE_EVENT"]
    decided |= life_event
    state.stage[decided] = DECIDED
    waiting = -DAYS_TO_EXIT * np.log1p(-u["exit_days"].astype(np.float64))
    state.exit_day[decided] = (day + 1 + waiting)[decided].astype(np.int64)
    state.exit_kind[decided] = _kind(u["kind"], people.is_prepaid, life_event)[decided]
    _give_up(today)

    state.decline[:] = np.where(
        state.stage >= THINKING,
        np.minimum(MOST_DECLINE, state.decline + people.decline / DAYS_OF_DECLINE),
        state.decline * 0.85,
    )
    calm = able & (state.stage == CONTENT) & (state.status == cat.ACTIVE)
    is_new = day - people.activated_day < 120
    malicious = today.world.habits.is_malicious(day)
    fraud = calm & ~malicious & (u["fraud"] < _FRAUDS_A_DAY * np.where(is_new, 4, 1))
    hold = calm & ~fraud & (u["hold"] < _HOLDS_A_DAY)
    lost = calm & ~fraud & ~hold & (u["lost"] < _LOST_SIMS_A_DAY)
    calm &= ~(fraud | hold | lost)
    real_name = calm & (u["barred"] < _REAL_NAME_BARS_A_DAY)
    operator = calm & (u["barred"] > 1 - _OPERATOR_BARS_A_DAY)
    waiting = -np.log1p(-u["hold_days"].astype(np.float64))
    days = np.where(hold, 20 + np.minimum(150, 50 * waiting), 1 + np.minimum(20, 4 * waiting))
    return Turns(decided, fraud, hold, lost, real_name, operator, days.astype(np.int64))


def _give_up(today: Today) -> None:
    """Lines whose day has come: for a new number, for a firm's move, or after a washed life."""
    state, people = today.state, today.world.people
    tied = people.ties
    leaving = np.flatnonzero(
        today.is_living & (state.stage != GONE) & (tied.gives_up_day <= today.day)
    )
    state.stage[leaving] = DECIDED
    state.exit_day[leaving] = today.day
    firm = tied.is_firm[leaving]
    aloud = tied.is_given_up_aloud[leaving] | ~people.is_prepaid[leaving]
    kind = np.where(firm, _KINDS[0], np.where(aloud, _KINDS[1], _KINDS[2]))
    state.exit_kind[leaving] = kind
    state.cause[leaving] = np.where(firm, cat.CAUSE["COMPETITOR_OFFER"], NO_CAUSE)


def daily_hazards(today: Today, slots: Ints) -> Floats:
    """Daily hazard of a thought of leaving by cause, (slots, causes), as of today."""
    state, people, day = today.state, today.world.people, today.day
    hazards: Floats = people.hazards[slots].copy()
    fee = cat.PLAN_FEE_FEN[state.holding[slots, 0]]
    shocked = state.overage_fen[slots] * 4 > fee
    for cause in ("PLAN_MISFIT", "BILL_OPACITY"):
        hazards[:, cat.CAUSE[cause]] *= np.where(shocked, 2.5, 1.0)
    aggrieved = state.grievance_until[slots] >= day
    for index in _SERVICE_CAUSES:
        hazards[:, index] *= np.where(aggrieved, 5.0, 1.0)
    hazards[:, cat.CAUSE["UNAUTHORISED_ORDER"]] *= state.holding[slots, VAS] >= 0
    to_end = state.contract_end[slots] - day
    ending = (to_end < 45) & (to_end > -45)
    hazards[:, cat.CAUSE["CONTRACT_END"]] *= np.where(ending, 8.0, 0.3)
    habits = today.world.habits
    hazards[habits.malice_day[slots] <= day] = 0  # they stay as long as they may
    settled = habits.substitution_day[slots] <= day  # talk less and are content with it
    hazards *= np.where(settled, _SETTLED, np.float32(1))[:, None]
    is_new = day - people.activated_day[slots] < 120
    hazards *= (np.where(is_new, 1.8, 1.0) * _remedy(today)[slots])[:, None].astype(np.float32)
    return hazards


def chances_to_leave(today: Today, slots: Ints, hazard: Floats) -> npt.NDArray[np.float64]:
    """Chance to leave of one's own will within each of `CHANCE_DAYS`, (slots, days).

    What an all-knowing observer would say at the end of today: the stage, its age, the pace and
    the present daily hazard of a thought are known, the future draws are not. Contacts, lapses of
    payment, moves and removals are left out.
    """
    state, people = today.state, today.world.people
    most = CHANCE_DAYS[-1]
    remedy = _remedy(today)[slots].astype(np.float64)
    group = np.searchsorted(_PACE_EDGES, people.haste[slots])
    thinking, start = _chains(most)
    oldest = len(thinking)
    columns = np.array(CHANCE_DAYS)
    stage = state.stage[slots]
    chances = (state.exit_day[slots][:, None] <= today.day + columns).astype(np.float64)
    is_thinking = stage == THINKING
    age = np.clip(today.day + 1 - state.stage_day[slots[is_thinking]], 0, oldest - 1)
    thinks = thinking[age, group[is_thinking]][:, columns - 1]
    chances[is_thinking] = 1 - (1 - thinks) ** remedy[is_thinking, None]
    # A thought on day s from now, then s days fewer to go: (thought, day) to the days to go.
    to_go = np.zeros((len(start), most, len(columns)))
    for column, days in enumerate(CHANCE_DAYS):
        to_go[:, :days, column] = start[:, days - 1 :: -1][:, :days]
    for one in range(len(start)):
        rows = np.flatnonzero((stage == CONTENT) & (group == one))
        survival = np.exp(-hazard[rows, None] * np.arange(most, dtype=np.float32))
        chances[rows] = (hazard[rows, None] * survival) @ to_go[one]
    return chances


@cache
def _chains(days: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Chance to have left 1..`days` days later: by age of the thought and pace, and from its start.

    Shapes (ages, paces, days) and (paces, days).
    """
    middles = np.concatenate(
        [_PACE_EDGES[:1], (_PACE_EDGES[1:] + _PACE_EDGES[:-1]) / 2, _PACE_EDGES[-1:]]
    )
    pace = np.exp(middles)
    ages = range(2 * DAYS_TO_FULL_PACE)
    thinking = np.stack([_left_after(pace, np.full(len(pace), age), days) for age in ages])
    return thinking, ABRUPT * _delay(days) + (1 - ABRUPT) * thinking[0]


def _left_after(pace: npt.NDArray[np.float64], age: Ints, days: int) -> npt.NDArray[np.float64]:
    """Chance to have left k = 1..days later of who has been thinking for `age` days."""
    alive = np.ones_like(pace)
    deciding = np.zeros((len(pace), days))
    for k in range(days):
        ripe = np.minimum(1.0, (age + k + 1) / DAYS_TO_FULL_PACE) ** RIPENING
        deciding[:, k] = alive * np.minimum(1.0, DECISIONS_A_DAY * pace * ripe)
        alive = (alive - deciding[:, k]) * (1 - RECOVERIES_A_DAY)
    delay = np.diff(_delay(days), prepend=0.0)
    left = np.stack([np.convolve(row, delay)[:days] for row in deciding])
    return np.minimum(1.0, left.cumsum(axis=1))


def _delay(days: int) -> npt.NDArray[np.float64]:
    """Chance that a decision has been carried out within 1..days days."""
    return np.asarray(-np.expm1(-np.arange(days) / DAYS_TO_EXIT))


def pick_cause(hazards: Floats, u: Floats) -> Ints:
    """One cause a row with chances in proportion to the hazards."""
    edges = hazards.cumsum(axis=1)
    return ((u * edges[:, -1])[:, None] >= edges).sum(axis=1).astype(np.int64)


def begin(today: Today) -> None:
    """At the opening some have been thinking of leaving for a while already."""
    state, people, day = today.state, today.world.people, today.day
    u = today.uniform(Stream.OPENING, "thinking", "days", "cause")
    since = (u["days"] * DAYS_OF_THINKING).astype(np.int64)
    chance = people.hazards.sum(axis=1) * DAYS_OF_THINKING
    there = people.activated_day <= day - since
    slots = np.flatnonzero(today.is_present & there & (u["thinking"] < chance))
    state.stage[slots] = THINKING
    state.stage_day[slots] = day - since[slots]
    state.cause[slots] = pick_cause(people.hazards[slots], u["cause"][slots])
    decline = people.decline * since / DAYS_OF_DECLINE
    state.decline[slots] = np.minimum(MOST_DECLINE, decline)[slots]


def _remedy(today: Today) -> Floats:
    """What our contacts of the last weeks do to the hazard; 1 for who was not contacted."""
    state = today.state
    factor = np.where(state.remedy_until >= today.day, state.remedy_factor, 1.0)
    return factor.astype(np.float32)


def _be_absent(today: Today, u: Mapping[str, Floats], able: Flags) -> None:
    """Holidays and forgotten second phones: quiet days that mean nothing."""
    state, people, day = today.state, today.world.people, today.day
    there = able & (state.absent_until < day)
    absent = there & (u["absence"] < 0.0045)
    dormant = there & people.is_prepaid & (u["dormant"] < 0.0005)
    days = 1 - 6 * np.log1p(-u["absent_days"].astype(np.float64))
    long_days = 10 + 30 * u["absent_days"].astype(np.float64)
    level = np.where(u["absent_level"] < 0.75, u["absent_level"] * 0.6, 0.0)
    state.absent_until[absent] = (day + days)[absent].astype(np.int64)
    state.absent_level[absent] = level[absent]
    state.absent_until[dormant] = (day + long_days)[dormant].astype(np.int64)
    state.absent_level[dormant] = 0.0


def _kind(u: Floats, is_prepaid: Flags, life_event: Flags) -> Ints:
    first = np.where(is_prepaid, _PREPAID_KINDS[0], _POSTPAID_KINDS[0])
    second = np.where(is_prepaid, _PREPAID_KINDS[1], _POSTPAID_KINDS[1])
    last = np.where(is_prepaid, _KINDS[2], _UNPAID)
    kind = np.where(u < first, _KINDS[0], np.where(u < second, _KINDS[1], last))
    return np.where(life_event, _KINDS[1], kind).astype(np.int64)


def exits_today(today: Today) -> Flags:
    """Whose day has come; who leaves by no longer paying goes when the line is suspended."""
    state = today.state
    due = today.is_living & (state.stage == DECIDED) & (state.exit_day <= today.day)
    unpaid = due & (state.exit_kind == _UNPAID)
    state.refuses_to_pay |= unpaid
    return due & ~unpaid


def forget_exit(today: Today, slots: Ints) -> None:
    """Those who were won back."""
    state = today.state
    state.stage[slots] = CONTENT
    state.stage_day[slots] = today.day
    state.exit_day[slots] = NEVER
    state.refuses_to_pay[slots] = False
