"""Value as of a date, through all models: what is delivered counts, what comes later does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time

import pytest

from tests.dbt.conftest import Deliver, TinyWarehouse

FIRST, INDEX, LATER = date(2024, 12, 1), date(2025, 3, 31), date(2025, 4, 3)
LINES = 10
VALUES = ("step1_find.subscriber_values", "step1_find.lifetime_values")
RELATIONS = (*VALUES, "step1_find.loyalty_quadrants", "step1_find.segment_rows")
FOLDER = "path:models/marts/step1_find/value"
SELECTION = ("--select", f"+{FOLDER}")


def at(day: date) -> datetime:
    return datetime.combine(day, time(10))


def bill(month: date, factor: int = 1) -> list[dict[str, object]]:
    """Line i pays 10 i a month, of which line 9 pays 9 for VAS."""
    return [
        {
            "subscriber_id": f"s{i}",
            "month": month,
            "total_cny": 10 * i * factor,
            "vas_cny": 9 if i == 9 else 0,
        }
        for i in range(LINES)
    ]


def deliver_history(deliver: Deliver) -> None:
    deliver(
        "crm_subscribers",
        FIRST,
        [
            {
                "subscriber_id": f"s{i}",
                "customer_id": f"c{i}",
                "payment_mode": "POSTPAID",
                "service_type": "MOBILE",
                "line_class": "VOICE",
                "brand": "GOLD",
                "org_id": "b1",
                "activated_at": at(date(2020, 1, 1)),
                "status": "ACTIVE",
                "status_reason": "NONE",
                "status_at": at(date(2020, 1, 1)),
            }
            for i in range(LINES)
        ],
    )
    deliver(
        "crm_customers",
        FIRST,
        [
            {"customer_id": "c0", "vip_level": 1, "org_class": "GROUP", "points_balance": 1000},
            {"customer_id": "c1", "vip_level": 0, "org_class": "INDIVIDUAL", "points_balance": 999},
        ],
    )
    deliver(
        "billing_subscriptions",
        FIRST,
        [
            {
                "subscription_id": f"v{number}",
                "subscriber_id": "s9",
                "product_id": f"V{number}",
                "product_kind": "VAS",
                "started_at": at(FIRST),
            }
            for number in (1, 2)
        ],
    )
    for month, released in (
        (date(2024, 12, 1), date(2025, 1, 3)),
        (date(2025, 1, 1), date(2025, 2, 3)),
        (date(2025, 2, 1), date(2025, 3, 3)),
    ):
        deliver("billing_invoices", released, bill(month))
    deliver(
        "field_questionnaires",
        INDEX,
        [
            {
                "work_order_id": "w1",
                "questionnaire_code": "HF01",
                "question_code": "OVERALL_SATISFACTION",
                "subscriber_id": "s9",
                "answer_code": "5",
                "at": at(INDEX),
            }
        ],
    )


@pytest.fixture(scope="module")
def warehouse(make_warehouse: Callable[[str], TinyWarehouse]) -> TinyWarehouse:
    warehouse = make_warehouse("value")
    with warehouse.deliveries() as deliver:
        deliver_history(deliver)
    warehouse.query(
        "insert into loop.churn_scores (subscriber_id, churn_probability_near, churn_probability_mid,"
        " churn_probability_far, dt)"
        f" values ('s8', 0.5, 0.875, 0.984375, date '{INDEX}'), ('s9', 0, 0, 0, date '{INDEX}')"
    )
    warehouse.dbt("seed", FIRST, INDEX)
    warehouse.dbt("run", FIRST, INDEX, *SELECTION)
    warehouse.dbt("test", FIRST, INDEX, "--select", FOLDER)
    return warehouse


def test_o42_o44_o46_what_is_delivered_counts(warehouse: TinyWarehouse) -> None:
    """Margin is 60% of the bill, 35% of VAS; s0 is on the VIP list; s9 alone holds services."""
    rows = warehouse.query(
        "select subscriber_id, margin_12m_cny, value_tier, tier_source, services_held, arpu_band,"
        " points_band, org_class from step1_find.subscriber_values order by profit_rank"
    )
    assert [row[0] for row in rows] == [f"s{i}" for i in reversed(range(LINES))]
    margins = [12 * (6 * i - (9 * 0.25 if i == 9 else 0)) for i in reversed(range(LINES))]
    assert [row[1] for row in rows] == pytest.approx(margins)
    assert [row[2] for row in rows] == ["VIP", *["MIDDLE"] * 3, *["ORDINARY"] * 4, "LOW", "VIP"]
    assert {row[3] for row in rows[:-1]} == {"MARGIN"}
    assert rows[-1][3:] == ("VIP_LIST", 0, "A5", "P3", "GROUP")
    assert rows[0][4:6] == (2, "A3")
    assert rows[-2][6:] == ("P4", "INDIVIDUAL")


def test_o43_lifetime_value_of_who_has_a_score(warehouse: TinyWarehouse) -> None:
    rows = warehouse.query(
        "select subscriber_id, clv_12m_cny, revenue_at_risk_cny from step1_find.lifetime_values"
        " order by subscriber_id"
    )
    stays = [sum(stay**t / 1.1 ** (t / 12) for t in range(1, 13)) for stay in (0.5, 1.0)]
    margins = [48.0, 54 - 9 * 0.25]
    assert [row[0] for row in rows] == ["s8", "s9"]
    assert [row[1] for row in rows] == pytest.approx(
        [m * s for m, s in zip(margins, stays, strict=True)]
    )
    assert [row[2] for row in rows] == pytest.approx([80 * (12 - (1 - 2**-12)), 0], abs=1e-9)


def test_o47_a_questionnaire_is_no_proxy(warehouse: TinyWarehouse) -> None:
    rows = warehouse.query(
        "select loyalty_quadrant, attitude_source, is_attitude_proxy, repeat_score, is_repeat_proxy"
        " from step1_find.loyalty_quadrants where subscriber_id = 's9'"
    )
    assert rows == [("LOYAL", "QUESTIONNAIRE", False, 1.0, False)]


def test_later_arrivals_do_not_change_value_of_an_earlier_date(warehouse: TinyWarehouse) -> None:
    """D13: an old date run again after newer ones, with news about it, gives the same rows."""
    warehouse.snapshot(RELATIONS, "index")
    with warehouse.deliveries() as deliver:
        deliver("billing_invoices", LATER, [*bill(date(2025, 2, 1), 9), *bill(date(2025, 3, 1), 9)])
        deliver(
            "crm_customers",
            LATER,
            [{"customer_id": "c0", "vip_level": 0, "org_class": "INDIVIDUAL"}],
        )
        deliver(
            "field_questionnaires",
            LATER,
            [
                {
                    "work_order_id": "w1",
                    "questionnaire_code": "HF01",
                    "question_code": "OVERALL_SATISFACTION",
                    "subscriber_id": "s9",
                    "answer_code": "1",
                    "at": at(INDEX),
                }
            ],
        )
    warehouse.dbt("run", date(2025, 4, 1), LATER, *SELECTION)
    rows = warehouse.query(
        "select as_of_date, revenue_month_cny from step1_find.subscriber_values"
        " where subscriber_id = 's9' order by 1"
    )
    assert rows == [(INDEX, 90.0), (LATER, pytest.approx((90 * 2 + 810 * 2) / 4))]
    warehouse.dbt("run", INDEX, INDEX, *SELECTION)
    for relation in RELATIONS:
        warehouse.query(f"delete from {relation} where as_of_date > date '{INDEX}'")
    assert warehouse.differences(RELATIONS, "index") == {}
