"""What arrived for a feed and date, counted.

Here: the receipt's shape and its file. Not here: the counting (`ingest.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.lake import Lake

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("arrived", pa.bool_()),
        ("file_format", pa.string()),
        ("encoding", pa.string()),
        ("delimiter", pa.string()),
        ("file_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("physical_lines", pa.int64()),
        ("header_lines", pa.int64()),
        ("blank_lines", pa.int64()),
        ("records", pa.int64()),
        ("kept", pa.int64()),
        ("quarantined", pa.int64()),
        ("duplicates", pa.int64()),
        ("missing_columns", pa.list_(pa.string())),
        ("extra_columns", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class FileReceipt:
    """One delivered file, counted. Lines of a Parquet file are its rows.

    `record_lines` are the physical lines that the records were read from; `physical_lines` and
    `records` are counted apart from the rows that were written.
    """

    file: str
    file_format: str
    encoding: str | None
    delimiter: str | None
    file_bytes: int
    sha256: str
    physical_lines: int
    header_lines: int
    blank_lines: int
    record_lines: int
    records: int
    kept: int
    quarantined: int
    duplicates: int
    missing_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]

    @property
    def is_conserved(self) -> bool:
        """Every line is accounted for, and every record is kept, quarantined or a duplicate."""
        return (
            self.physical_lines == self.header_lines + self.blank_lines + self.record_lines
            and self.records == self.kept + self.quarantined + self.duplicates
        )


@dataclass(frozen=True)
class Receipt:
    """All files of one feed and release date; none when nothing arrived."""

    feed: str
    dt: date
    files: tuple[FileReceipt, ...] = ()

    @property
    def arrived(self) -> bool:
        return bool(self.files)

    @property
    def physical_lines(self) -> int:
        return sum(file.physical_lines for file in self.files)

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)

    @property
    def kept(self) -> int:
        return sum(file.kept for file in self.files)

    @property
    def quarantined(self) -> int:
        return sum(file.quarantined for file in self.files)

    @property
    def duplicates(self) -> int:
        return sum(file.duplicates for file in self.files)

    @property
    def missing_columns(self) -> tuple[str, ...]:
        return tuple(sorted({name for file in self.files for name in file.missing_columns}))

    @property
    def extra_columns(self) -> tuple[str, ...]:
        return tuple(sorted({name for file in self.files for name in file.extra_columns}))

    @property
    def is_conserved(self) -> bool:
        return all(file.is_conserved for file in self.files)


def write_receipt(lake: Lake, receipt: Receipt) -> None:
    """One row a file; one row without a file when nothing arrived."""
    rows: list[Mapping[str, Any]] = [asdict(file) | {"arrived": True} for file in receipt.files]
    rows = rows or [{"arrived": False}]
    table = pa.Table.from_pydict(
        {
            field.name: pa.array([row.get(field.name) for row in rows], field.type)
            for field in SCHEMA
        },
        schema=SCHEMA,
    )
    lake.write_table(table, lake.receipt(receipt.feed, receipt.dt))


def read_receipt(lake: Lake, feed: str, dt: date) -> Receipt | None:
    """The receipt as it lies in the lake, or None when that date was never taken in."""
    path = lake.receipt(feed, dt)
    if not path.exists():
        return None
    files = []
    for row in pq.ParquetFile(path).read().to_pylist():
        if row.pop("arrived"):
            lines = row["physical_lines"] - row["header_lines"] - row["blank_lines"]
            row |= {name: tuple(row[name]) for name in ("missing_columns", "extra_columns")}
            files.append(FileReceipt(**row, record_lines=lines))
    return Receipt(feed, dt, tuple(files))
