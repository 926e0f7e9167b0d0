"""Who the subscribers are: hidden traits that never change.

Here: traits of every slot (a slot is a subscription, numbered in the order of activation), and
when each slot joins. Not here: what happens to them (`state.py` and the behaviours), names and
numbers (`identity.py`). Traits are a pure function of the seed and the slot; feeds never show them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.randomness import Draws, Floats, Stream

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Joiners a day per subscriber at the opening: keeps the base about level against its losses.
JOINERS_A_DAY = 0.0026
PREPAID_SHARE = 0.45  # of the opening base
PREPAID_SHARE_OF_JOINERS = 0.58  # prepaid lines come and go faster
_MINUTES_A_MONTH = 30.4


@dataclass(frozen=True)
class People:
    """Traits by slot. Scores have mean 0 and deviation about 1; higher means more of the name."""

    activated_day: Ints  # days since 1970
    activated_second: Ints  # within that day
    is_prepaid: Flags
    branch: Ints
    gender: Ints  # 0 female, 1 male
    birthday: Ints  # days since 1970
    is_second_line: Flags  # belongs to the customer of the slot before
    price_sensitivity: Floats
    competitor_exposure: Floats
    dissatisfaction: Floats
    poor_coverage: Floats
    device_age: Floats
    need_growth: Floats
    carelessness: Floats  # in paying and topping up
    decline: Floats  # how fast usage falls while thinking of leaving; 0 = not at all
    haste: Floats  # log multiplier of the pace from the thought to the exit
    reachability: Floats  # 0..1: share of calls answered
    is_sleeping_dog: Flags  # contacting this person does harm
    potential: Ints  # what potential outcomes are derived from
    weekend: Floats  # log factor of usage on a weekend day
    calls_a_day: Floats
    minutes_a_call: Floats
    incoming: Floats  # incoming minutes per outgoing minute
    offnet_share: Floats
    data_kb_a_day: Floats
    video_share: Floats
    first_device: Ints
    first_plan: Ints
    best_plan: Ints
    is_autopay: Flags
    topup_fen: Ints
    hazards: Floats  # (slots, causes): daily hazard of the thought of leaving

    @property
    def slots(self) -> int:
        return len(self.activated_day)

    @property
    def dominant_cause(self) -> Ints:
        return self.hazards.argmax(axis=1).astype(np.int64)


def slots_through(subscribers: int, opened_day: int, day: int) -> int:
    """Slots activated by the end of the day: the opening base and a steady stream of joiners.

    The stream does not depend on who leaves, so that nobody's life depends on others' contacts.
    """
    return subscribers + int(subscribers * JOINERS_A_DAY * (day - opened_day))


def people(
    draws: Draws, organisation: Organisation, subscribers: int, opened_day: int, last_day: int
) -> People:
    """Everybody who joins by `last_day`."""
    n = slots_through(subscribers, opened_day, last_day)
    z = draws.normal(
        Stream.TRAITS,
        0,
        n,
        (
            "price",
            "competitor",
            "service",
            "coverage",
            "device",
            "need",
            "careless",
            "decline",
            "haste",
            "activity",
            "talk",
            "data",
            "weekend",
            "fit",
        ),
    )
    u = draws.uniform(
        Stream.TRAITS,
        0,
        n,
        (
            "joined",
            "second",
            "prepaid",
            "branch",
            "gender",
            "age",
            "line",
            "reach",
            "dog",
            "incoming",
            "offnet",
            "video",
            "device",
            "autopay",
            "topup",
            "light",
        ),
    )
    share = np.where(np.arange(n) < subscribers, PREPAID_SHARE, PREPAID_SHARE_OF_JOINERS)
    prepaid = u["prepaid"] < share
    branch = (u["branch"] * organisation.branches).astype(np.int64)
    # Branches differ in how they serve and how well they are covered.
    branches = organisation.branches
    served = np.linspace(-0.5, 0.5, branches, dtype=np.float32)[
        (np.arange(branches) * 5) % branches
    ]
    covered = np.linspace(-0.6, 0.6, branches, dtype=np.float32)[
        (np.arange(branches) * 7 + 3) % branches
    ]
    light = prepaid & (u["light"] < 0.12)
    activity = np.where(light, -1.6, 0.0) + 0.75 * z["activity"] - np.where(prepaid, 0.35, 0.0)
    calls_a_day = 2.6 * np.exp(activity + 0.35 * z["talk"])
    minutes_a_call = 1.9 * np.exp(0.3 * z["talk"])
    data_kb = 330_000 * np.exp(activity + 0.7 * z["data"])
    device_age = 0.6 * z["device"] + np.where(prepaid, 0.3, -0.1)
    first_device = _first_device(u["device"], device_age, data_kb)
    best, chosen = _plans(prepaid, calls_a_day * minutes_a_call, data_kb, z["fit"])
    people_traits = People(
        activated_day=_activated(u["joined"], subscribers, opened_day, last_day, n),
        activated_second=(9 * 3600 + u["second"] * 11 * 3600).astype(np.int64),
        is_prepaid=prepaid,
        branch=branch,
        gender=(u["gender"] < 0.52).astype(np.int64),
        birthday=(opened_day - (18 + 52 * u["age"].astype(np.float64) ** 1.4) * 365.25).astype(
            np.int64
        ),
        is_second_line=_second_lines(u["line"], subscribers),
        price_sensitivity=z["price"],
        competitor_exposure=z["competitor"],
        dissatisfaction=z["service"] + served[branch],
        poor_coverage=z["coverage"] + covered[branch],
        device_age=_float(device_age),
        need_growth=z["need"],
        carelessness=z["careless"],
        decline=_float(np.maximum(0.0, 1.1 + 0.5 * z["decline"])),
        haste=_float(0.35 * z["haste"]),
        reachability=_float(0.35 + 0.6 * u["reach"]),
        is_sleeping_dog=u["dog"] < 0.07,
        potential=_potential(draws, n),
        weekend=_float(0.25 * z["weekend"]),
        calls_a_day=_float(calls_a_day),
        minutes_a_call=_float(minutes_a_call),
        incoming=_float(0.6 + 0.8 * u["incoming"]),
        offnet_share=_float(0.25 + 0.5 * u["offnet"]),
        data_kb_a_day=_float(np.where(cat.DEVICE_IS_SMART[first_device], data_kb, data_kb * 0.01)),
        video_share=_float(0.15 + 0.5 * u["video"]),
        first_device=first_device,
        first_plan=chosen,
        best_plan=best,
        is_autopay=u["autopay"] < np.where(prepaid, 0.1, 0.5),
        topup_fen=np.array([3000, 5000, 5000, 10000, 20000])[(u["topup"] * 5).astype(np.int64)],
        hazards=np.zeros((0, 0), dtype=np.float32),
    )
    return _with_hazards(people_traits)


def plan_cost_fen(minutes_a_month: Floats, kb_a_month: Floats) -> npt.NDArray[np.float32]:
    """Expected monthly cost of every plan, (slots, plans)."""
    minutes_over = np.maximum(0, minutes_a_month[:, None] - cat.PLAN_VOICE_MINUTES)
    kb_over = np.maximum(0, kb_a_month[:, None] - cat.PLAN_DATA_KB)
    # A plan that stops or throttles costs nothing more, but what is missing hurts.
    pain = np.where(cat.PLAN_DATA_FEN > 0, cat.PLAN_DATA_FEN, 250)
    return _float(cat.PLAN_FEE_FEN + minutes_over * cat.PLAN_VOICE_FEN + kb_over / 1_000_000 * pain)


def _plans(
    prepaid: Flags, minutes_a_day: Floats, data_kb: Floats, fit: Floats
) -> tuple[Ints, Ints]:
    """Cheapest plan for the person's needs, and the one chosen with an error of judgement."""
    other_mode = prepaid[:, None] != cat.PLAN_IS_PREPAID

    def cheapest(factor: Floats | float) -> Ints:
        cost = plan_cost_fen(
            _float(minutes_a_day * _MINUTES_A_MONTH * factor),
            _float(data_kb * _MINUTES_A_MONTH * factor),
        )
        return np.where(other_mode, np.inf, cost).argmin(axis=1).astype(np.int64)

    return cheapest(1.0), cheapest(np.exp(0.6 * fit))


