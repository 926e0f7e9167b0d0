"""What the field reports of its work, and what is wrong with the reports.

Here: contacts as delivered (late, missing, twice, under work orders that nobody issued),
work-order events, follow-up questionnaires and retention logs. Not here: who is contacted and what
comes of it (`field.py`, `responses.py`). Every fault is told to the truth as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator import responses
from orchestration.simulator.feeds import SCHEMAS, coded, joined, table
from orchestration.simulator.identity import msisdn
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.reference import offer_id
from orchestration.simulator.responses import OUTCOMES
from orchestration.simulator.state import DECIDED, GONE, THINKING
from orchestration.simulator.today import Flags, Ints, Today
from orchestration.simulator.work_lists import (
    APP,
    CALL,
    CHANNELS,
    DOOR,
    MESSAGE_CLASSES,
    SMS,
    Orders,
)

NO_STAFF = -1
_PORTED = cat.EXITS.index("PORT_OUT")

# Faults of reporting: shares of contacts.
_ONE_DAY_LATE, _TWO_DAYS_LATE = 0.040, 0.015
_NEVER_REPORTED = 0.015
_TWICE_IN_A_FILE, _TWICE_NEXT_DAY = 0.008, 0.006
_UNKNOWN_ORDER = 0.008
FAULTS = (
    "LATE",
    "NEVER_REPORTED",
    "TWICE_IN_A_FILE",
    "TWICE_NEXT_DAY",
    "UNKNOWN_ORDER",
    "LOG_MISSING",
)
FAULT_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("contact_id", pa.string()),
        ("work_order_id", pa.string()),
        ("staff_id", pa.string()),
        ("day", pa.date32()),  # of the contact, or the log's
        ("delivered_on", pa.date32()),  # by the faulty row; NULL if never
    ]
)
CONTACT_TRUTH_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("work_order_id", pa.string()),
        ("subscriber_id", pa.string()),
        ("staff_id", pa.string()),
        ("day", pa.date32()),
        ("channel", pa.string()),
        ("outcome", pa.string()),
        ("family", pa.string()),
        ("cause", pa.string()),
        ("stage", pa.int64()),
        ("recent_contacts", pa.int64()),
        ("effect", pa.float64()),
        ("is_won_back", pa.bool_()),
        ("concession_fen", pa.int64()),
        ("was_suspended", pa.bool_()),
    ]
)

# Reasons for refusing that say nothing of a wish to leave.
_EXCUSES = ("NOT_INTERESTED", "NO_NEED", "NO_TIME", "OFFER_TOO_SMALL")
_TELLS_CAUSE, _TELLS_RIVAL, _TELLS_SWITCH, _IS_ASKED_SWITCH = 0.5, 0.6, 0.8, 0.6
_HAS_SECOND_CARD = 0.3  # of those who have decided to port out
_CAUSE_MISHEARD = 0.15

_LOG_LATE, _LOG_MISSING = 0.12, 0.03
REVIVAL_DAYS = 14  # a line back in service that long after a contact counts for the staff

FOLLOW_UP_SHARE = 0.15
_FOLLOW_UP_AFTER_DAYS, _FOLLOW_UP_DAYS = 2, 3
_FOLLOW_UP_ANSWERS = 0.8
QUESTIONNAIRE = "HF01"
QUESTIONS = (
    "COMPETITOR",
    "LEAVING_REASON",
    "NETWORK_OPINION",
    "OVERALL_SATISFACTION",
    "PRICE_OPINION",
    "WOULD_RETURN",
)
_SKIPPED, _ANSWER_MISHEARD, _WRITES = 0.06, 0.2, 0.35
_TYPES_NUMBER = 0.08  # of the free texts
_STATED_CAUSES = cat.CAUSE["LIFE_EVENT"]  # people name the causes before that
_NOT_LEAVING, _OTHER = len(cat.CAUSES), len(cat.CAUSES) + 1
_REASON_ANSWERS = (*cat.CAUSES, "NOT_LEAVING", "OTHER")
_RIVAL_ANSWERS = (*cat.COMPETITORS, "NONE")
_RETURN_ANSWERS = ("YES", "UNSURE", "NO")
_TEXTS: Mapping[str, str] = {
    "PLAN_MISFIT": "套餐不合适，每月都超",
    "COMPETITOR_OFFER": "别家套餐便宜，送的流量多",
    "BILL_OPACITY": "账单看不懂，扣费不清楚",
    "UNAUTHORISED_ORDER": "没订过的业务也扣钱",
    "SERVICE_ATTITUDE": "营业员态度不好",
    "SERVICE_METHOD": "办业务要跑好几趟",
    "FACILITIES": "营业厅太远，排队久",
    "NETWORK_QUALITY": "上网卡，通话断断续续",
    "COVERAGE": "家里没信号",
    "TERMINAL": "手机旧了，想换新的",
    "SERVICE_LAG": "没有我要的业务",
    "SOCIAL_CIRCLE": "家里人都用别家的号",
    "CONTRACT_END": "合约到期了，再看看",
    "LIFE_EVENT": "要去外地工作",
    "REMOVED": "不想说",
    "NOT_LEAVING": "没打算换，用得还行",
    "OTHER": "说不上来",
}
_REASON_TEXTS = tuple(_TEXTS[code] for code in _REASON_ANSWERS)


@dataclass
class Mail:
    """Rows of a feed that are still to be delivered, with the day of delivery."""

    feed: str
    rows: pa.Table = field(init=False)

    def __post_init__(self) -> None:
        self.rows = self._schema.empty_table()

    @property
    def _schema(self) -> pa.Schema:
        return SCHEMAS[self.feed].append(pa.field("deliver_day", pa.int64()))

    def add(self, rows: pa.Table, deliver_days: Ints) -> None:
        dated = rows.append_column("deliver_day", pa.array(deliver_days, pa.int64()))
        self.rows = pa.concat_tables([self.rows, dated.cast(self._schema)])

    def deliver(self, today: Today) -> None:
        """Put what is due into the day's outbox."""
        due = pc.less_equal(self.rows["deliver_day"], today.day)
        rows = self.rows.filter(due).drop_columns("deliver_day")
        self.rows = self.rows.filter(pc.invert(due))
        if len(rows) and not today.outbox.is_closed:
            today.outbox.pieces.setdefault(self.feed, []).append(rows)


