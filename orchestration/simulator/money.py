"""What is charged, billed, paid and owed.

Here: `billing_payments`, `billing_invoices`, `billing_balances` and the accounts behind them.
Not here: what a late payer's line may still do (`standing.py`), what is given back
(`adjustments.py`). Amounts are fen.

A month's charge is the plan fee, products and instalments, minus the contract's discount, plus
overage and roaming rated from the month's usage; prepaid lines pay it as it arises, from the gift
balance first, postpaid lines by invoice, on which adjustments are credited as far as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator import adjustments, circles, tariffs
from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import NO_VALUE, SECONDS_A_DAY, coded, joined
from orchestration.simulator.identity import pick
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.reference import offer_id
from orchestration.simulator.state import (
    CONTRACT,
    GONE,
    NEVER,
    PACK,
    PLAN,
    THINKING,
    UNORDERED,
    VAS,
    State,
)
from orchestration.simulator.today import Ints, Today, day_number

BILL_DAY, DUE_DAY = 3, 20
_DENOMINATIONS = np.array([1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000])
_VALIDITY_DAYS = np.array([40, 50, 60, 90, 120, 180, 360])
_TOPUPS_WITHOUT_NEED = 0.005  # a day, for somebody average
_TOPUPS_BEFORE_FEE = 0.15  # a day in the last part of the month, if the balance is too low
_BONUS = cat.FAMILY["TOPUP_BONUS"]
_BONUS_FROM_FEN, _BONUS_SHARE = 10_000, 0.08  # top-ups that take part in a campaign
_REVERSALS = 0.004  # of top-ups
LONG_SUSPENSION_DAYS = 7  # two-way
_CREDIT_LIMITS_FEN = np.array([50_000, 20_000, 10_000])  # by credit level A, B, C
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
    for name in _CLOSED:
        getattr(state, f"closed_{name}")[:] = getattr(state, f"month_{name}")
    state.closed_roaming_fen[:] = roaming(state.month_roaming_voice, state.month_roaming_kb)
    voice_fen, data_fen, sms_fen = _closed_overage(state)
    state.overage_fen[:] = voice_fen + data_fen + sms_fen
    state.waivable_fen[:] = np.where(state.is_closed, state.overage_fen, 0)
    credited = np.where(state.is_closed, np.minimum(state.credit_fen, _closed_gross(state)), 0)
    state.closed_adjustment_fen[:] = -credited
    state.credit_fen -= credited
    for name in (*_CLOSED, "roaming_voice", "roaming_kb", "charged_fen"):
        getattr(state, f"month_{name}")[:] = 0
    state.is_plan_charged[:] = False


# Counters of the month that are kept for the bill.
_CLOSED = (
    "voice_out",
    "voice_in",
    "data_kb",
    "sms",
    "plan_fen",
    "vas_fen",
    "discount_fen",
    "instalment_fen",
    "pack_kb",
)


def _closed_gross(state: State) -> Ints:
    """The closed month before adjustments."""
    return (
        state.closed_plan_fen
        + state.closed_vas_fen
        + state.closed_discount_fen
        + state.closed_instalment_fen
        + state.closed_roaming_fen
        + state.overage_fen
    )


def roaming(voice: Ints, kb: Ints) -> Ints:
    """Roaming of a month so far; minutes and data each rounded down to whole fen."""
    return voice * cat.ROAMING_FEN_PER_MINUTE // 100 + kb * cat.ROAMING_FEN_PER_GB // 1_000_000


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
    """Top-ups and bill payments of the day, and top-ups taken back."""
    u = today.uniform(
        Stream.MONEY, "topup", "at", "late", "method", "size", "bonus", "reversal", "reversal_days"
    )
    _reverse(today, u)
    _top_up(today, u)
    _pay_bills(today, u)


def _top_up(today: Today, u: Mapping[str, Floats]) -> None:
    state, people, day = today.state, today.world.people, today.day
    who = np.flatnonzero(today.is_living & people.is_prepaid)
    who = who[~np.isin(state.reason[who], (cat.CUSTOMER_REQUEST, cat.LOST_SIM, cat.FRAUD))]
    fee = monthly_fee(today, who)
    balance, stage = state.balance_fen[who], state.stage[who]
    stuck = (balance < 0) | (state.valid_until[who] < day)
    expiring = state.valid_until[who] - day < 6
    short = (balance < fee) & (today.date.day >= 18)
    low = balance < 500
    is_needed = stuck | expiring | short | low
    chance = np.select(
        [stuck, expiring, short, low],
        [0.30, 0.30, _TOPUPS_BEFORE_FEE, 0.10],
        _TOPUPS_WITHOUT_NEED * people.topup_eagerness[who],
    ) * np.exp(-0.3 * people.carelessness[who])
    chance *= np.where(stage >= THINKING, np.where(stage > THINKING, 0.1, 0.35), 1.0)
    chance = _forget(today, who, stuck, chance)
    joining = people.activated_day[who] == day
    pays = (u["topup"][who] < chance) | joining
    paying, balance, joining, is_needed = who[pays], balance[pays], joining[pays], is_needed[pays]
    _note_revivals(today, paying)
    state.used_day[paying] = day
    # Enough to be out of the red; whether it also covers the next fee is a matter of habit.
    wanted = np.maximum(people.topup_fen[paying], -balance)
    # Without need, and now and then with it, for less than the usual.
    smaller = ((u["size"][paying] < 0.08) | ~is_needed) & ~joining
    wanted = np.where(smaller, np.maximum(people.topup_fen[paying] // 3, -balance), wanted)
    index = np.minimum(np.searchsorted(_DENOMINATIONS, wanted), len(_DENOMINATIONS) - 1)
    amounts = _DENOMINATIONS[index]
    at = np.where(
        joining, today.midnight + people.activated_second[paying], today.at(u["at"])[paying]
    )
    takes_bonus = (amounts >= _BONUS_FROM_FEN) & (u["bonus"][paying] < _BONUS_SHARE)
    promo = coded(np.zeros(len(paying)), (offer_id(_BONUS),), ~takes_bonus)
    top_up(today, paying, amounts, at, u["method"][paying], promo, takes_bonus)
    wrong = (u["reversal"][paying] < _REVERSALS) & ~joining
    state.reversal_day[paying[wrong]] = (
        day + 1 + (u["reversal_days"][paying[wrong]] * 3).astype(np.int64)
    )
    state.reversal_fen[paying[wrong]] = amounts[wrong]


def _forget(today: Today, who: Ints, stuck: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Some do not think of topping up until they miss the line."""
    state, habits = today.state, today.world.habits
    forgetful = np.flatnonzero(habits.is_forgetful[who])
    slots = who[forgetful]
    spell = today.day - state.spell_day[slots]
    missed = spell >= habits.comeback_days[slots]
    forgets = stuck[forgetful] | habits.is_forgetting(today.day, slots)
    own = np.where(forgets, 0.0, chance[forgetful])
    chance[forgetful] = np.where(missed & (state.stage[slots] <= THINKING), 0.9, own)
    return chance


