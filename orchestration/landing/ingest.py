"""Landing files of one feed into raw partitions, quarantine, vault and receipts.

Here: the order of things: probe, load, find duplicates, explain bad rows, count, write. Not here:
how a file is read (`probe.py`, `records.py`) and what makes a row bad (`rows.py`).

Many small dates go through one pass; each date's partition depends on its files alone, so the
bytes are the same however the dates are grouped.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.contracts import Feed
from orchestration.lake import Lake
from orchestration.landing.personal import bind_placeholder_names, bind_token_key
from orchestration.landing.probe import READ_ERRORS, Delivery, probe, read_failure, text_blocks
from orchestration.landing.problems import FileRejectedError, Label, LandingError, Problem
from orchestration.landing.receipts import FileReceipt, Receipt, write_receipt
from orchestration.landing.records import SCHEMA, LineTooLongError, Tally, read_records
from orchestration.landing.releases import Release, scan
from orchestration.landing.rows import (
    DUPLICATE,
    KEPT,
    POSITION,
    QUARANTINED,
    Layout,
    clear_columns,
    content_columns,
    key_columns,
    load_sql,
    problems_sql,
    raw_columns,
    stored_columns,
    unreadable_columns,
)
from orchestration.landing.vault import write_vault

PASS_BYTES = 256 * 1024 * 1024
# How much longer text is than its gzip file, roughly: decides only how many dates make a pass.
_GZIP_RATIO = 6
_COPY_OPTIONS = "format parquet, compression zstd, compression_level 1"


@dataclass(frozen=True)
class Keys:
    """The token key and the vault key (32 bytes each)."""

    token: bytes = field(repr=False)
    vault: bytes = field(repr=False)


def ingest(
    feed: Feed,
    days: Sequence[date],
    landing: Path,
    lake: Lake,
    keys: Keys,
    timezone: str,
    reasons: Mapping[str, Label],
    memory_limit: str,
    threads: int,
    on_progress: Callable[[Receipt], None] | None = None,
    placeholder_names: Collection[str] = (),
) -> list[Receipt]:
    """Take in a feed's files of some release dates; one receipt a date, in order.

    Replaces what an earlier run wrote for these dates; a date without a file loses its partition
    and gets a receipt that says so. The same files give the same bytes.
    Raises LandingError after all good dates were written; a date with a file that cannot be taken
    in keeps what it had.
    """
    releases = scan(landing, feed.name).releases
    problems: list[Problem] = []
    receipts: list[Receipt] = []
    dates = sorted(set(days))
    with _session(
        feed, lake, keys, placeholder_names, reasons, memory_limit, threads
    ) as connection:
        for group in _passes([releases.get(dt) or Release(feed.name, dt, ()) for dt in dates]):
            one = _Pass(feed, lake, keys, timezone, connection)
            for receipt in one.run(group):
                receipts.append(receipt)
                if on_progress:
                    on_progress(receipt)
            problems += one.problems
    if problems:
        raise LandingError(problems, receipts)
    return receipts


@contextmanager
def _session(
    feed: Feed,
    lake: Lake,
    keys: Keys,
    placeholder_names: Collection[str],
    reasons: Mapping[str, Label],
    memory_limit: str,
    threads: int,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private DuckDB in memory; it spills into a folder that only its owner can read."""
    spill = lake.workspace / f"{uuid.uuid4().hex}.spill"
    spill.mkdir(mode=0o700)
    try:
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "TimeZone": "UTC",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("create temp table reasons (reason varchar, en varchar, zh varchar)")
            labels = [[name, label.en, label.zh] for name, label in reasons.items()]
            if labels:
                connection.executemany("insert into reasons values ($1, $2, $3)", labels)
            bind_placeholder_names(connection, placeholder_names)
            if feed.has_personal_data:
                bind_token_key(connection, keys.token)
            try:
                yield connection
            except duckdb.Error as error:
                if not feed.has_personal_data:
                    raise
                # DuckDB's own message may quote a value.
                raise RuntimeError(f"{feed.name}: DuckDB failed ({type(error).__name__})") from None
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _passes(releases: Sequence[Release]) -> Iterator[list[Release]]:
    """Consecutive dates, as many as PASS_BYTES hold (at least one)."""
    group: list[Release] = []
    size = 0
    for release in releases:
        release_bytes = sum(map(_text_bytes, release.files))
        if group and size + release_bytes > PASS_BYTES:
            yield group
            group, size = [], 0
        group.append(release)
        size += release_bytes
    if group:
        yield group


