"""How the story goes on: departures after the last day that was delivered.

Here: living on without files and without lists, so that outcomes of many months are known. Not
here: what is true until then (`truth.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from orchestration.simulator import truth
from orchestration.simulator.feeds import Outbox
from orchestration.simulator.state import NEVER
from orchestration.simulator.today import Today, days_column


def departures_ahead(today: Today, days: int, live_day: Callable[[Today], None]) -> dict[str, Any]:
    """Who leaves within the next days of those who are there, as columns. Moves the state on."""
    ahead = today
    for day in range(today.day + 1, today.day + days + 1):
        ahead = Today(today.world, today.state, day, Outbox(is_closed=True))
        live_day(ahead)
    left = ahead.state.left_day
    columns = truth.departures(ahead, np.flatnonzero((left > today.day) & (left != NEVER)))
    through = np.full(len(columns["exit"]), ahead.day)
    return columns | {"known_through": days_column(through)}