FOLLOW_UP_SCHEMA = pa.schema(
    [
        ("work_order_id", pa.string()),
        ("contact_id", pa.string()),
        ("slot", pa.int64()),
        ("ask_day", pa.int64()),
    ]
)
WATCH_SCHEMA = pa.schema([("slot", pa.int64()), ("staff", pa.int64()), ("day", pa.int64())])


@dataclass(frozen=True)
class Work:
    """The contacts of a day with what came of them; one value a contact."""

    stamp: str  # of the day
    orders: Orders
    causes: Ints
    outcomes: Ints
    staff: Ints  # NO_STAFF for texts
    seconds: Ints
    concessions: Ints  # fen
    recent: Ints
    effects: npt.NDArray[np.float64]
    is_won_back: Flags
    stages: Ints  # before the contact

    @property
    def contact_ids(self) -> pa.Array:
        return joined("FC-", self.orders.work_order_ids, f"-{self.stamp}")

    def is_any(self, codes: tuple[int, ...]) -> Flags:
        return np.isin(self.outcomes, codes)


def deliver_contacts(today: Today, work: Work, mail: Mail) -> pa.Table:
    """Send the contacts on their way; gives back the faults planted in that."""
    orders, slots = work.orders, work.orders.slots
    u = today.uniform(
        Stream.FIELD_REPORTS,
        *("late", "never", "twice", "unknown", "minutes", "says", "hears", "switch"),
    )
    contacts = table(
        "field_contacts",
        len(slots),
        {
            "contact_id": work.contact_ids,
            "work_order_id": orders.work_order_ids,
            "subscriber_id": today.ids(slots),
            "staff_id": _staff_ids(today, work.staff),
            "at": work.seconds,
            "channel": coded(orders.channels, CHANNELS),
            "message_class": coded(orders.is_marketing, MESSAGE_CLASSES),
            "outcome": coded(work.outcomes, OUTCOMES),
            **_told(today, work, u),
            "offer_id": coded(
                orders.families,
                [offer_id(index) for index in range(len(cat.FAMILIES))],
                work.outcomes != responses.ACCEPTED,
            ),
            "template_code": joined(
                "T-", coded(orders.families, [family.code for family in cat.FAMILIES])
            ),
            "concession_cny": work.concessions,
            "minutes": _minutes(work, u["minutes"][slots]),
        },
    )
    late = u["late"][slots]
    days_late = np.where(
        late < _TWO_DAYS_LATE, 2, np.where(late < _TWO_DAYS_LATE + _ONE_DAY_LATE, 1, 0)
    )
    deliver = today.day + days_late.astype(np.int64)
    never = u["never"][slots] < _NEVER_REPORTED
    again = u["twice"][slots]
    same = ~never & (again < _TWICE_IN_A_FILE)
    later = ~never & ~same & (again < _TWICE_IN_A_FILE + _TWICE_NEXT_DAY)
    is_late = ~never & (days_late > 0)
    for flags, shift in ((~never, 0), (same, 0), (later, 1)):
        mail.add(contacts.filter(pa.array(flags)), deliver[flags] + shift)
    ids, order_ids = contacts["contact_id"], contacts["work_order_id"]
    faults = [
        _faults(today, kind, ids.filter(pa.array(flags)), order_ids.filter(pa.array(flags)), days)
        for kind, flags, days in (
            ("LATE", is_late, deliver[is_late]),
            ("NEVER_REPORTED", never, None),
            ("TWICE_IN_A_FILE", same, deliver[same]),
            ("TWICE_NEXT_DAY", later, deliver[later] + 1),
        )
    ]
    faults.append(_deliver_strays(today, work, u["unknown"][slots] < _UNKNOWN_ORDER))
    return pa.concat_tables(faults)


