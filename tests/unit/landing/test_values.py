"""The accepted forms of each type, from text and from Parquet."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import Column
from orchestration.landing.values import from_parquet, from_text

CONNECTION = duckdb.connect()
WRONG = "wrong"
INTEGER = Column("x", "bigint")
MONEY = Column("x", "decimal(18,2)")
VOLUME = Column("x", "decimal(18,3)", is_rounded=True)
DATE = Column("x", "date")
MONTH = Column("x", "date", is_month=True)
TIMESTAMP = Column("x", "timestamp")
BOOLEAN = Column("x", "boolean")
TEXT = Column("x", "varchar")


def read_text(column: Column, text: str | None) -> Any:
    parse = from_text(column, "field", "value", "Asia/Shanghai")
    return evaluate(parse.value, parse.is_wrong, pa.array([text], pa.string()))


def read_parquet(column: Column, array: pa.Array) -> Any:
    """The value, WRONG, or None for NULL."""
    cells = pa.table({"field": array})
    assert cells.num_rows == 1
    kind = CONNECTION.execute("select typeof(field) from cells").fetchone()
    assert kind is not None
    parse = from_parquet(column, kind[0], "field", "value", "Asia/Shanghai")
    if parse is None:
        return "unreadable"
    return evaluate(parse.value, parse.is_wrong, array)


def evaluate(value: str, is_wrong: str | None, array: pa.Array) -> Any:
    cells = pa.table({"field": array})
    row = CONNECTION.execute(
        f"select value, {is_wrong or 'false'} as is_wrong"
        f" from (select *, {value} as value from cells)"
    ).fetchone()
    assert cells.num_rows == 1
    assert row is not None
    assert row[1] is not None
    return WRONG if row[1] else row[0]


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        (TEXT, " 007 ", " 007 "),
        (TEXT, "", None),
        (INTEGER, " 42\t", 42),
        (INTEGER, "-7", -7),
        (INTEGER, "  ", None),
        (INTEGER, "", None),
        (INTEGER, "1.5", WRONG),
        (INTEGER, "1.0", WRONG),
        (INTEGER, "1_000", WRONG),
        (INTEGER, "1e3", WRONG),
        (INTEGER, "0x1F", WRONG),
        (INTEGER, "1,000", WRONG),
        (INTEGER, "９", WRONG),
        (INTEGER, "99999999999999999999", WRONG),
        (INTEGER, "nan", WRONG),
        (MONEY, "12.34", Decimal("12.34")),
        (MONEY, ".5", Decimal("0.50")),
        (MONEY, "12.3400", Decimal("12.34")),
        (MONEY, "12.345", WRONG),
        (MONEY, "1e2", WRONG),
        (MONEY, "1_0", WRONG),
        (MONEY, "inf", WRONG),
        (MONEY, "NaN", WRONG),
        (MONEY, "¥5", WRONG),
        (MONEY, "99999999999999999.00", WRONG),
        (VOLUME, "1.2345", Decimal("1.235")),
        (VOLUME, "1.2344999", Decimal("1.234")),
        (VOLUME, "1.5E-3", Decimal("0.002")),
        (VOLUME, " 2 ", Decimal("2.000")),
        (VOLUME, "\t ", None),
        (VOLUME, "1_0", WRONG),
        (VOLUME, "nan", WRONG),
        (VOLUME, "inf", WRONG),
        (VOLUME, "1.2.3", WRONG),
        (DATE, "2025-01-31", date(2025, 1, 31)),
        (DATE, "20250131", date(2025, 1, 31)),
        (DATE, " 2025/01/31 ", date(2025, 1, 31)),
        (DATE, "2025-02-30", WRONG),
        (DATE, "2025013", WRONG),
        (DATE, "2025-1-31", WRONG),
        (DATE, "2025-01-31 10:00", WRONG),
        (DATE, "infinity", WRONG),
        (MONTH, "2025-01", date(2025, 1, 1)),
        (MONTH, "202501", date(2025, 1, 1)),
        (MONTH, "2025/01", date(2025, 1, 1)),
        (MONTH, "2025-01-17", date(2025, 1, 1)),
        (MONTH, "20250117", date(2025, 1, 1)),
        (MONTH, "2025/01/17", date(2025, 1, 1)),
        (MONTH, "2025-13", WRONG),
        (TIMESTAMP, "2025-01-31", datetime(2025, 1, 31)),
        (TIMESTAMP, "20250131", datetime(2025, 1, 31)),
        (TIMESTAMP, "2025-01-31 10:20", datetime(2025, 1, 31, 10, 20)),
        (TIMESTAMP, "2025/01/31T10:20:30", datetime(2025, 1, 31, 10, 20, 30)),
        (TIMESTAMP, "20250131 10:20:30.5", datetime(2025, 1, 31, 10, 20, 30, 500000)),
        (TIMESTAMP, "20250131102030", datetime(2025, 1, 31, 10, 20, 30)),
        (TIMESTAMP, "2025-01-31T10:20:30Z", datetime(2025, 1, 31, 18, 20, 30)),
        (TIMESTAMP, "20250131102030Z", datetime(2025, 1, 31, 18, 20, 30)),
        (TIMESTAMP, "2025-01-31 23:20+00:00", datetime(2025, 2, 1, 7, 20)),
        (TIMESTAMP, "2025-01-31 10:20:30.25-0330", datetime(2025, 1, 31, 21, 50, 30, 250000)),
        (TIMESTAMP, "2025-01-31 10:20:30+08", datetime(2025, 1, 31, 10, 20, 30)),
        (TIMESTAMP, "2025-01-31 24:00:00", WRONG),
        (TIMESTAMP, "2025-01-31 10", WRONG),
        (TIMESTAMP, "2025-01-31+08", WRONG),
        (TIMESTAMP, "2025-02-30 10:00", WRONG),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, " 0 ", False),
        (BOOLEAN, "T", True),
        (BOOLEAN, "n", False),
        (BOOLEAN, "", None),
        (BOOLEAN, "2", WRONG),
        (BOOLEAN, "on", WRONG),
    ],
)
def test_text(column: Column, text: str, expected: Any) -> None:
    assert read_text(column, text) == expected
    assert read_text(column, None) is None


@pytest.mark.parametrize(
    ("column", "array", "expected"),
    [
        (TEXT, pa.array([7], pa.int64()), "7"),
        (TEXT, pa.array([13800000000.0]), "13800000000"),
        (TEXT, pa.array([1.5]), WRONG),
        (TEXT, pa.array([b"S1"]), "S1"),
        (TEXT, pa.array([b"\xff"]), WRONG),
        (TEXT, pa.array([""]), None),
        (TEXT, pa.array([[1]]), "unreadable"),
        (INTEGER, pa.array([5.0]), 5),
        (INTEGER, pa.array([5.5]), WRONG),
        (INTEGER, pa.array([float("nan")]), WRONG),
        (INTEGER, pa.array([2.0**60]), WRONG),
        (INTEGER, pa.array(["5"]), 5),
        (INTEGER, pa.array([Decimal("5.5")]), WRONG),
        (INTEGER, pa.array([Decimal("5.0")]), 5),
        (INTEGER, pa.array([2**63], pa.uint64()), WRONG),
        (INTEGER, pa.array([True]), "unreadable"),
        (MONEY, pa.array([12.34]), Decimal("12.34")),
        (MONEY, pa.array([12.34], pa.float32()), Decimal("12.34")),
        (MONEY, pa.array([0.1 + 0.2]), Decimal("0.30")),
        (MONEY, pa.array([12.345]), WRONG),
        (MONEY, pa.array([float("nan")]), WRONG),
        (MONEY, pa.array([float("inf")]), WRONG),
        (MONEY, pa.array([12], pa.int32()), Decimal("12.00")),
        (MONEY, pa.array([Decimal("1.230")]), Decimal("1.23")),
        (MONEY, pa.array([Decimal("1.234")]), WRONG),
        (MONEY, pa.array(["1.23"]), Decimal("1.23")),
        (VOLUME, pa.array([1.2346]), Decimal("1.235")),
        (VOLUME, pa.array([Decimal("1.2345")]), Decimal("1.235")),
        (VOLUME, pa.array([float("-inf")]), WRONG),
        (DATE, pa.array([date(2025, 1, 31)]), date(2025, 1, 31)),
        (DATE, pa.array([datetime(2025, 1, 31)]), date(2025, 1, 31)),
        (DATE, pa.array([datetime(2025, 1, 31, 1)]), WRONG),
        (DATE, pa.array([20250131]), date(2025, 1, 31)),
        (DATE, pa.array(["2025/01/31"]), date(2025, 1, 31)),
        (DATE, pa.array([1.0]), "unreadable"),
        (MONTH, pa.array([202501]), date(2025, 1, 1)),
        (MONTH, pa.array([date(2025, 1, 31)]), date(2025, 1, 1)),
        (TIMESTAMP, pa.array([datetime(2025, 1, 31, 1)]), datetime(2025, 1, 31, 1)),
        (
            TIMESTAMP,
            pa.array([datetime(2025, 1, 31, 1)], pa.timestamp("us", "UTC")),
            datetime(2025, 1, 31, 9),
        ),
        (TIMESTAMP, pa.array([date(2025, 1, 31)]), datetime(2025, 1, 31)),
        (TIMESTAMP, pa.array([10**18], pa.timestamp("ns")), datetime(2001, 9, 9, 1, 46, 40)),
        (BOOLEAN, pa.array([True]), True),
        (BOOLEAN, pa.array([0]), False),
        (BOOLEAN, pa.array([2]), WRONG),
        (BOOLEAN, pa.array(["Y"]), True),
        (BOOLEAN, pa.array([1.0]), "unreadable"),
        (MONEY, pa.array([None], pa.float64()), None),
        (MONEY, pa.nulls(1), None),
    ],
)
def test_parquet(column: Column, array: pa.Array, expected: Any) -> None:
    assert read_parquet(column, array) == expected


@given(st.decimals(-(10**12), 10**12, places=2))
@settings(max_examples=50, deadline=None)
def test_money_survives_a_double(amount: Decimal) -> None:
    assert read_parquet(MONEY, pa.array([float(amount)])) == amount


@given(st.text("0123456789+-.eE_ x", max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_number_is_read_as_python_reads_it_or_not_at_all(text: str) -> None:
    """Whatever is taken as a number is the number that stands there."""
    found = read_text(INTEGER, text)
    if found not in (WRONG, None):
        assert found == int(text)
    found = read_text(MONEY, text)
    if found not in (WRONG, None):
        assert found == Decimal(text.strip())
