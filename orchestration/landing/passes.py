"""Some release dates of a feed through one DuckDB connection: into typed rows, each with its fate.

Here: probing, loading, duplicates, explaining bad rows, counting. Not here: how a file is read
(`probe.py`, `records.py`), what makes a row bad (`rows.py`), writing (`partitions.py`).

The tables of a pass, all temporary: `files` (number, date, name, path), `stored` (one row a
record: typed values and `_state`), `explained` (the bad ones: text and problems).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.contracts import Feed
from orchestration.landing.probe import READ_ERRORS, Delivery, probe, read_failure, text_blocks
from orchestration.landing.problems import FileRejectedError, Problem
from orchestration.landing.receipts import FileReceipt, Receipt
from orchestration.landing.records import SCHEMA, LineTooLongError, Tally, read_records
from orchestration.landing.releases import Release
from orchestration.landing.rows import (
    DUPLICATE,
    KEPT,
    POSITION,
    QUARANTINED,
    Layout,
    content_columns,
    key_columns,
    load_sql,
    problems_sql,
    stored_columns,
    unreadable_columns,
)
from orchestration.landing.sql import name_sql, text_sql


@dataclass
class _File:
    """A delivery in this pass."""

    number: int
    dt: date
    delivery: Delivery
    tally: Tally = field(default_factory=Tally)

    @property
    def layout_key(self) -> tuple[object, ...]:
        return self.delivery.file_format, self.delivery.header, self.delivery.types


@dataclass
class Pass:
    """Some release dates on their way through one DuckDB connection."""

    feed: Feed
    timezone: str
    connection: duckdb.DuckDBPyConnection
    problems: list[Problem] = field(default_factory=list)
    failed: set[date] = field(default_factory=set)
    files: list[_File] = field(default_factory=list)

    def run(self, group: Sequence[Release]) -> list[Receipt]:
        """Take the files in; receipts of the dates that can be written, in order."""
        self._probe(group)
        self._create_tables()
        layouts = [(files, self._layout(files[0])) for files in self._by_layout()]
        for files, layout in layouts:
            self._load(files, layout)
        self._settle_duplicates()
        for files, layout in layouts:
            self._explain(files, layout)
        receipts = self._count(group)
        return [receipts[release.dt] for release in group if release.dt not in self.failed]

    def _probe(self, group: Sequence[Release]) -> None:
        for release in group:
            for path in release.files:
                try:
                    delivery = probe(path, self.feed)
                except FileRejectedError as rejected:
                    self._fail(release.dt, rejected)
                else:
                    self.files.append(_File(len(self.files), release.dt, delivery))

    def _fail(self, dt: date, rejected: FileRejectedError) -> None:
        self.failed.add(dt)
        self.problems += rejected.problems

    def _create_tables(self) -> None:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in stored_columns(self.feed).items())
        self.connection.execute(f"create or replace temp table stored ({columns})")
        names = pa.table(
            {
                "_file": pa.array([file.number for file in self.files], pa.int32()),
                "dt": pa.array([file.dt for file in self.files], pa.date32()),
                "name": pa.array([file.delivery.name for file in self.files], pa.string()),
                "path": pa.array([str(file.delivery.path) for file in self.files], pa.string()),
            }
        )
        self.connection.register("incoming_files", names)
        self.connection.execute("create or replace temp table files as from incoming_files")
        self.connection.unregister("incoming_files")
        self.connection.execute(
            "create or replace temp table explained (_file integer, dt date, _line bigint,"
            " _lines integer, _text varchar, _problems varchar[])"
        )

    def _by_layout(self) -> list[list[_File]]:
        groups: dict[tuple[object, ...], list[_File]] = {}
        for file in self.files:
            groups.setdefault(file.layout_key, []).append(file)
        return list(groups.values())

    def _layout(self, file: _File) -> Layout:
        positions = file.delivery.positions
        if file.delivery.file_format == "csv":
            return Layout({name: f"_fields[{i + 1}]" for name, i in positions.items()})
        try:
            types = self.connection.execute(
                "select column_name, column_type from (describe select * from"
                f" read_parquet({text_sql(str(file.delivery.path))}, hive_partitioning = false))"
            ).fetchall()
        except duckdb.Error as error:
            types = [("", type(error).__name__)] * len(file.delivery.header)
        return Layout(
            {name: name_sql(f"_column_{i}") for name, i in positions.items()},
            {name: types[i][1] for name, i in positions.items()},
            {name: types[i][0] for name, i in positions.items()},
        )

    def _load(self, files: Sequence[_File], layout: Layout) -> None:
        good = self._readable(files, layout)
        if not good:
            return
        if layout.types is None:
            self._load_text(good, layout)
            return
        try:
            self._load_parquet(good, layout)
        except duckdb.Error:
            # Which one is it? Nothing of the failed statement was stored.
            for file in good:
                try:
                    self._load_parquet([file], layout)
                except duckdb.Error as error:
                    what = f"is no readable Parquet file ({type(error).__name__})"
                    self._fail(file.dt, FileRejectedError(Problem(file.delivery.name, what)))

    def _readable(self, files: Sequence[_File], layout: Layout) -> list[_File]:
        wrong = unreadable_columns(self.feed, layout, self.timezone) if layout.types else {}
        good = []
        for file in files:
            found = [
                Problem(
                    file.delivery.name,
                    f"Parquet type {kind} cannot hold {self.feed.column(column).data_type}",
                    column=column,
                )
                for column, kind in wrong.items()
            ]
            if found:
                self._fail(file.dt, FileRejectedError(*found))
            elif file.dt not in self.failed:
                good.append(file)
        return good

    def _load_text(self, files: Sequence[_File], layout: Layout) -> None:
        with self._incoming(self._batches(files)):
            self.connection.execute(
                f"insert into stored {load_sql(self.feed, layout, 'incoming', self.timezone)}"
            )

    def _load_parquet(self, files: Sequence[_File], layout: Layout) -> None:
        source = _parquet_source(files, layout, "null::varchar", "true")
        self.connection.execute(
            f"insert into stored {load_sql(self.feed, layout, source, self.timezone)}"
        )
        for file in files:
            file.tally.records = file.delivery.physical_lines

    @contextmanager
    def _incoming(self, batches: Iterator[pa.RecordBatch]) -> Iterator[None]:
        reader = pa.RecordBatchReader.from_batches(_INCOMING, batches)
        self.connection.register("incoming", reader)
        try:
            yield
        finally:
            self.connection.unregister("incoming")

    def _batches(
        self, files: Sequence[_File], wanted: Mapping[int, npt.NDArray[np.int64]] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Records of text files; a file that cannot be read to its end fails its date."""
        for file in files:
            delivery = file.delivery
            try:
                for batch in read_records(
                    _skip(text_blocks(delivery), delivery.body_offset),
                    delivery.delimiter,
                    len(delivery.header),
                    delivery.blank_lines_before_header + delivery.header_lines + 1,
                    marks_bad_bytes=delivery.has_bad_bytes,
                    wanted=None if wanted is None else wanted[file.number],
                    tally=file.tally if wanted is None else None,
                ):
                    if batch.num_rows:
                        yield _positioned(batch, file)
            except LineTooLongError as too_long:
                what = "is no CSV: a line of more than 64 MB"
                self._fail(file.dt, FileRejectedError(Problem(delivery.name, what, too_long.line)))
            except (*READ_ERRORS, UnicodeDecodeError) as error:
                what = read_failure(error)
                self._fail(file.dt, FileRejectedError(Problem(delivery.name, what)))

    def _settle_duplicates(self) -> None:
        """Rows with the same key on the same date: equal ones are kept once, others not at all."""
        keys = ", ".join(name_sql(name) for name in ("dt", *key_columns(self.feed)))
        self.connection.execute(
            f"create or replace temp table repeated as select {keys} from stored"
            f" where _state = {KEPT} group by all having count(*) > 1"
        )
        if not self.connection.execute("from repeated limit 1").fetchall():
            return
        content = ", ".join(name_sql(name) for name in content_columns(self.feed))
        self.connection.execute(
            f"""
            create or replace temp table settled as
            select _file, _line,
                case when n_same < n_key then {QUARANTINED} else {DUPLICATE} end as _state
            from (
                select _file, _line,
                    row_number() over (same order by _file, _line) as n,
                    count(*) over same as n_same,
                    count(*) over (partition by {keys}) as n_key
                from (select * from stored where _state = {KEPT}) semi join repeated using ({keys})
                window same as (partition by {keys}, {content})
            )
            where n_same < n_key or n > 1"""
        )
        self.connection.execute(
            "update stored set _state = settled._state from settled"
            " where stored._file = settled._file and stored._line = settled._line"
        )

    def _explain(self, files: Sequence[_File], layout: Layout) -> None:
        """Read the bad rows again, with their text, and say what is wrong with each."""
        files = [file for file in files if file.dt not in self.failed]
        if not files:
            return
        bad = self.connection.execute(
            f"select _file, _line from stored where _state = {QUARANTINED} and _file in"
            f" ({', '.join(str(file.number) for file in files)}) order by _file, _line"
        ).fetchnumpy()
        numbers, lines = np.asarray(bad["_file"]), np.asarray(bad["_line"])
        if not len(numbers):
            return
        wanted = {file.number: lines[numbers == file.number] for file in files}
        touched = [file for file in files if len(wanted[file.number])]
        target = f"insert into explained select {', '.join(_EXPLAINED)} from "
        if layout.types is None:
            with self._incoming(self._batches(touched, wanted)):
                sql = problems_sql(self.feed, layout, "incoming", self.timezone)
                self.connection.execute(f"{target} ({sql})")
            return
        source = _parquet_source(touched, layout, _row_json(layout), _IS_BAD)
        sql = problems_sql(self.feed, layout, source, self.timezone)
        try:
            self.connection.execute(f"{target} ({sql})")
        except duckdb.Error:
            # Readable a moment ago: if a file has changed, that is what is wrong.
            for file in touched:
                try:
                    file.delivery.check_unchanged()
                except FileRejectedError as rejected:
                    self._fail(file.dt, rejected)
            if not self.failed.intersection(file.dt for file in touched):
                raise

    def _count(self, group: Sequence[Release]) -> Mapping[date, Receipt]:
        counts: dict[tuple[int, int], tuple[int, int]] = {
            (number, state): (rows, lines)
            for number, state, rows, lines in self.connection.execute(
                "select _file, _state, count(*), sum(_lines)::bigint from stored group by all"
            ).fetchall()
        }
        explained = dict(
            self.connection.execute("select _file, count(*) from explained group by all").fetchall()
        )
        by_date: dict[date, list[FileReceipt]] = {release.dt: [] for release in group}
        for file in self.files:
            if file.dt in self.failed:
                continue
            states = [counts.get((file.number, s), (0, 0)) for s in (KEPT, QUARANTINED, DUPLICATE)]
            receipt = self._file_receipt(file, states)
            by_date[file.dt].append(receipt)
            try:
                file.delivery.check_unchanged()
                if not receipt.is_conserved or explained.get(file.number, 0) != receipt.quarantined:
                    what = "its lines do not add up: kept, quarantined and duplicate rows differ"
                    raise FileRejectedError(Problem(file.delivery.name, what))
            except FileRejectedError as rejected:
                self._fail(file.dt, rejected)
        return {dt: Receipt(self.feed.name, dt, tuple(files)) for dt, files in by_date.items()}

    def _file_receipt(self, file: _File, states: Sequence[tuple[int, int]]) -> FileReceipt:
        delivery = file.delivery
        names = delivery.positions
        known = {column.name for column in self.feed.columns}
        return FileReceipt(
            file=delivery.name,
            file_format=delivery.file_format,
            encoding=delivery.encoding or None,
            delimiter=delivery.delimiter or None,
            file_bytes=delivery.stamp.size,
            sha256=delivery.sha256,
            physical_lines=delivery.physical_lines,
            header_lines=delivery.header_lines,
            blank_lines=delivery.blank_lines_before_header + file.tally.blank_lines,
            record_lines=sum(lines for _, lines in states),
            records=file.tally.records,
            kept=states[0][0],
            quarantined=states[1][0],
            duplicates=states[2][0],
            missing_columns=tuple(c.name for c in self.feed.columns if c.name not in names),
            extra_columns=tuple(sorted(name for name in names if name not in known | {"dt"})),
        )


