"""Failures of the service: outages of branches and cities, wrong bills, faults of single lines.

Here: `service_failures`, and how badly a day's failures hurt whom. Not here: what people use or
say because of them (`usage.py`, `complaints.py`, `interactions.py`). Failures of units are a pure
function of the seed, the unit and the day; faults of lines follow the line's coverage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator.branches import poor_service_branches, unit_keys
from orchestration.simulator.feeds import NO_VALUE, SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.today import Flags, Ints, Today, World

STEPS = ("CONFIRMED", "SOLVED", "CAUSES_COLLECTED", "IMPROVED")
SCOPES = ("BRANCH", "CITY", "SUBSCRIBER")
KINDS = ("CELL_OUTAGE", "TRANSMISSION", "CORE", "BILLING_ERROR", "LINE_FAULT")
SEVERITIES = ("MINOR", "NORMAL", "SEVERE")
_BILLING_ERROR, _LINE_FAULT = KINDS.index("BILLING_ERROR"), KINDS.index("LINE_FAULT")
_DETECTED_BY = ("MONITORING", "CUSTOMER", "STAFF")

_STARTS_A_DAY = np.array([0.015, 0.006])  # by scope of a unit
# Cumulative shares of the kinds up to BILLING_ERROR, by scope of a unit.
_KIND_EDGES = np.array([[0.6, 1.0, 1.0], [0.0, 0.35, 0.65]])
_SEVERITY_EDGES = np.array([0.35, 0.8])
_LEVEL = np.array([0.25, 0.6, 1.0])  # how badly it hurts while it lasts, by severity
_MEAN_HOURS = np.array([3.0, 6.0, 12.0])
_MOST_HOURS = 72.0
_BILLING_ERROR_DAYS = (2.0, 7.0)
_HOURS_THAT_COUNT_AS_A_DAY = 8.0
_MOST_DAYS_TO_CAUSES, _MOST_DAYS_TO_IMPROVE = 5, 24
_LOOK_BACK_DAYS = 45  # longer than from a start to its last step
_MINUTE, _HOUR = 60, 3600
_FEN = Decimal("0.01")

# Ordinary branches, poorly serving ones.
_MINUTES_TO_CONFIRM = np.array([60.0, 240.0])
_INFORMED = np.array([0.8, 0.35])
_APOLOGISED = np.array([0.6, 0.2])
_COMPENSATED = np.array([0.35, 0.1])
_NEVER_IMPROVED = np.array([0.1, 0.5])

_LINE_FAULTS_A_DAY = 0.00006
_MOST_LINE_FAULTS_A_DAY = 0.002
_LINE_FAULT_HOURS = (2.0, 60.0)

_DRAWS = (
    "starts",
    "kind",
    "severity",
    "hour",
    "hours",
    "confirmed",
    "solved",
    "causes",
    "improved",
    "never",
    "informed",
    "apology",
    "compensated",
    "amount",
    "detected",
)


@dataclass(frozen=True)
class Units:
    """Branches, then cities, that can fail as a whole."""

    org_ids: tuple[str, ...]
    scope: Ints
    covers: Flags  # (units, branches)
    is_poor: Flags


@dataclass(frozen=True)
class Failures:
    """One value a failure. Seconds are since 1970; NO_VALUE for what never happens."""

    unit: Ints  # index into the units; -1 for a line
    slot: Ints  # the line; -1 for a unit
    kind: Ints
    severity: Ints
    started: Ints
    ended: Ints
    steps: Ints  # (failures, steps)
    informed: Ints
    apology: Ints
    compensation_fen: Ints
    detected_by: Ints

    def __len__(self) -> int:
        return len(self.kind)


def units(world: World) -> Units:
    """The units of the region that can fail."""
    tree = world.organisation
    parent = {unit.org_id: unit.parent_org_id for unit in tree.units}
    city_of = [parent.get(org_id) or org_id for org_id in tree.branch_ids]
    cities = sorted(set(city_of))
    of_cities = np.array([[city == own for own in city_of] for city in cities], dtype=bool)
    covers = np.concatenate([np.eye(tree.branches, dtype=bool), of_cities])
    poor = poor_service_branches(tree, world.draws)
    return Units(
        org_ids=(*tree.branch_ids, *cities),
        scope=np.repeat([0, 1], [tree.branches, len(cities)]),
        covers=covers,
        is_poor=np.concatenate([poor, np.zeros(len(cities), dtype=bool)]),
    )


def outages(today: Today) -> Failures:
    """Failures of units whose steps may still be under way today."""
    world = today.world
    of = units(world)
    first = max(world.opened_day, today.day - _LOOK_BACK_DAYS)
    days = np.arange(first, today.day + 1)
    keys = (unit_keys(of.org_ids)[:, None] * 1_000_003 + days).ravel()
    starts = world.draws.few(Stream.NETWORK, 0, keys, _DRAWS[:1])["starts"]
    happens = np.flatnonzero(starts < np.repeat(_STARTS_A_DAY[of.scope], len(days)))
    unit, day = happens // len(days), days[happens % len(days)]
    u = world.draws.few(Stream.NETWORK, 0, keys[happens], _DRAWS)
    kind = (u["kind"][:, None] >= _KIND_EDGES[of.scope[unit]]).sum(axis=1)
    severity = np.searchsorted(_SEVERITY_EDGES, u["severity"], side="right")
    started = day * SECONDS_A_DAY + _seconds(5 + 17 * u["hour"].astype(np.float64))
    hours = np.minimum(
        _MOST_HOURS, 0.5 - _MEAN_HOURS[severity] * np.log1p(-u["hours"].astype(np.float64))
    )
    least, more = _BILLING_ERROR_DAYS
    hours = np.where(kind == _BILLING_ERROR, 24 * (least + more * u["hours"]), hours)
    ended = started + _seconds(hours)
    poor = of.is_poor[unit].astype(np.int64)
    fen = 100 * (1_000 + 500 * (20 * u["amount"]).astype(np.int64)) * (1 + severity)
    return _followed_up(unit, np.full(len(unit), -1), kind, severity, started, ended, fen, poor, u)


def outage_level(today: Today) -> Floats:
    """How badly the network of each branch fails today: 0 not at all, 1 all day."""
    return levels(today)[0]


def levels(today: Today) -> tuple[Floats, Floats]:
    """The outage level by branch, and how many wrong bills each has: 0 none, 1 very many."""
    failures = outages(today)
    wrong_bill = failures.kind == _BILLING_ERROR
    return _level(today, failures, ~wrong_bill), _level(today, failures, wrong_bill)


def is_line_faulty(today: Today) -> Flags:
    """Lines with a fault of their own at some time of today."""
    faulty = np.zeros(today.state.slots, dtype=bool)
    faults = _line_faults(today)
    faulty[faults.slot[(faults.ended >= today.midnight)]] = True
    return faulty


def live(today: Today) -> None:
    """Lines fail, and every failure goes its steps."""
    state, people = today.state, today.world.people
    u = today.uniform(Stream.LINE_FAULTS, "fault")["fault"]
    candidates = np.flatnonzero((u < _MOST_LINE_FAULTS_A_DAY) & today.is_living)
    chance = _LINE_FAULTS_A_DAY * np.exp(0.7 * people.poor_coverage[candidates])
    free = state.line_fault_second[candidates] < (today.day - _LOOK_BACK_DAYS) * SECONDS_A_DAY
    new = candidates[free & (u[candidates] < chance)]
    hour = today.world.draws.few(Stream.LINE_FAULTS, today.day, new, ("hour",))["hour"]
    state.line_fault_second[new] = today.at(hour, 6.0, 20.0)
    _deliver(today, outages(today))
    _deliver(today, _line_faults(today))


def _line_faults(today: Today) -> Failures:
    """Faults of single lines whose steps may still be under way today."""
    world = today.world
    seconds = today.state.line_fault_second
    slot = np.flatnonzero(seconds >= (today.day - _LOOK_BACK_DAYS) * SECONDS_A_DAY)
    started = seconds[slot]
    keys = slot * 1_000_003 + started // SECONDS_A_DAY
    u = world.draws.few(Stream.LINE_FAULTS, 0, keys, _DRAWS)
    least, more = _LINE_FAULT_HOURS
    poor = poor_service_branches(world.organisation, world.draws)[world.people.branch[slot]]
    return _followed_up(
        np.full(len(slot), -1),
        slot,
        np.full(len(slot), _LINE_FAULT),
        np.searchsorted(_SEVERITY_EDGES, u["severity"], side="right"),
        started,
        started + _seconds(least + more * u["hours"].astype(np.float64)),
        100 * (10 + 5 * (8 * u["amount"]).astype(np.int64)),
        poor.astype(np.int64),
        u,
    )


def _followed_up(
    unit: Ints,
    slot: Ints,
    kind: Ints,
    severity: Ints,
    started: Ints,
    ended: Ints,
    fen: Ints,
    poor: Ints,
    u: Mapping[str, Floats],
) -> Failures:
    """What is done about failures, and when."""
    delay = (_MINUTES_TO_CONFIRM[poor] * (0.1 + u["confirmed"]) * _MINUTE).astype(np.int64)
    confirmed = np.minimum(started + delay, ended)
    solved = ended + _MINUTE * (5 + (60 * u["solved"]).astype(np.int64))
    causes_day = solved // SECONDS_A_DAY + 1 + (_MOST_DAYS_TO_CAUSES * u["causes"]).astype(np.int64)
    causes = causes_day * SECONDS_A_DAY + _seconds(9 + 8 * u["causes"].astype(np.float64))
    improved_day = causes_day + 2 + (_MOST_DAYS_TO_IMPROVE * u["improved"]).astype(np.int64)
    improved = improved_day * SECONDS_A_DAY + _seconds(9 + 8 * u["never"].astype(np.float64))
    improved = np.where(u["never"] < _NEVER_IMPROVED[poor], NO_VALUE, improved)
    is_told = u["informed"] < _INFORMED[poor]
    says_sorry = (u["apology"] < _APOLOGISED[poor]) & (severity > 0)
    pays = (u["compensated"] < _COMPENSATED[poor]) & (severity > 0)
    return Failures(
        unit=unit,
        slot=slot,
        kind=kind,
        severity=severity,
        started=started,
        ended=ended,
        steps=np.stack([confirmed, solved, causes, improved], axis=1),
        informed=np.where(is_told, confirmed + _HOUR, NO_VALUE),
        apology=np.where(says_sorry, solved + 20 * _HOUR, NO_VALUE),
        compensation_fen=np.where(pays, fen, 0),
        detected_by=np.searchsorted(np.array([0.6, 0.9]), u["detected"], side="right"),
    )


def _level(today: Today, failures: Failures, counts: Flags) -> Floats:
    """The day's failures that count, by branch: level times the share of the waking day."""
    start = np.maximum(failures.started, today.midnight)
    end = np.minimum(failures.ended, today.midnight + SECONDS_A_DAY)
    hours = np.maximum(0, end - start) / _HOUR
    share = np.minimum(1.0, hours / _HOURS_THAT_COUNT_AS_A_DAY)
    level = np.where(counts, _LEVEL[failures.severity] * share, 0.0)
    covers = units(today.world).covers
    by_unit = np.zeros(len(covers))
    np.maximum.at(by_unit, failures.unit, level)
    return (covers * by_unit[:, None]).max(axis=0).astype(np.float32)


