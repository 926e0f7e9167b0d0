"""Use on days out of service, carried from day to day, is what a computation from scratch gives (D06)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from tests.dbt.conftest import TinyWarehouse

FIRST = date(2025, 1, 1)
BULK = date(2025, 5, 27)
LINES = 12
# As-of days after the bulk: one by one, two at once, over a month's end.
STEPS = (1, 2, 3, 5, 6, 8)
CORE = ("fct_usage_daily", "dim_subscribers", "fct_feed_days")
AS_OF = ("int_known_days", "int_standings", "int_days_told_late", "int_inactive_days")
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
STATE = "intermediate.int_inactive_days"
STATUSES = ("ACTIVE", "ACTIVE", "ONE_WAY_SUSPENDED", "TWO_WAY_SUSPENDED")
ABSENT = 0.1  # share of files that never come

Version = tuple[date, str | None, date | None, date | None]  # told on, status, of, activated on


def lines_of(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    """Statuses of the day, of days before, of none; some lines come late, some never get a status."""
    told = []
    for i in range(LINES):
        if (dt - FIRST).days < 12 * (i % 4) or rng.random() < 0.9 - 0.5 * (dt == FIRST):
            continue
        back = int(rng.integers(1, 30)) if rng.random() < 0.5 else 0
        of = dt - timedelta(days=back)
        is_untold = i == 3 or (i % 5 == 0 and (dt - FIRST).days < 100)
        told.append(
            {
                "subscriber_id": f"s{i}",
                "status": None if is_untold else str(rng.choice(STATUSES)),
                "status_at": datetime.combine(of, time(12)) if rng.random() < 0.8 else None,
                "activated_at": datetime.combine(
                    date(1900, 1, 1) if rng.random() < 0.2 else of - timedelta(days=3), time(9)
                ),
            }
        )
    return told


def use_of(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    """Use of the day and late, corrected rows of days before; of a line that nobody told us of as well."""
    found = {}
    for i in range(LINES + 1):
        for back in (0, *rng.integers(1, 60, size=int(rng.random() < 0.3))):
            usage_date = max(dt - timedelta(days=int(back)), FIRST)
            if rng.random() < 0.7:
                found[i, usage_date] = {
                    "subscriber_id": f"s{i}",
                    "usage_date": usage_date,
                    "voice_out_minutes": float(rng.integers(999)) / 100,
                    "calls_out": int(rng.integers(3)),
                }
    return list(found.values())


class Told:
    """What was delivered, and what the plain reading of it is."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self.use: dict[tuple[str, date], list[tuple[date, float]]] = {}
        self.known: set[date] = set()

    def is_active(self, line: str, on: date, as_of: date) -> bool:
        versions = [version for version in self.versions.get(line, []) if version[0] <= as_of]
        with_status = [version for version in versions if version[1]]
        if not versions:
            return False
        if not with_status:
            credible = [version[3] for version in versions if version[3]]
            return on >= (credible[-1] if credible else versions[0][0])
        status, earlier = None, None
        for told_on, new, of, activated_on in with_status:
            if new == earlier:
                continue
            of = of if of and of <= told_on else None
            if earlier is None and of is None and new == "ACTIVE":
                of = activated_on
            since = min(of or told_on, told_on)
            earlier = new
            if on >= since:
                status = new
        return status == "ACTIVE"

    def inactive(self, as_of: date) -> set[tuple[str, date, float]]:
        """Line, day and minutes of the use on days out of service."""
        first = as_of.replace(day=1)
        for _ in range(4):
            first = (first - timedelta(days=1)).replace(day=1)
        found = set()
        for (line, on), told in self.use.items():
            visible = [minutes for told_on, minutes in told if told_on <= as_of]
            is_of_window = first <= on <= as_of and on in self.known
            if visible and is_of_window and not self.is_active(line, on, as_of):
                found.add((line, on, visible[-1]))
        return found


def test_inactive_days_carried_forward_equal_a_computation_from_scratch(
    make_warehouse: Callable[[str], TinyWarehouse],
) -> None:
    """D06: statuses told late, never, or of lines not yet known; corrected use; missing files."""
    warehouse = make_warehouse("inactive_days")
    rng = np.random.default_rng(5)
    told = Told()

    def arrive(days: range) -> None:
        with warehouse.deliveries() as deliver:
            for number in days:
                dt = FIRST + timedelta(days=number)
                lines, use = lines_of(rng, dt), use_of(rng, dt)
                deliver("crm_subscribers", dt, lines)
                for row in lines:
                    status_at, activated_at = row["status_at"], row["activated_at"]
                    told.versions.setdefault(row["subscriber_id"], []).append(
                        (
                            dt,
                            row["status"],
                            status_at and status_at.date(),
                            activated_at.date() if activated_at.year >= 1990 else None,
                        )
                    )
                if number > 0 and rng.random() < ABSENT:
                    deliver("usage_daily", dt, None)
                    continue
                deliver("usage_daily", dt, use)
                told.known.add(dt)
                for row in use:
                    told.use.setdefault((row["subscriber_id"], row["usage_date"]), []).append(
                        (dt, row["voice_out_minutes"])
                    )

    def kept(as_of: date) -> set[tuple[str, date, float]]:
        rows = warehouse.query(
            f"select subscriber_id, usage_date, voice_out_minutes from {STATE} where as_of_date = date '{as_of}'"
        )
        found = {(line, on, float(minutes)) for line, on, minutes in rows}
        assert len(found) == len(rows)
        return found

    bulk = (BULK - FIRST).days
    arrive(range(bulk + 1))
    warehouse.dbt("build", FIRST, BULK, "--select", "+int_inactive_days", *NO_TESTS)
    assert kept(BULK) == told.inactive(BULK)
    assert told.inactive(BULK)

    last = bulk
    for step in STEPS:
        now = bulk + step
        arrive(range(last + 1, now + 1))
        first_day, as_of = FIRST + timedelta(days=last + 1), FIRST + timedelta(days=now)
        warehouse.dbt("run", first_day, as_of, "--select", *CORE)
        warehouse.dbt("run", as_of, as_of, "--select", *AS_OF)
        assert kept(as_of) == told.inactive(as_of)
        last = now

    as_of = FIRST + timedelta(days=last)
    warehouse.snapshot((STATE,), "carried")
    warehouse.dbt("run", as_of, as_of, "--select", *AS_OF, "--full-refresh")
    carried = f"select * from kept_carried.intermediate_int_inactive_days where as_of_date = date '{as_of}'"
    scratch = f"select * from {STATE}"
    assert (
        warehouse.query(
            f"(({carried}) except ({scratch})) union all (({scratch}) except ({carried}))"
        )
        == []
    )
