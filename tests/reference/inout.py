"""O40: in and out, by organisation and month.

Here: who left and who joined in a month, gross and net. Not here: exits (`churn.py`) and links
(`reentry.py`).

Readings where the text leaves room:
- A line counts for its branch at D and for every unit above it; a branch that the operator's units
  do not hold counts for itself, a line without one for UNKNOWN.
- Each exit of a line is one churner of the month of its churn_date; a line joins in the month of its
  activation_date, and only lines that were ever used do.
- The net leaves out the old side of a NUMBER_CHANGE link in the month in which it left (its last
  exit), and the new side in the month in which it joined.
- A month is provisional until the links of its last day are final: the newest line that they may
  have was activated 90 days later, and the circle of its first full month is delivered in the month
  after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.reference.book import Book, Line
from tests.reference.churn import Departure
from tests.reference.dates import month_end, month_of, month_start, next_month
from tests.reference.reentry import Link

LEVELS = frozenset({"CITY", "PROVINCE", "HQ"})
Place = tuple[str, str, str]  # level, unit, month


@dataclass(frozen=True)
class InOut:
    """One unit's month."""

    gross_churners: int
    gross_adds: int
    net_churners: int
    net_adds: int
    final_from: date

    @property
    def gross_ratio(self) -> Fraction | None:
        return Fraction(self.gross_churners, self.gross_adds) if self.gross_adds else None

    @property
    def net_ratio(self) -> Fraction | None:
        return Fraction(self.net_churners, self.net_adds) if self.net_adds else None


def inout(book: Book, departures: Mapping[str, Departure], links: list[Link]) -> dict[Place, InOut]:
    """Every unit and month in which somebody left or joined, but for lines removed or never used."""
    changes = [link for link in links if link.kind == "NUMBER_CHANGE"]
    olds, news = {link.old_id for link in changes}, {link.new_id for link in changes}
    sums: dict[str, Counter[Place]] = {
        name: Counter() for name in ("churners", "changed_churners", "adds", "changed_adds")
    }
    for name, departure in departures.items():
        line = book.lines[name]
        if departure.removal is not None or not departure.is_used:
            continue
        units = list(units_of(book, line))
        for churn in departure.churns:
            places = [(*unit, month_of(churn.churn_date)) for unit in units]
            sums["churners"].update(places)
            if name in olds and churn is departure.churns[-1]:
                sums["changed_churners"].update(places)
        if line.activated_on is not None and line.activated_on <= book.day:
            places = [(*unit, month_of(line.activated_on)) for unit in units]
            sums["adds"].update(places)
            if name in news:
                sums["changed_adds"].update(places)
    return {
        place: InOut(
            gross_churners=sums["churners"][place],
            gross_adds=sums["adds"][place],
            net_churners=sums["churners"][place] - sums["changed_churners"][place],
            net_adds=sums["adds"][place] - sums["changed_adds"][place],
            final_from=final_from(place[2], book.p.reentry_days),
        )
        for place in sums["churners"] | sums["adds"]
    }


def units_of(book: Book, line: Line) -> Iterator[tuple[str, str]]:
    """Level and unit: the line's branch, and those above it."""
    branch = line.row.get("org_id")
    yield "BRANCH", branch or "UNKNOWN"
    for unit in book.upwards(branch)[1:]:
        level = book.units.get(unit, {}).get("org_level")
        if level in LEVELS:
            yield level, unit


def final_from(month: str, link_days: int) -> date:
    """The day from which the links of the month's last day stay as they are."""
    newest = month_of(month_end(month) + timedelta(days=link_days))
    return month_start(next_month(next_month(next_month(newest))))
