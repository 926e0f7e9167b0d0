"""Plans and products that subscribers hold: orders, replacements, ends.

Here: `billing_subscriptions`. Not here: what holdings cost (`money.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import NO_VALUE, coded, joined, padded
from orchestration.simulator.randomness import Stream
from orchestration.simulator.state import (
    CONTRACT,
    HOLDING_KINDS,
    NEVER,
    NO_PRODUCT,
    PACK,
    PLAN,
    VAS,
)
from orchestration.simulator.today import Ints, Today

_LETTERS = ("P", "V", "D", "C")
_METHODS = ("SMS_CONFIRM", "APP", "SIGNED", "RECORDED_CALL", "NONE")


def snapshot(today: Today, slots: Ints) -> None:
    """All holdings of the slots, as first delivered."""
    for kind in range(len(HOLDING_KINDS)):
        held = slots[today.state.holding[slots, kind] != NO_PRODUCT]
        _deliver(today, held, kind)


def start_month(today: Today) -> None:
    """Plan changes take effect on the first of the month; contracts that ran out end."""
    state = today.state
    changing = np.flatnonzero(today.is_in_network & (state.next_plan != state.holding[:, PLAN]))
    _deliver(today, changing, PLAN, ended_at=today.midnight, end_reason="REPLACED")
    state.holding[changing, PLAN] = state.next_plan[changing]
    state.holding_second[changing, PLAN] = today.midnight
    state.holding_number[changing, PLAN] += 1
    _deliver(today, changing, PLAN)
    ended = np.flatnonzero(
        today.is_in_network
        & (state.holding[:, CONTRACT] != NO_PRODUCT)
        & (state.contract_end <= today.day)
    )
    _end(today, ended, CONTRACT, "EXPIRED")


def browse(today: Today) -> None:
    """Orders and cancellations of products, and natural changes to a better plan."""
    state, people = today.state, today.world.people
    u = today.uniform(Stream.HOLDINGS, "plan", "vas_end", "vas", "vas_kind", "pack_end")
    able = today.is_living & (state.status == cat.ACTIVE)
    better = able & (u["plan"] < 0.0006)
    state.next_plan[better] = people.best_plan[better]
    has_vas = state.holding[:, VAS] != NO_PRODUCT
    _end(today, np.flatnonzero(able & has_vas & (u["vas_end"] < 0.0012)), VAS, "CUSTOMER")
    ordering = np.flatnonzero(able & ~has_vas & (u["vas"] < 0.0003))
    order(today, ordering, VAS, cat.FIRST_VAS + (u["vas_kind"][ordering] * 3).astype(np.int64))
    has_pack = state.holding[:, PACK] != NO_PRODUCT
    _end(today, np.flatnonzero(able & has_pack & (u["pack_end"] < 0.004)), PACK, "CUSTOMER")


def order(today: Today, slots: Ints, kind: int, products: Ints) -> None:
    """Give the slots a product at noon, charged at once; they must not hold one of the kind."""
    state = today.state
    first_time = state.holding_number[slots, kind]
    state.holding[slots, kind] = products
    state.holding_second[slots, kind] = today.midnight + 12 * 3600
    state.holding_number[slots, kind] = first_time + 1
    charged = state.is_plan_charged[slots]
    state.month_vas_fen[slots] += np.where(charged, cat.PRODUCT_FEE_FEN[products], 0)
    state.month_pack_kb[slots] += np.where(charged, cat.PRODUCT_DATA_KB[products], 0)
    _deliver(today, slots, kind)


def end_all(today: Today, slots: Ints, end_reason: str) -> None:
    """The line is taken out: everything that it holds ends."""
    for kind in range(len(HOLDING_KINDS)):
        held = slots[today.state.holding[slots, kind] != NO_PRODUCT]
        _deliver(today, held, kind, ended_at=today.midnight + 86_399, end_reason=end_reason)


def _end(today: Today, slots: Ints, kind: int, end_reason: str) -> None:
    _deliver(today, slots, kind, ended_at=today.midnight + 12 * 3600, end_reason=end_reason)
    today.state.holding[slots, kind] = NO_PRODUCT
    if kind == CONTRACT:
        today.state.contract_end[slots] = np.minimum(today.state.contract_end[slots], today.day)


def _deliver(
    today: Today, slots: Ints, kind: int, ended_at: int | None = None, end_reason: str | None = None
) -> None:
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots):
        return
    held = state.holding[slots, kind].astype(np.int64)
    since = state.holding_second[slots, kind]
    if kind == PLAN:
        products = coded(held, [plan.plan_id for plan in cat.PLANS])
        prices = cat.PLAN_FEE_FEN[held]
    else:
        products = coded(held, [product.product_id for product in cat.PRODUCTS])
        prices = cat.PRODUCT_FEE_FEN[held]
    method = (slots * 7 + state.holding_number[slots, kind]) % 24
    method = np.where(method < 12, 0, np.where(method < 18, 1, np.where(method < 22, 2, 3)))
    if kind == VAS:  # some value-added products were never asked for
        method = np.where((slots * 11 + held) % 29 == 0, 4, method)
    no_consent = method == 4
    numbers = today.world.numbers.take(pa.array(slots))
    branch = people.branch[slots]
    contract_end = state.contract_end[slots]
    is_contract = kind == CONTRACT
    today.outbox.add(
        "billing_subscriptions",
        len(slots),
        {
            "subscription_id": joined(
                "B", numbers, _LETTERS[kind], padded(state.holding_number[slots, kind], 3)
            ),
            "subscriber_id": today.ids(slots),
            "product_id": products,
            "product_kind": HOLDING_KINDS[kind],
            "ordered_at": since,
            "started_at": since,
            "ended_at": None if ended_at is None else np.full(len(slots), ended_at),
            "end_reason": end_reason,
            "contract_end_date": np.where(contract_end == NEVER, NO_VALUE, contract_end)
            if is_contract
            else None,
            "price_cny": prices,
            "is_trial": False,
            "consent_method": coded(method, _METHODS),
            "consent_at": np.where(no_consent, NO_VALUE, since),
            "order_channel_id": coded(branch, [tree.hall(b) for b in range(tree.branches)]),
            "device_tac": coded(
                state.device[slots].astype(np.int64), [device.tac for device in cat.DEVICES]
            )
            if is_contract
            else None,
            "subsidy_cny": np.full(len(slots), cat.PRODUCTS[cat.DEVICE_CONTRACT].subsidy_fen)
            if is_contract
            else None,
        },
    )
