"""In and out by unit and month (O40), and causes of falling bills (O24), as the plain reference says."""

from __future__ import annotations

from datetime import date, timedelta

from tests.reference.dates import month_start
from tests.reference.evaluate import Reference
from tests.step1.loaded_operator import LoadedOperator

# Lines and ends of so many days are looked at: months that began before are not whole.
LOOKED_BACK = timedelta(days=245)


def test_o40_in_and_out_equal_the_reference(looked_at: tuple[LoadedOperator, Reference]) -> None:
    operator, reference = looked_at
    day = reference.book.day
    found = {
        (level, unit, f"{month:%Y-%m}"): counts
        for level, unit, month, *counts in operator.query(
            "select org_level, org_id, month, gross_churners, gross_adds, net_churners, net_adds,"
            f" frozen_from from step1_find.inout_ratios where as_of_date = date '{day}'"
            # What was final on an earlier date stays as it was.
            " and is_provisional"
        )
    }
    expected = {
        place: [
            each.gross_churners,
            each.gross_adds,
            each.net_churners,
            each.net_adds,
            each.final_from,
        ]
        for place, each in reference.inout.items()
        if each.final_from > day and month_start(place[2]) > day - LOOKED_BACK
    }
    assert found == expected
    assert any(churners and adds for churners, adds, *_ in found.values())


def test_o24_causes_equal_the_reference(looked_at: tuple[LoadedOperator, Reference]) -> None:
    operator, reference = looked_at
    found = dict(
        operator.query(
            "select subscriber_id, decline_causes from intermediate.int_arpu_decline_causes"
        )
    )
    declines = {
        name: reference.finding(line, "ARPU_DECLINE") for name, line in reference.book.base.items()
    }
    expected = {
        name: ";".join(finding.evidence["causes"])
        for name, finding in declines.items()
        if finding.is_true
    }
    assert found == expected
    # The operator shows causes by itself, once eight months of bills have come.
    has_eight_bills = reference.book.day >= date(2025, 3, 3)
    causes = {cause for text in found.values() for cause in text.split(";")}
    assert ({"COMPETITION", "SUBSTITUTE", "UNKNOWN"} <= causes) is has_eight_bills
