"""Contacts with competitors that our network sees.

Here: `usage_competitor_contacts`: calls to and from their hotlines, queries for porting, call
forwards and their ends. Not here: calls to people in other networks (`usage.py`). Content people
do all of it now and then: a contact alone proves nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator.circles import twin_number, twin_operator
from orchestration.simulator.feeds import coded, joined, padded
from orchestration.simulator.randomness import Floats, Stream, scramble
from orchestration.simulator.state import CONTENT, GONE, LONG_AGO, NEVER
from orchestration.simulator.today import Ints, Today

KINDS = (
    "HOTLINE_OUT",
    "HOTLINE_IN",
    "PORTABILITY_QUERY",
    "CALL_FORWARD_ON",
    "CALL_FORWARD_OFF",
)
FORWARD_TYPES = ("CFU", "CFB", "CFNRY", "CFNRC")
_ON, _OFF = KINDS.index("CALL_FORWARD_ON"), KINDS.index("CALL_FORWARD_OFF")
# Daily chances of a content person, and on top for who thinks of leaving. (An end of a forward
# that never began: it was set in another network or before we counted.)
_BASE = np.array([0.0013, 0.0008, 0.00012, 0.00022, 0.00003])
_MORE = np.array([0.0120, 0.0060, 0.0055, 0.0030, 0.0])
# Who is drawn away looks at competitors more often than who is driven away.
_TEMPTED = [cat.CAUSE[cause] for cause in ("COMPETITOR_OFFER", "SOCIAL_CIRCLE", "CONTRACT_END")]
_TEMPTED_MORE, _OTHERS_MORE = 1.8, 0.6
_MOST_A_DAY, _MOST_CONTENT_A_DAY = 0.2, 0.02  # whatever the exposure
_UNKNOWN_COMPETITOR = np.array([0.02, 0.04, 0.30, 0.15, 0.15])  # by kind
_TYPE_EDGES = np.array([0.55, 0.70, 0.90])  # cumulative shares of the forward types
_TYPE_UNKNOWN = 0.03
# How long a forward stays: ends on the same day, within weeks, within months, or never.
_STAYS_EDGES = np.array([0.12, 0.60, 0.85])
_WEEKS_DAYS, _MONTHS_DAYS = (1, 20), (30, 170)
_FORWARDED_FROM, _FORWARDED_WITHIN = 9 * 3600, 12 * 3600  # seconds of the day
_NUMBER_BLOCKS = ("180", "185", "189")  # by competitor
_LANDLINE_BLOCK = "057"


def live(today: Today, u: Floats) -> None:
    """The day's contacts, and the ends of forwards."""
    state, people, day = today.state, today.world.people, today.day
    able = today.is_living & (state.status == cat.ACTIVE)
    thinking = (state.stage > CONTENT) & (state.stage < GONE)
    candidates = np.flatnonzero(able & (u < np.where(thinking, _MOST_A_DAY, _MOST_CONTENT_A_DAY)))
    tempted = np.isin(state.cause[candidates], _TEMPTED)
    more = np.where(thinking[candidates], np.where(tempted, _TEMPTED_MORE, _OTHERS_MORE), 0.0)
    draw = np.exp(0.5 * people.competitor_exposure[candidates] - 0.12)
    edges = ((_BASE[:, None] + _MORE[:, None] * more) * draw).cumsum(axis=0)
    kind = (u[candidates] >= edges).sum(axis=0)
    # Only one forward at a time, and only what is not in force can end without a beginning.
    in_force = state.forward_off_day[candidates] >= day
    chosen = (kind < len(KINDS)) & ~(in_force & ((kind == _ON) | (kind == _OFF)))
    slots, kind = candidates[chosen], kind[chosen]
    names = ("at", "who", "known", "type", "stays", "days", "off_at")
    v = today.world.draws.few(Stream.RIVALS, day, slots, names)
    competitor = (v["who"] * len(cat.COMPETITORS)).astype(np.int64)
    competitor = np.where(v["known"] < _UNKNOWN_COMPETITOR[kind], -1, competitor)
    of_type = np.searchsorted(_TYPE_EDGES, v["type"], side="right")
    of_type = np.where(v["type"] * 100 % 1 < _TYPE_UNKNOWN, -1, of_type)
    seconds = today.at(v["at"])
    on = kind == _ON
    new = slots[on]
    state.forward_kind[new] = np.stack([of_type[on], competitor[on]], axis=1)
    state.forward_off_day[new] = _off_day(day, v["stays"][on], v["days"][on])
    _deliver(today, slots, "CC", kind, seconds, competitor, of_type)

    ending = np.flatnonzero(today.is_living & (state.forward_off_day == day))
    off_at = today.world.draws.few(Stream.RIVALS, day, ending, ("at", "off_at"))
    begun = today.at(off_at["at"])
    is_new = np.isin(ending, new)
    within = np.where(is_new, today.at(off_at["off_at"], 22.0, 23.5), begun)
    known = state.forward_kind[ending].astype(np.int64)
    _deliver(today, ending, "CE", np.full(len(ending), _OFF), within, known[:, 1], known[:, 0])
    state.forward_off_day[ending] = LONG_AGO


