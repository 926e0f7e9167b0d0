"""Each extra expectation of a feed: what it refuses, and what lies just inside.

Judged by plain SQL; that Great Expectations counts the same is proved in `test_judging.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import pytest
from quality_batches import DAY, Row, by_hand, feed_batch, relation

from expectations.feeds import EXTRAS, feed_suite
from orchestration.contracts import Feed

NEXT = DAY + timedelta(days=1)
NOON = datetime(2025, 1, 31, 12)
EARLIER = datetime(2025, 1, 30, 12)
PARTS = {
    f"{part}_cny": 1
    for part in [
        "plan_fee",
        "voice_overage",
        "data_overage",
        "sms_overage",
        "roaming",
        "vas",
        "device_instalment",
        "adjustment",
        "other",
    ]
} | {"discount_cny": -2}

# feed, expectation, rows that are refused (each alone), rows that are not (all together)
CASES: Sequence[tuple[str, str, Sequence[Row], Sequence[Row]]] = [
    ("billing_plans", "dates_in_order",
     [{"valid_from": NEXT, "valid_to": DAY}, {"on_sale_from": NEXT, "on_sale_to": DAY}],
     [{"valid_from": DAY, "valid_to": DAY}, {"valid_to": DAY}]),
    ("billing_products", "dates_in_order", [{"on_sale_from": NEXT, "on_sale_to": DAY}],
     [{"on_sale_from": DAY, "on_sale_to": DAY}]),
    ("billing_subscriptions", "dates_in_order", [{"started_at": NOON, "ended_at": EARLIER}],
     [{"started_at": NOON, "ended_at": NOON}]),
    ("billing_subscriptions", "ended_has_reason", [{"ended_at": NOON}],
     [{"ended_at": datetime(2025, 2, 1)}, {"ended_at": NOON, "end_reason": "CUSTOMER"}, {}]),
    ("billing_invoices", "total_is_sum_of_parts", [PARTS | {"total_cny": 7.01}],
     [PARTS | {"total_cny": 7}, PARTS | {"total_cny": 9, "other_cny": None}]),
    ("billing_invoices", "dates_in_order",
     [{"month": date(2025, 2, 1), "issued_on": DAY}, {"issued_on": NEXT, "due_on": DAY}],
     [{"month": date(2025, 1, 1), "issued_on": DAY, "due_on": DAY}]),
    ("billing_payments", "amount_is_positive",
     [{"payment_kind": "TOPUP", "amount_cny": 0}, {"payment_kind": "BILL", "amount_cny": -1}],
     [{"payment_kind": "TOPUP", "amount_cny": 0.01},
      {"payment_kind": "REVERSAL", "amount_cny": -1}]),
    ("billing_balances", "arrears_have_a_start",
     [{"arrears_cny": 1}, {"arrears_cny": 0, "arrears_since": NEXT}],
     [{"arrears_cny": 1, "arrears_since": DAY}, {"arrears_cny": 0}]),
    ("care_complaints", "opened_has_category", [{"step": "OPENED"}],
     [{"step": "OPENED", "category": "BILLING"}, {"step": "RESOLVED"}]),
    ("care_complaints", "opened_names_subscriber", [{"step": "OPENED"}],
     [{"step": "OPENED", "subscriber_id": "s"}, {"step": "RESOLVED"}]),
    ("care_complaints", "due_after_opening",
     [{"step": "OPENED", "at": NOON, "due_at": EARLIER}],
     [{"step": "OPENED", "at": NOON, "due_at": NOON},
      {"step": "RESOLVED", "at": NOON, "due_at": EARLIER}]),
    ("channel_commissions", "names_who_earned", [{}], [{"agent_id": "a"}, {"channel_id": "c"}]),
    ("channel_stock_events", "item_is_identified",
     [{"item_kind": "SIM", "imei_token": "t"}, {"item_kind": "DEVICE", "iccid_token": "t"}],
     [{"item_kind": "SIM", "iccid_token": "t"}, {"item_kind": "DEVICE", "tac": "1"},
      {"item_kind": "DEVICE", "imei_token": "t"}]),
    ("churn_events", "removed_is_the_operators",
     [{"kind": "PORT_OUT", "stated_cause": "REMOVED"}],
     [{"kind": "FRAUD_REMOVED", "stated_cause": "REMOVED"}, {"kind": "CLOSED"}]),
    ("crm_subscribers", "inactive_has_reason",
     [{"status": "DEACTIVATED"}, {"status": "DEACTIVATED", "status_reason": "NONE"},
      {"status": "ONE_WAY_SUSPENDED"}],
     [{"status": "TWO_WAY_SUSPENDED", "status_reason": "NONE"}, {"status": "ACTIVE"}, {},
      {"status": "DEACTIVATED", "status_reason": "PORT_OUT"}]),
    ("crm_subscribers", "dates_in_order",
     [{"first_registered_at": NOON, "activated_at": EARLIER},
      {"activated_at": NOON, "status_at": EARLIER}],
     [{"first_registered_at": NOON, "activated_at": datetime(2025, 1, 31, 11)}]),
    ("crm_subscribers", "branch_is_given", [{"status": "ACTIVE"}],
     [{"status": "ACTIVE", "org_id": "b"}, {"status": "DEACTIVATED"}]),
    ("crm_customers", "birth_year_is_plausible", [{"birth_year": 2026}, {"birth_year": 1904}],
     [{"birth_year": 2025}, {"birth_year": 1905}, {}]),
    ("crm_consents", "answer_is_given", [{}], [{"is_granted": False}]),
    ("crm_consents", "granted_has_proof", [{"is_granted": True}],
     [{"is_granted": False}, {"is_granted": True, "proof_ref": "p"}]),
    ("device_models", "tac_has_eight_digits",
     [{"tac": "1234567"}, {"tac": "123456789"}, {"tac": "1234567x"}], [{"tac": "01234567"}]),
    ("field_contacts", "personal_contact_names_staff", [{"channel": "CALL"}],
     [{"channel": "SMS"}, {"channel": "DOOR_VISIT", "staff_id": "p"}]),
    ("field_contacts", "concession_reached_someone",
     [{"outcome": "NO_ANSWER", "concession_cny": 0.01}],
     [{"outcome": "ACCEPTED", "concession_cny": 5}, {"outcome": "NO_ANSWER", "concession_cny": 0}]),
    ("field_retention_log", "results_within_work", [{"visits": 1, "calls": 2, "refused": 4}],
     [{"visits": 1, "calls": 2, "saved": 3, "no_answer": 3}, {"saved": 3}]),
    ("field_retention_log", "submitted_after_day", [{"log_date": DAY, "submitted_at": EARLIER}],
     [{"log_date": DAY, "submitted_at": datetime(2025, 1, 31)}]),
    ("field_work_order_events", "names_its_work_order", [{}], [{"work_order_id": "w"}]),
    ("field_work_order_events", "dropped_has_reason", [{"state": "DROPPED"}],
     [{"state": "DROPPED", "drop_reason": "r"}, {"state": "CLOSED"}]),
    ("market_offers", "dates_in_order", [{"valid_from": NEXT, "valid_to": DAY}],
     [{"valid_from": DAY, "valid_to": DAY}]),
    ("market_offers", "offer_has_a_name", [{}], [{"name_en": "n"}, {"name_zh": "n"}]),
    ("market_competitor_offers", "dates_in_order", [{"seen_from": NEXT, "seen_to": DAY}],
     [{"seen_from": DAY, "seen_to": DAY}]),
    ("market_stock", "stock_is_not_oversold", [{"remaining": -1}], [{"remaining": 0}, {}]),
    ("org_staff", "staff_has_a_place", [{}], [{"org_id": "b"}, {"channel_id": "c"}]),
    ("org_agents", "dates_in_order", [{"valid_from": NEXT, "valid_to": DAY}], [{"valid_to": DAY}]),
    ("service_failures", "scope_is_named", [{}], [{"subscriber_id": "s"}, {"org_id": "b"}]),
    ("service_failures", "dates_in_order", [{"started_at": NOON, "ended_at": EARLIER}],
     [{"started_at": NOON, "ended_at": NOON}]),
    ("usage_daily", "minutes_fit_a_day",
     [{"voice_out_minutes": 1440.01}, {"voice_in_minutes": 1440.01}],
     [{"voice_out_minutes": 1440, "voice_in_minutes": 1440}]),
    ("usage_areas", "days_fit_the_month", [{"month": date(2025, 2, 1), "days": 29}],
     [{"month": date(2024, 2, 1), "days": 29}]),
    ("usage_monthly", "days_fit_the_month", [{"month": date(2025, 2, 1), "active_days": 29}],
     [{"month": date(2025, 2, 1), "active_days": 28}]),
    ("usage_competitor_contacts", "forward_type_only_on_forwarding",
     [{"kind": "HOTLINE_IN", "forward_type": "CFU"}],
     [{"kind": "CALL_FORWARD_OFF", "forward_type": "CFU"}, {"kind": "CALL_FORWARD_ON"}]),
    *(
        (feed, "data_parts_within_total",
         [{"data_mb": 1, "data_mb_video": 0.6, "data_mb_other": 0.405},
          {"data_mb": 1, "data_mb_night": 1.005}, {"data_mb": 1, "data_mb_4g": 2}],
         [{"data_mb": 1, "data_mb_video": 0.6, "data_mb_other": 0.404}, {"data_mb_night": 9}])
        for feed in ("usage_daily", "usage_monthly")
    ),
    *(
        (feed, "voice_parts_within_total",
         [{"voice_out_minutes": 1, "voice_in_minutes": 1, "voice_night_minutes": 2.03}],
         [{"voice_out_minutes": 1, "voice_in_minutes": 1, "voice_offnet_minutes": 2.02}, {}])
        for feed in ("usage_daily", "usage_monthly")
    ),
    *(
        (feed, "names_its_subscriber", [{}], [{"subscriber_id": "s"}])
        for feed in (
            "billing_subscriptions", "billing_payments", "billing_adjustments",
            "care_interactions", "churn_events", "field_contacts", "usage_competitor_contacts",
        )
    ),
]  # fmt: skip

# The rest look at several rows at once: feed, expectation, rows, how many are unexpected.
GROUPS: Sequence[tuple[str, str, Sequence[Row], int]] = [
    ("billing_plans", "versions_do_not_overlap",
     [{"plan_id": "p", "valid_from": EARLIER.date(), "valid_to": NEXT},
      {"plan_id": "p", "valid_from": DAY}, {"plan_id": "q", "valid_from": DAY}], 1),
    ("billing_plans", "versions_do_not_overlap",
     [{"plan_id": "p", "valid_from": EARLIER.date(), "valid_to": DAY},
      {"plan_id": "p", "valid_from": DAY}], 0),
    ("care_complaints", "no_step_before_opening",
     [{"complaint_id": "c", "step": "OPENED", "at": NOON},
      {"complaint_id": "c", "step": "RESOLVED", "at": EARLIER},
      {"complaint_id": "c", "step": "ANALYSED", "at": NOON},
      {"complaint_id": "d", "step": "RESOLVED", "at": EARLIER}], 1),
    ("churn_events", "one_exit_a_day",
     [{"subscriber_id": "s", "at": NOON}, {"subscriber_id": "s", "at": datetime(2025, 1, 31)},
      {"subscriber_id": "s", "at": EARLIER}, {"at": NOON}, {"at": NOON}], 1),
    ("crm_subscribers", "number_has_one_holder",
     [{"msisdn_token": "t", "status": "ACTIVE"},
      {"msisdn_token": "t", "status": "ACTIVE", "service_type": "MOBILE"},
      {"msisdn_token": "u", "status": "ACTIVE"}, {"msisdn_token": "u", "status": "DEACTIVATED"},
      {"msisdn_token": "v", "status": "ACTIVE"},
      {"msisdn_token": "v", "status": "ACTIVE", "service_type": "BROADBAND"}], 1),
    ("usage_call_circle", "at_most_top_twenty",
     [{"subscriber_id": "s", "month": date(2025, 1, 1)}] * 21
     + [{"subscriber_id": "t", "month": date(2025, 1, 1)}] * 20, 1),
]  # fmt: skip
TREE: Sequence[Row] = [
    {"org_id": "h", "org_level": "HQ"},
    {"org_id": "p", "org_level": "PROVINCE", "parent_org_id": "h"},
    {"org_id": "c", "org_level": "CITY", "parent_org_id": "p"},
    {"org_id": "b", "org_level": "BRANCH", "parent_org_id": "c"},
]
GROUPS = [
    *GROUPS,
    *(("org_units", name, TREE, 0) for name in
      ("parents_exist", "parent_lies_above", "one_headquarters")),
    ("org_units", "parents_exist", [*TREE, {"org_id": "x", "parent_org_id": "gone"}], 1),
    ("org_units", "parents_exist", [*TREE, {"org_id": "x", "org_level": "BRANCH"}], 1),
    ("org_units", "parents_exist", [*TREE[:3], {**TREE[3], "dt": NEXT}], 1),
    ("org_units", "parent_lies_above",
     [*TREE, {"org_id": "x", "org_level": "CITY", "parent_org_id": "b"}], 1),
    ("org_units", "parent_lies_above", [*TREE, {"org_id": "x", "parent_org_id": "x"}], 1),
    ("org_units", "one_headquarters", [*TREE, {"org_id": "x", "org_level": "HQ"}], 1),
    ("org_units", "one_headquarters", TREE[1:], 1),
]  # fmt: skip


@pytest.mark.parametrize(("feed", "name", "refused", "accepted"), CASES)
def test_row(
    feed: str,
    name: str,
    refused: Sequence[Row],
    accepted: Sequence[Row],
    feeds: Mapping[str, Feed],
) -> None:
    for row in refused:
        assert _unexpected(feeds[feed], name, [row]) == 1, row
    assert _unexpected(feeds[feed], name, accepted) == 0


@pytest.mark.parametrize(("feed", "name", "rows", "unexpected"), GROUPS)
def test_rows_together(
    feed: str, name: str, rows: Sequence[Row], unexpected: int, feeds: Mapping[str, Feed]
) -> None:
    assert _unexpected(feeds[feed], name, rows) == unexpected


def test_every_extra_is_tested() -> None:
    tested = {(feed, name) for feed, name, *_ in [*CASES, *GROUPS]}
    assert tested == {(feed, each.name) for feed, extras in EXTRAS.items() for each in extras}


def test_a_column_that_was_not_delivered_is_unknown(feeds: Mapping[str, Feed]) -> None:
    """An operator without complaint categories is not told of each complaint."""
    relations = feed_batch(feeds["care_complaints"], [{"step": "OPENED"}])
    relations["missing_columns"] = relation(
        {"dt": "date", "column_name": "varchar"}, [{"dt": DAY, "column_name": "category"}]
    )
    suite = feed_suite(feeds["care_complaints"])
    assert by_hand(suite, relations)["opened_has_category"] == 0


def test_the_contract_is_held_to_its_letter(feeds: Mapping[str, Feed]) -> None:
    """Codes, ranges, event times and keys, counted row by row."""
    good = {"complaint_id": "c", "step": "OPENED", "at": NOON, "satisfaction": 5}
    rows: list[Row] = [
        good,
        {**good, "complaint_id": "d", "step": "NONSENSE", "satisfaction": 6},
        {**good, "complaint_id": "e", "at": datetime(2025, 2, 1)},
        {**good, "complaint_id": None},
        good,
    ]
    counts = by_hand(
        feed_suite(feeds["care_complaints"]), feed_batch(feeds["care_complaints"], rows)
    )
    found = {name: count for name, count in counts.items() if count}
    assert found == {
        "codes_are_known": 1,
        "values_in_range": 1,
        "events_not_after_release": 1,
        "key_is_complete": 1,
        "key_is_unique": 1,
        "opened_has_category": 4,
        "opened_names_subscriber": 4,
    }


def test_a_key_may_return_on_another_day(feeds: Mapping[str, Feed]) -> None:
    row = {"complaint_id": "c", "step": "OPENED", "at": NOON}
    counts = by_hand(
        feed_suite(feeds["care_complaints"]),
        feed_batch(feeds["care_complaints"], [row, {**row, "dt": NEXT}]),
    )
    assert counts["key_is_unique"] == 0


def _unexpected(feed: Feed, name: str, rows: Sequence[Row]) -> int:
    suite = [each for each in feed_suite(feed) if each.name == name]
    return by_hand(suite, feed_batch(feed, rows))[name]
