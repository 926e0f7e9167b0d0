"""The landing files as they stood on a date.

Here: which file is visible, which rows of it count, and which row of a key wins. Not here: what
the rows mean (`book.py`).

Readings where the text leaves room:
- A day has *arrived* when a file with content carries its date; a row for that day in the file of
  another day does not make the day arrive.
- Rows that go to quarantine do not exist here: wrong number of fields, broken quotes, a value that
  is not of its kind, a code that is not of its set, an empty key, a negative measure, an event
  after its file's date, a key twice in one file with different content.
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
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import duckdb

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
EVENT_TIMES = ("at", "paid_at", "usage_date")
_DATES = frozenset(
    {
        *("valid_from", "valid_to", "on_sale_from", "on_sale_to", "seen_from", "seen_to"),
        *("usage_date", "contract_end_date", "earned_on", "birthday", "released_on"),
        *("issued_on", "due_on", "arrears_since", "valid_until"),
    }
)
_FLAGS = frozenset({"is_autopay", "is_trial", "is_onnet", "is_dual_sim", "has_switched"})
_COUNTS = frozenset({"calls_out", "calls_in", "sms_out", "sms_count", "days", "vip_level"})
_SCALES = {"cny": 2, "minutes": 2, "kb": 3}
_CODES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "crm_subscribers": {
        "payment_mode": frozenset({"PREPAID", "POSTPAID"}),
        "service_type": frozenset({"MOBILE", "BROADBAND", "IPTV", "FIXED"}),
        "line_class": frozenset({"VOICE", "DATA_ONLY", "IOT"}),
        "status": frozenset({"ACTIVE", "ONE_WAY_SUSPENDED", "TWO_WAY_SUSPENDED", "DEACTIVATED"}),
        "status_reason": frozenset(
            [
                "CUSTOMER_REQUEST",
                "ARREARS",
                "OPERATOR",
                "FRAUD",
                "REAL_NAME",
                "LOST_SIM",
                "PORT_OUT",
                "EXPIRED",
                "NONE",
            ]
        ),
    },
    "churn_events": {
        "kind": frozenset(
            [
                "PORT_OUT",
                "CLOSED",
                "EXPIRED",
                "ARREARS_REMOVED",
                "FRAUD_REMOVED",
                "OPERATOR_REMOVED",
            ]
        )
    },
    "usage_competitor_contacts": {
        "kind": frozenset(
            [
                "HOTLINE_OUT",
                "HOTLINE_IN",
                "PORTABILITY_QUERY",
                "CALL_FORWARD_ON",
                "CALL_FORWARD_OFF",
            ]
        ),
        "forward_type": frozenset({"CFU", "CFB", "CFNRY", "CFNRC"}),
    },
    "care_complaints": {
        "step": frozenset(
            [
                "OPENED",
                "ACKNOWLEDGED",
                "ANALYSED",
                "RESOLVED",
                "RECORDED",
                "FOLLOWED_UP",
                "REOPENED",
                "WITHDRAWN",
            ]
        ),
        "severity": frozenset({"MINOR", "NORMAL", "SEVERE"}),
    },
}
_NAME = re.compile(r"_(\d{8})(?:_(\d{2}))?\.(csv|csv\.gz|parquet)$")
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
            files = sorted(_files_of(folder))
            found[folder.name] = [file for file in files if file.dt <= day and _has_content(file)]
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
        files = [file for file in self.files.get(feed, []) if since is None or file.dt >= since]
        if feed in REFERENCE and files:
            files = [file for file in files if file.dt == files[-1].dt]
        kept: dict[tuple[Any, ...], Row] = {}
        for file in files:
            kept.update(good_rows(feed, file, columns))
        return kept


def good_rows(
    feed: str, file: LandingFile, columns: Collection[str] | None = None
) -> dict[tuple[Any, ...], Row]:
    """The rows of one file that do not go to quarantine, by key."""
    key = KEYS[feed]
    found: dict[tuple[Any, ...], Row] = {}
    clashing = set()
    read = _parquet_rows if file.path.suffix == ".parquet" else _text_rows
    for row in read(file, columns):
        row["dt"] = file.dt
        name = tuple(row.get(column) for column in key)
        if None in name or not _is_possible(feed, file, row):
            continue
        if name in found and found[name] != row:
            clashing.add(name)
        found[name] = row
    return {name: row for name, row in found.items() if name not in clashing}


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


def _is_possible(feed: str, file: LandingFile, row: Row) -> bool:
    for column in EVENT_TIMES:
        value = row.get(column)
        if value is not None:
            day = value.date() if isinstance(value, datetime) else value
            if day > file.dt:
                return False
    for column, codes in _CODES.get(feed, {}).items():
        if row.get(column) is not None and row[column] not in codes:
            return False
    if feed == "usage_daily":
        return all(value >= 0 for value in row.values() if type(value) is int)
    return True


def kind_of(column: str) -> str:
    """date, month, time, flag, count, cny, minutes, kb or text."""
    if column in _DATES:
        return "date"
    if column == "month":
        return "month"
    if column == "at" or column.endswith("_at"):
        return "time"
    if column in _FLAGS:
        return "flag"
    if column in _COUNTS:
        return "count"
    if "cny" in column.split("_"):
        return "rate" if "per" in column.split("_") or column == "overage_sms_cny" else "cny"
    if "minutes" in column.split("_"):
        return "minutes"
    return "kb" if "mb" in column.split("_") else "text"


def value_of(text: str, kind: str) -> Any:
    """The value; None for nothing. Raises ValueError where the text is not of its kind."""
    text = text.strip()
    if text == "":
        return None
    if kind == "date":
        return _day(text)
    if kind == "month":
        return date.fromisoformat(f"{text}-01").isoformat()[:7]
    if kind == "time":
        return datetime.fromisoformat(text).replace(tzinfo=None)
    if kind == "flag":
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    if kind == "count":
        return int(text)
    if kind == "rate":
        return _scaled(text, 6)
    return _scaled(text, _SCALES[kind]) if kind in _SCALES else text


def _day(text: str) -> date:
    for form in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise ValueError(text)


def _scaled(text: str, places: int) -> int:
    try:
        return int((Decimal(text) * 10**places).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(text) from error


def _decoded(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("utf-8-sig", errors="replace")


def _text_rows(file: LandingFile, columns: Collection[str] | None) -> Iterator[Row]:
    opened = gzip.open if file.path.suffix == ".gz" else open
    with opened(file.path, "rb") as stream:
        lines = _decoded(stream.read()).replace("\r\n", "\n").split("\n")
    delimiter = max(",|\t^", key=lines[0].count)
    names = [name.strip() for name in next(csv.reader([lines[0]], delimiter=delimiter))]
    kinds = [kind_of(name) for name in names]
    wanted = [columns is None or name in columns for name in names]
    for values in _records(lines[1:], delimiter, len(names)):
        if any("\ufffd" in value for value in values):
            continue
        try:
            yield {
                name: value_of(value, kind)
                for name, kind, value, want in zip(names, kinds, values, wanted, strict=True)
                if want
            }
        except (ValueError, KeyError):
            continue


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
    "kb": "cast(round(try_cast({0} as decimal(18,6)) * 1000) as bigint)",
    "rate": "cast(round(try_cast({0} as decimal(18,6)) * 1000000) as bigint)",
    "text": "cast({0} as varchar)",
}
_reader = duckdb.connect(config={"threads": 1})


def _parquet_rows(file: LandingFile, columns: Collection[str] | None) -> Iterator[Row]:
    source = f"read_parquet('{file.path}')"
    names = [row[0] for row in _reader.execute(f"describe select * from {source}").fetchall()]
    names = [name for name in names if columns is None or name in columns]
    chosen = ", ".join(_SQL[kind_of(name)].format(f'"{name}"') for name in names)
    for values in _reader.execute(f"select {chosen} from {source}").fetchall():
        yield dict(zip(names, values, strict=True))
