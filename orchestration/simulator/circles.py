"""Whom people call and where they are: month by month.

Here: `usage_call_circle`, `usage_areas`. Not here: how much they call (`usage.py`).

On-net friends are neighbours in a ring of the opening base, so that friendship is mutual; off-net
ones are numbers of their own. Who shares friends between two handsets has close friends besides,
who call both numbers. Nobody's circle depends on what becomes of the friends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded, joined, padded
from orchestration.simulator.identity import msisdn
from orchestration.simulator.people import VOICE
from orchestration.simulator.randomness import Stream, scramble
from orchestration.simulator.ties import NOBODY, has_small_circle
from orchestration.simulator.today import Flags, Ints, Today, World

_PLACES = 20
_FEW, _FEWEST = 3, 2  # sizes of small circles
_LEAST, _MOST = 10, 20  # sizes of the others
_RING = np.array([1, -1, 2, -2, 5, -5, 11, -11])  # steps to on-net friends, at every other place
# Friends of who has a second handset and of its number: steady people, at all other places.
_CLOSE_PLACES = np.array([1, 3, 5, 7, 9, 11, 13, 15, 16, 17, 18, 19])
_CLOSE_FRIENDS = len(_CLOSE_PLACES)
_CLOSE_SHARE = 0.015  # of a close friend's minutes with each of the two numbers
_MOST_CLOSE_SHARE = 0.06  # and with all of them, beside the circle
_LEAST_CALLS_OF_FRIENDS = 0.5  # a day
_HALF_A_MONTH = 15  # days
_LEAST_RING = 40  # a base too small for the ring has off-net friends only
_UNLISTED_SHARE = 0.92  # of the minutes is with the circle
_TOP_SHARE = (0.34, 0.12)  # of the minutes with one's own second number: least, spread
_FRIENDS_TOP_SHARE = 0.05  # of a friend's minutes with that number
_AREAS_A_BRANCH = 150
_DAYS_AT_HOME, _DAYS_AT_WORK = 20, 12


def deliver(today: Today, month: str, voice_out: Ints, voice_in: Ints) -> None:
    """The closed month's top counterparties by minutes, and areas; minutes by slot, hundredths."""
    if today.outbox.is_closed:
        return
    people = today.world.people
    talkers = np.flatnonzero(
        (voice_out + voice_in > 0) & today.is_present & (people.line_class == VOICE)
    )
    _deliver_circle(today, month, talkers, voice_out[talkers], voice_in[talkers])
    _deliver_areas(today, month, talkers)


def _deliver_circle(
    today: Today, month: str, talkers: Ints, voice_out: Ints, voice_in: Ints
) -> None:
    world = today.world
    base, keys = world.subscribers, world.people.keys
    circle = world.people.ties.circle_slot[talkers]
    friends = (circle[:, None] + _RING) % base
    shares = _has_twin(today) & world.people.twins.shares_the_circle
    # Friends stay when the number changes, unless the new number's second handset has its own.
    host = np.where(shares[talkers], talkers, circle)
    owner = np.flatnonzero(shares[host])
    close = close_friends(world, host[owner])
    # No number twice: the ring may be that of another line than the close friends are.
    in_ring = (close[:, :, None] == friends[owner][:, None, :]).any(axis=2)
    close = np.where(in_ring, NOBODY, close)
    members = np.full((len(talkers), _PLACES), NOBODY, dtype=np.int64)
    if base > _LEAST_RING:
        members[:, : 2 * len(_RING) : 2] = friends
    members[owner[:, None], _CLOSE_PLACES] = close
    tops = _has_twin(today) & world.people.twins.tops_the_circle
    size = _sizes(keys[circle], tops[talkers])
    size[owner] = _PLACES
    weights = _weights(today, size, talkers, circle, friends)
    part = _UNLISTED_SHARE * weights / weights.sum(axis=1, keepdims=True)
    out = np.floor(part * voice_out[:, None]).astype(np.int64)
    into = np.floor(part * voice_in[:, None]).astype(np.int64)
    row, place = np.nonzero(out + into)
    is_twin = place >= _PLACES  # columns after the circle: one's own or a friend's second number
    is_own = place == _PLACES
    member = members[row, np.minimum(place, _PLACES - 1)]
    on_net = ~is_twin & (member != NOBODY)
    friend = np.where(on_net, member, friends[row, np.maximum(0, place - _PLACES - 1)])
    whose = np.where(is_own, talkers[row], friend)
    stranger_key = (
        scramble(keys[circle[row]] * 3 + 1) % np.uint64(10**8)
        + (place * 10_472_903).astype(np.uint64)
    ) % np.uint64(10**8)
    operator = np.where(is_twin, twin_operator(keys[whose]), place % len(cat.COMPETITORS))
    number = np.where(is_twin, _twin_digits(keys[whose]), stranger_key.astype(np.int64))
    _add(
        today,
        month,
        talkers[row],
        pc.if_else(pa.array(on_net), msisdn(keys[friend]), outside_number(operator, number)),
        operator,
        on_net,
        out[row, place],
        into[row, place],
    )
    _deliver_close_friends(today, month, talkers, circle, shares, voice_out, voice_in)


