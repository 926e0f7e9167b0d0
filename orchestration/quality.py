"""Expectation suites judged by Great Expectations, and their verdicts as Dagster asset checks.

The only file that knows both Great Expectations and Dagster. Great Expectations takes seconds and
0.3 GB to import, so only judging imports it. Here: judging a batch, and the checks. Not here: the
expectations (`expectations/`), which assets have them (`defs/`).

How a batch is judged: an in-memory DuckDB holds a view on the batch's Parquet files, so no lock on
the warehouse is taken; Great Expectations reaches it as a table asset of an ephemeral context over
a connection of our own. No file is written, nothing is sent.
"""

from __future__ import annotations

import logging
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
import duckdb
import numpy as np
import pyarrow as pa

from expectations.expectation import Expectation, Severity
from expectations.feeds import COLUMNS, ROW_COUNT, feed_suite
from orchestration.contracts import Feed
from orchestration.lake import Lake

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

BATCH = "batch"
SAMPLE_ROWS = 3
MEMORY_LIMIT = "1GB"
# Each expectation opens every file of the batch again: many small files are better copied once
# (270 days of a small feed: 0.4 s instead of 1.1 s), large ones better not.
COPIED_BYTES = 32 * 2**20

# What a suite reads: a SELECT that DuckDB understands, or a table.
Relation: TypeAlias = str | pa.Table

# DuckDB's messages of these kinds speak of our SQL; those of other kinds may quote a value.
_SPEAKS_OF_SQL = re.compile(r"(?:Binder|Catalog|Parser) Error: [^\n]*")
_ERROR_KIND = re.compile(r"[A-Z][A-Za-z ]* Error")
# What SQLAlchemy would take for a bind parameter.
_BIND_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


class SuiteError(Exception):
    """The judging itself went wrong; nothing is known about the data."""


@dataclass(frozen=True)
class Verdict:
    """What one expectation found in one batch.

    `unexpected_rows` is None when the expectation could not be applied; `observed` shows where the
    first few unexpected rows lie, never what they hold.
    """

    name: str
    severity: Severity
    passed: bool
    unexpected_rows: int | None
    observed: tuple[str, ...]
    message: str


def parquet(paths: Sequence[Path]) -> str:
    """SELECT over Parquet files of hive folders: their columns, `dt` (DATE) and `row_number`.

    Rows are numbered within their file, from 1. Raises ValueError without a file: an absent batch
    is for the caller to see.
    """
    if not paths:
        raise ValueError("no Parquet file to read")
    return f"SELECT *, file_row_number + 1 AS row_number FROM {_read_parquet(paths)}"


def numbered(table: pa.Table, dt: date) -> pa.Table:
    """A table that is not in the lake yet as a batch: with `dt` and `row_number`, from 1."""
    rows = pa.array(np.arange(1, table.num_rows + 1))
    days = pa.repeat(pa.scalar(dt, pa.date32()), table.num_rows)
    return table.append_column("dt", days).append_column("row_number", rows)


def judge(
    suite: Sequence[Expectation],
    relations: Mapping[str, Relation],
    workspace: Path,
    memory_limit: str = MEMORY_LIMIT,
) -> list[Verdict]:
    """Judge a batch by a suite; one verdict an expectation, in the suite's order.

    `relations` holds the relation `batch` and whatever else the suite reads, by name. What does
    not fit into the memory limit spills to the folder `workspace`.
    Raises SuiteError when Great Expectations or DuckDB fails, whatever the data are.
    """
    with _database(workspace, memory_limit) as connection:
        for name, relation in relations.items():
            if isinstance(relation, str):
                connection.execute(f'CREATE VIEW "{name}" AS {relation}')
            else:
                _add_table(connection, name, relation)
        return _judge(suite, connection)


def judge_feed(
    feed: Feed, days: Sequence[date], lake: Lake, memory_limit: str = MEMORY_LIMIT
) -> list[Verdict]:
    """Judge a feed's raw partitions of these days against its suite, in one pass.

    Each day must have a receipt. Where no row was kept there is nothing to judge but the count,
    and where the columns are not the contract's nothing but that is; both need no pass.
    """
    suite = feed_suite(feed)
    by_name = {expectation.name: expectation for expectation in suite}
    partitions = [path for day in days if (path := lake.raw(feed.name, day)).exists()]
    batch = f"SELECT * FROM {_read_parquet(partitions)}" if partitions else _no_rows(feed)
    kind = "TABLE" if _is_worth_copying(partitions) else "VIEW"
    with _database(lake.workspace, memory_limit) as connection:
        connection.execute(f"CREATE {kind} {BATCH} AS {batch}")
        _add_receipts(connection, feed, days, lake)
        if _is_refuted(by_name[COLUMNS], connection):
            return [
                _verdict(expectation, connection)
                if expectation.name == COLUMNS
                else _not_judged(expectation, "the columns differ from the contract")
                for expectation in suite
            ]
        if not connection.sql(f"SELECT 1 FROM {BATCH} LIMIT 1").fetchall():
            return [
                _verdict(expectation, connection)
                if expectation.name == ROW_COUNT
                else _nothing_to_judge(expectation)
                for expectation in suite
            ]
        return _judge(suite, connection)


