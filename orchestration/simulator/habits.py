"""Habits planted in some people: what they will do with plans, products and bills, and when.

Here: who has which habit and its days, pure functions of the seed and the slot. Not here: acting
on them (`holdings.py`, `money.py`, `usage.py`), telling them as truth (`plants.py`).

Days are days since 1970. A habit begins at the slot's start: its activation, or the opening for
who was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.people import VOICE, People
from orchestration.simulator.randomness import Draws, Floats, Stream
from orchestration.simulator.state import NEVER

Ints = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]  # a day a slot, NEVER for who does not
Flags = npt.NDArray[np.bool_]

# Shares of people with a habit; those that share a draw exclude each other.
_HUNTERS, _ONE_SWITCH, _RENEWERS = 0.015, 0.03, 0.01
_TRIALS = 0.04
_UNORDERED_BAD_BRANCH, _UNORDERED = 0.15, 0.004
_BRANCHES_PER_BAD_ONE = 6
_NOTICE = 0.6
_MALICE, _MALICE_OF_JOINERS = 0.004, 0.010  # of postpaid people
_FORGETFUL = 0.035  # of prepaid people
_SUBSTITUTERS = 0.40  # of those whose bill depends on their calls
TRIAL_PERIOD_DAYS = 365
UNORDERED_PERIOD_DAYS = 540
RENEWAL_DAYS = 90
_DAYS_A_MONTH = 30.4
_DAYS_OF_FORGETTING = 45
_LEAST_BILL_FEN = 2_500  # of who may substitute
# Substitution: talk and messages sink to a floor, messaging data rises, over these days.
_DAYS_OF_SUBSTITUTION = 45
_VOICE_LEFT, _SMS_LEFT, _MESSAGING_RISE = 0.2, 0.1, 0.9
_BILL_LEFT = 0.58  # what remains of the bill of those who may substitute
_HEAVY_USE = 2.5  # of who does not mean to pay


@dataclass(frozen=True)
class Occasions:
    """Slots with something to do on a first day and, with a period, again and again."""

    slots: Ints
    first_day: Ints
    period: Ints  # days

    def today(self, day: int) -> Ints:
        """Positions in `slots` of those whose occasion is today."""
        since = day - self.first_day
        return np.flatnonzero((since >= 0) & (since % self.period == 0))

    def number(self, day: int, positions: Ints) -> Ints:
        """How many occasions came before today's."""
        return (day - self.first_day[positions]) // self.period[positions]


@dataclass(frozen=True)
class Habits:
    hunts: Occasions  # switches to the next promotion
    one_switch: Occasions  # a single switch to a promotion
    renewals: Occasions  # the same promotion again and again, by itself
    trials: Occasions
    unordered: Occasions  # products that appear though nobody ordered them
    unordered_notice_days: Ints  # of `unordered`: until the owner notices; NEVER
    unordered_is_pack: Flags  # of `unordered`: a data pack, else a value-added product
    malice_day: Days  # from then on nothing is paid
    is_forgetful: Flags  # lets a prepaid line run dry now and then
    forget_day: Days
    forget_period: Days
    comeback_days: Days  # after a suspension, when it is noticed
    substitution_day: Days
    bad_branches: Ints  # whose sellers register what nobody ordered

    def is_malicious(self, day: int) -> Flags:
        return self.malice_day <= day

    def is_forgetting(self, day: int, slots: Ints) -> Flags:
        """In one of the spells in which the slot's owner does not think of topping up."""
        since = day - self.forget_day[slots]
        return (
            self.is_forgetful[slots]
            & (since >= 0)
            & (since % self.forget_period[slots] < _DAYS_OF_FORGETTING)
        )

    def use_factor(self, day: int, slots: Ints) -> Floats:
        """Of calls and data: heavy for who does not mean to pay."""
        return np.where(self.malice_day[slots] <= day, np.float32(_HEAVY_USE), np.float32(1))

    def voice_factor(self, day: int, slots: Ints) -> Floats:
        return self._toward(_VOICE_LEFT, day, slots)

    def sms_factor(self, day: int, slots: Ints) -> Floats:
        return self._toward(_SMS_LEFT, day, slots)

    def messaging_factor(self, day: int, slots: Ints) -> Floats:
        """Of the messaging part of data, whose whole stays as it is."""
        return self._toward(1 + _MESSAGING_RISE, day, slots)

    def _toward(self, end: float, day: int, slots: Ints) -> Floats:
        since = day - self.substitution_day[slots]
        factor = np.ones(len(slots), dtype=np.float32)
        under_way = np.flatnonzero(since > 0)
        share = np.minimum(1, since[under_way] / _DAYS_OF_SUBSTITUTION)
        factor[under_way] = 1 + (end - 1) * share
        return factor


