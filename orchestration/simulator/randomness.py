"""Random numbers that depend only on who, what and when.

Here: streams of draws, one row per subscriber slot. Not here: what the draws mean.

A draw of slot i of region r on day d in stream s comes from SFC64 seeded with (seed, r, s, d, block
of i) and is row-major in the slot, so it does not change with the number of subscribers, with the range of days
simulated or with what happens to anybody else. Rejection inside a row would break that: only draws
that use a fixed number of random bits a row, or that come one after another, are offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BLOCK_SLOTS = 65_536


class Stream(IntEnum):
    """One number per independent purpose. Never renumber: it would change every simulated world."""

    TRAITS = 1
    IDENTITY = 2
    HOLDINGS = 3
    POTENTIAL = 4
    LIFE = 5
    USAGE_LEVEL = 6
    USAGE_SHAPE = 7
    MONEY = 8
    CARE = 9
    FIELD = 10
    CIRCLE = 11
    BILLS = 12
    STANDING = 13
    DEVICES = 14
    OPENING = 15
    TIES = 16
    TWINS = 17
    FIELD_CONTACTS = 60
    FIELD_REPORTS = 61
    FIELD_LOGS = 62
    FOLLOW_UPS = 63
    CAMPAIGNS = 64
    HABITS = 30
    DATA_HABITS = 31
    DIRT = 90
    BRANCHES = 101
    NETWORK = 102
    LINE_FAULTS = 103
    COMPLAINTS = 104
    INTERACTIONS = 105
    RIVALS = 106
    CUSTOMERS = 107


@dataclass(frozen=True)
class Draws:
    """All randomness of one region of an operator."""

    seed: int
    region: int = 0

    def uniform(
        self, stream: Stream, day: int, slots: int, names: Sequence[str]
    ) -> Mapping[str, Floats]:
        """Name -> `slots` numbers in [0, 1); `day` in days since 1970 (0: once for ever)."""
        return self._rows(stream, day, slots, names, normal=False)

    def normal(
        self, stream: Stream, day: int, slots: int, names: Sequence[str]
    ) -> Mapping[str, Floats]:
        """Name -> `slots` standard normal numbers."""
        return self._rows(stream, day, slots, names, normal=True)

    def few(
        self, stream: Stream, day: int, keys: npt.NDArray[np.integer], names: Sequence[str]
    ) -> Mapping[str, Floats]:
        """Name -> a number in [0, 1) for each key (a slot, a unit): cheap for few of many.

        A number depends on the key alone, not on the others asked for or on their order.
        """
        start = np.zeros(1, dtype=np.uint64)
        for part in (self.seed, self.region, int(stream), day):
            start = scramble(start + np.uint64(part))
        salts = scramble(start + np.arange(len(names)).astype(np.uint64))
        mixed = scramble(scramble(keys) + salts[:, None])
        columns = (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        return dict(zip(names, columns, strict=True))

    def _rows(
        self, stream: Stream, day: int, slots: int, names: Sequence[str], normal: bool
    ) -> Mapping[str, Floats]:
        columns = np.empty((len(names), slots), dtype=np.float32)
        for block, first, last in blocks(slots):
            seeds = np.random.SeedSequence(
                [self.seed, self.region, int(stream), day, block, int(normal)]
            )
            generator = np.random.Generator(np.random.SFC64(seeds))
            shape = (last - first, len(names))
            rows = (
                generator.standard_normal(shape, dtype=np.float32)
                if normal
                else generator.random(shape, dtype=np.float32)
            )
            columns[:, first:last] = rows.T
        return dict(zip(names, columns, strict=True))


def blocks(slots: int) -> Iterator[tuple[int, int, int]]:
    """Block number, first slot, slot after the last."""
    for first in range(0, slots, BLOCK_SLOTS):
        yield first // BLOCK_SLOTS, first, min(first + BLOCK_SLOTS, slots)


def scramble(values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint64]:
    """A fixed bijection of 64-bit integers that looks random (the finaliser of SplitMix64)."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
