"""Windows and calendar months.

Here: the shared definitions about dates. Not here: what happened on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)


def days(first: date, last: date) -> Iterator[date]:
    """`first`..`last`, both inclusive."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def window(as_of: date, width: int) -> list[date]:
    """The dates D-w+1..D."""
    return list(days(as_of - timedelta(days=width - 1), as_of))


def prior90(as_of: date) -> list[date]:
    """The dates D-119..D-30."""
    return list(days(as_of - timedelta(days=119), as_of - timedelta(days=30)))


def is_within(day: date | None, as_of: date, width: int) -> bool:
    """Whether the day lies in the window of that width."""
    return day is not None and 0 <= (as_of - day).days < width


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + ONE_DAY, time())


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def month_start(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def month_end(month: str) -> date:
    return month_start(next_month(month)) - ONE_DAY


def next_month(month: str) -> str:
    return month_of(month_start(month) + timedelta(days=31))


def month_before(month: str, back: int = 1) -> str:
    for _ in range(back):
        month = month_of(month_start(month) - ONE_DAY)
    return month


def closed_months(as_of: date, count: int) -> list[str]:
    """m1, m2, …: calendar months ended before D's month, the newest first."""
    return [month_before(month_of(as_of), back) for back in range(1, count + 1)]


def month_days(month: str) -> list[date]:
    return list(days(month_start(month), month_end(month)))
