"""What is on the market: handsets to give away, and how large everybody is.

Here: `market_stock` with asking for and taking a handset, `market_size`. Not here: the catalogue of
offers and competitors' offers (`reference.py`), handsets sold over the counter (`channels.py`).

A branch starts each month with a fixed stock of each pool: on the first it receives what it gave
away in the month before. A line is given a handset once a year at most.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded
from orchestration.simulator.identity import tac
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.today import Flags, Ints, Today, day_number

HANDSET_EVERY_DAYS = 365
_SMALLEST_STOCK = 2
_OURS = "云通"
_POOLS = len(cat.POOLS)


def month_stock(tree: Organisation) -> Ints:
    """Handsets of each pool with which a branch starts a month."""
    shares = np.array([pool.share for pool in cat.POOLS])
    stock = np.ceil(shares * tree.subscribers_a_branch).astype(np.int64)
    return np.maximum(_SMALLEST_STOCK, stock)


def handsets_left(today: Today) -> Ints:
    """What remains now of each pool, (branches, pools)."""
    first = day_number(today.date.replace(day=1))
    return month_stock(today.world.organisation) - _issued(today, first, today.day)


def may_have_handset(today: Today, slots: Ints, families: Ints) -> Flags:
    """Whether an offer of each family can be kept: one of handsets needs one for each.

    Of several who ask a branch for the same, the first come first. True for other families.
    """
    pool = cat.POOL_OF_FAMILY[families]
    asks = pool >= 0
    entitled = asks & (today.day - today.state.handset_day[slots] >= HANDSET_EVERY_DAYS)
    entitled &= _is_first_of_equals(slots, entitled)
    asking = np.flatnonzero(entitled)
    stock = today.world.people.branch[slots[asking]] * _POOLS + pool[asking]
    order = np.argsort(stock, kind="stable")
    queue = np.empty(len(order), dtype=np.int64)
    queue[order] = np.arange(len(order)) - np.searchsorted(stock[order], stock[order])
    may = ~asks
    may[asking] = queue < handsets_left(today).ravel()[stock]
    return may


def take_handsets(today: Today, slots: Ints, families: Ints) -> Ints:
    """Take a handset out of the pool for each who may have one; index of the device (-1: none)."""
    pool = cat.POOL_OF_FAMILY[families]
    gets = (pool >= 0) & may_have_handset(today, slots, families)
    today.state.handset_day[slots[gets]] = today.day
    today.state.handset_pool[slots[gets]] = pool[gets]
    devices: Ints = np.where(gets, cat.POOL_DEVICE[pool], -1).astype(np.int64)
    return devices


def deliver_stock(today: Today) -> None:
    """The end of the day in each pool of each branch."""
    tree, day = today.world.organisation, today.day
    full = np.broadcast_to(month_stock(tree), (tree.branches, _POOLS))
    received = np.zeros_like(full)
    if day == today.world.opened_day:
        received = full
    elif today.is_first_of_month:
        last = today.date - timedelta(days=1)
        received = _issued(today, day_number(last.replace(day=1)), day - 1)
    remaining = handsets_left(today)
    reserved = (remaining * np.array([pool.reserved_share for pool in cat.POOLS])).astype(np.int64)
    branch, pool = np.divmod(np.arange(tree.branches * _POOLS), _POOLS)
    today.outbox.add(
        "market_stock",
        len(pool),
        {
            "pool_id": coded(pool, [p.pool_id for p in cat.POOLS]),
            "org_id": coded(branch, tree.branch_ids),
            "item": coded(pool, [p.item for p in cat.POOLS]),
            "tac": coded(
                pool,
                [
                    str(code)
                    for code in tac(
                        cat.POOL_DEVICE, np.full(_POOLS, tree.region), np.ones(_POOLS, int)
                    )
                ],
            ),
            "is_labelled": np.array([p.is_labelled for p in cat.POOLS])[pool],
            "reserved": reserved.ravel(),
            "received": received.ravel(),
            "issued": _issued(today, day, day).ravel(),
            "remaining": remaining.ravel(),
        },
    )


def deliver_size(today: Today) -> None:
    """Lines in the network at the end of the month before, ours counted, others' estimated.

    A competitor's estimate starts as a multiple of our opening base and takes its share of all who
    have ported out since.
    """
    world, state, people = today.world, today.state, today.world.people
    tree = world.organisation
    first = day_number(today.date.replace(day=1))
    last = today.date.replace(day=1) - timedelta(days=1)
    city = np.array(tree.branch_city)[people.branch]

    def by_city(slots: Flags) -> Ints:
        return np.bincount(city[slots], minlength=len(tree.city_ids))

    ours = by_city((people.activated_day < first) & (state.removed_day >= first))
    opening = by_city(np.arange(people.slots) < world.subscribers)
    ported = by_city((state.reason == cat.PORT_OUT) & (state.removed_day < first))
    sizes = np.array(cat.COMPETITOR_SIZE)
    theirs = opening[:, None] * sizes + ported[:, None] * sizes / sizes.sum()
    counts = np.column_stack([ours, np.rint(theirs).astype(np.int64)])
    counts = np.vstack([counts.sum(axis=0), counts])
    operators = (_OURS, *cat.COMPETITORS)
    unit, operator = np.divmod(np.arange(counts.size), len(operators))
    today.outbox.add(
        "market_size",
        counts.size,
        {
            "org_id": coded(unit, [tree.province_id, *tree.city_ids]),
            "month": f"{last:%Y-%m}",
            "operator": coded(operator, operators),
            "subscribers": counts.ravel(),
        },
    )


def _issued(today: Today, first: int, last: int) -> Ints:
    """Handsets given away from `first` to `last`, (branches, pools)."""
    state, tree = today.state, today.world.organisation
    slots = np.flatnonzero((state.handset_day >= first) & (state.handset_day <= last))
    stock = today.world.people.branch[slots] * _POOLS + state.handset_pool[slots]
    return np.bincount(stock, minlength=tree.branches * _POOLS).reshape(tree.branches, _POOLS)


def _is_first_of_equals(slots: Ints, counted: Flags) -> Flags:
    """The first of several equal slots among those counted."""
    rows = np.flatnonzero(counted)
    first = np.zeros(len(slots), dtype=bool)
    first[rows[np.unique(slots[rows], return_index=True)[1]]] = True
    return first
