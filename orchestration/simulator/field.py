"""The field: what becomes of the lists that the platform publishes.

Here: reading published lists, contacts and their outcomes, work-order events, the retention log,
and what a contact does to the person contacted. Not here: everybody else, who lives on untouched.

The list of day D is worked from D+1, some of it a day or two later; some contacts are reported
late, a few carry a work order that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.simulator import adjustments, crm, devices, holdings, life, market, money
from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import SCHEMAS, coded, joined, table
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.people import People
from orchestration.simulator.randomness import Floats, Stream, scramble
from orchestration.simulator.reference import offer_id
from orchestration.simulator.state import GONE, NO_PRODUCT, PACK, THINKING
from orchestration.simulator.today import Flags, Ints, Today

REMEDY_DAYS = 90
_MOST_DELAY, _MOST_LATENESS = 2, 2
_OUTCOMES = (
    "REACHED",
    "ACCEPTED",
    "REFUSED",
    "NO_ANSWER",
    "OPT_OUT",
    "WRONG_NUMBER",
    "DELIVERED",
    "UNDELIVERED",
    "NOT_HOME",
)
REACHED, ACCEPTED, REFUSED, NO_ANSWER, OPT_OUT, WRONG_NUMBER, DELIVERED, UNDELIVERED, NOT_HOME = (
    range(9)
)
_CHANNELS = ("CALL", "SMS", "APP", "DOOR_VISIT", "HALL")
_CALL, _SMS, _APP, _DOOR = range(4)
_CLASSES = ("SERVICE", "MARKETING")
_LIST_COLUMNS = {
    "work_order_id": None,
    "subscriber_id": None,
    "org_id": None,
    "action": "CARE_CALL",
    "assignee_role": "CALL_AGENT",
    "channel": "CALL",
    "message_class": "MARKETING",
}
_LATE_SCHEMA = SCHEMAS["field_contacts"].append(pa.field("deliver_day", pa.int64()))


@dataclass
class LateMail:
    """Contacts that happened but are still to be reported: feed rows with the day of delivery."""

    rows: pa.Table = field(default_factory=_LATE_SCHEMA.empty_table)

    def add(self, rows: pa.Table, deliver_days: Ints) -> None:
        dated = rows.append_column("deliver_day", pa.array(deliver_days, pa.int64()))
        self.rows = pa.concat_tables([self.rows, dated.cast(_LATE_SCHEMA)])

    def take(self, day: int) -> pa.Table:
        """Rows to deliver by `day`, removed from the mail."""
        due = pc.less_equal(self.rows["deliver_day"], day)
        rows = self.rows.filter(due).drop_columns("deliver_day")
        self.rows = self.rows.filter(pc.invert(due))
        return rows

    def packed(self) -> npt.NDArray[np.uint8]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, _LATE_SCHEMA) as writer:
            writer.write_table(self.rows.combine_chunks())
        return np.frombuffer(sink.getvalue(), dtype=np.uint8)

    @classmethod
    def unpacked(cls, data: npt.NDArray[np.uint8]) -> LateMail:
        return cls(pa.ipc.open_stream(data.tobytes()).read_all())


@dataclass(frozen=True)
class Orders:
    """The work orders of one published list, in the order of their ids."""

    work_order_ids: pa.Array
    org_ids: pa.Array
    slots: Ints  # -1: not a subscriber of ours
    families: Ints
    roles: Ints
    channels: Ints
    is_marketing: Flags

    def __len__(self) -> int:
        return len(self.slots)


def potential_factor(people: People, slots: Ints, families: Ints, causes: Ints) -> Floats:
    """What a contact with an action of the family does to the hazard of leaving for the cause.

    A factor on the daily hazard for `REMEDY_DAYS`: well below 1 for the right remedy in most
    people, 1 for a wrong one, above 1 for who is better left alone.
    """
    right = cat.REMEDIES[families, causes]
    takes_it = _fraction(slots, families) < 0.6
    factor = np.where(right, np.where(takes_it, 0.4, 0.8), 1.0)
    return (factor * np.where(people.is_sleeping_dog[slots], 1.5, 1.0)).astype(np.float32)


def is_won_back(people: People, slots: Ints, families: Ints, causes: Ints) -> Flags:
    """Whether accepting the action would end a present thought of leaving for the cause."""
    right = cat.REMEDIES[families, causes]
    return right & (_fraction(slots, families + 64) < 0.5) & ~people.is_sleeping_dog[slots]


def _fraction(slots: Ints, salt: Ints) -> npt.NDArray[np.float64]:
    mixed = scramble(slots * 128 + salt)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53


def current_cause(today: Today, slots: Ints) -> Ints:
    """Why the person thinks of leaving, or would."""
    state = today.state
    thinking = (state.stage[slots] >= THINKING) & (state.cause[slots] >= 0)
    dominant = today.world.people.hazards[slots].argmax(axis=1)
    return np.where(thinking, state.cause[slots], dominant).astype(np.int64)


def has_begun(published: Path | None, today: Today) -> bool:
    """A list has been published before today: from then on the field reports every day."""
    if published is None or not published.is_dir():
        return False
    stamps = (folder.name.removeprefix("dt=") for folder in published.glob("dt=*"))
    return any(stamp < f"{today.date:%Y-%m-%d}" for stamp in stamps)


def answer(today: Today, published: Path | None, mail: LateMail) -> None:
    """Work what is to be worked today."""
    worked: list[_Worked] = []
    for list_day, orders in _lists(today, published):
        worked_day = list_day + 1
        u = today.world.draws.uniform(
            Stream.FIELD,
            worked_day,
            today.world.people.slots,
            (
                "delay",
                "lateness",
                "never",
                "reach",
                "mood",
                "at",
                "minutes",
                "reason",
                "unknown",
                "wrong",
            ),
        )
        known = np.maximum(orders.slots, 0)
        delay = np.searchsorted(np.array([0.75, 0.92]), u["delay"][known])
        never = (u["never"][known] < 0.04) | (orders.slots < 0)
        if worked_day == today.day:
            _hand_out(today, orders, never)
        mine = ~never & (worked_day + delay == today.day)
        if mine.any():
            worked.append(_work(today, orders, np.flatnonzero(mine), u, mail))
    for rows in mail.take(today.day).to_batches():
        today.outbox.pieces.setdefault("field_contacts", []).append(pa.Table.from_batches([rows]))
    _log(today, worked)


@dataclass(frozen=True)
class _Worked:
    """Who contacted whom with what outcome, for the log of the day."""

    staff: Ints
    outcomes: Ints
    channels: Ints
    concessions: Ints


def _lists(today: Today, published: Path | None) -> Iterator[tuple[int, Orders]]:
    if published is None:
        return
    for age in range(1, _MOST_DELAY + 2):
        folder = published / f"dt={today.date - timedelta(days=age):%Y-%m-%d}"
        files = sorted(folder.glob("**/list.parquet")) if folder.is_dir() else []
        orders = _read(today, files)
        if orders is not None and len(orders):
            yield today.day - age, orders


def _read(today: Today, files: list[Path]) -> Orders | None:
    """The work orders of the files; a work order twice counts once."""
    tables = [_read_file(path) for path in files]
    if not tables:
        return None
    rows = pa.concat_tables(tables)
    rows = rows.filter(pc.is_valid(rows["work_order_id"])).sort_by("work_order_id")
    ids = rows["work_order_id"].combine_chunks()
    if not len(ids):
        return None
    first = np.ones(len(ids), dtype=bool)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    rows = rows.filter(pa.array(first))
    return Orders(
        work_order_ids=rows["work_order_id"].combine_chunks(),
        org_ids=rows["org_id"].combine_chunks(),
        slots=_present(today, rows["subscriber_id"].combine_chunks()),
        families=_families(rows),
        roles=_index(rows, "assignee_role", ROLES),
        channels=_index(rows, "channel", _CHANNELS),
        is_marketing=_index(rows, "message_class", _CLASSES) == 1,
    )


def _read_file(path: Path) -> pa.Table:
    file = pq.ParquetFile(path)
    there = [name for name in _LIST_COLUMNS if name in file.schema_arrow.names]
    for name in ("work_order_id", "subscriber_id"):
        if name not in there:
            raise ValueError(f"{path}: a published list needs the column {name}")
    rows = file.read(columns=there)
    columns = {
        name: rows[name].cast(pa.string()) if name in there else pa.nulls(len(rows), pa.string())
        for name in _LIST_COLUMNS
    }
    return pa.table(columns)


def _present(today: Today, subscriber_ids: pa.Array) -> Ints:
    slots = today.world.slots_of(subscriber_ids)
    return np.where((slots >= 0) & today.is_present[np.maximum(slots, 0)], slots, -1)


def _index(rows: pa.Table, name: str, codes: tuple[str, ...] | list[str]) -> Ints:
    """Index of each code; an unknown or missing one counts as the column's default."""
    default = list(codes).index(_LIST_COLUMNS[name] or codes[0])
    index = pc.index_in(rows[name].combine_chunks(), value_set=pa.array(codes))
    return pc.fill_null(index, default).to_numpy(zero_copy_only=False).astype(np.int64)