def forward_to_second_handsets(today: Today) -> None:
    """Owners of a second handset whose day it is let calls go there from now on."""
    people = today.world.people
    is_day = today.is_living & (today.state.status == cat.ACTIVE)
    slots = np.flatnonzero(is_day & (people.twins.forward_day == today.day))
    keys = people.keys[slots]
    at = (
        today.midnight
        + _FORWARDED_FROM
        + (scramble(keys) % np.uint64(_FORWARDED_WITHIN)).astype(np.int64)
    )
    forward(today, slots, "CALL_FORWARD_ON", at, twin_operator(keys), twin_number(keys))


def forward(
    today: Today,
    slots: Ints,
    kind: str,
    seconds: Ints,
    competitor: Ints,
    numbers: pa.Array | None = None,
) -> None:
    """Deliver that forwards of the slots begin or end (`kind` is CALL_FORWARD_ON or _OFF).

    `competitor` is an index into the catalogue, -1 for unknown; `numbers` are where the calls go
    (one number a line by default). The forward type belongs to the
    slot, so that an end fits its beginning. At most one of each kind a slot and day; forwards that
    come from here are not those of the state and end only from here.
    """
    of_type = (scramble(slots * 5 + 3) % np.uint64(2)).astype(np.int64)  # CFU or CFB
    prefix = "CG" if kind == "CALL_FORWARD_ON" else "CH"
    kinds = np.full(len(slots), KINDS.index(kind))
    _deliver(today, slots, prefix, kinds, seconds, competitor, of_type, numbers)


def _off_day(day: int, stays: Floats, u: Floats) -> Ints:
    def within(least: int, more: int) -> Ints:
        return least + (u * more).astype(np.int64)

    length = np.searchsorted(_STAYS_EDGES, stays, side="right")
    days = np.choose(
        np.minimum(length, 2), [0 * stays, within(*_WEEKS_DAYS), within(*_MONTHS_DAYS)]
    )
    return np.where(length == len(_STAYS_EDGES), NEVER, day + days.astype(np.int64))


def _deliver(
    today: Today,
    slots: Ints,
    prefix: str,
    kind: Ints,
    seconds: Ints,
    competitor: Ints,
    of_type: Ints,
    numbers: pa.Array | None = None,
) -> None:
    if not len(slots):
        return
    is_forward = kind >= _ON
    # One other number a line and competitor.
    number = (scramble(today.world.people.keys[slots] * 5 + 2) % np.uint64(10**8)).astype(np.int64)
    blocks = coded(
        np.where(competitor < 0, len(_NUMBER_BLOCKS), competitor),
        (*_NUMBER_BLOCKS, _LANDLINE_BLOCK),
    )
    if numbers is None:
        numbers = joined(blocks, padded(number, 8))
    target = pc.if_else(pa.array(is_forward), numbers, pa.scalar(None, pa.string()))
    today.outbox.add(
        "usage_competitor_contacts",
        len(slots),
        {
            "event_id": today.event_ids(prefix, slots),
            "subscriber_id": today.ids(slots),
            "at": seconds,
            "kind": coded(kind, KINDS),
            "forward_type": coded(
                np.maximum(of_type, 0), FORWARD_TYPES, ~is_forward | (of_type < 0)
            ),
            "forward_to_msisdn": target,
            "competitor": coded(np.maximum(competitor, 0), cat.COMPETITORS, competitor < 0),
        },
    )