def contact_truth(today: Today, work: Work) -> pa.Table:
    """Every contact that took place, reported or not, with what it did."""
    orders = work.orders
    count = len(orders)
    families = [family.code for family in cat.FAMILIES]
    return pa.table(
        {
            "contact_id": work.contact_ids,
            "work_order_id": orders.work_order_ids,
            "subscriber_id": today.ids(orders.slots),
            "staff_id": _staff_ids(today, work.staff),
            "day": _dates(np.full(count, today.day)),
            "channel": coded(orders.channels, CHANNELS),
            "outcome": coded(work.outcomes, OUTCOMES),
            "family": coded(orders.families, families),
            "cause": coded(work.causes, cat.CAUSES),
            "stage": work.stages,
            "recent_contacts": work.recent,
            "effect": work.effects,
            "is_won_back": work.is_won_back,
            "concession_fen": work.concessions,
            "was_suspended": _is_suspended(today, orders.slots),
        },
        schema=CONTACT_TRUTH_SCHEMA,
    )


def _told(today: Today, work: Work, u: Mapping[str, Floats]) -> dict[str, pa.Array]:
    """What the person says of reasons, of having switched and of competitors."""
    state, people, slots = today.state, today.world.people, work.orders.slots
    gone = work.stages == GONE
    talked = work.is_any((*responses.TALKS,)) & ~np.isin(work.orders.channels, (SMS, APP))
    leaving = work.stages >= THINKING
    says, hears = u["says"][slots], u["hears"][slots]
    other = (_further(hears) * _STATED_CAUSES).astype(np.int64)
    heard = np.where(hears < _CAUSE_MISHEARD, other, work.causes)
    tells_cause = talked & leaving & (says < _TELLS_CAUSE)
    excuse = talked & (work.outcomes == responses.REFUSED) & ~tells_cause
    excuses = len(cat.CAUSES) + (_further(hears) * len(_EXCUSES)).astype(np.int64)
    ports = (work.stages == DECIDED) & (state.exit_kind[slots] == _PORTED)
    switched = gone | (ports & (_further(says) < _HAS_SECOND_CARD))
    told_switch = talked & (
        u["switch"][slots] < np.where(switched, _TELLS_SWITCH, _IS_ASKED_SWITCH)
    )
    rival_matters = leaving & np.isin(
        work.causes, (cat.CAUSE["COMPETITOR_OFFER"], cat.CAUSE["SOCIAL_CIRCLE"])
    )
    told_rival = talked & (switched | rival_matters) & (_further(u["switch"][slots]) < _TELLS_RIVAL)
    return {
        "reason_code": coded(
            np.where(excuse, excuses, heard), (*cat.CAUSES, *_EXCUSES), ~(tells_cause | excuse)
        ),
        "has_switched": pa.array(switched, mask=~told_switch),
        "competitor": coded(responses.rival(people, slots), cat.COMPETITORS, ~told_rival),
    }


