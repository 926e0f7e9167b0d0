"""Dirt on request: landing files with a known number of bad rows, and the truth about each.

Here: what becomes of one file of one day. Not here: the kinds and amounts (`dirt_kinds.py`), rows
(`dirt_rows.py`), text (`dirt_text.py`), the truth's tables (`dirt_truth.py`), the life of the
operator, which knows nothing of it.

What happens to a file is decided by seed, feed, date, part and its clean rows alone. Only a late
correction outlives its day: the clean rows wait under the truth until the file that brings them.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.simulator import dirt_truth
from orchestration.simulator.dirt_kinds import ENCODINGS, FATES, DirtPlan, Kind, Outcome
from orchestration.simulator.dirt_rows import Spoilt, Spot, changed, spoil
from orchestration.simulator.dirt_text import (
    GB18030,
    UTF8,
    UTF16,
    is_told_from_utf8,
    lines_of,
    record_starts,
    spoil_text,
)
from orchestration.simulator.dirt_truth import FileCounts, fact
from orchestration.simulator.feeds import KEYS, PARQUET_FEEDS, SCHEMAS, write_csv, write_parquet
from orchestration.simulator.randomness import Stream

EXTRA_COLUMN = "batch_no"
_EXTRA_VALUE = "B1"
_DELIMITERS = ("|", "\t", "^")
_ENCODING_NAMES: Mapping[Kind | None, str] = {Kind.GB18030: GB18030, Kind.UTF16: UTF16, None: UTF8}
_LOST: Mapping[Kind, Outcome] = {
    Kind.MISSING_FILE: Outcome.NOT_DELIVERED,
    Kind.ZERO_BYTES: Outcome.FAILED,
    Kind.HEADER_ONLY: Outcome.EMPTY,
}
# A correction comes after 1 to 3 days, or with the next file after that which can carry it.
_CORRECTION_DAYS = 3
_LAST_CORRECTION_DAYS = 30


class _Purpose(IntEnum):
    """What a file's random numbers are for."""

    FATE = 1
    FORM = 2
    ROWS = 3
    DELAY = 4


@dataclass(frozen=True)
class _Delivery:
    """One landing file by its name."""

    feed: str
    dt: date
    part: int | None

    @property
    def stem(self) -> str:
        return f"{self.feed}_{self.dt:%Y%m%d}" + ("" if self.part is None else f"_{self.part:02d}")

    @property
    def name(self) -> str:
        return f"{self.stem}.{self._suffix}"

    @property
    def repeated_name(self) -> str:
        """The part number behind a 9: sorted by name, it comes after the file that it repeats."""
        return f"{self.feed}_{self.dt:%Y%m%d}_9{self.part or 0:02d}.{self._suffix}"

    @property
    def is_parquet(self) -> bool:
        return self.feed in PARQUET_FEEDS

    @property
    def _suffix(self) -> str:
        return "parquet" if self.is_parquet else "csv"

    def on(self, dt: date) -> _Delivery:
        """The same part of another day."""
        return _Delivery(self.feed, dt, self.part)


@dataclass(frozen=True)
class _Form:
    """How one file is delivered. `kinds`: what is odd about it -> the column that it concerns."""

    header: tuple[str, ...]
    delimiter: str = ","
    encoding: str = UTF8
    kinds: Mapping[Kind, str | None] = field(default_factory=dict)

    @property
    def as_utf8(self) -> _Form:
        kinds = {kind: column for kind, column in self.kinds.items() if kind not in ENCODINGS}
        return _Form(self.header, self.delimiter, UTF8, kinds)


