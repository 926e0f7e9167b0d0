"""What sales channels receive, sell and earn.

Here: who won a subscriber, `channel_stock_events`, `channel_commissions`. Not here: which channels
and agents there are (`organisation.py`), handsets that are given away (`market.py`).

A channel's stock of SIMs follows from what it has sold so far alone: it gets whole lots, as soon as
its safety stock is touched, early in the morning. Its items are numbered in the order of their
arrival; every so many is faulty and goes back, the others are sold in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.identity import imei
from orchestration.simulator.organisation import MOST_REGIONS, OWN_HALL, Organisation
from orchestration.simulator.randomness import scramble
from orchestration.simulator.state import PLAN

if TYPE_CHECKING:  # the day knows who won whom from here
    from orchestration.simulator.today import Today, World

Ints = npt.NDArray[np.int64]

_SALT_SHELF, _SALT_SALE, _SALT_HALL, _SALTS = 41, 42, 43, 64
_MOST_SHELF_DAYS = 6
_PURCHASES = 1_009  # more than anybody's devices: keeps one slot's apart from the next's
_LOT_DAYS, _SAFETY_DAYS = 30, 10  # of expected sales
_SMALLEST_LOT, _SMALLEST_SAFETY = 10, 5
_FAULTY_EVERY = 25
_RECEIVED_AT, _RETURNED_AT = 6 * 3600, 20 * 3600
_EARLY_SALE_SHARE, _MOST_EARLY_DAYS = 0.2, 3  # SIMs sold some days before they are used
_EARLY_SALE_AT = 15 * 3600
_SALE_SECONDS = 600  # from the sale to the activation over the counter
_ITEM_WIDTH = 6


def acquisition(world: World, slots: Ints) -> tuple[Ints, Ints]:
    """Channel and agent (-1: none) that won each slot, as of its activation."""
    tree, people = world.organisation, world.people
    channel, agent = people.sold_by_channel[slots], people.sold_by_agent[slots]
    former = np.array([a.former_channel for a in tree.agents])
    moved_day = world.opened_day - np.array([a.moved_days_before_opening for a in tree.agents])
    before_move = (agent >= 0) & (former[agent] >= 0)
    before_move &= people.activated_day[slots] < moved_day[agent]
    return np.where(before_move, former[agent], channel), agent


def live(today: Today) -> None:
    """The day's stock of SIMs and the day's commissions."""
    _deliver_sims(today)
    _earn_activations(today)
    _earn_residuals(today)
    _claw_back(today)


def sell_devices(today: Today, slots: Ints, tacs: pa.Array, seconds: Ints) -> None:
    """Some who use a new device since `seconds` today bought it in the own hall of their branch.

    Halls book handsets in one by one, some days before: no more of them than are wanted.
    """
    world, tree = today.world, today.world.organisation
    number = today.state.device_number[slots].astype(np.int64)
    purchase = slots * _PURCHASES + number
    sold = _fraction(tree, purchase, _SALT_HALL) < cat.DEVICES_IN_HALL
    slots, number, purchase, seconds = (x[sold] for x in (slots, number, purchase, seconds))
    u = _fraction(tree, purchase, _SALT_SHELF)
    age = np.minimum((u * _MOST_SHELF_DAYS).astype(np.int64), today.day - world.opened_day)
    keys = world.people.keys[slots]
    columns = {
        "channel_id": coded(tree.outlets[world.people.branch[slots], OWN_HALL], tree.channel_ids),
        "item_kind": "DEVICE",
        "imei": imei(today.state.device[slots].astype(np.int64), keys, number),
        "tac": tacs.filter(pa.array(sold)),
    }
    received = today.midnight - age * SECONDS_A_DAY + _RECEIVED_AT
    for prefix, event, at in (
        ("DR", "RECEIVED", received),
        ("DS", "SOLD", seconds - _SALE_SECONDS),
    ):
        ids = today.event_ids(prefix, slots)
        row = {"event_id": ids, "event": event, "at": at}
        today.outbox.add("channel_stock_events", len(slots), {**columns, **row})


@dataclass(frozen=True)
class _Lots:
    """Size of a lot and safety stock of each stock, and which of its items are faulty."""

    lot: Ints
    safety: Ints
    good_first: Ints  # how the places of the faulty items are shifted

    @classmethod
    def for_sales(cls, a_day: npt.NDArray[np.float64]) -> _Lots:
        return cls(
            np.maximum(_SMALLEST_LOT, np.ceil(_LOT_DAYS * a_day)).astype(np.int64),
            np.maximum(_SMALLEST_SAFETY, np.ceil(_SAFETY_DAYS * a_day)).astype(np.int64),
            np.arange(len(a_day)) * 7 % (_FAULTY_EVERY - 1),
        )

    def received(self, sold: Ints) -> Ints:
        """Items received by the morning of a day by whose evening so many will be sold."""
        needed = self.number_of(np.arange(len(sold)), sold + self.safety)
        return self.lot * -(-needed // self.lot)

    def number_of(self, stock: Ints, nth: Ints) -> Ints:
        """Number, from 0, of the n-th item of the stock that is not faulty."""
        return nth + (nth + self.good_first[stock]) // (_FAULTY_EVERY - 1)

    def is_faulty(self, stock: Ints, item: Ints) -> npt.NDArray[np.bool_]:
        return (item + self.good_first[stock]) % _FAULTY_EVERY == _FAULTY_EVERY - 1


def _deliver_sims(today: Today) -> None:
    """SIMs that arrive, are sold and put to use, or go back."""
    world, tree = today.world, today.world.organisation
    channels, agents = world.acquired
    opened = world.opened_day
    # The lines of the opening base had their SIMs before.
    sold = [
        np.bincount(
            channels[world.subscribers : max(world.slots_through(today.day - age), 0)],
            minlength=len(tree.channels),
        )
        for age in range(_MOST_EARLY_DAYS + 1)
    ]
    lots = _Lots.for_sales(tree.sales_shares * cat.PLANNED_JOINERS_A_DAY * tree.subscribers)
    _deliver_lots(today, lots, sold[1], sold[0])

    slots = today.joined_slots if today.day > opened else np.zeros(0, dtype=np.int64)
    if not len(slots):
        return
    channel = channels[slots]
    item = lots.number_of(channel, sold[1][channel] + _place_among_equals(channel))
    activated = world.people.activated_day[slots] * SECONDS_A_DAY
    activated = activated + world.people.activated_second[slots]
    # Sold early only if the very item was there on that day.
    u = _fraction(tree, slots, _SALT_SALE)
    age = np.ceil(_MOST_EARLY_DAYS * (1 - u / _EARLY_SALE_SHARE)).astype(np.int64)
    age = np.where(u < _EARLY_SALE_SHARE, np.clip(age, 1, today.day - opened), 0)
    there = np.stack([lots.received(count) for count in sold])[age, channel]
    age = np.where(item < there, age, 0)
    sold_at = np.where(
        age > 0, today.midnight - age * SECONDS_A_DAY + _EARLY_SALE_AT, activated - _SALE_SECONDS
    )
    agent = agents[slots]
    for letter, event, at in (("S", "SOLD", sold_at), ("A", "ACTIVATED", activated)):
        _deliver_sim_events(today, letter, event, channel, item, at, agent)


def _deliver_lots(today: Today, lots: _Lots, before: Ints, after: Ints) -> None:
    """Items received this morning, and faulty ones of earlier lots that go back."""
    there = lots.received(after)
    had = lots.received(before) if today.day > today.world.opened_day else np.zeros_like(there)
    stock, item = _numbers(had, there)
    back, faulty = _numbers(np.maximum(had - lots.lot, 0), there - lots.lot)
    is_faulty = lots.is_faulty(back, faulty)
    back, faulty = back[is_faulty], faulty[is_faulty]
    for letter, event, second, which, numbers in (
        ("R", "RECEIVED", _RECEIVED_AT, stock, item),
        ("T", "RETURNED", _RETURNED_AT, back, faulty),
    ):
        at = np.full(len(which), today.midnight + second)
        _deliver_sim_events(today, letter, event, which, numbers, at)


def _deliver_sim_events(
    today: Today,
    letter: str,
    event: str,
    channel: Ints,
    item: Ints,
    at: Ints,
    agent: Ints | None = None,
) -> None:
    tree = today.world.organisation
    today.outbox.add(
        "channel_stock_events",
        len(channel),
        {
            "event_id": joined(
                f"S{letter}", coded(channel, tree.channel_ids), padded(item, _ITEM_WIDTH)
            ),
            "channel_id": coded(channel, tree.channel_ids),
            "agent_id": None if agent is None else coded(agent, tree.agent_ids, agent < 0),
            "item_kind": "SIM",
            "iccid": _iccid(tree, channel, item),
            "event": event,
            "at": at,
        },
    )


def _iccid(tree: Organisation, channel: Ints, item: Ints) -> pa.Array:
    """19 digits: telecommunications, country, issuer, region, channel, item, Luhn digit."""
    body = 898_609 * 100 + tree.region + 1
    digits = (body * 10**4 + channel + 1) * 10**_ITEM_WIDTH + item
    places = (digits[:, None] // 10 ** np.arange(18)) % 10  # from the right
    doubled = places * np.where(np.arange(18) % 2 == 0, 2, 1)
    check = (-(doubled // 10 + doubled % 10).sum(axis=1)) % 10
    return joined(padded(digits, 18), padded(check, 1))


def _earn_activations(today: Today) -> None:
    """Joiners sold by an agent; the opening base was paid for before."""
    if today.day == today.world.opened_day:
        return
    slots = today.joined_slots
    slots = slots[today.world.acquired[1][slots] >= 0]
    _deliver_commissions(today, "CA", "ACTIVATION", slots, _activation_fen(today, slots))


def _earn_residuals(today: Today) -> None:
    """On the first of the month a share of the plan's fee for each line in its first year."""
    if not today.is_first_of_month:
        return
    tenure = today.day - today.world.people.activated_day
    is_young = (tenure > 0) & (tenure <= cat.RESIDUAL_DAYS)
    slots = np.flatnonzero(is_young & (today.world.acquired[1] >= 0) & today.is_in_network)
    fees = cat.PLAN_FEE_FEN[today.state.holding[slots, PLAN]]
    _deliver_commissions(today, "CR", "RESIDUAL", slots, fees * cat.RESIDUAL_PERCENT // 100)


def _claw_back(today: Today) -> None:
    """The activation is taken back for a line taken out within the first months."""
    tenure = today.day - today.world.people.activated_day
    gone = (today.state.removed_day == today.day) & (tenure <= cat.CLAWBACK_DAYS)
    slots = np.flatnonzero(gone & (today.world.acquired[1] >= 0))
    _deliver_commissions(today, "CC", "CLAWBACK", slots, -_activation_fen(today, slots))


def _activation_fen(today: Today, slots: Ints) -> Ints:
    fen: Ints = cat.ACTIVATION_COMMISSION_FEN[today.world.people.is_prepaid[slots].astype(np.int64)]
    return fen


def _deliver_commissions(today: Today, prefix: str, kind: str, slots: Ints, fen: Ints) -> None:
    """Earned by the agent who won the line, where the agent sells now."""
    tree = today.world.organisation
    agent = today.world.acquired[1][slots]
    today.outbox.add(
        "channel_commissions",
        len(slots),
        {
            "commission_id": today.event_ids(prefix, slots),
            "agent_id": coded(agent, tree.agent_ids),
            "channel_id": coded(tree.agent_channels[agent], tree.channel_ids),
            "subscriber_id": today.ids(slots),
            "kind": kind,
            "amount_cny": fen,
            "earned_on": np.full(len(slots), today.day),
        },
    )


def _numbers(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Every whole number from `first` to before `last` of each row, with its row."""
    count = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    return row, np.arange(len(row)) - start[row] + first[row]


def _place_among_equals(values: Ints) -> Ints:
    """How many equal values stand before each."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered)
    place = np.empty_like(values)
    place[order] = np.arange(len(values)) - first
    return place


def _fraction(tree: Organisation, slots: Ints, salt: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for ever the slot's own, in its region."""
    mixed = scramble((slots * _SALTS + salt) * MOST_REGIONS + tree.region)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
