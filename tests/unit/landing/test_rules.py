"""The rules on values follow from the contract."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.contracts import Column, Feed
from orchestration.landing.rules import RowRule, row_rules

FEED = Feed(
    name="calls",
    source="test",
    description="",
    cadence="D",
    key=("call_id",),
    columns=(
        Column("call_id", "varchar"),
        Column("kind", "varchar", code_set="kind", codes=frozenset({"IN", "O'UT"})),
        Column("minutes", "bigint", minimum=0, maximum=60),
        Column("at", "timestamp", is_event_time=True),
        Column("on_date", "date", is_event_time=True),
    ),
)


def test_rules_of_a_contract() -> None:
    assert row_rules(FEED) == (
        RowRule("kind", "UNKNOWN_CODE", "\"kind\" not in ('IN', 'O''UT')"),
        RowRule("minutes", "OUT_OF_RANGE", '"minutes" < 0 or "minutes" > 60'),
        RowRule("at", "FUTURE_EVENT", '"at" >= dt + interval 1 day'),
        RowRule("on_date", "FUTURE_EVENT", '"on_date" > dt'),
    )


def test_boundaries() -> None:
    """The first instant of the next day is too late; NULL never violates."""
    rows = """(values
        ('IN', 0, timestamp '2025-03-01 23:59:59.999999', date '2025-03-01'),
        ('OUT', 60, timestamp '2025-03-02 00:00:00', date '2025-03-02'),
        ('O''UT', 61, timestamp '2024-01-01', date '2024-01-01'),
        (null, null, null, null)
    ) t(kind, minutes, "at", on_date), (select date '2025-03-01' as dt)"""
    violated = ", ".join(f"coalesce({rule.violated}, false)" for rule in row_rules(FEED))
    assert duckdb.sql(f"select {violated} from {rows}").fetchall() == [
        (False, False, False, False),
        (True, False, True, True),
        (False, True, False, False),
        (False, False, False, False),
    ]


def test_rules_name_columns_of_raw(feeds: Mapping[str, Feed]) -> None:
    """Every rule of every feed is valid SQL over its raw partition (also for the GX suites)."""
    for feed in feeds.values():
        columns = ", ".join(f'null::{t} as "{name}"' for name, t in feed.raw_columns.items())
        for rule in row_rules(feed):
            query = f"select {rule.violated} from (select {columns}, date '2025-01-01' as dt)"
            assert duckdb.sql(query).fetchall() == [(None,)]