def _deliver_close_friends(
    today: Today,
    month: str,
    talkers: Ints,
    circle: Ints,
    shares: Flags,
    voice_out: Ints,
    voice_in: Ints,
) -> None:
    """Close friends call both numbers of who has a second handset."""
    world, keys = today.world, today.world.people.keys
    owners = np.flatnonzero(shares & today.is_present)
    close = close_friends(world, owners)
    friend, owner = close.ravel(), np.repeat(owners, _CLOSE_FRIENDS)
    # Whoever has a second handset too has enough of own friends.
    calls = (friend != NOBODY) & ~shares[friend]
    friend, owner = friend[calls], owner[calls]
    if not len(friend):
        return
    # Whoever has the circle of a close friend: mostly the friend, or the friend's new number.
    order = np.argsort(circle, kind="stable")
    first = np.searchsorted(circle[order], friend, side="left")
    found = np.searchsorted(circle[order], friend, side="right") - first
    pair = np.repeat(np.arange(len(friend)), found)
    place = np.arange(found.sum()) - np.repeat(found.cumsum() - found, found)
    row, owner = order[first[pair] + place], owner[pair]
    calls = ~shares[talkers[row]]
    row, owner = row[calls], owner[calls]
    listed = np.bincount(row, minlength=len(talkers))[row] * 2
    part = np.minimum(_CLOSE_SHARE, _MOST_CLOSE_SHARE / listed)
    for is_second in (False, True):
        out = np.floor(part * voice_out[row]).astype(np.int64)
        into = np.floor(part * voice_in[row]).astype(np.int64)
        kept = out + into > 0
        whose, talker = keys[owner[kept]], talkers[row[kept]]
        _add(
            today,
            month,
            talker,
            twin_number(whose) if is_second else msisdn(whose),
            twin_operator(whose),
            np.full(len(talker), not is_second),
            out[kept],
            into[kept],
        )


def _add(
    today: Today,
    month: str,
    slots: Ints,
    numbers: pa.Array,
    operator: Ints,
    on_net: Flags,
    out: Ints,
    into: Ints,
) -> None:
    today.outbox.add(
        "usage_call_circle",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "month": month,
            "counterparty_msisdn": numbers,
            "counterparty_operator": pc.if_else(
                pa.array(on_net), pa.scalar(cat.BRANDS[0]), coded(operator, cat.COMPETITORS)
            ),
            "minutes_out": out,
            "minutes_in": into,
            "is_onnet": on_net,
        },
    )


def close_friends(world: World, slots: Ints) -> Ints:
    """Whom people with a second handset and their second number are close to, (slots, friends).

    Steady people of the opening base who talk enough, so that most are there for years; NOBODY
    where it would be the person or a friend of the ring.
    """
    people, base = world.people, world.subscribers
    steady = people.ties.is_steady[:base] & (people.calls_a_day[:base] >= _LEAST_CALLS_OF_FRIENDS)
    pool = np.flatnonzero(steady & ~has_small_circle(people.keys[:base]))
    if len(pool) < _CLOSE_FRIENDS:
        return np.full((len(slots), _CLOSE_FRIENDS), NOBODY, dtype=np.int64)
    keys = people.keys[slots]
    start = (scramble(keys * 11 + 1) % np.uint64(len(pool))).astype(np.int64)
    steps = len(pool) // _CLOSE_FRIENDS
    step = 1 + (scramble(keys * 11 + 2) % np.uint64(steps)).astype(np.int64)
    close = pool[(start[:, None] + step[:, None] * np.arange(_CLOSE_FRIENDS)) % len(pool)]
    known = close == slots[:, None]
    for place in _RING:
        known |= close == ((slots + place) % base)[:, None]
    return np.where(known, NOBODY, close)