def check_specs(
    asset_key: dg.CoercibleToAssetKey, suite: Sequence[Expectation]
) -> list[dg.AssetCheckSpec]:
    """One asset check an expectation; a critical one blocks what is downstream."""
    return [
        dg.AssetCheckSpec(
            name=expectation.name,
            asset=asset_key,
            description=f"{expectation.description} {expectation.description_zh}",
            blocking=expectation.severity == "critical",
            metadata={"sql": dg.MetadataValue.md(f"```sql\n{expectation.sql()}\n```")},
        )
        for expectation in suite
    ]


def check_results(
    asset_key: dg.CoercibleToAssetKey, verdicts: Sequence[Verdict]
) -> list[dg.AssetCheckResult]:
    """The verdicts as results of the checks of `check_specs`."""
    return [
        dg.AssetCheckResult(
            asset_key=dg.AssetKey.from_coercible(asset_key),
            check_name=verdict.name,
            passed=verdict.passed,
            severity=(
                dg.AssetCheckSeverity.ERROR
                if verdict.severity == "critical"
                else dg.AssetCheckSeverity.WARN
            ),
            description=verdict.message,
            metadata={
                **(
                    {}
                    if verdict.unexpected_rows is None
                    else {"unexpected_rows": verdict.unexpected_rows}
                ),
                **({"observed": "\n".join(verdict.observed)} if verdict.observed else {}),
            },
        )
        for verdict in verdicts
    ]


# The batch and what lies beside it.