@dataclass(frozen=True)
class Soiler:
    """Delivers files with dirt, instead of `feeds.write`, and keeps the truth about them.

    `truth` is the operator's truth folder. On `opened_on` no file is lost: all later ones build on
    those. The truth lies in `<truth>/dirt/rows/` and `<truth>/dirt/files/`: one file for each
    landing file that is not clean, with its name.
    """

    plan: DirtPlan
    seed: int
    truth: Path
    opened_on: date

    def write(
        self, landing: Path, feed: str, dt: date, rows: pa.Table, part: int | None = None
    ) -> None:
        """Deliver the feed's rows of one day, or one part of them, as the plan has it."""
        self.withdraw(landing, feed, dt, part)
        delivery = _Delivery(feed, dt, part)
        folder = landing / feed
        folder.mkdir(parents=True, exist_ok=True)
        fate = self._fate(feed, dt)
        if fate is not None and not (fate is Kind.HEADER_ONLY and not len(rows)):
            self._lose(folder, delivery, rows, fate)
            return
        form = self._form(delivery)
        due = self._correction_day(delivery)
        spoilt = spoil(
            rows,
            feed,
            dt,
            self.plan,
            form.header,
            self._due_corrections(delivery),
            due is not None,
            self._generator(_Purpose.ROWS, delivery),
        )
        if due is not None and len(spoilt.to_correct):
            dirt_truth.write_table(spoilt.to_correct, self._waiting(delivery, due))
        table = _laid_out(spoilt, dt, form)
        path = folder / delivery.name
        if delivery.is_parquet:
            _write_parquet(table, feed, path)
            lines = np.arange(1, len(table) + 1)
        else:
            form, lines = _write_text(table, path, KEYS[feed][0], form, spoilt.spots)
        if spoilt.spots or form.kinds:
            facts = [fact(spot, int(lines[spot.row]), due) for spot in spoilt.spots]
            self._record(folder, delivery, form, facts, FileCounts.of(len(rows), spoilt.spots))

    def withdraw(self, landing: Path, feed: str, dt: date, part: int | None = None) -> None:
        """Take away what an earlier run delivered for this date and part, and its truth."""
        delivery = _Delivery(feed, dt, part)
        for name in (delivery.name, delivery.repeated_name):
            (landing / feed / name).unlink(missing_ok=True)
            dirt_truth.remove(self.truth, name)
        for days in range(1, _LAST_CORRECTION_DAYS + 1):
            self._waiting(delivery, dt + timedelta(days=days)).unlink(missing_ok=True)

    # --- what happens to a file ----------------------------------------------------------------

    def _generator(self, purpose: _Purpose, delivery: _Delivery) -> np.random.Generator:
        name = zlib.crc32(delivery.feed.encode())
        part = 0 if delivery.part is None else delivery.part + 1
        key = [self.seed, int(Stream.DIRT), delivery.dt.toordinal(), name, part, int(purpose)]
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))

    def _fate(self, feed: str, dt: date) -> Kind | None:
        """How the day's delivery is lost, all parts alike; None if it is not."""
        if dt == self.opened_on:
            return None
        draw = self._generator(_Purpose.FATE, _Delivery(feed, dt, None)).random()
        return self._one_of(FATES, feed, draw)

    def _form(self, delivery: _Delivery) -> _Form:
        feed = delivery.feed
        generator = self._generator(_Purpose.FORM, delivery)
        # All is drawn, needed or not: one kind's chance moves no other's.
        encodes, omits, dates, extends, orders, delimits, repeats = generator.random(7)
        which, where, column = generator.random(3)
        header = list(SCHEMAS[feed].names)
        order = generator.permutation(len(header) + 2)
        kinds: dict[Kind, str | None] = {}
        encoding = self._one_of(ENCODINGS, feed, encodes)
        if encoding is not None:
            kinds[encoding] = None
        optional = [name for name in header if name not in KEYS[feed]]
        is_first = delivery.dt == self.opened_on
        if self._has(Kind.ABSENT_COLUMN, feed, omits) and optional and not is_first:
            absent = optional[int(column * len(optional))]
            kinds[Kind.ABSENT_COLUMN] = absent
            header.remove(absent)
        if self._has(Kind.DT_COLUMN, feed, dates):
            kinds[Kind.DT_COLUMN] = "dt"
            header.append("dt")
        if self._has(Kind.EXTRA_COLUMN, feed, extends):
            kinds[Kind.EXTRA_COLUMN] = EXTRA_COLUMN
            header.insert(int(where * (len(header) + 1)), EXTRA_COLUMN)
        if self._has(Kind.COLUMN_ORDER, feed, orders):
            kinds[Kind.COLUMN_ORDER] = None
            header = [header[place] for place in order if place < len(header)]
        delimiter = ","
        if self._has(Kind.OTHER_DELIMITER, feed, delimits):
            kinds[Kind.OTHER_DELIMITER] = None
            delimiter = _DELIMITERS[int(which * len(_DELIMITERS))]
        if self._has(Kind.REPEATED_FILE, feed, repeats):
            kinds[Kind.REPEATED_FILE] = None
        return _Form(tuple(header), delimiter, _ENCODING_NAMES[encoding], kinds)

    def _one_of(self, kinds: Sequence[Kind], feed: str, draw: float) -> Kind | None:
        for kind in kinds:
            draw -= self.plan.amount(kind, feed).share
            if draw < 0:
                return kind
        return None

    def _has(self, kind: Kind, feed: str, draw: float) -> bool:
        return draw < self.plan.amount(kind, feed).share

    # --- late corrections ----------------------------------------------------------------------

    def _correction_day(self, delivery: _Delivery) -> date | None:
        """The later file that puts this one's wrong rows right: one that is whole."""
        amount = self.plan.amount(Kind.LATE_CORRECTION, delivery.feed)
        if not amount.rows and not amount.share:
            return None
        delay = 1 + int(self._generator(_Purpose.DELAY, delivery).integers(_CORRECTION_DAYS))
        for days in range(delay, _LAST_CORRECTION_DAYS + 1):
            later = delivery.on(delivery.dt + timedelta(days=days))
            is_whole = Kind.ABSENT_COLUMN not in self._form(later).kinds
            if is_whole and self._fate(later.feed, later.dt) is None:
                return later.dt
        return None

    def _waiting(self, delivery: _Delivery, due: date) -> Path:
        folder = self.truth / "dirt" / "corrections" / f"due={due}"
        return folder / f"{delivery.stem}.parquet"

    def _due_corrections(self, delivery: _Delivery) -> pa.Table:
        """The clean rows of earlier files that wait for this one, the oldest first."""
        tables = [SCHEMAS[delivery.feed].empty_table()]
        for days in range(_LAST_CORRECTION_DAYS, 0, -1):
            earlier = delivery.on(delivery.dt - timedelta(days=days))
            path = self._waiting(earlier, delivery.dt)
            if path.exists():
                tables.append(pq.ParquetFile(path).read().cast(tables[0].schema))
        return pa.concat_tables(tables)

    # --- what is left behind -------------------------------------------------------------------

    def _lose(self, folder: Path, delivery: _Delivery, rows: pa.Table, fate: Kind) -> None:
        path = folder / delivery.name
        if fate is Kind.ZERO_BYTES:
            _put(path, b"")
        elif fate is Kind.HEADER_ONLY:
            form = _Form(tuple(rows.column_names))
            if delivery.is_parquet:
                _write_parquet(rows.slice(0, 0), delivery.feed, path)
            else:
                _write_text(rows.slice(0, 0), path, KEYS[delivery.feed][0], form, ())
        facts = [{"kind": fate, "outcome": _LOST[fate], "is_added": False}]
        counts = FileCounts(clean_rows=len(rows), lost_rows=len(rows))
        feed, dt = delivery.feed, delivery.dt
        dirt_truth.write(self.truth, feed, dt, path.name, facts, counts, _LOST[fate])

    def _record(
        self,
        folder: Path,
        delivery: _Delivery,
        form: _Form,
        of_rows: Sequence[Mapping[str, Any]],
        counts: FileCounts,
    ) -> None:
        """The truth of a delivered file, and the file once more if that is asked for."""
        feed, dt = delivery.feed, delivery.dt
        of_file = [
            {"kind": kind, "column": column, "outcome": Outcome.KEPT, "is_added": False}
            for kind, column in form.kinds.items()
            if kind is not Kind.REPEATED_FILE
        ]
        facts = [*of_file, *of_rows]
        dirt_truth.write(self.truth, feed, dt, delivery.name, facts, counts, Outcome.KEPT)
        if Kind.REPEATED_FILE in form.kinds:
            again = folder / delivery.repeated_name
            unfinished = again.with_name(f"{again.name}.tmp")
            shutil.copyfile(folder / delivery.name, unfinished)
            unfinished.replace(again)
            facts = [
                {"kind": Kind.REPEATED_FILE, "outcome": Outcome.DROPPED, "is_added": True},
                *of_file,
                *(
                    {**each, "is_added": True}
                    for each in of_rows
                    if each["outcome"] is Outcome.QUARANTINED
                ),
            ]
            dirt_truth.write(self.truth, feed, dt, again.name, facts, counts.repeated, Outcome.KEPT)


