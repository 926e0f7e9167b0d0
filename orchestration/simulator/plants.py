"""The truth about what was planted in plans, products and bills.

Here: who really is a promotion hunter, never ordered a product, means not to pay, and so on, as
tables by subscriber. Not here: making them so (`habits.py`), writing files (`truth.py`). What a
rule makes of the feeds is another thing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import data_habits, tariffs
from orchestration.simulator.feeds import coded
from orchestration.simulator.holdings import agents_of_branches
from orchestration.simulator.state import CONTRACT, NEVER, NO_PRODUCT, PLAN
from orchestration.simulator.today import Flags, Ints, Today, days_column

Columns = dict[str, Any]

_PLAN_IDS = [plan.plan_id for plan in cat.PLANS]
_PRODUCT_IDS = [product.product_id for product in cat.PRODUCTS]
_ROLES = ("HUNTER", "ONE_SWITCH", "RENEWAL")
_DAYS_A_MONTH = 30.4
_OVER, _UNDER = 1.1, 0.6  # of the allowance
_DIRECTIONS = ("FIT", "OVER", "UNDER")


def planted_billing(today: Today) -> dict[str, Columns]:
    """Table name -> columns, of what has happened by the end of today."""
    return {
        "promotion_hunters": _promotion_hunters(today),
        "vas_churn": _events(today, "vas_churn_day", "ended_on", "vas_churn_product"),
        "vas_returns": _events(today, "vas_return_day", "returns_on", "vas_return_product"),
        "trials": _events(today, "trial_day", "started_on"),
        "unauthorised_subscriptions": _unauthorised(today),
        "malicious_arrears": _malicious(today),
        "natural_revivals": _revivals(today),
        "substitutions": _substitutions(today),
        "plan_misfits": _misfits(today),
        "data_misfits": _data_misfits(today),
        "device_misfits": _device_misfits(today),
        "contract_expiries": _expiries(today),
        "operator_migrations": _migrations(today),
        "repricings": _repricings(today),
    }


def _events(today: Today, day_field: str, day_name: str, product: str | None = None) -> Columns:
    """The last event of a kind of each subscriber."""
    days = getattr(today.state, day_field)
    slots = np.flatnonzero(days <= today.day)
    columns: Columns = {"subscriber_id": today.ids(slots), day_name: days_column(days[slots])}
    if product is not None:
        products = getattr(today.state, product)[slots].astype(np.int64)
        columns["product_id"] = coded(products, _PRODUCT_IDS)
    return columns


def _promotion_hunters(today: Today) -> Columns:
    """Hunters with their distractors: who switches once, whose promotion renews itself."""
    habits, state = today.world.habits, today.state
    groups = (habits.hunts, habits.one_switch, habits.renewals)
    slots = np.concatenate([group.slots for group in groups])
    roles = np.repeat(np.arange(len(groups)), [len(group.slots) for group in groups])
    first = np.concatenate([group.first_day for group in groups])
    there = np.flatnonzero(first <= today.day)
    there = there[np.argsort(slots[there], kind="stable")]
    slots, roles, first = slots[there], roles[there], first[there]
    return {
        "subscriber_id": today.ids(slots),
        "role": coded(roles, _ROLES),
        "first_planned_on": days_column(first),
        "switches": state.promo_switches[slots].astype(np.int64),
        "last_switch_on": days_column(state.promo_day[slots]),
    }


def _unauthorised(today: Today) -> Columns:
    """Products that nobody ordered, the last of each subscriber."""
    state, people, tree = today.state, today.world.people, today.world.organisation
    slots = np.flatnonzero(state.unordered_day <= today.day)
    product = state.unordered_product[slots].astype(np.int64)
    # A notice that is still to come, or never will, is none.
    refunded = np.where(
        state.refund_day[slots] >= state.unordered_day[slots], state.refund_day[slots], NEVER
    )
    return {
        "subscriber_id": today.ids(slots),
        "product_id": coded(product, _PRODUCT_IDS),
        "started_on": days_column(state.unordered_day[slots]),
        "org_id": coded(people.branch[slots], tree.branch_ids),
        "agent_id": coded(people.branch[slots], agents_of_branches(tree)),
        "is_bad_branch": np.isin(people.branch[slots], today.world.habits.bad_branches),
        "refunded_on": days_column(refunded),
        "refunded_fen": np.where(refunded == NEVER, 0, state.refund_fen[slots]),
    }


def _begun(today: Today, first: npt.NDArray[np.integer]) -> Ints:
    """Slots whose habit began while the person was still with us."""
    state = today.state
    begun = today.is_present & (first <= today.day)
    return np.flatnonzero(begun & (first < state.left_day) & (first < state.removed_day))


def _malicious(today: Today) -> Columns:
    days, removed = today.world.habits.malice_day, today.state.removed_day
    slots = _begun(today, days)
    return {
        "subscriber_id": today.ids(slots),
        "from_on": days_column(days[slots]),
        "removed_on": days_column(removed[slots]),
    }


def _revivals(today: Today) -> Columns:
    state = today.state
    slots = np.flatnonzero(state.revived_day <= today.day)
    return {
        "subscriber_id": today.ids(slots),
        "suspended_on": days_column(state.revived_spell_day[slots]),
        "revived_on": days_column(state.revived_day[slots]),
    }


def _substitutions(today: Today) -> Columns:
    days = today.world.habits.substitution_day
    slots = _begun(today, days)
    return {
        "subscriber_id": today.ids(slots),
        "onset_on": days_column(days[slots]),
        "left_on": days_column(today.state.left_day[slots]),
    }


def _misfits(today: Today) -> Columns:
    """The plan held against the cheapest one for the person's need; FIT is not in the table."""
    state, people = today.state, today.world.people
    slots = np.flatnonzero(today.is_in_network)
    plan = state.holding[slots, PLAN].astype(np.int64)
    minutes = people.calls_a_day[slots] * people.minutes_a_call[slots] * _DAYS_A_MONTH
    kb = people.data_kb_a_day[slots] * _DAYS_A_MONTH
    voice = _share(minutes, cat.PLAN_VOICE_MINUTES[plan])
    data = _share(kb, cat.PLAN_DATA_KB[plan] + state.products_kb[slots])
    over = np.fmax(voice, data) > _OVER
    under = np.fmax(voice, data) < _UNDER
    direction = np.where(over, 1, np.where(under, 2, 0))
    kept = direction > 0
    slots, plan = slots[kept], plan[kept]
    return {
        "subscriber_id": today.ids(slots),
        "held_plan_id": coded(plan, _PLAN_IDS),
        "best_plan_id": coded(people.best_plan[slots], _PLAN_IDS),
        "direction": coded(direction[kept], _DIRECTIONS),
        "voice_share": voice[kept],
        "data_share": data[kept],
    }


