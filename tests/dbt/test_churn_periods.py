"""The period machine (O11 to O13) walked day by day: total, exclusive, legal, and as the rules say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.dbt.conftest import TinyWarehouse

FIRST = date(2025, 4, 1)
DAYS = 14
LINES = 300
COOLDOWN, REVIVED, WEAK = 3, 6, 6  # short, so that a short walk meets them all
INDEX = 40
RANK = {"HEALTHY": 0, "WARNING": 1, "ALARM": 2}
# What the machine reads, with the columns that it reads of it.
INPUTS = {
    "intermediate.int_signal_parameters": "weak_signal_days integer, warning_cci_mid integer,"
    " period_cooldown_days integer, revived_warning_days integer, alarm_extra_signals varchar",
    "intermediate.int_known_days": "known_on date, day_number bigint",
    "staging.stg_loop__churn_scores": "subscriber_id varchar, as_of_date date,"
    " churn_probability_mid double",
    "intermediate.int_lines": "as_of_date date, subscriber_id varchar, org_id varchar, status varchar,"
    " status_reason varchar, is_active boolean, is_held boolean",
    "intermediate.int_churn": "as_of_date date, subscriber_id varchar, org_id varchar,"
    " confirmed_at date, returned_on date, is_operator_removed boolean",
    "step1_find.signals": "as_of_date date, subscriber_id varchar, kind varchar, is_weak boolean,"
    " first_seen date",
    "step1_find.dual_handsets": "subscriber_id varchar, as_of_date date, dual_handset boolean",
    "intermediate.int_findings_rivals": "subscriber_id varchar, has_hotline_out boolean,"
    " port_intent boolean",
    "intermediate.int_usage_ratios": "subscriber_id varchar, is_usage_alarm boolean,"
    " is_usage_high boolean",
}


@dataclass
class Life:
    """One line: what is true of it today, and the machine's own reading of it."""

    alarm: bool = False
    index: int | None = None
    weak_since: date | None = None
    event_on: date | None = None
    is_held: bool = False
    confirmed_at: date | None = None
    returned_on: date | None = None
    period: str | None = None
    entered_at: date | None = None
    alarm_clear: int = 0
    clear: int = 0
    weak_event_until: date | None = None

    def moves(self, rng: np.random.Generator, day: date) -> None:
        """What happens to the line over night."""
        if self.confirmed_at is not None and self.returned_on is None:
            if rng.random() < 0.05:
                self.returned_on = day
            return
        if rng.random() < 0.01:
            self.confirmed_at, self.returned_on = day, None
            return
        self.alarm = rng.random() < (0.8 if self.alarm else 0.04)
        if self.weak_since is None and rng.random() < 0.03:
            self.weak_since = day
        elif self.weak_since is not None and rng.random() < 0.1:
            self.weak_since = None
        self.index = int(rng.integers(INDEX - 30, INDEX + 1)) if rng.random() < 0.8 else None
        self.event_on = day if rng.random() < 0.01 else None
        self.is_held = rng.random() < (0.7 if self.is_held else 0.02)

    @property
    def is_churned(self) -> bool:
        return self.confirmed_at is not None and self.returned_on is None

    def judged(self, day: date, is_known: bool) -> str:
        """The rules, one line at a time."""
        before = self.period
        warns = self.weak_since is not None and (day - self.weak_since).days < WEAK
        if self.event_on == day:
            self.weak_event_until = day + timedelta(days=WEAK - 1)
        warns = warns or (self.weak_event_until is not None and day <= self.weak_event_until)
        warns = warns or (self.index is not None and self.index >= INDEX)
        is_still = (self.is_held or not is_known) and before != "CHURNED"
        if not is_still:
            self.alarm_clear = 0 if self.alarm else self.alarm_clear + (before is not None)
            self.clear = 0 if self.alarm or warns else self.clear + (before is not None)
        just_back = before == "CHURNED" or (
            self.returned_on is not None and (day - self.returned_on).days < REVIVED
        )
        if self.is_churned:
            now = "CHURNED"
        elif is_still:
            now = before or "HEALTHY"
        elif self.alarm or (before == "ALARM" and self.alarm_clear < COOLDOWN):
            now = "ALARM"
        elif warns or just_back or (before in ("ALARM", "WARNING") and self.clear < COOLDOWN):
            now = "WARNING"
        else:
            now = "HEALTHY"
        if now != before:
            self.entered_at = self.confirmed_at if now == "CHURNED" else day
        self.period = now
        return now


