"""What customers say and where else they look.

Here: `care_complaints`, `care_interactions`, `usage_competitor_contacts`. Not here: what our own
people ask them (`field.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.life import Turns
from orchestration.simulator.randomness import Floats, Stream, scramble
from orchestration.simulator.state import CONTENT, GONE, VAS
from orchestration.simulator.today import Flags, Ints, Today

_STEPS = ("ACKNOWLEDGED", "ANALYSED", "RESOLVED", "RECORDED", "FOLLOWED_UP")
_CATEGORIES = ("BILLING", "NETWORK", "SERVICE", "UNAUTHORISED_ORDER", "DEVICE", "OTHER")
_CLASSES = ("METHOD", "QUALITY", "ATTITUDE", "METHOD", "QUALITY", "METHOD")
_SEVERITIES = ("MINOR", "NORMAL", "SEVERE")
_SLA_HOURS = np.array([72, 48, 24])
_CONTACT_KINDS = ("HOTLINE_OUT", "HOTLINE_IN", "PORTABILITY_QUERY", "CALL_FORWARD_ON")
# Daily chances of a content person, and on top for who thinks of leaving.
_CONTACT_BASE = np.array([0.0013, 0.0008, 0.00012, 0.00022])
_CONTACT_MORE = np.array([0.0120, 0.0060, 0.0055, 0.0030])
_REASONS = (
    "PLAN_QUERY",
    "BILL_QUERY",
    "FAULT",
    "OTHER",
    "CANCEL_REQUEST",
    "SUSPEND_REQUEST",
    "PLAN_CHANGE",
    "PORT_OUT_CODE",
)
_REASON_BASE = np.array([0.28, 0.28, 0.14, 0.24, 0.01, 0.02, 0.03, 0.0]).cumsum()
_REASON_THINKING = np.array([0.26, 0.24, 0.08, 0.16, 0.12, 0.04, 0.10, 0.0]).cumsum()
_OUTCOMES = ("RESOLVED", "TRANSFERRED", "PROCEEDED", "SAVED")
_PORT_OUT, _CLOSED = cat.EXITS.index("PORT_OUT"), cat.EXITS.index("CLOSED")


def live(today: Today, turns: Turns) -> None:
    """Contacts with competitors, complaints and visits of the day."""
    u = today.uniform(
        Stream.CARE,
        "rival",
        "rival_at",
        "rival_who",
        "complain",
        "category",
        "severity",
        "opened_at",
        "analysed",
        "resolved",
        "satisfaction",
        "visit",
        "visit_reason",
        "visit_at",
        "visit_outcome",
        "visit_length",
    )
    _look_elsewhere(today, u)
    _step_complaints(today, u)
    _complain(today, u)
    _visit(today, u, turns)


def _is_thinking(today: Today) -> Flags:
    stage = today.state.stage
    return (stage > CONTENT) & (stage < GONE)


def _look_elsewhere(today: Today, u: Mapping[str, Floats]) -> None:
    state, people = today.state, today.world.people
    able = today.is_living & (state.status == cat.ACTIVE)
    more = np.where(_is_thinking(today), 1.0, 0.0)
    draw = np.exp(0.5 * people.competitor_exposure - 0.12)
    chances = (_CONTACT_BASE[:, None] + _CONTACT_MORE[:, None] * more) * draw
    edges = chances.cumsum(axis=0)
    kinds = (u["rival"] >= edges).sum(axis=0)
    slots = np.flatnonzero(able & (kinds < len(_CONTACT_KINDS)))
    kind = kinds[slots]
    forwards = kind == _CONTACT_KINDS.index("CALL_FORWARD_ON")
    rival = (u["rival_who"][slots] * len(cat.COMPETITORS)).astype(np.int64)
    target = (scramble(slots * 5 + 2) % np.uint64(10**8)).astype(np.int64)
    forward_type = (u["rival_who"][slots] * 97).astype(np.int64) % 4
    today.outbox.add(
        "usage_competitor_contacts",
        len(slots),
        {
            "event_id": today.event_ids("CC", slots),
            "subscriber_id": today.ids(slots),
            "at": today.at(u["rival_at"])[slots],
            "kind": coded(kind, _CONTACT_KINDS),
            "forward_type": coded(forward_type, ("CFU", "CFU", "CFNRY", "CFB"), ~forwards),
            "forward_to_msisdn": joined(
                coded(np.zeros(len(slots)), ("189",), ~forwards), padded(target, 8)
            ),
            "competitor": coded(rival, cat.COMPETITORS),
        },
    )


def _complain(today: Today, u: Mapping[str, Floats]) -> None:
    """New complaints; one under way a subscriber at most."""
    state, people, day = today.state, today.world.people, today.day
    last_step = state.complaint_second // SECONDS_A_DAY + state.complaint_steps[:, -1]
    able = today.is_living & (last_step < day)
    billing = 0.00020 * np.where(state.overage_fen > 1000, 3.0, 1.0)
    network = 0.00022 * np.exp(0.7 * people.poor_coverage - 0.2)
    service = 0.00022 * np.exp(0.7 * people.dissatisfaction - 0.2)
    order = np.where(state.holding[:, VAS] >= 0, 0.0003, 0.0)
    order = np.where(state.unauthorised_day <= day, 0.1, order)  # found on the bill
    device = 0.00008 * np.exp(0.5 * people.device_age)
    chances = np.stack(
        [billing, network, service, order, device, np.full(people.slots, 0.00012)]
    ) * np.where(_is_thinking(today), 6.0, 1.0)
    edges = chances.cumsum(axis=0)
    new = np.flatnonzero(able & (u["complain"] < edges[-1]))
    category = (u["complain"][new] >= edges[:, new]).sum(axis=0)
    severity = np.searchsorted(np.array([0.3, 0.85]), u["severity"][new])
    analysed = 1 + (u["analysed"][new] * 3).astype(np.int64)
    slow = np.exp(0.5 * people.dissatisfaction[new])
    resolved = analysed + np.minimum(9, (u["resolved"][new] * 5 * slow).astype(np.int64))
    opened = today.at(u["opened_at"], 8.0, 20.0)[new]
    state.complaint_second[new] = opened
    state.complaint_steps[new] = np.stack(
        [np.zeros(len(new)), analysed, resolved, resolved + 1, resolved + 3], axis=1
    )
    state.complaint_kind[new] = np.stack([category, category, severity], axis=1)
    state.grievance_until[new] = day + np.where(resolved > 4, 60, 25) + 10 * severity
    _deliver_step(today, new, "OPENED", opened)


def _step_complaints(today: Today, u: Mapping[str, Floats]) -> None:
    state, day = today.state, today.day
    opened_day = state.complaint_second // SECONDS_A_DAY
    for index, step in enumerate(_STEPS):
        offset = state.complaint_steps[:, index]
        slots = np.flatnonzero(today.is_present & (offset >= 0) & (opened_day + offset == day))
        if index == 0:  # acknowledged at once, handled where the complaint opens
            continue
        at = np.full(len(slots), today.midnight + (9 + 2 * index) * 3600) + slots % 3600
        satisfaction = None
        if step == "FOLLOWED_UP":
            slow = state.complaint_steps[slots, 2] > 4
            satisfaction = np.clip(1 + (u["satisfaction"][slots] * 5).astype(np.int64) - slow, 1, 5)
        _deliver_step(today, slots, step, at, satisfaction)


def _deliver_step(
    today: Today, slots: Ints, step: str, at: Ints, satisfaction: Ints | None = None
) -> None:
    state, people, tree = today.state, today.world.people, today.world.organisation
    category = state.complaint_kind[slots, 0].astype(np.int64)
    severity = state.complaint_kind[slots, 2].astype(np.int64)
    opened = state.complaint_second[slots]
    opened_on = padded(opened // SECONDS_A_DAY, 6)
    numbers = today.world.numbers.take(slots)
    staff = tree.staff_of(people.branch[slots], np.zeros(len(slots), dtype=np.int64))
    columns = {
        "complaint_id": joined("CM", opened_on, numbers),
        "subscriber_id": today.ids(slots),
        "due_at": opened + _SLA_HOURS[severity] * 3600,
        "category": coded(category, _CATEGORIES),
        "cause_class": coded(category, _CLASSES),
        "severity": coded(severity, _SEVERITIES),
        "channel_id": coded(
            people.branch[slots], [tree.hall(branch) for branch in range(tree.branches)]
        ),
    }
    today.outbox.add(
        "care_complaints",
        len(slots),
        {
            **columns,
            "step": step,
            "at": at,
            "staff_id": coded(staff, today.world.staff_ids),
            "satisfaction": satisfaction,
        },
    )
    if step == "OPENED":
        today.outbox.add(
            "care_complaints", len(slots), {**columns, "step": _STEPS[0], "at": at + 1800}
        )


def _visit(today: Today, u: Mapping[str, Floats], turns: Turns) -> None:
    """Calls and visits to us; who has decided asks for the code or the closing."""
    state, people, tree = today.state, today.world.people, today.world.organisation
    able = today.is_living & (state.status <= cat.ONE_WAY)
    thinking = _is_thinking(today)
    goes = able & (u["visit"] < np.where(thinking, 0.0090, 0.0022))
    reason = np.where(
        thinking,
        np.searchsorted(_REASON_THINKING, u["visit_reason"]),
        np.searchsorted(_REASON_BASE, u["visit_reason"]),
    )
    leaves = today.is_living & turns.decided
    asks_code = leaves & (state.exit_kind == _PORT_OUT) & (u["visit"] < 0.55)
    asks_close = leaves & (state.exit_kind == _CLOSED) & (u["visit"] < 0.45)
    reason[asks_code] = _REASONS.index("PORT_OUT_CODE")
    reason[asks_close] = _REASONS.index("CANCEL_REQUEST")
    slots = np.flatnonzero(goes | asks_code | asks_close)
    reasons = np.minimum(reason[slots], len(_REASONS) - 1)
    is_goodbye = np.isin(reasons, (4, 7))
    outcome = np.where(
        is_goodbye,
        2 + (u["visit_outcome"][slots] < 0.15),
        (u["visit_outcome"][slots] < 0.12).astype(np.int64),
    )
    staff = tree.staff_of(people.branch[slots], np.full(len(slots), 3))
    today.outbox.add(
        "care_interactions",
        len(slots),
        {
            "interaction_id": today.event_ids("CI", slots),
            "subscriber_id": today.ids(slots),
            "at": today.at(u["visit_at"], 9.0, 20.0)[slots],
            "channel_id": coded(
                people.branch[slots], [tree.hall(branch) for branch in range(tree.branches)]
            ),
            "reason": coded(reasons, _REASONS),
            "outcome": coded(outcome, _OUTCOMES),
            "staff_id": coded(staff, today.world.staff_ids),
            "duration_seconds": 60 + (u["visit_length"][slots] * 900).astype(np.int64),
        },
    )
