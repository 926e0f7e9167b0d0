"""O31: agents who wash cards.

Here: the cohort of an agent, its peers, the exact test, the alert. Not here: the links themselves
(`reentry.py`).

Readings where the text leaves room:
- An agent's activations are MOBILE lines with its `agent_id` activated on D-179..D, used or not.
- Peers are the *other* agents of the same agent_type and province (the province at D) with n ≥ 30;
  fewer than 5 of them: the other agents of the operator with n ≥ 30. Agents whose channel is the
  operator's own (OWN_HALL, ONLINE, APP, CALL_CENTER) are nobody's peers. Without any peer or
  without a row in org_agents the alert is unknown; below n = 30 it is false.
- Survival: of those activated ≥ 90 days ago, not churned or removed with an onset in the first 90
  days. Zero usage: of those activated ≥ 30 days ago with at least one known day in days 1–30 (the
  day after activation and the 29 that follow), no call and no data on the known ones.
- Commission at risk: ACTIVATION plus CLAWBACK (negative) amounts of lines that are the new side of
  a NUMBER_CHANGE link, or gone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from statistics import median

from tests.reference.book import GONE, Book, Line, has_call
from tests.reference.churn import Departure
from tests.reference.dates import days, is_within
from tests.reference.delivered import Row
from tests.reference.reentry import Link

OWN_CHANNELS = frozenset({"OWN_HALL", "ONLINE", "APP", "CALL_CENTER"})


@dataclass(frozen=True)
class Agent:
    """An agent's cohort."""

    agent_id: str
    n: int
    reentries: int
    survival: Fraction | None
    zero_usage_share: Fraction | None
    commission_at_risk_fen: int
    peer_median: Fraction | None
    p_value: Fraction | None
    is_alert: bool | None

    @property
    def reentry_share(self) -> Fraction:
        return Fraction(self.reentries, self.n)


def binomial_tail(k: int, n: int, p: Fraction) -> Fraction:
    """P(X ≥ k) for X ~ Binomial(n, p), exactly."""
    a, b = p.numerator, p.denominator
    if a >= b:
        return Fraction(1)
    below = sum(math.comb(n, i) * a**i * (b - a) ** (n - i) for i in range(k))
    return 1 - Fraction(below, b**n)


def cohorts(book: Book) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = defaultdict(list)
    for line in book.lines.values():
        agent = line.row.get("agent_id")
        if agent and line.is_mobile and is_within(line.activated_on, book.day, book.p.cohort_days):
            found[agent].append(line)
    return found


def agents(book: Book, departures: Mapping[str, Departure], links: list[Link]) -> dict[str, Agent]:
    """Every agent with an activation in the cohort's days."""
    reentered = {link.new_id for link in links if link.kind == "NUMBER_CHANGE"}
    lines = cohorts(book)
    counts = {
        agent: (len(each), sum(line.subscriber_id in reentered for line in each))
        for agent, each in lines.items()
    }
    current = current_agents(book)
    commissions: dict[str, list[Row]] = book.grouped("channel_commissions")
    found = {}
    for agent, each in lines.items():
        n, reentries = counts[agent]
        peers = peer_median(book, agent, counts, current)
        risky = [
            line.subscriber_id
            for line in each
            if line.subscriber_id in reentered or is_gone(book, line, departures)
        ]
        tested = None
        if peers is not None:
            tested = binomial_tail(reentries, n, max(peers, book.p.floor_median))
        found[agent] = Agent(
            agent,
            n,
            reentries,
            survival(book, each, departures),
            zero_usage_share(book, each),
            sum(
                row.get("amount_cny") or 0
                for name in risky
                for row in commissions.get(name, [])
                if row.get("kind") in ("ACTIVATION", "CLAWBACK") and row.get("agent_id") == agent
            ),
            peers,
            tested,
            is_alert(book, n, reentries, peers, tested),
        )
    return found