@contextmanager
def _database(workspace: Path, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB. Its errors become SuiteError."""
    spill = workspace / f"{uuid.uuid4().hex}.spill"
    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
        }
    )
    try:
        yield connection
    except duckdb.Error as error:
        raise SuiteError(_without_values(str(error))) from None
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _add_table(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Copied, because what is registered is not seen by the connection's cursors."""
    connection.register("arriving", table)
    connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM arriving')
    connection.unregister("arriving")


def _is_worth_copying(paths: Sequence[Path]) -> bool:
    return len(paths) > 1 and sum(path.stat().st_size for path in paths) <= COPIED_BYTES


def _read_parquet(paths: Sequence[Path]) -> str:
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return (
        f"read_parquet([{files}], hive_partitioning = true, hive_types = {{'dt': DATE}}, "
        "union_by_name = true)"
    )


def _no_rows(feed: Feed) -> str:
    columns = {**feed.raw_columns, "dt": "date"}
    nulls = ", ".join(f"CAST(NULL AS {data_type}) AS {name}" for name, data_type in columns.items())
    return f"SELECT {nulls} WHERE false"


def _add_receipts(
    connection: duckdb.DuckDBPyConnection, feed: Feed, days: Sequence[date], lake: Lake
) -> None:
    """Add `receipts (dt, kept)`, a row for each day, and `missing_columns (dt, column_name)`."""
    paths = [path for day in days if (path := lake.receipt(feed.name, day)).exists()]
    files = (
        _read_parquet(paths)
        if paths
        else "(SELECT NULL::date AS dt, false AS arrived, 0 AS kept, "
        "NULL::varchar[] AS missing_columns WHERE false)"
    )
    _add_table(connection, "days", pa.table({"dt": pa.array(list(days), pa.date32())}))
    connection.execute(
        f"CREATE TABLE files AS SELECT dt, arrived, kept, missing_columns FROM {files}"
    )
    connection.execute(
        "CREATE TABLE receipts AS "
        "SELECT dt, CAST(sum(CASE WHEN arrived THEN kept WHEN NOT arrived THEN 0 END) AS bigint) "
        "AS kept FROM days LEFT JOIN files USING (dt) GROUP BY dt"
    )
    connection.execute(
        "CREATE TABLE missing_columns AS "
        "SELECT DISTINCT dt, unnest(missing_columns) AS column_name FROM files"
    )


# Verdicts without Great Expectations.


def _is_refuted(expectation: Expectation, connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.sql(f"SELECT 1 FROM ({expectation.sql()}) LIMIT 1").fetchall())


def _verdict(expectation: Expectation, connection: duckdb.DuckDBPyConnection) -> Verdict:
    rows = connection.sql(_ordered(expectation.sql()))
    places = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
    return _found(expectation, len(places), places)


def _found(
    expectation: Expectation, unexpected_rows: int, places: Sequence[Mapping[str, Any]]
) -> Verdict:
    observed = tuple(
        ", ".join(f"{name} {value}" for name, value in place.items() if value is not None)
        for place in places[:SAMPLE_ROWS]
    )
    if unexpected_rows == 0:
        message = "nothing unexpected"
    else:
        message = f"{unexpected_rows} unexpected: " + "; ".join(observed)
        if unexpected_rows > len(observed):
            message += "; …"
    return Verdict(
        expectation.name,
        expectation.severity,
        unexpected_rows == 0,
        unexpected_rows,
        observed,
        message,
    )


def _nothing_to_judge(expectation: Expectation) -> Verdict:
    return Verdict(expectation.name, expectation.severity, True, 0, (), "no rows to judge")


def _not_judged(expectation: Expectation, why: str) -> Verdict:
    message = f"not judged: {why}"
    return Verdict(expectation.name, expectation.severity, False, None, (), message)


def _ordered(sql: str) -> str:
    """The sample of a verdict must not depend on the order in which threads finish."""
    return f"SELECT * FROM ({sql}) ORDER BY ALL"


# Verdicts by Great Expectations.


def _judge(suite: Sequence[Expectation], connection: duckdb.DuckDBPyConnection) -> list[Verdict]:
    """Judge the relation `batch` of this database."""
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.result_format import ResultFormat
    from great_expectations.expectations.core.unexpected_rows_expectation import (
        UnexpectedRowsExpectation,
    )
    from great_expectations.expectations.metadata_types import FailureSeverity
    from sqlalchemy.pool import StaticPool

    context = _context()
    engine_options: dict[str, Any] = {
        "kwargs": {"creator": lambda: _read_only(connection), "poolclass": StaticPool}
    }
    source = context.data_sources.add_sql(
        name=BATCH, connection_string="duckdb:///:memory:", **engine_options
    )
    try:
        batch = (
            source.add_table_asset(name=BATCH, table_name=BATCH)
            .add_batch_definition_whole_table(BATCH)
            .get_batch()
        )
        result = batch.validate(
            ExpectationSuite(
                name=BATCH,
                expectations=[
                    UnexpectedRowsExpectation(
                        unexpected_rows_query=_gx_query(expectation),
                        severity=FailureSeverity(expectation.severity),
                        description=expectation.description,
                        meta={"name": expectation.name},
                    )
                    for expectation in suite
                ],
            ),
            result_format=ResultFormat.COMPLETE,
        )
    finally:
        context.data_sources.delete(BATCH)
    results = {
        each.expectation_config.meta["name"]: each
        for each in result.results
        if each.expectation_config
    }
    _raise_tool_errors(suite, results)
    return [
        _found(
            expectation,
            results[expectation.name].result["observed_value"],
            results[expectation.name].result["details"]["unexpected_rows"],
        )
        for expectation in suite
    ]


@cache
def _context() -> EphemeralDataContext:
    """The one context of this process: in memory, without analytics, progress bars and logs."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    _forget_annotations()
    # It logs the errors that SuiteError reports, with the values they quote.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _forget_annotations() -> None:
    """Take the annotations that name DuckDB's connection off `duckdb_engine`.

    Once Great Expectations is imported, the interpreter ends before it can free these functions.
    Their annotations alone then keep DuckDB's classes, not one connection, and DuckDB's binding
    complains of leaks on standard error. Nothing reads these annotations.
    """
    from duckdb_engine import ConnectionWrapper, CursorWrapper
    from duckdb_engine.config import apply_config

    wrappers = (ConnectionWrapper, CursorWrapper)
    for annotated in (*wrappers, *(each.__init__ for each in wrappers), apply_config):
        annotated.__annotations__.clear()


def _read_only(connection: duckdb.DuckDBPyConnection) -> Any:
    """A connection for SQLAlchemy that has no transactions.

    Great Expectations fetches results after closing its connection. In `duckdb_engine` the cursor
    is the connection, so the ROLLBACK of the closing would discard the result before the fetch.
    """
    from duckdb_engine import ConnectionWrapper

    class ReadOnlyConnection(ConnectionWrapper):
        def begin(self) -> None: ...

        def commit(self) -> None: ...

        def rollback(self) -> None: ...

    return ReadOnlyConnection(connection.cursor())


def _gx_query(expectation: Expectation) -> str:
    """The expectation's SQL in the form that passes Great Expectations and SQLAlchemy unchanged."""
    escaped = _ordered(expectation.rows_sql).replace("{", "{{").replace("}", "}}")
    return _BIND_PARAMETER.sub(r"\\:", escaped.replace("{{batch}}", "{batch}"))


def _raise_tool_errors(suite: Sequence[Expectation], results: Mapping[str, Any]) -> None:
    """A result with an exception anywhere says nothing about the data; nor does a missing one."""
    problems = [
        f"{expectation.name}: {problem}"
        for expectation in suite
        for problem in (
            _exceptions(results[expectation.name].exception_info)
            if expectation.name in results
            else ["no result"]
        )
    ]
    if problems:
        raise SuiteError("; ".join(problems))


def _exceptions(info: Any) -> list[str]:
    """Messages of the exceptions in a result's `exception_info`, however deep they lie."""
    if not isinstance(info, Mapping):
        return []
    if info.get("raised_exception"):
        return [_without_values(str(info.get("exception_message")))]
    return sorted({message for value in info.values() for message in _exceptions(value)})


def _without_values(message: str) -> str:
    """What can be told of an error without quoting a value of the data."""
    if found := _SPEAKS_OF_SQL.search(message):
        return found.group()
    kind = _ERROR_KIND.search(message)
    return kind.group() if kind else "error"
