"""The churn table of the reference, both sides of each limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.reference.book import Book
from tests.reference.churn import (
    Case,
    Departure,
    Observed,
    departures,
    intervals,
    labels,
    population,
)
from tests.reference.conftest import Make
from tests.reference.handmade import Landing, day
from tests.reference.parameters import DEFAULTS

FIRST = "2025-01-01"


def of(book: Book, name: str = "1") -> Departure:
    return departures(book)[name]


def silent_since(landing: Landing, last_use: str) -> None:
    landing.line("1")
    landing.use("1", FIRST, last_use)


def test_prepaid_is_confirmed_on_the_sixtieth_silent_day(make: Make) -> None:
    landing = make(FIRST, "2025-03-11")
    silent_since(landing, "2025-01-10")
    assert of(landing.book("2025-03-10")).churns == []
    (churn,) = of(landing.book("2025-03-11")).churns
    assert (churn.case, churn.churn_date, churn.confirmed_at) == (
        Case.SILENT,
        day("2025-01-11"),
        day("2025-03-11"),
    )
    assert churn.is_voluntary


def test_an_unknown_day_counts_neither_way(make: Make) -> None:
    landing = make(FIRST, "2025-03-12")
    silent_since(landing, "2025-01-10")
    landing.lose("usage_daily", "2025-02-01")
    assert of(landing.book("2025-03-11")).churns == []
    (churn,) = of(landing.book("2025-03-12")).churns
    assert churn.churn_date == day("2025-01-11")


@pytest.mark.parametrize(
    ("measures", "is_activity"),
    [
        ({"data_mb": "0.999"}, False),
        ({"data_mb": "1.000"}, True),
        ({"sms_out": 1}, True),
        ({"calls_in": 1}, True),
        ({"calls_out": 0, "data_mb": 0}, False),
    ],
)
def test_what_an_activity_day_is(
    make: Make, measures: dict[str, object], is_activity: bool
) -> None:
    landing = make(FIRST, "2025-03-11")
    silent_since(landing, "2025-01-10")
    landing.use("1", "2025-02-01", "2025-02-01", **measures)
    assert (of(landing.book()).churns == []) is is_activity


def test_a_payment_is_activity_and_a_reversal_is_not(make: Make) -> None:
    for amount, kind, is_activity in (
        ("10.00", "TOPUP", True),
        ("-10.00", "REVERSAL", False),
        ("0.00", "TOPUP", False),
    ):
        landing = make(FIRST, "2025-03-11")
        silent_since(landing, "2025-01-10")
        landing.add(
            "billing_payments",
            "2025-02-01",
            subscriber_id="1",
            paid_at="2025-02-01 09:00:00",
            amount_cny=amount,
            payment_kind=kind,
        )
        assert (of(landing.book()).churns == []) is is_activity


@pytest.mark.parametrize(("kind", "is_back"), [("BILL", False), ("TOPUP", True)])
def test_the_last_bill_after_an_exit_is_no_return(make: Make, kind: str, is_back: bool) -> None:
    """The status has not followed the event."""
    landing = make(FIRST, "2025-03-10")
    landing.line("1", prepaid=False)
    landing.use("1", FIRST, "2025-02-09")
    landing.add(
        "churn_events", "2025-02-10", subscriber_id="1", at="2025-02-10 08:00:00", kind="PORT_OUT"
    )
    landing.add(
        "billing_payments",
        "2025-02-20",
        subscriber_id="1",
        paid_at="2025-02-20 09:00:00",
        amount_cny="59.00",
        payment_kind=kind,
    )
    (churn,) = of(landing.book()).churns
    assert churn.revived_on == (day("2025-02-20") if is_back else None)


def test_postpaid_silence_is_no_churn(make: Make) -> None:
    landing = make(FIRST, "2025-05-01")
    landing.line("1", prepaid=False)
    landing.use("1", FIRST, "2025-01-10")
    assert of(landing.book()).churns == []


def test_prepaid_suspension_reaches_back_through_the_silent_days(make: Make) -> None:
    landing = make(FIRST, "2025-04-10")
    silent_since(landing, "2025-01-20")
    landing.use("1", "2025-02-10", "2025-02-10", calls_in=1)  # resets the silent clock
    landing.status("1", "2025-02-05", "ONE_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-02-20", "TWO_WAY_SUSPENDED", "EXPIRED")
    assert of(landing.book("2025-04-04")).churns == []
    (churn,) = of(landing.book("2025-04-05")).churns  # 60 days: 5 February to 5 April
    assert (churn.case, churn.churn_date) == (Case.LAPSED, day("2025-01-21"))


def test_expired_removal_before_the_sixtieth_day(make: Make) -> None:
    landing = make(FIRST, "2025-03-01")
    silent_since(landing, "2025-02-09")
    landing.status("1", "2025-02-10", "TWO_WAY_SUSPENDED", "EXPIRED")
    landing.status("1", "2025-02-25", "DEACTIVATED", "EXPIRED")
    landing.add(
        "churn_events", "2025-02-25", subscriber_id="1", at="2025-02-25 08:00:00", kind="EXPIRED"
    )
    (churn,) = of(landing.book()).churns
    assert (churn.churn_date, churn.confirmed_at) == (day("2025-02-10"), day("2025-02-25"))


def test_postpaid_arrears_on_the_ninetieth_day(make: Make) -> None:
    landing = make(FIRST, "2025-05-10")
    landing.line("1", prepaid=False)
    landing.use("1", FIRST, "2025-02-09")
    landing.status("1", "2025-02-10", "ONE_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-03-10", "TWO_WAY_SUSPENDED", "ARREARS")
    assert of(landing.book("2025-05-09")).churns == []
    (churn,) = of(landing.book("2025-05-10")).churns
    assert (churn.case, churn.churn_date) == (Case.ARREARS, day("2025-02-10"))
    assert churn.is_arrears_exit
    assert not churn.is_voluntary


def test_a_kept_number_is_churn_after_180_days_or_its_closure(make: Make) -> None:
    landing = make(FIRST, "2025-07-30")
    landing.line("1", prepaid=False)
    landing.use("1", FIRST, "2025-01-31")
    landing.status("1", "2025-02-01", "TWO_WAY_SUSPENDED", "CUSTOMER_REQUEST")
    assert of(landing.book("2025-07-29")).churns == []
    (churn,) = of(landing.book("2025-07-30")).churns
    assert (churn.case, churn.churn_date) == (Case.KEPT_NUMBER, day("2025-02-01"))
    landing.status("1", "2025-04-01", "DEACTIVATED", "CUSTOMER_REQUEST")
    (churn,) = of(landing.book("2025-04-01")).churns
    assert (churn.churn_date, churn.confirmed_at) == (day("2025-02-01"), day("2025-04-01"))


def test_exits_date_from_their_event_and_its_kind_wins(make: Make) -> None:
    landing = make(FIRST, "2025-03-01")
    silent_since(landing, "2025-02-01")
    landing.status("1", "2025-02-12", "DEACTIVATED", "CUSTOMER_REQUEST")
    landing.add(
        "churn_events", "2025-02-12", subscriber_id="1", at="2025-02-10 08:00:00", kind="PORT_OUT"
    )
    (churn,) = of(landing.book()).churns
    assert (churn.case, churn.churn_date, churn.confirmed_at) == (
        Case.PORT_OUT,
        day("2025-02-10"),
        day("2025-02-10"),
    )
    assert of(landing.book("2025-02-11")).churns == []  # not delivered yet


@pytest.mark.parametrize(("competitor", "is_natural"), [(None, True), ("移星", False)])
def test_life_events_are_natural_without_a_competitor(
    make: Make, competitor: str | None, is_natural: bool
) -> None:
    landing = make(FIRST, "2025-03-01")
    silent_since(landing, "2025-02-01")
    landing.add(
        "churn_events",
        "2025-02-10",
        subscriber_id="1",
        at="2025-02-10 08:00:00",
        kind="CLOSED",
        stated_cause="LIFE_EVENT",
        competitor=competitor,
    )
    (churn,) = of(landing.book()).churns
    assert churn.is_natural is is_natural
    assert churn.is_voluntary is not is_natural


def test_fraud_is_removed_not_churned(make: Make) -> None:
    landing = make(FIRST, "2025-03-01")
    silent_since(landing, "2025-02-01")
    landing.status("1", "2025-02-02", "TWO_WAY_SUSPENDED", "FRAUD")
    landing.status("1", "2025-02-20", "DEACTIVATED", "FRAUD")
    departure = of(landing.book())
    assert departure.churns == []
    assert departure.removal is not None
    assert departure.removal.censored_on == day("2025-02-02")


def test_never_used_is_neither_churn_nor_population(make: Make) -> None:
    landing = make(FIRST, "2025-05-01")
    landing.line("1", activated="2025-01-10")
    landing.line("2", activated="2025-01-10")
    landing.use("2", "2025-04-30", "2025-04-30")
    book = landing.book()
    found = departures(book)
    assert found["1"].churns == []
    assert population(book, found) == {"1": "NOT_USED_YET", "2": None}


def test_back_after_confirmation_opens_a_new_spell(make: Make) -> None:
    landing = make(FIRST, "2025-06-10")
    silent_since(landing, "2025-01-10")
    landing.use("1", "2025-03-20", "2025-06-10")
    departure = of(landing.book())
    (churn,) = departure.churns
    assert churn.revived_on == day("2025-03-20")
    book = landing.book("2025-04-18")
    assert population(book, departures(book)) == {"1": "REVIVED"}
    book = landing.book("2025-04-19")
    assert population(book, departures(book)) == {"1": None}
    landing = make(FIRST, "2025-06-10")
    silent_since(landing, "2025-01-10")
    landing.use("1", "2025-03-20", "2025-03-21")
    (first, second) = of(landing.book()).churns
    assert (first.spell_no, second.spell_no) == (1, 2)
    assert second.churn_date == day("2025-03-22")


def test_reasons_for_no_index(make: Make) -> None:
    landing = make(FIRST, "2025-03-01")
    for name in "123456":
        landing.line(name, prepaid=name != "6")
        landing.use(name, FIRST, "2025-02-15" if name in "16" else "2025-02-16")
    landing.status("3", "2025-02-20", "TWO_WAY_SUSPENDED", "ARREARS")
    landing.status("4", "2025-02-20", "ONE_WAY_SUSPENDED", "LOST_SIM")
    landing.status("5", "2025-02-20", "ONE_WAY_SUSPENDED", "ARREARS")
    book = landing.book()
    assert population(book, departures(book)) == {
        "1": "ALREADY_SILENT",  # last activity 14 days before D
        "2": None,
        "3": "SUSPENDED",
        "4": "OPERATOR_HOLD",
        "5": None,
        "6": None,
    }


@pytest.mark.parametrize(("lines", "is_bulk"), [(19, False), (20, True)])
def test_bulk_exits(make: Make, lines: int, is_bulk: bool) -> None:
    landing = make(FIRST, "2025-03-01")
    landing.add("crm_customers", FIRST, customer_id="FIRM", org_class="GROUP")
    for number in range(lines):
        name = f"{number}"
        landing.line(name, customer_id="FIRM", prepaid=False)
        exit_day = day("2025-02-10") + timedelta(days=number % 7)
        landing.add(
            "churn_events", exit_day, subscriber_id=name, at=f"{exit_day} 09:00:00", kind="CLOSED"
        )
    found = departures(landing.book())
    assert {churn.is_bulk_exit for each in found.values() for churn in each.churns} == {is_bulk}


def test_bulk_exits_lie_within_seven_days(make: Make) -> None:
    landing = make(FIRST, "2025-03-01")
    landing.add("crm_customers", FIRST, customer_id="FIRM", org_class="GROUP")
    for number in range(20):
        landing.line(f"{number}", customer_id="FIRM", prepaid=False)
        exit_day = "2025-02-10" if number else "2025-02-17"
        landing.add(
            "churn_events",
            exit_day,
            subscriber_id=f"{number}",
            at=f"{exit_day} 09:00",
            kind="CLOSED",
        )
    found = departures(landing.book())
    assert not any(churn.is_bulk_exit for each in found.values() for churn in each.churns)


def exits_on(landing: Landing, exit_day: date) -> None:
    landing.line("1", prepaid=False)
    landing.use("1", FIRST, "2025-01-31")
    landing.add(
        "churn_events", exit_day, subscriber_id="1", at=f"{exit_day} 09:00:00", kind="PORT_OUT"
    )


@pytest.mark.parametrize(
    ("offset", "outcome", "why"),
    [
        (7, None, "IN_LEAD"),
        (8, True, "PORT_OUT"),
        (37, True, "PORT_OUT"),
        (38, False, "STAYED"),
    ],
)
def test_the_label_opens_after_the_lead_and_closes_with_the_horizon(
    make: Make, offset: int, outcome: bool | None, why: str
) -> None:
    index, known = day("2025-01-31"), day("2025-01-31") + timedelta(days=37 + 90)
    landing = make(FIRST, known.isoformat())
    exits_on(landing, index + timedelta(days=offset))
    (label,) = labels(landing.book("2025-01-31"), landing.book(), 30).values()
    assert (label.outcome, label.why) == (outcome, why)


def test_the_label_waits_for_maturity_and_is_censored_by_a_number_change(make: Make) -> None:
    landing = make(FIRST, "2025-06-07")  # 31 January + 37 + 90 days
    exits_on(landing, day("2025-02-10"))
    index = landing.book("2025-01-31")
    early = landing.book("2025-06-06")
    assert labels(index, early, 30)["1"].why == "IMMATURE"
    assert labels(index, landing.book(), 30)["1"].outcome is True
    changed = labels(index, landing.book(), 30, frozenset({"1"}))
    assert (changed["1"].outcome, changed["1"].why) == (None, "NUMBER_CHANGE")


@pytest.mark.parametrize(
    ("offset", "known_after", "observed"),
    [
        (8, 157, Observed(1, 1)),
        (37, 157, Observed(1, 1)),
        (38, 157, Observed(2, 2)),
        (67, 157, Observed(2, 2)),
        (67, 156, Observed(0, 1)),  # 7 + 60 + 90 days are not over
        (68, 157, Observed(0, 2)),
    ],
)
def test_intervals_open_one_after_the_other(
    make: Make, offset: int, known_after: int, observed: Observed
) -> None:
    index = day("2025-01-31")
    landing = make(FIRST, (index + timedelta(days=known_after)).isoformat())
    exits_on(landing, index + timedelta(days=offset))
    found = intervals(landing.book("2025-01-31"), landing.book(), 30, 6)
    assert found == {"1": observed}
    changed = intervals(landing.book("2025-01-31"), landing.book(), 30, 6, frozenset({"1"}))
    before = observed.intervals - (observed.left_in > 0)
    assert changed == ({"1": Observed(0, before)} if before else {})


def test_events_only_does_not_count_silence(make: Make) -> None:
    landing = make(FIRST, "2025-04-01")
    silent_since(landing, "2025-01-10")
    assert of(landing.book(p=replace(DEFAULTS, silence_counts=False))).churns == []
