"""What is charged, billed, paid and owed.

Here: `billing_payments`, `billing_invoices`, `billing_balances` and the accounts behind them.
Not here: what a late payer's line may still do (`standing.py`). Amounts are fen.

A month's charge is the plan fee, products, minus the contract's discount, plus overage rated from
the month's usage; prepaid lines pay it from the balance as it arises, postpaid lines by invoice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator import circles
from orchestration.simulator.feeds import NO_VALUE, coded, joined
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.state import (
    CONTRACT,
    GONE,
    NEVER,
    NO_PRODUCT,
    PACK,
    PLAN,
    THINKING,
    VAS,
    State,
)
from orchestration.simulator.today import Ints, Today, day_number

BILL_DAY, DUE_DAY = 3, 20
_DENOMINATIONS = np.array([1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000])
_VALIDITY_DAYS = np.array([40, 50, 60, 90, 120, 180, 360])
_TOPUPS_WITHOUT_NEED = 0.005  # a day, for somebody average
_TOPUPS_BEFORE_FEE = 0.15  # a day in the last part of the month, if the balance is too low
_METHODS = ("APP", "WECHAT", "ALIPAY", "HALL", "BANK")


def start_month(today: Today) -> None:
    """Close the month that ended and start counting anew."""
    state = today.state
    if today.day == today.world.opened_day:
        return
    first_of_closed = today.day - (today.date - _month_before(today)).days
    state.is_closed[:] = (
        today.is_present
        & (today.world.people.activated_day < today.day)
        & (state.removed_day >= first_of_closed)
    )
    state.closed_plan[:] = state.holding[:, PLAN]
    state.closed_voice_out[:] = state.month_voice_out
    state.closed_voice_in[:] = state.month_voice_in
    state.closed_data_kb[:] = state.month_data_kb
    state.closed_sms[:] = state.month_sms
    state.closed_plan_fen[:] = state.month_plan_fen
    state.closed_vas_fen[:] = state.month_vas_fen
    state.closed_discount_fen[:] = state.month_discount_fen
    state.closed_pack_kb[:] = state.month_pack_kb
    voice_fen, data_fen, sms_fen = _closed_overage(state)
    state.overage_fen[:] = voice_fen + data_fen + sms_fen
    for name in ("voice_out", "voice_in", "data_kb", "sms", "plan_fen", "vas_fen"):
        getattr(state, f"month_{name}")[:] = 0
    state.month_discount_fen[:] = 0
    state.month_charged_fen[:] = 0
    state.month_pack_kb[:] = 0
    state.is_plan_charged[:] = False


def overage(
    plan: npt.NDArray[np.integer], voice_out: Ints, data_kb: Ints, pack_kb: Ints, sms: Ints
) -> tuple[Ints, Ints, Ints]:
    """Voice, data and message overage of a month so far; each part rounded down to whole fen."""
    minutes_over = np.maximum(0, voice_out - cat.PLAN_VOICE_MINUTES[plan] * 100)
    kb_over = np.maximum(0, data_kb - cat.PLAN_DATA_KB[plan] - pack_kb)
    sms_over = np.maximum(0, sms - cat.PLAN_SMS[plan])
    return (
        minutes_over * cat.PLAN_VOICE_FEN[plan] // 100,
        kb_over * cat.PLAN_DATA_FEN[plan] // 1_000_000,
        sms_over * cat.PLAN_SMS_FEN[plan],
    )


def pay(today: Today) -> None:
    """Top-ups and bill payments of the day."""
    u = today.uniform(Stream.MONEY, "topup", "at", "late", "method", "size")
    _top_up(today, u)
    _pay_bills(today, u)


def _top_up(today: Today, u: Mapping[str, Floats]) -> None:
    state, people, day = today.state, today.world.people, today.day
    fee = monthly_fee(state)
    living = (
        today.is_living
        & people.is_prepaid
        & ~np.isin(state.reason, (cat.CUSTOMER_REQUEST, cat.LOST_SIM, cat.FRAUD))
    )
    balance = state.balance_fen
    stuck = (balance < 0) | (state.valid_until < day)
    expiring = state.valid_until - day < 6
    short = (balance < fee) & (today.date.day >= 18)
    low = balance < 500
    is_needed = stuck | expiring | short | low
    chance = np.select(
        [stuck, expiring, short, low],
        [0.30, 0.30, _TOPUPS_BEFORE_FEE, 0.10],
        _TOPUPS_WITHOUT_NEED * people.topup_eagerness,
    ) * np.exp(-0.3 * people.carelessness)
    chance *= np.where(state.stage >= THINKING, np.where(state.stage > THINKING, 0.1, 0.35), 1.0)
    joining = people.activated_day == day
    paying = np.flatnonzero(living & ((u["topup"] < chance) | joining))
    # Enough to be out of the red; whether it also covers the next fee is a matter of habit.
    wanted = np.maximum(people.topup_fen[paying], -balance[paying])
    # Without need, and now and then with it, for less than the usual.
    smaller = ((u["size"][paying] < 0.08) | ~is_needed[paying]) & ~joining[paying]
    wanted = np.where(smaller, np.maximum(people.topup_fen[paying] // 3, -balance[paying]), wanted)
    index = np.minimum(np.searchsorted(_DENOMINATIONS, wanted), len(_DENOMINATIONS) - 1)
    at = np.where(
        joining[paying], today.midnight + people.activated_second[paying], today.at(u["at"])[paying]
    )
    top_up(today, paying, _DENOMINATIONS[index], at, u["method"][paying])


def top_up(
    today: Today,
    slots: Ints,
    amounts: Ints,
    at: Ints,
    method: np.ndarray,
    promo_id: str | None = None,
) -> None:
    """Put money on prepaid balances; an amount of a known size also prolongs the validity."""
    state, day = today.state, today.day
    index = np.minimum(np.searchsorted(_DENOMINATIONS, amounts), len(_DENOMINATIONS) - 1)
    days = np.where(amounts >= _DENOMINATIONS[0], _VALIDITY_DAYS[index], 0)
    valid_until = np.maximum(state.valid_until[slots], day) + days
    state.valid_until[slots] = np.minimum(valid_until, day + 365)
    state.balance_fen[slots] += amounts
    _deliver_payments(
        today, "PB" if promo_id else "PT", slots, amounts, at, "TOPUP", method, promo_id
    )


def _pay_bills(today: Today, u: Mapping[str, Floats]) -> None:
    state, people, day = today.state, today.world.people, today.day
    owing = today.is_present & ~people.is_prepaid & (state.owed_fen > 0) & ~state.refuses_to_pay
    on_time = owing & (state.pay_day == day)
    days_late = day - state.due_day
    late = owing & (state.pay_day == NEVER) & (days_late > 0) & today.is_living
    late &= u["late"] < 0.05 * np.exp(-0.3 * people.carelessness)
    paying = np.flatnonzero(on_time | late)
    amounts = state.owed_fen[paying].copy()
    state.owed_fen[paying] = 0
    state.due_day[paying] = NEVER
    state.pay_day[paying] = NEVER
    _deliver_payments(
        today, "PI", paying, amounts, today.at(u["at"])[paying], "BILL", u["method"][paying]
    )


def _deliver_payments(
    today: Today,
    prefix: str,
    slots: Ints,
    amounts: Ints,
    at: Ints,
    kind: str,
    method: np.ndarray,
    promo_id: str | None = None,
) -> None:
    people, tree = today.world.people, today.world.organisation
    choice = (method * len(_METHODS)).astype(np.int64)
    in_hall = choice == _METHODS.index("HALL")
    halls = [tree.hall(branch) for branch in range(tree.branches)]
    today.outbox.add(
        "billing_payments",
        len(slots),
        {
            "payment_id": today.event_ids(prefix, slots),
            "subscriber_id": today.ids(slots),
            "paid_at": at,
            "amount_cny": amounts,
            "payment_kind": kind,
            "method": coded(choice, _METHODS),
            "channel_id": coded(people.branch[slots], halls, ~in_hall),
            "promo_id": promo_id,
        },
    )


def monthly_fee(state: State) -> Ints:
    """Plan and products a month, without discount and overage."""
    fee = cat.PLAN_FEE_FEN[state.holding[:, PLAN]].copy()
    for kind in (VAS, PACK):
        held = state.holding[:, kind]
        fee += np.where(held != NO_PRODUCT, cat.PRODUCT_FEE_FEN[np.maximum(held, 0)], 0)
    return fee


def charge(today: Today) -> None:
    """Charge fees once a month to active lines, and overage as it arises."""
    state, people, day = today.state, today.world.people, today.day
    due = today.is_in_network & (state.status == cat.ACTIVE) & ~state.is_plan_charged
    plan_fee = cat.PLAN_FEE_FEN[state.holding[:, PLAN]]
    pack = state.holding[:, PACK]
    pack_kb = np.where(pack != NO_PRODUCT, cat.PRODUCT_DATA_KB[np.maximum(pack, 0)], 0)
    has_contract = (state.holding[:, CONTRACT] != NO_PRODUCT) & (state.contract_end > day)
    state.month_plan_fen[due] = plan_fee[due]
    state.month_vas_fen[due] = (monthly_fee(state) - plan_fee)[due]
    state.month_pack_kb[due] = pack_kb[due]
    state.month_discount_fen[due] = np.where(has_contract, -cat.CONTRACT_DISCOUNT_FEN, 0)[due]
    state.is_plan_charged[due] = True
    charged = state.month_plan_fen + state.month_vas_fen + state.month_discount_fen
    voice_fen, data_fen, sms_fen = overage(
        state.holding[:, PLAN],
        state.month_voice_out,
        state.month_data_kb,
        state.month_pack_kb,
        state.month_sms,
    )
    charged += voice_fen + data_fen + sms_fen
    state.balance_fen -= np.where(people.is_prepaid, charged - state.month_charged_fen, 0)
    state.month_charged_fen[:] = charged
    negative = people.is_prepaid & (state.balance_fen < 0)
    since = np.where(state.negative_since == NEVER, day, state.negative_since)
    state.negative_since[:] = np.where(negative, since, NEVER)


def bill(today: Today) -> None:
    """Invoices of the closed month, prepaid too, with the month's call circle."""
    state, people, day = today.state, today.world.people, today.day
    month = _month_before(today)
    slots = np.flatnonzero(state.is_closed)
    voice_fen, data_fen, sms_fen = _closed_overage(state)
    total = (
        state.closed_plan_fen
        + state.closed_vas_fen
        + state.closed_discount_fen
        + voice_fen
        + data_fen
        + sms_fen
    )
    zero = np.zeros(len(slots), dtype=np.int64)
    issued = day - 1
    due = day - BILL_DAY + DUE_DAY
    prepaid = people.is_prepaid[slots]
    today.outbox.add(
        "billing_invoices",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "month": f"{month:%Y-%m}",
            "invoice_id": joined(f"IN{month:%Y%m}", today.ids(slots)),
            "plan_id": coded(state.closed_plan[slots], [plan.plan_id for plan in cat.PLANS]),
            "plan_fee_cny": state.closed_plan_fen[slots],
            "voice_overage_cny": voice_fen[slots],
            "data_overage_cny": data_fen[slots],
            "sms_overage_cny": sms_fen[slots],
            "roaming_cny": zero,
            "vas_cny": state.closed_vas_fen[slots],
            "device_instalment_cny": zero,
            "discount_cny": state.closed_discount_fen[slots],
            "adjustment_cny": zero,
            "other_cny": zero,
            "total_cny": total[slots],
            "voice_minutes": state.closed_voice_out[slots],
            "data_mb": state.closed_data_kb[slots],
            "sms_count": state.closed_sms[slots],
            "issued_on": np.full(len(slots), issued),
            "due_on": np.where(prepaid, NO_VALUE, due),
        },
    )
    circles.deliver(
        today,
        f"{month:%Y-%m}",
        np.where(state.is_closed, state.closed_voice_out, 0),
        np.where(state.is_closed, state.closed_voice_in, 0),
    )
    _plan_payment(today, state.is_closed & ~people.is_prepaid & (total > 0), total, due)