def _note_revivals(today: Today, paying: Ints) -> None:
    """Who comes back without anybody's doing after a long two-way suspension."""
    state = today.state
    since = state.status_second[paying] // SECONDS_A_DAY
    long = (state.status[paying] == cat.TWO_WAY) & (today.day - since > LONG_SUSPENSION_DAYS)
    back = paying[long]
    state.revived_day[back] = today.day
    state.revived_spell_day[back] = state.spell_day[back]


def _reverse(today: Today, u: Mapping[str, Floats]) -> None:
    """A top-up that went to the wrong number is taken back."""
    state = today.state
    slots = np.flatnonzero(state.reversal_day == today.day)
    slots = slots[today.is_in_network[slots]]
    amounts = state.reversal_fen[slots].astype(np.int64)
    state.balance_fen[slots] -= amounts
    _deliver_payments(
        today, "PR", slots, -amounts, today.at(u["at"])[slots], "REVERSAL", u["method"][slots], None
    )


def top_up(
    today: Today,
    slots: Ints,
    amounts: Ints,
    at: Ints,
    method: np.ndarray,
    promo_id: str | pa.Array | None = None,
    takes_bonus: np.ndarray | None = None,
) -> None:
    """Put money on prepaid balances; an amount of a known size also prolongs the validity.

    With a promotion (of all, or of those who `takes_bonus`) the bonus comes as a gift.
    """
    state, day = today.state, today.day
    index = np.minimum(np.searchsorted(_DENOMINATIONS, amounts), len(_DENOMINATIONS) - 1)
    days = np.where(amounts >= _DENOMINATIONS[0], _VALIDITY_DAYS[index], 0)
    valid_until = np.maximum(state.valid_until[slots], day) + days
    state.valid_until[slots] = np.minimum(valid_until, day + 365)
    state.balance_fen[slots] += amounts
    is_ours = isinstance(promo_id, str)
    _deliver_payments(
        today, "PB" if is_ours else "PT", slots, amounts, at, "TOPUP", method, promo_id
    )
    gifted = slots if is_ours else slots[takes_bonus] if takes_bonus is not None else slots[:0]
    bonus = np.full(len(gifted), cat.FAMILIES[_BONUS].cost_fen)
    families = np.full(len(gifted), _BONUS)
    adjustments.credit(today, gifted, bonus, families, "B" if is_ours else "T")


