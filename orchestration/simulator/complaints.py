"""Complaints: who complains of what, and how each is worked off.

Here: `care_complaints`. Not here: calls and visits that are no complaint (`interactions.py`).
Chances follow what really happened (traits, causes of leaving, outages, wrong bills, products
nobody ordered, contacts of ours), and branches that serve poorly work complaints off late.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import crm, fatigue
from orchestration.simulator.branches import poor_service_branches
from orchestration.simulator.feeds import SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.organisation import CALL_CENTER, OWN_HALL, ROLES
from orchestration.simulator.randomness import Floats, Stream, scramble
from orchestration.simulator.state import CONTENT, CONTRACT, GONE, NO_PRODUCT, NO_STEP, VAS
from orchestration.simulator.today import Flags, Ints, Today

# Columns of `State.complaint_steps`.
STEPS = (
    "ACKNOWLEDGED",
    "ANALYSED",
    "RESOLVED",
    "RECORDED",
    "FOLLOWED_UP",
    "REOPENED",
    "WITHDRAWN",
)
ACKNOWLEDGED, ANALYSED, RESOLVED, RECORDED, FOLLOWED_UP, REOPENED, WITHDRAWN = range(7)
_OPENED = len(STEPS)
_STEP_HOUR = np.array([9, 11, 14, 16, 18, 19, 20])
# Columns of `State.complaint_kind`.
CATEGORIES = (
    "BILLING",
    "NETWORK",
    "SERVICE",
    "UNAUTHORISED_ORDER",
    "DEVICE",
    "OTHER",
    "CONTACT_NUISANCE",
    "SALES_PROMISE",
    "PRIVACY",
)
(BILLING, NETWORK, SERVICE, UNAUTHORISED, DEVICE, OTHER, NUISANCE, PROMISE, PRIVACY) = range(9)
CLASSES = ("QUALITY", "ATTITUDE", "METHOD", "FACILITIES")
_QUALITY, _ATTITUDE, _METHOD, _FACILITIES = range(4)
SEVERITIES = ("MINOR", "NORMAL", "SEVERE")
SLA_HOURS = np.array([72, 48, 24])

# Cumulative shares of the cause classes by category, and of a service complaint where it is poor.
_CLASS_EDGES = np.array(
    [
        [0.15, 0.20, 1.0],
        [0.75, 0.75, 0.85],
        [0.10, 0.45, 0.82],
        [0.00, 0.10, 1.0],
        [0.80, 0.80, 1.0],
        [0.25, 0.50, 0.8],
        [0.00, 0.40, 1.0],
        [0.00, 0.25, 1.0],
        [0.00, 0.15, 1.0],
    ]
)
_POOR_SERVICE_CLASS_EDGES = np.array([0.03, 0.60, 0.97])
# What somebody who thinks of leaving complains of, by the cause; and the class where it tells one.
_CATEGORY_OF_CAUSE = {
    "PLAN_MISFIT": BILLING,
    "COMPETITOR_OFFER": PROMISE,
    "BILL_OPACITY": BILLING,
    "UNAUTHORISED_ORDER": UNAUTHORISED,
    "SERVICE_ATTITUDE": SERVICE,
    "SERVICE_METHOD": SERVICE,
    "FACILITIES": SERVICE,
    "NETWORK_QUALITY": NETWORK,
    "COVERAGE": NETWORK,
    "TERMINAL": DEVICE,
}
_CLASS_OF_CAUSE = {
    "SERVICE_ATTITUDE": _ATTITUDE,
    "SERVICE_METHOD": _METHOD,
    "FACILITIES": _FACILITIES,
}
_CAUSE_CATEGORY = np.array([_CATEGORY_OF_CAUSE.get(cause, OTHER) for cause in cat.CAUSES])
_CAUSE_CLASS = np.array([_CLASS_OF_CAUSE.get(cause, -1) for cause in cat.CAUSES])
_CLASS_FOLLOWS_CAUSE = 0.8

# Daily chances by category of somebody average, and what multiplies them.
_BASE = np.array(
    [0.00018, 0.00020, 0.00020, 0.00025, 0.00008, 0.00010, 0.00003, 0.00004, 0.00002],
    dtype=np.float32,
)
_MOST_A_DAY, _MOST_CALM_A_DAY = 0.10, 0.03  # whatever multiplies; without a fresh grievance
_THINKING = 4.0
_THINKING_OF_ITS_CAUSE = 14.0  # and this many base chances of the average category on top
_AVERAGE_BASE = 0.0002
_OVERAGE_FEN_TO_NOTICE = 1000
_OVERAGE = 3.0
_WRONG_BILL = 10.0
_OUTAGE = 20.0
_LINE_FAULT = 300.0
_POOR_SERVICE = 2.5
_NEW_LINE_DAYS = 120
_NEW_LINE = 3.0
_AGGRIEVED = 2.0
# A few complain again and again once they have begun.
_QUERULOUS_IN_1000 = 8
_QUERULOUS = 4.0
_QUERULOUS_AGGRIEVED = 0.06
_NOTICED_COMPLAINS = 0.6
# Complaints of our contacts: a day and contact of the last 30 days, within days of the last one.
_NUISANCE_A_CONTACT = 0.001
_MOST_CONTACTS_TO_COUNT, _NUISANCE_DAYS = 6, 5

# Ordinary branches, poorly serving ones.
_NEGLECTED = np.array([0.04, 0.35])
_REOPENS = np.array([0.05, 0.15])
_SLOWNESS = np.array([1.0, 2.0])
_DISPLEASED = np.array([0.0, 0.7])
_NEVER_ACKNOWLEDGED = 0.3  # of the neglected
_NEXT_DAY_ACKNOWLEDGED = 0.15
_WITHDRAWN = 0.04
_FOLLOWED_UP = 0.85
_SEVERITY_EDGES = np.array([0.3, 0.85])
_MOST_DAYS_TO_RESOLVE = 12
_SLOW_DAYS = 4
_LONGEST_DAYS = 60  # longer than any complaint, reopened or not
_MOST_MINUTES_TO_ACKNOWLEDGE = 180
_WITHDRAWS_CONSENT = 0.4  # of who complains of our contacts
_BILLED_PRODUCT = 0.3  # of the complaints of bills by who holds a product
_BY_PHONE = 0.6

_ACCOUNT_MANAGER, _TECHNICIAN = ROLES.index("ACCOUNT_MANAGER"), ROLES.index("LINE_TECHNICIAN")
_HALL_MANAGER, _CALL_AGENT = ROLES.index("OUTSOURCED_HALL_MANAGER"), ROLES.index("CALL_AGENT")
# Who works on a complaint, by category.
_HANDLER = np.array(
    [
        _CALL_AGENT,
        _TECHNICIAN,
        _HALL_MANAGER,
        _ACCOUNT_MANAGER,
        _HALL_MANAGER,
        _CALL_AGENT,
        _ACCOUNT_MANAGER,
        _ACCOUNT_MANAGER,
        _ACCOUNT_MANAGER,
    ]
)


def noticed(today: Today) -> Flags:
    """Who noticed today that they pay for something they never ordered."""
    return today.state.unauthorised_day == today.day


def nuisance(today: Today, slots: Ints) -> Floats:
    """Daily chance of a complaint of our contacts on top of the base, for each of the slots."""
    state, day = today.state, today.day
    is_fresh = fatigue.days_since_contact(state, slots, day) <= _NUISANCE_DAYS
    times = np.minimum(fatigue.recent_contacts(state, slots, day), _MOST_CONTACTS_TO_COUNT)
    return (_NUISANCE_A_CONTACT * times * is_fresh).astype(np.float32)


def open_new(today: Today, u: Floats, outage: Floats, wrong_bills: Floats, faulty: Flags) -> None:
    """New complaints; one under way a subscriber at most."""
    state, world, day = today.state, today.world, today.day
    finds = noticed(today)
    is_hurt = (state.grievance_until >= day) | faulty
    most = np.where(is_hurt, _MOST_A_DAY, _MOST_CALM_A_DAY)
    most = np.where(finds, _NOTICED_COMPLAINS, most)
    candidates = np.flatnonzero(today.is_living & (u < most))
    candidates = candidates[~_is_under_way(today, candidates)]
    edges = _chances(today, candidates, outage, wrong_bills, faulty).cumsum(axis=0)
    shrink = np.minimum(1.0, most[candidates] / np.maximum(edges[-1], 1e-9))
    draw = u[candidates]
    category = (draw >= edges * shrink).sum(axis=0)
    category = np.where(finds[candidates], UNAUTHORISED, category)
    chosen = category < len(CATEGORIES)
    new, category = candidates[chosen], category[chosen]
    if not len(new):
        return
    more = world.draws.few(
        Stream.COMPLAINTS,
        day,
        new,
        (
            "class",
            "class_follows",
            "severity",
            "opened_at",
            "neglected",
            "acknowledged",
            "analysed",
            "resolved",
            "followed_up",
            "reopened",
            "reopened_days",
            "withdrawn",
            "withdrawn_days",
            "product",
            "consent",
        ),
    )
    poor = _poor(today, new)
    severity = np.searchsorted(_SEVERITY_EDGES, more["severity"], side="right")
    opened = today.at(more["opened_at"], 8.0, 20.0)
    state.complaint_second[new] = opened
    state.complaint_steps[new] = _planned_steps(today, new, severity, poor, more)
    state.complaint_kind[new] = np.stack(
        [category, _classes(today, new, category, poor, more), severity], axis=1
    )
    state.complaint_product[new] = _products(today, new, category, more["product"])
    slow = state.complaint_steps[new, RESOLVED] > _SLOW_DAYS
    until = day + np.where(slow, 60, 25) + 10 * severity
    state.grievance_until[new] = np.maximum(state.grievance_until[new], until)
    at_once = state.complaint_steps[new, ACKNOWLEDGED] == 0
    minutes = (more["acknowledged"][at_once] * _MOST_MINUTES_TO_ACKNOWLEDGE).astype(np.int64)
    slots = np.concatenate([new, new[at_once]])
    index = np.repeat([_OPENED, ACKNOWLEDGED], [len(new), len(minutes)])
    at = np.concatenate([opened, opened[at_once] + 60 * minutes])
    _deliver(today, slots, index, at, np.full(len(slots), _CALL_AGENT))
    annoyed = (category == NUISANCE) & (more["consent"] < _WITHDRAWS_CONSENT)
    crm.withdraw_consent(today, new[annoyed], "CALL", opened[annoyed], "COMPLAINT")


def step(today: Today) -> None:
    """What is done today about complaints under way."""
    state, day = today.state, today.day
    begun = (day - _LONGEST_DAYS) * SECONDS_A_DAY
    recent = np.flatnonzero((state.complaint_second >= begun) & today.is_present)
    age = day - state.complaint_second[recent] // SECONDS_A_DAY
    due = (state.complaint_steps[recent] == age[:, None]) & (age > 0)[:, None]
    row, index = np.nonzero(due)
    slots = recent[row]
    jitter = (scramble(slots * len(STEPS) + index) % np.uint64(3600)).astype(np.int64)
    at = today.midnight + _STEP_HOUR[index] * 3600 + jitter
    role = _HANDLER[state.complaint_kind[slots, 0].astype(np.int64)]
    role = np.where(index == ACKNOWLEDGED, _CALL_AGENT, role)
    role = np.where(index == FOLLOWED_UP, _ACCOUNT_MANAGER, role)
    _deliver(today, slots, index, at, role, _satisfaction(today, slots, index == FOLLOWED_UP))
    _plan_again(today, slots[index == REOPENED])


def _is_under_way(today: Today, slots: Ints) -> Flags:
    """The last complaint has a step still to come (or one today)."""
    state = today.state
    opened_day = state.complaint_second[slots] // SECONDS_A_DAY
    newest = np.maximum(state.complaint_steps[slots].max(axis=1), 0)
    return opened_day + newest >= today.day


def _poor(today: Today, slots: Ints) -> Ints:
    """1 for lines of branches that serve poorly, else 0."""
    world = today.world
    flags = poor_service_branches(world.organisation, world.draws)
    return flags.astype(np.int64)[world.people.branch[slots]]


def _chances(
    today: Today, slots: Ints, outage: Floats, wrong_bills: Floats, faulty: Flags
) -> npt.NDArray[np.floating]:
    """Daily chances, (categories, slots)."""
    state, people = today.state, today.world.people
    branch, ones = people.branch[slots], np.ones(len(slots), dtype=np.float32)
    chances = _BASE[:, None] * ones
    chances[BILLING] *= np.where(state.overage_fen[slots] > _OVERAGE_FEN_TO_NOTICE, _OVERAGE, 1.0)
    chances[BILLING] *= 1 + _WRONG_BILL * wrong_bills[branch]
    chances[NETWORK] *= np.exp(0.7 * people.poor_coverage[slots] - 0.2)
    chances[NETWORK] *= 1 + _OUTAGE * outage[branch] + _LINE_FAULT * faulty[slots]
    chances[SERVICE] *= np.exp(0.7 * people.dissatisfaction[slots] - 0.2)
    chances[SERVICE] *= np.where(_poor(today, slots) == 1, _POOR_SERVICE, 1.0)
    chances[DEVICE] *= np.exp(0.5 * people.device_age[slots])
    is_new = today.day - people.activated_day[slots] < _NEW_LINE_DAYS
    chances[PROMISE] *= np.where(is_new, _NEW_LINE, 1.0)
    stage = state.stage[slots]
    thinking = (stage > CONTENT) & (stage < GONE)
    chances *= np.where(thinking, _THINKING, 1.0)
    row = np.flatnonzero(thinking & (state.cause[slots] >= 0))
    category = _CAUSE_CATEGORY[state.cause[slots[row]]]
    chances[category, row] += _THINKING_OF_ITS_CAUSE * _AVERAGE_BASE
    aggrieved = state.grievance_until[slots] >= today.day
    chances *= np.where(aggrieved, _AGGRIEVED, 1.0)
    querulous = scramble(slots * 8 + 5) % np.uint64(1000) < _QUERULOUS_IN_1000
    chances *= np.where(querulous, _QUERULOUS, 1.0)
    total = chances.sum(axis=0)
    again = np.where(querulous & aggrieved, _QUERULOUS_AGGRIEVED / total, 0.0)
    chances *= 1 + again
    chances[UNAUTHORISED] *= state.holding[slots, VAS] != NO_PRODUCT
    chances[NUISANCE] += nuisance(today, slots)
    return chances


def _classes(
    today: Today, slots: Ints, category: Ints, poor: Ints, u: Mapping[str, Floats]
) -> Ints:
    """Cause class of each new complaint."""
    state = today.state
    edges = _CLASS_EDGES[category]
    edges[(poor == 1) & (category == SERVICE)] = _POOR_SERVICE_CLASS_EDGES
    drawn = (u["class"][:, None] >= edges).sum(axis=1)
    of_cause = np.where(state.cause[slots] >= 0, _CAUSE_CLASS[state.cause[slots]], -1)
    stage = state.stage[slots]
    follows = (
        (category == SERVICE)
        & (of_cause >= 0)
        & (stage > CONTENT)
        & (u["class_follows"] < _CLASS_FOLLOWS_CAUSE)
    )
    return np.where(follows, of_cause, drawn)


def _planned_steps(
    today: Today, slots: Ints, severity: Ints, poor: Ints, u: Mapping[str, Floats]
) -> Ints:
    """Day offsets of the steps, (slots, steps)."""
    people = today.world.people
    neglected = u["neglected"] < _NEGLECTED[poor]
    never = u["neglected"] < _NEGLECTED[poor] * _NEVER_ACKNOWLEDGED
    late = SLA_HOURS[severity] // 24 + 1 + _days(u["acknowledged"], 3)
    next_day = (severity < 2) & (u["acknowledged"] > 1 - _NEXT_DAY_ACKNOWLEDGED)
    acknowledged = np.where(neglected, late, next_day)
    analysed = acknowledged + np.where(never, 0, 1) + _days(u["analysed"], 3)
    acknowledged = np.where(never, NO_STEP, acknowledged)
    slowness = _SLOWNESS[poor] * np.exp(0.5 * people.dissatisfaction[slots])
    working = (u["resolved"] * 5 * slowness).astype(np.int64)
    resolved = analysed + np.minimum(_MOST_DAYS_TO_RESOLVE, working)
    recorded = resolved + 1
    followed = np.where(u["followed_up"] < _FOLLOWED_UP, recorded + 2, NO_STEP)
    reopens = u["reopened"] < _REOPENS[poor]
    closed = np.maximum(recorded, followed)
    reopened = np.where(reopens, closed + 1 + _days(u["reopened_days"], 8), NO_STEP)
    steps = np.stack([acknowledged, analysed, resolved, recorded, followed, reopened], axis=1)
    withdraws = u["withdrawn"] < _WITHDRAWN
    day_withdrawn = 1 + _days(u["withdrawn_days"], 3)
    withdraws &= day_withdrawn < resolved
    gone = withdraws[:, None] & (steps >= day_withdrawn[:, None])
    steps[gone] = NO_STEP
    withdrawn = np.where(withdraws, day_withdrawn, NO_STEP)
    return np.concatenate([steps, withdrawn[:, None]], axis=1)


def _plan_again(today: Today, slots: Ints) -> None:
    """A complaint that was closed too early is analysed and resolved once more."""
    state = today.state
    u = today.world.draws.few(Stream.COMPLAINTS, today.day, slots, ("again", "resolved_again"))
    offset = state.complaint_steps[slots, REOPENED].astype(np.int64)
    analysed = offset + 1 + _days(u["again"], 2)
    resolved = analysed + _days(u["resolved_again"], 5)
    for index, days in (
        (ANALYSED, analysed),
        (RESOLVED, resolved),
        (RECORDED, resolved + 1),
        (FOLLOWED_UP, resolved + 3),
        (REOPENED, np.full(len(slots), NO_STEP)),
    ):
        state.complaint_steps[slots, index] = days


def _products(today: Today, slots: Ints, category: Ints, u: Floats) -> Ints:
    """The product complained of, if any."""
    held = today.state.holding[slots].astype(np.int64)
    billed = (category == BILLING) & (u < _BILLED_PRODUCT)
    product = np.where((category == UNAUTHORISED) | billed, held[:, VAS], NO_PRODUCT)
    return np.where(category == PROMISE, held[:, CONTRACT], product)


def _satisfaction(today: Today, slots: Ints, is_asked: Flags) -> pa.Array:
    """1 to 5; less where it took long and where the branch serves poorly. NULL if not asked."""
    u = today.world.draws.few(Stream.COMPLAINTS, today.day, slots, ("mark", "displeased"))
    slow = today.state.complaint_steps[slots, RESOLVED] > _SLOW_DAYS
    displeased = u["displeased"] < _DISPLEASED[_poor(today, slots)]
    marks = np.clip(2 + _days(u["mark"], 5) - 2 * slow - 2 * displeased, 1, 5)
    return pa.array(marks, pa.int64(), mask=~is_asked)


def _deliver(
    today: Today,
    slots: Ints,
    index: Ints,
    at: Ints,
    role: Ints,
    satisfaction: pa.Array | None = None,
) -> None:
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots):
        return
    kind = state.complaint_kind[slots].astype(np.int64)
    opened = state.complaint_second[slots]
    branch = people.branch[slots]
    product = state.complaint_product[slots].astype(np.int64)
    # The same channel at every step: it is drawn by the complaint.
    key = slots * 1_000_003 + opened // SECONDS_A_DAY
    by_phone = today.world.draws.few(Stream.COMPLAINTS, 0, key, ("channel",))["channel"] < _BY_PHONE
    channel = tree.outlets[branch, np.where(by_phone, CALL_CENTER, OWN_HALL)]
    staff = tree.staff_of(branch, role)
    today.outbox.add(
        "care_complaints",
        len(slots),
        {
            "complaint_id": joined(
                "CM", padded(opened // SECONDS_A_DAY, 6), today.world.numbers.take(pa.array(slots))
            ),
            "step": coded(index, (*STEPS, "OPENED")),
            "at": at,
            "subscriber_id": today.ids(slots),
            "due_at": opened + SLA_HOURS[kind[:, 2]] * 3600,
            "category": coded(kind[:, 0], CATEGORIES),
            "cause_class": coded(kind[:, 1], CLASSES),
            "severity": coded(kind[:, 2], SEVERITIES),
            "product_id": coded(
                np.maximum(product, 0),
                [one.product_id for one in cat.PRODUCTS],
                product == NO_PRODUCT,
            ),
            "staff_id": coded(staff, today.world.staff_ids),
            "channel_id": coded(channel, tree.channel_ids),
            "satisfaction": satisfaction,
        },
    )


def _days(u: Floats, most: int) -> Ints:
    """A number of days below `most`."""
    return (u * most).astype(np.int64)
