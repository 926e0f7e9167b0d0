"""The truth about dirt: each spoilt row and file, and what became of a file's rows.

Here: the two tables and writing them. Not here: spoiling (`dirt.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.simulator.dirt_kinds import Outcome
from orchestration.simulator.dirt_rows import Spot

ROWS = pa.schema(
    [
        ("kind", pa.string()),
        ("feed", pa.string()),
        ("dt", pa.date32()),
        ("file", pa.string()),
        ("line", pa.int64()),  # from 1 with the header; in Parquet the row; NULL: the whole file
        ("column", pa.string()),
        ("key", pa.string()),
        ("clean_value", pa.string()),
        ("delivered_value", pa.string()),
        ("outcome", pa.string()),
        ("is_added", pa.bool_()),  # not a row of the operator's day
        ("corrected_on", pa.date32()),
    ]
)
FILES = pa.schema(
    [
        ("feed", pa.string()),
        ("dt", pa.date32()),
        ("file", pa.string()),
        ("outcome", pa.string()),
        ("clean_rows", pa.int64()),
        ("lost_rows", pa.int64()),
        ("spoilt_rows", pa.int64()),
        ("added_bad_rows", pa.int64()),
        ("repeated_rows", pa.int64()),
        ("corrections", pa.int64()),
        ("records", pa.int64()),
        ("good_rows", pa.int64()),
    ]
)


@dataclass(frozen=True)
class FileCounts:
    """The rows of one file: those of the operator's day, and what became of them."""

    clean_rows: int = 0
    lost_rows: int = 0
    spoilt_rows: int = 0
    added_bad_rows: int = 0
    repeated_rows: int = 0
    corrections: int = 0

    @property
    def records(self) -> int:
        """Rows in the file."""
        added = self.added_bad_rows + self.repeated_rows + self.corrections
        return self.clean_rows - self.lost_rows + added

    @property
    def good_rows(self) -> int:
        """Rows that are to be kept."""
        return self.clean_rows - self.lost_rows - self.spoilt_rows + self.corrections

    @classmethod
    def of(cls, clean_rows: int, spots: Sequence[Spot]) -> FileCounts:
        """The counts of a file with these spots."""
        bad = [spot for spot in spots if spot.outcome is Outcome.QUARANTINED]
        added_bad = sum(spot.is_added for spot in bad)
        return cls(
            clean_rows=clean_rows,
            spoilt_rows=len(bad) - added_bad,
            added_bad_rows=added_bad,
            repeated_rows=sum(spot.outcome is Outcome.DROPPED for spot in spots),
            corrections=sum(spot.outcome is Outcome.KEPT for spot in spots),
        )

    @property
    def repeated(self) -> FileCounts:
        """The same file once more: its bad rows are as bad, all others have come before."""
        bad = self.spoilt_rows + self.added_bad_rows
        return FileCounts(added_bad_rows=bad, repeated_rows=self.records - bad)


def fact(spot: Spot, line: int, due: date | None) -> dict[str, Any]:
    """What to record about a row."""
    return {
        "kind": spot.kind,
        "line": line,
        "column": spot.column,
        "key": spot.key,
        "clean_value": _text(spot.clean),
        "delivered_value": _text(spot.delivered),
        "outcome": spot.outcome,
        "is_added": spot.is_added,
        "corrected_on": due if spot.outcome is Outcome.SUPERSEDED else None,
    }


def write(
    truth: Path,
    feed: str,
    dt: date,
    file: str,
    facts: Sequence[Mapping[str, Any]],
    counts: FileCounts,
    outcome: Outcome,
) -> None:
    """Record what was done to a landing file."""
    where = {"feed": feed, "dt": dt, "file": file}
    summary = {
        **where,
        **asdict(counts),
        "outcome": outcome,
        "records": counts.records,
        "good_rows": counts.good_rows,
    }
    rows_path, files_path = _paths(truth, file)
    for path, records, schema in (
        (rows_path, [where | dict(each) for each in facts], ROWS),
        (files_path, [summary], FILES),
    ):
        write_table(pa.Table.from_pylist(records, schema=schema), path)


def remove(truth: Path, file: str) -> None:
    """Forget what was done to a landing file."""
    for path in _paths(truth, file):
        path.unlink(missing_ok=True)


def write_table(rows: pa.Table, path: Path) -> None:
    """A Parquet file, put in its place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp")
    pq.write_table(rows, unfinished, compression="zstd")
    unfinished.replace(path)


def _paths(truth: Path, file: str) -> tuple[Path, Path]:
    name = f"{file.partition('.')[0]}.parquet"
    return truth / "dirt" / "rows" / name, truth / "dirt" / "files" / name


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