def _pay_bills(today: Today, u: Mapping[str, Floats]) -> None:
    state, people, day = today.state, today.world.people, today.day
    owing = today.is_present & ~people.is_prepaid & (state.owed_fen > 0) & ~state.refuses_to_pay
    on_time = owing & (state.pay_day == day)
    days_late = day - state.due_day
    late = owing & (state.pay_day == NEVER) & (days_late > 0) & today.is_living
    late &= ~today.world.habits.is_malicious(day)
    late &= u["late"] < 0.05 * np.exp(-0.3 * people.carelessness)
    paying = np.flatnonzero(on_time | late)
    amounts = state.owed_fen[paying].copy()
    state.owed_fen[paying] = 0
    state.due_day[paying] = NEVER
    state.pay_day[paying] = NEVER
    _deliver_payments(
        today, "PI", paying, amounts, today.at(u["at"])[paying], "BILL", u["method"][paying], None
    )


def _deliver_payments(
    today: Today,
    prefix: str,
    slots: Ints,
    amounts: Ints,
    at: Ints,
    kind: str,
    method: np.ndarray,
    promo_id: str | pa.Array | None,
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


def monthly_fee(today: Today, slots: Ints) -> Ints:
    """Plan and products a month, without discount, instalments and overage."""
    fees = tariffs.plan_fee_fen(today.world.opened_day, today.day)
    return fees[today.state.holding[slots, PLAN]] + today.state.products_fen[slots]


def charge(today: Today) -> None:
    """Charge fees once a month to active lines, and overage and roaming as they arise."""
    state, people = today.state, today.world.people
    _charge_fees(today)
    who = np.flatnonzero(today.is_in_network)
    voice_fen, data_fen, sms_fen = overage(
        state.holding[who, PLAN],
        state.month_voice_out[who],
        state.month_data_kb[who],
        state.month_pack_kb[who],
        state.month_sms[who],
    )
    charged = voice_fen + data_fen + sms_fen
    for name in ("plan_fen", "vas_fen", "instalment_fen", "discount_fen"):
        charged += getattr(state, f"month_{name}")[who]
    roams = np.flatnonzero((state.month_roaming_voice[who] > 0) | (state.month_roaming_kb[who] > 0))
    charged[roams] += roaming(
        state.month_roaming_voice[who[roams]], state.month_roaming_kb[who[roams]]
    )
    prepaid = people.is_prepaid[who]
    new = np.where(prepaid, charged - state.month_charged_fen[who], 0)
    state.month_charged_fen[who] = charged
    gift = state.gift_fen[who]
    from_gift = np.clip(new, 0, gift)
    state.gift_fen[who] = gift - from_gift
    balance = state.balance_fen[who] - (new - from_gift)
    state.balance_fen[who] = balance
    since = state.negative_since[who]
    negative = prepaid & (balance < 0)
    state.negative_since[who] = np.where(
        negative, np.where(since == NEVER, today.day, since), NEVER
    )


def _charge_fees(today: Today) -> None:
    """The monthly fees of the lines that are active for the first time this month."""
    state, day = today.state, today.day
    due = np.flatnonzero(
        today.is_in_network & (state.status == cat.ACTIVE) & ~state.is_plan_charged
    )
    fees = tariffs.plan_fee_fen(today.world.opened_day, day)
    contract = state.holding[due, CONTRACT]
    runs = state.contract_end[due] > day
    discounted = runs & (contract == cat.DEVICE_CONTRACT)
    instalment = np.where(
        runs & (contract == cat.INSTALMENT_CONTRACT),
        cat.PRODUCT_FEE_FEN[cat.INSTALMENT_CONTRACT],
        0,
    )
    state.month_plan_fen[due] = fees[state.holding[due, PLAN]]
    state.month_vas_fen[due] = state.products_fen[due]
    state.month_pack_kb[due] = state.products_kb[due]
    state.month_discount_fen[due] = np.where(discounted, -cat.CONTRACT_DISCOUNT_FEN, 0)
    state.month_instalment_fen[due] = instalment
    state.is_plan_charged[due] = True
    for kind in (VAS, PACK):
        held = state.holding[due, kind]
        unordered = (held >= 0) & (state.holding_origin[due, kind] == UNORDERED)
        state.unordered_paid_fen[due[unordered]] += cat.PRODUCT_FEE_FEN[held[unordered]]


def bill(today: Today) -> None:
    """Invoices of the closed month, prepaid too, with the month's call circle."""
    state, people, day = today.state, today.world.people, today.day
    month = _month_before(today)
    slots = np.flatnonzero(state.is_closed)
    voice_fen, data_fen, sms_fen = _closed_overage(state)
    total = _closed_gross(state) + state.closed_adjustment_fen
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
            "roaming_cny": state.closed_roaming_fen[slots],
            "vas_cny": state.closed_vas_fen[slots],
            "device_instalment_cny": state.closed_instalment_fen[slots],
            "discount_cny": state.closed_discount_fen[slots],
            "adjustment_cny": state.closed_adjustment_fen[slots],
            "other_cny": 0,
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
    never |= today.world.habits.is_malicious(day)
    pay_day = np.where(never, NEVER, pay_day)
    state.owed_fen += np.where(billed, total, 0)
    state.due_day[:] = np.where(billed, np.minimum(state.due_day, due), state.due_day)
    state.pay_day[:] = np.where(billed, np.minimum(state.pay_day, pay_day), state.pay_day)


def deliver_balances(today: Today) -> None:
    """The end of the day: every prepaid line in the network, and whoever is in arrears."""
    if today.outbox.is_closed:
        return
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
            "gift_balance_cny": np.where(prepaid, state.gift_fen[slots], 0),
            "charged_mtd_cny": state.month_charged_fen[slots],
            "arrears_cny": np.maximum(0, -balance),
            "arrears_since": np.where(balance < 0, since, NO_VALUE),
            "dunning_stage": coded(stage, ("D1", "D1", "D2", "D3"), stage == 0),
            "credit_limit_cny": np.where(prepaid, 0, _CREDIT_LIMITS_FEN[pick(slots, 14, 3)]),
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
