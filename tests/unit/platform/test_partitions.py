"""The two clocks and how a month reads days."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from orchestration.partitions import DAYS_BEFORE_THE_MONTH, LEARNING_MONTHS, Clocks, last_day_before

SHANGHAI = "Asia/Shanghai"


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(SHANGHAI))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 3, 1), date(2025, 2, 28)),
        (date(2024, 3, 31), date(2024, 2, 29)),
        (date(2025, 1, 15), date(2024, 12, 31)),
    ],
)
def test_the_last_day_before_a_month(day: date, expected: date) -> None:
    assert last_day_before(day) == expected


def last_key(clock: dg.TimeWindowPartitionsDefinition, now: datetime) -> str | None:
    with partition_loading_context(effective_dt=now):
        return clock.get_last_partition_key()


def test_a_day_is_complete_when_it_has_ended_where_the_operator_is() -> None:
    days = Clocks.starting(date(2025, 1, 15), SHANGHAI).days
    assert days.get_first_partition_key() == "2025-01-15"
    assert last_key(days, at(2025, 3, 2, 0, 1)) == "2025-03-01"
    assert last_key(days, at(2025, 3, 1, 23, 59)) == "2025-02-28"


def test_the_month_under_way_has_a_model() -> None:
    """Both clocks start with the month in which the data start."""
    months = Clocks.starting(date(2025, 1, 15), SHANGHAI).months
    assert months.get_first_partition_key() == "2025-01-01"
    assert last_key(months, at(2025, 3, 1, 0, 1)) == "2025-03-01"
    assert last_key(months, at(2025, 3, 31, 23, 59)) == "2025-03-01"


def upstream_days(clocks: Clocks, month: str, now: datetime) -> list[str]:
    result = DAYS_BEFORE_THE_MONTH.get_upstream_mapped_partitions_result_for_partitions(
        downstream_partitions_subset=clocks.months.subset_with_partition_keys([month]),
        downstream_partitions_def=clocks.months,
        upstream_partitions_def=clocks.days,
        current_time=now,
    )
    return sorted(result.partitions_subset.get_partition_keys())


def test_a_month_learns_from_the_days_before_it_and_from_no_other() -> None:
    """Point in time: not one day of the month itself."""
    clocks = Clocks.starting(date(2020, 1, 1), SHANGHAI)
    days = upstream_days(clocks, "2025-03-01", at(2025, 3, 20))
    assert days[-1] == "2025-02-28"
    assert days[0] == "2023-03-01"
    assert LEARNING_MONTHS == 24


def test_the_first_months_learn_from_what_there_is() -> None:
    clocks = Clocks.starting(date(2025, 1, 15), SHANGHAI)
    days = upstream_days(clocks, "2025-03-01", at(2025, 3, 20))
    assert (days[0], days[-1]) == ("2025-01-15", "2025-02-28")


def test_a_day_reads_the_month_it_falls_in() -> None:
    clocks = Clocks.starting(date(2025, 1, 1), SHANGHAI)
    result = dg.TimeWindowPartitionMapping().get_upstream_mapped_partitions_result_for_partitions(
        downstream_partitions_subset=clocks.days.subset_with_partition_keys(["2025-03-20"]),
        downstream_partitions_def=clocks.days,
        upstream_partitions_def=clocks.months,
        current_time=at(2025, 3, 21),
    )
    assert list(result.partitions_subset.get_partition_keys()) == ["2025-03-01"]
