"""What is wrong with a delivery turns the run red where it must, and says where."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from orchestration.defs.automation import LOAD_FEEDS
from orchestration.lake import Lake
from orchestration.runs import RunFailed, Runner, failures, prepare_dagster_home
from orchestration.settings import Settings
from orchestration.status import quarantine_status

DAY = date(2025, 1, 2)
RECEIPTS = dg.AssetKey(["ingestion", "receipts"])
SUBSCRIBERS = dg.AssetKey(["crm", "crm_subscribers"])
CUSTOMERS = dg.AssetKey(["crm", "crm_customers"])
CHURN = dg.AssetKey(["churn", "churn_events"])


class House:
    """A home with a landing zone to deliver into, and runs of a few assets of one day."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake(settings.home)
        self.steps: list[str] = []
        self.runner = Runner(settings, self.steps.append)

    def deliver(self, feed: str, content: str | bytes, suffix: str = "csv") -> Path:
        path = self.settings.landing_zone / feed / f"{feed}_{DAY:%Y%m%d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *keys: dg.AssetKey) -> tuple[dg.ExecuteInProcessResult, str]:
        """These assets of the load job; the result and what the user is told."""
        job = self.runner.defs.resolve_job_def(LOAD_FEEDS)
        prepare_dagster_home(self.settings)
        with dg.DagsterInstance.get() as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=list(keys),
                partition_key=str(DAY),
                raise_on_error=False,
            )
        return result, "\n".join(failures(result))

    def rows(self, feed: str) -> int:
        return pq.ParquetFile(self.lake.raw(feed, DAY)).metadata.num_rows


@pytest.fixture
def house(
    make_settings: Callable[..., Settings], parsed_once: None, dagster_environment: None
) -> House:
    return House(make_settings())


def subscribers(good: int, bad: int) -> str:
    rows = [f"S{number},ACTIVE" for number in range(good)]
    rows += [f"B{number},ASLEEP" for number in range(bad)]
    return "\n".join(["subscriber_id,status", *rows, ""])