_INCOMING = pa.schema([("_file", pa.int32()), ("dt", pa.date32()), *SCHEMA])
_EXPLAINED = (*(name for name in POSITION if name != "_defect"), "_problems")
_IS_BAD = (
    "(files._file, parquet.file_row_number + 1) in"
    f" (select (_file, _line) from stored where _state = {QUARANTINED})"
)


def _positioned(batch: pa.RecordBatch, file: _File) -> pa.RecordBatch:
    numbers = pa.array(np.full(batch.num_rows, file.number, np.int32))
    days = pa.array(np.full(batch.num_rows, file.dt.toordinal() - _EPOCH, np.int32)).cast(
        pa.date32()
    )
    return pa.RecordBatch.from_arrays([numbers, days, *batch.columns], schema=_INCOMING)


_EPOCH = date(1970, 1, 1).toordinal()


def _skip(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The text without its first bytes (the header)."""
    for block in blocks:
        if count >= len(block):
            count -= len(block)
            continue
        yield block[count:] if count else block
        count = 0


def _parquet_source(files: Sequence[_File], layout: Layout, text: str, condition: str) -> str:
    """Rows of Parquet files with POSITION and the layout's fields."""
    paths = ", ".join(text_sql(str(file.delivery.path)) for file in files)
    fields = "".join(
        f", parquet.{name_sql(delivered)} as {layout.fields[name]}"
        for name, delivered in layout.delivered.items()
    )
    return f"""(
        select files._file, files.dt, parquet.file_row_number + 1 as _line, 1 as _lines,
            null::tinyint as _defect, {text} as _text{fields}
        from read_parquet([{paths}], filename = '_path', file_row_number = true,
            hive_partitioning = false) as parquet
        join files on files.path = parquet._path
        where {condition}
    )"""


def _row_json(layout: Layout) -> str:
    """SQL: a Parquet row as JSON of its delivered columns."""
    pairs = ", ".join(
        f"{text_sql(name)}: parquet.{name_sql(name)}" for name in layout.delivered.values()
    )
    return f"to_json({{{pairs}}})::varchar"
