"""What the schedules and the landing-zone sensor start, and when they wait."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from orchestration.defs.automation import (
    LOAD_FEEDS,
    automation,
    deliveries,
    range_request,
    range_tags,
)
from orchestration.installation import Installation
from orchestration.settings import Settings

MakeSettings = Callable[..., Settings]


def test_one_day_is_a_partition_and_several_are_a_range() -> None:
    digests = {"2025-03-01": "a", "2025-03-02": "b"}
    single = range_request("2025-03-01", "2025-03-01", {}, digests)
    assert single.partition_key == "2025-03-01"
    several = range_request("2025-03-01", "2025-03-02", {}, digests)
    assert several.partition_key is None
    assert several.tags == range_tags(date(2025, 3, 1), date(2025, 3, 2))
    assert several.tags[ASSET_PARTITION_RANGE_START_TAG] == "2025-03-01"
    assert several.tags[ASSET_PARTITION_RANGE_END_TAG] == "2025-03-02"


def test_the_key_of_a_run_changes_with_the_files_of_its_days_only() -> None:
    day = "2025-03-01"
    key = range_request(day, day, {}, {"2025-03-01": "a", "2025-03-02": "b"}).run_key
    assert range_request(day, day, {}, {"2025-03-01": "a", "2025-03-02": "c"}).run_key == key
    assert range_request(day, day, {}, {"2025-03-01": "z", "2025-03-02": "b"}).run_key != key


def test_a_delivery_that_comes_back_after_another_is_loaded_again() -> None:
    """File A, then B, then A again: the daemon drops a run whose key it has seen."""
    day = "2025-03-01"
    first = range_request(day, day, {}, {day: "a"})
    again = range_request(day, day, {day: "b"}, {day: "a"})
    assert first.run_key != again.run_key


@pytest.fixture
def installation(make_settings: MakeSettings) -> Installation:
    return Installation(make_settings(start_date=date(2025, 2, 1)))


def deliver(
    installation: Installation, dt: str, text: str = "subscriber_id\na\n", age_seconds: int = 3600
) -> Path:
    feed = "crm_subscribers"
    path = installation.settings.landing_zone / feed / f"{feed}_{dt.replace('-', '')}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def tick(installation: Installation, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    (sensor,) = automation(installation).sensors or []
    assert isinstance(sensor, dg.SensorDefinition)
    with dg.DagsterInstance.ephemeral() as instance:
        found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def test_an_empty_landing_zone_starts_nothing(installation: Installation) -> None:
    assert isinstance(tick(installation), dg.SkipReason)


def requested(result: dg.SensorResult | dg.SkipReason) -> tuple[str, str]:
    """First and last day of the one run that a tick asks for."""
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    if request.partition_key is not None:
        return request.partition_key, request.partition_key
    tags = request.tags
    return tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG]


def test_new_files_start_one_run_from_the_first_of_them_on(installation: Installation) -> None:
    for dt in ("2025-03-01", "2025-03-02", "2025-03-05"):
        deliver(installation, dt)
    assert requested(tick(installation)) == ("2025-03-01", "2025-03-05")


def test_the_same_files_start_nothing_again(installation: Installation) -> None:
    deliver(installation, "2025-03-01")
    first = tick(installation)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(tick(installation, first.cursor), dg.SkipReason)


def test_a_file_that_is_delivered_again_loads_the_days_from_its_own_on(
    installation: Installation,
) -> None:
    for dt in ("2025-03-01", "2025-03-02", "2025-03-03"):
        deliver(installation, dt)
    first = tick(installation)
    assert isinstance(first, dg.SensorResult)
    deliver(installation, "2025-03-02", "subscriber_id\na\nb\n")
    second = tick(installation, first.cursor)
    assert requested(second) == ("2025-03-02", "2025-03-03")
    assert isinstance(second, dg.SensorResult)
    assert set(json.loads(str(second.cursor))) == {"2025-03-01", "2025-03-02", "2025-03-03"}
    assert isinstance(tick(installation, second.cursor), dg.SkipReason)


def test_a_withdrawn_file_loads_its_day_again(installation: Installation) -> None:
    """Its rows must leave what is known."""
    deliver(installation, "2025-03-01")
    withdrawn = deliver(installation, "2025-03-02")
    first = tick(installation)
    assert isinstance(first, dg.SensorResult)
    withdrawn.unlink()
    second = tick(installation, first.cursor)
    assert requested(second) == ("2025-03-02", "2025-03-02")
    assert isinstance(second, dg.SensorResult)
    assert isinstance(tick(installation, second.cursor), dg.SkipReason)


def test_days_behind_a_growing_one_wait_for_it(installation: Installation) -> None:
    deliver(installation, "2025-03-01")
    growing = deliver(installation, "2025-03-02", age_seconds=0)
    deliver(installation, "2025-03-03")
    first = tick(installation)
    assert requested(first) == ("2025-03-01", "2025-03-01")
    assert isinstance(first, dg.SensorResult)
    settled = time.time() - installation.settings.settle_seconds - 1
    os.utime(growing, (settled, settled))
    assert requested(tick(installation, first.cursor)) == ("2025-03-02", "2025-03-03")


def test_a_day_waits_while_one_of_its_files_may_still_grow(installation: Installation) -> None:
    """A file still being written is not read; a later tick reads it, with the rest of its day."""
    deliver(installation, "2025-03-01")
    growing = deliver(installation, "2025-03-02", age_seconds=0)
    first = tick(installation)
    assert requested(first) == ("2025-03-01", "2025-03-01")
    assert isinstance(first, dg.SensorResult)
    assert isinstance(tick(installation, first.cursor), dg.SkipReason)
    settled = time.time() - installation.settings.settle_seconds - 1
    os.utime(growing, (settled, settled))
    assert requested(tick(installation, first.cursor)) == ("2025-03-02", "2025-03-02")


def test_a_known_day_that_grows_again_is_neither_withdrawn_nor_read(
    installation: Installation,
) -> None:
    deliver(installation, "2025-03-01")
    first = tick(installation)
    assert isinstance(first, dg.SensorResult)
    deliver(installation, "2025-03-01", "subscriber_id\na\nb\n", age_seconds=0)
    assert isinstance(tick(installation, first.cursor), dg.SkipReason)


def test_days_that_the_clock_does_not_have_are_left_alone(installation: Installation) -> None:
    deliver(installation, "2025-01-31")
    deliver(installation, str(date.today() + timedelta(days=2)))
    assert deliveries(installation) == ({}, set())


def test_unfinished_and_unknown_files_start_nothing(installation: Installation) -> None:
    path = deliver(installation, "2025-03-01")
    path.rename(path.with_suffix(".csv.tmp"))
    folder = installation.settings.landing_zone / "no_such_feed"
    folder.mkdir()
    (folder / "no_such_feed_20250301.csv").write_text("a\n1\n")
    assert deliveries(installation) == ({}, set())


def test_a_change_of_any_feed_of_the_day_is_seen(installation: Installation) -> None:
    deliver(installation, "2025-03-01")
    before, _ = deliveries(installation)
    other = installation.settings.landing_zone / "churn_events" / "churn_events_20250301.csv"
    other.parent.mkdir()
    other.write_text("churn_event_id\n")
    os.utime(other, (1, 1))
    after, growing = deliveries(installation)
    assert set(before) == set(after) == {"2025-03-01"}
    assert before != after
    assert growing == set()


def test_schedules_wait_for_the_night_of_the_operator(installation: Installation) -> None:
    """D12: the daily loop in the morning after its day, the month's learning after that."""
    schedules = {schedule.name: schedule for schedule in automation(installation).schedules or []}
    assert set(schedules) == {"daily_loop_schedule", "monthly_learning_schedule"}
    jobs = {job.name for job in automation(installation).jobs or []}
    assert jobs == {"daily_loop", LOAD_FEEDS, "monthly_learning"}
