"""Dagster's SQLite event log, with connections kept open and events stored in batches.

A run over a year of days writes tens of thousands of partition events. Dagster's own storage opens
two databases and compiles its statements anew for each (about 8 ms an event), and notes a planned
check once for each day although the check is evaluated once. Schema and files are Dagster's own:
the stock storage reads what this one wrote, and the other way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from dagster import DagsterEvent, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.pool import StaticPool

# How long a writer waits for another process that holds the file.
BUSY_TIMEOUT_SECONDS = 60


@dataclass
class _Batch:
    """What one transaction a database has open, and the last event of each asset and type in it."""

    connections: dict[str, Connection]
    last_of_asset: dict[tuple[str, str], tuple[EventLogEntry, int]] = field(default_factory=dict)


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """SqliteEventLogStorage with one engine a shard and one transaction a batch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._engines: dict[str, Engine] = {}
        self._local = threading.local()
        super().__init__(*args, **kwargs)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> BatchingSqliteEventLogStorage:
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """One planned event for a range of days instead of one a day."""
        return True

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one transaction a database."""
        shards = sorted({event.run_id for event in events} | {INDEX_SHARD_NAME})
        with self._db_lock:
            batch = _Batch({shard: self._engine(shard).connect() for shard in shards})
            self._local.batch = batch
            try:
                transactions = [connection.begin() for connection in batch.connections.values()]
                for event in events:
                    self.store_event(event)
                for event, event_id in batch.last_of_asset.values():
                    super()._store_asset_event(batch.connections[INDEX_SHARD_NAME], event, event_id)
                for transaction in transactions:
                    transaction.commit()
            finally:
                self._local.batch = None
                for connection in batch.connections.values():
                    connection.close()

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        batch = self._batch
        if batch is not None and shard in batch.connections:
            yield batch.connections[shard]
            return
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    @property
    def _batch(self) -> _Batch | None:
        return getattr(self._local, "batch", None)

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={
                    "timeout": BUSY_TIMEOUT_SECONDS,
                    "check_same_thread": False,
                },
            )
            listen(engine, "connect", _sync_at_checkpoints)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            self._engines[shard] = engine
        return self._engines[shard]

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        """The asset's row shows its last event only, so a batch writes it once."""
        batch = self._batch
        dagster_event = event.dagster_event
        if batch is None or dagster_event is None or dagster_event.asset_key is None:
            super()._store_asset_event(conn, event, event_id)
            return
        key = (dagster_event.asset_key.to_string(), dagster_event.event_type_value)
        batch.last_of_asset[key] = (event, event_id)

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """This project's checks are evaluated once a run, so they are planned once, not once a day."""
        dagster_event = cast(DagsterEvent, event.dagster_event)
        planned = cast(AssetCheckEvaluationPlanned, dagster_event.event_specific_data)
        once = AssetCheckEvaluationPlanned(
            asset_key=planned.asset_key, check_name=planned.check_name
        )
        super()._store_asset_check_evaluation_planned(
            event._replace(dagster_event=dagster_event._replace(event_specific_data=once)), event_id
        )


def _sync_at_checkpoints(connection: Any, _record: Any) -> None:
    """In WAL mode a killed process loses nothing by it; a power cut may lose the last events."""
    connection.execute("PRAGMA synchronous = NORMAL")
