"""Signals of traffic, standing, complaints, rivals, bills and holdings, both sides of each limit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.conftest import Make
from tests.reference.handmade import EVENTS, Landing

FIRST, LAST = "2025-01-01", "2025-05-31"
QUIET = {"calls_out": 0, "calls_in": 0, "sms_out": 3, "data_mb": "5.000"}


# O01


def zero_since(make: Make, last_call: str, **row: Any) -> Landing:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1", **row)
    landing.use("1", "2025-05-01", last_call)
    return landing


@pytest.mark.parametrize(
    ("as_of", "fires"), [("2025-05-14", False), ("2025-05-15", True), ("2025-05-30", False)]
)
def test_zero_calls_fire_once_on_the_fifth_day(make: Make, as_of: str, fires: bool) -> None:
    landing = zero_since(make, "2025-05-10")
    assert landing.says("ZERO_CALL_5D", as_of=as_of) is fires


def test_an_incoming_call_breaks_the_streak_and_sms_and_data_do_not(make: Make) -> None:
    landing = zero_since(make, "2025-05-10")
    landing.use("1", "2025-05-11", "2025-05-14", **QUIET)
    landing.use("1", "2025-05-15", "2025-05-15", **(QUIET | {"calls_in": 1}))
    assert landing.says("ZERO_CALL_5D", as_of="2025-05-15") is False
    landing = zero_since(make, "2025-05-10")
    landing.use("1", "2025-05-11", "2025-05-15", **QUIET)
    (finding,) = (landing.reference("2025-05-15").findings[key] for key in [("1", "ZERO_CALL_5D")])
    assert finding.is_true is True
    assert finding.evidence["has_data_in_streak"] is True


@pytest.mark.parametrize(("lost", "says"), [(2, True), (3, None)])
def test_unknown_days_are_skipped_up_to_two(make: Make, lost: int, says: bool | None) -> None:
    landing = zero_since(make, "2025-05-10")
    for number in range(lost):
        landing.lose("usage_daily", f"2025-05-{13 + number}")
    assert landing.says("ZERO_CALL_5D", as_of=f"2025-05-{14 + lost}") is not True
    assert landing.says("ZERO_CALL_5D", as_of=f"2025-05-{15 + lost}") is says


def test_no_streak_for_who_is_barred_suspended_or_has_no_voice(make: Make) -> None:
    assert (
        zero_since(make, "2025-05-10", line_class="DATA_ONLY").says(
            "ZERO_CALL_5D", as_of="2025-05-15"
        )
        is False
    )
    assert (
        zero_since(make, "2025-05-10", service_bars="ROAMING_BAR").says(
            "ZERO_CALL_5D", as_of="2025-05-15"
        )
        is False
    )
    landing = zero_since(make, "2025-05-10")
    landing.status("1", "2025-05-14", "ONE_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-05-15", "ACTIVE")
    assert landing.says("ZERO_CALL_5D", as_of="2025-05-15") is False
    assert landing.says("ZERO_CALL_5D", as_of="2025-05-19") is True


# O02, O04, O06


@pytest.mark.parametrize(("as_of", "fires"), [("2025-05-16", False), ("2025-05-17", True)])
def test_double_suspension_of_seven_days(make: Make, as_of: str, fires: bool) -> None:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    landing.status("1", "2025-05-05", "ONE_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-05-10", "TWO_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-05-14", "TWO_WAY_SUSPENDED", "EXPIRED", since="2025-05-10")
    assert landing.says("DOUBLE_SUSPENSION_7D", as_of=as_of) is fires


def test_no_double_suspension_for_the_operators_reasons_revived_or_postpaid(make: Make) -> None:
    for reason, prepaid in (("LOST_SIM", True), ("FRAUD", True), ("ARREARS", False)):
        landing = make("2025-05-01", "2025-05-31")
        landing.line("1", prepaid=prepaid)
        landing.status("1", "2025-05-10", "TWO_WAY_SUSPENDED", reason)
        assert landing.says("DOUBLE_SUSPENSION_7D") is False
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    landing.status("1", "2025-05-10", "TWO_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-05-17", "ACTIVE")
    assert landing.says("DOUBLE_SUSPENSION_7D", as_of="2025-05-17") is False


def test_reason_tells_voluntary_from_arrears(make: Make) -> None:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    landing.status("1", "2025-05-10", "ONE_WAY_SUSPENDED", "CUSTOMER_REQUEST")
    landing.status("1", "2025-05-20", "ONE_WAY_SUSPENDED", "ARREARS", since="2025-05-10")
    assert landing.says("HR2_VOLUNTARY_SUSPENSION", as_of="2025-05-19") is True
    assert landing.says("HR4_ARREARS_SUSPENSION", as_of="2025-05-19") is False
    assert landing.says("HR2_VOLUNTARY_SUSPENSION", as_of="2025-05-20") is False
    assert landing.says("HR4_ARREARS_SUSPENSION", as_of="2025-05-20") is True


# O03


def complain(landing: Landing, number: str, dt: str, step: str = "OPENED", **row: Any) -> None:
    landing.add(
        "care_complaints",
        dt,
        complaint_id=number,
        step=step,
        at=f"{dt} 10:00:00",
        **{
            "subscriber_id": "1",
            "due_at": "2026-01-01 00:00:00",
            "severity": "NORMAL",
            "category": "OTHER",
            **row,
        },
    )


def eventful(make: Make, first: str = FIRST) -> Landing:
    landing = make(first, LAST, EVENTS)
    landing.line("1")
    return landing


@pytest.mark.parametrize(("dt", "fires"), [("2025-05-02", True), ("2025-05-01", False)])
def test_severe_complaints_of_thirty_days(make: Make, dt: str, fires: bool) -> None:
    landing = eventful(make)
    complain(landing, "A", dt, severity="SEVERE")
    assert landing.says("HR1_COMPLAINT") is fires


@pytest.mark.parametrize(("count", "fires"), [(3, False), (4, True)])
def test_more_than_three_complaints(make: Make, count: int, fires: bool) -> None:
    landing = eventful(make)
    for number in range(count):
        complain(landing, f"{number}", "2025-03-03")  # the first day of the ninety
    complain(landing, "0", "2025-05-05", "REOPENED")
    complain(landing, "OLD", "2025-03-02")
    assert landing.says("HR1_COMPLAINT") is fires


@pytest.mark.parametrize(
    ("due_at", "fires"), [("2025-05-31 23:59:59", True), ("2025-06-01 00:00:00", False)]
)
def test_overdue_without_answer(make: Make, due_at: str, fires: bool) -> None:
    landing = eventful(make)
    complain(landing, "A", "2025-05-20", due_at=due_at)
    assert landing.says("HR1_COMPLAINT") is fires
    complain(landing, "A", "2025-05-31", "ACKNOWLEDGED", due_at=due_at)
    assert landing.says("HR1_COMPLAINT") is False


def test_a_step_that_names_nobody_is_its_complaints_all_the_same(make: Make) -> None:
    landing = eventful(make)
    complain(landing, "A", "2025-05-20", severity="SEVERE", subscriber_id=None)
    assert landing.says("HR1_COMPLAINT") is False
    complain(landing, "A", "2025-05-21", "ACKNOWLEDGED", severity=None)
    assert landing.says("HR1_COMPLAINT") is True


def test_what_is_not_known_of_complaints(make: Make) -> None:
    landing = eventful(make)
    complain(landing, "A", "2025-05-20", due_at=None)
    assert landing.says("HR1_COMPLAINT") is None
    landing = eventful(make)
    landing.lose("care_complaints", "2025-04-01")
    assert landing.says("HR1_COMPLAINT") is None
    complain(landing, "A", "2025-05-20", severity="SEVERE")
    assert landing.says("HR1_COMPLAINT") is True


# O05


def rates_of(make: Make, out: str, base: str = "10.00") -> Landing:
    landing = make(FIRST, LAST)
    landing.line("1", prepaid=False)
    for first, last, minutes in ((FIRST, "2025-05-01", base), ("2025-05-02", LAST, out)):
        landing.use(
            "1",
            first,
            last,
            calls_out=1,
            calls_in=0,
            voice_out_minutes=minutes,
            voice_in_minutes=0,
            data_mb="1000.000",
        )
    return landing


@pytest.mark.parametrize(
    ("minutes", "base", "says"),
    [
        ("5.00", "10.00", True),
        ("5.01", "10.00", None),  # no invoices: the other leg is unknown
        ("0.50", "1.00", True),  # a base of 30 minutes
        ("0.49", "0.99", None),
    ],
)
def test_usage_collapse(make: Make, minutes: str, base: str, says: bool | None) -> None:
    assert rates_of(make, minutes, base).says("HR3_COLLAPSE") is says


@pytest.mark.parametrize(("lost", "says"), [(6, True), (7, None)])
def test_collapse_needs_24_known_days(make: Make, lost: int, says: bool | None) -> None:
    landing = rates_of(make, "5.00")
    for number in range(lost):
        landing.lose("usage_daily", f"2025-05-{10 + number}")
    assert landing.says("HR3_COLLAPSE") is says


def test_who_is_suspended_does_not_collapse(make: Make) -> None:
    landing = rates_of(make, "5.00")
    landing.status("1", LAST, "ONE_WAY_SUSPENDED", "OPERATOR")
    assert landing.says("HR3_COLLAPSE") is False


def bill(landing: Landing, month: str, dt: str, total: str, **row: Any) -> None:
    landing.add("billing_invoices", dt, subscriber_id="1", month=month, total_cny=total, **row)


def billed(make: Make, *totals: str, last: str = "2025-05-31", **row: Any) -> Landing:
    """Invoices of the months up to April, the newest last."""
    landing = make("2024-09-01", last, EVENTS)
    landing.line("1", prepaid=False)
    months = [
        "2024-09",
        "2024-10",
        "2024-11",
        "2024-12",
        "2025-01",
        "2025-02",
        "2025-03",
        "2025-04",
    ]
    for month, total in zip(months[-len(totals) :], totals, strict=True):
        year, number = int(month[:4]), int(month[5:])
        dt = f"{year + number // 12}-{number % 12 + 1:02d}-03"
        bill(landing, month, dt, total, **row)
    return landing


@pytest.mark.parametrize(
    ("m1", "base", "says"),
    [
        ("20.00", "40.00", True),
        ("20.01", "40.00", False),
        ("10.00", "20.00", True),
        ("9.99", "19.99", False),
    ],
)
def test_spend_collapse(make: Make, m1: str, base: str, says: bool) -> None:
    landing = billed(make, base, base, base, m1)
    assert landing.says("HR3_COLLAPSE") is says  # no minutes: the other leg is false


def test_spend_collapse_leaves_instalments_out_and_ages(make: Make) -> None:
    landing = billed(make, "40.00", "40.00", "40.00", "30.00", last="2025-06-18")
    for (feed, _), rows in landing.rows.items():
        if feed == "billing_invoices":
            for row in rows:
                row["device_instalment_cny"] = "10.00" if row["month"] == "2025-04" else "0.00"
    assert landing.says("HR3_COLLAPSE", as_of="2025-06-17") is True
    assert landing.says("HR3_COLLAPSE", as_of="2025-06-18") is False


# O07


def balance(landing: Landing, dt: str, **row: Any) -> None:
    landing.add("billing_balances", dt, subscriber_id="1", **row)


@pytest.mark.parametrize(
    ("cny", "first", "second", "fires"),
    [
        ("9.99", "0.00", "0.00", True),
        ("10.00", "0.00", "0.00", False),
        ("29.99", "5.00", "15.00", True),  # burn of 10 a day
        ("30.00", "5.00", "15.00", False),
    ],
)
def test_low_balance(make: Make, cny: str, first: str, second: str, fires: bool) -> None:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    balance(landing, "2025-05-30", balance_cny="90.00", charged_mtd_cny=first)
    balance(landing, "2025-05-31", balance_cny=cny, charged_mtd_cny=second)
    assert landing.says("HR5_LOW_BALANCE") is fires


def test_burn_across_the_change_of_month(make: Make) -> None:
    landing = make("2025-05-01", "2025-06-30")
    landing.line("1")
    balance(landing, "2025-05-31", balance_cny="90.00", charged_mtd_cny="300.00")
    balance(landing, "2025-06-01", balance_cny="29.99", charged_mtd_cny="10.00")
    assert landing.says("HR5_LOW_BALANCE", as_of="2025-06-01") is True


def test_low_balance_unknown_and_out(make: Make) -> None:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    landing.line("2", is_autopay="true")
    landing.line("3", prepaid=False)
    for name in "23":
        landing.add("billing_balances", LAST, subscriber_id=name, balance_cny="1.00")
    assert [landing.says("HR5_LOW_BALANCE", name) for name in "123"] == [None, False, False]


# O08


@pytest.mark.parametrize(
    ("end", "fires"),
    [("2025-05-30", False), ("2025-05-31", True), ("2025-07-30", True), ("2025-07-31", False)],
)
def test_contract_ends_within_sixty_days(make: Make, end: str, fires: bool) -> None:
    landing = make("2025-05-01", "2025-05-31")
    landing.line("1")
    hold(landing, "DC", "DEVICE_CONTRACT", "2024-01-01", contract_end_date=end)
    assert landing.says("HR6_CONTRACT_EXPIRING") is fires
    hold(landing, "DC", "DEVICE_CONTRACT", "2025-05-20", contract_end_date="2027-01-01")
    assert landing.says("HR6_CONTRACT_EXPIRING") is False


def hold(landing: Landing, product: str, kind: str, start: str, **row: Any) -> None:
    landing.add(
        "billing_subscriptions",
        max(start, f"{landing.first}"),
        subscriber_id="1",
        product_id=product,
        product_kind=kind,
        started_at=f"{start} 10:00:00",
        **row,
    )


# O09, O10, PORT_INTENT


def rival(landing: Landing, dt: str, kind: str, clock: str = "12:00:00", **row: Any) -> None:
    landing.add(
        "usage_competitor_contacts", dt, subscriber_id="1", at=f"{dt} {clock}", kind=kind, **row
    )


@pytest.mark.parametrize(("off", "fires"), [("2025-05-01", False), ("2025-05-02", True)])
def test_forward_switched_off(make: Make, off: str, fires: bool) -> None:
    landing = eventful(make)
    rival(landing, "2025-02-01", "CALL_FORWARD_ON", competitor="移星")
    assert landing.says("HR7_FORWARD_TO_COMPETITOR") is True
    rival(landing, off, "CALL_FORWARD_OFF", forward_type="CFU")
    assert landing.says("HR7_FORWARD_TO_COMPETITOR") is fires


def test_forwards_that_do_and_do_not_count(make: Make) -> None:
    for row, fires in (
        ({"forward_type": "CFB", "competitor": "移星"}, True),
        ({"forward_type": "CFNRY", "competitor": "移星"}, False),
        ({"forward_type": "CFU", "competitor": None}, False),
    ):
        landing = eventful(make)
        rival(landing, "2025-05-10", "CALL_FORWARD_ON", "09:00:00", **row)
        rival(landing, "2025-05-10", "CALL_FORWARD_OFF", "10:00:00", **row)
        assert landing.says("HR7_FORWARD_TO_COMPETITOR") is fires
    landing = eventful(make)
    rival(landing, "2025-05-10", "CALL_FORWARD_OFF", competitor="移星")
    assert landing.says("HR7_FORWARD_TO_COMPETITOR") is False


@pytest.mark.parametrize(("dt", "fires"), [("2025-05-02", True), ("2025-05-01", False)])
def test_hotline_and_port_intent_of_thirty_days(make: Make, dt: str, fires: bool) -> None:
    landing = eventful(make)
    rival(landing, dt, "HOTLINE_IN")
    rival(landing, dt, "PORTABILITY_QUERY")
    assert landing.says("HR8_COMPETITOR_HOTLINE") is fires
    assert landing.says("PORT_INTENT") is fires
    landing = eventful(make)
    landing.add(
        "care_interactions", dt, subscriber_id="1", at=f"{dt} 09:00", reason="CANCEL_REQUEST"
    )
    assert landing.says("PORT_INTENT") is fires


# O15


@pytest.mark.parametrize(
    ("competitor", "talk", "says"),
    [("5.00", "20.00", True), ("4.99", "20.00", False), ("1.00", "0.99", None)],
)
def test_dual_sim_exposure(make: Make, competitor: str, talk: str, says: bool | None) -> None:
    landing = make(FIRST, LAST)
    landing.line("1", prepaid=False)
    landing.add("device_models", FIRST, tac="T", is_dual_sim="true", network_generation="4G")
    for first, last, minutes, part in (
        (FIRST, "2025-05-01", "20.00", "2.00"),
        ("2025-05-02", LAST, talk, competitor),
    ):
        landing.use(
            "1",
            first,
            last,
            voice_out_minutes=minutes,
            voice_in_minutes=0,
            voice_competitor_minutes=part,
            tac="T",
        )
    assert landing.says("DUAL_SIM_EXPOSURE") is says


# O22


@pytest.mark.parametrize(
    ("start", "row", "fires"),
    [
        ("2025-04-20", {"end_reason": "CUSTOMER"}, True),
        ("2025-04-21", {"end_reason": "CUSTOMER"}, False),
        ("2025-04-01", {"end_reason": "EXPIRED"}, False),
        ("2025-04-01", {"end_reason": "CUSTOMER", "is_trial": "true"}, False),
        ("2025-04-01", {"contract_end_date": "2025-06-30"}, True),
        ("2025-04-01", {"contract_end_date": "2025-05-20"}, False),
    ],
)
def test_vas_churn(make: Make, start: str, row: dict[str, str], fires: bool) -> None:
    landing = make("2025-04-01", "2025-05-31")
    landing.line("1")
    hold(landing, "VA", "VAS", start, ended_at="2025-05-20 09:00:00", **row)
    assert landing.says("VAS_CHURN") is fires


@pytest.mark.parametrize(("start", "fires"), [("2025-05-27", False), ("2025-05-28", True)])
def test_a_replacement_within_seven_days(make: Make, start: str, fires: bool) -> None:
    landing = make("2025-04-01", "2025-05-31")
    landing.line("1")
    for product in ("VA", "VB"):
        landing.add(
            "billing_products",
            "2025-04-01",
            product_id=product,
            on_sale_from=FIRST,
            app_class="MUSIC",
        )
    hold(landing, "VA", "VAS", "2025-04-01", ended_at="2025-05-20 09:00", end_reason="CUSTOMER")
    hold(landing, "VB", "VAS", start)
    assert landing.says("VAS_CHURN") is fires


# O23, O29


@pytest.mark.parametrize(
    ("m2", "m1", "fires"),
    [("70.00", "70.00", True), ("70.01", "70.00", False), ("100.00", "60.00", False)],
)
def test_arpu_decline(make: Make, m2: str, m1: str, fires: bool) -> None:
    landing = billed(make, *(["100.00"] * 6), m2, m1)
    assert landing.says("ARPU_DECLINE") is fires


def test_arpu_decline_needs_eight_full_months(make: Make) -> None:
    assert billed(make, *(["100.00"] * 5), "70.00", "70.00").says("ARPU_DECLINE") is None
    for days, says in ((5, True), (6, None)):
        landing = billed(make, *(["100.00"] * 6), "70.00", "70.00")
        landing.status("1", "2025-01-10", "ONE_WAY_SUSPENDED", "ARREARS")
        landing.status("1", f"2025-01-{10 + days}", "ACTIVE")
        assert landing.says("ARPU_DECLINE") is says


@pytest.mark.parametrize(
    ("m1", "as_of", "fires"),
    [
        ("60.00", "2025-05-03", False),
        ("60.01", "2025-05-03", True),
        ("60.01", "2025-06-01", True),
        ("60.01", "2025-06-02", False),
    ],
)
def test_bill_shock(make: Make, m1: str, as_of: str, fires: bool) -> None:
    landing = billed(make, "40.00", "40.00", "40.00", m1, last="2025-06-02")
    assert landing.says("BILL_SHOCK", as_of=as_of) is fires


def test_a_shock_rises_by_ten_and_a_billing_complaint_is_one(make: Make) -> None:
    landing = billed(make, "19.00", "19.00", "19.00", "28.99")
    assert landing.says("BILL_SHOCK") is False
    complain(landing, "A", "2025-03-03", category="BILLING")
    assert landing.says("BILL_SHOCK") is True


# O28


def ordered(make: Make, start: str, **row: Any) -> Landing:
    """One order to judge and two in order, so that references are not the exception."""
    landing = make("2025-01-01", "2025-05-31", EVENTS)
    landing.line("1")
    hold(landing, "OK", "VAS", "2025-05-01", price_cny="5.00", consent_ref="R1")
    hold(landing, "OK", "VAS", "2025-05-02", price_cny="5.00", consent_ref="R2")
    hold(landing, "VA", "VAS", start, **{"price_cny": "5.00", **row})
    return landing


@pytest.mark.parametrize(
    ("start", "row", "fires"),
    [
        ("2025-03-03", {}, True),
        ("2025-03-02", {}, False),
        ("2025-05-01", {"consent_ref": "  "}, True),
        ("2025-05-01", {"consent_ref": "R", "consent_method": "NONE"}, True),
        ("2025-05-01", {"consent_ref": "R", "consent_method": "APP"}, False),
        ("2025-05-01", {"price_cny": "0.00"}, False),
        ("2025-05-01", {"order_channel_id": "WEB"}, False),
    ],
)
def test_orders_without_consent(make: Make, start: str, row: dict[str, str], fires: bool) -> None:
    landing = ordered(make, start, **row)
    landing.add("org_channels", FIRST, channel_id="WEB", channel_type="ONLINE")
    assert landing.says("INTEGRITY_RISK") is fires


def test_two_legs_are_more_serious_and_a_missing_column_proves_nothing(make: Make) -> None:
    landing = ordered(make, "2025-05-01")
    complain(landing, "A", "2025-05-03", category="UNAUTHORISED_ORDER")
    evidence = landing.reference().signals()[("1", "INTEGRITY_RISK")]
    assert (evidence["legs"], evidence["severity"]) == (["ORDER", "COMPLAINT"], 3)
    landing = make("2025-01-01", "2025-05-31", EVENTS)
    landing.line("1")
    hold(landing, "VA", "VAS", "2025-05-01", price_cny="5.00")
    assert landing.says("INTEGRITY_RISK") is None


# O41


@pytest.mark.parametrize(("first", "fires"), [("2024-06-01", True), ("2024-05-31", False)])
def test_two_promo_switches_in_a_year(make: Make, first: str, fires: bool) -> None:
    landing = make("2024-01-01", "2025-05-31")
    landing.line("1")
    hold(landing, "PL", "PLAN", "2024-01-01")
    hold(landing, "PL", "PLAN", first, promo_id="P1")
    hold(landing, "PL", "PLAN", "2025-01-01", promo_id="P2")
    assert landing.says("DEAL_HUNTER") is fires


def test_a_promo_of_ours_is_no_switch_and_links_carry_on(make: Make) -> None:
    landing = make("2024-01-01", "2025-05-31")
    landing.line("1", prepaid=False)
    hold(landing, "PL", "PLAN", "2024-01-01")
    hold(landing, "PL", "PLAN", "2024-09-01", promo_id="P1")
    landing.add("churn_events", "2025-01-10", subscriber_id="1", at="2025-01-10", kind="CLOSED")
    landing.line("2", activated="2025-01-12", prepaid=False, customer_id="C1")
    assert landing.says("DEAL_HUNTER", "2") is False
    landing.add(
        "billing_subscriptions",
        "2025-01-12",
        subscriber_id="2",
        product_kind="PLAN",
        started_at="2025-01-12 10:00",
        promo_id="P2",
    )
    assert landing.says("DEAL_HUNTER", "2") is True
    landing.add(
        "field_contacts",
        "2025-01-12",
        subscriber_id="2",
        work_order_id="W",
        at="2025-01-12 09:00",
        outcome="ACCEPTED",
        offer_id="P2",
    )
    assert landing.says("DEAL_HUNTER", "2") is False
