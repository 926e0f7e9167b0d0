"""Whom people call and where they are: month by month.

Here: `usage_call_circle`, `usage_areas`. Not here: how much they call (`usage.py`).

On-net friends are neighbours in a ring of the opening base, so that friendship is mutual; off-net
ones are numbers of their own. Nobody's circle depends on what becomes of the friends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded, joined, padded
from orchestration.simulator.identity import msisdn
from orchestration.simulator.people import VOICE, People
from orchestration.simulator.randomness import Stream, scramble
from orchestration.simulator.ties import NEVER
from orchestration.simulator.today import Ints, Today

_PLACES = 20
_FEW, _FEWEST = 3, 2  # sizes of small circles
_SMALL_SHARE = 8  # one in so many circles is small
_LEAST, _MOST = 10, 20  # sizes of the others
_MOST_OF_OWNERS = 14  # of who has a second handset and calls fewer others from this one
_RING = np.array([1, -1, 2, -2, 5, -5, 11, -11])  # steps to on-net friends, at every other place
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
    base = world.subscribers
    circle = world.people.ties.circle_slot[talkers]
    friends = (circle[:, None] + _RING) % base
    size = _sizes(world.people, circle)
    weights = _weights(today, size, circle, friends)
    shares = _UNLISTED_SHARE * weights / weights.sum(axis=1, keepdims=True)
    out = np.floor(shares * voice_out[:, None]).astype(np.int64)
    into = np.floor(shares * voice_in[:, None]).astype(np.int64)
    row, place = np.nonzero(out + into)
    is_twin = place >= _PLACES  # columns after the circle: one's own or a friend's second number
    is_own = place == _PLACES
    on_net = ~is_twin & (place % 2 == 0) & (place // 2 < len(_RING)) & (base > _LEAST_RING)
    friend = friends[row, np.where(on_net, place // 2, np.maximum(0, place - _PLACES - 1))]
    keys = world.people.keys
    owner = np.where(is_own, talkers[row], friend)
    stranger_key = (
        scramble(keys[circle[row]] * 3 + 1) % np.uint64(10**8)
        + (place * 10_472_903).astype(np.uint64)
    ) % np.uint64(10**8)
    twin_key = scramble(keys[owner] * 3 + 2) % np.uint64(10**8)
    number = np.where(is_twin, twin_key, stranger_key).astype(np.int64)
    operator = np.where(is_twin, twin_operator(keys[owner]), place % len(cat.COMPETITORS))
    mask = pa.array(on_net)
    today.outbox.add(
        "usage_call_circle",
        len(row),
        {
            "subscriber_id": today.ids(talkers[row]),
            "month": month,
            "counterparty_msisdn": pc.if_else(
                mask, msisdn(keys[friend]), outside_number(operator, number)
            ),
            "counterparty_operator": pc.if_else(
                mask, pa.scalar(cat.BRANDS[0]), coded(operator, cat.COMPETITORS)
            ),
            "minutes_out": out[row, place],
            "minutes_in": into[row, place],
            "is_onnet": on_net,
        },
    )


def outside_number(operator: Ints, number: Ints) -> pa.Array:
    """A competitor's number: a prefix of the operator and eight digits."""
    return joined("18", coded(operator, ("0", "5", "9")), padded(number, 8))


def twin_operator(keys: Ints) -> Ints:
    """Whose number the second handset has (index of the competitor)."""
    return (scramble(keys * 3) % np.uint64(len(cat.COMPETITORS))).astype(np.int64)


def twin_number(keys: Ints) -> pa.Array:
    """The number of the second handset of the owners."""
    number = (scramble(keys * 3 + 2) % np.uint64(10**8)).astype(np.int64)
    return outside_number(twin_operator(keys), number)


def _sizes(people: People, circle: Ints) -> Ints:
    mixed = scramble(people.keys[circle])
    spread = (mixed % np.uint64(_MOST - _LEAST + 1)).astype(np.int64)
    is_small = (mixed >> np.uint64(20)) % np.uint64(_SMALL_SHARE) == 0
    few = _FEWEST + (spread % (_FEW - _FEWEST + 1))
    owner = people.twins.tops_the_circle | people.twins.shares_the_circle
    most = np.where(owner[circle] & (people.twins.since[circle] < NEVER), _MOST_OF_OWNERS, _MOST)
    usual = np.minimum(_LEAST + spread, most)
    return np.where(is_small & ~owner[circle], few, usual)


def _weights(today: Today, size: Ints, circle: Ints, friends: Ints) -> npt.NDArray[np.float64]:
    """Weight of each place of the circle, then of one's own second number and of the friends'."""
    world = today.world
    twins = world.people.twins
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
    month_began = today.day - today.date.day - 15  # the second handset was there for half a month
    has_twin = twins.since <= month_began
    least, spread = _TOP_SHARE
    top = least + spread * (world.people.keys[circle] % 97) / 97
    tops = (has_twin & twins.tops_the_circle)[circle]
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
