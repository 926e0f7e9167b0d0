"""Any sequence of runs leaves what one rebuild from scratch leaves (D01, D04)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from tests.dbt.conftest import TinyWarehouse

FIRST = date(2025, 1, 1)
SUBSCRIBERS = 40
VERSIONED = {
    "core.dim_subscribers": ("raw.crm_subscribers", "subscriber_id"),
    "core.fct_usage_daily": ("raw.usage_daily", "subscriber_id, usage_date"),
    "core.fct_payments": ("raw.billing_payments", "payment_id"),
}
RELATIONS = (
    *VERSIONED,
    "intermediate.int_complaint_steps",
    "core.fct_complaints",
    "core.fct_balances",
    "core.fct_feed_days",
    "core.dim_staff",
)
MODELS = tuple(relation.split(".")[1] for relation in RELATIONS)
WITH_PARENTS = tuple(f"+{model}" for model in MODELS)
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def some(rng: np.random.Generator, pool: int, share: float) -> list[int]:
    return [int(index) for index in np.flatnonzero(rng.random(pool) < share)]


def subscribers(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    return [
        {"subscriber_id": f"s{i}", "brand": f"b{rng.integers(3)}", "status": "ACTIVE"}
        for i in some(rng, SUBSCRIBERS, 0.3)
    ]


def usage(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    """Mostly of the day itself; some late, so that keys get several versions."""
    rows = {}
    for i in some(rng, SUBSCRIBERS, 0.7):
        late = int(rng.integers(1, 6)) if rng.random() < 0.4 else 0
        usage_date = max(dt - timedelta(days=late), FIRST)
        rows[i, usage_date] = {
            "subscriber_id": f"s{i}",
            "usage_date": usage_date,
            "voice_out_minutes": int(rng.integers(5)),
            "calls_out": int(rng.integers(3)),
        }
    return list(rows.values())


def payments(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    """From a small pool of ids: the same payment is corrected again and again."""
    return [
        {"payment_id": f"p{i}", "subscriber_id": f"s{i}", "amount_cny": int(rng.integers(50))}
        for i in some(rng, 50, 0.3)
    ]


def complaints(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    steps = ("OPENED", "ACKNOWLEDGED", "RESOLVED", "REOPENED")
    rows = {}
    for i in some(rng, 30, 0.5):
        step = steps[int(rng.integers(len(steps)))]
        at = datetime.combine(max(dt - timedelta(days=int(rng.integers(3))), FIRST), time(9))
        rows[i, step, at] = {
            "complaint_id": f"c{i}",
            "step": step,
            "at": at,
            "category": f"k{rng.integers(3)}",
        }
    return list(rows.values())


def balances(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    return [
        {"subscriber_id": f"s{i}", "balance_cny": int(rng.integers(50))}
        for i in some(rng, SUBSCRIBERS, 0.8)
    ]


def staff(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    return [{"staff_id": f"t{i}", "role": f"r{rng.integers(2)}"} for i in some(rng, 10, 0.7)]


FEEDS: Mapping[str, Callable[[np.random.Generator, date], list[Mapping[str, Any]]]] = {
    "crm_subscribers": subscribers,
    "usage_daily": usage,
    "billing_payments": payments,
    "care_complaints": complaints,
    "billing_balances": balances,
    "org_staff": staff,
}


def deliver(
    warehouse: TinyWarehouse, rng: np.random.Generator, days: range, withdrawn: float = 0.1
) -> None:
    """New contents for each feed and day: rows come, change and vanish, some files do not come."""
    with warehouse.deliveries() as delivered:
        for number in days:
            for feed, rows in FEEDS.items():
                is_withdrawn = rng.random() < withdrawn
                delivered(feed, day(number), None if is_withdrawn else rows(rng, day(number)))


def assert_versions_are_exact(warehouse: TinyWarehouse) -> None:
    """Against an independent reading of raw: each row ends where the next one of its key starts."""
    for relation, (raw, key) in VERSIONED.items():
        expected = (
            f"select {key}, dt, coalesce(lead(dt) over (partition by {key} order by dt),"
            f" date '9999-12-31') from {raw}"
        )
        actual = f"select {key}, visible_from, visible_to from {relation}"
        wrong = warehouse.query(
            f"(({expected}) except all ({actual})) union all (({actual}) except all ({expected}))"
        )
        assert wrong == [], relation


def test_runs_in_any_order_equal_one_rebuild(
    make_warehouse: Callable[[str], TinyWarehouse],
) -> None:
    """D01, D04: late, corrected, vanished and withdrawn rows, and old dates run again."""
    warehouse = make_warehouse("any_order")
    rng = np.random.default_rng(7)

    def run(first: int, last: int, *arguments: str, models: tuple[str, ...] = MODELS) -> None:
        selection = ("--select", *models, *NO_TESTS)
        warehouse.dbt("build", day(first), day(last), *selection, *arguments)

    # A bulk of history.
    deliver(warehouse, rng, range(9))
    run(0, 8, models=WITH_PARENTS)
    assert_versions_are_exact(warehouse)

    # An old range is delivered anew, while a newer day lies in raw that was not run yet.
    deliver(warehouse, rng, range(2, 5), withdrawn=0.3)
    deliver(warehouse, rng, range(9, 10))
    run(2, 4)
    run(9, 9)
    assert_versions_are_exact(warehouse)

    # A run again changes nothing, and neither does a rebuild from scratch.
    warehouse.snapshot(RELATIONS, "incremental")
    run(3, 8)
    assert warehouse.differences(RELATIONS, "incremental") == {}
    run(0, 9, "--full-refresh")
    assert warehouse.differences(RELATIONS, "incremental") == {}
    several = "select count(*) from core.fct_usage_daily where visible_to < date '9999-12-31'"
    assert warehouse.query(several)[0][0] > 20