def _further(u: Floats) -> npt.NDArray[np.float64]:
    """A second number from the same draw, by its lower digits."""
    return (u.astype(np.float64) * 997) % 1


def _minutes(work: Work, u: Floats) -> Ints:
    """Hundredths of a minute talked."""
    talked = work.is_any(responses.TALKS) & (work.staff != NO_STAFF)
    short = work.is_any((responses.CALL_BACK, responses.WRONG_NUMBER))
    minutes = 100 + (u * 900).astype(np.int64)
    return np.where(talked, minutes, np.where(short, 50, 0))


def _deliver_strays(today: Today, work: Work, stray: Flags) -> pa.Table:
    """A few contacts come in under work orders that nobody issued."""
    who = work.orders.slots[stray]
    ids = today.event_ids("X", who)
    contact_ids, order_ids = joined("FX-", ids), joined("UNKNOWN-", ids)
    today.outbox.add(
        "field_contacts",
        len(who),
        {
            "contact_id": contact_ids,
            "work_order_id": order_ids,
            "subscriber_id": today.ids(who),
            "at": work.seconds[stray],
            "channel": "CALL",
            "message_class": "SERVICE",
            "outcome": "NO_ANSWER",
        },
    )
    return _faults(today, "UNKNOWN_ORDER", contact_ids, order_ids, np.full(len(who), today.day))


def _faults(
    today: Today,
    kind: str,
    contact_ids: pa.Array | None,
    order_ids: pa.Array | None,
    delivered: Ints | None,
    staff_ids: pa.Array | None = None,
) -> pa.Table:
    known = [column for column in (contact_ids, staff_ids) if column is not None]
    count = len(known[0])

    def text(column: pa.Array | pa.ChunkedArray | None) -> pa.Array | pa.ChunkedArray:
        return pa.nulls(count, pa.string()) if column is None else column

    return pa.table(
        {
            "kind": pa.repeat(pa.scalar(kind, pa.string()), count),
            "contact_id": text(contact_ids),
            "work_order_id": text(order_ids),
            "staff_id": text(staff_ids),
            "day": _dates(np.full(count, today.day)),
            "delivered_on": pa.nulls(count, pa.date32())
            if delivered is None
            else _dates(delivered),
        },
        schema=FAULT_SCHEMA,
    )


def deliver_events(
    today: Today,
    orders: Orders,
    state: str,
    at: int | Ints,
    staff: Ints | None = None,
    **more: pa.Array,
) -> None:
    """The orders come into the state; each order and state once a day."""
    if not len(orders):
        return
    ids = orders.work_order_ids
    staff = np.full(len(orders), NO_STAFF) if staff is None else staff
    today.outbox.add(
        "field_work_order_events",
        len(orders),
        {
            "event_id": joined(ids, f"-{state}-{today.stamp}"),
            "work_order_id": ids,
            "org_id": orders.org_ids,
            "state": state,
            "at": np.broadcast_to(np.asarray(at), len(orders)),
            "staff_id": _staff_ids(today, staff),
            "assignee_role": coded(orders.roles, ROLES),
            **more,
        },
    )


def evidence(today: Today, orders: Orders) -> pa.Array:
    """References of the photographs that visitors take."""
    return joined(f"EV{today.stamp}-", orders.work_order_ids)


def plan_follow_ups(today: Today, work: Work) -> pa.Table:
    """Some of those talked to are asked a few days later how it was."""
    u = today.uniform(Stream.FOLLOW_UPS, "chosen", "day")
    slots = work.orders.slots
    talked = work.is_any((responses.REACHED, responses.ACCEPTED, responses.REFUSED))
    chosen = talked & (u["chosen"][slots] < FOLLOW_UP_SHARE)
    wait = _FOLLOW_UP_AFTER_DAYS + (u["day"][slots] * _FOLLOW_UP_DAYS).astype(np.int64)
    rows = pa.table(
        {
            "work_order_id": work.orders.work_order_ids,
            "contact_id": work.contact_ids,
            "slot": slots,
            "ask_day": today.day + wait,
        },
        schema=FOLLOW_UP_SCHEMA,
    )
    return rows.filter(pa.array(chosen))


