"""Everything is as known on its date: what arrives later changes nothing before it (D13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from tests.dbt.conftest import Deliver, TinyWarehouse

FIRST = date(2025, 1, 1)
EARLIER, INDEX = date(2025, 2, 28), date(2025, 3, 31)
LAST = date(2025, 4, 10)
LINES = 12
CHURNER, RETURNER, UNBILLED = 0, 1, 2

FEATURES_OF_INDEX = "step1_find.churn_features"


def at(day: date) -> datetime:
    return datetime.combine(day, time(12))


def deliver_day(deliver: Deliver, day: date) -> None:
    """A quiet operator: everybody calls every third day; one line falls silent in January."""
    number = (day - FIRST).days
    lines: list[Mapping[str, Any]] = []
    if number == 0:
        deliver(
            "org_units",
            day,
            [
                {"org_id": "hq", "org_level": "HQ", "name_en": "HQ", "name_zh": "总部"},
                {"org_id": "b", "org_level": "BRANCH", "parent_org_id": "hq"},
            ],
        )
        lines = [
            {
                "subscriber_id": f"s{i}",
                "customer_id": f"k{i}",
                "payment_mode": "PREPAID" if i % 2 == 0 or i == RETURNER else "POSTPAID",
                "service_type": "MOBILE",
                "line_class": "VOICE",
                "status": "ACTIVE",
                "status_at": at(FIRST - timedelta(days=400)),
                "activated_at": at(FIRST - timedelta(days=400)),
                "org_id": "b",
            }
            for i in range(LINES)
        ]
    deliver("crm_subscribers", day, lines)
    silent = {CHURNER} if number > 5 else set()
    deliver(
        "usage_daily",
        day,
        [
            {
                "subscriber_id": f"s{i}",
                "usage_date": day,
                "voice_out_minutes": i + 1,
                "calls_out": 1,
                "data_mb": 10,
            }
            for i in range(LINES)
            if (number + i) % 3 == 0 and i not in silent
        ],
    )
    deliver(
        "billing_payments",
        day,
        [
            {
                "payment_id": f"p{number}",
                "subscriber_id": f"s{RETURNER}",
                "paid_at": at(day),
                "amount_cny": 30,
                "payment_kind": "TOPUP",
            }
        ]
        if number % 30 == 0
        else [],
    )
    if day.day == 3:
        month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
        deliver(
            "billing_invoices",
            day,
            [
                {
                    "subscriber_id": f"s{i}",
                    "month": month,
                    "total_cny": 10 * i,
                    "plan_fee_cny": 10 * i,
                }
                for i in range(LINES)
                if i != UNBILLED
            ],
        )


@pytest.fixture(scope="module")
def warehouse(make_warehouse: Callable[[str], TinyWarehouse]) -> TinyWarehouse:
    """History to the index date, run in two bulks, the second with every data test."""
    warehouse = make_warehouse("as_of")
    with warehouse.deliveries() as deliver:
        for number in range((INDEX - FIRST).days + 1):
            deliver_day(deliver, FIRST + timedelta(days=number))
    warehouse.dbt("build", FIRST, EARLIER, "--exclude-resource-type", "unit_test", "test")
    warehouse.dbt(
        "build", EARLIER + timedelta(days=1), INDEX, "--exclude-resource-type", "unit_test"
    )
    return warehouse


def test_unit_tests_of_the_models_pass(warehouse: TinyWarehouse) -> None:
    warehouse.dbt("test", FIRST, INDEX, "--select", "test_type:unit")


def test_history_reaches_the_features(warehouse: TinyWarehouse) -> None:
    """D13: month-ends get features; who fell silent has none, with the reason."""
    dates = warehouse.query("select distinct as_of_date from step1_find.churn_features order by 1")
    assert dates == [(EARLIER,), (INDEX,)]
    index = dict(
        warehouse.query(
            "select subscriber_id, coalesce(no_index_reason, 'IN') from step1_find.churn_features"
            f" where as_of_date = date '{INDEX}'"
        )
    )
    assert len(index) == LINES
    assert index.pop("s0") == "CONFIRMED_CHURNED"
    assert set(index.values()) == {"IN"}
    revenue = dict(
        warehouse.query(
            "select subscriber_id, arpu_cny from step1_find.churn_features"
            f" where as_of_date = date '{INDEX}'"
        )
    )
    assert revenue["s3"] == 30.0
    # Never billed, but prepaid and payments are known: no top-ups, so nothing.
    assert revenue[f"s{UNBILLED}"] == 0.0


def test_later_arrivals_do_not_change_an_earlier_day(warehouse: TinyWarehouse) -> None:
    """D13: an old date run again after newer ones, with late rows about it, gives the same rows."""
    relations = (FEATURES_OF_INDEX, "core.dim_org")
    warehouse.snapshot(relations, "index")
    late = INDEX - timedelta(days=35)
    with warehouse.deliveries() as deliver:
        for number in range(1, (LAST - INDEX).days + 1):
            deliver_day(deliver, INDEX + timedelta(days=number))
        # Late news about February: the silent line had called, invoice and status are corrected.
        deliver(
            "usage_daily",
            LAST,
            [
                {"subscriber_id": "s0", "usage_date": late, "calls_out": 5, "voice_out_minutes": 9},
                {
                    "subscriber_id": "s3",
                    "usage_date": late,
                    "calls_out": 5,
                    "voice_out_minutes": 900,
                },
            ],
        )
        deliver(
            "billing_invoices",
            LAST,
            [
                {
                    "subscriber_id": "s3",
                    "month": date(2025, 2, 1),
                    "total_cny": 999,
                    "plan_fee_cny": 999,
                }
            ],
        )
        deliver(
            "crm_subscribers",
            LAST,
            [
                {
                    "subscriber_id": "s5",
                    "payment_mode": "POSTPAID",
                    "status": "TWO_WAY_SUSPENDED",
                    "status_reason": "ARREARS",
                    "status_at": at(late),
                }
            ],
        )
    # Views and seeds are there from the first run.
    models = ("path:models/intermediate", "path:models/marts")
    arguments = ("--select", *models, "--exclude", "tag:monthly")
    warehouse.dbt("run", INDEX + timedelta(days=1), LAST, *arguments)
    newest = ("core.fct_churn", "core.fct_usage_daily", "core.dim_subscribers")
    warehouse.snapshot(newest, "newest")
    warehouse.dbt("run", INDEX, INDEX, *arguments)
    assert warehouse.differences(newest, "newest") == {}
    newer = f"from {FEATURES_OF_INDEX} where as_of_date > date '{INDEX}'"
    assert warehouse.query(f"select distinct as_of_date {newer}") == [(LAST,)]
    warehouse.query(f"delete {newer}")
    assert warehouse.differences(relations, "index") == {}
    # As known now, the line had called in between and was never silent for long enough.
    assert warehouse.query("select churn_date from core.fct_churn where subscriber_id = 's0'") == []