def tell(warehouse: TinyWarehouse, lives: dict[str, Life], day: date, known: list[date]) -> None:
    """Fill the inputs with what is true on the day."""
    names = list(lives)
    frames: dict[str, list[tuple[Any, ...]]] = {
        "intermediate.int_signal_parameters": [
            (WEAK, INDEX, COOLDOWN, REVIVED, "PORT_INTENT")
        ],
        "intermediate.int_known_days": [(each, number) for number, each in enumerate(known, 1)],
        "staging.stg_loop__churn_scores": [
            (name, day, life.index / 100) for name, life in lives.items() if life.index is not None
        ],
        "intermediate.int_lines": [
            (day, name, "b", "ACTIVE", "OPERATOR" if lives[name].is_held else None, not lives[name].is_held,
             lives[name].is_held)
            for name in names
        ],
        "intermediate.int_churn": [
            (day, name, "b", life.confirmed_at, life.returned_on, False)
            for name, life in lives.items()
            if life.confirmed_at is not None
        ],
        "step1_find.signals": [
            (day, name, "STATE", True, life.weak_since)
            for name, life in lives.items()
            if life.weak_since is not None
        ]
        + [(day, name, "EVENT", True, day) for name, life in lives.items() if life.event_on == day],
        "step1_find.dual_handsets": [(name, day, None) for name in names],
        "intermediate.int_findings_rivals": [
            (name, lives[name].alarm and number % 2 == 0, None) for number, name in enumerate(names)
        ],
        "intermediate.int_usage_ratios": [
            (name, lives[name].alarm and number % 2 == 1, number % 3 == 0)
            for number, name in enumerate(names)
        ],
    }  # fmt: skip
    with duckdb.connect(str(warehouse.path)) as connection:
        for schema in ("staging", "intermediate", "step1_find"):
            connection.execute(f"create schema if not exists {schema}")
        for relation, columns in INPUTS.items():
            connection.execute(f"create or replace table {relation} ({columns})")
            rows = [
                [None if each is None else str(each) for each in row] for row in frames[relation]
            ]
            if rows:
                told = pd.DataFrame(rows, columns=[part.split()[0] for part in columns.split(", ")])
                connection.register("told", told)
                typed = ", ".join(
                    f"cast(cast({name} as varchar) as {kind})"
                    for name, kind in (part.split() for part in columns.split(", "))
                )
                connection.execute(f"insert into {relation} select {typed} from told")


@pytest.mark.parametrize("seed", [7])
def test_every_walk_is_total_exclusive_and_legal(
    make_warehouse: Callable[[str], TinyWarehouse], seed: int
) -> None:
    warehouse = make_warehouse(f"periods_{seed}")
    rng = np.random.default_rng(seed)
    lives = {f"s{number}": Life() for number in range(LINES)}
    before: dict[str, str] = {}
    known: list[date] = []
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        if number:
            for life in lives.values():
                life.moves(rng, day)
        is_known = number % 11 != 5
        if is_known:
            known.append(day)
        if number % 17 == 9:
            continue  # nothing is run: an unknown day
        tell(warehouse, lives, day, known)
        warehouse.dbt("run", day, day, "--select", "churn_periods")
        found = warehouse.query(
            "select subscriber_id, churn_period, entered_at, revived_on"
            f" from step1_find.churn_periods where as_of_date = date '{day}' order by 1"
        )
        assert [row[0] for row in found] == sorted(lives)  # total, and one period a day
        for name, period, entered_at, revived_on in found:
            assert period == lives[name].judged(day, is_known), (day, name)
            assert entered_at == lives[name].entered_at, (day, name)
            assert entered_at <= day
            if before.get(name) == "CHURNED":
                assert period != "HEALTHY", (day, name)
                assert period == "CHURNED" or revived_on is not None
            if not is_known and before.get(name) in RANK and period != "CHURNED":
                assert period == before[name], (day, name)
            before[name] = period
    warehouse.dbt(
        "test", FIRST, FIRST + timedelta(days=DAYS), "--select", "churn_periods,test_type:data"
    )
