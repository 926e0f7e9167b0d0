"""Where each line stands: departures, suspensions, revivals, removals.

Here: end-of-day statuses with their reasons, and `churn_events`. Not here: why people go
(`life.py`), who owes what (`money.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orchestration.simulator import catalogue as cat
from orchestration.simulator import crm, holdings, life
from orchestration.simulator.feeds import coded
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.state import DECIDED, GONE, NEVER, NO_CAUSE, THINKING
from orchestration.simulator.today import Flags, Ints, Today

PREPAID_TO_TWO_WAY_DAYS = 20
PREPAID_TO_REMOVAL_DAYS = 75
POSTPAID_TO_ONE_WAY_DAYS = 15
POSTPAID_TO_TWO_WAY_DAYS = 30
POSTPAID_TO_REMOVAL_DAYS = 120
FRAUD_TO_REMOVAL_DAYS = 20
_CHURN_KINDS = (
    "PORT_OUT",
    "CLOSED",
    "EXPIRED",
    "ARREARS_REMOVED",
    "FRAUD_REMOVED",
    "OPERATOR_REMOVED",
)
_REASON_OF_KIND = np.array(
    [cat.PORT_OUT, cat.CUSTOMER_REQUEST, cat.EXPIRED, cat.ARREARS, cat.FRAUD, cat.OPERATOR]
)
# A line that the operator bars is mostly cleared, now and then taken out for good.
_OPERATOR_TO_REMOVAL_DAYS = 15
_OUT_OF_MONEY_MEANS_LEAVING_DAYS = 6
_REMOVED = cat.CAUSE["REMOVED"]


def update(today: Today, turns: life.Turns) -> None:
    """Set everybody's status at the end of the day and deliver what changed."""
    state, day = today.state, today.day
    old_status, old_reason = state.status.copy(), state.reason.copy()
    u = today.uniform(Stream.STANDING, "at", "stated", "stated_cause", "competitor")
    leave_kind = np.full(state.slots, -1)
    removals = _removals(today)
    for kind, flags in removals.items():
        leave_kind[flags] = _CHURN_KINDS.index(kind)
    cut_off = _is_cut_off_for_good(today) & (leave_kind < 0)
    exits = (life.exits_today(today) | cut_off) & (leave_kind < 0)
    for kind in ("PORT_OUT", "CLOSED"):
        leave_kind[exits & (state.exit_kind == cat.EXITS.index(kind))] = _CHURN_KINDS.index(kind)
    state.stage[exits] = GONE
    state.left_day[exits] = day
    # Who is cut off has been gone since the suspension began.
    state.left_day[cut_off] = state.spell_day[cut_off]
    # Who falls silent has been gone since the last use: a light user's is a while ago.
    silent = (exits | cut_off) & (state.exit_kind == cat.EXITS.index("SILENT"))
    state.left_day[silent] = np.minimum(state.left_day, state.used_day + 1)[silent]

    _hold(today, turns)
    _follow_money(today)

    leaving = np.flatnonzero(leave_kind >= 0)
    kinds = leave_kind[leaving]
    state.status[leaving] = cat.DEACTIVATED
    state.reason[leaving] = _REASON_OF_KIND[kinds]
    state.removed_day[leaving] = day
    # Who is taken out without having meant to go has been gone since the service stopped.
    unmeant = leaving[state.left_day[leaving] == NEVER]
    since = np.where(
        today.world.people.is_prepaid,
        np.minimum(state.spell_day, state.used_day + 1),
        state.spell_day,
    )
    state.left_day[unmeant] = np.minimum(day, since[unmeant])
    state.exit_kind[unmeant] = np.where(
        today.world.people.is_prepaid[unmeant],
        cat.EXITS.index("SILENT"),
        cat.EXITS.index("UNPAID"),
    )
    state.stage[leaving] = GONE

    changed = np.flatnonzero((state.status != old_status) | (state.reason != old_reason))
    # Systems suspend and revive at night, people come in at opening hours.
    by_person = kinds <= 1
    seconds = today.at(u["at"], 0.5, 6.0)
    seconds[leaving] = np.where(by_person, today.at(u["at"], 9.0, 20.0)[leaving], seconds[leaving])
    state.status_second[changed] = seconds[changed]
    to_active = changed[state.status[changed] == cat.ACTIVE]
    state.spell_day[to_active] = NEVER
    from_active = changed[old_status[changed] == cat.ACTIVE]
    state.spell_day[from_active] = day
    crm.deliver_subscribers(today, changed)
    customer = leaving[by_person]
    holdings.end_all(today, customer, "CUSTOMER")
    holdings.end_all(today, leaving[~by_person], "OPERATOR_REMOVED")
    _deliver_churn(today, leaving, kinds, u)