def is_alert(
    book: Book, n: int, reentries: int, peers: Fraction | None, tested: Fraction | None
) -> bool | None:
    """n ≥ 30, share > 2 × peer median, p < .001."""
    p = book.p
    if n < p.arbitrage_min_n:
        return False
    if peers is None or tested is None:
        return None
    return Fraction(reentries, n) > p.peer_ratio * peers and tested < p.arbitrage_alpha


def current_agents(book: Book) -> dict[str, Row]:
    """The version of each agent in force at D, of agents that may be peers."""
    found: dict[str, Row] = {}
    rows = book.delivered.rows("org_agents")
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        is_over = row.get("valid_to") is not None and row["valid_to"] < book.day
        if row["valid_from"] <= book.day and not is_over:
            found[row["agent_id"]] = row
    return {agent: row for agent, row in found.items() if not is_own(book, row)}


def is_own(book: Book, agent: Row) -> bool:
    channel = book.channels.get(agent.get("channel_id") or "", {})
    return channel.get("channel_type") in OWN_CHANNELS


def province_of(book: Book, agent: Row) -> str | None:
    path = book.upwards(agent.get("org_id"))
    return next(
        (unit for unit in path if book.units.get(unit, {}).get("org_level") == "PROVINCE"), None
    )


def peer_median(
    book: Book,
    agent: str,
    counts: Mapping[str, tuple[int, int]],
    current: Mapping[str, Row],
) -> Fraction | None:
    if agent not in current:
        return None
    others = [
        other
        for other in current
        if other != agent and counts.get(other, (0, 0))[0] >= book.p.arbitrage_min_n
    ]
    own = (current[agent].get("agent_type"), province_of(book, current[agent]))
    near = [
        other
        for other in others
        if (current[other].get("agent_type"), province_of(book, current[other])) == own
    ]
    peers = near if len(near) >= book.p.min_peers else others
    if not peers:
        return None
    return Fraction(median(Fraction(counts[peer][1], counts[peer][0]) for peer in peers))


def is_gone(book: Book, line: Line, departures: Mapping[str, Departure]) -> bool:
    departure = departures[line.subscriber_id]
    return (
        departure.standing_churn is not None
        or departure.removal is not None
        or line.status_on(book.day) == GONE
    )


def survival(book: Book, lines: list[Line], departures: Mapping[str, Departure]) -> Fraction | None:
    old = [line for line in lines if age(book, line) >= book.p.survival_days]
    kept = [line for line in old if survived(book, line, departures[line.subscriber_id])]
    return Fraction(len(kept), len(old)) if old else None


def survived(book: Book, line: Line, departure: Departure) -> bool:
    assert line.activated_on is not None
    ends = [churn.churn_date for churn in departure.churns]
    if departure.removal is not None:
        ends.append(departure.removal.censored_on)
    ends += [standing.since for standing in line.standings if standing.status == GONE]
    limit = line.activated_on + timedelta(days=book.p.survival_days)
    return all(end >= limit for end in ends)


def age(book: Book, line: Line) -> int:
    assert line.activated_on is not None
    return (book.day - line.activated_on).days


def zero_usage_share(book: Book, lines: list[Line]) -> Fraction | None:
    seen = [
        used
        for line in lines
        if age(book, line) >= book.p.first_usage_days
        and (used := was_used_at_first(book, line)) is not None
    ]
    return Fraction(seen.count(False), len(seen)) if seen else None


def was_used_at_first(book: Book, line: Line) -> bool | None:
    """A call or data in days 1–30; None when none of them is known."""
    assert line.activated_on is not None
    first = line.activated_on + timedelta(days=1)
    last = line.activated_on + timedelta(days=book.p.first_usage_days)
    known = [
        usage
        for day in days(first, last)
        if (usage := book.usage_on(line.subscriber_id, day)) is not None
    ]
    if not known:
        return None
    return any(has_call(usage) or (usage.data_mb or 0) > 0 for usage in known)
