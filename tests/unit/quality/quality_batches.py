"""Batches made by hand: rows as dicts, what is not given is NULL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from expectations.expectation import Expectation
from orchestration.contracts import Feed

DAY = date(2025, 1, 31)
Row = Mapping[str, Any]


def relation(columns: Mapping[str, str], rows: Sequence[Row]) -> pa.Table:
    """Rows as a table with exactly these columns and SQL types."""
    for row in rows:
        assert set(row) <= set(columns), set(row) - set(columns)
    texts = pa.table(
        {
            name: pa.array(
                [None if row.get(name) is None else str(row[name]) for row in rows], pa.string()
            )
            for name in columns
        }
    )
    casts = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in columns.items())
    connection = _hand()
    connection.register("texts", texts)
    return connection.sql(f"SELECT {casts} FROM texts").to_arrow_table()


def feed_batch(feed: Feed, rows: Sequence[Row]) -> dict[str, pa.Table]:
    """The relations of a feed's suite: these rows on DAY, a true receipt, no missing column."""
    placed = [
        {"dt": DAY, "source_file": f"{feed.name}.csv", "source_line": line, **row}
        for line, row in enumerate(rows, start=2)
    ]
    kept: dict[date, int] = {}
    for row in placed:
        kept[row["dt"]] = kept.get(row["dt"], 0) + 1
    return {
        "batch": relation({**feed.raw_columns, "dt": "date"}, placed),
        "receipts": relation(
            {"dt": "date", "kept": "bigint"}, [{"dt": dt, "kept": n} for dt, n in kept.items()]
        ),
        "missing_columns": relation({"dt": "date", "column_name": "varchar"}, []),
    }


def by_hand(suite: Sequence[Expectation], relations: Mapping[str, pa.Table]) -> dict[str, int]:
    """How many rows each expectation's SQL finds, without Great Expectations."""
    connection = _hand()
    for name, table in relations.items():
        connection.register(name, table)
    return {each.name: len(connection.sql(each.sql()).fetchall()) for each in suite}


@cache
def _hand() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()
