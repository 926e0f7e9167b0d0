"""Which rows of a clean table are spoilt, and how their values read afterwards.

Here: choosing rows, other values, rows that come twice; on typed tables. Not here: what only text
can show (`dirt_text.py`), files and truth (`dirt.py`).

Rows that are added come after all others, so that every clean row stays where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator.dirt_kinds import (
    REPEAT_KINDS,
    ROW_KINDS,
    TEXT_KINDS,
    DirtPlan,
    Kind,
    Outcome,
    columns_for,
)
from orchestration.simulator.feeds import KEYS, KINDS

_UNKNOWN_CODE = "ZZ_UNLISTED"
_NO_NUMBER = "n/a"
_RESTATED_TEXT = "9"
_FURTHEST_DAYS = 3
# More than the days that a month can have left, and one whole month.
_MONTHS_AHEAD_DAYS = 62


@dataclass(frozen=True)
class Spot:
    """One row that is not as it should be. `row` counts from 0 in the delivered table.

    `delivered` is a typed value, for a kind that only text can show the text.
    """

    kind: Kind
    row: int
    column: str | None
    key: str
    clean: Any
    delivered: Any
    outcome: Outcome
    is_added: bool = False


@dataclass(frozen=True)
class Spoilt:
    """A table with its spots; `to_correct` are clean rows that a later file has to bring."""

    rows: pa.Table
    spots: tuple[Spot, ...]
    to_correct: pa.Table


def spoil(
    rows: pa.Table,
    feed: str,
    dt: date,
    plan: DirtPlan,
    present: Sequence[str],
    corrections: pa.Table,
    can_correct: bool,
    generator: np.random.Generator,
) -> Spoilt:
    """Spoil rows of a clean table by the plan and append `corrections` of earlier files.

    Only columns in `present` (what the file will have) are touched. Kinds of TEXT_KINDS are
    chosen here but the table keeps their clean values.
    """
    counts = {
        kind: plan.amount(kind, feed).of(len(rows))
        for kind in ROW_KINDS
        if (kind is not Kind.LATE_CORRECTION or can_correct) and _has_place(kind, feed, present)
    }
    chosen = _choose(rows, feed, sum(counts.values()), generator)
    spots: list[Spot] = []
    repeated: list[int] = []
    to_correct: list[int] = []
    start = 0
    for kind, count in counts.items():
        indices = chosen[start : start + count]
        start += count
        places = [name for name in columns_for(kind, feed) if name in present]
        needed = [name for name in rows.column_names if name in (*KEYS[feed], *places)]
        records = rows.select(needed).take(pa.array(indices)).to_pylist()
        for index, record in zip(indices, records, strict=True):
            spot = _spot(kind, int(index), record, feed, dt, places, generator)
            if kind in (Kind.DUPLICATE_KEY, Kind.REPEATED_ROW):
                if kind is Kind.DUPLICATE_KEY:
                    spots.append(_bystander(spot))
                spot = _moved(spot, len(rows) + len(repeated))
                repeated.append(int(index))
            elif kind is Kind.LATE_CORRECTION:
                to_correct.append(int(index))
            spots.append(spot)
    corrected_from = len(rows) + len(repeated)
    spots += [
        Spot(
            Kind.LATE_CORRECTION,
            corrected_from + index,
            None,
            key_text(record, feed),
            None,
            None,
            Outcome.KEPT,
            is_added=True,
        )
        for index, record in enumerate(corrections.to_pylist())
    ]
    whole = pa.concat_tables([rows, rows.take(pa.array(repeated, pa.int64())), corrections])
    spots.sort(key=lambda spot: spot.row)
    return Spoilt(
        changed(whole, [spot for spot in spots if spot.column and spot.kind not in TEXT_KINDS]),
        tuple(spots),
        rows.take(pa.array(to_correct, pa.int64())),
    )


def key_text(record: Mapping[str, Any], feed: str) -> str:
    """The key of a row in words, its columns separated by bars."""
    return "|".join(str(record[name]) for name in KEYS[feed])


def changed(rows: pa.Table, spots: Sequence[Spot]) -> pa.Table:
    """The table with each spot's value in its place; columns that it does not have are left."""
    by_column: dict[str, list[Spot]] = {}
    for spot in spots:
        if spot.column is not None and spot.column in rows.column_names:
            by_column.setdefault(spot.column, []).append(spot)
    for name, places in by_column.items():
        position = rows.column_names.index(name)
        mask = np.zeros(len(rows), bool)
        mask[[spot.row for spot in places]] = True
        data_type = rows.schema.field(name).type
        values = pa.array([spot.delivered for spot in places], data_type)
        column = pc.replace_with_mask(rows[name].combine_chunks(), pa.array(mask), values)
        rows = rows.set_column(position, rows.schema.field(name), column)
    return rows