def _plan_payment(today: Today, billed: np.ndarray, total: Ints, due: int) -> None:
    """Who pays the new bill when, or not until later."""
    state, people, day = today.state, today.world.people, today.day
    u = today.uniform(Stream.BILLS, "day", "late", "late_days", "never")
    careless = np.exp(0.7 * people.carelessness)
    days = np.where(people.is_autopay, 5, 2 + (u["day"] * 15).astype(np.int64))
    late = ~people.is_autopay & (u["late"] < 0.08 * careless)
    days = np.where(late, 18 + (u["late_days"] * 22).astype(np.int64), days)
    pay_day = day + days
    never = ~people.is_autopay & (u["never"] < 0.005 * careless)
    is_removed = state.status == cat.DEACTIVATED
    never |= (state.stage == GONE) & (~is_removed | (u["never"] > 0.9))
    pay_day = np.where(never, NEVER, pay_day)
    state.owed_fen += np.where(billed, total, 0)
    state.due_day[:] = np.where(billed, np.minimum(state.due_day, due), state.due_day)
    state.pay_day[:] = np.where(billed, np.minimum(state.pay_day, pay_day), state.pay_day)


def deliver_balances(today: Today) -> None:
    """The end of the day: every prepaid line in the network, and whoever is in arrears."""
    state, people, day = today.state, today.world.people, today.day
    late = ~people.is_prepaid & (state.owed_fen > 0) & (state.due_day < day)
    slots = np.flatnonzero(today.is_in_network & (people.is_prepaid | late))
    prepaid = people.is_prepaid[slots]
    balance = np.where(prepaid, state.balance_fen[slots], -state.owed_fen[slots])
    since = np.where(prepaid, state.negative_since[slots], state.due_day[slots] + 1)
    days_late = np.where(balance < 0, day - since, -1)
    stage = np.select([days_late < 0, days_late < 15, days_late < 30], [0, 1, 2], 3)
    today.outbox.add(
        "billing_balances",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "balance_cny": balance,
            "gift_balance_cny": 0,
            "charged_mtd_cny": state.month_charged_fen[slots],
            "arrears_cny": np.maximum(0, -balance),
            "arrears_since": np.where(balance < 0, since, NO_VALUE),
            "dunning_stage": coded(stage, ("D1", "D1", "D2", "D3"), stage == 0),
            "credit_limit_cny": np.where(prepaid, 0, 10_000),
            "valid_until": np.where(prepaid, state.valid_until[slots], NO_VALUE),
        },
    )


def _closed_overage(state: State) -> tuple[Ints, Ints, Ints]:
    return overage(
        state.closed_plan,
        state.closed_voice_out,
        state.closed_data_kb,
        state.closed_pack_kb,
        state.closed_sms,
    )


def _month_before(today: Today) -> date:
    return (today.date.replace(day=1) - timedelta(days=1)).replace(day=1)


def has_closed_month(today: Today) -> bool:
    """The operator was open in the month that would be billed today."""
    return today.world.opened_day < day_number(today.date.replace(day=1))
