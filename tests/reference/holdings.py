"""Signals of what a subscriber holds: O08, O22, O28, O41.

Here: subscriptions to plans, packs, services and contracts. Not here: how they are used
(`fit.py`).

Readings where the text leaves room:
- A holding is open at D when it has started and has not ended on or before D.
- A contract_end_date or promo_id of which no holding has a value is not delivered: O08, O41 unknown.
- O08: a renewal is an open or coming holding of the same kind with a later contract_end_date.
- O22: a NULL end_reason counts only with a contract_end_date after the end.
- O28: leg (a) is judged by orders of VAS, DATA_PACK and BUNDLE started in the 90 days; where more
  than half of them lack consent_ref the leg is unknown.
- O41: a switch is a start whose promo_id differs from that of the start before it (of PLAN,
  DATA_PACK or BUNDLE, along the links), NULL on one side included; the first start of all is none.
  Ours: a promo that is the offer_id of an ACCEPTED contact with a work order of the same person.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise

from tests.reference.book import Book, Line
from tests.reference.complaints import complained_of
from tests.reference.dates import is_within
from tests.reference.delivered import Row
from tests.reference.finding import Finding, absent, fired, unknown
from tests.reference.reentry import Link

PACKS = ("VAS", "DATA_PACK", "BUNDLE")
PROMOTED = ("PLAN", "DATA_PACK", "BUNDLE")


def started_on(holding: Row) -> date | None:
    return holding["started_at"].date() if holding.get("started_at") else None


def ended_on(holding: Row) -> date | None:
    return holding["ended_at"].date() if holding.get("ended_at") else None


def is_open_on(holding: Row, day: date) -> bool:
    started, ended = started_on(holding), ended_on(holding)
    return started is not None and started <= day and (ended is None or ended > day)


def holdings_of(book: Book, line: Line, kinds: tuple[str, ...] | None = None) -> list[Row]:
    """In the order of their start."""

    def rows() -> list[Row]:
        found = [
            row
            for row in book.of("billing_subscriptions", line)
            if started_on(row) is not None and (kinds is None or row.get("product_kind") in kinds)
        ]
        return sorted(found, key=lambda row: (row["started_at"], row["subscription_id"]))

    return book.at_hand(line.subscriber_id, ("holdings", kinds), rows)


def product_of(book: Book, holding: Row) -> Row:
    """The product's version that was on sale at the start; else the oldest."""
    rows = products(book).get(holding.get("product_id") or "", [])
    started = started_on(holding)
    older = [row for row in rows if started is not None and row["on_sale_from"] <= started]
    return (older[-1:] or rows[:1] or [{}])[0]


def products(book: Book) -> dict[str, list[Row]]:
    if "products" not in book.__dict__:
        found: dict[str, list[Row]] = {}
        rows = book.delivered.rows("billing_products")
        for row in sorted(rows, key=lambda row: row["on_sale_from"]):
            found.setdefault(row["product_id"], []).append(row)
        book.__dict__["products"] = found
    kept: dict[str, list[Row]] = book.__dict__["products"]
    return kept


def is_delivered(book: Book, column: str) -> bool:
    """Whether any holding has a value of the column."""
    kept: dict[str, bool] = book.__dict__.setdefault("columns_of_holdings", {})
    if column not in kept:
        kept[column] = any(
            row.get(column) not in (None, "")
            for row in book.delivered.rows("billing_subscriptions")
            if row.get("subscriber_id") and row.get("started_at")
        )
    return kept[column]


def hr6_contract(book: Book, line: Line) -> Finding:
    """O08: an open holding with contract_end_date in D … D+60, not renewed."""
    if not is_delivered(book, "contract_end_date"):
        return unknown()
    held = holdings_of(book, line)
    ahead = []
    for holding in held:
        end = holding.get("contract_end_date")
        if end is None or not is_open_on(holding, book.day):
            continue
        left = (end - book.day).days
        if 0 <= left <= book.p.contract_days and not is_renewed(book, holding, held):
            ahead.append(left)
    if not ahead:
        return absent()
    near, far = book.p.contract_bands
    return fired(
        days_left=min(ahead), band=f"0-{near}" if min(ahead) <= near else f"{near + 1}-{far}"
    )


def is_renewed(book: Book, holding: Row, held: list[Row]) -> bool:
    return any(
        other.get("product_kind") == holding.get("product_kind")
        and other.get("contract_end_date") is not None
        and other["contract_end_date"] > holding["contract_end_date"]
        and (ended_on(other) or date.max) > book.day
        for other in held
    )


def vas_churn(book: Book, line: Line) -> Finding:
    """O22."""
    if not book.delivered.has("billing_subscriptions"):
        return unknown()
    held = holdings_of(book, line, ("VAS", "DATA_PACK"))
    lost = [each["product_id"] for each in held if is_given_up(book, each, held)]
    return fired(products=sorted(lost)) if lost else absent()