def materialized(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
    return {
        event.asset_key
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def severities(result: dg.ExecuteInProcessResult, check: str) -> list[tuple[bool, Any]]:
    return [
        (evaluation.passed, evaluation.severity)
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == check and evaluation.asset_key == SUBSCRIBERS
    ]


def test_above_the_tolerated_share_nothing_downstream_runs(house: House) -> None:
    """D01: the whole job of the day, as the schedule starts it."""
    house.deliver("crm_subscribers", subscribers(good=90, bad=10))
    with pytest.raises(RunFailed) as caught:
        house.runner.load(DAY, DAY)
    told = str(caught.value)
    assert "crm/crm_subscribers: check quarantine_is_tolerable failed" in told
    assert "2.0%" in told
    # What was read stays, for whoever looks at it; nothing was computed from it.
    assert house.rows("crm_subscribers") == 90
    assert not house.lake.warehouse.exists()
    assert "crm__crm_subscribers" in house.steps
    assert "ingestion__receipts" not in house.steps
    assert not any("marts" in step for step in house.steps)


@pytest.mark.parametrize(("bad", "goes_on"), [(0, True), (2, True), (3, False)])
def test_the_tolerated_share_is_where_a_warning_becomes_an_error(
    house: House, bad: int, goes_on: bool
) -> None:
    """Two in a hundred is tolerated, more is not."""
    house.deliver("crm_subscribers", subscribers(good=100 - bad, bad=bad))
    result, told = house.run(SUBSCRIBERS, RECEIPTS)
    assert result.success is goes_on, told
    assert (RECEIPTS in materialized(result)) is goes_on
    severity = dg.AssetCheckSeverity.WARN if bad <= 2 else dg.AssetCheckSeverity.ERROR
    assert severities(result, "quarantine_is_tolerable") == [(bad == 0, severity)]


def test_a_repaired_file_empties_the_quarantine_and_the_run_goes_on(house: House) -> None:
    house.deliver("crm_subscribers", subscribers(good=90, bad=10))
    result, _ = house.run(SUBSCRIBERS, RECEIPTS)
    assert not result.success
    assert [row["rows"] for row in quarantine_status(house.settings)] == [10]
    house.deliver("crm_subscribers", subscribers(good=100, bad=0))
    result, told = house.run(SUBSCRIBERS, RECEIPTS)
    assert result.success, told
    assert quarantine_status(house.settings) == []
    assert house.rows("crm_subscribers") == 100
    assert not house.lake.quarantine("crm_subscribers", DAY).exists()
    assert not house.lake.vault_quarantine("crm_subscribers", DAY).exists()


def test_files_that_cannot_be_read_fail_by_name_and_the_others_are_kept(house: House) -> None:
    """Cut short, empty, without its key: three files, three sentences; good feeds are in."""
    whole = gzip.compress(subscribers(good=1000, bad=0).encode())
    house.deliver("crm_subscribers", whole[: len(whole) // 2], "csv.gz")
    house.deliver("crm_customers", b"")
    house.deliver("churn_events", "at,kind\n2025-01-02 10:00:00,CLOSED\n")
    house.deliver("crm_consents", "subscriber_id,message_class,channel,changed_at\n")
    consents = dg.AssetKey(["crm", "crm_consents"])
    result, told = house.run(SUBSCRIBERS, CUSTOMERS, CHURN, consents, RECEIPTS)
    assert not result.success
    by_feed = dict(line.split(": ", 1) for line in told.splitlines())
    assert by_feed["crm__crm_subscribers"].startswith("crm_subscribers_20250102.csv.gz: ")
    assert "cut short" in by_feed["crm__crm_subscribers"]
    assert "crm_customers_20250102.csv: is empty (0 bytes)" in by_feed["crm__crm_customers"]
    assert "churn_events_20250102.csv: " in by_feed["churn__churn_events"]
    assert "churn_event_id" in by_feed["churn__churn_events"]
    assert materialized(result) == {consents}
    assert not house.lake.raw("crm_subscribers", DAY).exists()
    assert house.rows("crm_consents") == 0


def test_a_bad_delivery_leaves_what_the_day_had(house: House) -> None:
    house.deliver("crm_subscribers", subscribers(good=5, bad=0))
    assert house.run(SUBSCRIBERS)[0].success
    before = house.lake.raw("crm_subscribers", DAY).read_bytes()
    house.deliver("crm_subscribers", b"")
    result, told = house.run(SUBSCRIBERS)
    assert not result.success
    assert "crm_subscribers_20250102.csv" in told
    assert house.lake.raw("crm_subscribers", DAY).read_bytes() == before


def test_a_message_of_failure_quotes_no_value(house: House) -> None:
    """D04: what the terminal, the UI and the log show of a broken file."""
    house.deliver("crm_subscribers", "subscriber_id,subscriber_id,msisdn\nS1,S2,13812345678\n")
    result, told = house.run(SUBSCRIBERS)
    assert not result.success
    assert told
    assert "13812345678" not in told
    assert not [event for event in result.all_events if "13812345678" in str(event)]


def test_what_does_not_come_is_a_warning_and_written_down(house: House) -> None:
    """A feed that an operator does not have stops nothing."""
    result, told = house.run(SUBSCRIBERS, RECEIPTS)
    assert result.success, told
    assert severities(result, "arrived") == [(False, dg.AssetCheckSeverity.WARN)]
    (event,) = [
        event for event in result.get_asset_materialization_events() if event.asset_key == RECEIPTS
    ]
    assert event.materialization.metadata["feeds_absent"].value == "crm_subscribers"


def test_a_day_without_its_model_learns_first_or_says_what_to_do(house: House) -> None:
    """Started by itself, scoring names the run that is missing."""
    scores = dg.AssetKey(["step1_find", "churn_scores"])
    job = house.runner.defs.resolve_job_def("daily_loop")
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[scores],
            partition_key=str(DAY),
            raise_on_error=False,
        )
    assert not result.success
    assert "run monthly_learning for 2025-01-01 first" in "\n".join(failures(result))
