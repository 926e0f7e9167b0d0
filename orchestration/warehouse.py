"""The analytical engine behind one small interface: DuckDB here, Spark at scale.

Here: connections and the relations that lie in the lake. Not here: SQL of models (dbt) and paths
(`lake.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class LakeRelation:
    """A folder of hive-partitioned Parquet that SQL sees as `schema.name`.

    `columns` and `partitions` are name -> SQL type; a relation without files is empty and typed,
    so that a feed which an operator does not have is absent and not an error.
    """

    schema: str
    name: str
    folder: Path
    columns: Mapping[str, str]
    partitions: Mapping[str, str]

    @property
    def glob(self) -> str:
        return "/".join([str(self.folder), *("*" for _ in self.partitions), "part.parquet"])

    def view_sql(self) -> str:
        """The SELECT behind the view: every declared column, typed, whatever the files hold."""
        files = sorted(
            self.folder.glob("/".join([*("*" for _ in self.partitions), "part.parquet"]))
        )
        typed = {**self.columns, **self.partitions}
        if not files:
            empty = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in typed.items())
            return f"select {empty} where false"
        # Every partition is written by one contract; only after the contract changed do the
        # oldest and the newest differ, and then every footer must be read.
        oldest, newest = pq.read_schema(files[0]), pq.read_schema(files[-1])
        delivered = set(oldest.names) | set(newest.names)
        columns = [
            f'"{name}"' if name in delivered else f'cast(null as {kind}) as "{name}"'
            for name, kind in self.columns.items()
        ]
        glob = self.glob.replace("'", "''")
        hive_types = ", ".join(f"'{name}': {kind}" for name, kind in self.partitions.items())
        union = ", union_by_name = true" if not oldest.equals(newest) else ""
        return (
            f"select {', '.join([*columns, *self.partitions])} from read_parquet('{glob}',"
            f" hive_partitioning = true, hive_types = {{{hive_types}}}{union})"
        )


@dataclass(frozen=True)
class Warehouse:
    """One DuckDB file. One writer at a time: connections are short and always closed."""

    path: Path
    spill: Path
    memory_limit: str = "4GB"
    threads: int = 2

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.spill.mkdir(parents=True, exist_ok=True, mode=0o700)
        config: dict[str, Any] = {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            "temp_directory": str(self.spill),
        }
        connection = duckdb.connect(str(self.path), read_only=read_only, config=config)
        try:
            yield connection
        finally:
            connection.close()

    def register(self, relations: Iterable[LakeRelation]) -> None:
        """(Re)create a view for each relation; idempotent, in one transaction."""
        with self.connect() as connection:
            connection.begin()
            for relation in relations:
                connection.execute(f"create schema if not exists {relation.schema}")
                connection.execute(
                    f"create or replace view {relation.schema}.{relation.name} as {relation.view_sql()}"
                )
            connection.commit()

    def table(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The result of one query, as an Arrow table."""
        with self.connect(read_only=True) as connection:
            return connection.sql(sql, params=parameters or {}).to_arrow_table()

    def batches(
        self, sql: str, parameters: Mapping[str, Any] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """The same in batches of at most `rows`, one in memory at a time."""
        with self.connect(read_only=True) as connection:
            yield from connection.sql(sql, params=parameters or {}).to_arrow_reader(rows)
