"""Who the subscribers are: hidden traits that never change.

Here: traits of every slot (a slot is a subscription, numbered in the order of activation), and
when each slot joins. Not here: what happens to them (`state.py` and the behaviours), names and
numbers (`identity.py`). Traits are a pure function of the seed and the slot; feeds never show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.branches import poor_service_branches
from orchestration.simulator.identity import SLOTS_A_REGION
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.randomness import Draws, Floats, Stream
from orchestration.simulator.ties import NOBODY, Ties, ties
from orchestration.simulator.twins import Twins, twins

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Traits = TypeVar("Traits")

# Joiners a day per subscriber at the opening: keeps the base about level against its losses.
JOINERS_A_DAY = 0.0026
PREPAID_SHARE = 0.45  # of the opening base
PREPAID_SHARE_OF_JOINERS = 0.58  # prepaid lines come and go faster
_MINUTES_A_MONTH = 30.4

TALK_DEVIATION = 0.35  # spread of calling between people beyond their activity (log)
# Prepaid lines that hardly call: share and log level of calls. They may well use data.
SELDOM_CALLER_SHARE, SELDOM_CALLER_LEVEL = 0.18, -4.5
# Messages: who writes any, how many a day somebody average of them, and the spread.
TEXTER_SHARE, MESSAGES_A_DAY, MESSAGES_DEVIATION = 0.75, 0.35, 1.0
MESSAGES_BY_TALK = 0.5
# The usual top-up grows less than what a month costs: who uses little pays for longer ahead, who
# uses much pays more often.
TYPICAL_TOPUP_FEN, TYPICAL_COST_FEN = 8_000, 2_500
TOPUP_BY_COST, TOPUP_DEVIATION = 0.3, 0.7
MOST_OVERAGE_AHEAD = 2  # expected cost beyond so many fees is not thought of when topping up
# Topping up without need: its spread, and how much more often who talks more does it (logs).
EAGERNESS_DEVIATION, EAGERNESS_BY_USE = 1.4, 1.2


@dataclass(frozen=True)
class People:
    """Traits by slot. Scores have mean 0 and deviation about 1; higher means more of the name."""

    activated_day: Ints  # days since 1970
    activated_second: Ints  # within that day
    is_prepaid: Flags
    branch: Ints
    gender: Ints  # 0 female, 1 male
    birthday: Ints  # days since 1970
    keys: Ints  # number of the slot within the whole operator, for what is drawn by hash
    line_class: Ints  # index into LINE_CLASSES
    sold_by_channel: Ints
    sold_by_agent: Ints  # NOBODY: not by an agent
    ties: Ties
    twins: Twins
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
    messages_a_day: Floats
    minutes_a_call: Floats
    incoming: Floats  # incoming minutes per outgoing minute
    offnet_share: Floats
    data_kb_a_day: Floats
    video_share: Floats
    first_device: Ints
    first_plan: Ints
    best_plan: Ints
    is_autopay: Flags
    topup_fen: Ints  # usual size
    topup_eagerness: Floats  # multiplier of topping up without need
    hazards: Floats  # (slots, causes): daily hazard of the thought of leaving

    @property
    def slots(self) -> int:
        return len(self.activated_day)

    @property
    def dominant_cause(self) -> Ints:
        return self.hazards.argmax(axis=1).astype(np.int64)


# A tie is known this long before the younger line's first day.
_TIES_AHEAD_DAYS = 60
# Steady people: their share of the postpaid, and the draws behind the traits.
_STEADY_SHARE = 0.3
_STEADY_HAZARD = 0.5  # and hardly ever act on these
_DRAW_OF_TRAIT = {
    "price_sensitivity": "price",
    "competitor_exposure": "competitor",
    "dissatisfaction": "service",
    "poor_coverage": "coverage",
    "device_age": "device",
    "need_growth": "need",
}
LINE_CLASSES = ("VOICE", "DATA_ONLY", "IOT")
VOICE, DATA_ONLY, IOT = range(3)
_DATA_ONLY_SHARE, _IOT_SHARE = 0.012, 0.015
_HEADROOM, _MISJUDGEMENT = 1.15, 0.3  # in choosing a plan
_DISLIKE_OF_OVERAGE = 4.0  # who pays for a plan would rather not pay on top of it
_POORLY_SERVED = 0.9  # more dissatisfied than elsewhere
_IOT_KB_A_DAY = 1_500
_IOT_HAZARD = 0.15
_LEAST_DECLINE = 0.7
_WASHED_USE = 0.02  # of the person's use: just enough to look alive, or nothing at all


def slots_through(subscribers: int, opened_day: int, day: int) -> int:
    """Slots activated by the end of the day: the opening base and a steady stream of joiners.

    The stream does not depend on who leaves, so that nobody's life depends on others' contacts.
    """
    return subscribers + int(subscribers * JOINERS_A_DAY * (day - opened_day))


def people(
    draws: Draws,
    organisation: Organisation,
    subscribers: int,
    opened_day: int,
    last_day: int,
    outcome_days: int = 0,
) -> People:
    """Everybody who joins by `last_day`, for a story that ends `outcome_days` later.

    Ties are known some time before the younger line's first day; therefore all slots are drawn
    that far ahead, and cut at the end.
    """
    n = slots_through(subscribers, opened_day, last_day)
    drawn_day = last_day + outcome_days + _TIES_AHEAD_DAYS
    ahead = slots_through(subscribers, opened_day, drawn_day)
    z = draws.normal(
        Stream.TRAITS,
        0,
        ahead,
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
            "messages",
            "ahead",
            "eager",
        ),
    )
    u = draws.uniform(
        Stream.TRAITS,
        0,
        ahead,
        (
            "joined",
            "second",
            "prepaid",
            "branch",
            "seller",
            "class",
            "gender",
            "age",
            "reach",
            "dog",
            "incoming",
            "offnet",
            "video",
            "device",
            "autopay",
            "light",
            "caller",
            "texter",
        ),
    )
    share = np.where(np.arange(ahead) < subscribers, PREPAID_SHARE, PREPAID_SHARE_OF_JOINERS)
    prepaid = u["prepaid"] < share
    branch = (u["branch"] * organisation.branches).astype(np.int64)
    channel, agent = organisation.seller_of(branch, u["seller"])
    activated = _activated(u["joined"], subscribers, opened_day, drawn_day, ahead)
    line_class = np.searchsorted([_IOT_SHARE, _IOT_SHARE + _DATA_ONLY_SHARE], u["class"], "right")
    line_class = np.array([IOT, DATA_ONLY, VOICE])[line_class]
    tied = ties(
        draws,
        organisation,
        activated,
        branch,
        prepaid,
        agent,
        line_class == VOICE,
        _steady(z, prepaid, subscribers),
        subscribers,
        opened_day,
    )
    person = _person(tied.predecessor)
    z = {name: values[person] for name, values in z.items()}
    own = {name: u[name] for name in ("joined", "second", "prepaid", "branch", "seller", "class")}
    u = {name: values[person] for name, values in u.items()} | own
    line_class = line_class[person]
    branch = np.where(tied.has_same_home, branch[person], branch)
    firm = tied.customer_slot
    branch = np.where(tied.is_firm, branch[firm], branch)
    prepaid = np.where(tied.is_firm, False, prepaid)
    # Branches differ in how they serve and how well they are covered.
    branches = organisation.branches
    served = np.where(poor_service_branches(organisation, draws), _POORLY_SERVED, 0.0)
    covered = np.linspace(-0.6, 0.6, branches, dtype=np.float32)[
        (np.arange(branches) * 7 + 3) % branches
    ]
    light = prepaid & (u["light"] < 0.12)
    activity = np.where(light, -1.6, 0.0) + 0.75 * z["activity"] - np.where(prepaid, 0.35, 0.0)
    seldom = prepaid & (u["caller"] < SELDOM_CALLER_SHARE)
    talk = TALK_DEVIATION * z["talk"]
    calls_a_day = 2.6 * np.exp(activity + talk + np.where(seldom, SELDOM_CALLER_LEVEL, 0.0))
    messages_a_day = MESSAGES_A_DAY * np.exp(
        activity + MESSAGES_BY_TALK * z["talk"] + MESSAGES_DEVIATION * z["messages"]
    )
    minutes_a_call = 1.9 * np.exp(0.3 * z["talk"])
    data_kb = 330_000 * np.exp(activity + 0.7 * z["data"])
    device_age = 0.6 * z["device"] + np.where(prepaid, 0.3, -0.1)
    first_device = _first_device(u["device"], device_age, data_kb)
    is_machine = line_class == IOT
    first_device = np.where(is_machine, cat.METER, first_device)
    data_kb = np.where(cat.DEVICE_IS_SMART[first_device], data_kb, data_kb * 0.01)
    data_kb = np.where(is_machine, _IOT_KB_A_DAY, data_kb)
    alive = np.where(tied.is_washed & (u["light"] < 0.6), _WASHED_USE, 1.0)
    alive = np.where(tied.is_washed & (u["light"] >= 0.6), 0.0, alive)
    calls_a_day = np.where(line_class == VOICE, calls_a_day, 0.0) * alive
    data_kb = data_kb * alive
    writes = (u["texter"] < TEXTER_SHARE) & (line_class == VOICE)
    messages_a_day = np.where(writes, messages_a_day, 0.0) * alive
    best, chosen, expected_fen = _plans(prepaid, calls_a_day * minutes_a_call, data_kb, z["fit"])
    everybody = People(
        activated_day=activated,
        activated_second=(9 * 3600 + u["second"] * 11 * 3600).astype(np.int64),
        is_prepaid=prepaid,
        branch=branch,
        gender=(u["gender"] < 0.52).astype(np.int64),
        birthday=(opened_day - (18 + 52 * u["age"].astype(np.float64) ** 1.4) * 365.25).astype(
            np.int64
        ),
        keys=np.arange(ahead) + draws.region * SLOTS_A_REGION,
        line_class=line_class,
        sold_by_channel=channel,
        sold_by_agent=agent,
        ties=tied,
        twins=twins(
            draws,
            (line_class == VOICE) & ~tied.is_washed,
            _float(calls_a_day),
            activated,
            opened_day,
        ),
        price_sensitivity=z["price"],
        competitor_exposure=z["competitor"],
        dissatisfaction=_float(z["service"] + served[branch]),
        poor_coverage=z["coverage"] + covered[branch],
        device_age=_float(device_age),
        need_growth=z["need"],
        carelessness=z["careless"],
        decline=_float(np.maximum(_LEAST_DECLINE, 1.25 + 0.4 * z["decline"])),
        haste=_float(0.2 * z["decline"] + 0.15 * z["haste"]),
        reachability=_float(0.35 + 0.6 * u["reach"]),
        is_sleeping_dog=u["dog"] < 0.07,
        potential=_potential(draws, n),
        weekend=_float(0.25 * z["weekend"]),
        calls_a_day=_float(calls_a_day),
        messages_a_day=_float(messages_a_day),
        minutes_a_call=_float(minutes_a_call),
        incoming=_float(0.6 + 0.8 * u["incoming"]),
        offnet_share=_float(0.25 + 0.5 * u["offnet"]),
        data_kb_a_day=_float(data_kb),
        video_share=_float(0.15 + 0.5 * u["video"]),
        first_device=first_device,
        first_plan=chosen,
        best_plan=best,
        is_autopay=u["autopay"] < np.where(prepaid, 0.1, 0.5),
        topup_fen=_usual_topup(chosen, expected_fen, z["ahead"]),
        topup_eagerness=_float(
            np.exp(EAGERNESS_DEVIATION * z["eager"] + EAGERNESS_BY_USE * (activity + talk))
        ),
        hazards=np.zeros((ahead, 0), dtype=np.float32),
    )
    return _with_hazards(_first_slots(everybody, n))


def _steady(z: Mapping[str, Floats], prepaid: Flags, subscribers: int) -> Flags:
    """Postpaid people of the opening base whose traits give them the fewest reasons to leave."""
    score = np.zeros(len(prepaid), dtype=np.float32)
    for share, (trait, weight) in zip(cat.BASE_SHARE, cat.CAUSE_TRAIT, strict=True):
        score += share * np.exp(weight * z[_DRAW_OF_TRAIT[trait]])
    base = score[:subscribers][~prepaid[:subscribers]]
    return ~prepaid & (score <= (np.quantile(base, _STEADY_SHARE) if len(base) else 0))


def _person(predecessor: Ints) -> Ints:
    """The oldest line of the same person, whose traits all later ones share."""
    person = np.where(predecessor == NOBODY, np.arange(len(predecessor)), predecessor)
    while (person[person] != person).any():
        person = person[person]
    return person


def _first_slots(traits: Traits, n: int) -> Traits:
    """The same with the first `n` slots of every field."""
    cut = {
        f.name: _first_slots(value, n) if is_dataclass(value) else value[:n]
        for f in fields(traits)  # type: ignore[arg-type]
        for value in (getattr(traits, f.name),)
    }
    return replace(traits, **cut)  # type: ignore[type-var]


def plan_cost_fen(
    minutes_a_month: Floats, kb_a_month: Floats, dislike: float = 1.0
) -> npt.NDArray[np.float32]:
    """Expected monthly cost of every plan, (slots, plans); overage counts `dislike` times."""
    minutes_over = np.maximum(0, minutes_a_month[:, None] - cat.PLAN_VOICE_MINUTES)
    kb_over = np.maximum(0, kb_a_month[:, None] - cat.PLAN_DATA_KB)
    # A plan that stops or throttles costs nothing more, but what is missing hurts.
    pain = np.where(cat.PLAN_DATA_FEN > 0, cat.PLAN_DATA_FEN, 250)
    overage = minutes_over * cat.PLAN_VOICE_FEN + kb_over / 1_000_000 * pain
    return _float(cat.PLAN_FEE_FEN + dislike * overage)


def _plans(
    prepaid: Flags, minutes_a_day: Floats, data_kb: Floats, fit: Floats
) -> tuple[Ints, Ints, Floats]:
    """Best plan for the person's needs, the one chosen with an error of judgement, and what that
    one is expected to cost a month.
    """
    other_mode = prepaid[:, None] != cat.PLAN_IS_PREPAID

    def cost(factor: Floats | float, dislike: float = _DISLIKE_OF_OVERAGE) -> Floats:
        return plan_cost_fen(
            _float(minutes_a_day * _MINUTES_A_MONTH * factor),
            _float(data_kb * _MINUTES_A_MONTH * factor),
            dislike,
        )

    def cheapest(costs: Floats) -> Ints:
        return np.where(other_mode, np.inf, costs).argmin(axis=1).astype(np.int64)

    chosen = cheapest(cost(_HEADROOM * np.exp(_MISJUDGEMENT * fit)))
    expected = cost(1.0, dislike=1.0)[np.arange(len(chosen)), chosen]
    return cheapest(cost(1.0)), chosen, expected


def _usual_topup(plan: Ints, expected_fen: Floats, size: Floats) -> Ints:
    """What a prepaid line is usually topped up with, before it is rounded to a denomination."""
    cost = np.minimum(expected_fen, MOST_OVERAGE_AHEAD * cat.PLAN_FEE_FEN[plan])
    by_cost = (cost / TYPICAL_COST_FEN) ** TOPUP_BY_COST
    return (TYPICAL_TOPUP_FEN * by_cost * np.exp(TOPUP_DEVIATION * size)).astype(np.int64)


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


def _with_hazards(traits: People) -> People:
    """Daily hazards of the thought of leaving by cause: shares, traits, misfit, payment mode."""
    hazards = np.empty((traits.slots, len(cat.CAUSES)), dtype=np.float32)
    for index, (trait, weight) in enumerate(cat.CAUSE_TRAIT):
        score = getattr(traits, trait)
        hazards[:, index] = cat.BASE_SHARE[index] * np.exp(weight * score - weight**2 / 2)
    misfit = traits.first_plan != traits.best_plan
    hazards[:, cat.CAUSE["PLAN_MISFIT"]] *= np.where(misfit, 1.8, 0.7)
    hazards *= np.where(traits.is_prepaid, THOUGHTS_A_DAY[1], THOUGHTS_A_DAY[0])[:, None]
    hazards *= np.where(traits.line_class == IOT, _IOT_HAZARD, 1.0)[:, None].astype(np.float32)
    hazards *= np.where(traits.ties.is_steady, _STEADY_HAZARD, 1.0)[:, None].astype(np.float32)
    # What a washed card and a firm do is decided elsewhere.
    hazards[traits.ties.is_washed | traits.ties.is_firm] = 0
    return replace(traits, hazards=hazards)


def _potential(draws: Draws, slots: int) -> Ints:
    u = draws.uniform(Stream.POTENTIAL, 0, slots, ("high", "low"))
    high, low = (u[name].astype(np.float64) * 2**24 for name in ("high", "low"))
    return high.astype(np.int64) << 24 | low.astype(np.int64)


# Thoughts of leaving a day, postpaid and prepaid, for somebody average.
THOUGHTS_A_DAY = (0.00185, 0.0027)


def _float(values: npt.NDArray[np.floating]) -> Floats:
    return values.astype(np.float32)
