"""O24: why the ARPU of a subscriber declined.

Here: the causes of a decline that O23 found. Not here: the decline (`bills.py`).

Readings where the text leaves room:
- Ours or theirs: a plan started in the 90 days is our down-sell when a member of staff ordered it
  or an ACCEPTED contact with a work order precedes it by up to 30 days; else it is the
  subscriber's own move. Both need a lower price_cny than the plan before.
- Explained: (rise of the discount + fall of the plan fee if the plan was repriced or down-sold by
  us) / fall of the spend, means of m1..m2 against m3..m8; discounts by their size.
- Repriced: the plan held at D has a version valid from a day of the 90 d with another monthly fee
  than the version before.
- SUBSTITUTE: overage of voice and SMS in m1..m2 below m3..m8 on average, and messaging of the last
  30 days ≥ 120% of prior90's.
- PRICE_WAR: own cheaper plan, or a promo start that is not ours, in the 90 d while an offer for the
  branch or a unit above it is live at D (seen_to = D is live) below the fee of the plan before.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from tests.reference.bills import full_invoices, spend
from tests.reference.book import Book, Line, Usage, mean
from tests.reference.dates import is_within
from tests.reference.delivered import Row
from tests.reference.fit import plan_on, plan_versions
from tests.reference.holdings import PROMOTED, holdings_of, our_promos, started_on
from tests.reference.rivals import forwarded_between, share_rise

CAUSES = ("OPERATOR_STRATEGY", "COMPETITION", "SUBSTITUTE", "PRICE_WAR")
_ACCEPTED_BEFORE_DAYS = 30


def decline_causes(book: Book, line: Line, is_dual_handset: bool) -> list[str]:
    """Those that are true, the primary first; UNKNOWN alone without any."""
    held = {
        "OPERATOR_STRATEGY": is_operator_strategy(book, line),
        "COMPETITION": is_competition(book, line, is_dual_handset),
        "SUBSTITUTE": is_substitute(book, line),
        "PRICE_WAR": is_price_war(book, line),
    }
    return [name for name in CAUSES if held[name]] or ["UNKNOWN"]


def averages(book: Book, line: Line, column: str) -> tuple[float, float]:
    """Means of m1..m2 and m3..m8."""
    given = full_invoices(book, line, 8) or []
    values = [abs(invoice.get(column) or 0) for invoice in given]
    return float(mean(values[:2])), float(mean(values[2:]))


def cheaper_moves(book: Book, line: Line) -> list[tuple[Row, Row]]:
    """(before, after) of plan starts of the 90 d at a lower price."""
    plans = holdings_of(book, line, ("PLAN",))
    return [
        (before, after)
        for before, after in pairwise(plans)
        if is_within(started_on(after), book.day, book.p.cause_evidence_days)
        and (after.get("price_cny") or 0) < (before.get("price_cny") or 0)
    ]


def is_ours(book: Book, line: Line, holding: Row) -> bool:
    started = holding["started_at"]
    return bool(holding.get("order_staff_id")) or any(
        row.get("work_order_id")
        and row.get("outcome") == "ACCEPTED"
        and row.get("at") is not None
        and timedelta(0) <= started - row["at"] <= timedelta(days=_ACCEPTED_BEFORE_DAYS)
        for row in book.of("field_contacts", line)
    )


def is_repriced(book: Book, line: Line) -> bool:
    versions = plan_versions(book).get(plan_on(book, line, book.day) or "", [])
    return any(
        is_within(after["valid_from"], book.day, book.p.cause_evidence_days)
        and after.get("monthly_fee_cny") != before.get("monthly_fee_cny")
        for before, after in pairwise(versions)
    )


def is_operator_strategy(book: Book, line: Line) -> bool:
    migrated = any(
        row.get("end_reason") == "OPERATOR_MIGRATION"
        and row.get("ended_at") is not None
        and is_within(row["ended_at"].date(), book.day, book.p.cause_evidence_days)
        for row in holdings_of(book, line)
    )
    repriced = is_repriced(book, line)
    if migrated or repriced:
        return True
    given = full_invoices(book, line, 8)
    if given is None:
        return False
    fall = float(
        mean([spend(each) for each in given[2:]]) - mean([spend(each) for each in given[:2]])
    )
    discount_now, discount_before = averages(book, line, "discount_cny")
    explained = max(0.0, discount_now - discount_before)
    if any(is_ours(book, line, after) for _, after in cheaper_moves(book, line)):
        fee_now, fee_before = averages(book, line, "plan_fee_cny")
        explained += max(0.0, fee_before - fee_now)
    return fall > 0 and explained >= float(book.p.cause_explained_share) * fall


def is_competition(book: Book, line: Line, is_dual_handset: bool) -> bool:
    width = book.p.cause_evidence_days
    first = book.day - timedelta(days=width - 1)
    kinds = {row.get("kind") for row in book.recent("usage_competitor_contacts", line, width)}
    rise = share_rise(book, line)
    return (
        is_dual_handset
        or bool(forwarded_between(book, line, first, book.day))
        or bool(kinds & {"HOTLINE_OUT", "PORTABILITY_QUERY"})
        or (rise is not None and rise >= book.p.exposure_rise)
    )


def messaging(usage: Usage) -> int | None:
    return usage.data_mb_messaging


def is_substitute(book: Book, line: Line) -> bool:
    charges = [averages(book, line, name) for name in ("voice_overage_cny", "sms_overage_cny")]
    falls = sum(now for now, _ in charges) < sum(before for _, before in charges)
    rates = book.rates(line, messaging)
    return (
        falls
        and rates is not None
        and rates[1] > 0
        and rates[0] >= book.p.cause_substitute_rise * rates[1]
    )


def is_price_war(book: Book, line: Line) -> bool:
    moves = [
        before.get("price_cny") or 0
        for before, after in cheaper_moves(book, line)
        if not is_ours(book, line, after)
    ]
    given = our_promos(book, line)
    held = holdings_of(book, line, PROMOTED)
    moves += [
        row.get("price_cny") or 0
        for row in held
        if row.get("promo_id")
        and row["promo_id"] not in given
        and is_within(started_on(row), book.day, book.p.cause_evidence_days)
    ]
    units = book.upwards(line.row.get("org_id"))
    return any(
        offer.get("org_id") in units
        and (offer.get("seen_from") or book.day) <= book.day
        and (offer.get("seen_to") or book.day) >= book.day
        and offer.get("monthly_fee_cny") is not None
        and any(offer["monthly_fee_cny"] < price for price in moves)
        for offer in book.delivered.rows("market_competitor_offers")
    )
