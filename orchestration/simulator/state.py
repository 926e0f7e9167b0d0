"""What changes from day to day for each subscriber, and keeping it between calls.

Here: the state's fields, its start, saving and loading. Not here: how it changes. Days are days
since 1970, seconds are seconds since 1970 in local time, money is fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import SECONDS_A_DAY
from orchestration.simulator.people import VOICE, People
from orchestration.simulator.randomness import Draws, Floats, Stream, scramble
from orchestration.simulator.tariffs import DISCONTINUED, SUCCESSOR
from orchestration.simulator.ties import NEVER as NEVER  # the one day that does not come

Ints = npt.NDArray[np.int64]
SmallInts = npt.NDArray[np.int32]  # days, or amounts of a month of one line
Flags = npt.NDArray[np.bool_]
LONG_AGO = -(1 << 30)
VNET_LINES = 8
_LEGACY_TENURE_DAYS, _LEGACY_SHARE = 500, 0.5
_FAMILY_TENTHS, _VNET_PERCENT = 4, 4

# Stages of leaving.
CONTENT, THINKING, DECIDED, GONE = range(4)
NO_CAUSE = -1
# Kinds of holdings, one of each at most.
HOLDING_KINDS = (
    "PLAN",
    "VAS",
    "DATA_PACK",
    "DEVICE_CONTRACT",
    "BUNDLE",
    "FAMILY_PLAN",
    "GROUP_VNET",
)
PLAN, VAS, PACK, CONTRACT, BUNDLE, FAMILY, VNET = range(7)
NO_PRODUCT = -1
REMEMBERED_CONTACTS = 6
# How a holding came about.
ORDERED, UNORDERED, TRIAL = range(3)
NO_PROMO = -1
NO_STEP = -1


@dataclass
class State:
    """One value a slot (or one row a slot)."""

    status: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    status_second: Ints
    spell_day: Ints  # first day of the spell that is not ACTIVE; NEVER while ACTIVE
    hold_until: Ints  # end of a voluntary or lost-SIM suspension
    stage: npt.NDArray[np.int8]
    cause: npt.NDArray[np.int8]  # of the current or last thought of leaving; -1 none
    stage_day: Ints
    exit_day: Ints  # when the decision is carried out
    exit_kind: npt.NDArray[np.int8]  # index into catalogue.EXITS
    refuses_to_pay: npt.NDArray[np.bool_]
    left_day: Ints  # when it was
    used_day: Ints  # last day with a call, a message sent, data or a top-up; nobody acts on it
    removed_day: Ints  # when the operator took the line out
    decline: npt.NDArray[np.float32]  # log drop of usage
    mood: npt.NDArray[np.float32]
    talk_mood: npt.NDArray[np.float32]
    absent_until: Ints
    absent_level: npt.NDArray[np.float32]
    grievance_until: Ints
    remedy_until: Ints
    remedy_factor: npt.NDArray[np.float32]
    contact_days: npt.NDArray[np.int32]  # (slots, 6): that got through, newest first
    spoken_day: Ints  # of the newest talk about one of our work orders
    opted_out: npt.NDArray[np.int8]  # bit n: no marketing by the n-th contact channel any more
    holding: npt.NDArray[np.int16]  # (slots, kinds): plan or product, NO_PRODUCT
    holding_second: Ints  # (slots, kinds)
    holding_number: npt.NDArray[np.int16]  # (slots, kinds)
    holding_origin: npt.NDArray[np.int8]  # (slots, kinds): ORDERED, UNORDERED, TRIAL
    holding_promo: npt.NDArray[np.int16]  # (slots, kinds): family of the offer, NO_PROMO
    products_fen: SmallInts  # a month, of all products held but contracts
    products_kb: SmallInts
    contract_end: Ints
    next_plan: npt.NDArray[np.int16]
    next_promo: npt.NDArray[np.int16]
    promo_switches: npt.NDArray[np.int16]  # to another promotion, by the customer
    promo_day: SmallInts  # of the last
    vas_churn_day: SmallInts  # of the last value-added product or pack given up for good
    vas_churn_product: npt.NDArray[np.int16]
    vas_return_day: SmallInts  # back to the same value-added product
    vas_return_product: npt.NDArray[np.int16]
    trial_day: SmallInts  # start of the last trial
    unordered_day: SmallInts  # start of the last product that nobody ordered
    unordered_product: npt.NDArray[np.int16]
    unordered_paid_fen: SmallInts  # charged for it so far
    unauthorised_day: SmallInts  # when its owner notices and may complain; NEVER
    refund_day: SmallInts
    refund_fen: SmallInts
    migrated_day: SmallInts  # moved off the discontinued plan by the operator
    device: npt.NDArray[np.int16]
    device_number: npt.NDArray[np.int16]
    device_owner: Ints  # slot that the device was bought for
    month_voice_out: Ints  # hundredths of a minute
    month_voice_in: Ints
    month_data_kb: Ints
    month_sms: Ints
    month_plan_fen: Ints
    month_vas_fen: Ints
    month_discount_fen: Ints
    month_instalment_fen: SmallInts
    month_roaming_voice: Ints  # hundredths of a minute
    month_roaming_kb: Ints
    month_charged_fen: Ints  # so far, all parts
    is_plan_charged: npt.NDArray[np.bool_]
    month_pack_kb: Ints  # data bought on top of the plan this month
    # The last closed month, billed a few days later.
    closed_plan: npt.NDArray[np.int16]
    closed_voice_out: Ints
    closed_voice_in: Ints
    closed_data_kb: Ints
    closed_sms: Ints
    closed_plan_fen: Ints
    closed_vas_fen: Ints
    closed_discount_fen: Ints
    closed_instalment_fen: SmallInts
    closed_roaming_fen: SmallInts
    closed_adjustment_fen: SmallInts  # credited on that month's bill, negative
    closed_pack_kb: Ints
    is_closed: npt.NDArray[np.bool_]  # was in the network in that month
    overage_fen: Ints  # of that month
    waivable_fen: SmallInts  # of it, not yet waived
    credit_fen: SmallInts  # postpaid: adjustments granted and not yet on a bill
    balance_fen: Ints  # prepaid
    gift_fen: SmallInts  # prepaid, used before the balance
    reversal_day: SmallInts  # prepaid: when a top-up of before is taken back
    reversal_fen: SmallInts
    revived_day: SmallInts  # prepaid: last return by oneself from a long two-way suspension
    revived_spell_day: SmallInts  # the first day of that spell
    valid_until: Ints  # prepaid
    negative_since: Ints  # prepaid
    owed_fen: Ints  # postpaid, billed and unpaid
    due_day: Ints  # of the oldest unpaid bill
    pay_day: Ints
    complaint_second: Ints  # opening of the newest complaint
    # (slots, 7): day offsets of the steps after OPENED (`complaints.STEPS`), NO_STEP for none
    complaint_steps: npt.NDArray[np.int16]
    complaint_kind: npt.NDArray[np.int8]  # (slots, 3): category, cause class, severity
    complaint_product: npt.NDArray[np.int16]
    line_fault_second: Ints  # start of the line's last fault of its own
    forward_off_day: Ints  # when the forward in force ends (NEVER: stays); LONG_AGO without one
    forward_kind: npt.NDArray[np.int8]  # (slots, 2): type and competitor (-1 unknown) of it
    number_version: npt.NDArray[np.int8]  # how often the line's number has changed
    address_version: npt.NDArray[np.int8]  # how often the customer has moved
    vip_change: npt.NDArray[np.int8]  # against the level at the start
    points_spent: Ints
    handset_day: Ints  # when the line was last given a handset of a pool
    handset_pool: npt.NDArray[np.int8]  # index into catalogue.POOLS

    @property
    def slots(self) -> int:
        return len(self.status)


def opening_state(draws: Draws, people: People, opened_day: int) -> State:
    """The state of each slot before its first day here (the opening, or its activation)."""
    n = people.slots
    u = draws.uniform(
        Stream.HOLDINGS,
        0,
        n,
        (
            "vas",
            "vas_kind",
            "pack",
            "contract",
            "contract_left",
            "since",
            "balance",
            "validity",
            "legacy",
            "bundle",
            "instalment",
        ),
    )
    first_second = people.activated_day * SECONDS_A_DAY + people.activated_second
    start = np.maximum(people.activated_day, opened_day)
    kinds = len(HOLDING_KINDS)
    holding = np.full((n, kinds), NO_PRODUCT, dtype=np.int16)
    holding[:, PLAN] = _first_plan(people, opened_day, u["legacy"])
    has_vas = u["vas"] < 0.22
    holding[:, VAS] = np.where(has_vas, cat.FIRST_VAS + (u["vas_kind"] * 3), NO_PRODUCT)
    holding[:, PACK] = np.where(u["pack"] < 0.06, cat.FIRST_PACK, NO_PRODUCT)
    has_contract = ~people.is_prepaid & (u["contract"] < 0.25)
    contract = np.where(u["instalment"] < 0.4, cat.INSTALMENT_CONTRACT, cat.DEVICE_CONTRACT)
    holding[:, CONTRACT] = np.where(has_contract, contract, NO_PRODUCT)
    holding[:, BUNDLE] = np.where(u["bundle"] < 0.04, cat.FIRST_BUNDLE, NO_PRODUCT)
    holding[:, FAMILY] = np.where(
        _in_family_plan(people, opened_day), cat.FAMILY_PRODUCT, NO_PRODUCT
    )
    holding[:, VNET] = np.where(_in_vnet(people), cat.VNET_PRODUCT, NO_PRODUCT)
    contract_day = np.maximum(
        people.activated_day, start - ((1 - u["contract_left"]) * 700).astype(np.int64)
    )
    holding_second = np.repeat(first_second[:, None], kinds, axis=1)
    holding_second[:, CONTRACT] = contract_day * SECONDS_A_DAY + people.activated_second

    def filled(value: int | float, dtype: type) -> npt.NDArray:
        return np.full(n, value, dtype=dtype)

    return State(
        status=filled(cat.ACTIVE, np.int8),
        reason=filled(cat.NONE, np.int8),
        status_second=first_second.copy(),
        spell_day=filled(NEVER, np.int64),
        hold_until=filled(NEVER, np.int64),
        stage=filled(CONTENT, np.int8),
        cause=filled(NO_CAUSE, np.int8),
        stage_day=start.copy(),
        exit_day=filled(NEVER, np.int64),
        exit_kind=filled(0, np.int8),
        refuses_to_pay=filled(0, np.bool_),
        left_day=filled(NEVER, np.int64),
        used_day=np.maximum(people.activated_day, opened_day - 1),
        removed_day=filled(NEVER, np.int64),
        decline=filled(0, np.float32),
        mood=filled(0, np.float32),
        talk_mood=filled(0, np.float32),
        absent_until=filled(LONG_AGO, np.int64),
        absent_level=filled(1, np.float32),
        grievance_until=filled(LONG_AGO, np.int64),
        remedy_until=filled(LONG_AGO, np.int64),
        remedy_factor=filled(1, np.float32),
        contact_days=np.full((n, REMEMBERED_CONTACTS), LONG_AGO, dtype=np.int32),
        spoken_day=filled(LONG_AGO, np.int64),
        opted_out=filled(0, np.int8),
        holding=holding,
        holding_second=holding_second,
        holding_number=np.ones((n, kinds), dtype=np.int16),
        holding_origin=np.full((n, kinds), ORDERED, dtype=np.int8),
        holding_promo=np.full((n, kinds), NO_PROMO, dtype=np.int16),
        products_fen=_of_products(holding, cat.PRODUCT_FEE_FEN),
        products_kb=_of_products(holding, cat.PRODUCT_DATA_KB),
        contract_end=np.where(has_contract, contract_day + 730, NEVER).astype(np.int64),
        next_plan=holding[:, PLAN].copy(),
        next_promo=filled(NO_PROMO, np.int16),
        promo_switches=filled(0, np.int16),
        promo_day=filled(NEVER, np.int32),
        vas_churn_day=filled(NEVER, np.int32),
        vas_churn_product=filled(NO_PRODUCT, np.int16),
        vas_return_day=filled(NEVER, np.int32),
        vas_return_product=filled(NO_PRODUCT, np.int16),
        trial_day=filled(NEVER, np.int32),
        unordered_day=filled(NEVER, np.int32),
        unordered_product=filled(NO_PRODUCT, np.int16),
        unordered_paid_fen=filled(0, np.int32),
        unauthorised_day=filled(NEVER, np.int32),
        refund_day=filled(NEVER, np.int32),
        refund_fen=filled(0, np.int32),
        migrated_day=filled(NEVER, np.int32),
        device=people.first_device.astype(np.int16),
        device_number=filled(1, np.int16),
        device_owner=np.arange(n),
        month_voice_out=filled(0, np.int64),
        month_voice_in=filled(0, np.int64),
        month_data_kb=filled(0, np.int64),
        month_sms=filled(0, np.int64),
        month_plan_fen=filled(0, np.int64),
        month_vas_fen=filled(0, np.int64),
        month_discount_fen=filled(0, np.int64),
        month_instalment_fen=filled(0, np.int32),
        month_roaming_voice=filled(0, np.int64),
        month_roaming_kb=filled(0, np.int64),
        month_charged_fen=filled(0, np.int64),
        is_plan_charged=filled(0, np.bool_),
        month_pack_kb=filled(0, np.int64),
        closed_plan=filled(0, np.int16),
        closed_voice_out=filled(0, np.int64),
        closed_voice_in=filled(0, np.int64),
        closed_data_kb=filled(0, np.int64),
        closed_sms=filled(0, np.int64),
        closed_plan_fen=filled(0, np.int64),
        closed_vas_fen=filled(0, np.int64),
        closed_discount_fen=filled(0, np.int64),
        closed_instalment_fen=filled(0, np.int32),
        closed_roaming_fen=filled(0, np.int32),
        closed_adjustment_fen=filled(0, np.int32),
        closed_pack_kb=filled(0, np.int64),
        is_closed=filled(0, np.bool_),
        overage_fen=filled(0, np.int64),
        waivable_fen=filled(0, np.int32),
        credit_fen=filled(0, np.int32),
        # Joiners start at nothing and top up on their first day.
        balance_fen=np.where(
            people.is_prepaid & (people.activated_day <= opened_day),
            500 + (u["balance"] * 60).astype(np.int64) * 100,
            0,
        ).astype(np.int64),
        gift_fen=filled(0, np.int32),
        reversal_day=filled(NEVER, np.int32),
        reversal_fen=filled(0, np.int32),
        revived_day=filled(NEVER, np.int32),
        revived_spell_day=filled(NEVER, np.int32),
        valid_until=start + 25 + (u["validity"] * 90).astype(np.int64),
        negative_since=filled(NEVER, np.int64),
        owed_fen=filled(0, np.int64),
        due_day=filled(NEVER, np.int64),
        pay_day=filled(NEVER, np.int64),
        complaint_second=filled(LONG_AGO, np.int64),
        complaint_steps=np.full((n, 7), NO_STEP, dtype=np.int16),
        complaint_kind=np.zeros((n, 3), dtype=np.int8),
        complaint_product=filled(NO_PRODUCT, np.int16),
        line_fault_second=filled(LONG_AGO, np.int64),
        forward_off_day=filled(LONG_AGO, np.int64),
        forward_kind=np.full((n, 2), -1, dtype=np.int8),
        number_version=filled(0, np.int8),
        address_version=filled(0, np.int8),
        vip_change=filled(0, np.int8),
        points_spent=filled(0, np.int64),
        handset_day=filled(LONG_AGO, np.int64),
        handset_pool=filled(0, np.int8),
    )


def _first_plan(people: People, opened_day: int, u: Floats) -> Ints:
    """The chosen plan; some old lines still hold one that is no longer sold."""
    is_old = people.activated_day <= opened_day - _LEGACY_TENURE_DAYS
    has_legacy = is_old & (people.first_plan == SUCCESSOR) & (u < _LEGACY_SHARE)
    return np.where(has_legacy, DISCONTINUED, people.first_plan)


def _in_family_plan(people: People, opened_day: int) -> Flags:
    """Both lines of some customers with a second line at the opening."""
    owner = people.ties.customer_slot
    second = (owner == np.arange(people.slots) - 1) & ~people.ties.is_firm
    second &= people.activated_day <= opened_day
    takes = second & (scramble(owner * 8 + 3) % np.uint64(10) < _FAMILY_TENTHS)
    takes[owner[takes]] = True
    return takes


def _in_vnet(people: People) -> Flags:
    """All lines of firms, and of some small businesses whose owners hold them one by one."""
    business = vnet_slot(people) // VNET_LINES
    small = scramble(business * 8 + 5) % np.uint64(100) < _VNET_PERCENT
    return people.ties.is_firm | (small & (people.line_class == VOICE))


def vnet_slot(people: People) -> Ints:
    """The line by whose number a V-net is known."""
    run = np.arange(people.slots) // VNET_LINES * VNET_LINES
    return np.where(people.ties.is_firm, people.ties.customer_slot, run)


def _of_products(holding: npt.NDArray[np.int16], values: Ints) -> SmallInts:
    """Sum over the products held, contracts and plans aside."""
    total = np.zeros(len(holding), dtype=np.int32)
    for kind in (VAS, PACK, BUNDLE, FAMILY, VNET):
        held = holding[:, kind]
        total += np.where(held != NO_PRODUCT, values[np.maximum(held, 0)], 0).astype(np.int32)
    return total


def save(state: State, slots: int, extra: Mapping[str, npt.NDArray], path: Path) -> None:
    """Keep the first `slots` rows (those who have joined) and some arrays more, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{path.name}.tmp"
    with unfinished.open("wb") as file:
        kept = {f.name: getattr(state, f.name)[:slots] for f in fields(state)}
        np.savez(file, allow_pickle=False, **kept, **extra)
    unfinished.replace(path)


def restore(state: State, path: Path) -> Mapping[str, npt.NDArray]:
    """Put what was kept in the place of the first rows; gives back the arrays kept besides."""
    names = {f.name for f in fields(state)}
    with np.load(path) as kept:
        for name in names:
            values = kept[name]
            getattr(state, name)[: len(values)] = values
        return {name: kept[name] for name in kept.files if name not in names}