def _removals(today: Today) -> dict[str, Flags]:
    """Who is taken out today after the time allowed."""
    state, prepaid, day = today.state, today.world.people.is_prepaid, today.day
    inside = today.is_in_network
    suspended = inside & (state.status != cat.ACTIVE)
    unpaid = np.isin(state.reason, (cat.ARREARS, cat.EXPIRED))
    spell = day - state.spell_day
    return {
        "EXPIRED": suspended
        & prepaid
        & unpaid
        & (spell >= PREPAID_TO_REMOVAL_DAYS)
        & ~_is_funded(today),
        "ARREARS_REMOVED": suspended
        & ~prepaid
        & (state.owed_fen > 0)
        & (day - state.due_day >= POSTPAID_TO_REMOVAL_DAYS),
        "FRAUD_REMOVED": suspended & (state.reason == cat.FRAUD) & (spell >= FRAUD_TO_REMOVAL_DAYS),
        "OPERATOR_REMOVED": suspended
        & (state.reason == cat.OPERATOR)
        & (spell >= _OPERATOR_TO_REMOVAL_DAYS),
    }


def _is_cut_off_for_good(today: Today) -> Flags:
    """Who meant to go and is suspended for money: the suspension is the departure.

    A postpaid line whose owner no longer pays goes on until it is suspended; a prepaid one whose
    owner thinks of leaving is not topped up again once it has been without money for some days.
    """
    state, day = today.state, today.day
    suspended = today.is_living & np.isin(state.reason, (cat.ARREARS, cat.EXPIRED))
    suspended &= (state.status == cat.ONE_WAY) | (state.status == cat.TWO_WAY)
    refused = suspended & state.refuses_to_pay
    dry = suspended & today.world.people.is_prepaid & (state.stage >= THINKING)
    dry &= ~_is_funded(today)  # topped up today after all: it revives
    dry &= state.stage_day <= state.spell_day
    dry &= (state.stage == DECIDED) | (day - state.spell_day >= _OUT_OF_MONEY_MEANS_LEAVING_DAYS)
    state.exit_kind[dry] = cat.EXITS.index("SILENT")
    state.exit_kind[refused] = cat.EXITS.index("UNPAID")
    return refused | dry


def _is_funded(today: Today) -> Flags:
    """Prepaid: money and validity left at the start of the day, payments of today included."""
    state = today.state
    return (state.balance_fen >= 0) & (state.valid_until >= today.day)


