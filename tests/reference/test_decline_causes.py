"""Why an ARPU declined: the order of the causes and their limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.conftest import Make
from tests.reference.handmade import Landing
from tests.reference.test_signals import billed, hold, rival

TOTALS = (*(["100.00"] * 6), "60.00", "60.00")


def causes(landing: Landing) -> Any:
    return landing.reference().signals()[("1", "ARPU_DECLINE")]["causes"]


def test_without_evidence_the_cause_is_unknown(make: Make) -> None:
    assert causes(billed(make, *TOTALS)) == ["UNKNOWN"]


def test_migration_comes_before_competition_and_both_are_kept(make: Make) -> None:
    landing = billed(make, *TOTALS)
    rival(landing, "2025-03-03", "HOTLINE_OUT")
    assert causes(landing) == ["COMPETITION"]
    hold(
        landing, "PL", "PLAN", "2024-09-01", ended_at="2025-03-03", end_reason="OPERATOR_MIGRATION"
    )
    assert causes(landing) == ["OPERATOR_STRATEGY", "COMPETITION"]


def test_evidence_of_competition_is_ninety_days_old_at_most(make: Make) -> None:
    landing = billed(make, *TOTALS)
    rival(landing, "2025-03-02", "HOTLINE_OUT")
    assert causes(landing) == ["UNKNOWN"]


@pytest.mark.parametrize(
    ("discount", "cause"), [("20.00", "OPERATOR_STRATEGY"), ("19.99", "UNKNOWN")]
)
def test_our_discount_explains_half_of_the_fall(make: Make, discount: str, cause: str) -> None:
    landing = billed(make, *TOTALS)
    for (feed, _), rows in landing.rows.items():
        for row in rows:
            if feed == "billing_invoices" and row["month"] >= "2025-03":
                row["discount_cny"] = f"-{discount}"
    assert causes(landing) == [cause]


@pytest.mark.parametrize(
    ("seen_to", "cause"),
    [("2025-05-31", "PRICE_WAR"), ("2025-05-30", "UNKNOWN"), ("", "PRICE_WAR")],
)
def test_an_own_move_while_a_cheaper_offer_is_live(make: Make, seen_to: str, cause: str) -> None:
    landing = billed(make, *TOTALS)
    landing.rows["crm_subscribers", landing.first][0]["org_id"] = "B1"
    landing.add("org_units", "2024-09-01", org_id="B1", parent_org_id="C1", org_level="BRANCH")
    landing.add("org_units", "2024-09-01", org_id="C1", parent_org_id="", org_level="CITY")
    landing.add(
        "market_competitor_offers",
        "2025-05-01",
        org_id="C1",
        monthly_fee_cny="50.00",
        seen_from="2025-05-01",
        seen_to=seen_to,
    )
    hold(landing, "PL9", "PLAN", "2024-09-01", price_cny="90.00")
    hold(landing, "PL5", "PLAN", "2025-04-01", price_cny="60.00")
    assert causes(landing) == [cause]


@pytest.mark.parametrize(("now", "cause"), [("12.000", "SUBSTITUTE"), ("11.999", "UNKNOWN")])
def test_messaging_takes_the_place_of_calls(make: Make, now: str, cause: str) -> None:
    landing = billed(make, *TOTALS)
    for (feed, _), rows in landing.rows.items():
        for row in rows:
            if feed == "billing_invoices":
                row["voice_overage_cny"] = "5.00" if row["month"] >= "2025-03" else "15.00"
    landing.use("1", "2025-01-01", "2025-05-01", data_mb_messaging="10.000")
    landing.use("1", "2025-05-02", "2025-05-31", data_mb_messaging=now)
    assert causes(landing) == [cause]
