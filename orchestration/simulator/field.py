"""The field: how the people in the branches work the lists that the platform publishes.

Here: the order book from list to close, the second extraction, assignment within capacities,
attempts, and what is carried from day to day. Not here: the form of the lists (`work_lists.py`),
what a contact does (`responses.py`), what is reported (`field_reports.py`); everybody else lives on
untouched.

The list of day D is worked from D+1. The back office looks at an order again before anybody is
contacted; an order that finds nobody is tried on later days; one that nobody has the time for waits
and is dropped in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator import crm, fatigue, field_reports, responses, work_lists
from orchestration.simulator.feeds import coded
from orchestration.simulator.field_reports import NO_STAFF, Mail, Work
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.randomness import Stream
from orchestration.simulator.responses import Contacts
from orchestration.simulator.state import GONE
from orchestration.simulator.today import Flags, Ints, Today
from orchestration.simulator.work_lists import APP, CHANNELS, DOOR, SMS, Orders, has_begun

__all__ = ["Desk", "answer", "has_begun"]

MOST_ATTEMPTS = 3
GRACE_DAYS = 5  # after the due date an order that was never worked is dropped
_DELAYS = np.array([0.75, 0.92])  # share worked on the first day, by the second; the rest after
_NEGLECTED = 0.02  # lies about until it is overdue
DROP_REASONS = (
    "UNKNOWN_LINE",
    "LEFT",
    "REVIVED",
    "PAID",
    "ON_HOLD",
    "OPTED_OUT",
    "ALREADY_CONTACTED",
    "NO_CAPACITY",
)
(UNKNOWN_LINE, LEFT, REVIVED, PAID, ON_HOLD, OPTED_OUT, ALREADY_CONTACTED, NO_CAPACITY) = range(8)
_KEPT = -1

# Seconds of the day at which the back office moves orders on.
_CREATED, _DISPATCHED, _RECHECKED = 27_000, 28_800, 30_000
_DROPPED, _ESCALATED, _ASSIGNED, _FIRST_CONTACT = 30_300, 30_600, 31_200, 32_400
_CLOSING = 3_600  # after the contact
_END_OF_DAY = 86_399


@dataclass
class Desk:
    """What the field carries from day to day, and what it told the truth today."""

    open: Orders = field(default_factory=work_lists.no_orders)
    contact_mail: Mail = field(default_factory=lambda: Mail("field_contacts"))
    log_mail: Mail = field(default_factory=lambda: Mail("field_retention_log"))
    follow_ups: pa.Table = field(default_factory=field_reports.FOLLOW_UP_SCHEMA.empty_table)
    watched: pa.Table = field(default_factory=field_reports.WATCH_SCHEMA.empty_table)
    faults: pa.Table = field(default_factory=field_reports.FAULT_SCHEMA.empty_table)
    contacts: pa.Table = field(default_factory=field_reports.CONTACT_TRUTH_SCHEMA.empty_table)

    def packed(self) -> dict[str, npt.NDArray[np.uint8]]:
        """What has to be kept, by name."""
        return {
            "field_orders": _packed(self.open.to_table()),
            "field_contact_mail": _packed(self.contact_mail.rows),
            "field_log_mail": _packed(self.log_mail.rows),
            "field_follow_ups": _packed(self.follow_ups),
            "field_watched": _packed(self.watched),
        }

    @classmethod
    def unpacked(cls, kept: Mapping[str, npt.NDArray[np.uint8]]) -> Desk:
        desk = cls(
            open=Orders.from_table(_unpacked(kept["field_orders"])),
            follow_ups=_unpacked(kept["field_follow_ups"]),
            watched=_unpacked(kept["field_watched"]),
        )
        desk.contact_mail.rows = _unpacked(kept["field_contact_mail"])
        desk.log_mail.rows = _unpacked(kept["field_log_mail"])
        return desk


def _packed(rows: pa.Table) -> npt.NDArray[np.uint8]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _unpacked(data: npt.NDArray[np.uint8]) -> pa.Table:
    return pa.ipc.open_stream(data.tobytes()).read_all()


def answer(today: Today, published: Path | None, desk: Desk) -> None:
    """Work what is to be worked today."""
    _take_in(today, work_lists.read(today, published), desk)
    desk.follow_ups = field_reports.ask_follow_ups(today, desk.follow_ups)
    revived, desk.watched = field_reports.come_back(today, desk.watched)
    work = _work(today, desk) if len(desk.open) else None
    faults = [field_reports.FAULT_SCHEMA.empty_table()]
    desk.contacts = field_reports.CONTACT_TRUTH_SCHEMA.empty_table()
    if work is not None:
        faults.append(field_reports.deliver_contacts(today, work, desk.contact_mail))
        desk.contacts = field_reports.contact_truth(today, work)
        planned = field_reports.plan_follow_ups(today, work)
        desk.follow_ups = pa.concat_tables([desk.follow_ups, planned])
        desk.watched = field_reports.watch(today, work, desk.watched)
    faults.append(field_reports.write_logs(today, work, revived, desk.log_mail))
    desk.faults = pa.concat_tables(faults)
    desk.contact_mail.deliver(today)
    desk.log_mail.deliver(today)


def _take_in(today: Today, listed: Orders, desk: Desk) -> None:
    """New orders arrive in the morning; those for lines that nobody knows go back at once."""
    if not len(listed):
        return
    known_already = pc.is_in(listed.work_order_ids, value_set=desk.open.work_order_ids)
    listed = listed.take(np.flatnonzero(~known_already.to_numpy(zero_copy_only=False)))
    field_reports.deliver_events(today, listed, "CREATED", today.midnight + _CREATED)
    field_reports.deliver_events(today, listed, "DISPATCHED", today.midnight + _DISPATCHED)
    unknown = listed.take(np.flatnonzero(listed.slots < 0))
    _drop(today, unknown, np.full(len(unknown), UNKNOWN_LINE))
    ours = listed.take(np.flatnonzero(listed.slots >= 0))
    u = today.uniform(Stream.FIELD, "delay", "neglect")
    delay = np.searchsorted(_DELAYS, u["delay"][ours.slots])
    neglected = u["neglect"][ours.slots] < _NEGLECTED
    next_days = np.where(neglected, ours.due_days + 1, today.day + delay)
    desk.open = Orders.joined([desk.open, replace(ours, next_days=next_days)])


def _drop(today: Today, orders: Orders, reasons: Ints) -> None:
    field_reports.deliver_events(
        today,
        orders,
        "DROPPED",
        today.midnight + _DROPPED,
        drop_reason=coded(reasons, DROP_REASONS),
    )


def _work(today: Today, desk: Desk) -> Work | None:
    """Look at the orders due again, contact whom the staff has time for, and plan the rest."""
    orders, day = desk.open, today.day
    due = orders.next_days <= day
    reasons, is_rechecked = _extract_again(today, orders, due)
    anew = np.flatnonzero(is_rechecked & ((orders.is_rechecked == 0) | (reasons != _KEPT)))
    field_reports.deliver_events(
        today, orders.take(anew), "RE_EXTRACTED", today.midnight + _RECHECKED
    )
    dropped = np.flatnonzero(reasons != _KEPT)
    _drop(today, orders.take(dropped), reasons[dropped])
    orders = replace(orders, is_rechecked=np.maximum(orders.is_rechecked, is_rechecked))

    kept = np.flatnonzero(reasons == _KEPT)
    orders = _escalate(today, orders.take(kept))
    chosen = _one_a_person(orders, np.flatnonzero(orders.next_days <= day))
    staff, has_time = _assign(today, orders, chosen)
    rows, staff = chosen[has_time], staff[has_time]
    # Who is not worked today stands first in the morning.
    orders = replace(orders, next_days=np.maximum(orders.next_days, day + 1))
    if not len(rows):
        desk.open = orders
        return None
    first_time = orders.is_assigned[rows] == 0
    field_reports.deliver_events(
        today,
        orders.take(rows[first_time]),
        "ASSIGNED",
        today.midnight + _ASSIGNED,
        staff[first_time],
    )
    work = _contact(today, orders.take(rows), staff)
    is_over = _move_on(today, work)
    attempts, assigned = orders.attempts.copy(), orders.is_assigned.copy()
    next_days = orders.next_days.copy()
    next_days[rows] += attempts[rows]  # tomorrow after the first, the day after that the next time
    attempts[rows] += 1
    assigned[rows] = 1
    still_open = np.ones(len(orders), dtype=bool)
    still_open[rows] = ~is_over
    orders = replace(orders, attempts=attempts, is_assigned=assigned, next_days=next_days)
    desk.open = orders.take(np.flatnonzero(still_open))
    return work


def _extract_again(today: Today, orders: Orders, due: Flags) -> tuple[Ints, Flags]:
    """Second extraction: why each order is dropped (or _KEPT), and which were looked at again.

    Orders about suspended or unpaid lines are looked at, and all for lines that have changed.
    """
    state, slots = today.state, orders.slots
    status = state.status[slots].astype(np.int64)
    has_changed = status != orders.listed_status
    about_payment = orders.is_about_payment == 1
    was_suspended = np.isin(orders.listed_status, (cat.ONE_WAY, cat.TWO_WAY))
    held = np.isin(state.reason[slots], (cat.FRAUD, cat.LOST_SIM)) & (status != cat.ACTIVE)
    opted_out = (state.opted_out[slots] >> orders.channels) & 1 == 1
    new = orders.attempts == 0
    reasons = np.select(
        [
            has_changed & (status == cat.DEACTIVATED),
            about_payment & was_suspended & (status == cat.ACTIVE),
            about_payment & (orders.was_in_debt == 1) & ~work_lists.is_in_debt(today, slots),
            has_changed & held,
            (orders.is_marketing == 1) & opted_out,
            new & (state.spoken_day[slots] > orders.list_days),
        ],
        [LEFT, REVIVED, PAID, ON_HOLD, OPTED_OUT, ALREADY_CONTACTED],
        _KEPT,
    )
    is_rechecked = due & (about_payment | has_changed | (reasons != _KEPT))
    too_late = new & (today.day > orders.due_days + GRACE_DAYS)
    reasons = np.where((reasons == _KEPT) & too_late, NO_CAPACITY, reasons)
    return np.where(due, reasons, _KEPT).astype(np.int64), is_rechecked


def _escalate(today: Today, orders: Orders) -> Orders:
    """What is overdue goes up, once."""
    overdue = (today.day > orders.due_days) & (orders.is_escalated == 0)
    field_reports.deliver_events(
        today, orders.take(np.flatnonzero(overdue)), "ESCALATED", today.midnight + _ESCALATED
    )
    return replace(orders, is_escalated=np.maximum(orders.is_escalated, overdue))


def _one_a_person(orders: Orders, due: Ints) -> Ints:
    """The rows to work today, most urgent first; another order of a person waits for tomorrow."""
    urgency = (-orders.is_escalated[due], -orders.attempts[due], orders.ranks[due])
    by_urgency = due[np.lexsort((due, *reversed(urgency)))]
    _, first = np.unique(orders.slots[by_urgency], return_index=True)
    return by_urgency[np.sort(first)]


def _assign(today: Today, orders: Orders, rows: Ints) -> tuple[Ints, Flags]:
    """Who works each row, and whether anybody has the time; texts need nobody."""
    staff = np.full(len(rows), NO_STAFF)
    has_time = np.isin(orders.channels[rows], (SMS, APP))
    if not len(rows):
        return staff, has_time
    tree = today.world.organisation
    branches = today.world.people.branch[orders.slots[rows]]
    visiting = orders.channels[rows] == DOOR
    calls = np.array([member.calls for member in tree.staff])
    visits = np.array([member.visits for member in tree.staff])
    pools = _pools(today)
    lead = tree.staff_of(branches, orders.roles[rows])
    manager = tree.staff_of(branches, np.full(len(rows), ROLES.index("ACCOUNT_MANAGER")))
    for kind, capacity in ((visiting, visits), (~visiting & ~has_time, calls)):
        mine = np.flatnonzero(kind)
        able = np.bincount(pools, weights=capacity)
        # Where the role cannot do it the account managers do.
        pool = np.where(able[pools[lead[mine]]] > 0, pools[lead[mine]], pools[manager[mine]])
        staff[mine] = _share_out(pool, pools, capacity)
        has_time[mine] = staff[mine] != NO_STAFF
    return staff, has_time


def _pools(today: Today) -> Ints:
    """Number of the group of staff, of one unit and role, of each member."""
    numbers: dict[tuple[str, int], int] = {}
    members = today.world.organisation.staff
    return np.array([numbers.setdefault((m.org_id, m.role), len(numbers)) for m in members])


def _share_out(wanted: Ints, pools: Ints, capacity: Ints) -> Ints:
    """Member for each piece of work, given the pool that does it; NO_STAFF where it is full.

    The members of a pool take turns, each until the day is full; earlier pieces go first.
    """
    member = np.repeat(np.arange(len(pools)), capacity)
    starts = np.cumsum(capacity) - capacity
    turn = np.arange(len(member)) - np.repeat(starts, capacity)
    order = np.lexsort((member, turn, pools[member]))
    member = member[order]
    size = np.bincount(pools, weights=capacity).astype(np.int64)
    pool_start = np.cumsum(size) - size

    by_pool = np.argsort(wanted, kind="stable")
    in_order = wanted[by_pool]
    place = np.arange(len(wanted)) - np.searchsorted(in_order, in_order)
    fits = place < size[in_order]
    result = np.full(len(wanted), NO_STAFF)
    result[by_pool[fits]] = member[(pool_start[in_order] + place)[fits]]
    return result


def _contact(today: Today, orders: Orders, staff: Ints) -> Work:
    """The contacts of the day, each of another person, and what they do."""
    state, slots = today.state, orders.slots
    u = today.uniform(Stream.FIELD_CONTACTS, "reach", "mood", "busy", "at")
    contacts = Contacts(
        slots=slots,
        families=orders.families,
        channels=orders.channels,
        is_marketing=orders.is_marketing,
        is_last_attempt=orders.attempts + 1 >= MOST_ATTEMPTS,
        causes=responses.current_cause(today, slots),
        recent=fatigue.recent_contacts(state, slots, today.day),
    )
    outcomes = responses.outcomes(today, contacts, u)
    effects = responses.effects(today.world.people, contacts, outcomes)
    effects = np.where(state.stage[slots] == GONE, 1.0, effects)
    stages = state.stage[slots].astype(np.int64)
    seconds = np.maximum(today.at(u["at"], 9.0, 19.5)[slots], today.midnight + _FIRST_CONTACT)
    accepted = outcomes == responses.ACCEPTED
    costs = np.array([family.cost_fen for family in cat.FAMILIES])
    is_won_back = responses.react(today, contacts, outcomes, effects)
    work = Work(
        stamp=today.stamp,
        orders=orders,
        causes=contacts.causes,
        outcomes=outcomes,
        staff=staff,
        seconds=seconds,
        concessions=np.where(accepted, costs[orders.families], 0),
        recent=contacts.recent,
        effects=effects,
        is_won_back=is_won_back,
        stages=stages,
    )
    state.spoken_day[slots[work.is_any(responses.TALKS)]] = today.day
    responses.carry_out(today, slots[accepted], orders.families[accepted], u)
    opt_out(today, slots, orders.channels, seconds, outcomes == responses.OPT_OUT)
    return work


def opt_out(today: Today, slots: Ints, channels: Ints, seconds: Ints, flags: Flags) -> None:
    """Take back the consent to marketing by the channel."""
    for index, channel in enumerate(CHANNELS):
        out = flags & (channels == index)
        crm.withdraw_consent(today, slots[out], channel, seconds[out])


def _move_on(today: Today, work: Work) -> Flags:
    """Report where the orders stand after the contact; which of them are over."""
    orders, day_end = work.orders, today.midnight + _END_OF_DAY
    is_visit = orders.channels == DOOR
    through = work.is_any(responses.GETS_THROUGH)
    visited, contacted = np.flatnonzero(is_visit), np.flatnonzero(~is_visit & through)
    field_reports.deliver_events(
        today,
        orders.take(visited),
        "VISITED",
        work.seconds[visited],
        work.staff[visited],
        evidence_ref=field_reports.evidence(today, orders.take(visited)),
    )
    field_reports.deliver_events(
        today,
        orders.take(contacted),
        "CONTACTED",
        work.seconds[contacted],
        work.staff[contacted],
    )
    again = work.is_any((responses.NO_ANSWER, responses.NOT_HOME, responses.CALL_BACK))
    is_over = ~again | (orders.attempts + 1 >= MOST_ATTEMPTS)
    over = np.flatnonzero(is_over)
    closed_at = np.minimum(work.seconds[over] + _CLOSING, day_end)
    field_reports.deliver_events(today, orders.take(over), "CLOSED", closed_at, work.staff[over])
    return is_over