def _text_bytes(path: Path) -> int:
    try:
        return path.stat().st_size * (_GZIP_RATIO if path.suffix == ".gz" else 1)
    except OSError:
        return 0


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
class _Pass:
    """Some release dates on their way through one DuckDB connection."""

    feed: Feed
    lake: Lake
    keys: Keys
    timezone: str
    connection: duckdb.DuckDBPyConnection
    problems: list[Problem] = field(default_factory=list)
    failed: set[date] = field(default_factory=set)
    files: list[_File] = field(default_factory=list)

    def run(self, group: Sequence[Release]) -> Iterator[Receipt]:
        self._probe(group)
        self._create_tables()
        layouts = [(files, self._layout(files[0])) for files in self._by_layout()]
        for files, layout in layouts:
            self._load(files, layout)
        self._settle_duplicates()
        for files, layout in layouts:
            self._explain(files, layout)
        receipts = self._count(group)
        for release in group:
            if release.dt not in self.failed:
                self._write(receipts[release.dt])
                yield receipts[release.dt]

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
                f" read_parquet({_text(str(file.delivery.path))}, hive_partitioning = false))"
            ).fetchall()
        except duckdb.Error as error:
            types = [("", type(error).__name__)] * len(file.delivery.header)
        return Layout(
            {name: _name(f"_column_{i}") for name, i in positions.items()},
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
        self, files: Sequence[_File], wanted: Mapping[int, np.ndarray] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Records of text files; a file that cannot be read to its end fails its date."""
        for file in files:
            delivery = file.delivery
            assert delivery.delimiter is not None
            file.tally = tally = Tally() if wanted is None else file.tally
            try:
                for batch in read_records(
                    _skip(text_blocks(delivery), delivery.body_offset),
                    delivery.delimiter,
                    len(delivery.header),
                    delivery.blank_lines_before_header + delivery.header_lines + 1,
                    marks_bad_bytes=delivery.has_bad_bytes,
                    wanted=None if wanted is None else wanted[file.number],
                    tally=tally if wanted is None else None,
                ):
                    if batch.num_rows:
                        yield _positioned(batch, file)
            except LineTooLongError as too_long:
                what = "is no CSV: a line of more than 64 MB"
                self._fail(file.dt, FileRejectedError(Problem(delivery.name, what, too_long.line)))
            except (*READ_ERRORS, UnicodeDecodeError) as error:
                what = read_failure(delivery.path, error)
                self._fail(file.dt, FileRejectedError(Problem(delivery.name, what)))

    def _settle_duplicates(self) -> None:
        """Rows with the same key on the same date: equal ones are kept once, others not at all."""
        keys = ", ".join(_name(name) for name in ("dt", *key_columns(self.feed)))
        self.connection.execute(
            f"create or replace temp table repeated as select {keys} from stored"
            f" where _state = {KEPT} group by all having count(*) > 1"
        )
        if not self._number("select count(*) from repeated"):
            return
        content = ", ".join(_name(name) for name in content_columns(self.feed))
        self.connection.execute(
            f"""
            create or replace temp table settled as
            select _file, _line, case when same < alike then {QUARANTINED} else {DUPLICATE} end as _state
            from (
                select _file, _line,
                    row_number() over (partition by {keys}, {content} order by _file, _line) as copy,
                    count(*) over (partition by {keys}, {content}) as same,
                    count(*) over (partition by {keys}) as alike
                from (select * from stored where _state = {KEPT}) semi join repeated using ({keys})
            )
            where same < alike or copy > 1"""
        )
        self.connection.execute(
            "update stored set _state = settled._state from settled"
            " where stored._file = settled._file and stored._line = settled._line"
        )

    def _explain(self, files: Sequence[_File], layout: Layout) -> None:
        """Read the bad rows again, with their text, and say what is wrong with each."""
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
        self.connection.execute(
            f"{target} ({problems_sql(self.feed, layout, source, self.timezone)})"
        )

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
            encoding=delivery.encoding,
            delimiter=delivery.delimiter,
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

    def _write(self, receipt: Receipt) -> None:
        """One date: vault, quarantine, raw, and last the receipt, which says that all is there."""
        feed, dt = self.feed.name, receipt.dt
        if feed_is_personal := self.feed.has_personal_data:
            self._write_or_remove(receipt.arrived, self.lake.vault(feed, dt), self._vault_sql(dt))
            self._write_or_remove(
                receipt.quarantined > 0,
                self.lake.vault_quarantine(feed, dt),
                f"select f.name as source_file, _line as source_line, _text as raw_text"
                f" from explained e join files f using (_file) where e.dt = {_date(dt)}"
                " order by _file, _line",
            )
        path = self.lake.quarantine(feed, dt)
        if receipt.quarantined:
            self._copy(_quarantine_sql(dt, has_text=not feed_is_personal), path)
        else:
            _remove(path)
        path = self.lake.raw(feed, dt)
        if receipt.arrived:
            names = ", ".join(_name(name) for name in raw_columns(self.feed))
            self._copy(
                f"select {names}, f.name as source_file, _line as source_line"
                f" from stored s join files f using (_file)"
                f" where s.dt = {_date(dt)} and _state = {KEPT} order by _file, _line",
                path,
            )
        else:
            _remove(path)
        write_receipt(self.lake, receipt)

    def _vault_sql(self, dt: date) -> str:
        tokens = [name for name in raw_columns(self.feed) if name not in self._plain_columns()]
        tokens = [name for name in tokens if name.endswith("_token")]
        keys = [name for name in self.feed.required_columns if not self.feed.column(name).personal]
        columns = [_name(name) for name in keys]
        columns += [
            f"{_name(name)} as {_name(name.removeprefix('_clear_'))}"
            for name in clear_columns(self.feed)
        ]
        columns += [_name(name) for name in tokens]
        return (
            f"select {', '.join(columns)}, f.name as source_file, _line as source_line"
            f" from stored s join files f using (_file)"
            f" where s.dt = {_date(dt)} and _state = {KEPT} order by _file, _line"
        )

    def _plain_columns(self) -> set[str]:
        return {column.name for column in self.feed.columns if not column.personal}

    def _write_or_remove(self, is_there: bool, path: Path, sql: str) -> None:
        if is_there:
            reader = self.connection.execute(sql).to_arrow_reader(122_880)
            write_vault(self.lake, path, self.keys.vault, reader)
        else:
            _remove(path)

    def _copy(self, sql: str, path: Path) -> None:
        with self.lake.replacing(path) as unfinished:
            self.connection.execute(f"copy ({sql}) to {_text(str(unfinished))} ({_COPY_OPTIONS})")

    def _number(self, sql: str) -> int:
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return int(row[0])


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
    paths = ", ".join(_text(str(file.delivery.path)) for file in files)
    fields = "".join(
        f", parquet.{_name(delivered)} as {layout.fields[name]}"
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
    pairs = ", ".join(f"{_text(name)}: parquet.{_name(name)}" for name in layout.delivered.values())
    return f"to_json({{{pairs}}})::varchar"


def _quarantine_sql(dt: date, *, has_text: bool) -> str:
    return f"""
        select f.name as source_file, _line as source_line, _lines::bigint as line_count,
            case when _first like '%:%' then split_part(_first, ':', 1) end as column_name,
            split_part(_first, ':', -1) as reason,
            r.en as label_en, r.zh as label_zh,
            array_to_string(_problems, '; ') as problems,
            {"_text" if has_text else "null::varchar"} as raw_text
        from (select *, _problems[1] as _first from explained) e
        join files f using (_file)
        left join reasons r on r.reason = split_part(_first, ':', -1)
        where e.dt = {_date(dt)}
        order by _file, _line"""


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _date(dt: date) -> str:
    return f"date '{dt}'"
