"""What really is: hazards, departures, potential outcomes.

Here: the truth files. They are for tests and benchmarks; the platform never reads them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.simulator import campaigns, life, responses
from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded
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
            "cause": coded(responses.current_cause(today, slots), cat.CAUSES),
            **{f"hazard_{cause.lower()}": hazards[:, i] for i, cause in enumerate(cat.CAUSES)},
        },
        truth / "hazards" / f"month={today.date:%Y-%m}" / "part.parquet",
    )


def write_people(today: Today, truth: Path) -> None:
    """Traits that matter to a test, potential outcomes by action family, and departures so far."""
    state, people = today.state, today.world.people
    slots = np.flatnonzero(today.is_present)
    percents: dict[str, np.ndarray] = {}
    for index, family in enumerate(cat.FAMILIES):
        name = family.code.lower()
        takes = responses.takes_percent(people, slots, index)
        wins_back = responses.wins_back_percent(people, slots, index)
        percents[f"takes_percent_{name}"] = takes.astype(np.uint8)
        percents[f"wins_back_percent_{name}"] = wins_back.astype(np.uint8)
    _write(
        {
            "subscriber_id": today.ids(slots),
            "dominant_cause": coded(people.dominant_cause[slots], cat.CAUSES),
            "is_sleeping_dog": people.is_sleeping_dog[slots],
            "is_unreachable": responses.is_unreachable(people, slots),
            "has_wrong_number": responses.has_wrong_number(people, slots),
            "reachability": people.reachability[slots],
            **percents,
        },
        truth / "potential_outcomes.parquet",
    )
    _write_remedies(truth)
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


def _write_remedies(truth: Path) -> None:
    """What each action family does for each cause, and the constants of every response.

    With the percents of `potential_outcomes.parquet` that gives the outcome of any contact: the
    factor on the hazard is 1 for a wrong remedy; for the right one `factor_taken` where the
    family's takes_percent is below the constant, else `factor_else`; times `factor_sleeping_dog`.
    """
    families, causes = np.indices(cat.REMEDIES.shape).reshape(2, -1)
    right = cat.REMEDIES[families, causes]
    _write(
        {
            "family": coded(families, [family.code for family in cat.FAMILIES]),
            "cause": coded(causes, cat.CAUSES),
            "is_right": right,
            "factor_taken": np.where(right, responses.FACTOR_TAKEN, 1.0),
            "factor_else": np.where(right, responses.FACTOR_ELSE, 1.0),
            "accept_chance": np.where(right, responses.ACCEPTS_RIGHT, responses.ACCEPTS_WRONG),
        },
        truth / "remedies.parquet",
    )
    constants = {
        **responses.CONSTANTS,
        "campaign_weight": campaigns.WEIGHT,
        "campaign_effect_days": campaigns.EFFECT_DAYS,
    }
    _write(
        {
            "name": pa.array(constants.keys(), pa.string()),
            "value": pa.array(constants.values(), pa.float64()),
        },
        truth / "response_constants.parquet",
    )


def write_field_day(today: Today, truth: Path, contacts: pa.Table, faults: pa.Table) -> None:
    """Every contact that took place, and what is wrong with the reports of the day."""
    for name, rows in (("field_contacts", contacts), ("field_faults", faults)):
        path = truth / name / f"dt={today.date:%Y-%m-%d}" / "part.parquet"
        if len(rows):
            _write(rows, path)
        else:  # of an earlier life of the day
            path.unlink(missing_ok=True)


def _write(columns: dict | pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{path.name}.tmp"
    rows = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(rows, unfinished, compression="zstd")
    unfinished.replace(path)