def _laid_out(spoilt: Spoilt, dt: date, form: _Form) -> pa.Table:
    """The columns of the file, in its order."""
    rows = spoilt.rows
    if "dt" in form.header:
        rows = rows.append_column("dt", pa.repeat(pa.scalar(dt, pa.date32()), len(rows)))
        rows = changed(rows, [spot for spot in spoilt.spots if spot.kind is Kind.OTHER_DT])
    if EXTRA_COLUMN in form.header:
        rows = rows.append_column(EXTRA_COLUMN, pa.repeat(_EXTRA_VALUE, len(rows)))
    return rows.select(list(form.header))


def _write_parquet(table: pa.Table, feed: str, path: Path) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    write_parquet(table, feed, unfinished)
    unfinished.replace(path)


def _write_text(
    rows: pa.Table, path: Path, key_column: str, form: _Form, spots: Sequence[Spot]
) -> tuple[_Form, npt.NDArray[np.int64]]:
    """Write a text file; how it is really delivered, and the line of each row."""
    unfinished = path.with_name(f"{path.name}.tmp")
    write_csv(rows, unfinished, form.delimiter)
    lines = np.empty(0, np.int64)
    if spots or form.encoding != UTF8:
        text = unfinished.read_bytes()
        if not is_told_from_utf8(text, form.encoding):
            form = form.as_utf8
        starts = record_starts(text)
        lines = lines_of(text, starts)[1:-1]
        unfinished.write_bytes(
            spoil_text(text, starts, form.header, key_column, form.delimiter, form.encoding, spots)
        )
    unfinished.replace(path)
    return form, lines


def _put(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(path)
