"""What a pass leaves on disk: vault, quarantine, raw and receipt of each date.

Here: which columns go where, in which order, and when a file goes away. Not here: the rows
themselves (`passes.py`).

A date is written vault first and receipt last: a receipt says that all the rest is there. Dates
of few rows are cut from one ordered Arrow table, larger ones copied by DuckDB one by one; which
way is decided by the date's own row count, so that its bytes do not depend on the other dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import PROVENANCE, Feed
from orchestration.lake import Lake
from orchestration.landing.personal import clear
from orchestration.landing.receipts import Receipt, write_receipt
from orchestration.landing.rows import KEPT, raw_columns
from orchestration.landing.sql import date_sql, name_sql, text_sql
from orchestration.landing.vault import ROW_GROUP_ROWS, write_vault

SMALL_ROWS = 20_000
_COPY_OPTIONS = "format parquet, compression zstd, compression_level 1"


@dataclass(frozen=True)
class Partitions:
    """Writes the dates of one pass from its tables."""

    feed: Feed
    lake: Lake
    vault_key: bytes
    connection: duckdb.DuckDBPyConnection

    def write(self, receipts: Sequence[Receipt]) -> Iterator[Receipt]:
        """Write each date, yielding its receipt when all of it is there."""
        small = self._small([r for r in receipts if r.arrived and r.kept <= SMALL_ROWS])
        for receipt in receipts:
            rows = next(small) if receipt.arrived and receipt.kept <= SMALL_ROWS else None
            if self.feed.has_personal_data:
                self._write_vault(receipt, rows)
            self._write_quarantine(receipt)
            self._write_raw(receipt, rows)
            write_receipt(self.lake, receipt)
            yield receipt

    def _small(self, receipts: Sequence[Receipt]) -> Iterator[pa.Table]:
        """The kept rows of each date, all columns."""
        if not receipts:
            return
        days = ", ".join(date_sql(receipt.dt) for receipt in receipts)
        columns = [*self._raw_names(), *(clear(name) for name in self._personal_names())]
        table = self.connection.sql(self._kept_sql(columns, f"s.dt in ({days})")).to_arrow_table()
        start = 0
        for receipt in receipts:
            # A table of its own: how it was chunked would show in the pages of the file.
            yield table.slice(start, receipt.kept).combine_chunks()
            start += receipt.kept

    def _write_raw(self, receipt: Receipt, rows: pa.Table | None) -> None:
        path = self.lake.raw(self.feed.name, receipt.dt)
        if not receipt.arrived:
            _remove(path)
        elif rows is None:
            self._copy(self._kept_sql(self._raw_names(), _is_date(receipt.dt)), path)
        else:
            self._write_table(rows.select(self._raw_names()), path)

    def _write_vault(self, receipt: Receipt, rows: pa.Table | None) -> None:
        feed, dt = self.feed.name, receipt.dt
        clear_names = {name: clear(name) for name in self._personal_names()}
        columns = {
            **{name: clear_names.get(name, name) for name in self.feed.required_columns},
            **clear_names,
            **{name: name for name in self._raw_names() if name.endswith("_token")},
            **{name: name for name in PROVENANCE},
        }
        path = self.lake.vault(feed, dt)
        if not receipt.arrived:
            _remove(path)
        else:
            if rows is None:
                sql = self._kept_sql(list(columns.values()), _is_date(dt))
                reader = self.connection.sql(sql).to_arrow_reader(ROW_GROUP_ROWS)
            else:
                reader = rows.select(list(columns.values())).to_reader()
            write_vault(self.lake, path, self.vault_key, _renamed(reader, list(columns)))
        path = self.lake.vault_quarantine(feed, dt)
        if receipt.quarantined:
            sql = (
                "select f.name as source_file, _line as source_line, _text as raw_text"
                f" from explained e join files f using (_file) where e.dt = {date_sql(dt)}"
                " order by _file, _line"
            )
            reader = self.connection.sql(sql).to_arrow_reader(ROW_GROUP_ROWS)
            write_vault(self.lake, path, self.vault_key, reader)
        else:
            _remove(path)

    def _write_quarantine(self, receipt: Receipt) -> None:
        path = self.lake.quarantine(self.feed.name, receipt.dt)
        if receipt.quarantined:
            # The text of a row with personal data lies in the vault.
            text = "null::varchar" if self.feed.has_personal_data else "_text"
            self._copy(_quarantine_sql(receipt.dt, text), path)
        else:
            _remove(path)

    def _kept_sql(self, columns: Sequence[str], condition: str) -> str:
        provenance = {"source_file": "f.name", "source_line": "_line"}
        selected = ", ".join(
            f"{provenance[name]} as {name}" if name in provenance else name_sql(name)
            for name in columns
        )
        return (
            f"select {selected} from stored s join files f using (_file)"
            f" where {condition} and _state = {KEPT} order by s.dt, _file, _line"
        )

    def _raw_names(self) -> list[str]:
        return [*raw_columns(self.feed), *PROVENANCE]

    def _personal_names(self) -> list[str]:
        return [column.name for column in self.feed.columns if column.personal]

    def _copy(self, sql: str, path: Path) -> None:
        with self.lake.replacing(path) as unfinished:
            self.connection.execute(
                f"copy ({sql}) to {text_sql(str(unfinished))} ({_COPY_OPTIONS})"
            )

    def _write_table(self, table: pa.Table, path: Path) -> None:
        with self.lake.replacing(path) as unfinished:
            pq.write_table(
                table,
                unfinished,
                compression="zstd",
                compression_level=1,
                store_decimal_as_integer=True,
                store_schema=False,
            )


def _renamed(rows: pa.RecordBatchReader, names: Sequence[str]) -> pa.RecordBatchReader:
    schema = pa.schema(
        [field.with_name(name) for field, name in zip(rows.schema, names, strict=True)]
    )
    return pa.RecordBatchReader.from_batches(
        schema, (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in rows)
    )


def _is_date(dt: date) -> str:
    return f"s.dt = {date_sql(dt)}"


def _quarantine_sql(dt: date, text: str) -> str:
    return f"""
        select f.name as source_file, _line as source_line, _lines::bigint as line_count,
            case when _first like '%:%' then split_part(_first, ':', 1) end as column_name,
            split_part(_first, ':', -1) as reason,
            r.en as label_en, r.zh as label_zh,
            array_to_string(_problems, '; ') as problems,
            {text} as raw_text
        from (select *, _problems[1] as _first from explained) e
        join files f using (_file)
        left join reasons r on r.reason = split_part(_first, ':', -1)
        where e.dt = {date_sql(dt)}
        order by _file, _line"""


def _remove(path: Path) -> None:
    """Take a file away, and its folder with it if that was all."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()
