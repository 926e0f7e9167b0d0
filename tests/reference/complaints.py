"""Signals of complaints: O03, and the complaint legs of O28 and O29.

Here: complaints as they stood at D. Not here: products and bills.

Readings where the text leaves room: severity, category and due_at are those of the newest step
that gives them, and so is the subscriber; a complaint is opened by its OPENED step alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from tests.reference.book import Book, Line, by
from tests.reference.dates import is_within, midnight_after
from tests.reference.delivered import Row
from tests.reference.finding import Finding, absent, fired, unknown

ANSWERS = frozenset({"ACKNOWLEDGED", "ANALYSED", "RESOLVED"})


@dataclass(frozen=True)
class Complaint:
    """One complaint from its visible steps."""

    complaint_id: str
    steps: list[Row]

    def newest(self, column: str) -> Any:
        given = [row[column] for row in self.steps if row.get(column) is not None]
        return given[-1] if given else None

    @property
    def opened_on(self) -> date | None:
        days = [row["at"].date() for row in self.steps if row["step"] == "OPENED"]
        return min(days, default=None)

    def has(self, *steps: str) -> bool:
        return any(row["step"] in steps for row in self.steps)


def complaints_of(book: Book, line: Line) -> list[Complaint]:
    return complaints(book).get(line.subscriber_id, [])


def complaints(book: Book) -> dict[str, list[Complaint]]:
    """By subscriber; a step that names nobody is its complaint's all the same."""
    if "complaints" not in book.__dict__:
        found: dict[str, list[Complaint]] = defaultdict(list)
        rows = book.delivered.rows("care_complaints")
        steps = sorted(rows, key=lambda row: (row["at"], row["step"]))
        for name, each in by(steps, "complaint_id").items():
            complaint = Complaint(name, each)
            found[complaint.newest("subscriber_id") or ""].append(complaint)
        book.__dict__["complaints"] = found
    kept: dict[str, list[Complaint]] = book.__dict__["complaints"]
    return kept


def opened(book: Book, line: Line, width: int) -> list[Complaint]:
    return [
        each for each in complaints_of(book, line) if is_within(each.opened_on, book.day, width)
    ]


def is_overdue(book: Book, complaint: Complaint) -> bool | None:
    """Leg (b): due before midnight, and nobody has answered."""
    if complaint.has(*ANSWERS, "WITHDRAWN"):
        return False
    due_at = complaint.newest("due_at")
    return None if due_at is None else due_at < midnight_after(book.day)


def hr1_complaint(book: Book, line: Line) -> Finding:
    """O03: severe in 30 d, overdue unanswered, or more than 3 in 90 d."""
    p = book.p
    severe = any(each.newest("severity") == "SEVERE" for each in opened(book, line, p.severe_days))
    overdue = [is_overdue(book, each) for each in complaints_of(book, line)]
    many = len(opened(book, line, p.complaint_days)) > p.complaint_count
    legs = [
        name
        for name, holds in (("SEVERE", severe), ("OVERDUE", True in overdue), ("COUNT", many))
        if holds
    ]
    if legs:
        return fired(legs=legs)
    unproven = book.is_unproven("care_complaints", p.complaint_days)
    return unknown() if None in overdue or unproven else absent()


def complained_of(book: Book, line: Line, category: str, width: int) -> bool | None:
    """A complaint of the category opened in the window."""
    if any(each.newest("category") == category for each in opened(book, line, width)):
        return True
    return None if book.is_unproven("care_complaints", width) else False
