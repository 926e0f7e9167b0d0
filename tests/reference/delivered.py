"""The landing files as they stood on a date.

Here: which file is visible, which rows of it count, and which row of a key wins. Not here: what
the rows mean (`book.py`).

Readings where the text leaves room:
- A day has *arrived* when a file with content carries its date; a row for that day in the file of
  another day does not make the day arrive.
- A date one of whose files is empty has failed: it has not arrived, whatever else came for it.
- Rows that go to quarantine do not exist here: wrong number of fields, broken quotes, a value that
  its column does not allow (`contract.py`), an empty key, another date in a column `dt`, a key
  twice in the files of one date with different content.
- A reference feed is its newest visible date, all parts together.
- Minutes are held in hundredths, data in KB, money in fen, prices a unit in millionths.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from tests.reference.contract import Column, columns_of, normalised, value_of

Row = dict[str, Any]

KEYS: Mapping[str, tuple[str, ...]] = {
    "crm_subscribers": ("subscriber_id", "dt"),
    "crm_customers": ("customer_id", "dt"),
    "org_units": ("org_id",),
    "org_channels": ("channel_id",),
    "org_agents": ("agent_id", "valid_from"),
    "billing_plans": ("plan_id", "valid_from"),
    "billing_products": ("product_id", "on_sale_from"),
    "billing_subscriptions": ("subscription_id",),
    "billing_invoices": ("subscriber_id", "month"),
    "billing_payments": ("payment_id",),
    "billing_balances": ("subscriber_id", "dt"),
    "billing_adjustments": ("adjustment_id",),
    "usage_daily": ("subscriber_id", "usage_date"),
    "usage_competitor_contacts": ("event_id",),
    "usage_call_circle": ("subscriber_id", "month", "counterparty_msisdn"),
    "usage_areas": ("subscriber_id", "month", "kind"),
    "usage_devices": ("subscriber_id", "imei", "at"),
    "device_models": ("tac",),
    "care_complaints": ("complaint_id", "step", "at"),
    "care_interactions": ("interaction_id",),
    "channel_commissions": ("commission_id",),
    "market_competitor_offers": ("competitor_offer_id",),
    "market_offers": ("offer_id", "valid_from"),
    "field_contacts": ("contact_id",),
    "churn_events": ("churn_event_id",),
}
REFERENCE = frozenset(
    {
        "org_units",
        "org_channels",
        "org_agents",
        "billing_plans",
        "billing_products",
        "device_models",
        "market_competitor_offers",
        "market_offers",
    }
)
_NAME = re.compile(r"_(\d{8})(?:_(\d+))?\.(csv|csv\.gz|parquet)$")
_LONGEST_RECORD = 20  # lines that one quoted value may span


@dataclass(frozen=True, order=True)
class LandingFile:
    """One file of a feed, in the order of arrival."""

    dt: date
    part: int
    path: Path = field(compare=False)


@dataclass
class Delivered:
    """What was visible on `as_of`."""

    landing: Path
    as_of_date: date
    files: Mapping[str, Sequence[LandingFile]]

    @classmethod
    def as_of(cls, landing: Path, day: date) -> Delivered:
        found = {}
        for folder in sorted(path for path in landing.iterdir() if path.is_dir()):
            files = sorted(file for file in _files_of(folder) if file.dt <= day)
            failed = {file.dt for file in files if not _has_content(file)}
            found[folder.name] = [file for file in files if file.dt not in failed]
        return cls(landing, day, found)

    def arrived(self, feed: str) -> set[date]:
        """The dates for which a file came."""
        return {file.dt for file in self.files.get(feed, [])}

    def has(self, feed: str) -> bool:
        return bool(self.files.get(feed))

    def first_day(self, feed: str) -> date | None:
        return min(self.arrived(feed), default=None)

    def missing(self, feed: str, width: int) -> list[date]:
        """The days of the window on which the feed was expected and did not come.

        It is expected from its first file on. Empty for a feed that came every day.
        """
        first = self.first_day(feed)
        if first is None:
            return []
        arrived = self.arrived(feed)
        days = (self.as_of_date - timedelta(days=back) for back in range(width))
        return [day for day in days if day >= first and day not in arrived]

    def rows(self, feed: str, since: date | None = None) -> list[Row]:
        """The rows that count, one a key, the newest arrival; each with its file's `dt`."""
        return list(self.by_key(feed, since).values())

    def by_key(
        self, feed: str, since: date | None = None, columns: Collection[str] | None = None
    ) -> dict[tuple[Any, ...], Row]:
        releases = [each for each in self.releases(feed) if since is None or each[0].dt >= since]
        kept: dict[tuple[Any, ...], Row] = {}
        for files in releases[-1:] if feed in REFERENCE else releases:
            kept.update(good_rows(feed, files, columns))
        return kept

    def releases(self, feed: str) -> list[list[LandingFile]]:
        """The files of each date."""
        files = self.files.get(feed, [])
        return [list(each) for _, each in groupby(files, key=lambda file: file.dt)]