def _data_misfits(today: Today) -> Columns:
    """Who uses data in a way that the plan was not chosen for, and since when."""
    planted = today.world.data_habits
    slots = _begun(today, np.where(planted.kind == data_habits.NONE, NEVER, planted.first_day))
    return {
        "subscriber_id": today.ids(slots),
        "kind": coded(planted.kind[slots], data_habits.KINDS),
        "from_on": days_column(planted.first_day[slots]),
    }


def _device_misfits(today: Today) -> Columns:
    """Who needs much data and has a device that is a generation behind the network."""
    people, devices = today.world.people, today.state.device.astype(np.int64)
    outgrown = data_habits.outgrown_devices(people, devices)
    slots = np.flatnonzero(outgrown & today.is_in_network)
    return {
        "subscriber_id": today.ids(slots),
        "network_generation": coded(devices[slots], [d.generation for d in cat.DEVICES]),
        "data_mb_a_day": people.data_kb_a_day[slots] / 1_000,
    }


def _share(used: npt.NDArray[np.floating], allowance: Ints) -> npt.NDArray[np.float64]:
    """Used of what is allowed; not a number where nothing is."""
    return np.where(allowance > 0, used / np.maximum(allowance, 1), np.nan)


def _expiries(today: Today) -> Columns:
    """Device contracts that ended by the calendar and were not renewed before."""
    state = today.state
    end = state.contract_end
    ended: Flags = (end >= today.world.opened_day) & (end <= today.day) & today.is_present
    slots = np.flatnonzero(ended & (end <= state.removed_day))
    return {
        "subscriber_id": today.ids(slots),
        "contract_ends_on": days_column(end[slots]),
        "is_still_open": state.holding[slots, CONTRACT] != NO_PRODUCT,
        "left_on": days_column(state.left_day[slots]),
    }


def _migrations(today: Today) -> Columns:
    slots = np.flatnonzero(today.state.migrated_day <= today.day)
    plans = [_PLAN_IDS[tariffs.DISCONTINUED], _PLAN_IDS[tariffs.SUCCESSOR]]
    return {
        "subscriber_id": today.ids(slots),
        "migrated_on": days_column(today.state.migrated_day[slots]),
        "from_plan_id": pa.repeat(plans[0], len(slots)),
        "to_plan_id": pa.repeat(plans[1], len(slots)),
    }


def _repricings(today: Today) -> Columns:
    day = tariffs.repricing_day(today.world.opened_day)
    done = tariffs.REPRICINGS if day <= today.day else ()
    index = [cat.PLAN_INDEX[repricing.plan_id] for repricing in done]
    return {
        "plan_id": pa.array([repricing.plan_id for repricing in done], pa.string()),
        "repriced_on": days_column(np.full(len(done), day)),
        "old_fee_fen": cat.PLAN_FEE_FEN[np.array(index, dtype=np.int64)],
        "new_fee_fen": np.array([repricing.fee_fen for repricing in done], dtype=np.int64),
    }
