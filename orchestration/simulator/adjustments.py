"""What is given back: refunds, waived overage, credits, goodwill.

Here: `billing_adjustments` and when they are granted. Not here: how they reach a bill
(`money.py`). Prepaid lines get an adjustment on their balance on the day (a credit as a gift, which
is used first), postpaid lines on the bill of the month.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import holdings
from orchestration.simulator.complaints import (
    BILLING,
    NETWORK,
    RESOLVED,
    SERVICE,
    UNAUTHORISED,
)
from orchestration.simulator.feeds import SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.randomness import scramble
from orchestration.simulator.reference import offer_id
from orchestration.simulator.state import (
    BUNDLE,
    NEVER,
    NO_PRODUCT,
    NO_PROMO,
    PACK,
    PLAN,
    UNORDERED,
    VAS,
)
from orchestration.simulator.today import Ints, Today

KINDS = ("REFUND", "OVERAGE_WAIVER", "CREDIT", "GOODWILL")
REFUND, OVERAGE_WAIVER, CREDIT, GOODWILL = range(4)
PROMOTION_CREDIT_FEN = 500
_GOODWILL_FEN = np.array([500, 1_000, 2_000])  # by severity
_GOODWILL_PERCENT, _WAIVER_PERCENT = 40, 50
_HOUR = 17


def settle(today: Today) -> None:
    """Adjustments of the day: complaints resolved today, and credits of promotions taken."""
    state = today.state
    opened_day = state.complaint_second // SECONDS_A_DAY
    offset = state.complaint_steps[:, RESOLVED]
    resolved = np.flatnonzero((offset >= 0) & (opened_day + offset == today.day))
    resolved = resolved[today.is_in_network[resolved]]
    category = state.complaint_kind[resolved, 0]
    _refund(today, resolved[category == UNAUTHORISED])
    billing = resolved[category == BILLING]
    waived = billing[_percent(billing, today.day, 1) < _WAIVER_PERCENT]
    _waive(today, waived, None, _complaint_ids(today, waived))
    _show_goodwill(today, resolved[(category == NETWORK) | (category == SERVICE)])
    _credit_promotions(today)


def waive_overage(today: Today, slots: Ints, family: int) -> None:
    """An accepted offer to waive what the last closed month cost above the plan."""
    _waive(today, slots[today.is_in_network[slots]], family, None)


def credit(today: Today, slots: Ints, amounts: Ints, families: Ints, occasion: str) -> None:
    """A gift that comes with an offer; one an occasion (a letter), subscriber and day."""
    offers = coded(families, [offer_id(index) for index in range(len(cat.FAMILIES))])
    _grant(today, CREDIT, slots, amounts, "PROMOTION", occasion, offer_id=offers)


def _refund(today: Today, slots: Ints) -> None:
    """All that was charged for a product which nobody ordered; who did order gets nothing."""
    state = today.state
    slots = slots[(state.unordered_paid_fen[slots] > 0) & (state.unordered_day[slots] <= today.day)]
    amounts = state.unordered_paid_fen[slots].astype(np.int64)
    product = coded(
        state.unordered_product[slots].astype(np.int64),
        [product.product_id for product in cat.PRODUCTS],
    )
    for kind in (VAS, PACK):
        held = state.holding[slots, kind] != NO_PRODUCT
        held &= state.holding_origin[slots, kind] == UNORDERED
        holdings.refund(today, slots[held], kind)
    state.unordered_paid_fen[slots] = 0
    state.unauthorised_day[slots] = NEVER
    state.refund_day[slots] = today.day
    state.refund_fen[slots] = amounts
    _grant(
        today,
        REFUND,
        slots,
        amounts,
        "UNAUTHORISED_ORDER",
        product_id=product,
        complaint_id=_complaint_ids(today, slots),
    )


def _waive(today: Today, slots: Ints, family: int | None, complaints: pa.Array | None) -> None:
    state = today.state
    waivable = state.waivable_fen[slots] > 0
    slots = slots[waivable]
    amounts = state.waivable_fen[slots].astype(np.int64)
    state.waivable_fen[slots] = 0
    _grant(
        today,
        OVERAGE_WAIVER,
        slots,
        amounts,
        "BILL_OPACITY",
        complaint_id=None if complaints is None else complaints.filter(pa.array(waivable)),
        offer_id=None if family is None else offer_id(family),
    )


def _show_goodwill(today: Today, slots: Ints) -> None:
    slots = slots[_percent(slots, today.day, 2) < _GOODWILL_PERCENT]
    severity = today.state.complaint_kind[slots, 2].astype(np.int64)
    service = today.state.complaint_kind[slots, 0] == SERVICE
    reasons = coded(service.astype(np.int64), ("NETWORK_QUALITY", "SERVICE_METHOD"))
    _grant(
        today,
        GOODWILL,
        slots,
        _GOODWILL_FEN[severity],
        reasons,
        complaint_id=_complaint_ids(today, slots),
    )


def _credit_promotions(today: Today) -> None:
    """Who switched to a promotion today is given its credit."""
    state = today.state
    slots = np.flatnonzero(state.promo_day == today.day)
    kinds = np.array([PLAN, PACK, BUNDLE])
    started = state.holding_second[slots][:, kinds] // SECONDS_A_DAY == today.day
    promos = np.where(started, state.holding_promo[slots][:, kinds], NO_PROMO).max(axis=1)
    given = promos != NO_PROMO
    slots, promos = slots[given], promos[given].astype(np.int64)
    credit(today, slots, np.full(len(slots), PROMOTION_CREDIT_FEN), promos, "S")


def _grant(
    today: Today,
    kind: int,
    slots: Ints,
    amounts: Ints,
    reason: str | pa.Array,
    occasion: str = "",
    **more: str | pa.Array | None,
) -> None:
    """One adjustment of a kind and occasion a subscriber and day at most."""
    if not len(slots):
        return
    state, people = today.state, today.world.people
    prepaid = people.is_prepaid[slots]
    purse = state.gift_fen if kind == CREDIT else state.balance_fen
    purse[slots] += np.where(prepaid, amounts, 0)
    state.credit_fen[slots] += np.where(prepaid, 0, amounts)
    staff = today.world.organisation.staff_of(
        people.branch[slots], np.zeros(len(slots), dtype=np.int64)
    )
    today.outbox.add(
        "billing_adjustments",
        len(slots),
        {
            "adjustment_id": joined(today.event_ids("AD", slots), KINDS[kind][0], occasion),
            "subscriber_id": today.ids(slots),
            "at": today.midnight + _HOUR * 3600 + slots % 3600,
            "kind": KINDS[kind],
            "amount_cny": amounts,
            "reason_code": reason,
            "staff_id": coded(staff, today.world.staff_ids),
            **more,
        },
    )


def _complaint_ids(today: Today, slots: Ints) -> pa.Array:
    opened_on = padded(today.state.complaint_second[slots] // SECONDS_A_DAY, 6)
    return joined("CM", opened_on, today.world.numbers.take(pa.array(slots)))


def _percent(slots: Ints, day: int, salt: int) -> Ints:
    """A fixed number below 100 of each slot on the day."""
    mixed = scramble(scramble(slots * 4 + salt).astype(np.int64) + day)
    return (mixed % np.uint64(100)).astype(np.int64)