def good_rows(
    feed: str, files: Sequence[LandingFile], columns: Collection[str] | None = None
) -> dict[tuple[Any, ...], Row]:
    """The rows of one date that do not go to quarantine, by key; all columns or those."""
    promised = columns_of(feed)
    identifiers = [each for each in promised.values() if each.kind in ("phone", "imei")]
    found: dict[tuple[Any, ...], Row] = {}
    clashing = set()
    for file in files:
        read = _parquet_rows if file.path.suffix == ".parquet" else _text_rows
        for row in read(feed, file):
            if row.get("dt", file.dt) != file.dt:
                continue
            own = {**dict.fromkeys(promised), **row, "dt": file.dt}
            as_key = {each.name: normalised(own[each.name], each.kind) for each in identifiers}
            name = tuple(as_key.get(column, own[column]) for column in KEYS[feed])
            if any(each is None or str(each).isspace() for each in name):
                continue
            if found.setdefault(name, own) != own:
                clashing.add(name)
    for row in found.values():
        for each in identifiers:
            row[each.name] = normalised(row[each.name], each.kind)
    return {
        name: row if columns is None else {each: row[each] for each in (*columns, "dt")}
        for name, row in found.items()
        if name not in clashing
    }


def _files_of(folder: Path) -> Iterator[LandingFile]:
    for path in folder.iterdir():
        match = _NAME.search(path.name)
        if match and path.name.startswith(f"{folder.name}_"):
            yield LandingFile(
                datetime.strptime(match[1], "%Y%m%d").date(), int(match[2] or 0), path
            )


def _has_content(file: LandingFile) -> bool:
    if file.path.suffix == ".gz":
        with gzip.open(file.path, "rb") as stream:
            return bool(stream.read(1))
    return file.path.stat().st_size > 0


def _decoded(raw: bytes) -> str:
    """The text in the encoding that fits all of it, else in the one that spoils the fewest lines."""
    has_mark = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    encodings = ("utf-16",) if has_mark else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    texts = [raw.decode(encoding, errors="replace") for encoding in encodings]
    return min(texts, key=lambda text: sum("\ufffd" in line for line in text.split("\n")))


def _text_rows(feed: str, file: LandingFile) -> Iterator[Row]:
    opened = gzip.open if file.path.suffix == ".gz" else open
    with opened(file.path, "rb") as stream:
        lines = _decoded(stream.read()).replace("\r\n", "\n").split("\n")
    delimiter = max(",|\t^", key=lines[0].count)
    header = next(csv.reader([lines[0]], delimiter=delimiter))
    columns = [_column(feed, name.strip().lower()) for name in header]
    for values in _records(lines[1:], delimiter, len(columns)):
        if any("\ufffd" in value for value in values):
            continue
        row = {}
        try:
            for column, text in zip(columns, values, strict=True):
                if column is not None:
                    value = value_of(text, column.kind)
                    if not column.allows(value, file.dt):
                        raise ValueError(text)
                    row[column.name] = value
        except ValueError:
            continue
        yield row


def _column(feed: str, name: str) -> Column | None:
    """The promised column, or the row's own date; None for what nobody promised."""
    return Column("dt", "date") if name == "dt" else columns_of(feed).get(name)


def _records(lines: Sequence[str], delimiter: str, width: int) -> Iterator[list[str]]:
    """Records of the right width; what cannot be one is left out line by line."""
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        if '"' not in line:
            values = line.split(delimiter)
            if len(values) == width:
                yield values
            continue
        for more in range(_LONGEST_RECORD if line.count('"') % 2 else 1):
            text = "\n".join([line, *lines[at : at + more]])
            if text.count('"') % 2:
                continue
            record = _strict(text, delimiter, width)
            if record is not None:
                at += more
                yield record
                break


def _strict(text: str, delimiter: str, width: int) -> list[str] | None:
    try:
        records = list(csv.reader(text.split("\n"), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 and len(records[0]) == width else None


_SQL = {
    "month": "strftime(try_cast({0} || '-01' as date), '%Y-%m')",
    "date": "try_cast({0} as date)",
    "time": "try_cast({0} as timestamp)",
    "flag": "try_cast({0} as boolean)",
    "count": "try_cast({0} as bigint)",
    "cny": "cast(round(try_cast({0} as decimal(18,6)) * 100) as bigint)",
    "minutes": "cast(round(try_cast({0} as decimal(18,6)) * 100) as bigint)",
    "volume": "cast(round(try_cast({0} as decimal(18,6)) * 1000) as bigint)",
    "rate": "cast(round(try_cast({0} as decimal(18,6)) * 1000000) as bigint)",
}
_reader = duckdb.connect(config={"threads": 1})


def _parquet_rows(feed: str, file: LandingFile) -> Iterator[Row]:
    source = f"read_parquet('{file.path}')"
    names = [row[0] for row in _reader.execute(f"describe select * from {source}").fetchall()]
    promised = ((name, _column(feed, name.lower())) for name in names)
    columns = [(name, column) for name, column in promised if column is not None]
    chosen = ", ".join(
        _SQL.get(column.kind, "cast({0} as varchar)").format(f'"{name}"')
        for name, column in columns
    )
    kept = [column.name for _, column in columns]
    refusing = [column for _, column in columns if column.can_refuse]
    for values in _reader.execute(f"select {chosen} from {source}").fetchall():
        row = dict(zip(kept, values, strict=True))
        if all(column.allows(row[column.name], file.dt) for column in refusing):
            yield row
