"""Signals of traffic alone: O01 and the usage leg of O05.

Here: zero calls, collapse of minutes. Not here: traffic against the plan (`fit.py`).

Readings where the text leaves room (O01):
- The day of activation or of the return to ACTIVE is itself a day of the streak when it has no
  call: it is a known ACTIVE day.
- Unknown days count as *inside* when they lie after the first zero day of the streak.
- On an unknown day, or on a day that is not the fifth, nothing fires; with more than 2 unknown
  days inside, the day is unknown.
O05: a base below 30 minutes makes the leg false; too few known days make it unknown.
"""

from __future__ import annotations

from datetime import date

from tests.reference.book import Book, Line, has_call, mou
from tests.reference.dates import ONE_DAY
from tests.reference.finding import Finding, absent, fired, unknown

BARS = ("OUTGOING_BAR", "ROAMING_BAR")


def zero_streak(book: Book, line: Line) -> tuple[list[date], int]:
    """The known zero-call ACTIVE days up to D, oldest first, and the unknown days inside."""
    streak: list[date] = []
    inside = waiting = 0
    day = book.day
    first = book.first_usage_day or book.day
    while day >= first and line.is_active_on(day) and len(streak) <= book.p.zero_call_days:
        usage = book.usage_on(line.subscriber_id, day)
        called = has_call(usage) if usage is not None else None
        if called is None:
            waiting += 1
        elif called:
            break
        else:
            streak.insert(0, day)
            inside, waiting = inside + waiting, 0
        day -= ONE_DAY
    return streak, inside


def zero_call(book: Book, line: Line) -> Finding:
    """O01: fires on the day on which z is first 5."""
    if line.row.get("line_class") == "DATA_ONLY" or not line.is_active_on(book.day):
        return absent()
    today = book.usage_on(line.subscriber_id, book.day)
    if today is None or has_call(today) is None:
        return unknown()
    streak, inside = zero_streak(book, line)
    if len(streak) != book.p.zero_call_days:
        return absent()
    if any(bar in line.bars_on(day) for day in streak for bar in BARS):
        return absent()
    if inside > book.p.zero_call_max_unknown:
        return unknown()
    return fired(
        streak_days=len(streak),
        first_hit_date=book.day,
        has_data_in_streak=any(
            (usage.data_mb or 0) > 0
            for day in streak
            if (usage := book.usage_on(line.subscriber_id, day)) is not None
        ),
    )


def usage_collapse(book: Book, line: Line) -> bool | None:
    """O05 USAGE: MOU30 ≤ 50% MOUb, MOUb ≥ 30; never data."""
    rates = book.rates(line, mou)
    if rates is None:
        return None
    return rates[1] >= book.p.min_base_mou and rates[0] <= book.p.collapse_drop * rates[1]
