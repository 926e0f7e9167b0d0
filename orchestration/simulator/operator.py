"""The synthetic operator: simulate days, deliver their feeds, keep the truth apart.

Here: the order of a day, and picking up where an earlier call ended. Not here: what happens in a
day (one module a subject), the platform (nothing of it is imported).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from orchestration.simulator import (
    campaigns,
    care,
    crm,
    field,
    holdings,
    life,
    money,
    standing,
    usage,
)
from orchestration.simulator import truth as truths
from orchestration.simulator.feeds import (
    DAILY_FEEDS,
    FIELD_FEEDS,
    MONTHLY_FEEDS,
    SECONDS_A_DAY,
    remove,
    write,
)
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people, slots_through
from orchestration.simulator.randomness import Draws
from orchestration.simulator.reference import reference_tables
from orchestration.simulator.state import opening_state, restore, save
from orchestration.simulator.today import Today, World, day_number

# Raised whenever the same seed would give another world: old states are then of no use.
_VERSION = 1
_KEPT_STATES = 8


class OperatorMismatchError(ValueError):
    """The truth folder belongs to another operator, or the days do not follow on."""


@dataclass(frozen=True)
class SimulationSummary:
    """What a call delivered."""

    days: int
    files: int
    rows: Mapping[str, int]


@dataclass(frozen=True)
class _Operator:
    """What must not change between calls; kept as `<truth>/operator.json`."""

    version: int
    seed: int
    subscribers: int
    opened_on: str


def simulate(
    subscribers: int,
    first: date,
    last: date,
    seed: int,
    landing: Path,
    truth: Path,
    published: Path | None = None,
    on_day: Callable[[date], None] | None = None,
    opened_on: date | None = None,
) -> SimulationSummary:
    """Live the days `first`..`last` and deliver their landing files.

    The first call opens the operator on `opened_on` (default `first`) with full snapshots; later
    calls go on from any day up to the one after the last simulated. Days before `first` are never
    rewritten. The same seed, size, opening and published lists give the same bytes, in one call or
    many. Lists are read from `<published>/dt=<day before>/**/list.parquet`. State is kept under
    `truth` and could be made again from the opening.

    Raises OperatorMismatchError for parameters that differ from those of `truth` and for a gap
    between the days, ValueError for impossible parameters.
    """
    if subscribers < 1 or last < first:
        raise ValueError("simulate needs at least one subscriber and first <= last")
    operator, is_new = _open(truth, seed, subscribers, first, opened_on)
    opened_day, first_day, last_day = (
        day_number(date.fromisoformat(operator.opened_on)),
        day_number(first),
        day_number(last),
    )
    if first_day < opened_day:
        raise OperatorMismatchError(f"the operator opened on {operator.opened_on}, after {first}")
    states = truth / "state"
    through = max((_state_day(path) for path in states.glob("*.npz")), default=opened_day - 1)
    if first_day > max(through, opened_day - 1) + 1:
        missing = date(1970, 1, 1) + timedelta(days=through + 1)
        raise OperatorMismatchError(f"{first} does not follow on: simulate from {missing} first")

    draws = Draws(seed)
    tree = organisation(subscribers)
    world = World(
        draws, tree, people(draws, tree, subscribers, opened_day, last_day), subscribers, opened_day
    )
    state = opening_state(draws, world.people, opened_day)
    desk = field.Desk()
    start = opened_day
    usable = [path for path in sorted(states.glob("*.npz")) if _state_day(path) < first_day]
    if usable:
        desk = field.Desk.unpacked(restore(state, usable[-1]))
        start = _state_day(usable[-1]) + 1
    for path in states.glob("*.npz"):
        if _state_day(path) >= first_day:  # of days about to be lived anew
            path.unlink()
    if is_new:
        _write_operator(truth, operator)

    rows: Counter[str] = Counter()
    files = 0
    for day in range(start, last_day + 1):
        today = Today(world, state, day)
        _live(today, published, desk)
        if day >= first_day:
            delivered = _deliver(today, landing, published)
            truths.write_field_day(today, truth, desk.contacts, desk.faults)
            rows.update(delivered)
            files += len(delivered)
            if today.is_last_of_month:
                truths.write_month_end(today, truth)
            if on_day is not None:
                on_day(today.date)
        if day == last_day or today.is_last_of_month:
            present = slots_through(subscribers, opened_day, day)
            save(state, present, desk.packed(), _state_path(states, day))
    truths.write_people(today, truth)
    _tidy(states)
    return SimulationSummary(days=last_day - first_day + 1, files=files, rows=dict(rows))


def _live(today: Today, published: Path | None, desk: field.Desk) -> None:
    """One day, in the order in which things act on each other."""
    if today.is_first_of_month:
        money.start_month(today)
        holdings.start_month(today)
    if today.day == today.world.opened_day:
        life.begin(today)
    _welcome(today)
    field.answer(today, published, desk)
    campaigns.run(today)
    turns = life.think(today)
    money.pay(today)
    standing.update(today, turns)
    holdings.browse(today)
    usage.change_devices(today)
    usage.use(today)
    money.charge(today)
    care.live(today, turns)
    if today.date.day == money.BILL_DAY and money.has_closed_month(today):
        money.bill(today)
    money.deliver_balances(today)


def _welcome(today: Today) -> None:
    """Joiners, or on the opening day everybody, appear in the customer files."""
    slots = today.joined_slots
    world = today.world
    crm.deliver_subscribers(today, slots)
    crm.deliver_customers(today, slots)
    crm.deliver_consents(today, slots)
    holdings.snapshot(today, slots)
    seconds = world.people.activated_day[slots] * SECONDS_A_DAY
    usage.deliver_devices(
        today, slots, seconds + world.people.activated_second[slots] + 600 * np.ones_like(slots)
    )


def _deliver(today: Today, landing: Path, published: Path | None) -> Mapping[str, int]:
    """Write the day's files; feed -> rows."""
    tables = {feed: today.outbox.collect(feed) for feed in DAILY_FEEDS}
    if today.date.day == money.BILL_DAY and money.has_closed_month(today):
        tables |= {feed: today.outbox.collect(feed) for feed in MONTHLY_FEEDS}
    if field.has_begun(published, today):
        tables |= {feed: today.outbox.collect(feed) for feed in FIELD_FEEDS}
    else:
        remove(landing, FIELD_FEEDS, today.date)
    if today.day == today.world.opened_day:
        tables |= reference_tables(today.world.organisation)
    for feed, table in tables.items():
        write(landing, feed, today.date, table)
    return {feed: len(table) for feed, table in tables.items()}


