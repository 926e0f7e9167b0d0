"""The reference over a simulated operator: it answers for everybody, and says what is plain."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.simulator import simulate
from tests.reference.evaluate import CODES, Reference

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 11)
SUBSCRIBERS, SEED = 300, 11


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    home = tmp_path_factory.mktemp("operator")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, home / "landing", home / "truth")
    return Reference.as_of(home / "landing", LAST)


def newest_lines(landing: Path) -> str:
    """The newest row of each line, counted by another way than the reference's own."""
    return (
        f"(select * from read_csv('{landing}/crm_subscribers/*.csv', all_varchar = true, "
        "filename = true, header = true) "
        "qualify row_number() over (partition by subscriber_id order by filename desc) = 1)"
    )


def test_everybody_gets_an_answer_to_every_rule(reference: Reference) -> None:
    answers = reference.evaluate()
    lines = newest_lines(reference.book.delivered.landing)
    (alive,) = duckdb.execute(
        f"select count(*) from {lines} where status <> 'DEACTIVATED' and line_class <> 'IOT'"
    ).fetchone() or (0,)
    assert alive > SUBSCRIBERS / 2
    assert len(answers) == alive * len(CODES)
    assert set(reference.signals()) == {key for key, answer in answers.items() if answer}


def test_suspensions_are_those_delivered(reference: Reference) -> None:
    lines = newest_lines(reference.book.delivered.landing)
    arrears = duckdb.execute(
        f"select subscriber_id from {lines} "
        "where status like '%SUSPENDED' and status_reason = 'ARREARS'"
    ).fetchall()
    fired = {name for name, code in reference.signals() if code == "HR4_ARREARS_SUSPENSION"}
    assert fired == {name for (name,) in arrears}
    assert fired


def test_hotlines_are_those_delivered(reference: Reference) -> None:
    folder = reference.book.delivered.landing / "usage_competitor_contacts"
    called = duckdb.execute(
        f"select distinct subscriber_id from read_csv('{folder}/*.csv', all_varchar = true, "
        "header = true) where kind like 'HOTLINE%' and \"at\" >= '2025-02-10'"
    ).fetchall()
    fired = {name for name, code in reference.signals() if code == "HR8_COMPETITOR_HOTLINE"}
    assert fired == {name for (name,) in called} & set(reference.book.base)
    assert fired


def test_every_exit_delivered_is_churn_or_removal(reference: Reference) -> None:
    departed = {
        name
        for name, departure in reference.departures.items()
        if departure.churns or departure.removal
    }
    assert set(reference.book.exits) <= departed
    assert reference.book.exits
    for departure in reference.departures.values():
        for churn in departure.churns:
            assert churn.churn_date <= churn.confirmed_at <= LAST
