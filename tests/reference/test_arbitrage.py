"""Agents who wash cards: cohort, peers, the exact test."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.reference.arbitrage import Agent, binomial_tail
from tests.reference.conftest import Make
from tests.reference.handmade import Landing

FIRST, LAST = "2025-01-01", "2025-04-30"


def test_the_binomial_tail_is_exact() -> None:
    assert binomial_tail(0, 5, Fraction(1, 3)) == 1
    assert binomial_tail(5, 5, Fraction(1, 2)) == Fraction(1, 32)
    assert binomial_tail(2, 3, Fraction(1, 4)) == 3 * Fraction(1, 16) * Fraction(3, 4) + Fraction(
        1, 64
    )
    assert binomial_tail(1, 30, Fraction(1)) == 1


def sell(landing: Landing, agent: str, n: int, reentries: int) -> None:
    """Activations of an agent, some of them by people who left the day before."""
    for number in range(n):
        name = f"{agent}-{number}"
        customer = f"{agent}C{number}"
        if number < reentries:
            old = f"{name}-OLD"
            landing.line(old, prepaid=False, customer_id=customer)
            landing.add(
                "churn_events",
                "2025-02-09",
                subscriber_id=old,
                at="2025-02-09 09:00",
                kind="CLOSED",
            )
        landing.line(
            name, activated="2025-02-10", prepaid=False, customer_id=customer, agent_id=agent
        )


def employ(landing: Landing, agents: int, province: str = "P1", kind: str = "AGENT") -> None:
    landing.add("org_units", FIRST, org_id="P1", org_level="PROVINCE")
    landing.add("org_units", FIRST, org_id="P2", org_level="PROVINCE")
    landing.add("org_channels", FIRST, channel_id="CH", org_id="P1", channel_type=kind)
    for number in range(agents):
        landing.add(
            "org_agents",
            FIRST,
            agent_id=f"A{number}",
            valid_from=FIRST,
            channel_id="CH",
            org_id="P1" if number == 0 else province,
            agent_type="SHOP",
        )


def of(landing: Landing, agent: str = "A0") -> Agent:
    return landing.reference().agents[agent]


@pytest.mark.parametrize(("n", "is_alert"), [(29, False), (30, True)])
def test_thirty_activations(make: Make, n: int, is_alert: bool) -> None:
    landing = make(FIRST, LAST)
    employ(landing, 6)
    sell(landing, "A0", n, 15)
    for number in range(1, 6):
        sell(landing, f"A{number}", 30, 1)
    agent = of(landing)
    assert agent.peer_median == Fraction(1, 30)
    assert agent.is_alert is is_alert


@pytest.mark.parametrize(("reentries", "is_alert"), [(20, False), (24, True)])
def test_a_share_of_exactly_twice_the_median_is_no_alert(
    make: Make, reentries: int, is_alert: bool
) -> None:
    landing = make(FIRST, LAST)
    employ(landing, 6)
    sell(landing, "A0", 30, reentries)
    for number in range(1, 6):
        sell(landing, f"A{number}", 30, 10)
    agent = of(landing)
    assert agent.peer_median == Fraction(1, 3)
    assert agent.is_alert is is_alert


@pytest.mark.parametrize(("reentries", "is_alert"), [(3, False), (4, True)])
def test_a_median_of_zero_is_tested_against_one_percent(
    make: Make, reentries: int, is_alert: bool
) -> None:
    landing = make(FIRST, LAST)
    employ(landing, 6)
    sell(landing, "A0", 30, reentries)
    for number in range(1, 6):
        sell(landing, f"A{number}", 30, 0)
    agent = of(landing)
    assert agent.peer_median == 0
    assert agent.p_value == binomial_tail(reentries, 30, Fraction(1, 100))
    assert agent.is_alert is is_alert


def test_few_peers_at_home_give_way_to_the_operator(make: Make) -> None:
    landing = make(FIRST, LAST)
    employ(landing, 4, province="P2")
    sell(landing, "A0", 30, 15)
    for number in range(1, 4):
        sell(landing, f"A{number}", 30, number)
    assert of(landing).peer_median == Fraction(2, 30)


def test_agents_nobody_knows_and_own_halls_have_no_peers(make: Make) -> None:
    landing = make(FIRST, LAST)
    sell(landing, "A0", 30, 15)
    assert (of(landing).peer_median, of(landing).is_alert) == (None, None)
    landing = make(FIRST, LAST)
    employ(landing, 6, kind="ONLINE")
    for number in range(6):
        sell(landing, f"A{number}", 30, 15)
    assert of(landing).is_alert is None


def test_survival_zero_usage_and_commission(make: Make) -> None:
    landing = make(FIRST, "2025-05-31")
    sell(landing, "A0", 4, 1)
    landing.use("A0-0", "2025-02-11", "2025-02-11", calls_in=1)
    landing.use("A0-1", "2025-03-12", "2025-03-12", data_mb="0.001")  # day 30
    landing.use("A0-2", "2025-03-13", "2025-03-13", calls_out=1)  # day 31
    landing.use("A0-3", "2025-02-10", "2025-02-10", calls_out=1)  # day 0
    landing.add("churn_events", "2025-05-10", subscriber_id="A0-3", at="2025-05-10", kind="CLOSED")
    landing.add("churn_events", "2025-05-11", subscriber_id="A0-2", at="2025-05-11", kind="CLOSED")
    for number in range(4):
        landing.add(
            "channel_commissions",
            "2025-02-11",
            agent_id="A0",
            subscriber_id=f"A0-{number}",
            kind="ACTIVATION",
            amount_cny="50.00",
            earned_on="2025-02-10",
        )
    agent = of(landing)
    assert (agent.n, agent.reentries) == (4, 1)
    assert agent.zero_usage_share == Fraction(2, 4)
    assert agent.survival == Fraction(3, 4)  # day 89 is within 90 days, day 90 is not
    assert agent.commission_at_risk_fen == 150_00  # one linked, two gone
