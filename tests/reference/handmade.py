"""A tiny operator written by hand: its landing files, row by row.

Here: a builder of landing files for the tests of the reference. Not here: rules, simulation.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.reference.book import Book
from tests.reference.delivered import KEYS
from tests.reference.evaluate import Reference
from tests.reference.parameters import DEFAULTS, Parameters

# Feeds whose silence proves something; the others matter only by their rows.
EVENTS = (
    "billing_adjustments",
    "care_complaints",
    "care_interactions",
    "usage_competitor_contacts",
)


def day(text: str) -> date:
    return date.fromisoformat(text)


class Landing:
    """Feeds from `first` to `last`; `usage_daily` and `daily` come each day unless lost."""

    def __init__(self, folder: Path, first: str, last: str, daily: Iterable[str] = ()) -> None:
        self.folder, self.first, self.last = folder, day(first), day(last)
        self.daily = {"usage_daily", *daily}
        self.is_written = False
        self.rows: dict[tuple[str, date], list[dict[str, Any]]] = defaultdict(list)
        self.lost: set[tuple[str, date]] = set()
        self.count = 0

    def add(self, feed: str, dt: str | date, **row: Any) -> None:
        """A row of the file of that date; a key that is not given is made up."""
        self.count += 1
        for key in KEYS[feed]:
            if key != "dt":
                row.setdefault(key, f"K{self.count}")
        released = day(dt) if isinstance(dt, str) else dt
        self.rows[feed, max(released, self.first)].append(row)
        self.is_written = False

    def lose(self, feed: str, dt: str) -> None:
        self.lost.add((feed, day(dt)))
        self.is_written = False

    def line(
        self, name: str, activated: str = "2020-01-01", prepaid: bool = True, **row: Any
    ) -> None:
        """A MOBILE line that is ACTIVE from its activation on."""
        self.add(
            "crm_subscribers",
            activated,
            **{
                "subscriber_id": name,
                "customer_id": f"C{name}",
                "msisdn": f"139{name:0>8}",
                "payment_mode": "PREPAID" if prepaid else "POSTPAID",
                "service_type": "MOBILE",
                "line_class": "VOICE",
                "activated_at": f"{activated} 10:00:00",
                "status": "ACTIVE",
                "status_reason": "NONE",
                "status_at": f"{activated} 10:00:00",
                **row,
            },
        )

    def status(
        self, name: str, dt: str, status: str, reason: str = "NONE", since: str | None = None
    ) -> None:
        """The line's status at the end of the day."""
        own = next(
            row
            for (feed, _), rows in self.rows.items()
            for row in rows
            if feed == "crm_subscribers" and row["subscriber_id"] == name
        )
        changed = {
            "status": status,
            "status_reason": reason,
            "status_at": f"{since or dt} 12:00:00",
        }
        self.add("crm_subscribers", dt, **{**own, **changed})

    def use(self, name: str, first: str, last: str, **measures: Any) -> None:
        """The same usage on each day; by default one call of ten minutes each way and 50 MB."""
        measures = measures or {
            "calls_out": 1,
            "calls_in": 1,
            "voice_out_minutes": "10.00",
            "voice_in_minutes": "10.00",
            "voice_competitor_minutes": "2.00",
            "sms_out": 0,
            "data_mb": "50.000",
            "slow_data_mb": 0,
        }
        at = day(first)
        while at <= day(last):
            self.add("usage_daily", at, subscriber_id=name, usage_date=at, **measures)
            at += timedelta(days=1)

    def circle(
        self, name: str, month: str, dt: str, members: Iterable[tuple[str, int, bool]]
    ) -> None:
        """(number, minutes, is_onnet) of a month."""
        for number, minutes, is_onnet in members:
            self.add(
                "usage_call_circle",
                dt,
                subscriber_id=name,
                month=month,
                counterparty_msisdn=number,
                minutes_out=minutes,
                minutes_in=0,
                is_onnet=str(is_onnet).lower(),
            )

    def write(self) -> Path:
        if self.is_written:
            return self.folder
        self.is_written = True
        shutil.rmtree(self.folder, ignore_errors=True)
        for feed in {*self.daily, *(feed for feed, _ in self.rows)}:
            (self.folder / feed).mkdir(parents=True, exist_ok=True)
            dates = {dt for other, dt in self.rows if other == feed}
            if feed in self.daily:
                span = (self.last - self.first).days
                dates |= {self.first + timedelta(days=offset) for offset in range(span + 1)}
            for dt in dates:
                if (feed, dt) not in self.lost:
                    self._write_file(feed, dt)
        return self.folder

    def _write_file(self, feed: str, dt: date) -> None:
        rows = self.rows.get((feed, dt), [])
        names = dict.fromkeys(name for name in KEYS[feed] if name != "dt")
        for row in rows:
            names.update(dict.fromkeys(row))
        path = self.folder / feed / f"{feed}_{dt:%Y%m%d}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)

    def book(self, as_of: str | None = None, p: Parameters = DEFAULTS) -> Book:
        return Book.as_of(self.write(), day(as_of) if as_of else self.last, p)

    def reference(self, as_of: str | None = None, p: Parameters = DEFAULTS) -> Reference:
        return Reference(self.book(as_of, p))

    def says(
        self, code: str, name: str = "1", as_of: str | None = None, p: Parameters = DEFAULTS
    ) -> bool | None:
        """What the reference says of one line."""
        reference = self.reference(as_of, p)
        return reference.finding(reference.book.lines[name], code).is_true
