"""One day of the operator: what every behaviour is given.

Here: the world that does not change, the day, and small helpers on both. Not here: behaviours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator.channels import acquisition
from orchestration.simulator.data_habits import DataHabits, data_habits
from orchestration.simulator.feeds import SECONDS_A_DAY, Outbox, joined, padded
from orchestration.simulator.habits import Habits, habits
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.people import People, slots_through
from orchestration.simulator.randomness import Draws, Floats
from orchestration.simulator.state import GONE, NEVER, State

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EPOCH = date(1970, 1, 1)
_ID_WIDTH = 9


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def days_column(days: npt.NDArray[np.integer]) -> pa.Array:
    """Days since 1970 as dates; NULL for a day that does not come."""
    never = days >= NEVER
    return pa.array(np.where(never, 0, days).astype(np.int32), pa.date32(), mask=never)


@dataclass(frozen=True)
class World:
    """What holds for the whole simulation."""

    draws: Draws
    organisation: Organisation
    people: People
    subscribers: int
    opened_day: int

    @cached_property
    def numbers(self) -> pa.Array:
        """Slot -> its number as text of fixed width, so that text order is slot order."""
        return padded(self.people.keys + 1, _ID_WIDTH)

    @cached_property
    def habits(self) -> Habits:
        return habits(self.draws, self.people, self.organisation.branch_ids, self.opened_day)

    @cached_property
    def data_habits(self) -> DataHabits:
        return data_habits(self.draws, self.people, self.opened_day)

    @cached_property
    def subscriber_ids(self) -> pa.Array:
        return joined("S", self.numbers)

    @cached_property
    def staff_ids(self) -> list[str]:
        return [member.staff_id for member in self.organisation.staff]

    @cached_property
    def acquired(self) -> tuple[Ints, Ints]:
        """Slot -> channel and agent (-1: none) that won it."""
        return acquisition(self, np.arange(self.people.slots))

    def slots_through(self, day: int) -> int:
        """Slots activated by the end of the day; none before the opening."""
        if day < self.opened_day:
            return 0
        return slots_through(self.subscribers, self.opened_day, day)

    def slots_of(self, subscriber_ids: pa.Array) -> Ints:
        """Slot of each subscriber id; -1 for an id that is not ours."""
        return (
            pc.fill_null(pc.index_in(subscriber_ids, value_set=self.subscriber_ids), -1)
            .to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )


@dataclass
class Today:
    """The day being lived."""

    world: World
    state: State
    day: int
    outbox: Outbox = field(default_factory=Outbox)

    @property
    def date(self) -> date:
        return EPOCH + timedelta(days=self.day)

    @property
    def stamp(self) -> str:
        return f"{self.date:%Y%m%d}"

    @property
    def is_first_of_month(self) -> bool:
        return self.date.day == 1

    @property
    def is_last_of_month(self) -> bool:
        return (self.date + timedelta(days=1)).day == 1

    @property
    def midnight(self) -> int:
        """The first second of the day."""
        return self.day * SECONDS_A_DAY

    def at(self, u: Floats, from_hour: float = 8.0, to_hour: float = 22.0) -> Ints:
        """A second of this day between the hours, from uniform draws."""
        seconds = (from_hour + (to_hour - from_hour) * u.astype(np.float64)) * 3600
        return self.midnight + seconds.astype(np.int64)

    @property
    def joined_slots(self) -> Ints:
        """Slots activated today (everybody there is on the opening day)."""
        world = self.world
        first = (
            0
            if self.day == world.opened_day
            else slots_through(world.subscribers, world.opened_day, self.day - 1)
        )
        through = slots_through(world.subscribers, world.opened_day, self.day)
        return np.arange(first, min(through, world.people.slots))

    @cached_property
    def is_present(self) -> Flags:
        """Joined by the end of today."""
        return np.arange(self.world.people.slots) < slots_through(
            self.world.subscribers, self.world.opened_day, self.day
        )

    @property
    def is_in_network(self) -> Flags:
        return self.is_present & (self.state.status != cat.DEACTIVATED)

    @property
    def is_living(self) -> Flags:
        """In the network and not gone in mind: able to use, pay, complain, think of leaving."""
        return self.is_in_network & (self.state.stage != GONE) & (self.state.left_day == NEVER)

    def uniform(self, stream: Any, *names: str) -> Any:
        world = self.world
        return world.draws.uniform(stream, self.day, world.people.slots, names)

    def normal(self, stream: Any, *names: str) -> Any:
        world = self.world
        return world.draws.normal(stream, self.day, world.people.slots, names)

    def ids(self, slots: Ints) -> pa.Array:
        return self.world.subscriber_ids.take(pa.array(slots))

    def event_ids(self, prefix: str, slots: Ints) -> pa.Array:
        """Identifier of an event of which a subscriber has one a day at most."""
        return joined(f"{prefix}{self.stamp}", self.world.numbers.take(pa.array(slots)))
