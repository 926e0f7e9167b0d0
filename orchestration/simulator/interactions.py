"""Calls and visits to us that are no complaint.

Here: `care_interactions`. Not here: complaints (`complaints.py`).
"""

from __future__ import annotations

import numpy as np

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded
from orchestration.simulator.life import Turns
from orchestration.simulator.organisation import CALL_CENTER, OWN_HALL, ROLES
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.state import CONTENT, GONE
from orchestration.simulator.today import Flags, Ints, Today

REASONS = (
    "PLAN_QUERY",
    "BILL_QUERY",
    "FAULT",
    "OTHER",
    "CANCEL_REQUEST",
    "SUSPEND_REQUEST",
    "PLAN_CHANGE",
    "PORT_OUT_CODE",
)
_FAULT, _CANCEL, _CODE = (REASONS.index(r) for r in ("FAULT", "CANCEL_REQUEST", "PORT_OUT_CODE"))
_REASON_BASE = np.array([0.28, 0.28, 0.14, 0.24, 0.01, 0.02, 0.03, 0.0]).cumsum()
_REASON_THINKING = np.array([0.26, 0.24, 0.08, 0.16, 0.12, 0.04, 0.10, 0.0]).cumsum()
# What brings who thinks of leaving to us, by the cause, in so many of the cases.
_REASON_OF_CAUSE = {
    "PLAN_MISFIT": "PLAN_QUERY",
    "COMPETITOR_OFFER": "PLAN_QUERY",
    "BILL_OPACITY": "BILL_QUERY",
    "UNAUTHORISED_ORDER": "BILL_QUERY",
    "NETWORK_QUALITY": "FAULT",
    "COVERAGE": "FAULT",
    "CONTRACT_END": "PLAN_CHANGE",
}
_CAUSE_REASON = np.array(
    [REASONS.index(_REASON_OF_CAUSE[c]) if c in _REASON_OF_CAUSE else -1 for c in cat.CAUSES]
)
_OF_ITS_CAUSE = 0.45
_OUTCOMES = ("RESOLVED", "TRANSFERRED", "PROCEEDED", "SAVED")
_PORT_OUT, _CLOSED = cat.EXITS.index("PORT_OUT"), cat.EXITS.index("CLOSED")
# Daily chances.
_CONTENT, _THINKING = 0.0022, 0.0090
_OUTAGE = 0.02  # more, at the full level of an outage
_LINE_FAULT = 0.35
# Of those who have decided to go in that way.
_ASKS_FOR_CODE, _ASKS_TO_CLOSE = 0.55, 0.45
_SAVED, _TRANSFERRED = 0.15, 0.12
_BY_PHONE = 0.6
_HANDLERS = np.array([ROLES.index("SALES_REP"), ROLES.index("CALL_AGENT")])


def live(today: Today, turns: Turns, u: Floats, outage: Floats, faulty: Flags) -> None:
    """Who calls or comes today; who has decided asks for the code or the closing."""
    state, people = today.state, today.world.people
    level = _OUTAGE * outage[people.branch] if outage.any() else np.zeros(1, dtype=np.float32)
    stage = state.stage
    usual = np.where((stage > CONTENT) & (stage < GONE), _THINKING, _CONTENT)
    fault = level + _LINE_FAULT * faulty
    able = today.is_living & (state.status <= cat.ONE_WAY)
    leaves = today.is_living & turns.decided
    asks_code = leaves & (state.exit_kind == _PORT_OUT) & (u < _ASKS_FOR_CODE)
    asks_close = leaves & (state.exit_kind == _CLOSED) & (u < _ASKS_TO_CLOSE)
    slots = np.flatnonzero((able & (u < usual + fault)) | asks_code | asks_close)
    reason = _reasons(today, slots)
    reason[u[slots] >= usual[slots]] = _FAULT
    reason[asks_code[slots]] = _CODE
    reason[asks_close[slots]] = _CANCEL
    _deliver(today, slots, reason)


def _reasons(today: Today, slots: Ints) -> Ints:
    """What it is about, apart from faults and goodbyes."""
    v = today.world.draws.few(Stream.INTERACTIONS, today.day, slots, ("reason", "caused"))
    u = v["reason"]
    stage = today.state.stage[slots]
    thinking = (stage > CONTENT) & (stage < GONE)
    caused = _CAUSE_REASON[np.maximum(today.state.cause[slots], 0)]
    is_caused = thinking & (v["caused"] < _OF_ITS_CAUSE) & (caused >= 0)
    reason = np.where(
        thinking,
        np.searchsorted(_REASON_THINKING, u, side="right"),
        np.searchsorted(_REASON_BASE, u, side="right"),
    )
    reason = np.where(is_caused, caused, np.minimum(reason, len(REASONS) - 1))
    return reason.astype(np.int64)


def _deliver(today: Today, slots: Ints, reason: Ints) -> None:
    people, tree = today.world.people, today.world.organisation
    u = today.world.draws.few(
        Stream.INTERACTIONS, today.day, slots, ("at", "outcome", "minutes", "channel", "staff")
    )
    is_goodbye = np.isin(reason, (_CANCEL, _CODE))
    outcome = np.where(is_goodbye, 2 + (u["outcome"] < _SAVED), u["outcome"] < _TRANSFERRED)
    branch = people.branch[slots]
    by_phone = (u["channel"] < _BY_PHONE) & ~is_goodbye
    channel = tree.outlets[branch, np.where(by_phone, CALL_CENTER, OWN_HALL)]
    roles = _HANDLERS[(u["staff"] * len(_HANDLERS)).astype(np.int64)]
    staff = tree.staff_of(branch, roles)
    today.outbox.add(
        "care_interactions",
        len(slots),
        {
            "interaction_id": today.event_ids("CI", slots),
            "subscriber_id": today.ids(slots),
            "at": today.at(u["at"], 9.0, 20.0),
            "channel_id": coded(channel, tree.channel_ids),
            "reason": coded(reason, REASONS),
            "outcome": coded(outcome, _OUTCOMES),
            "staff_id": coded(staff, today.world.staff_ids),
            "duration_seconds": 60 + (u["minutes"] * 900).astype(np.int64),
        },
    )
