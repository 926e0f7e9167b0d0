"""What really is: hazards, departures, potential outcomes.

Here: the truth files. They are for tests and benchmarks; the platform never reads them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.simulator import catalogue as cat
from orchestration.simulator import life, plants
from orchestration.simulator.feeds import coded
from orchestration.simulator.field import current_cause, is_won_back, potential_factor
from orchestration.simulator.state import GONE, NEVER
from orchestration.simulator.today import Today

_STAGES = ("CONTENT", "THINKING", "DECIDED", "GONE")


def write_month_end(today: Today, truth: Path) -> None:
    """Stage and daily hazards by cause of everybody still there at the month's end."""
    state = today.state
    slots = np.flatnonzero(today.is_in_network & (state.stage != GONE))
    hazards = life.daily_hazards(today, slots)
    _write(
        {
            "subscriber_id": today.ids(slots),
            "as_of_date": pa.array(np.full(len(slots), today.day, np.int32), pa.date32()),
            "stage": coded(state.stage[slots].astype(np.int64), _STAGES),
            "cause": coded(current_cause(today, slots), cat.CAUSES),
            **{f"hazard_{cause.lower()}": hazards[:, i] for i, cause in enumerate(cat.CAUSES)},
        },
        truth / "hazards" / f"month={today.date:%Y-%m}" / "part.parquet",
    )


def write_people(today: Today, truth: Path) -> None:
    """Traits that matter to a test, potential outcomes by action family, and departures so far."""
    state, people = today.state, today.world.people
    slots = np.flatnonzero(today.is_present)
    causes = people.dominant_cause[slots]
    outcomes: dict[str, np.ndarray] = {}
    for index, family in enumerate(cat.FAMILIES):
        families = np.full(len(slots), index)
        name = family.code.lower()
        outcomes[f"factor_{name}"] = potential_factor(people, slots, families, causes)
        outcomes[f"wins_back_{name}"] = is_won_back(people, slots, families, causes)
    _write(
        {
            "subscriber_id": today.ids(slots),
            "dominant_cause": coded(causes, cat.CAUSES),
            "is_sleeping_dog": people.is_sleeping_dog[slots],
            "reachability": people.reachability[slots],
            **outcomes,
        },
        truth / "potential_outcomes.parquet",
    )
    left = np.flatnonzero(today.is_present & (state.left_day != NEVER))
    cause = state.cause[left].astype(np.int64)
    removed = state.removed_day[left]
    _write(
        {
            "subscriber_id": today.ids(left),
            "left_on": pa.array(state.left_day[left].astype(np.int32), pa.date32()),
            "exit": coded(state.exit_kind[left].astype(np.int64), cat.EXITS),
            "cause": coded(np.maximum(cause, 0), cat.CAUSES, cause < 0),
            "removed_on": pa.array(removed.astype(np.int32), pa.date32(), mask=removed == NEVER),
        },
        truth / "exits.parquet",
    )
    for name, columns in plants.planted_billing(today).items():
        _write(columns, truth / "planted" / f"{name}.parquet")


def _write(columns: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{path.name}.tmp"
    pq.write_table(pa.table(columns), unfinished, compression="zstd")
    unfinished.replace(path)
