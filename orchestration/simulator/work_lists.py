"""Published lists as the field reads them, and the work orders that are still open.

Here: the form of a list's file, and work orders as arrays. Not here: who works them (`field.py`).
Only the form of the lists is known, nothing of how they came about: a file needs work orders and
subscribers, every other column may be absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.simulator import catalogue as cat
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.today import Ints, Today

CHANNELS = ("CALL", "SMS", "APP", "DOOR_VISIT", "HALL")
CALL, SMS, APP, DOOR, HALL = range(5)
MESSAGE_CLASSES = ("SERVICE", "MARKETING")
# What is taken for granted where a list does not say it.
_DEFAULTS = {
    "action": "CARE_CALL",
    "assignee_role": "CALL_AGENT",
    "channel": "CALL",
    "message_class": "MARKETING",
}
_DAYS_TO_WORK = 3
_NO_RANK = 1 << 30
_REQUIRED = ("work_order_id", "subscriber_id")
_TEXTS = (*_REQUIRED, "org_id", "offer_family", *_DEFAULTS, "reason_1", "reason_2", "reason_3")
# Orders about suspended or unpaid lines, by the words on the list.
_ABOUT_PAYMENT = r"SUSPEN|ARREARS|REVIV|DUNNING|BALANCE|REMIND|VALIDITY|停机|欠费|复机"


@dataclass(frozen=True)
class Orders:
    """Work orders with what has become of them so far; one value an order."""

    work_order_ids: pa.Array
    org_ids: pa.Array
    slots: Ints  # -1: not a subscriber of ours
    families: Ints
    roles: Ints
    channels: Ints
    is_marketing: Ints  # flags are 0 and 1
    is_about_payment: Ints
    ranks: Ints
    list_days: Ints
    due_days: Ints
    next_days: Ints  # when the next attempt is planned
    attempts: Ints
    listed_status: Ints  # of the line when it was listed
    was_in_debt: Ints  # then
    is_rechecked: Ints
    is_assigned: Ints
    is_escalated: Ints

    def __len__(self) -> int:
        return len(self.slots)

    def take(self, rows: Ints) -> Orders:
        index = pa.array(rows)
        return Orders(
            **{
                name: values.take(index) if isinstance(values, pa.Array) else values[rows]
                for name, values in vars(self).items()
            }
        )

    def to_table(self) -> pa.Table:
        return pa.table({name: pa.array(values) for name, values in vars(self).items()})

    @classmethod
    def from_table(cls, rows: pa.Table) -> Orders:
        columns = {name: rows[name].combine_chunks() for name in SCHEMA.names}
        return cls(
            **{
                name: column
                if pa.types.is_string(column.type)
                else column.to_numpy(zero_copy_only=False).copy()
                for name, column in columns.items()
            }
        )

    @classmethod
    def joined(cls, parts: Sequence[Orders]) -> Orders:
        return cls.from_table(pa.concat_tables([part.to_table() for part in parts]))


SCHEMA = pa.schema(
    [
        (field.name, pa.string() if field.name.endswith("_ids") else pa.int64())
        for field in fields(Orders)
    ]
)


@cache
def no_orders() -> Orders:
    """An empty list."""
    return Orders.from_table(SCHEMA.empty_table())


def has_begun(published: Path | None, today: Today) -> bool:
    """A list has been published before today: from then on the field reports every day."""
    if published is None or not published.is_dir():
        return False
    stamps = (folder.name.removeprefix("dt=") for folder in published.glob("dt=*"))
    return any(stamp < f"{today.date:%Y-%m-%d}" for stamp in stamps)


def is_in_debt(today: Today, slots: Ints) -> npt.NDArray[np.bool_]:
    """Prepaid without money or validity, postpaid with a bill past its date."""
    state, prepaid = today.state, today.world.people.is_prepaid[slots]
    short = (state.balance_fen[slots] < 0) | (state.valid_until[slots] < today.day)
    late = (state.owed_fen[slots] > 0) & (state.due_day[slots] < today.day)
    return np.where(prepaid, short, late)


def read(today: Today, published: Path | None) -> Orders:
    """The orders that were listed yesterday, in the order of their ids; one twice counts once.

    An order is ours if its subscriber is, or, for a subscriber unknown, its branch.
    Raises ValueError for a file without work orders or subscribers.
    """
    if published is None:
        return no_orders()
    folder = published / f"dt={today.date - timedelta(days=1):%Y-%m-%d}"
    files = sorted(folder.glob("**/list.parquet")) if folder.is_dir() else []
    if not files:
        return no_orders()
    rows = pa.concat_tables([_read_file(path) for path in files])
    rows = rows.filter(pc.is_valid(rows["work_order_id"]))
    slots = _present(today, rows["subscriber_id"].combine_chunks())
    branches = pa.array(today.world.organisation.branch_ids, pa.string())
    is_our_branch = pc.is_in(rows["org_id"].combine_chunks(), value_set=branches)
    ours = (slots >= 0) | is_our_branch.to_numpy(zero_copy_only=False)
    rows = rows.append_column("slot", pa.array(slots)).filter(pa.array(ours))
    rows = rows.sort_by([("work_order_id", "ascending"), ("slot", "ascending")])
    if not len(rows):
        return no_orders()
    ids = rows["work_order_id"].combine_chunks()
    first = np.ones(len(ids), dtype=bool)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    return _orders(today, rows.filter(pa.array(first)))


def _orders(today: Today, rows: pa.Table) -> Orders:
    slots = rows["slot"].to_numpy()
    known = np.maximum(slots, 0)
    count = len(slots)
    zeros = np.zeros(count, dtype=np.int64)
    due = pc.fill_null(
        rows["due_date"].combine_chunks().cast(pa.int32()), today.day - 1 + _DAYS_TO_WORK
    )
    return Orders(
        work_order_ids=rows["work_order_id"].combine_chunks(),
        org_ids=rows["org_id"].combine_chunks(),
        slots=slots,
        families=_families(rows),
        roles=_index(rows, "assignee_role", ROLES),
        channels=_index(rows, "channel", CHANNELS),
        is_marketing=_index(rows, "message_class", MESSAGE_CLASSES),
        is_about_payment=_about_payment(rows),
        ranks=pc.fill_null(rows["rank"].combine_chunks(), _NO_RANK).to_numpy(zero_copy_only=False),
        list_days=np.full(count, today.day - 1),
        due_days=np.maximum(due.to_numpy(zero_copy_only=False).astype(np.int64), today.day),
        next_days=np.full(count, today.day),
        attempts=zeros,
        listed_status=today.state.status[known].astype(np.int64),
        was_in_debt=is_in_debt(today, known).astype(np.int64),
        is_rechecked=zeros,
        is_assigned=zeros,
        is_escalated=zeros,
    )


def _read_file(path: Path) -> pa.Table:
    file = pq.ParquetFile(path)
    names = set(file.schema_arrow.names)
    for name in _REQUIRED:
        if name not in names:
            raise ValueError(f"{path}: a published list needs the column {name}")
    wanted = [name for name in (*_TEXTS, "due_date", "rank") if name in names]
    rows = file.read(columns=wanted)
    columns = {name: _column(rows, name, pa.string()) for name in _TEXTS}
    columns["due_date"] = _column(rows, "due_date", pa.date32())
    columns["rank"] = _column(rows, "rank", pa.int64())
    return pa.table(columns)


def _column(rows: pa.Table, name: str, data_type: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """The column; one that is absent or of another kind is unknown."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), data_type)
    try:
        return rows[name].cast(data_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(rows), data_type)


