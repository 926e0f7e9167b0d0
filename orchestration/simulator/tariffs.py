"""What plans cost from when: repricings, a discontinued plan and its migration.

Here: price versions by date, counted from the operator's opening. Not here: what a plan holds
(`catalogue.py`), who holds it (`holdings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import NO_VALUE

Ints = npt.NDArray[np.int64]

_EPOCH = date(1970, 1, 1)
_ON_SALE_SINCE = (date(2020, 1, 1) - _EPOCH).days
# Planned days after the opening; each takes effect on the first of a month from then on.
_REPRICING_AFTER_DAYS = 150
_MIGRATION_AFTER_DAYS = 240
_OFF_SALE_AFTER_DAYS = 90


@dataclass(frozen=True)
class Repricing:
    """A plan's other fee, for holders too."""

    plan_id: str
    fee_fen: int
    name_zh: str
    name_en: str


# A large cut (it explains falling bills by the operator's own doing) and a small rise.
REPRICINGS = (
    Repricing("PL06", 13_900, "臻享139", "Prime 139"),
    Repricing("PR02", 2_200, "随心22", "Free 22"),
)
DISCONTINUED = cat.PLAN_INDEX["PL07"]
SUCCESSOR = cat.PLAN_INDEX["PL02"]


def repricing_day(opened_day: int) -> int:
    return _first_of_month(opened_day + _REPRICING_AFTER_DAYS)


def migration_day(opened_day: int) -> int:
    """The holders of the discontinued plan are moved to its successor."""
    return _first_of_month(opened_day + _MIGRATION_AFTER_DAYS)


def plan_fee_fen(opened_day: int, day: int) -> Ints:
    """Monthly fee of every plan (by its index) on the day."""
    fees = cat.PLAN_FEE_FEN.copy()
    if day >= repricing_day(opened_day):
        for repricing in REPRICINGS:
            fees[cat.PLAN_INDEX[repricing.plan_id]] = repricing.fee_fen
    return fees


def changes(opened_day: int) -> tuple[int, ...]:
    """Days after the opening on which the plans' reference feed is delivered anew."""
    return tuple(sorted({repricing_day(opened_day), migration_day(opened_day)} - {opened_day}))


def plan_columns(opened_day: int, day: int) -> Mapping[str, Any]:
    """`billing_plans` as delivered on the day: versions by plan, older first."""
    repriced_on, migrated_on = repricing_day(opened_day), migration_day(opened_day)
    new = {cat.PLAN_INDEX[r.plan_id]: r for r in REPRICINGS} if day >= repriced_on else {}
    plans: list[int] = []
    valid_from: list[int] = []
    valid_to: list[int] = []
    latest: list[Repricing | None] = []
    for index in sorted(range(len(cat.PLANS)), key=lambda index: cat.PLANS[index].plan_id):
        closed = index == DISCONTINUED and day >= migrated_on
        plans.append(index)
        valid_from.append(_ON_SALE_SINCE)
        valid_to.append(
            repriced_on - 1 if index in new else migrated_on - 1 if closed else NO_VALUE
        )
        latest.append(None)
        if index in new:
            plans.append(index)
            valid_from.append(repriced_on)
            valid_to.append(NO_VALUE)
            latest.append(new[index])
    held = [cat.PLANS[index] for index in plans]
    pairs = list(zip(held, latest, strict=True))
    at = np.array(plans)
    return {
        "plan_id": [plan.plan_id for plan in held],
        "valid_from": np.array(valid_from),
        "valid_to": np.array(valid_to),
        "name_zh": [new.name_zh if new else plan.name_zh for plan, new in pairs],
        "name_en": [new.name_en if new else plan.name_en for plan, new in pairs],
        "brand": [cat.BRANDS[plan.is_prepaid] for plan in held],
        "payment_mode": ["PREPAID" if plan.is_prepaid else "POSTPAID" for plan in held],
        "monthly_fee_cny": np.array([new.fee_fen if new else plan.fee_fen for plan, new in pairs]),
        "voice_minutes": cat.PLAN_VOICE_MINUTES[at] * 100,
        "data_mb": cat.PLAN_DATA_KB[at],
        "sms_count": cat.PLAN_SMS[at],
        "overage_voice_cny_per_min": cat.PLAN_VOICE_FEN[at] * 10_000,
        "overage_data_cny_per_mb": cat.PLAN_DATA_FEN[at] * 10,  # fen a GB to millionths a MB
        "overage_sms_cny": cat.PLAN_SMS_FEN[at] * 10_000,
        "overage_mode": [plan.overage_mode for plan in held],
        "access_technology": "MOBILE",
        "network_generation": [plan.generation for plan in held],
        "early_exit_fee_cny": np.array([plan.exit_fee_fen for plan in held]),
        "org_id": "HQ",
        "on_sale_from": np.full(len(held), _ON_SALE_SINCE),
        "on_sale_to": np.where(at == DISCONTINUED, opened_day + _OFF_SALE_AFTER_DAYS, NO_VALUE),
    }


def _first_of_month(day: int) -> int:
    """The day itself or the next that is a first."""
    on = _EPOCH + timedelta(days=day)
    if on.day == 1:
        return day
    return ((on.replace(day=28) + timedelta(days=4)).replace(day=1) - _EPOCH).days
