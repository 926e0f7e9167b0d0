"""A small operator with dirt in its files: lived once, loaded once, looked at as of a few dates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from orchestration.defs.ingestion.feeds import receive
from orchestration.installation import Installation
from orchestration.settings import Settings
from orchestration.simulator import simulate
from tests.reference.evaluate import Reference

FIRST, DAYS = date(2024, 7, 1), 240
LAST = FIRST + timedelta(days=DAYS - 1)
# A month-end; a date after the circles of the month came; the last, with the state of the one before.
DATES = (date(2025, 1, 31), LAST - timedelta(days=5), LAST)
INDEX = date(2024, 9, 30)  # whose labels are mature on the last date
SUBSCRIBERS, SEED = 700, 31
DIRT = "light,missing_file=1.5%,absent_column=1%"
NO_TESTS = ("--exclude", "resource_type:test", "resource_type:unit_test")


@dataclass(frozen=True)
class Operator:
    """An installation with every day loaded into the core marts."""

    installation: Installation

    @property
    def landing(self) -> Path:
        return self.installation.settings.landing_zone

    def load(self) -> None:
        """Every feed of every day into raw, and staging and core from there."""
        days = [FIRST + timedelta(days=number) for number in range(DAYS)]
        for feed in self.installation.feeds.values():
            receive(self.installation, feed, days)
        self.installation.warehouse.register(self.installation.relations)
        selection = ("resource_type:seed", "staging", "+marts.core")
        self.build(FIRST, LAST, "--select", *selection, *NO_TESTS, "tag:as_of_day")

    def look_at(self, day: date) -> None:
        """What step 1 says as of the day."""
        self.build(day, day, "--select", "tag:as_of_day", *NO_TESTS)

    def learn(self, day: date) -> None:
        """The training rows of the month after the day's."""
        month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        self.build(day, day, "--select", "churn_training_rows", *NO_TESTS, month=month)

    def build(self, first: date, last: date, *selection: str, month: date = date.max) -> None:
        variables = json.dumps(
            {"from_date": str(first), "to_date": str(last), "month": str(month.replace(day=1))}
        )
        with self.installation.exported():
            results = self.installation.dbt.build(selection, variables)
        failures = [f"{node.unique_id}: {node.message}" for node in results if not node.is_good]
        assert results
        assert not failures, "\n".join(failures)

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        with duckdb.connect(str(self.installation.lake.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    home = tmp_path_factory.mktemp("operator")
    settings = Settings(home=home, secret_key=SecretStr("test"), start_date=FIRST, threads=2)
    simulate(
        SUBSCRIBERS, FIRST, LAST, SEED, settings.landing_zone, settings.home / "truth", dirt=DIRT
    )
    operator = Operator(Installation(settings))
    operator.load()
    operator.look_at(INDEX)
    return operator


@pytest.fixture(scope="session", params=DATES, ids=str)
def looked_at(operator: Operator, request: pytest.FixtureRequest) -> tuple[Operator, Reference]:
    """The platform and the reference as of one date; the dates come in order."""
    operator.look_at(request.param)
    return operator, Reference.as_of(operator.landing, request.param)
