"""An operator whose files are all loaded into the core marts, looked at as of a few dates.

Here: loading, looking and asking. Not here: what lived (`conftest.py`) and what must be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dbt_session import failures
from orchestration.defs.ingestion.feeds import receive
from orchestration.installation import Installation

NO_TESTS = ("--exclude", "resource_type:test", "resource_type:unit_test")
AS_OF_DAY = "tag:as_of_day"


@dataclass(frozen=True)
class LoadedOperator:
    """An installation, and the first and last day of its files."""

    installation: Installation
    first: date
    last: date

    @property
    def landing(self) -> Path:
        return self.installation.settings.landing_zone

    def load(self) -> None:
        """Every feed of every day into raw, and staging and core from there."""
        length = (self.last - self.first).days + 1
        days = [self.first + timedelta(days=number) for number in range(length)]
        for feed in self.installation.feeds.values():
            receive(self.installation, feed, days)
        self.installation.warehouse.register(self.installation.relations)
        selection = ("resource_type:seed", "staging", "+marts.core")
        self._build(self.first, self.last, *selection, *NO_TESTS, AS_OF_DAY)

    def look_at(self, day: date) -> None:
        """What step 1 says as of the day. Days come in order."""
        self._build(day, day, AS_OF_DAY, *NO_TESTS)

    def learn(self, day: date) -> None:
        """The training rows of the month after the day's."""
        month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        self._build(day, day, "churn_training_rows", *NO_TESTS, month=month)

    def _build(self, first: date, last: date, *selection: str, month: date | None = None) -> None:
        results = self.installation.build(["--select", *selection], first, last, month)
        if not results or failures(results):
            raise AssertionError("\n".join(failures(results)) or f"nothing to build of {selection}")

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        with duckdb.connect(str(self.installation.lake.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()
