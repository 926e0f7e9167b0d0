"""A tiny warehouse: typed raw tables that a test fills by release date, and dbt to run on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from dbt.cli.main import dbtRunner

from orchestration.contracts import Feed
from orchestration.dbt_session import DbtSession
from orchestration.settings import DBT_PROJECT_DIR

RECEIPT_COLUMNS = {
    "feed": "varchar",
    "dt": "date",
    "file": "varchar",
    "arrived": "boolean",
    "records": "bigint",
    "kept": "bigint",
    "quarantined": "bigint",
    "duplicates": "bigint",
}
LOOP_COLUMNS = {
    "churn_scores": {
        "subscriber_id": "varchar",
        "churn_probability_near": "double",
        "churn_probability_mid": "double",
        "churn_probability_far": "double",
        "reason_1": "varchar",
        "reason_2": "varchar",
        "reason_3": "varchar",
        "model_month": "date",
        "model_version": "varchar",
        "dt": "date",
    },
    "decisions": {
        "decision_id": "varchar",
        "opportunity_id": "varchar",
        "subscriber_id": "varchar",
        "cycle": "varchar",
        "action": "varchar",
        "arm": "varchar",
        "arm_probability": "double",
        "org_id": "varchar",
        "dt": "date",
    },
}

Deliver = Callable[[str, date, Sequence[Mapping[str, Any]] | None], None]


@dataclass(frozen=True)
class TinyWarehouse:
    home: Path

    @property
    def path(self) -> Path:
        return self.home / "warehouse.duckdb"

    def create(self, feeds: Iterable[Feed]) -> None:
        self.home.mkdir(parents=True)
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema raw; create schema loop")
            tables = {f"raw.{feed.name}": {**feed.raw_columns, "dt": "date"} for feed in feeds}
            tables["raw.receipts"] = RECEIPT_COLUMNS
            tables |= {f"loop.{name}": columns for name, columns in LOOP_COLUMNS.items()}
            for table, columns in tables.items():
                typed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
                connection.execute(f"create table {table} ({typed})")

    @contextmanager
    def deliveries(self) -> Iterator[Deliver]:
        """A function that gives a feed's partition exactly these rows; None: nothing arrived."""
        with duckdb.connect(str(self.path)) as connection:

            def deliver(feed: str, dt: date, rows: Sequence[Mapping[str, Any]] | None) -> None:
                place = {"feed": feed, "dt": dt}
                connection.execute(f"delete from raw.{feed} where dt = $dt", {"dt": dt})
                connection.execute(
                    "delete from raw.receipts where feed = $feed and dt = $dt", place
                )
                connection.execute(
                    "insert into raw.receipts values ($feed, $dt, $file, $arrived, $n, $n, 0, 0)",
                    place
                    | {
                        "file": None if rows is None else f"{feed}.csv",
                        "arrived": rows is not None,
                        "n": len(rows or ()),
                    },
                )
                if rows:
                    frame = pd.DataFrame(rows).assign(dt=dt)
                    columns = ", ".join(f'"{name}"' for name in frame.columns)
                    connection.register("frame", frame)
                    connection.execute(
                        f"insert into raw.{feed} ({columns}) select {columns} from frame"
                    )

            connection.begin()
            yield deliver
            connection.commit()

    def dbt(
        self,
        command: str,
        first: date,
        last: date,
        *arguments: str,
        month: date = date(9998, 12, 1),
    ) -> None:
        """Run dbt for the release dates `first`..`last`; an error or a failed test raises."""
        before = dict(os.environ)
        os.environ |= {"RETENTION_HOME": str(self.home), "RETENTION_THREADS": "1"}
        try:
            result = dbtRunner().invoke(
                [
                    "--quiet",
                    command,
                    *("--project-dir", str(DBT_PROJECT_DIR)),
                    *("--profiles-dir", str(DBT_PROJECT_DIR)),
                    *("--target-path", str(self.home / "dbt")),
                    *("--log-path", str(self.home / "dbt")),
                    *("--vars", f"{{from_date: '{first}', to_date: '{last}', month: '{month}'}}"),
                    *arguments,
                ]
            )
        finally:
            DbtSession.let_go()
            os.environ.clear()
            os.environ.update(before)
        if not result.success:
            failures = [
                f"{item.node.name}: {item.message}"
                for item in getattr(result.result, "results", ())
                if item.status not in ("success", "pass", "skipped", "warn")
            ]
            raise AssertionError("\n".join(failures) or str(result.exception))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def snapshot(self, relations: Iterable[str], name: str) -> None:
        """Keep what the relations hold now, as `kept_<name>.<schema>_<relation>`."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"create or replace schema kept_{name}")
            for relation in relations:
                kept = relation.replace(".", "_")
                connection.execute(f"create table kept_{name}.{kept} as from {relation}")

    def differences(self, relations: Iterable[str], name: str) -> dict[str, int]:
        """Relation -> rows that it and its snapshot do not share."""
        found = {}
        with duckdb.connect(str(self.path)) as connection:
            for relation in relations:
                kept = f"kept_{name}.{relation.replace('.', '_')}"
                counts = connection.execute(
                    f"select (select count(*) from (from {relation} except all from {kept}))"
                    f" + (select count(*) from (from {kept} except all from {relation}))"
                ).fetchone()
                if counts and counts[0]:
                    found[relation] = counts[0]
        return found


@pytest.fixture(scope="session")
def make_warehouse(
    tmp_path_factory: pytest.TempPathFactory, feeds: Mapping[str, Feed]
) -> Callable[[str], TinyWarehouse]:
    def make(name: str) -> TinyWarehouse:
        warehouse = TinyWarehouse(tmp_path_factory.mktemp("warehouse") / name)
        warehouse.create(feeds.values())
        return warehouse

    return make