def _families(rows: pa.Table) -> Ints:
    """Family of each action: its own name, or what the field takes it to be."""
    names = [*cat.FAMILY, *cat.ACTION_FAMILY]
    families = np.array([*range(len(cat.FAMILY)), *map(cat.FAMILY.get, cat.ACTION_FAMILY.values())])
    index = pc.index_in(rows["action"].combine_chunks(), value_set=pa.array(names))
    default = names.index(_LIST_COLUMNS["action"] or "CARE_CALL")
    return families[pc.fill_null(index, default).to_numpy(zero_copy_only=False)].astype(np.int64)


def _hand_out(today: Today, orders: Orders, never: Flags) -> None:
    """The morning: orders arrive and find their people; some are dropped."""
    _deliver_events(today, orders, np.arange(len(orders)), "DISPATCHED", today.midnight + 29_100)
    _deliver_events(today, orders, np.flatnonzero(~never), "ASSIGNED", today.midnight + 30_600)
    dropped = np.flatnonzero(never)
    reasons = coded((orders.slots[dropped] < 0).astype(np.int64), ("NO_CAPACITY", "UNKNOWN_LINE"))
    _deliver_events(
        today, orders, dropped, "DROPPED", today.midnight + 64_800, {"drop_reason": reasons}
    )


def _work(
    today: Today, orders: Orders, mine: Ints, u: Mapping[str, Floats], mail: LateMail
) -> _Worked:
    state, people = today.state, today.world.people
    slots, families = orders.slots[mine], orders.families[mine]
    channels, marketing = orders.channels[mine], orders.is_marketing[mine]
    causes = current_cause(today, slots)
    outcomes = _outcomes(today, slots, families, channels, marketing, causes, u)
    # One contact a person counts, however many orders there were.
    first = np.zeros(len(slots), dtype=bool)
    first[np.unique(slots, return_index=True)[1]] = True
    first &= state.stage[slots] != GONE
    seconds = np.maximum(today.at(u["at"], 9.0, 19.5)[slots], today.midnight + 30_700)
    accepted = outcomes == ACCEPTED
    _apply(today, slots[first], families[first], causes[first], outcomes[first])
    _carry_out(today, slots[first & accepted], families[first & accepted], u)
    opted = first & (outcomes == OPT_OUT)
    for index, channel in enumerate(_CHANNELS):
        out = opted & (channels == index)
        crm.withdraw_consent(today, slots[out], channel, seconds[out])

    staff = today.world.organisation.staff_of(people.branch[slots], orders.roles[mine])
    concessions = np.where(
        accepted, np.array([family.cost_fen for family in cat.FAMILIES])[families], 0
    )
    talked = np.isin(outcomes, (REACHED, ACCEPTED, REFUSED, OPT_OUT))
    tells = talked & (u["reason"][slots] < 0.5) & (state.stage[slots] >= THINKING)
    offers = [offer_id(index) for index in range(len(cat.FAMILIES))]
    columns = {
        "subscriber_id": today.ids(slots),
        "staff_id": coded(staff, today.world.staff_ids),
        "at": seconds,
        "channel": coded(channels, _CHANNELS),
        "message_class": coded(marketing.astype(np.int64), _CLASSES),
        "outcome": coded(outcomes, _OUTCOMES),
        "reason_code": coded(causes, cat.CAUSES, ~tells),
        "offer_id": coded(families, offers, ~accepted),
        "concession_cny": concessions,
        "minutes": np.where(talked, 100 + (u["minutes"][slots] * 900).astype(np.int64), 0),
    }
    ids = orders.work_order_ids.take(pa.array(mine))
    lateness = np.searchsorted(np.array([0.94, 0.98]), u["lateness"][slots])
    contacts = table(
        "field_contacts",
        len(slots),
        {"contact_id": joined("FC-", ids), "work_order_id": ids, **columns},
    )
    mail.add(contacts, today.day + np.minimum(lateness, _MOST_LATENESS))
    _report_strays(today, slots, first, seconds, u)

    _deliver_events(
        today, orders, mine, np.where(channels == _DOOR, "VISITED", "CONTACTED"), seconds
    )
    _deliver_events(
        today,
        orders,
        mine[talked],
        "CLOSED",
        np.minimum(seconds + 3600, today.midnight + 86_399)[talked],
    )
    return _Worked(staff, outcomes, channels, concessions)


