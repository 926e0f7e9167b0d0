"""One region of the operator lives its days.

Here: the order of a day, what is delivered of it, and picking up where an earlier call ended. Not
here: what happens in a day (one module a subject), several regions and the landing zone
(`operator.py`).

Regions have people, branches and random numbers of their own and nothing to do with each other, so
that they can be lived side by side and a large operator needs no more memory than a small one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from orchestration.simulator import (
    adjustments,
    campaigns,
    care,
    channels,
    crm,
    devices,
    field,
    holdings,
    life,
    market,
    money,
    network,
    outlook,
    standing,
    usage,
)
from orchestration.simulator import truth as truths
from orchestration.simulator.dirt import Soiler
from orchestration.simulator.dirt_kinds import DirtPlan
from orchestration.simulator.feeds import DAILY_FEEDS, FIELD_FEEDS, MONTHLY_FEEDS, Outbox, write
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people, slots_through
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import opening_state, restore, save
from orchestration.simulator.today import EPOCH, Today, World, day_number

_KEPT_STATES = 8


@dataclass(frozen=True)
class Region:
    """One of `regions` equal parts of an operator, and where its files go."""

    number: int  # from 0
    regions: int
    subscribers: int  # of this region
    seed: int
    opened_on: date
    staging: Path  # landing files of the range, before they are released together
    truth: Path
    published: Path | None
    dirt: str = ""  # what is to be wrong with the files (`DirtPlan.parse`)

    @property
    def name(self) -> str:
        return f"{self.number + 1:02d}"

    @property
    def part(self) -> int | None:
        """Number of this region's part of each day's files; a single region's are whole."""
        return self.number + 1 if self.regions > 1 else None

    @property
    def states(self) -> Path:
        return self.truth / "state" / self.name

    def deliver(self, feed: str, dt: date, table: pa.Table, part: int | None) -> None:
        """Write one landing file into the staging folder, with what is to be wrong with it."""
        if self.dirt or (self.truth / "dirt").is_dir():  # of an earlier life of these days
            soiler = Soiler(DirtPlan.parse(self.dirt), self.seed, self.truth, self.opened_on)
            soiler.write(self.staging, feed, dt, table, part)
        else:
            write(self.staging, feed, dt, table, part)


def live(
    region: Region,
    first: date,
    last: date,
    outcome_days: int,
    on_day: Callable[[date], None] | None = None,
) -> Counter[str]:
    """Live the days `first`..`last`, put their files into the staging folder; feed -> rows.

    `outcome_days` more are lived without files, so that the truth knows how the story goes on.
    Days since the opening that no kept state covers are lived through again, in silence. State is
    kept under the truth folder and could be made again from the opening.
    """
    opened_day, first_day, last_day = map(day_number, (region.opened_on, first, last))
    states = region.states
    draws = Draws(region.seed, region.number)
    tree = organisation(region.subscribers, region.number, region.regions)
    world = World(
        draws,
        tree,
        people(draws, tree, region.subscribers, opened_day, last_day, outcome_days),
        region.subscribers,
        opened_day,
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

    rows: Counter[str] = Counter()
    today = Today(world, state, start)
    for day in range(start, last_day + 1):
        outbox = Outbox(is_closed=day < first_day)
        today = Today(world, state, day, outbox)
        live_day(today, region.published, desk)
        if day >= first_day:
            rows.update(_deliver(today, region))
            truths.write_field_day(today, region.truth, region.name, desk.contacts, desk.faults)
            if today.is_last_of_month:
                truths.write_month_end(today, region.truth, region.name)
            if on_day is not None:
                on_day(today.date)
        if day == last_day or today.is_last_of_month:
            present = slots_through(region.subscribers, opened_day, day)
            save(state, present, desk.packed(), states / f"{day:06d}.npz")
    truths.write_story(today, region.truth, region.name)
    ahead = outlook.departures_ahead(
        today, outcome_days, lambda later: live_day(later, None, field.Desk())
    )
    truths.write_outlook(ahead, region.truth, region.name)
    _tidy(states)
    return rows


def live_day(today: Today, published: Path | None, desk: field.Desk) -> None:
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
    network.live(today)
    devices.change(today)
    usage.use(today)
    money.charge(today)
    care.live(today, turns)
    adjustments.settle(today)
    crm.live(today)
    if today.date.day == money.BILL_DAY and money.has_closed_month(today):
        money.bill(today)
        market.deliver_size(today)
    money.deliver_balances(today)
    channels.live(today)
    market.deliver_stock(today)


def _welcome(today: Today) -> None:
    """Joiners, or on the opening day everybody, appear in the customer files."""
    slots = today.joined_slots
    devices.welcome(today, slots)
    crm.deliver_subscribers(today, slots)
    crm.deliver_customers(today, slots)
    crm.deliver_consents(today, slots)
    holdings.snapshot(today, slots)


def _deliver(today: Today, region: Region) -> Mapping[str, int]:
    """Write the region's part of the day's files; feed -> rows."""
    feeds = list(DAILY_FEEDS)
    if today.date.day == money.BILL_DAY and money.has_closed_month(today):
        feeds += MONTHLY_FEEDS
    if field.has_begun(region.published, today):
        feeds += FIELD_FEEDS
    tables: dict[str, pa.Table] = {feed: today.outbox.collect(feed) for feed in feeds}
    for feed, table in tables.items():
        region.deliver(feed, today.date, table, region.part)
    return {feed: len(table) for feed, table in tables.items()}


def _state_day(path: Path) -> int:
    return int(path.stem)


def _tidy(states: Path) -> None:
    """Keep the newest states and those of month ends; the rest can be lived again."""
    for path in sorted(states.glob("*.npz"))[:-_KEPT_STATES]:
        day = EPOCH + timedelta(days=_state_day(path))
        if (day + timedelta(days=1)).day != 1:
            path.unlink()