def _hold(today: Today, turns: life.Turns) -> None:
    """Suspensions that the customer asks for, lost SIMs, fraud; and the end of the first two."""
    state, day = today.state, today.day
    held = np.isin(state.reason, cat.HELD) & today.is_in_network
    over = held & (state.hold_until <= day)
    state.status[over] = cat.ACTIVE
    state.reason[over] = cat.NONE
    for flags, reason in (
        (turns.hold, cat.CUSTOMER_REQUEST),
        (turns.lost_sim, cat.LOST_SIM),
        (turns.real_name, cat.REAL_NAME),
        (turns.operator, cat.OPERATOR),
        (turns.fraud, cat.FRAUD),
    ):
        state.status[flags] = cat.TWO_WAY
        state.reason[flags] = reason
        state.hold_until[flags] = (day + turns.hold_days)[flags]
    state.left_day[turns.fraud] = day
    state.stage[turns.fraud] = GONE
    state.cause[turns.fraud] = _REMOVED
    state.exit_kind[turns.fraud] = cat.EXITS.index("FRAUD_REMOVED")
    # Barred for longer than the limit means removed: known from the first day.
    gone = turns.operator & (turns.hold_days > _OPERATOR_TO_REMOVAL_DAYS)
    state.left_day[gone] = day
    state.stage[gone] = GONE
    state.cause[gone] = _REMOVED
    state.exit_kind[gone] = cat.EXITS.index("OPERATOR_REMOVED")


def _follow_money(today: Today) -> None:
    """Suspend who is out of money or late, revive who paid."""
    state, prepaid, day = today.state, today.world.people.is_prepaid, today.day
    inside = today.is_in_network
    is_active = state.status == cat.ACTIVE
    unpaid = np.isin(state.reason, (cat.ARREARS, cat.EXPIRED)) & ~is_active
    funded = _is_funded(today)
    days_late = np.where(state.owed_fen > 0, day - state.due_day, 0)

    revived = inside & unpaid & np.where(prepaid, funded, state.owed_fen == 0)
    state.status[revived] = cat.ACTIVE
    state.reason[revived] = cat.NONE

    spell = day - state.spell_day
    to_two_way = (
        inside
        & ~revived
        & (state.status == cat.ONE_WAY)
        & np.where(
            prepaid,
            spell >= PREPAID_TO_TWO_WAY_DAYS,
            days_late >= POSTPAID_TO_TWO_WAY_DAYS,
        )
    )
    state.status[to_two_way] = cat.TWO_WAY

    late = np.where(prepaid, ~funded, days_late >= POSTPAID_TO_ONE_WAY_DAYS)
    suspended = inside & is_active & (state.status == cat.ACTIVE) & late & ~revived
    state.status[suspended] = cat.ONE_WAY
    expired = prepaid & (state.balance_fen >= 0)
    state.reason[suspended] = np.where(expired, cat.EXPIRED, cat.ARREARS)[suspended]


def _deliver_churn(today: Today, slots: Ints, kinds: Ints, u: Mapping[str, Floats]) -> None:
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots):
        return
    by_person = kinds <= 1
    other = (u["stated_cause"][slots] * 13).astype(np.int64)
    true_cause = np.maximum(state.cause[slots].astype(np.int64), 0)
    stated = np.where(u["stated_cause"][slots] * 13 % 1 < 0.15, other, true_cause)
    # Whoever only changes the number says nothing of the kind.
    nothing_to_say = state.cause[slots] == NO_CAUSE
    removed = np.isin(kinds, [_CHURN_KINDS.index(f"{by}_REMOVED") for by in ("FRAUD", "OPERATOR")])
    stated = np.where(removed, _REMOVED, stated)
    unstated = np.where(by_person, nothing_to_say | (u["stated"][slots] < 0.35), ~removed)
    rival = (u["competitor"][slots] * len(cat.COMPETITORS)).astype(np.int64)
    halls = [tree.hall(branch) for branch in range(tree.branches)]
    today.outbox.add(
        "churn_events",
        len(slots),
        {
            "churn_event_id": today.event_ids("CE", slots),
            "subscriber_id": today.ids(slots),
            "at": state.status_second[slots],
            "kind": coded(kinds, _CHURN_KINDS),
            "stated_cause": coded(stated, cat.CAUSES, unstated),
            "competitor": coded(rival, cat.COMPETITORS, kinds != 0),
            "channel_id": coded(people.branch[slots], halls, ~by_person),
        },
    )
