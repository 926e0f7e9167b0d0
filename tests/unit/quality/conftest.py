"""A lake of the test's own, and a way to put a feed's day into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from quality_batches import DAY, Row, relation

from orchestration.contracts import Feed
from orchestration.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home")


@pytest.fixture
def put(lake: Lake) -> Callable[..., None]:
    """Write a day of a feed into the lake: raw partition and receipt."""

    def write(
        feed: Feed,
        rows: Sequence[Row],
        dt: date = DAY,
        kept: int | None = None,
        columns: Mapping[str, str] | None = None,
        missing_columns: Sequence[str] = (),
    ) -> None:
        placed = [
            {"source_file": f"{feed.name}.csv", "source_line": line, **row}
            for line, row in enumerate(rows, start=2)
        ]
        lake.write_table(relation(columns or feed.raw_columns, placed), lake.raw(feed.name, dt))
        lake.write_table(
            pa.table(
                {
                    "file": [f"{feed.name}.csv"],
                    "arrived": [True],
                    "kept": pa.array([len(rows) if kept is None else kept], pa.int64()),
                    "missing_columns": pa.array([list(missing_columns)], pa.list_(pa.string())),
                }
            ),
            lake.receipt(feed.name, dt),
        )

    return write