def habits(draws: Draws, people: People, branch_ids: Sequence[str], opened_day: int) -> Habits:
    """The habits of every slot."""
    n = people.slots
    u = draws.uniform(
        Stream.HABITS,
        0,
        n,
        (
            "promo",
            "promo_first",
            "promo_period",
            "trial",
            "trial_first",
            "unordered",
            "unordered_first",
            "notice",
            "notice_days",
            "unordered_kind",
            "malice",
            "malice_first",
            "forget",
            "forget_first",
            "forget_period",
            "comeback",
            "substitute",
            "substitute_first",
        ),
    )
    start = np.maximum(people.activated_day, opened_day)
    # Firms, machines and washed cards have no habits.
    is_person = (people.line_class == VOICE) & ~people.ties.is_firm & ~people.ties.is_washed
    is_joiner = people.activated_day > opened_day

    def after(name: str, least: int, spread: int) -> Ints:
        return start + least + (u[name] * spread).astype(np.int64)

    def occasions(flags: Flags, first: Ints, period: Ints | int) -> Occasions:
        slots = np.flatnonzero(flags & is_person)
        periods = np.broadcast_to(np.asarray(period, dtype=np.int64), (n,))
        return Occasions(slots, first[slots], periods[slots])

    bad = _bad_branches(branch_ids)
    unordered = u["unordered"] < np.where(
        np.isin(people.branch, bad), _UNORDERED_BAD_BRANCH, _UNORDERED
    )
    unordered_slots = np.flatnonzero(unordered & is_person)
    notice = 4 + (u["notice_days"] * 40).astype(np.int64)
    malicious = (
        is_person
        & ~people.is_prepaid
        & (u["malice"] < np.where(is_joiner, _MALICE_OF_JOINERS, _MALICE))
    )
    malice_first = start + 20 + (u["malice_first"] * np.where(is_joiner, 60, 360)).astype(np.int64)
    substitutes = is_person & may_substitute(people) & (u["substitute"] < _SUBSTITUTERS)
    one_switch = (u["promo"] >= _HUNTERS) & (u["promo"] < _HUNTERS + _ONE_SWITCH)
    renews = (u["promo"] >= _HUNTERS + _ONE_SWITCH) & (
        u["promo"] < _HUNTERS + _ONE_SWITCH + _RENEWERS
    )
    return Habits(
        hunts=occasions(
            u["promo"] < _HUNTERS,
            after("promo_first", 8, 50),
            50 + (u["promo_period"] * 100).astype(np.int64),
        ),
        one_switch=occasions(one_switch, after("promo_first", 8, 300), NEVER),
        renewals=occasions(renews, after("promo_first", 5, 60), RENEWAL_DAYS),
        trials=occasions(u["trial"] < _TRIALS, after("trial_first", 5, 360), TRIAL_PERIOD_DAYS),
        unordered=occasions(unordered, after("unordered_first", 5, 535), UNORDERED_PERIOD_DAYS),
        unordered_notice_days=np.where(u["notice"] < _NOTICE, notice, NEVER)[unordered_slots],
        unordered_is_pack=u["unordered_kind"][unordered_slots] < 0.25,
        malice_day=np.where(malicious, malice_first, NEVER).astype(np.int32),
        is_forgetful=is_person & people.is_prepaid & (u["forget"] < _FORGETFUL),
        forget_day=after("forget_first", 1, 120).astype(np.int32),
        forget_period=(150 + u["forget_period"] * 90).astype(np.int32),
        comeback_days=(27 + u["comeback"] * 26).astype(np.int32),
        substitution_day=np.where(substitutes, after("substitute_first", 60, 300), NEVER).astype(
            np.int32
        ),
        bad_branches=bad,
    )


def may_substitute(people: People) -> Flags:
    """People whose bill would fall well if they wrote messages instead of calling."""
    minutes = people.calls_a_day * people.minutes_a_call * _DAYS_A_MONTH
    kb = people.data_kb_a_day.astype(np.float64) * _DAYS_A_MONTH
    plan = people.first_plan
    data_fen = np.maximum(0, kb - cat.PLAN_DATA_KB[plan]) / 1e6 * cat.PLAN_DATA_FEN[plan]

    def bill(factor: float) -> npt.NDArray[np.float64]:
        over = np.maximum(0, minutes * factor - cat.PLAN_VOICE_MINUTES[plan])
        return cat.PLAN_FEE_FEN[plan] + data_fen + over * cat.PLAN_VOICE_FEN[plan]

    now, later = bill(1.0), bill(_VOICE_LEFT)
    return (later <= _BILL_LEFT * now) & (now >= _LEAST_BILL_FEN)


def _bad_branches(branch_ids: Sequence[str]) -> Ints:
    """At least one of a region's branches, by their ids."""
    order = sorted(range(len(branch_ids)), key=lambda index: crc32(branch_ids[index].encode()))
    return np.array(sorted(order[: max(1, len(order) // _BRANCHES_PER_BAD_ONE)]), dtype=np.int64)
