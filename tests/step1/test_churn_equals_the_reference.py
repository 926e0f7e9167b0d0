"""Churn, who gets an index, and the label say what the plain reference says of the files (O18, O19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.reference.churn import intervals, population
from tests.reference.evaluate import Reference
from tests.step1.conftest import DATES, INDEX
from tests.step1.loaded_operator import LoadedOperator

# churn_case -> the reference's case
CASES = {
    "SUSPENDED": "LAPSED",
    "EXPIRED": "LAPSED",
    "VOLUNTARY_SUSPENDED": "KEPT_NUMBER",
    "ARREARS_SUSPENDED": "ARREARS",
    "ARREARS_REMOVED": "ARREARS",
}
REASONS = {"CHURNED": "CONFIRMED_CHURNED", "REVIVED": "CONFIRMED_CHURNED"}


def differing(want: Mapping[Any, Any], got: Mapping[Any, Any]) -> list[tuple[Any, Any, Any]]:
    return [
        (key, want.get(key, "no row"), got.get(key, "no row"))
        for key in sorted(want.keys() | got.keys())
        if want.get(key, "no row") != got.get(key, "no row")
    ]


def test_churn_equals_the_reference(looked_at: tuple[LoadedOperator, Reference]) -> None:
    """O19: each spell with its dates, and who was removed by the operator."""
    operator, reference = looked_at
    churn = f"intermediate.int_churn where as_of_date = date '{reference.book.day}'"
    want = {
        (name, spell.spell_no): (
            spell.case,
            spell.churn_date,
            spell.confirmed_at,
            spell.revived_on,
            spell.is_arrears_exit,
            spell.is_natural,
            spell.is_bulk_exit,
        )
        for name, departure in reference.departures.items()
        for spell in departure.churns
    }
    got = {
        (name, spell_no): (CASES.get(case, case), *rest)
        for name, spell_no, case, *rest in operator.query(
            "select subscriber_id, spell_no, churn_case, churn_date, confirmed_at, returned_on,"
            f" is_arrears_exit, is_natural_churn, is_bulk_exit from {churn} and not is_operator_removed"
        )
    }
    assert want
    assert differing(want, got) == []
    removals = {
        name: (departure.removal.censored_on, departure.removal.removed_on)
        for name, departure in reference.departures.items()
        if departure.removal is not None
    }
    removed = operator.query(
        f"select subscriber_id, churn_date, confirmed_at from {churn} and is_operator_removed"
    )
    assert differing(removals, {name: tuple(dates) for name, *dates in removed}) == []


def test_population_equals_the_reference(looked_at: tuple[LoadedOperator, Reference]) -> None:
    """O18: everyone in the network gets an index, or a reason why not."""
    operator, reference = looked_at
    want = {
        name: REASONS.get(reason or "", reason)
        for name, reason in population(reference.book, reference.departures).items()
    }
    got = dict(
        operator.query(
            "select subscriber_id, no_index_reason from step1_find.churn_features"
            f" where as_of_date = date '{reference.book.day}'"
        )
    )
    assert None in want.values()
    assert len(set(want.values())) > 3
    assert differing(want, got) == []


@pytest.mark.parametrize("looked_at", DATES[-1:], ids=str, indirect=True)
def test_labels_equal_the_reference(looked_at: tuple[LoadedOperator, Reference]) -> None:
    """O16: as known on the last date looked at, who left in which interval after the lead."""
    operator, known = looked_at
    operator.learn(known.book.day)
    number_changes = frozenset(
        name
        for (name,) in operator.query(
            "select old_subscriber_id from step1_find.reentry_links where link_kind = 'NUMBER_CHANGE'"
            f" and as_of_date = date '{known.book.day}'"
        )
    )
    index = Reference.as_of(operator.landing, INDEX)
    want = {
        name: (observed.left_in, observed.intervals)
        for name, observed in intervals(index.book, known.book, 30, 6, number_changes).items()
    }
    got = {
        name: (left_in, observed)
        for name, left_in, observed in operator.query(
            "select subscriber_id, left_in, observed from step1_find.churn_training_rows"
            f" where index_date = date '{INDEX}'"
        )
    }
    assert {left_in for left_in, _ in want.values()} == {0, 1, 2, 3}
    assert differing(want, got) == []
