"""The two clocks: DAYS for feeds and steps 1 to 3, MONTHS for learning and evaluation.

Here: the partition definitions and how they map to each other. Not here: which asset uses which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

# How many earlier months of daily indicators a month's learning may read.
LEARNING_MONTHS = 24


@dataclass(frozen=True)
class Clocks:
    """Both clocks of one installation."""

    days: dg.DailyPartitionsDefinition
    months: dg.MonthlyPartitionsDefinition

    @classmethod
    def starting(cls, start: date, timezone: str) -> Clocks:
        first_of_month = start.replace(day=1)
        return cls(
            days=dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=timezone),
            # The month under way is a partition too: what is learnt for it serves its days.
            months=dg.MonthlyPartitionsDefinition(
                start_date=first_of_month.isoformat(), timezone=timezone, end_offset=1
            ),
        )


# A month's learning reads the days before the month; a day reads the month it falls in, which is
# Dagster's default mapping.
DAYS_BEFORE_THE_MONTH = dg.TimeWindowPartitionMapping(
    start_offset=-LEARNING_MONTHS, end_offset=-1, allow_nonexistent_upstream_partitions=True
)


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of a run on the DAYS clock, in order: one, or a range in one run."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def index_dates(days: Sequence[date]) -> list[date]:
    """The days of a run as of which subscribers are looked at: its month-ends and its last day."""
    return [day for day in days if day == days[-1] or (day + timedelta(days=1)).day == 1]


def month_of(context: dg.AssetExecutionContext) -> date:
    """The first day of the month of a run on the MONTHS clock."""
    return date.fromisoformat(context.partition_key)


def last_day_before(month: date) -> date:
    """The as-of date of what is learnt for `month`."""
    return month.replace(day=1) - timedelta(days=1)