def ask_follow_ups(today: Today, waiting: pa.Table) -> pa.Table:
    """Ask the questionnaires due today; gives back those that still wait."""
    due = pc.less_equal(waiting["ask_day"], today.day)
    asked = waiting.filter(due)
    if not len(asked):
        return waiting
    state, people = today.state, today.world.people
    u = today.uniform(Stream.FOLLOW_UPS, "reach", "at", "write", "number", *QUESTIONS)
    slots = asked["slot"].to_numpy()
    gone = (state.stage[slots] == GONE) & (state.exit_kind[slots] != _PORTED)
    answers = ~gone & ~responses.is_unreachable(people, slots)
    answers &= u["reach"][slots] < people.reachability[slots] * _FOLLOW_UP_ANSWERS
    rows = np.flatnonzero(answers)
    slots = slots[rows]
    asked = asked.take(pa.array(rows))
    staff = today.world.organisation.staff_of(
        people.branch[slots], np.full(len(slots), ROLES.index("CALL_AGENT"))
    )
    at = today.at(u["at"], 9.0, 20.0)[slots]
    reasons = _answered_reasons(today, slots, u["LEAVING_REASON"][slots])
    for question in QUESTIONS:
        draw = u[question][slots]
        codes, is_asked = _answer(today, question, slots, draw, reasons)
        told = np.flatnonzero(is_asked & (_further(draw) >= _SKIPPED))
        writes = question == "LEAVING_REASON"
        today.outbox.add(
            "field_questionnaires",
            len(told),
            {
                "work_order_id": asked["work_order_id"].take(pa.array(told)),
                "questionnaire_code": QUESTIONNAIRE,
                "question_code": question,
                "subscriber_id": today.ids(slots[told]),
                "contact_id": asked["contact_id"].take(pa.array(told)),
                "staff_id": coded(staff[told], today.world.staff_ids),
                "answer_code": codes.take(pa.array(told)),
                "answer_text": _written(today, slots[told], reasons[told], u) if writes else None,
                "at": at[told],
            },
        )
    return waiting.filter(pc.invert(due))


def _answered_reasons(today: Today, slots: Ints, u: Floats) -> Ints:
    """The cause, now and then another one; who does not leave says so."""
    leaving = today.state.stage[slots] >= THINKING
    second = _further(u)
    other = np.where(second < 0.5, _OTHER, (second * 2 % 1 * _STATED_CAUSES).astype(np.int64))
    stated = np.where(u < _ANSWER_MISHEARD, other, responses.current_cause(today, slots))
    return np.where(leaving, stated, _NOT_LEAVING).astype(np.int64)


def _answer(
    today: Today, question: str, slots: Ints, u: Floats, reasons: Ints
) -> tuple[pa.Array, Flags]:
    """Coded answers of a question and who is asked it: the truth with some noise."""
    state, people = today.state, today.world.people
    leaving = state.stage[slots] >= THINKING
    noise = 1.6 * (u.astype(np.float64) - 0.5)
    everybody = np.ones(len(slots), dtype=bool)
    if question == "LEAVING_REASON":
        return coded(reasons, _REASON_ANSWERS), everybody
    if question == "COMPETITOR":
        none = len(cat.COMPETITORS)
        named = leaving & (u < 0.7)
        return coded(np.where(named, responses.rival(people, slots), none), _RIVAL_ANSWERS), leaving
    if question == "WOULD_RETURN":
        mind = np.where(state.stage[slots] >= DECIDED, 1.4, 0.7) + noise
        return coded(np.clip(np.rint(mind), 0, 2), _RETURN_ANSWERS), leaving
    score = {
        "OVERALL_SATISFACTION": 3.7 - 0.7 * people.dissatisfaction[slots] - 0.8 * leaving,
        "PRICE_OPINION": 3.2 - 0.8 * people.price_sensitivity[slots],
        "NETWORK_OPINION": 3.5 - 0.9 * people.poor_coverage[slots],
    }[question]
    marks = np.clip(np.rint(score + noise), 1, 5).astype(np.int64)
    return pa.array(marks).cast(pa.string()), everybody


def _written(today: Today, slots: Ints, reasons: Ints, u: Mapping[str, Floats]) -> pa.Array:
    """What the caller types in; now and then a telephone number with it."""
    writes = u["write"][slots] < _WRITES
    text = coded(reasons, _REASON_TEXTS)
    numbered = u["number"][slots] < _TYPES_NUMBER
    numbers = msisdn(
        today.world.people.keys[slots], today.state.number_version[slots].astype(np.int64)
    )
    with_number = joined(text, "，请回电", numbers)
    text = pc.if_else(pa.array(numbered), with_number, text)
    return pc.if_else(pa.array(writes), text, pa.scalar(None, pa.string()))


