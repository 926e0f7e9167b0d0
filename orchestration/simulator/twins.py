"""Dual-handset owners: people who also carry a competitor's number.

Here: who they are, since when, what they let show, and what it does to their usage. Not here: the
rows themselves (`circles.py`, `rivals.py`, `usage.py`). All of it is a pure function of the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator.randomness import Draws, Floats, Stream
from orchestration.simulator.ties import NEVER

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_OWNERS_SHARE = 0.035  # of those who talk enough
_NEW_OWNERS_A_DAY = 0.00005
_LEAST_CALLS_A_DAY = 0.9
_OLDEST_DAYS = 500  # before the opening
# What shows: the second number among the top counterparties, its neighbours among one's own,
# a forward to it, and calls that only come in.
_SHOWN = (
    (0.34, (True, True, False, False)),
    (0.17, (True, False, True, False)),
    (0.15, (False, True, True, False)),
    (0.18, (True, True, True, False)),
    (0.12, (True, True, False, True)),
    (0.01, (False, True, False, True)),
    (0.01, (True, False, False, False)),
    (0.01, (False, True, False, False)),
    (0.01, (False, False, True, False)),
)
_FORWARD_AFTER_DAYS = 5
_OLD_FORWARDS_RENEWED_WITHIN_DAYS = 40  # of the opening
COMPLEMENT_OUT, COMPLEMENT_DATA = 0.25, 0.3  # of what was called and used before
_COMPLEMENT_DAYS = 120  # then both handsets are used alike again


@dataclass(frozen=True)
class Twins:
    """By slot."""

    since: Ints  # the day of the second handset; NEVER for most
    tops_the_circle: Flags
    shares_the_circle: Flags
    forward_day: Ints  # when a forward to it is switched on; NEVER for who has none
    is_complement: Flags

    def use_factors(self, day: int, slots: Ints) -> tuple[Floats, Floats]:
        """What is left of outgoing calls and of data on the day."""
        age = day - self.since[slots]
        on = self.is_complement[slots] & (age >= 0) & (age < _COMPLEMENT_DAYS)
        return (
            np.where(on, COMPLEMENT_OUT, 1).astype(np.float32),
            np.where(on, COMPLEMENT_DATA, 1).astype(np.float32),
        )


def twins(
    draws: Draws, can_own: Flags, calls_a_day: Floats, activated_day: Ints, opened_day: int
) -> Twins:
    """Owners among the lines that `can_own` a second handset."""
    n = len(can_own)
    u = draws.uniform(Stream.TWINS, 0, n, ("owns", "since", "becomes", "shown", "forward"))
    able = can_own & (calls_a_day >= _LEAST_CALLS_A_DAY)
    long_since = opened_day - (u["since"].astype(np.float64) * _OLDEST_DAYS).astype(np.int64)
    waiting = -np.log1p(-u["becomes"].astype(np.float64)) / _NEW_OWNERS_A_DAY
    becomes = opened_day + 1 + np.minimum(waiting, NEVER // 2).astype(np.int64)
    since = np.where(u["owns"] < _OWNERS_SHARE, long_since, becomes)
    edges = np.cumsum([share for share, _ in _SHOWN])
    index = np.minimum(np.searchsorted(edges, u["shown"], side="right"), len(_SHOWN) - 1)
    tops, shares, forwards, complements = (
        np.array([kinds[column] for _, kinds in _SHOWN])[index] & able for column in range(4)
    )
    renewed = opened_day + (u["forward"] * _OLD_FORWARDS_RENEWED_WITHIN_DAYS).astype(np.int64)
    forward_day = np.maximum(since + _FORWARD_AFTER_DAYS, renewed)
    forward_day = np.maximum(forward_day, activated_day + _FORWARD_AFTER_DAYS)
    return Twins(
        since=np.where(able, since, NEVER),
        tops_the_circle=tops,
        shares_the_circle=shares,
        forward_day=np.where(forwards, forward_day, NEVER),
        is_complement=complements,
    )