def _open(
    truth: Path, seed: int, subscribers: int, first: date, opened_on: date | None
) -> tuple[_Operator, bool]:
    path = truth / "operator.json"
    if not path.exists():
        opened = opened_on or first
        return _Operator(_VERSION, seed, subscribers, opened.isoformat()), True
    kept = _Operator(**json.loads(path.read_text(encoding="utf-8")))
    wanted = _Operator(
        _VERSION, seed, subscribers, opened_on.isoformat() if opened_on else kept.opened_on
    )
    differing = [
        f"{name} is {ours!r}, asked for {theirs!r}"
        for (name, ours), theirs in zip(asdict(kept).items(), asdict(wanted).values(), strict=True)
        if ours != theirs
    ]
    if differing:
        raise OperatorMismatchError(f"{path} is another operator: {'; '.join(differing)}")
    return kept, False


def _write_operator(truth: Path, operator: _Operator) -> None:
    truth.mkdir(parents=True, exist_ok=True)
    unfinished = truth / "operator.json.tmp"
    unfinished.write_text(json.dumps(asdict(operator), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(truth / "operator.json")


def _state_path(states: Path, day: int) -> Path:
    return states / f"{day:06d}.npz"


def _state_day(path: Path) -> int:
    return int(path.stem)


def _tidy(states: Path) -> None:
    """Keep the newest states and those of month ends; the rest can be lived again."""
    for path in sorted(states.glob("*.npz"))[:-_KEPT_STATES]:
        day = date(1970, 1, 1) + timedelta(days=_state_day(path))
        if (day + timedelta(days=1)).day != 1:
            path.unlink()