def _outcomes(
    today: Today,
    slots: Ints,
    families: Ints,
    channels: Ints,
    marketing: Flags,
    causes: Ints,
    u: Mapping[str, Floats],
) -> Ints:
    state, people = today.state, today.world.people
    away = (state.stage[slots] == GONE) | (state.status[slots] >= cat.TWO_WAY)
    answers = ~away & (u["reach"][slots] < people.reachability[slots])
    right = cat.REMEDIES[families, causes]
    accepts = np.where(right, 0.5, 0.2) * np.where(people.is_sleeping_dog[slots], 0.3, 1.0)
    mood = u["mood"][slots]
    opts_out = marketing & (mood > 0.985)
    outcome = np.where(mood < accepts, ACCEPTED, np.where(mood < 0.65, REACHED, REFUSED))
    outcome = np.where(opts_out, OPT_OUT, outcome)
    by_text = np.isin(channels, (_SMS, _APP))
    missed = np.where(channels == _DOOR, NOT_HOME, np.where(by_text, UNDELIVERED, NO_ANSWER))
    wrong = (state.status[slots] == cat.DEACTIVATED) & (u["wrong"][slots] < 0.5)
    missed = np.where(wrong & ~by_text, WRONG_NUMBER, missed)
    # A text arrives and is mostly not answered.
    read = np.where((outcome == REACHED) | (outcome == REFUSED), DELIVERED, outcome)
    outcome = np.where(by_text, read, outcome)
    return np.where(answers, outcome, missed).astype(np.int64)


