"""Events in batches: the stock storage reads what this one wrote, and half a batch is none."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.events import EngineEventData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from orchestration.event_log import BatchingSqliteEventLogStorage

RUN = "11111111-1111-1111-1111-111111111111"


def entry(number: int, run_id: str = RUN) -> EventLogEntry:
    return EventLogEntry(
        error_info=None,
        user_message=f"event {number}",
        level=20,
        run_id=run_id,
        timestamp=1_700_000_000.0 + number,
        dagster_event=DagsterEvent(
            event_type_value=DagsterEventType.ENGINE_EVENT.value,
            job_name="daily_loop",
            event_specific_data=EngineEventData(),
        ),
    )


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "runs")


def messages(storage: SqliteEventLogStorage, run_id: str = RUN) -> list[str]:
    return [event.user_message for event in storage.get_logs_for_run(run_id)]


def test_the_stock_storage_reads_what_was_written_in_batches(folder: str) -> None:
    ours = BatchingSqliteEventLogStorage(folder)
    ours.store_event_batch([entry(1), entry(2)])
    ours.store_event(entry(3))
    assert messages(ours) == ["event 1", "event 2", "event 3"]
    ours.dispose()
    stock = SqliteEventLogStorage(folder)
    assert messages(stock) == ["event 1", "event 2", "event 3"]
    stock.store_event(entry(4))
    stock.dispose()
    again = BatchingSqliteEventLogStorage(folder)
    assert messages(again) == ["event 1", "event 2", "event 3", "event 4"]
    again.dispose()


def test_a_batch_that_fails_leaves_no_event_and_the_storage_usable(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = BatchingSqliteEventLogStorage(folder)
    storage.store_event(entry(1))
    store = BatchingSqliteEventLogStorage.store_event

    def fails_at_three(self: BatchingSqliteEventLogStorage, event: EventLogEntry) -> None:
        if event.user_message == "event 3":
            raise OSError("disk full")
        store(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(BatchingSqliteEventLogStorage, "store_event", fails_at_three)
        with pytest.raises(OSError, match="disk full"):
            storage.store_event_batch([entry(2), entry(3)])
    assert messages(storage) == ["event 1"]
    storage.store_event_batch([entry(4)])
    assert messages(storage) == ["event 1", "event 4"]
    storage.dispose()


def test_runs_do_not_mix(folder: str) -> None:
    other = RUN.replace("1", "2")
    storage = BatchingSqliteEventLogStorage(folder)
    storage.store_event_batch([entry(1), entry(2, other)])
    assert messages(storage) == ["event 1"]
    assert messages(storage, other) == ["event 2"]
    storage.dispose()


def test_a_run_of_assets_leaves_its_materializations(tmp_path: Path) -> None:
    """D12: what the UI shows of an asset comes from the index, which batches write too."""
    key = dg.AssetKey("it")

    @dg.asset(key=key)
    def it() -> None: ...

    overrides = {
        "telemetry": {"enabled": False},
        "event_log_storage": {
            "module": "orchestration.event_log",
            "class": "BatchingSqliteEventLogStorage",
            "config": {"base_dir": str(tmp_path / "runs")},
        },
    }
    (tmp_path / "home").mkdir()
    with dg.instance_for_test(temp_dir=str(tmp_path / "home"), overrides=overrides) as instance:
        assert dg.materialize([it], instance=instance).success
        assert instance.get_latest_materialization_event(key) is not None
        assert type(instance.event_log_storage) is BatchingSqliteEventLogStorage