def _present(today: Today, subscriber_ids: pa.Array) -> Ints:
    slots = today.world.slots_of(subscriber_ids)
    return np.where((slots >= 0) & today.is_present[np.maximum(slots, 0)], slots, -1)


def _index(rows: pa.Table, name: str, codes: Sequence[str]) -> Ints:
    """Index of each code; an unknown or missing one counts as the column's default."""
    default = list(codes).index(_DEFAULTS[name])
    index = pc.index_in(rows[name].combine_chunks(), value_set=pa.array(codes))
    return pc.fill_null(index, default).to_numpy(zero_copy_only=False).astype(np.int64)


def _families(rows: pa.Table) -> Ints:
    """The family offered; without one the action's own name, or what it is taken to be."""
    names = [*cat.FAMILY, *cat.ACTION_FAMILY]
    families = np.array([*range(len(cat.FAMILY)), *map(cat.FAMILY.get, cat.ACTION_FAMILY.values())])
    offered = pc.index_in(rows["offer_family"].combine_chunks(), value_set=pa.array(names))
    acted = pc.index_in(rows["action"].combine_chunks(), value_set=pa.array(names))
    index = pc.fill_null(pc.coalesce(offered, acted), names.index(_DEFAULTS["action"]))
    return families[index.to_numpy(zero_copy_only=False)].astype(np.int64)


def _about_payment(rows: pa.Table) -> Ints:
    found = np.zeros(len(rows), dtype=bool)
    for name in ("action", "reason_1", "reason_2", "reason_3"):
        matches = pc.match_substring_regex(
            rows[name].combine_chunks(), _ABOUT_PAYMENT, ignore_case=True
        )
        found |= pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
    return found.astype(np.int64)