def _has_place(kind: Kind, feed: str, present: Sequence[str]) -> bool:
    is_anywhere = kind is Kind.REPEATED_ROW or (
        kind in TEXT_KINDS and kind not in (Kind.IMPOSSIBLE_DATE, Kind.TEXT_IN_NUMBER)
    )
    return is_anywhere or any(name in present for name in columns_for(kind, feed))


def _choose(
    rows: pa.Table, feed: str, wanted: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Rows to spoil, each once, at random: with a key of their own and on one line."""
    if not wanted:
        return np.empty(0, np.int64)
    order = generator.permutation(len(rows))
    chosen = np.empty(0, np.int64)
    while len(chosen) < wanted and len(order):
        count = wanted - len(chosen)
        chosen = np.concatenate([chosen, _usable(rows, feed, order[:count])])
        order = order[count:]
    return chosen


def _usable(rows: pa.Table, feed: str, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows are ordered by key, so that an equal key is a neighbour's."""
    keys = rows.select(list(KEYS[feed]))
    last = len(rows) - 1
    before = keys.take(pa.array(np.maximum(indices - 1, 0))).to_pylist()
    after = keys.take(pa.array(np.minimum(indices + 1, last))).to_pylist()
    read = [
        name for name, kind in KINDS[feed].items() if kind == "text" or name in keys.column_names
    ]
    records = rows.select(read).take(pa.array(indices)).to_pylist()
    is_usable = []
    for index, record, previous, following in zip(indices, records, before, after, strict=True):
        key = {name: record[name] for name in KEYS[feed]}
        is_alone = (index == 0 or key != previous) and (index == last or key != following)
        is_line = not any(isinstance(value, str) and "\n" in value for value in record.values())
        is_usable.append(is_alone and is_line)
    return indices[np.array(is_usable, bool)]


def _spot(
    kind: Kind,
    row: int,
    record: Mapping[str, Any],
    feed: str,
    dt: date,
    places: Sequence[str],
    generator: np.random.Generator,
) -> Spot:
    column = places[int(generator.integers(len(places)))] if places else None
    clean = dt if kind is Kind.OTHER_DT else record[column] if column else None
    delivered = (
        _value(kind, KINDS[feed].get(column, "date"), clean, dt, generator) if column else None
    )
    outcome = {
        Kind.REPEATED_ROW: Outcome.DROPPED,
        Kind.LATE_CORRECTION: Outcome.SUPERSEDED,
    }.get(kind, Outcome.QUARANTINED)
    return Spot(kind, row, column, key_text(record, feed), clean, delivered, outcome)


def _bystander(spot: Spot) -> Spot:
    """The row whose key another one takes: unchanged, but nobody can tell which one is true."""
    return Spot(spot.kind, spot.row, None, spot.key, None, None, spot.outcome)


def _moved(spot: Spot, row: int) -> Spot:
    return Spot(
        spot.kind,
        row,
        spot.column,
        spot.key,
        spot.clean,
        spot.delivered,
        spot.outcome,
        is_added=spot.kind in REPEAT_KINDS,
    )


def _value(
    kind: Kind, column_kind: str, clean: Any, dt: date, generator: np.random.Generator
) -> Any:
    """What is delivered instead of the clean value."""
    days = timedelta(days=1 + int(generator.integers(_FURTHEST_DAYS)))
    if kind is Kind.IMPOSSIBLE_DATE:
        return {"date": f"{dt.year}-02-30", "month": f"{dt.year}-13"}.get(
            column_kind, f"{dt.year}-02-30 10:00:00"
        )
    if kind is Kind.TEXT_IN_NUMBER:
        return _NO_NUMBER
    if kind is Kind.NEGATIVE_NUMBER:
        return _number(column_kind, -1 - int(generator.integers(99)))
    if kind is Kind.UNKNOWN_CODE:
        return _UNKNOWN_CODE
    if kind is Kind.FUTURE_EVENT:
        return _later(column_kind, dt, days)
    if kind is Kind.MISSING_KEY:
        return None
    if kind is Kind.OTHER_DT:
        return dt - days
    return _restated(column_kind, clean)


def _number(column_kind: str, value: int) -> int | Decimal:
    return value if column_kind == "count" else Decimal(value)


def _later(column_kind: str, dt: date, days: timedelta) -> Any:
    if column_kind == "date":
        return dt + days
    if column_kind == "month":
        return f"{dt + timedelta(days=_MONTHS_AHEAD_DAYS):%Y-%m}"
    # Midnight: the first moment that the file cannot know of.
    return datetime.combine(dt + days, time())


def _restated(column_kind: str, clean: Any) -> Any:
    """Another value, as possible as the clean one."""
    if column_kind == "flag":
        return not clean
    if column_kind == "text":
        return f"{clean or ''}{_RESTATED_TEXT}"
    return _number(column_kind, 1) + (clean or 0)