def is_given_up(book: Book, holding: Row, held: list[Row]) -> bool:
    p, started, ended = book.p, started_on(holding), ended_on(holding)
    if started is None or not is_within(ended, book.day, p.vas_days) or ended is None:
        return False
    if holding.get("is_trial") or (ended - started).days < p.vas_held_days:
        return False
    reason, end = holding.get("end_reason"), holding.get("contract_end_date")
    if reason != "CUSTOMER" and not (reason is None and end is not None and ended < end):
        return False
    return not any(
        other is not holding
        and is_alike(book, holding, other)
        and abs((other["started_at"].date() - ended).days) <= p.vas_gap_days
        for other in held
    )


def is_alike(book: Book, one: Row, other: Row) -> bool:
    """The same product or app_class."""
    app_class = product_of(book, one).get("app_class")
    return one.get("product_id") == other.get("product_id") or (
        app_class is not None and app_class == product_of(book, other).get("app_class")
    )


def lacks_reference(holding: Row) -> bool:
    return not (holding.get("consent_ref") or "").strip()


def orders_lack_consent(book: Book) -> bool:
    """More than half of the orders of the window have no consent_ref."""
    if "orders_lack_consent" not in book.__dict__:
        orders = [
            row
            for rows in book.grouped("billing_subscriptions").values()
            for row in rows
            if row.get("product_kind") in PACKS
            and is_within(started_on(row), book.day, book.p.integrity_days)
        ]
        lacking = sum(lacks_reference(row) for row in orders)
        limit = book.p.integrity_max_unproven_share * len(orders)
        book.__dict__["orders_lack_consent"] = bool(orders) and lacking > limit
    return bool(book.__dict__["orders_lack_consent"])


def has_unproven_order(book: Book, line: Line) -> bool | None:
    """O28 (a)."""
    if not book.delivered.has("billing_subscriptions") or orders_lack_consent(book):
        return None
    return any(
        is_within(started_on(row), book.day, book.p.integrity_days)
        and (row.get("price_cny") or 0) > 0
        and (lacks_reference(row) or row.get("consent_method") == "NONE")
        and not is_own_order(book, row)
        for row in holdings_of(book, line, PACKS)
    )


def is_own_order(book: Book, holding: Row) -> bool:
    """Ordered by the customer ONLINE or in the APP."""
    channel = book.channels.get(holding.get("order_channel_id") or "", {})
    return channel.get("channel_type") in ("ONLINE", "APP")


def has_refund(book: Book, line: Line) -> bool | None:
    """O28 (c): REFUND of a VAS, DATA_PACK or BUNDLE in 90 d."""
    width = book.p.integrity_days
    for row in book.recent("billing_adjustments", line, width):
        kinds = {
            each.get("product_kind") for each in products(book).get(row.get("product_id") or "", [])
        }
        if row.get("kind") == "REFUND" and kinds & set(PACKS):
            return True
    return None if book.is_unproven("billing_adjustments", width) else False


def integrity_risk(book: Book, line: Line) -> Finding:
    """O28; two legs are severity 3."""
    legs = {
        "ORDER": has_unproven_order(book, line),
        "COMPLAINT": complained_of(book, line, "UNAUTHORISED_ORDER", book.p.integrity_days),
        "REFUND": has_refund(book, line),
    }
    true = [name for name, holds in legs.items() if holds]
    if true:
        return fired(legs=true, severity=3 if len(true) >= 2 else 2)
    return unknown() if None in legs.values() else absent()


def person_of(line: Line, links: Iterable[Link]) -> list[str]:
    """The subscriber ids of one person along the links, the given line's own included."""
    new_of = {link.old_id: link.new_id for link in links}
    old_of = {new: old for old, new in new_of.items()}
    person = [line.subscriber_id]
    while person[0] in old_of and old_of[person[0]] not in person:
        person.insert(0, old_of[person[0]])
    while person[-1] in new_of and new_of[person[-1]] not in person:
        person.append(new_of[person[-1]])
    return person


def deal_hunter(book: Book, line: Line, links: Iterable[Link]) -> Finding:
    """O41: ≥ 2 promo switches in 365 d."""
    if not is_delivered(book, "promo_id"):
        return unknown()
    lines = [book.lines[name] for name in person_of(line, links)]
    rows = [row for each in lines for row in holdings_of(book, each, PROMOTED)]
    rows = [row for row in rows if row["started_at"].date() <= book.day]
    rows.sort(key=lambda row: (row["started_at"], row["subscription_id"]))
    starts = [(row["started_at"].date(), row.get("promo_id")) for row in rows]
    given = {promo for each in lines for promo in our_promos(book, each)}
    switches = [
        day
        for (_, before), (day, promo) in pairwise(starts)
        if promo != before and promo not in given and is_within(day, book.day, book.p.deal_days)
    ]
    return fired(switches=switches) if len(switches) >= book.p.deal_switches else absent()


def our_promos(book: Book, line: Line) -> set[str]:
    return {
        row["offer_id"]
        for row in book.of("field_contacts", line)
        if row.get("work_order_id") and row.get("outcome") == "ACCEPTED" and row.get("offer_id")
    }