def watch(today: Today, work: Work, watched: pa.Table) -> pa.Table:
    """Suspended lines that somebody contacted, to see whether they come back."""
    suspended = _is_suspended(today, work.orders.slots) & (work.staff != NO_STAFF)
    suspended &= work.is_any(responses.TALKS)
    slots = work.orders.slots[suspended]
    count = len(slots)
    anew = pc.is_in(watched["slot"], value_set=pa.array(slots, pa.int64()))
    added = pa.table(
        {"slot": slots, "staff": work.staff[suspended], "day": np.full(count, today.day)},
        schema=WATCH_SCHEMA,
    )
    return pa.concat_tables([watched.filter(pc.invert(anew)), added])


def come_back(today: Today, watched: pa.Table) -> tuple[Ints, pa.Table]:
    """Staff to whom a line in service again is owed, one entry a line; and who is still watched."""
    status = today.state.status[watched["slot"].to_numpy()]
    active = status == cat.ACTIVE
    stale = today.day - watched["day"].to_numpy() >= REVIVAL_DAYS
    over = active | stale | (status == cat.DEACTIVATED)
    return watched["staff"].to_numpy()[active], watched.filter(pa.array(~over))


def write_logs(today: Today, work: Work | None, revived: Ints, mail: Mail) -> pa.Table:
    """Who worked, or is owed a revival, writes the log, most in the evening.

    Gives back the logs that nobody handed in.
    """
    staff_count = len(today.world.organisation.staff)
    own = np.zeros(0, dtype=np.int64) if work is None else np.flatnonzero(work.staff != NO_STAFF)
    staff = work.staff[own] if work is not None else own
    members = np.unique(np.concatenate([staff, revived]))
    if not len(members):
        return FAULT_SCHEMA.empty_table()

    def tally(values: npt.NDArray[np.generic] | None = None) -> Ints:
        weights = None if values is None else values[own]
        counted = np.bincount(staff, weights=weights, minlength=staff_count)
        return counted.astype(np.int64)[members]

    def tally_of(outcomes: tuple[int, ...]) -> Ints:
        return tally(work.is_any(outcomes)) if work is not None else tally()

    nothing = np.zeros(len(members), dtype=np.int64)
    channels = work.orders.channels if work is not None else None
    saved = tally_of((responses.ACCEPTED,))
    u = today.world.draws.uniform(
        Stream.FIELD_LOGS, today.day, staff_count, ("missing", "late", "at")
    )
    late = u["late"][members] < _LOG_LATE
    missing = u["missing"][members] < _LOG_MISSING
    evening = today.at(u["at"][members], 18.0, 21.5)
    morning = today.at(u["at"][members], 8.0, 9.5) + 86_400
    logs = table(
        "field_retention_log",
        len(members),
        {
            "staff_id": coded(members, today.world.staff_ids),
            "log_date": np.full(len(members), today.day),
            "org_id": coded(members, [m.org_id for m in today.world.organisation.staff]),
            "submitted_at": np.where(late, morning, evening),
            "visits": nothing if channels is None else tally(channels == DOOR),
            "calls": nothing if channels is None else tally(channels == CALL),
            "no_answer": tally_of((responses.NO_ANSWER, responses.NOT_HOME)),
            "saved": saved,
            "revived": np.bincount(revived, minlength=staff_count).astype(np.int64)[members],
            "refused": tally_of((responses.REFUSED,)),
            "concessions_cny": nothing if work is None else tally(work.concessions),
            "notes": coded(np.minimum(saved, 1), ("今日无挽留", "客户已接受挽留方案")),
        },
    )
    mail.add(logs.filter(pa.array(~missing)), (today.day + late.astype(np.int64))[~missing])
    lost = coded(members[missing], today.world.staff_ids)
    return _faults(today, "LOG_MISSING", None, None, None, lost)


def _staff_ids(today: Today, staff: Ints) -> pa.Array:
    return coded(np.maximum(staff, 0), today.world.staff_ids, staff == NO_STAFF)


def _is_suspended(today: Today, slots: Ints) -> Flags:
    return np.isin(today.state.status[slots], (cat.ONE_WAY, cat.TWO_WAY))


def _dates(days: Ints) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