def _deliver(today: Today, failures: Failures) -> None:
    """The steps that fall on today; each row tells what is known by then."""
    of, people = units(today.world), today.world.people
    row, step = np.nonzero(failures.steps // SECONDS_A_DAY == today.day)
    at = failures.steps[row, step]
    is_line = failures.unit[row] < 0
    unit = failures.unit[row]
    slot = np.maximum(failures.slot[row], 0)
    org = np.where(is_line, people.branch[slot], unit)
    org_ids = coded(org, of.org_ids)
    numbers = today.world.numbers.take(pa.array(slot))
    who = np.where(is_line, len(SCOPES) - 1, of.scope[np.maximum(unit, 0)])
    opened_on = padded(failures.started[row] // SECONDS_A_DAY, 6)

    def known(seconds: Ints) -> Ints:
        return np.where(seconds > at, NO_VALUE, seconds)

    paid = (failures.compensation_fen[row] > 0) & (step >= STEPS.index("CAUSES_COLLECTED"))
    subscriber_ids = today.world.subscriber_ids.take(pa.array(slot, mask=~is_line))
    whose = numbers if is_line.all() else org_ids
    today.outbox.add(
        "service_failures",
        len(row),
        {
            "failure_id": joined("SF", opened_on, "-", whose),
            "step": coded(step, STEPS),
            "scope": coded(who, SCOPES),
            "subscriber_id": subscriber_ids,
            "org_id": org_ids,
            "kind": coded(failures.kind[row], KINDS),
            "severity": coded(failures.severity[row], SEVERITIES),
            "at": at,
            "started_at": failures.started[row],
            "ended_at": known(failures.ended[row]),
            "detected_by": coded(failures.detected_by[row], _DETECTED_BY),
            "customer_informed_at": known(failures.informed[row]),
            "apology_at": known(failures.apology[row]),
            "compensation_cny": _money(failures.compensation_fen[row], paid),
        },
    )


def _money(fen: Ints, is_paid: Flags) -> pa.Array:
    """CNY where paid, NULL elsewhere."""
    whole = pa.array(fen, pa.int64(), mask=~is_paid).cast(pa.decimal128(19, 0))
    return pc.multiply(whole, pa.scalar(_FEN)).cast(pa.decimal128(18, 2))


def _seconds(hours: Floats | np.ndarray) -> Ints:
    return (hours * _HOUR).astype(np.int64)