def _apply(today: Today, slots: Ints, families: Ints, causes: Ints, outcomes: Ints) -> None:
    """What the contact does: full for an acceptance, half for a talk or a text."""
    state, people, day = today.state, today.world.people, today.day
    factor = potential_factor(people, slots, families, causes)
    accepted = outcomes == ACCEPTED
    heard = np.isin(outcomes, (REACHED, DELIVERED))
    harmed = np.isin(outcomes, (REFUSED, OPT_OUT)) & (factor > 1)
    strength = np.where(accepted | harmed, 1.0, np.where(heard, 0.5, 0.0))
    touched = strength > 0
    before = np.where(state.remedy_until[slots] >= day, state.remedy_factor[slots], 1.0)
    effect = np.clip(before * factor**strength, 0.3, 2.0)
    state.remedy_factor[slots[touched]] = effect[touched]
    state.remedy_until[slots[touched]] = day + REMEDY_DAYS
    back = (
        accepted & (state.stage[slots] >= THINKING) & is_won_back(people, slots, families, causes)
    )
    life.forget_exit(today, slots[back])


def _carry_out(today: Today, slots: Ints, families: Ints, u: Mapping[str, Floats]) -> None:
    """What was promised is done."""
    state, people = today.state, today.world.people

    def of(*codes: str) -> Flags:
        return np.isin(families, [cat.FAMILY[code] for code in codes])

    changing = slots[of("PLAN_CHANGE", "MATCH_TARIFF")]
    state.next_plan[changing] = people.best_plan[changing]
    bonus = slots[of("TOPUP_BONUS") & people.is_prepaid[slots]]
    if len(bonus):
        at = today.at(u["at"], 20.0, 21.0)[bonus]
        money.top_up(
            today,
            bonus,
            np.full(len(bonus), 5_000),
            at,
            np.zeros(len(bonus)),
            offer_id(cat.FAMILY["TOPUP_BONUS"]),
        )
    waived = slots[of("OVERAGE_WAIVER")]
    adjustments.waive_overage(today, waived, cat.FAMILY["OVERAGE_WAIVER"])
    pack = slots[of("DATA_PACK")]
    pack = pack[state.holding[pack, PACK] == NO_PRODUCT]
    holdings.order(today, pack, PACK, np.full(len(pack), cat.FIRST_PACK))
    models = market.take_handsets(today, slots, families)
    handset = slots[models >= 0]
    devices.give(today, handset, models[models >= 0], today.at(u["at"], 20.0, 21.0)[handset])


