"""Which device each SIM is in.

Here: `usage_devices`, and the type allocation code of whoever uses the network. Not here: models
(`catalogue.py`), what is done with a device (`usage.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import channels
from orchestration.simulator.feeds import SECONDS_A_DAY, coded
from orchestration.simulator.identity import BATCHES, SLOTS_A_REGION, imei, tac
from orchestration.simulator.randomness import Stream
from orchestration.simulator.ties import HAND_ME_DOWN, SHOP_PHONE
from orchestration.simulator.today import Ints, Today

_NEW_DEVICES_A_DAY = 0.0009
_FIRST_USE_AFTER_SECONDS = 600
# Test phones of the halls have numbers that no subscriber's device has.
_SHOP_KEYS = SLOTS_A_REGION - 1_000
_SHOP_DEVICE = 3


@cache
def tac_codes(region: int) -> tuple[str, ...]:
    """All codes of a region's devices: by batch, then by model."""
    models = np.tile(np.arange(len(cat.DEVICES)), BATCHES)
    batches = np.repeat(np.arange(1, BATCHES + 1), len(cat.DEVICES))
    return tuple(str(code) for code in tac(models, np.full(len(models), region), batches))


def _codes(today: Today) -> tuple[str, ...]:
    return tac_codes(today.world.draws.region)


def tacs(today: Today, slots: Ints) -> pa.Array:
    """Type allocation code of the device that each slot is in."""
    state = today.state
    batch = np.clip(state.device_number[slots].astype(np.int64) - 1, 0, BATCHES - 1)
    return coded(batch * len(cat.DEVICES) + state.device[slots], _codes(today))


def welcome(today: Today, slots: Ints) -> None:
    """First devices of those who appear: their own, or one that they had or were given."""
    state, people = today.state, today.world.people
    ties = people.ties
    at = people.activated_day[slots] * SECONDS_A_DAY + people.activated_second[slots]
    keeps = slots[ties.has_same_device[slots]]
    old = ties.predecessor[keeps]
    for name in ("device", "device_number", "device_owner"):
        values = getattr(state, name)
        values[keeps] = values[old]
    given = slots[ties.look_alike[slots] == HAND_ME_DOWN]
    state.device[given] = people.first_device[ties.relative[given]]
    state.device_owner[given] = ties.relative[given]
    shop = ties.look_alike[slots] == SHOP_PHONE
    tested = slots[shop]
    _deliver(
        today,
        tested,
        np.full(len(tested), _SHOP_DEVICE),
        people.keys[0] + _SHOP_KEYS + people.branch[tested],
        np.ones(len(tested), dtype=np.int64),
        at[shop],
    )
    deliver(today, slots, at + _FIRST_USE_AFTER_SECONDS)


def change(today: Today) -> None:
    """New devices that people buy for themselves."""
    u = today.uniform(Stream.DEVICES, "device", "model", "device_at")
    able = today.is_living & (today.state.status == cat.ACTIVE)
    new = np.flatnonzero(able & (u["device"] < _NEW_DEVICES_A_DAY))
    models = np.array(cat.NEWEST_DEVICES)[(u["model"][new] * 3).astype(np.int64)]
    seconds = today.at(u["device_at"])[new]
    give(today, new, models, seconds)
    channels.sell_devices(today, new, tacs(today, new), seconds)


def give(today: Today, slots: Ints, models: Ints, seconds: Ints) -> None:
    """The SIMs appear in other devices."""
    state = today.state
    state.device[slots] = models
    state.device_number[slots] = np.where(
        state.device_owner[slots] == slots, state.device_number[slots] + 1, 2
    )
    state.device_owner[slots] = slots
    deliver(today, slots, seconds)


def deliver(today: Today, slots: Ints, seconds: Ints) -> None:
    """Each slot's present device, seen from the second on."""
    state = today.state
    _deliver(
        today,
        slots,
        state.device[slots].astype(np.int64),
        today.world.people.keys[state.device_owner[slots]],
        state.device_number[slots].astype(np.int64),
        seconds,
    )


def _deliver(
    today: Today, slots: Ints, models: Ints, keys: Ints, numbers: Ints, seconds: Ints
) -> None:
    if today.outbox.is_closed or not len(slots):
        return
    batch = np.clip(numbers - 1, 0, BATCHES - 1)
    today.outbox.add(
        "usage_devices",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "imei": imei(models, keys, numbers),
            "at": seconds,
            "tac": coded(batch * len(cat.DEVICES) + models, _codes(today)),
        },
    )