def _first_device(u: Floats, age: Floats, data_kb: Floats) -> Ints:
    """Index of the device: old ones for an ageing trait, feature phones for who uses no data."""
    smart = np.flatnonzero(cat.DEVICE_IS_SMART)
    by_age = smart[np.argsort(-cat.DEVICE_YEAR[smart], kind="stable")]
    position = (0.45 + 0.25 * age + 0.5 * (u - 0.5)) * len(by_age)
    device = by_age[np.clip(position, 0, len(by_age) - 1).astype(np.int64)]
    is_feature = data_kb < 40_000
    return np.where(is_feature, (u * 2).astype(np.int64), device).astype(np.int64)


def _activated(u: Floats, subscribers: int, opened_day: int, last_day: int, n: int) -> Ints:
    """Day of activation: a long tail of tenures at the opening, then the stream of joiners."""
    tenure = (1 - 900 * np.log1p(-u[:subscribers].astype(np.float64) * 0.985)).astype(np.int64)
    days = np.arange(opened_day + 1, last_day + 1)
    joined = np.array(
        [slots_through(subscribers, opened_day, int(day)) for day in days], dtype=np.int64
    )
    later = np.repeat(days, np.diff(joined, prepend=subscribers))
    return np.concatenate([opened_day - tenure, later])[:n].astype(np.int64)


def _second_lines(u: Floats, subscribers: int) -> Flags:
    """Second lines of the customer before; only in the opening base, never two in a row."""
    second = u < 0.08
    second[subscribers:] = False
    second[:1] = False
    second[1:] &= ~second[:-1]
    return second


def _with_hazards(traits: People) -> People:
    """Daily hazards of the thought of leaving by cause: shares, traits, misfit, payment mode."""
    hazards = np.empty((traits.slots, len(cat.CAUSES)), dtype=np.float32)
    for index, (trait, weight) in enumerate(cat.CAUSE_TRAIT):
        score = getattr(traits, trait)
        hazards[:, index] = cat.BASE_SHARE[index] * np.exp(weight * score - weight**2 / 2)
    misfit = traits.first_plan != traits.best_plan
    hazards[:, cat.CAUSE["PLAN_MISFIT"]] *= np.where(misfit, 1.8, 0.7)
    hazards *= np.where(traits.is_prepaid, THOUGHTS_A_DAY[1], THOUGHTS_A_DAY[0])[:, None]
    return People(**{**vars(traits), "hazards": hazards})


def _potential(draws: Draws, slots: int) -> Ints:
    u = draws.uniform(Stream.POTENTIAL, 0, slots, ("high", "low"))
    high, low = (u[name].astype(np.float64) * 2**24 for name in ("high", "low"))
    return high.astype(np.int64) << 24 | low.astype(np.int64)


# Thoughts of leaving a day, postpaid and prepaid, for somebody average.
THOUGHTS_A_DAY = (0.00165, 0.0030)


def _float(values: npt.NDArray[np.floating]) -> Floats:
    return values.astype(np.float32)