def _report_strays(
    today: Today, slots: Ints, first: Flags, seconds: Ints, u: Mapping[str, Floats]
) -> None:
    """A few contacts come in under work orders that nobody issued."""
    stray = first & (u["unknown"][slots] < 0.01)
    who = slots[stray]
    ids = today.event_ids("X", who)
    today.outbox.add(
        "field_contacts",
        len(who),
        {
            "contact_id": joined("FX-", ids),
            "work_order_id": joined("UNKNOWN-", ids),
            "subscriber_id": today.ids(who),
            "at": seconds[stray],
            "channel": "CALL",
            "message_class": "SERVICE",
            "outcome": "NO_ANSWER",
        },
    )


def _deliver_events(
    today: Today,
    orders: Orders,
    rows: Ints,
    states: str | npt.NDArray[np.str_],
    at: int | Ints,
    more: dict[str, pa.Array] | None = None,
) -> None:
    ids = orders.work_order_ids.take(pa.array(rows))
    names = pa.array(np.broadcast_to(states, len(rows)).tolist(), pa.string())
    slots = np.maximum(orders.slots[rows], 0)
    known = orders.slots[rows] >= 0
    roles = orders.roles[rows]
    staff = today.world.organisation.staff_of(today.world.people.branch[slots], roles)
    unassigned = ~known | np.isin(np.broadcast_to(states, len(rows)), ("DISPATCHED", "DROPPED"))
    today.outbox.add(
        "field_work_order_events",
        len(rows),
        {
            "event_id": joined(ids, "-", names),
            "work_order_id": ids,
            "org_id": orders.org_ids.take(pa.array(rows)),
            "state": names,
            "at": np.broadcast_to(np.asarray(at), len(rows)),
            "staff_id": coded(staff, today.world.staff_ids, unassigned),
            "assignee_role": coded(roles, ROLES),
            **(more or {}),
        },
    )


def _log(today: Today, worked: list[_Worked]) -> None:
    """Each member of staff who worked writes the retention log at eight in the evening."""
    if not worked:
        return
    staff = np.concatenate([piece.staff for piece in worked])
    outcomes = np.concatenate([piece.outcomes for piece in worked])
    channels = np.concatenate([piece.channels for piece in worked])
    concessions = np.concatenate([piece.concessions for piece in worked])
    members = np.unique(staff)
    count = len(today.world.organisation.staff)

    def tally(flags: Flags) -> Ints:
        return np.bincount(staff, weights=flags, minlength=count).astype(np.int64)[members]

    saved = tally(outcomes == ACCEPTED)
    today.outbox.add(
        "field_retention_log",
        len(members),
        {
            "staff_id": coded(members, today.world.staff_ids),
            "log_date": np.full(len(members), today.day),
            "org_id": coded(members, [m.org_id for m in today.world.organisation.staff]),
            "submitted_at": np.full(len(members), today.midnight + 20 * 3600),
            "visits": tally(channels == _DOOR),
            "calls": tally(channels == _CALL),
            "no_answer": tally(np.isin(outcomes, (NO_ANSWER, NOT_HOME, UNDELIVERED))),
            "saved": saved,
            "revived": 0,
            "refused": tally(outcomes == REFUSED),
            "concessions_cny": tally(concessions),
            "notes": coded(np.minimum(saved, 1), ("今日无挽留", "客户已接受挽留方案")),
        },
    )
