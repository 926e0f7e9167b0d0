"""Every delivered file keeps its feed's contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.contracts import Feed
from orchestration.simulator.feeds import (
    DAILY_FEEDS,
    FIELD_FEEDS,
    KEYS,
    KINDS,
    MONTHLY_FEEDS,
    REFERENCE_FEEDS,
)
from tests.unit.simulator.conftest import FIRST, FIRST_LIST, LAST, Delivered

ALL_FEEDS = (*DAILY_FEEDS, *MONTHLY_FEEDS, *FIELD_FEEDS, *REFERENCE_FEEDS)


def expected_days(feed: str) -> list[date]:
    if feed in REFERENCE_FEEDS:
        return [FIRST]
    if feed in MONTHLY_FEEDS:
        return [date(2025, 2, 3), date(2025, 3, 3)]
    first = FIRST_LIST + timedelta(days=1) if feed in FIELD_FEEDS else FIRST
    return [first + timedelta(days=n) for n in range((LAST - first).days + 1)]


@pytest.mark.parametrize("feed", ALL_FEEDS)
def test_files_arrive_on_their_days(delivered: Delivered, feed: str) -> None:
    names = sorted(path.stem for path in (delivered.landing / feed).iterdir())
    assert names == [f"{feed}_{day:%Y%m%d}" for day in expected_days(feed)]


@pytest.mark.parametrize("name", ALL_FEEDS)
def test_columns_are_the_contract_s(
    delivered: Delivered, feeds: Mapping[str, Feed], name: str
) -> None:
    feed = feeds[name]
    assert list(KINDS[name]) == [column.name for column in feed.columns]
    assert KEYS[name] == feed.required_columns
    for path in (delivered.landing / name).iterdir():
        if path.suffix == ".parquet":
            header = pq.read_schema(path).names
        else:
            header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        assert header == [column.name for column in feed.columns], path.name


@pytest.mark.parametrize("name", ALL_FEEDS)
def test_values_keep_types_codes_keys_and_times(
    delivered: Delivered, feeds: Mapping[str, Feed], sql: duckdb.DuckDBPyConnection, name: str
) -> None:
    feed = feeds[name]
    rows = delivered.rows(name)
    wrong: list[str] = []
    for column in feed.columns:
        value = f'"{column.name}"'
        cast = f"{value} || '-01'" if column.is_month else value
        typed = f"try_cast({cast} as {column.data_type})"
        wrong.append(f"{value} is not null and {typed} is null")
        if column.data_type.startswith("decimal"):  # nothing may be lost in the cast either
            wrong.append(f"{typed} <> try_cast({value} as decimal(38, 8))")
        if column.codes:
            codes = ", ".join(f"'{code}'" for code in sorted(column.codes))
            wrong.append(f"{value} not in ({codes})")
        if column.minimum is not None:
            wrong.append(f"{typed} < {column.minimum}")
        if column.maximum is not None:
            wrong.append(f"{typed} > {column.maximum}")
        if column.is_event_time:
            wrong.append(f"{typed} >= dt + interval 1 day")
    wrong += [f'"{key}" is null' for key in feed.required_columns]
    counts = ", ".join(f"count(*) filter (where {test})" for test in wrong)
    found = sql.execute(f"select {counts}, count(*) from {rows}").fetchone()
    assert found is not None
    assert {test: n for test, n in zip(wrong, found, strict=False) if n} == {}
    assert found[-1] > 0, "a feed without any row proves nothing"
    # One row a key, in a file and, but for states and reference data, over all files.
    keys = ", ".join(f'"{key}"' for key in feed.required_columns)
    by_file = "dt" in feed.key or name in {"billing_subscriptions", *REFERENCE_FEEDS}
    group = f"{keys}, dt" if by_file else keys
    if name == "field_contacts":  # some are delivered twice, as they were
        rows = f"(select distinct * exclude (dt, filename) from {rows})"
    repeated = f"select {group} from {rows} group by all having count(*) > 1"
    assert sql.execute(repeated).fetchall() == []


@pytest.mark.parametrize("name", ALL_FEEDS)
def test_rows_are_ordered_by_key(
    delivered: Delivered, feeds: Mapping[str, Feed], sql: duckdb.DuckDBPyConnection, name: str
) -> None:
    keys = [f'"{key}"' for key in feeds[name].required_columns]
    newest = max((delivered.landing / name).iterdir(), key=lambda path: path.stat().st_size)
    reader = "read_parquet" if newest.suffix == ".parquet" else "read_csv"
    options = "" if newest.suffix == ".parquet" else ", all_varchar = true, header = true"
    order = ", ".join(keys)
    found = sql.execute(f"select {order} from {reader}('{newest}'{options})").fetchall()
    assert found == sorted(found)
    assert found
