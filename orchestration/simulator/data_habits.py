"""Planted reasons why somebody's data does not fit the plan.

Here: who travels, shares the connection, has an app that runs wild in the background or falls for
one kind of app, since when, and what it does to a day's data; and whose device is a generation
behind the need. Pure functions of the seed and the slot. Not here: the day's rows (`usage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.people import VOICE, People
from orchestration.simulator.randomness import Draws, Floats, Stream

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

KINDS = ("NONE", "ROAMING", "TETHERING", "BACKGROUND", "APP_BURST")
NONE, ROAMING, TETHERING, BACKGROUND, APP_BURST = range(len(KINDS))
_SHARE_OF_EACH = 0.008  # of people with a smartphone
_BEGINS_WITHIN_DAYS = 360  # of the opening or the activation; a third have it from the start
_ROAMING_DAYS_SHARE = 0.55  # of the days of who travels
_MORE_DATA = np.array([1.0, 1.0, 1.6, 1.6, 1.9], dtype=np.float32)  # by kind
TETHERED_PART, BACKGROUND_PART, MORE_VIDEO = 0.45, 0.45, 8.0
_HEAVY_QUANTILE = 0.75  # among the lines of the device's generation


@dataclass(frozen=True)
class DataHabits:
    """By slot."""

    kind: Ints  # index into KINDS
    first_day: Ints

    def on(self, kind: int, day: int, slots: Ints) -> Flags:
        """Who of the slots has the habit today."""
        return (self.kind[slots] == kind) & (self.first_day[slots] <= day)

    def is_abroad(self, day: int, slots: Ints, u: Floats) -> Flags:
        """Who of those who travel is abroad today, by a uniform draw."""
        return self.on(ROAMING, day, slots) & (u < _ROAMING_DAYS_SHARE)

    def data_factor(self, day: int, slots: Ints) -> Floats:
        """How much more data is used than without the habit."""
        begun = self.first_day[slots] <= day
        return _MORE_DATA[np.where(begun, self.kind[slots], NONE)]


def data_habits(draws: Draws, people: People, opened_day: int) -> DataHabits:
    """The data habits of every slot."""
    u = draws.uniform(Stream.DATA_HABITS, 0, people.slots, ("kind", "first"))
    start = np.maximum(people.activated_day, opened_day)
    is_person = (people.line_class == VOICE) & ~people.ties.is_washed & ~people.ties.is_firm
    is_person &= cat.DEVICE_IS_SMART[people.first_device]
    kind = 1 + (u["kind"] / _SHARE_OF_EACH).astype(np.int64)
    kind = np.where(is_person & (kind < len(KINDS)), kind, NONE)
    begins = (u["first"].astype(np.float64) * 1.5 - 0.5) * _BEGINS_WITHIN_DAYS
    return DataHabits(kind, start + np.maximum(0, begins).astype(np.int64))


def outgrown_devices(people: People, devices: Ints) -> Flags:
    """Lines of people who use much data on a device that is a generation behind the network."""
    smart_4g = cat.DEVICE_IS_SMART[devices] & ~cat.DEVICE_IS_5G[devices]
    if not smart_4g.any():
        return smart_4g
    heavy = np.quantile(people.data_kb_a_day[smart_4g], _HEAVY_QUANTILE)
    return smart_4g & (people.data_kb_a_day >= heavy)
