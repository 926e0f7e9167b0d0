"""Signals of a suspension: O02, O04, O06.

Here: double suspension, suspension on request and for arrears. Not here: when it becomes churn
(`churn.py`).

Readings where the text leaves room: the run of TWO_WAY days is by end-of-day statuses, so a line
revived and suspended again within a day did not break it; a missing reason is unknown.
"""

from __future__ import annotations

from tests.reference.book import SUSPENDED, TWO_WAY, Book, Line, Standing
from tests.reference.finding import Finding, absent, fired, unknown


def is_two_way(standing: Standing) -> bool:
    return standing.status == TWO_WAY


def double_suspension(book: Book, line: Line) -> Finding:
    """O02: PREPAID, TWO_WAY at D, D - date(start of the unbroken run) ≥ 7."""
    if not line.is_prepaid or line.status_on(book.day) != TWO_WAY:
        return absent()
    since = line.run_start(book.day, is_two_way)
    if (book.day - since).days < book.p.suspended_days:
        return absent()
    reason = line.reason_on(book.day)
    if reason is None:
        return unknown()
    return fired(since=since) if reason in book.p.suspended_reasons else absent()


def suspended_for(book: Book, line: Line, wanted: str) -> Finding:
    if line.status_on(book.day) not in SUSPENDED:
        return absent()
    reason = line.reason_on(book.day)
    if reason is None:
        return unknown()
    return fired(status=line.status_on(book.day)) if reason == wanted else absent()


def hr2_voluntary(book: Book, line: Line) -> Finding:
    """O04."""
    return suspended_for(book, line, "CUSTOMER_REQUEST")


def hr4_arrears(book: Book, line: Line) -> Finding:
    """O06."""
    return suspended_for(book, line, "ARREARS")
