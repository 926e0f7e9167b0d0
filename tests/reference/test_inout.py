"""O40: who left against who joined, gross and net."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from tests.reference.conftest import Make
from tests.reference.handmade import Landing
from tests.reference.inout import InOut, Place, final_from

FIRST, LAST = "2025-01-01", "2025-04-30"


def places(landing: Landing) -> dict[Place, InOut]:
    return landing.reference().inout


def employ(landing: Landing) -> None:
    landing.add("org_units", FIRST, org_id="H", org_level="HQ")
    landing.add("org_units", FIRST, org_id="C1", org_level="CITY", parent_org_id="H")
    landing.add("org_units", FIRST, org_id="B1", org_level="BRANCH", parent_org_id="C1")


def leave(landing: Landing, name: str, day: str, kind: str = "CLOSED") -> None:
    landing.add("churn_events", day, subscriber_id=name, at=f"{day} 09:00", kind=kind)


def test_o40_old_and_new_leave_their_own_months(make: Make) -> None:
    landing = make(FIRST, LAST)
    employ(landing)
    landing.line("OLD", prepaid=False, customer_id="P", org_id="B1")
    leave(landing, "OLD", "2025-02-28")
    landing.line("NEW", "2025-03-01", prepaid=False, customer_id="P", org_id="B1")
    landing.use("NEW", "2025-03-02", "2025-03-02", calls_out=1)
    landing.line("OTHER", "2025-03-31", prepaid=False, org_id="B1")
    landing.use("OTHER", "2025-04-01", "2025-04-01", calls_out=1)
    landing.line("GONE", prepaid=False, org_id="B1")
    leave(landing, "GONE", "2025-03-01")
    found = places(landing)
    for place in (("BRANCH", "B1"), ("CITY", "C1"), ("HQ", "H")):
        february, march = found[*place, "2025-02"], found[*place, "2025-03"]
        assert (february.gross_churners, february.gross_adds) == (1, 0)
        assert (february.gross_ratio, february.net_ratio) == (None, None)
        assert (february.net_churners, february.net_adds) == (0, 0)
        assert (march.gross_ratio, march.net_ratio) == (Fraction(1, 2), Fraction(1))


def test_o40_a_port_out_that_returns_stays_in_the_net(make: Make) -> None:
    landing = make(FIRST, LAST)
    landing.line("OLD", prepaid=False, customer_id="P", org_id="B9")
    leave(landing, "OLD", "2025-02-10", "PORT_OUT")
    landing.line("NEW", "2025-02-20", prepaid=False, customer_id="P", org_id="B9")
    landing.use("NEW", "2025-02-21", "2025-02-21", calls_out=1)
    month = places(landing)["BRANCH", "B9", "2025-02"]  # a branch that no unit names
    assert (month.gross_ratio, month.net_ratio) == (Fraction(1), Fraction(1))


def test_o40_removed_and_never_used_are_in_neither(make: Make) -> None:
    landing = make(FIRST, LAST)
    landing.line("FRAUD", "2025-02-01", prepaid=False)
    landing.use("FRAUD", "2025-02-02", "2025-02-02", calls_out=1)
    leave(landing, "FRAUD", "2025-02-20", "FRAUD_REMOVED")
    landing.line("UNUSED", "2025-02-01", prepaid=False)
    leave(landing, "UNUSED", "2025-02-21")
    assert places(landing) == {}
    landing.line("USED", "2025-02-01", prepaid=False)
    landing.use("USED", "2025-02-02", "2025-02-02", sms_out=1)
    month = places(landing)["BRANCH", "UNKNOWN", "2025-02"]
    assert (month.gross_churners, month.gross_adds) == (0, 1)


def test_o40_a_payment_is_use(make: Make) -> None:
    landing = make(FIRST, LAST)
    landing.line("PAID", "2025-02-01")
    landing.add(
        "billing_payments",
        "2025-02-02",
        subscriber_id="PAID",
        paid_at="2025-02-02 10:00",
        amount_cny="50.00",
        payment_kind="TOPUP",
    )
    assert places(landing)["BRANCH", "UNKNOWN", "2025-02"].gross_adds == 1


def test_o40_a_month_is_final_when_the_links_of_its_last_day_are() -> None:
    # 28 February and 90 days: 29 May; its circle is that of June, delivered in July.
    assert final_from("2025-02", 90) == date(2025, 8, 1)
    # 31 March and 90 days: 29 June; its circle is that of July, delivered in August.
    assert final_from("2025-03", 90) == date(2025, 9, 1)
