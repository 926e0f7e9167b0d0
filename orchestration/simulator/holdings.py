"""Plans and products that subscribers hold: orders, replacements, ends.

Here: `billing_subscriptions`. Not here: what holdings cost (`money.py`), who does what when out of
habit (`habits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator import tariffs
from orchestration.simulator.feeds import NO_VALUE, SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.habits import Occasions
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.randomness import Floats, Stream, scramble
from orchestration.simulator.reference import offer_id
from orchestration.simulator.state import (
    BUNDLE,
    CONTRACT,
    FAMILY,
    HOLDING_KINDS,
    NEVER,
    NO_PRODUCT,
    NO_PROMO,
    ORDERED,
    PACK,
    PLAN,
    TRIAL,
    UNORDERED,
    VAS,
    VNET,
    vnet_slot,
)
from orchestration.simulator.today import Flags, Ints, Today

TRIAL_DAYS = 15
HELD_DAYS = 30  # who gives a product up sooner never really held it
_QUIET_DAYS = 7  # after giving a product up nothing like it is started, but for a return
_RETURN_SHARE = 0.25
_CONVERTED_TRIALS = 0.3
_RENEWAL_DAYS_BEFORE, _RENEWAL_PERCENT = 15, 35
_LETTERS = ("P", "V", "D", "C", "U", "F", "N")
_METHODS = ("SMS_CONFIRM", "APP", "SIGNED", "RECORDED_CALL", "NONE")
_NO_METHOD = _METHODS.index("NONE")
# Offers that come with a switch; one after the other differs whatever is switched.
PROMOTIONS = np.array(
    [cat.FAMILY[code] for code in ("PLAN_CHANGE", "DATA_PACK", "POINTS", "BUNDLE", "CLUB_INVITE")]
)
_RENEWED_PROMOTION = cat.FAMILY["DATA_PACK"]
_SWITCHED_KINDS = (PACK, PLAN, BUNDLE)


def _other_plans() -> npt.NDArray[np.int64]:
    """The plan that a promotion hunter would take next, of the same payment mode."""
    other = np.arange(len(cat.PLANS))
    on_sale = [index for index in range(len(cat.PLANS)) if index != tariffs.DISCONTINUED]
    for is_prepaid in (False, True):
        mode = [index for index in on_sale if cat.PLANS[index].is_prepaid == is_prepaid]
        for place, index in enumerate(mode):  # by pairs, one up and back again
            other[index] = mode[place ^ 1] if place ^ 1 < len(mode) else mode[place - 1]
    other[tariffs.DISCONTINUED] = tariffs.SUCCESSOR
    return other


_OTHER_PLAN = _other_plans()


def snapshot(today: Today, slots: Ints) -> None:
    """All holdings of the slots, as first delivered."""
    for kind in range(len(HOLDING_KINDS)):
        held = slots[today.state.holding[slots, kind] != NO_PRODUCT]
        _deliver(today, held, kind)


def start_month(today: Today) -> None:
    """Plan changes take effect on the first of the month; contracts that ran out end."""
    state, opened_day = today.state, today.world.opened_day
    if today.day == tariffs.migration_day(opened_day):
        _migrate(today)
    changing = np.flatnonzero(today.is_in_network & (state.next_plan != state.holding[:, PLAN]))
    _change_plans(today, changing, "REPLACED")
    if today.day == tariffs.repricing_day(opened_day):
        repriced = [cat.PLAN_INDEX[repricing.plan_id] for repricing in tariffs.REPRICINGS]
        holds = today.is_in_network & np.isin(state.holding[:, PLAN], repriced)
        _deliver(today, np.flatnonzero(holds), PLAN)
    ended = np.flatnonzero(
        today.is_in_network
        & (state.holding[:, CONTRACT] != NO_PRODUCT)
        & (state.contract_end <= today.day)
    )
    _end(today, ended, CONTRACT, "EXPIRED")


def _migrate(today: Today) -> None:
    """The operator moves the holders of the discontinued plan, but who is about to change."""
    state = today.state
    held = state.holding[:, PLAN] == tariffs.DISCONTINUED
    moved = np.flatnonzero(today.is_in_network & held & (state.next_plan == state.holding[:, PLAN]))
    state.next_plan[moved] = tariffs.SUCCESSOR
    state.migrated_day[moved] = today.day
    _change_plans(today, moved, "OPERATOR_MIGRATION")


def _change_plans(today: Today, slots: Ints, end_reason: str) -> None:
    state = today.state
    _deliver(today, slots, PLAN, ended_at=today.midnight, end_reason=end_reason)
    promos = state.next_promo[slots]
    switches = (promos != NO_PROMO) & (promos != state.holding_promo[slots, PLAN])
    state.holding[slots, PLAN] = state.next_plan[slots]
    state.holding_second[slots, PLAN] = today.midnight
    state.holding_number[slots, PLAN] += 1
    state.holding_promo[slots, PLAN] = promos
    state.next_promo[slots] = NO_PROMO
    _count_switches(today, slots[switches])
    _deliver(today, slots, PLAN)


def browse(today: Today) -> None:
    """Orders and cancellations of products, and natural changes to a better plan."""
    state, people, day = today.state, today.world.people, today.day
    u = today.uniform(
        Stream.HOLDINGS, "plan", "vas_end", "vas", "vas_kind", "pack_end", "back", "convert"
    )
    able = today.is_living & (state.status == cat.ACTIVE)
    stays = today.world.habits.substitution_day == NEVER
    better = np.flatnonzero(able & stays & (u["plan"] < 0.0006))
    state.next_plan[better] = people.best_plan[better]
    state.next_promo[better] = NO_PROMO
    has_vas = state.holding[:, VAS] != NO_PRODUCT
    _give_up(today, np.flatnonzero(able & has_vas & (u["vas_end"] < 0.0012)), VAS, u)
    has_pack = state.holding[:, PACK] != NO_PRODUCT
    _give_up(today, np.flatnonzero(able & has_pack & (u["pack_end"] < 0.004)), PACK, u)

    may_start = able & ((state.vas_churn_day > day) | (day - state.vas_churn_day > _QUIET_DAYS))
    returning = np.flatnonzero(able & ~has_vas & (state.vas_return_day == day))
    order(today, returning, VAS, state.vas_return_product[returning].astype(np.int64))
    ordering = np.flatnonzero(
        may_start & (state.holding[:, VAS] == NO_PRODUCT) & ~has_vas & (u["vas"] < 0.0003)
    )
    order(today, ordering, VAS, cat.FIRST_VAS + (u["vas_kind"][ordering] * 3).astype(np.int64))
    _end_trials(today, able, u)
    _try(today, may_start)
    _switch(today, may_start)
    _renew_promotions(today, may_start)
    _register_unordered(today, may_start)
    _renew_contracts(today, able)


def _give_up(today: Today, slots: Ints, kind: int, u: Mapping[str, Floats]) -> None:
    """Cancel by the customer; some regret it within days, the others are lost to the product."""
    state, day = today.state, today.day
    products = state.holding[slots, kind]
    held = (day - state.holding_second[slots, kind] // SECONDS_A_DAY >= HELD_DAYS) & (
        state.holding_origin[slots, kind] != TRIAL
    )
    returns = held & (kind == VAS) & (u["back"][slots] < _RETURN_SHARE)
    back = 2 + (u["back"][slots] / _RETURN_SHARE * 5).astype(np.int64)
    state.vas_return_day[slots[returns]] = (day + back)[returns]
    state.vas_return_product[slots[returns]] = products[returns]
    lost = held & ~returns
    state.vas_churn_day[slots[lost]] = day
    state.vas_churn_product[slots[lost]] = products[lost]
    _end(today, slots, kind, "CUSTOMER")


def _try(today: Today, able: Flags) -> None:
    """Trials for nothing of a value-added product."""
    slots = _occurring(today.world.habits.trials, today.day)
    slots = slots[able[slots] & (today.state.holding[slots, VAS] == NO_PRODUCT)]
    today.state.trial_day[slots] = today.day
    order(today, slots, VAS, np.full(len(slots), cat.TRIAL_VAS), TRIAL)


def _end_trials(today: Today, able: Flags, u: Mapping[str, Floats]) -> None:
    state = today.state
    over = np.flatnonzero(state.trial_day == today.day - TRIAL_DAYS)
    over = over[today.is_in_network[over] & (state.holding_origin[over, VAS] == TRIAL)]
    over = over[state.holding[over, VAS] != NO_PRODUCT]
    _end(today, over, VAS, "EXPIRED")
    convinced = over[able[over] & (u["convert"][over] < _CONVERTED_TRIALS)]
    order(today, convinced, VAS, np.full(len(convinced), cat.TRIAL_VAS))


def _occurring(occasions: Occasions, day: int) -> Ints:
    return occasions.slots[occasions.today(day)]


def _switch(today: Today, able: Flags) -> None:
    """Who hunts for promotions goes to the next; others follow one once."""
    hunts, state = today.world.habits.hunts, today.state
    at = hunts.today(today.day)
    slots, numbers = hunts.slots[at], hunts.number(today.day, at)
    promos = PROMOTIONS[(numbers + slots) % len(PROMOTIONS)]
    turn = (numbers + slots // len(PROMOTIONS)) % len(_SWITCHED_KINDS)
    for place, kind in enumerate(_SWITCHED_KINDS):
        mine = (turn == place) & able[slots]
        if kind == PLAN:
            state.next_plan[slots[mine]] = _OTHER_PLAN[state.holding[slots[mine], PLAN]]
            state.next_promo[slots[mine]] = promos[mine]
        else:
            _take_promotion(today, slots[mine], kind, promos[mine])
    once = _occurring(today.world.habits.one_switch, today.day)
    once = once[able[once]]
    _take_promotion(today, once, PACK, PROMOTIONS[once % len(PROMOTIONS)])


def _take_promotion(today: Today, slots: Ints, kind: int, promos: Ints) -> None:
    """Replace the product of the kind by another one, with the promotion."""
    state = today.state
    held = state.holding[slots, kind].astype(np.int64)
    before = np.where(held != NO_PRODUCT, state.holding_promo[slots, kind], NO_PROMO)
    pair = (
        (cat.FIRST_PACK, cat.FIRST_PACK + 1)
        if kind == PACK
        else (
            cat.FIRST_BUNDLE,
            cat.SECOND_BUNDLE,
        )
    )
    _end(today, slots[held != NO_PRODUCT], kind, "REPLACED")
    order(today, slots, kind, np.where(held == pair[0], pair[1], pair[0]), ORDERED, promos)
    _count_switches(today, slots[before != promos])


def _count_switches(today: Today, slots: Ints) -> None:
    today.state.promo_switches[slots] += 1
    today.state.promo_day[slots] = today.day


def _renew_promotions(today: Today, able: Flags) -> None:
    """A pack with a promotion that goes on by itself: no switch, though it starts anew."""
    state, renewals = today.state, today.world.habits.renewals
    at = renewals.today(today.day)
    at = at[able[renewals.slots[at]]]
    slots, is_first = renewals.slots[at], renewals.number(today.day, at) == 0
    promos = np.full(len(slots), _RENEWED_PROMOTION)
    _take_promotion(today, slots[is_first], PACK, promos[is_first])
    held = state.holding[slots, PACK]
    goes_on = ~is_first & (held != NO_PRODUCT)
    goes_on &= state.holding_promo[slots, PACK] == _RENEWED_PROMOTION
    again, product = slots[goes_on], held[goes_on].astype(np.int64)
    _end(today, again, PACK, "EXPIRED")
    order(today, again, PACK, product, ORDERED, promos[goes_on])


def _register_unordered(today: Today, able: Flags) -> None:
    """Products that a seller registers though nobody asked for them."""
    state, habits, day = today.state, today.world.habits, today.day
    at = habits.unordered.today(day)
    for kind, is_pack in ((VAS, False), (PACK, True)):
        mine = at[habits.unordered_is_pack[at] == is_pack]
        slots = habits.unordered.slots[mine]
        free = able[slots] & (state.holding[slots, kind] == NO_PRODUCT)
        mine, slots = mine[free], slots[free]
        product = cat.FIRST_PACK if is_pack else cat.FIRST_VAS + slots % 3
        products = np.broadcast_to(np.asarray(product), len(slots))
        state.unordered_day[slots] = day
        state.unordered_product[slots] = products
        state.unordered_paid_fen[slots] = np.where(
            state.is_plan_charged[slots], cat.PRODUCT_FEE_FEN[products], 0
        )
        notices = habits.unordered_notice_days[mine]
        state.unauthorised_day[slots] = np.where(notices == NEVER, NEVER, day + notices)
        order(today, slots, kind, products, UNORDERED)


def _renew_contracts(today: Today, able: Flags) -> None:
    """Some renew their device contract shortly before it ends."""
    state = today.state
    slots = np.flatnonzero(state.contract_end == today.day + _RENEWAL_DAYS_BEFORE)
    held = able[slots] & (state.holding[slots, CONTRACT] != NO_PRODUCT)
    renews = scramble(slots * 8 + 1) % np.uint64(100) < _RENEWAL_PERCENT
    slots = slots[held & renews]
    products = state.holding[slots, CONTRACT].astype(np.int64)
    _end(today, slots, CONTRACT, "REPLACED")
    state.contract_end[slots] = today.day + cat.PRODUCT_CONTRACT_DAYS[products]
    order(today, slots, CONTRACT, products)


def order(
    today: Today,
    slots: Ints,
    kind: int,
    products: Ints,
    origin: int = ORDERED,
    promos: Ints | int = NO_PROMO,
) -> None:
    """Give the slots a product at noon, charged at once; they must not hold one of the kind."""
    if not len(slots):
        return
    state = today.state
    state.holding[slots, kind] = products
    state.holding_second[slots, kind] = today.midnight + 12 * 3600
    state.holding_number[slots, kind] += 1
    state.holding_origin[slots, kind] = origin
    state.holding_promo[slots, kind] = promos
    if kind != CONTRACT:  # instalments begin with the next monthly charge
        fees = np.zeros(len(slots), np.int64) if origin == TRIAL else cat.PRODUCT_FEE_FEN[products]
        state.products_fen[slots] += fees
        state.products_kb[slots] += cat.PRODUCT_DATA_KB[products]
        charged = state.is_plan_charged[slots]
        state.month_vas_fen[slots] += np.where(charged, fees, 0)
        state.month_pack_kb[slots] += np.where(charged, cat.PRODUCT_DATA_KB[products], 0)
    _deliver(today, slots, kind)


def refund(today: Today, slots: Ints, kind: int) -> None:
    """End what was never ordered."""
    _end(today, slots, kind, "REFUNDED")


def end_all(today: Today, slots: Ints, end_reason: str) -> None:
    """The line is taken out: everything that it holds ends."""
    for kind in range(len(HOLDING_KINDS)):
        held = slots[today.state.holding[slots, kind] != NO_PRODUCT]
        _deliver(today, held, kind, ended_at=today.midnight + 86_399, end_reason=end_reason)


def _end(today: Today, slots: Ints, kind: int, end_reason: str) -> None:
    if not len(slots):
        return
    state = today.state
    _deliver(today, slots, kind, ended_at=today.midnight + 12 * 3600, end_reason=end_reason)
    products = state.holding[slots, kind]
    state.holding[slots, kind] = NO_PRODUCT
    if kind == CONTRACT:
        state.contract_end[slots] = np.minimum(state.contract_end[slots], today.day)
        return
    is_trial = state.holding_origin[slots, kind] == TRIAL
    state.products_fen[slots] -= np.where(is_trial, 0, cat.PRODUCT_FEE_FEN[products])
    state.products_kb[slots] -= cat.PRODUCT_DATA_KB[products]


def _deliver(
    today: Today, slots: Ints, kind: int, ended_at: int | None = None, end_reason: str | None = None
) -> None:
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots) or today.outbox.is_closed:
        return
    held = state.holding[slots, kind].astype(np.int64)
    since = state.holding_second[slots, kind]
    origin = state.holding_origin[slots, kind]
    is_trial = origin == TRIAL
    if kind == PLAN:
        products = coded(held, [plan.plan_id for plan in cat.PLANS])
        # What ends at midnight never saw the prices of the new day.
        price_day = today.day - (ended_at == today.midnight)
        prices = tariffs.plan_fee_fen(today.world.opened_day, price_day)[held]
    else:
        products = coded(held, [product.product_id for product in cat.PRODUCTS])
        prices = np.where(is_trial, 0, cat.PRODUCT_FEE_FEN[held])
    subscription_ids = joined(
        "B",
        today.world.numbers.take(pa.array(slots)),
        _LETTERS[kind],
        padded(state.holding_number[slots, kind], 3),
    )
    method = (slots * 7 + state.holding_number[slots, kind]) % 24
    method = np.where(method < 12, 0, np.where(method < 18, 1, np.where(method < 22, 2, 3)))
    # What costs nothing is often started without asking.
    no_consent = (origin == UNORDERED) | (is_trial & (slots % 2 == 0))
    method = np.where(no_consent, _NO_METHOD, method)
    no_ref = coded(slots % 2, (None, " "))  # some systems fill the field with a blank
    consent_ref = pc.if_else(pa.array(no_consent), no_ref, joined("CR", subscription_ids))
    promo = state.holding_promo[slots, kind].astype(np.int64)
    branch = people.branch[slots]
    is_contract = kind == CONTRACT
    contract_end = state.contract_end[slots]
    today.outbox.add(
        "billing_subscriptions",
        len(slots),
        {
            "subscription_id": subscription_ids,
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
            "is_trial": is_trial,
            "consent_method": coded(method, _METHODS),
            "consent_ref": consent_ref,
            "consent_at": np.where(no_consent, NO_VALUE, since),
            "order_channel_id": coded(branch, [tree.hall(b) for b in range(tree.branches)]),
            "order_agent_id": coded(branch, agents_of_branches(tree), origin != UNORDERED),
            "group_id": _group_ids(today, slots, kind),
            "device_tac": coded(
                state.device[slots].astype(np.int64), [device.tac for device in cat.DEVICES]
            )
            if is_contract
            else None,
            "subsidy_cny": np.array([product.subsidy_fen for product in cat.PRODUCTS])[held]
            if is_contract
            else None,
            "promo_id": coded(
                np.maximum(promo, 0),
                [offer_id(index) for index in range(len(cat.FAMILIES))],
                promo == NO_PROMO,
            ),
        },
    )


def agents_of_branches(tree: Organisation) -> list[str | None]:
    """The agent of each branch that registers what nobody ordered there."""
    first: list[str | None] = [None] * tree.branches
    for agent in reversed(tree.agents):
        first[agent.branch] = agent.agent_id
    return first


def _group_ids(today: Today, slots: Ints, kind: int) -> pa.Array | None:
    """The family of the customer's lines, or the firm."""
    numbers = today.world.numbers
    if kind == FAMILY:
        owners = today.world.people.ties.customer_slot[slots]
        return joined("FM", numbers.take(pa.array(owners)))
    if kind == VNET:
        return joined("VN", numbers.take(pa.array(vnet_slot(today.world.people)[slots])))
    return None
