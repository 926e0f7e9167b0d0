"""Re-entry links of the reference, both sides of each limit."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from tests.reference.conftest import Make
from tests.reference.handmade import Landing, day
from tests.reference.reentry import Link

FIRST, END = "2025-01-01", "2025-03-15"
LAST = "2025-07-10"


def leave(landing: Landing, name: str = "OLD", kind: str = "CLOSED", end: str = END) -> None:
    landing.line(name, prepaid=False)
    landing.use(name, FIRST, end)
    landing.status(name, end, "DEACTIVATED", "CUSTOMER_REQUEST")
    landing.add("churn_events", end, subscriber_id=name, at=f"{end} 09:00:00", kind=kind)


def person(landing: Landing, customer: str, id_number: str, org_class: str = "INDIVIDUAL") -> None:
    landing.add(
        "crm_customers", FIRST, customer_id=customer, id_number=id_number, org_class=org_class
    )


def found(landing: Landing) -> list[Link]:
    return landing.reference().links


@pytest.mark.parametrize(("gap", "is_linked"), [(-91, False), (-90, True), (90, True), (91, False)])
def test_the_window_is_ninety_days_both_ways(make: Make, gap: int, is_linked: bool) -> None:
    landing = make(FIRST, LAST)
    end = "2025-04-10"
    leave(landing, end=end)
    activated = day(end) + timedelta(days=gap)
    landing.line("NEW", activated=activated.isoformat(), customer_id="COLD")
    links = found(landing)
    assert bool(links) is is_linked
    if is_linked:
        assert links == [Link("OLD", "NEW", Fraction(60, 100), ("ID",), abs(gap), "NUMBER_CHANGE")]


def test_the_same_id_number_under_another_customer(make: Make) -> None:
    for org_class, is_linked in (("INDIVIDUAL", True), ("GROUP", False), ("GOVERNMENT", False)):
        landing = make(FIRST, LAST)
        leave(landing)
        landing.line("NEW", activated="2025-03-20")
        person(landing, "COLD", "110101199001010011", org_class)
        person(landing, "CNEW", "110101199001010011", org_class)
        assert bool(found(landing)) is is_linked


@pytest.mark.parametrize(("lines", "is_linked"), [(5, True), (6, False)])
def test_ids_with_more_than_five_lines_prove_nothing(
    make: Make, lines: int, is_linked: bool
) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20", customer_id="COLD")
    for number in range(lines - 2):
        landing.line(f"X{number}", customer_id="COLD")
    assert bool(found(landing)) is is_linked


def test_a_port_out_that_comes_back_is_a_return(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing, kind="PORT_OUT")
    landing.line("NEW", activated="2025-03-20", customer_id="COLD")
    assert [link.kind for link in found(landing)] == ["RETURN"]


def test_fraud_links_to_nobody(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing, kind="FRAUD_REMOVED")
    landing.line("NEW", activated="2025-03-20", customer_id="COLD")
    assert found(landing) == []


def device(landing: Landing, name: str, imei: str, dt: str) -> None:
    landing.add("usage_devices", dt, subscriber_id=name, imei=imei, at=f"{dt} 12:00:00")


def area(landing: Landing, name: str, month: str, dt: str) -> None:
    landing.add(
        "usage_areas", dt, subscriber_id=name, month=month, kind="HOME", area_id="A1", days=20
    )


def test_a_device_needs_the_area_beside_it(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20")
    device(landing, "OLD", "IMEI1", "2025-01-02")
    device(landing, "NEW", "IMEI1", "2025-03-20")
    assert found(landing) == []
    area(landing, "OLD", "2025-02", "2025-03-03")
    area(landing, "NEW", "2025-04", "2025-05-03")
    (link,) = found(landing)
    assert link.evidence == ("DEVICE", "AREA")
    assert link.score == 1 - Fraction(45, 100) * Fraction(85, 100)


@pytest.mark.parametrize(("others", "is_linked"), [(1, True), (2, False)])
def test_shop_phones_prove_nothing(make: Make, others: int, is_linked: bool) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20")
    area(landing, "OLD", "2025-02", "2025-03-03")
    area(landing, "NEW", "2025-04", "2025-05-03")
    for name, dt in (("OLD", "2025-01-02"), ("NEW", "2025-03-20")):
        device(landing, name, "IMEI1", dt)
    for number in range(others):
        landing.line(f"X{number}")
        device(landing, f"X{number}", "IMEI1", "2025-03-01")
        device(landing, f"X{number}", f"OWN{number}", "2025-03-02")
    assert bool(found(landing)) is is_linked


@pytest.mark.parametrize(("offset", "is_linked"), [(59, True), (60, False)])
def test_the_device_is_seen_in_the_first_sixty_days(
    make: Make, offset: int, is_linked: bool
) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20")
    area(landing, "OLD", "2025-02", "2025-03-03")
    area(landing, "NEW", "2025-04", "2025-05-03")
    device(landing, "OLD", "IMEI1", "2025-01-02")
    device(landing, "NEW", "IMEI1", (day("2025-03-20") + timedelta(days=offset)).isoformat())
    assert bool(found(landing)) is is_linked


def members(*numbers: int) -> list[tuple[str, int, bool]]:
    return [(f"138{number:08d}", 10, True) for number in numbers]


@pytest.mark.parametrize(
    ("before", "after", "is_linked"),
    [
        (range(6), range(2, 8), True),  # 4 of 8
        (range(6), range(3, 8), False),  # 3 of 8
        (range(5), range(5), True),
        (range(4), range(4), False),  # circle of 4
    ],
)
def test_circles(make: Make, before: range, after: range, is_linked: bool) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20")
    landing.circle("OLD", "2025-02", "2025-03-03", members(*before))
    landing.circle("NEW", "2025-04", "2025-05-03", members(*after))
    links = found(landing)
    assert bool(links) is is_linked
    if is_linked:
        assert links[0].evidence == ("CIRCLE",)


def test_short_codes_are_no_members(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEW", activated="2025-03-20")
    circle = [*members(*range(4)), ("10086", 10, True)]
    landing.circle("OLD", "2025-02", "2025-03-03", circle)
    landing.circle("NEW", "2025-04", "2025-05-03", circle)
    assert found(landing) == []


def test_one_to_one_by_score_then_gap(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("NEAR", activated="2025-03-16", customer_id="COLD")
    landing.line("FAR", activated="2025-04-16", customer_id="COLD")
    assert [link.new_id for link in found(landing)] == ["NEAR"]
    device(landing, "OLD", "IMEI1", "2025-01-02")
    device(landing, "FAR", "IMEI1", "2025-04-16")
    assert [link.new_id for link in found(landing)] == ["FAR"]


def test_an_older_second_line_and_the_line_itself_are_no_reentry(make: Make) -> None:
    landing = make(FIRST, LAST)
    leave(landing)
    landing.line("SECOND", activated="2019-01-01", customer_id="COLD")
    assert found(landing) == []


def test_a_silent_exit_ends_with_its_onset(make: Make) -> None:
    landing = make(FIRST, LAST)
    landing.line("OLD")
    landing.use("OLD", FIRST, "2025-03-01")
    landing.line("NEW", activated="2025-03-04", customer_id="COLD")
    landing.use("NEW", "2025-03-04", LAST)
    (link,) = found(landing)
    assert link.gap_days == 2