def outside_number(operator: Ints, number: Ints) -> pa.Array:
    """A competitor's number: a prefix of the operator and eight digits."""
    return joined("18", coded(operator, ("0", "5", "9")), padded(number, 8))


def twin_operator(keys: Ints) -> Ints:
    """Whose number the second handset has (index of the competitor)."""
    return (scramble(keys * 3) % np.uint64(len(cat.COMPETITORS))).astype(np.int64)


def twin_number(keys: Ints) -> pa.Array:
    """The number of the second handset of the owners."""
    return outside_number(twin_operator(keys), _twin_digits(keys))


def _twin_digits(keys: Ints) -> Ints:
    return (scramble(keys * 3 + 2) % np.uint64(10**8)).astype(np.int64)


def _sizes(keys: Ints, is_never_small: Flags) -> Ints:
    spread = (scramble(keys) % np.uint64(_MOST - _LEAST + 1)).astype(np.int64)
    few = _FEWEST + (spread % (_FEW - _FEWEST + 1))
    return np.where(has_small_circle(keys) & ~is_never_small, few, _LEAST + spread)


def _has_twin(today: Today) -> Flags:
    """Whose second handset was there for half of the closed month."""
    twins: Ints = today.world.people.twins.since
    return twins <= today.day - today.date.day - _HALF_A_MONTH


def _weights(
    today: Today, size: Ints, talkers: Ints, circle: Ints, friends: Ints
) -> npt.NDArray[np.float64]:
    """Weight of each place of the circle, then of one's own second number and of the friends'."""
    world = today.world
    twins, has_twin = world.people.twins, _has_twin(today)
    n = world.people.slots
    z = world.draws.normal(
        Stream.CIRCLE, today.day, n, [f"weight_{place}" for place in range(_PLACES)]
    )
    places = np.arange(_PLACES)
    weights = np.empty((len(size), _PLACES + 1 + len(_RING)), dtype=np.float64)
    for place in places:
        weights[:, place] = np.exp(0.22 * z[f"weight_{place}"][circle]) / (place + 5.0)
    weights[:, :_PLACES][places >= size[:, None]] = 0
    known = weights[:, :_PLACES].sum(axis=1)
    least, spread = _TOP_SHARE
    top = least + spread * (world.people.keys[talkers] % 97) / 97
    tops = (has_twin & twins.tops_the_circle)[talkers]
    weights[:, _PLACES] = np.where(tops, known * top / (1 - top), 0)
    # Friends on-net call the second number too, if they are in each other's circles.
    shares = (has_twin & twins.shares_the_circle)[friends]
    is_listed = 2 * np.arange(len(_RING)) < size[:, None]
    weights[:, _PLACES + 1 :] = np.where(shares & is_listed, known[:, None] * _FRIENDS_TOP_SHARE, 0)
    if world.subscribers <= _LEAST_RING:
        weights[:, _PLACES + 1 :] = 0
    return weights


def _deliver_areas(today: Today, month: str, talkers: Ints) -> None:
    """Where each talker mostly was by night and by day."""
    people, tree = today.world.people, today.world.organisation
    home = people.ties.home_slot[talkers]
    days = (scramble(people.keys[talkers] * 7 + today.day) % np.uint64(10)).astype(np.int64)
    for kind, salt, usual in (("HOME", 0, _DAYS_AT_HOME), ("WORK", 1, _DAYS_AT_WORK)):
        area = (scramble(people.keys[home] * 5 + salt) % np.uint64(_AREAS_A_BRANCH)).astype(
            np.int64
        )
        today.outbox.add(
            "usage_areas",
            len(talkers),
            {
                "subscriber_id": today.ids(talkers),
                "month": month,
                "kind": kind,
                "area_id": joined(
                    coded(people.branch[home], tree.branch_ids), "-", padded(area, 3)
                ),
                "days": np.minimum(28, usual + days),
            },
        )
