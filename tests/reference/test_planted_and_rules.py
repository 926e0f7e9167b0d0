"""What is planted is there in its number, and the rules find it on the feeds as delivered.

One operator is lived once; planted truth comes from its truth files, rule truth from the reference.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.simulator import simulate
from tests.reference.churn import Churn
from tests.reference.evaluate import Reference
from tests.reference.reentry import Link

FIRST, DAYS = date(2024, 7, 1), 300
LAST = FIRST + timedelta(days=DAYS - 1)
EARLIER = date(2024, 12, 31)  # a month end of the second half, for the agents
SUBSCRIBERS, SEED = 2_600, 24
JOINERS_A_DAY = 0.0026  # of the subscribers at the opening
Row = dict[str, Any]

# A date is known late: silence is cut short by a suspension that starts the clock anew.
KNOWN_AFTER_DAYS = {"PORT_OUT": 0, "CLOSED": 0, "SILENT": 105, "UNPAID": 95}
LINK_FROZEN_DAYS = 90 + 31
SIGMAS = 4


@dataclass
class Planted:
    """The truth files and what the reference says of the feeds."""

    truth: Path
    reference: Reference
    earlier: Reference

    def rows(self, table: str) -> list[Row]:
        found = duckdb.execute(f"select * from read_parquet('{self.truth}/{table}/*.parquet')")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    @cached_property
    def exits(self) -> dict[str, Row]:
        return {row["subscriber_id"]: row for row in self.rows("exits")}

    @cached_property
    def people(self) -> dict[str, Row]:
        return {row["subscriber_id"]: row for row in self.rows("people")}

    @cached_property
    def reentries(self) -> dict[tuple[str, str], Row]:
        return {
            (row["old_subscriber_id"], row["new_subscriber_id"]): row
            for row in self.rows("reentries")
        }

    def is_prepaid(self, name: str) -> bool:
        return self.reference.book.lines[name].is_prepaid

    def joined_on(self, name: str) -> date:
        on: date = self.people[name]["activated_on"]
        return on

    @cached_property
    def joiners(self) -> list[str]:
        return [name for name in self.people if self.joined_on(name) > FIRST]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    home = tmp_path_factory.mktemp("planted")
    landing, truth = home / "landing", home / "truth"
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, landing, truth)
    return Planted(truth, Reference.as_of(landing, LAST), Reference.as_of(landing, EARLIER))


def assert_share(found: int, base: int, share: float) -> None:
    """`found` is what a chance of `share` gives among `base`, within some deviations."""
    mean = base * share
    assert abs(found - mean) <= SIGMAS * math.sqrt(mean * (1 - share)) + 1, (found, mean)


# The rules find it


def nearest(churns: list[Churn], left_on: date) -> int | None:
    """Days from the exit to the churn_date next to it."""
    return min(((churn.churn_date - left_on).days for churn in churns), key=abs, default=None)


@pytest.mark.parametrize("kind", list(KNOWN_AFTER_DAYS))
def test_churn_dates_are_the_exits(planted: Planted, kind: str) -> None:
    known = timedelta(days=KNOWN_AFTER_DAYS[kind])
    away = [
        nearest(departure.churns, row["left_on"])
        for name, row in planted.exits.items()
        if row["exit"] == kind and row["left_on"] + known <= LAST
        if (departure := planted.reference.departures.get(name)) and departure.is_used
    ]
    right = sum(days is not None and abs(days) <= 3 for days in away)
    assert len(away) > 20
    assert right >= 0.95 * len(away)


def alive(planted: Planted, month: date) -> list[str]:
    """Lines that were there and used when the month began."""
    return [
        name
        for name, departure in planted.reference.departures.items()
        if departure.is_used
        and planted.joined_on(name) < month
        and (departure.removal is None or departure.removal.censored_on >= month)
        and not any(
            churn.churn_date < month and (churn.revived_on is None or churn.revived_on >= month)
            for churn in departure.churns
        )
    ]


MONTHS = [date(2024, month, 1) for month in range(8, 13)]  # all that matters of them is known


def test_few_depart_by_rule_alone(planted: Planted) -> None:
    for month in MONTHS:
        alone = [
            name
            for name in alive(planted, month)
            for churn in planted.reference.departures[name].churns
            if (churn.churn_date.year, churn.churn_date.month) == (month.year, month.month)
            and (
                name not in planted.exits
                or abs((churn.churn_date - planted.exits[name]["left_on"]).days) > 30
            )
        ]
        assert len(alone) <= 0.01 * len(alive(planted, month))


@pytest.mark.parametrize(("prepaid", "least", "most"), [(False, 4.0, 6.0), (True, 7.5, 10.5)])
def test_voluntary_churn_is_about_that_of_a_real_operator(
    planted: Planted, prepaid: bool, least: float, most: float
) -> None:
    """5% a month postpaid and 9% prepaid; the margins are those of a small operator."""
    there = left = 0
    for month in MONTHS:
        names = [name for name in alive(planted, month) if planted.is_prepaid(name) == prepaid]
        there += len(names)
        left += sum(
            churn.is_voluntary
            and (churn.churn_date.year, churn.churn_date.month) == (month.year, month.month)
            for name in names
            for churn in planted.reference.departures[name].churns
        )
    assert least < 100 * left / there < most


def frozen_links(planted: Planted) -> dict[tuple[str, str], Link]:
    last = LAST - timedelta(days=LINK_FROZEN_DAYS)
    return {
        (link.old_id, link.new_id): link
        for link in planted.reference.links
        if planted.joined_on(link.new_id) <= last
    }


def test_reentries_are_linked(planted: Planted) -> None:
    last = LAST - timedelta(days=LINK_FROZEN_DAYS)
    wanted = {
        pair
        for pair, row in planted.reentries.items()
        if row["gap_days"] is not None
        and abs(row["gap_days"]) <= 90
        and row["new_activated_on"] <= last
    }
    found = frozen_links(planted)
    assert len(wanted) > 50
    assert sum(pair in planted.reentries for pair in found) >= 0.95 * len(found)
    assert len(wanted & set(found)) >= 0.90 * len(wanted)


def test_links_are_found_by_each_evidence_alone(planted: Planted) -> None:
    found = {
        frozenset(link.evidence) - {"AREA"}
        for pair, link in frozen_links(planted).items()
        if pair in planted.reentries
    }
    assert {frozenset({name}) for name in ("ID", "DEVICE", "CIRCLE")} <= found


def test_dual_handsets_are_flagged(planted: Planted) -> None:
    own = {row["subscriber_id"]: row for row in planted.rows("dual_handsets")}
    found = planted.reference.dual_handsets
    flagged = {name for name, dual in found.items() if dual.is_flagged}
    month = (LAST.replace(day=1) - timedelta(days=1)).replace(day=1)
    since = (month - timedelta(days=1)).replace(day=1)  # two closed months
    seen = {
        name
        for name, row in own.items()
        if name in found and max(row["since"], planted.joined_on(name)) <= since
    }
    assert len(seen) > 50
    assert len(flagged & set(own)) >= 0.90 * len(flagged)
    assert len(flagged & seen) >= 0.80 * len(seen)


def test_agents_who_wash_cards_are_alerted_and_nobody_else(planted: Planted) -> None:
    washing = {row["agent_id"] for row in planted.rows("washing_agents")}
    assert washing
    for reference in (planted.earlier, planted.reference):
        busy = {name for name, agent in reference.agents.items() if agent.n >= 30}
        alerted = {name for name, agent in reference.agents.items() if agent.is_alert}
        assert washing <= busy
        assert alerted == washing
        assert len(busy) > len(washing)


# It is there, in its number


def test_reentries_have_their_number_and_evidence(planted: Planted) -> None:
    """Counted where the old line left before the washed and the young ones confuse it."""
    honest = [row for row in planted.reentries.values() if not row["is_washed"]]
    sold_by_us = [name for name in planted.joiners if not sold_by_agent(planted, name)]
    ours = [row for row in honest if row["agent_id"] is None]
    # Some would come back to a line that is not theirs alone: a firm's or a second one.
    assert 0.06 < len(ours) / len(sold_by_us) < 0.09
    settled = [row for row in honest if row["new_activated_on"] > FIRST + timedelta(days=90)]
    kinds = Counter(
        (row["has_same_id"], row["has_same_device"], row["has_same_circle"]) for row in settled
    )
    small = 1 / 8  # of circles are too small to be known by; such people show the same papers
    shares = {
        (True, False, False): 0.20 + 0.10 * small + 0.17 * small,
        (False, True, False): 0.16,
        (False, False, True): 0.17 * (1 - small),
        (True, True, False): 0.18 + 0.12 * small + 0.05 * small,
        (True, False, True): 0.10 * (1 - small),
        (True, True, True): 0.12 * (1 - small),
        (False, True, True): 0.05 * (1 - small),
        (False, False, False): 0.02,
    }
    assert sum(shares.values()) == pytest.approx(1)
    for kind, share in shares.items():
        assert_share(kinds[kind], len(settled), share)
    at_home = sum(row["has_same_home"] for row in honest)
    assert 0.7 * len(honest) < at_home < len(honest)


def sold_by_agent(planted: Planted, name: str) -> bool:
    return planted.reference.book.lines[name].row.get("agent_id") is not None


def test_washed_cards_are_those_of_washing_agents(planted: Planted) -> None:
    washing = {row["agent_id"] for row in planted.rows("washing_agents")}
    washed = [row for row in planted.reentries.values() if row["is_washed"]]
    assert len(washed) > 20
    assert {row["agent_id"] for row in washed} == washing
    sold = [
        name
        for name in planted.joiners
        if planted.reference.book.lines[name].row.get("agent_id") in washing
    ]
    # One in 24 agents, one at least; what is not possible in a branch is not washed.
    assert 0.3 < len(washed) / len(sold) < 0.55 + 0.1


def test_look_alikes_of_each_kind(planted: Planted) -> None:
    new = {row["new_subscriber_id"] for row in planted.reentries.values()}
    others = [name for name in planted.joiners if name not in new]
    ours = [name for name in others if not sold_by_agent(planted, name)]
    kinds = Counter(row["kind"] for row in planted.rows("look_alikes"))
    assert_share(kinds["HAND_ME_DOWN"], len(others), 0.003)
    assert_share(kinds["NEW_LINE_ON_ID"], len(others), 0.003)
    assert_share(kinds["SHOP_PHONE"], len(ours), 0.05)
    assert min(kinds.values()) >= 1
    assert len(kinds) == 3


def test_dual_handsets_by_what_they_show(planted: Planted) -> None:
    rows = planted.rows("dual_handsets")
    shown = Counter(
        (
            row["tops_the_circle"],
            row["shares_the_circle"],
            row["forwards_on"] is not None,
            row["is_complement"],
        )
        for row in rows
    )
    for kind, share in {
        (True, True, False, False): 0.34,
        (True, False, True, False): 0.17,
        (False, True, True, False): 0.15,
        (True, True, True, False): 0.18,
        (True, True, False, True): 0.12,
    }.items():
        assert_share(shown[kind], len(rows), share)
    talkers = [name for name, row in planted.people.items() if row["line_class"] == "VOICE"]
    long_since = [row for row in rows if row["since"] <= FIRST]
    assert 0.01 < len(long_since) / len(talkers) < 0.035  # of who talks enough, 3.5%
    assert len(rows) > len(long_since)


def test_firms_and_the_bulk_exit_of_one(planted: Planted) -> None:
    firms = planted.rows("firms")
    runs = SUBSCRIBERS // 32 - 1
    owners = Counter(row["firm_subscriber_id"] for row in firms)
    assert set(owners.values()) == {32}
    assert_share(len(owners), runs, 1 / 45)
    moved = [row for row in firms if row["moves_on"] is not None and row["moves_on"] <= LAST]
    assert moved
    departures = planted.reference.departures
    bulk = [name for name, one in departures.items() if any(c.is_bulk_exit for c in one.churns)]
    assert set(bulk) <= {row["subscriber_id"] for row in moved}
    assert len(bulk) >= 20


def test_some_branches_serve_poorly(planted: Planted) -> None:
    branches = planted.rows("branches")
    poor = sum(row["is_poor_service"] for row in branches)
    assert poor == max(1, round(len(branches) / 8)) < len(branches)


def voices(planted: Planted, prepaid: bool | None = None) -> list[str]:
    """People who can have a habit: no firms, machines, washed cards."""
    firms = {row["subscriber_id"] for row in planted.rows("firms")}
    washed = {row["new_subscriber_id"] for row in planted.reentries.values() if row["is_washed"]}
    return [
        name
        for name, row in planted.people.items()
        if row["line_class"] == "VOICE" and name not in firms and name not in washed
        if prepaid is None or planted.is_prepaid(name) == prepaid
    ]


def test_promotion_hunters_and_their_distractors(planted: Planted) -> None:
    """All of them are listed whose day has come; that of a hunter comes within two months."""
    rows = planted.rows("promotion_hunters")
    settled = {
        name for name in voices(planted) if planted.joined_on(name) <= LAST - timedelta(days=70)
    }
    roles = Counter(row["role"] for row in rows if row["subscriber_id"] in settled)
    assert_share(roles["HUNTER"], len(settled), 0.015)
    assert_share(roles["RENEWAL"], len(settled), 0.01)
    assert roles["ONE_SWITCH"] > roles["RENEWAL"]
    hunted = [row for row in rows if row["role"] == "HUNTER" and row["switches"] >= 2]
    assert len(hunted) >= 10


def test_products_that_nobody_ordered(planted: Planted) -> None:
    rows = planted.rows("unauthorised_subscriptions")
    bad = [row for row in rows if row["is_bad_branch"]]
    assert len(rows) > 10
    # In a branch in six, at more than thirty times the chance.
    assert len(bad) > 0.6 * len(rows)


def test_malicious_payers(planted: Planted) -> None:
    rows = planted.rows("malicious_arrears")
    base = [name for name in voices(planted, prepaid=False) if planted.joined_on(name) <= FIRST]
    joined = [name for name in voices(planted, prepaid=False) if planted.joined_on(name) > FIRST]
    mean = 0.004 * len(base) + 0.010 * len(joined)
    # Some left before, the days of others are still to come.
    assert 0.3 * mean < len(rows) < mean + SIGMAS * math.sqrt(mean)
    for row in rows:
        assert not planted.is_prepaid(row["subscriber_id"])


def test_forgetful_prepaid_people_come_back_by_themselves(planted: Planted) -> None:
    rows = planted.rows("natural_revivals")
    mean = 0.035 * len(voices(planted, prepaid=True))
    assert 0.2 * mean < len(rows) < 2 * mean
    for row in rows:
        assert planted.is_prepaid(row["subscriber_id"])
        assert (row["revived_on"] - row["suspended_on"]).days > 20


def test_substitutions_and_contract_ends(planted: Planted) -> None:
    substitutions = planted.rows("substitutions")
    assert 0.005 < len(substitutions) / len(voices(planted)) < 0.06
    ends = planted.rows("contract_expiries")
    # A quarter of the postpaid base has a contract of two years; most end later or are renewed.
    base = [name for name in voices(planted, prepaid=False) if planted.joined_on(name) <= FIRST]
    assert 0.01 < len(ends) / len(base) < 0.12
    assert all(FIRST <= row["contract_ends_on"] <= LAST for row in ends)
    assert any(row["is_still_open"] for row in ends)


def test_fraud_is_removed_and_is_no_churn(planted: Planted) -> None:
    fraud = [row for row in planted.exits.values() if row["exit"] == "FRAUD_REMOVED"]
    days = SUBSCRIBERS * DAYS  # about as many are there all the time
    mean = 0.00003 * days
    assert 0.3 * mean < len(fraud) < 2.5 * mean
    removed = [row for row in fraud if row["removed_on"] is not None]
    assert removed
    for row in removed:
        departure = planted.reference.departures[row["subscriber_id"]]
        assert departure.removal is not None
        assert departure.removal.censored_on == row["left_on"]
        assert departure.standing_churn is None
