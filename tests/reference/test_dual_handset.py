"""Dual handsets of the reference: which evidence makes a flag."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.reference.conftest import Make
from tests.reference.dual_handset import DualHandset
from tests.reference.handmade import Landing

FIRST, LAST = "2025-01-01", "2025-05-31"
TWIN = "18000000001"


def owner(landing: Landing) -> None:
    """An owner "0" and six friends, all with steady use."""
    for number in range(7):
        landing.line(f"{number}", prepaid=False)
        landing.use(f"{number}", FIRST, LAST)
        landing.add("usage_devices", FIRST, subscriber_id=f"{number}", imei=f"I{number}", at=FIRST)


def friend(number: int) -> str:
    return f"139{number:0>8}"


def off_net_circle(landing: Landing, friends: int = 6, calling: int = 6, more: int = 0) -> None:
    """The owner talks to friends (and to others), the twin number appears with some of them."""
    others = [(f"1370000000{number}", 10, False) for number in range(more)]
    mine = [(friend(number), 10, True) for number in range(1, friends + 1)]
    landing.circle("0", "2025-04", "2025-05-03", mine + others)
    for number in range(1, calling + 1):
        landing.circle(f"{number}", "2025-04", "2025-05-03", [(TWIN, 10, False)])


def forward(landing: Landing, on: str, off: str | None = None) -> None:
    for dt, kind in ((on, "CALL_FORWARD_ON"), (off, "CALL_FORWARD_OFF")):
        if dt:
            landing.add(
                "usage_competitor_contacts",
                dt,
                subscriber_id="0",
                at=f"{dt} 12:00:00",
                kind=kind,
                forward_type="CFU",
                competitor="移星",
            )


def share_device(landing: Landing, others: int = 1) -> None:
    for number in range(1, others + 1):
        landing.add(
            "usage_devices", "2025-05-01", subscriber_id=f"{number}", imei="I0", at="2025-05-01"
        )


def of(landing: Landing, as_of: str | None = None) -> DualHandset:
    return landing.reference(as_of).dual_handsets["0"]


def true(dual: DualHandset) -> list[str]:
    return sorted(name for name, holds in dual.types.items() if holds)


def ready(make: Make) -> Landing:
    landing = make(FIRST, LAST, ("usage_competitor_contacts",))
    owner(landing)
    return landing


def test_two_types_one_of_them_off_net(make: Make) -> None:
    landing = ready(make)
    off_net_circle(landing)
    forward(landing, "2025-05-20")
    dual = of(landing)
    assert true(dual) == ["E3", "E4"]
    assert dual.is_flagged is True
    assert dual.score == 1 - Fraction(3, 10) * Fraction(3, 10)


def test_one_type_is_not_enough(make: Make) -> None:
    landing = ready(make)
    off_net_circle(landing)
    dual = of(landing)
    assert true(dual) == ["E3"]
    assert dual.is_flagged is False


def test_shared_device_and_areas_are_a_second_own_line(make: Make) -> None:
    landing = ready(make)
    off_net_circle(landing, calling=0)
    share_device(landing)
    for name in "01":
        for kind in ("HOME", "WORK"):
            landing.add(
                "usage_areas",
                "2025-05-03",
                subscriber_id=name,
                month="2025-04",
                kind=kind,
                area_id=kind,
                days=20,
            )
    dual = of(landing)
    assert true(dual) == ["E1", "E6"]
    assert (dual.is_flagged, dual.is_dual_onnet) == (False, True)
    forward(landing, "2025-05-20")
    assert of(landing).is_flagged is True


@pytest.mark.parametrize(("others", "is_evidence"), [(2, True), (3, False)])
def test_shop_phones_are_no_evidence(make: Make, others: int, is_evidence: bool) -> None:
    landing = ready(make)
    share_device(landing, others)
    assert ("E1" in true(of(landing))) is is_evidence


def test_firms_and_suspended_lines_share_no_device(make: Make) -> None:
    landing = ready(make)
    share_device(landing)
    landing.status("1", "2025-05-30", "ONE_WAY_SUSPENDED", "ARREARS")
    assert true(of(landing)) == []
    landing = ready(make)
    share_device(landing)
    landing.add("crm_customers", FIRST, customer_id="C1", org_class="GROUP")
    assert true(of(landing)) == []


@pytest.mark.parametrize(
    ("friends", "calling", "more", "is_evidence"),
    [
        (6, 6, 0, True),
        (6, 6, 14, True),  # 6 of 20: exactly .30
        (6, 6, 15, False),
        (6, 4, 0, False),  # four members around the twin
        (4, 6, 0, False),  # own circle of four
        (5, 6, 0, True),
    ],
)
def test_overlapping_circles(
    make: Make, friends: int, calling: int, more: int, is_evidence: bool
) -> None:
    landing = ready(make)
    landing.rows.pop(("usage_call_circle", landing.last), None)
    others = [(f"137{number:08d}", 10, False) for number in range(more)]
    mine = [(friend(number), 10, True) for number in range(1, friends + 1)]
    landing.circle("0", "2025-04", "2025-05-03", mine + others)
    for number in range(1, calling + 1):
        landing.circle(f"{number}", "2025-04", "2025-05-03", [(TWIN, 10, False)])
    assert ("E3" in true(of(landing))) is is_evidence


@pytest.mark.parametrize(
    ("number", "minutes", "members", "is_evidence"),
    [
        (TWIN, 25, 5, True),  # 25 of 100
        (TWIN, 24, 5, False),
        ("95588", 25, 6, False),  # a short code
        (TWIN, 90, 4, False),  # a circle of four
    ],
)
def test_concentration(
    make: Make, number: str, minutes: int, members: int, is_evidence: bool
) -> None:
    landing = ready(make)
    rest = [(f"136{each:08d}", 0, True) for each in range(members - 2)]
    big = ("13500000000", 100 - minutes, True)
    landing.circle("0", "2025-04", "2025-05-03", [(number, minutes, False), big, *rest])
    assert ("E2" in true(of(landing))) is is_evidence


@pytest.mark.parametrize(("off", "is_evidence"), [("2025-03-02", False), ("2025-03-03", True)])
def test_a_forward_in_the_ninety_days(make: Make, off: str, is_evidence: bool) -> None:
    landing = ready(make)
    forward(landing, "2025-01-05", off)
    assert ("E4" in true(of(landing))) is is_evidence


@pytest.mark.parametrize(
    ("out", "into", "is_evidence"),
    [
        ("5.00", "8.00", True),
        ("5.01", "8.00", False),
        ("5.00", "7.99", False),
    ],
)
def test_complementary_use(make: Make, out: str, into: str, is_evidence: bool) -> None:
    landing = make(FIRST, LAST, ("usage_competitor_contacts",))
    landing.line("0", prepaid=False)
    landing.use("0", FIRST, "2025-05-01")
    landing.use(
        "0",
        "2025-05-02",
        LAST,
        calls_out=1,
        calls_in=1,
        voice_out_minutes=out,
        voice_in_minutes=into,
        data_mb="50.000",
    )
    forward(landing, "2025-05-20")
    assert ("E5" in true(of(landing))) is is_evidence


def test_memory_ends_ninety_days_after_the_last_evidence(make: Make) -> None:
    landing = make(FIRST, "2025-08-20", ("usage_competitor_contacts",))
    owner(landing)
    landing.circle("9", "2025-07", "2025-08-03", [(TWIN, 10, False)])
    off_net_circle(landing)
    forward(landing, "2025-05-20")
    assert of(landing, "2025-07-31").is_flagged is True
    assert "E3" not in true(of(landing, "2025-08-01"))


def test_without_circles_it_is_unknown(make: Make) -> None:
    landing = ready(make)
    forward(landing, "2025-05-20")
    assert of(landing).is_flagged is None
