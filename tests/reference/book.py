"""What the delivered files say about each subscriber.

Here: rows arranged by subscriber, the statuses of a line day by day, the shared definitions (base,
known and ACTIVE days, MOU, usage_ratio). Not here: reading files (`delivered.py`), the rules.

Readings where the text leaves room:
- A status holds from `status_at` (from the file's date where that is missing or later), end of day,
  until the next; what is delivered later replaces what was told of the days from its start on; a
  change of reason alone holds from its file's date. A row without a status leaves the status as it
  was; a line that never had one is ACTIVE. Before the first known status a day is not ACTIVE.
- A service type that is not delivered is MOBILE.
- NULL in a measure makes that measure unknown for that day. A payment counts as activity also on
  a day without usage file.
- An activation date before 1990 is a placeholder: unknown.
"""

from __future__ import annotations

import marshal
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tests.reference.dates import is_within, window
from tests.reference.delivered import Delivered, Row, good_rows
from tests.reference.parameters import DEFAULTS, Parameters

T = TypeVar("T")
ACTIVE, ONE_WAY, TWO_WAY, GONE = (
    "ACTIVE",
    "ONE_WAY_SUSPENDED",
    "TWO_WAY_SUSPENDED",
    "DEACTIVATED",
)
SUSPENDED = frozenset({ONE_WAY, TWO_WAY})
# E5 of DUAL_HANDSET looks 90 days back with a base of 120 days each.
USAGE_DAYS = 215
_FIRST_CREDIBLE_YEAR = 1990


class Usage(NamedTuple):
    """A subscriber's row of `usage_daily`; None is unknown."""

    voice_out_minutes: int | None
    voice_in_minutes: int | None
    voice_competitor_minutes: int | None
    calls_out: int | None
    calls_in: int | None
    sms_out: int | None
    data_mb: int | None
    data_mb_video: int | None
    data_mb_social: int | None
    data_mb_messaging: int | None
    data_mb_music: int | None
    data_mb_game: int | None
    data_mb_other: int | None
    data_mb_roaming: int | None
    data_mb_tethering: int | None
    data_mb_background: int | None
    slow_data_mb: int | None
    tac: str | None


class Contact(NamedTuple):
    """A number in a call circle, by month."""

    minutes: int
    is_onnet: bool | None


NO_USAGE = Usage(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None)
_ACTIVITY = ("subscriber_id", "usage_date", "calls_out", "calls_in", "sms_out", "data_mb")
Measure = Callable[[Usage], int | None]


def plus(*parts: int | None) -> int | None:
    """The sum; unknown if a part is."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def mou(usage: Usage) -> int | None:
    return plus(usage.voice_out_minutes, usage.voice_in_minutes)


def data(usage: Usage) -> int | None:
    return usage.data_mb


def has_call(usage: Usage) -> bool | None:
    """Whether calls_out + calls_in ≥ 1; unknown when one is and the other shows none."""
    if (usage.calls_out or 0) + (usage.calls_in or 0) >= 1:
        return True
    return None if None in (usage.calls_out, usage.calls_in) else False


@dataclass
class Standing:
    """A status and its reason from a day on."""

    since: date
    status: str
    reason: str | None


@dataclass
class Line:
    """One subscription: its newest attributes and its statuses over time."""

    subscriber_id: str
    row: Row
    activated_on: date | None
    standings: list[Standing] = field(default_factory=list)
    bars: list[tuple[date, str]] = field(default_factory=list)

    def standing_on(self, day: date) -> Standing | None:
        place = bisect_right(self.standings, day, key=lambda standing: standing.since)
        return self.standings[place - 1] if place else None

    def status_on(self, day: date) -> str | None:
        standing = self.standing_on(day)
        return standing.status if standing else None

    def reason_on(self, day: date) -> str | None:
        standing = self.standing_on(day)
        return standing.reason if standing else None

    def is_active_on(self, day: date) -> bool:
        return self.status_on(day) == ACTIVE

    def is_held_on(self, day: date, reasons: Collection[str]) -> bool:
        """Suspended for one of the reasons."""
        standing = self.standing_on(day)
        return standing is not None and standing.status in SUSPENDED and standing.reason in reasons

    def bars_on(self, day: date) -> str:
        place = bisect_right(self.bars, day, key=lambda bar: bar[0])
        return self.bars[max(place - 1, 0)][1] if self.bars else ""

    def run_start(self, day: date, wanted: Callable[[Standing], bool]) -> date:
        """First day of the unbroken run of such standings that holds `day`."""
        place = bisect_right(self.standings, day, key=lambda standing: standing.since) - 1
        while place > 0 and wanted(self.standings[place - 1]):
            place -= 1
        return self.standings[place].since

    @property
    def is_prepaid(self) -> bool:
        return bool(self.row.get("payment_mode") == "PREPAID")

    @property
    def is_mobile(self) -> bool:
        kind = self.row.get("service_type") or "MOBILE"
        return kind == "MOBILE" and self.row.get("line_class") != "IOT"


def line_of(rows: list[Row]) -> Line:
    """A line from its rows in the order of arrival."""
    newest = rows[-1]
    activated = newest.get("activated_at")
    is_credible = activated is not None and activated.year >= _FIRST_CREDIBLE_YEAR
    activated_on: date | None = activated.date() if is_credible and activated else None
    line = Line(newest["subscriber_id"], newest, activated_on)
    for row in rows:
        line.bars.append((row["dt"], row.get("service_bars") or ""))
        if row.get("status") is not None:
            _stand(line, row)
    if not line.standings:
        line.standings.append(Standing(activated_on or rows[0]["dt"], ACTIVE, None))
    return line


def _stand(line: Line, row: Row) -> None:
    status, reason, dt = row["status"], row.get("status_reason"), row["dt"]
    at = row.get("status_at")
    stated = at.date() if isinstance(at, datetime) and at.date() <= dt else None
    if not line.standings:
        start = stated or (line.activated_on if status == ACTIVE else None) or dt
        line.standings.append(Standing(min(start, dt), status, reason))
        return
    last = line.standings[-1]
    if (last.status, last.reason) == (status, reason):
        return
    since = dt if last.status == status or stated is None else stated
    while line.standings and line.standings[-1].since >= since:
        line.standings.pop()
    line.standings.append(Standing(since, status, reason))


@dataclass
class Book:
    """Everything delivered as of D, arranged by subscriber."""

    delivered: Delivered
    p: Parameters = DEFAULTS

    @classmethod
    def as_of(cls, landing: Path, day: date, p: Parameters = DEFAULTS) -> Book:
        return cls(Delivered.as_of(landing, day), p)

    @property
    def day(self) -> date:
        return self.delivered.as_of_date

    # Lines and customers

    @cached_property
    def lines(self) -> dict[str, Line]:
        rows = sorted(self.delivered.rows("crm_subscribers"), key=lambda row: row["dt"])
        return {name: line_of(each) for name, each in by(rows, "subscriber_id").items()}

    @cached_property
    def base(self) -> dict[str, Line]:
        """MOBILE, not DEACTIVATED at D, not IOT."""
        return {
            name: line
            for name, line in self.lines.items()
            if line.is_mobile and line.status_on(self.day) not in (None, GONE)
        }

    @cached_property
    def customers(self) -> dict[str, Row]:
        rows = sorted(self.delivered.rows("crm_customers"), key=lambda row: row["dt"])
        return {row["customer_id"]: row for row in rows}

    def customer_of(self, line: Line) -> Row:
        return self.customers.get(line.row.get("customer_id") or "", {})

    def is_firm(self, line: Line) -> bool:
        return self.customer_of(line).get("org_class") in ("GROUP", "GOVERNMENT")

    def upwards(self, org_id: str | None) -> list[str]:
        """The unit and those above it."""
        path: list[str] = []
        while org_id is not None and org_id not in path:
            path.append(org_id)
            org_id = self.units.get(org_id, {}).get("parent_org_id")
        return path

    @cached_property
    def units(self) -> dict[str, Row]:
        return {row["org_id"]: row for row in self.delivered.rows("org_units")}

    @cached_property
    def channels(self) -> dict[str, Row]:
        return {row["channel_id"]: row for row in self.delivered.rows("org_channels")}

    @cached_property
    def models(self) -> dict[str, Row]:
        return {row["tac"]: row for row in self.delivered.rows("device_models")}

    # Usage

    @cached_property
    def known_days(self) -> set[date]:
        return self.delivered.arrived("usage_daily")

    @cached_property
    def first_usage_day(self) -> date | None:
        return min(self.known_days, default=None)

    @cached_property
    def _usage(self) -> tuple[dict[str, dict[date, bytes]], dict[str, set[date]]]:
        """Usage of the newest days, packed for the sake of memory, and the activity days of all."""
        since = self.day - timedelta(days=USAGE_DAYS)
        usage: dict[str, dict[date, bytes]] = defaultdict(dict)
        activity: dict[str, set[date]] = defaultdict(set)
        calendar: dict[date, date] = {}  # one object a day
        old, new = set(_ACTIVITY), {*_ACTIVITY, *Usage._fields}
        for files in self.delivered.releases("usage_daily"):
            columns = new if files[0].dt >= since else old
            for row in good_rows("usage_daily", files, columns).values():
                name = sys.intern(row["subscriber_id"])
                day = calendar.setdefault(row["usage_date"], row["usage_date"])
                if self.is_activity(row):
                    activity[name].add(day)
                else:
                    activity[name].discard(day)
                if day >= since:
                    usage[name][day] = marshal.dumps(tuple(row.get(each) for each in Usage._fields))
        known = self.known_days
        return usage, {name: days & known for name, days in activity.items()}

    def is_activity(self, row: Row) -> bool:
        """A call, an SMS sent, or data of at least `min_activity_mb`."""
        called = (row.get("calls_out") or 0) + (row.get("calls_in") or 0)
        return bool(
            called >= 1
            or (row.get("sms_out") or 0) >= 1
            or (row.get("data_mb") or 0) >= self.p.min_activity_kb
        )

    def usage_on(self, subscriber_id: str, day: date) -> Usage | None:
        """The usage of the day; zero without a row on a known day; None on an unknown day."""
        if day not in self.known_days:
            return None
        return self._usage_of(subscriber_id).get(day, NO_USAGE)

    def _usage_of(self, subscriber_id: str) -> dict[date, Usage]:
        def unpacked() -> dict[date, Usage]:
            packed = self._usage[0].get(subscriber_id, {})
            return {
                day: Usage._make(marshal.loads(each))  # noqa: S302 - our own bytes
                for day, each in packed.items()
            }

        return self.at_hand(subscriber_id, "usage", unpacked)

    def at_hand(self, subscriber_id: str, what: Hashable, make: Callable[[], T]) -> T:
        """What was worked out for the line; kept until another line is looked at."""
        if self._at_hand[0] != subscriber_id:
            self._at_hand = subscriber_id, {}
        kept = self._at_hand[1]
        if what not in kept:
            kept[what] = make()
        found: T = kept[what]
        return found

    _at_hand: tuple[str, dict[Hashable, Any]] = field(default=("", {}), init=False)

    def measures(self, line: Line, days: Iterable[date], measure: Measure) -> list[int]:
        """The measure on the known ACTIVE days among `days`."""
        known = self.known_active(line)
        values = (measure(known[day]) for day in days if day in known)
        return [value for value in values if value is not None]

    def known_active(self, line: Line) -> dict[date, Usage]:
        """The known ACTIVE days of the line among those whose usage is kept."""

        def found() -> dict[date, Usage]:
            return {
                day: usage
                for day in window(self.day, USAGE_DAYS)
                if (usage := self.usage_on(line.subscriber_id, day)) is not None
                and line.is_active_on(day)
            }

        return self.at_hand(line.subscriber_id, "known_active", found)

    def rates(
        self, line: Line, measure: Measure, day: date | None = None
    ) -> tuple[Fraction, Fraction] | None:
        """30·Σ/|C| and 30·Σ/|B|; None when |C| < 24 or |B| < 60."""
        at = day or self.day
        days, total = self._span(line, measure, at, 30)
        if days < self.p.min_recent_days:
            return None
        base_end = at - timedelta(days=30)  # prior90: D-119..D-30
        base_days, base_total = self._span(line, measure, base_end, 90)
        if base_days < self.p.min_base_days:
            return None
        return Fraction(30 * total, days), Fraction(30 * base_total, base_days)

    def _span(self, line: Line, measure: Measure, last: date, width: int) -> tuple[int, int]:
        """Known ACTIVE days and the measure's sum over `width` days up to `last`."""
        upto = self._running(line, measure)
        start = self.day - timedelta(days=USAGE_DAYS)  # the day before the first kept
        end, before = (last - start).days, (last - start).days - width
        assert before >= 0, "the usage of these days is not kept"
        return upto[end][0] - upto[before][0], upto[end][1] - upto[before][1]

    def _running(self, line: Line, measure: Measure) -> list[tuple[int, int]]:
        """(days, sum) over the kept days up to each, beginning with nothing."""

        def upto() -> list[tuple[int, int]]:
            known = self.known_active(line)
            found = [(0, 0)]
            for day in window(self.day, USAGE_DAYS):
                days, total = found[-1]
                value = measure(known[day]) if day in known else None
                found.append((days, total) if value is None else (days + 1, total + value))
            return found

        return self.at_hand(line.subscriber_id, ("running", measure), upto)

    def usage_ratio(self, line: Line) -> tuple[Fraction, str] | None:
        """MOU30 / MOUb, else the same with data; with the resource that spoke."""
        for name, measure, floor in (
            ("MOU", mou, self.p.min_base_mou),
            ("DATA", data, self.p.min_base_kb),
        ):
            rates = self.rates(line, measure)
            if rates is not None and rates[1] >= floor:
                return rates[0] / rates[1], name
        return None

    # Activity

    @cached_property
    def payment_days(self) -> dict[str, set[date]]:
        """Days with a payment > 0, but for bills paid after the exit."""
        found: dict[str, set[date]] = defaultdict(set)
        for row in self.delivered.rows("billing_payments"):
            is_paid = (row.get("amount_cny") or 0) > 0 and row.get("payment_kind") != "REVERSAL"
            if is_paid and row.get("paid_at") is not None and not self.settles_after_exit(row):
                found[row["subscriber_id"]].add(row["paid_at"].date())
        return found

    def settles_after_exit(self, payment: Row) -> bool:
        """Who left still pays the last bills: no sign of life."""
        event = self.exits.get(payment["subscriber_id"])
        left_on = event["at"].date() if event is not None else None
        is_bill = payment.get("payment_kind") == "BILL"
        return is_bill and left_on is not None and payment["paid_at"].date() > left_on

    @cached_property
    def activity_days(self) -> dict[str, set[date]]:
        found: dict[str, set[date]] = defaultdict(set)
        for source in (self._usage[1], self.payment_days):
            for subscriber_id, days in source.items():
                found[subscriber_id] |= days
        return found

    # Events by subscriber

    def grouped(self, feed: str) -> dict[str, list[Row]]:
        """The rows of an event feed by subscriber; kept."""
        if feed not in self._groups:
            rows = [row for row in self.delivered.rows(feed) if row.get("subscriber_id")]
            self._groups[feed] = by(rows, "subscriber_id")
        return self._groups[feed]

    @cached_property
    def _groups(self) -> dict[str, dict[str, list[Row]]]:
        return {}

    def of(self, feed: str, line: Line) -> list[Row]:
        return self.grouped(feed).get(line.subscriber_id, [])

    def recent(self, feed: str, line: Line, width: int, at: str = "at") -> list[Row]:
        """The subscriber's rows of the window."""
        return [
            row
            for row in self.of(feed, line)
            if row.get(at) is not None and is_within(row[at].date(), self.day, width)
        ]

    def is_unproven(self, feed: str, width: int) -> bool:
        """Whether absence in the window proves nothing: no such feed, or a day of it missing."""
        if (feed, width) not in self._unproven:
            missing = self.p.missing_day_is_unknown and self.delivered.missing(feed, width)
            self._unproven[feed, width] = not self.delivered.has(feed) or bool(missing)
        return self._unproven[feed, width]

    @cached_property
    def _unproven(self) -> dict[tuple[str, int], bool]:
        return {}

    @cached_property
    def exits(self) -> dict[str, Row]:
        """The first churn event of each subscriber."""
        return {
            name: min(rows, key=lambda row: (row["at"], row["churn_event_id"]))
            for name, each in self.grouped("churn_events").items()
            if (rows := [row for row in each if row.get("at") and row.get("kind")])
        }

    @cached_property
    def devices(self) -> dict[str, list[tuple[datetime, str]]]:
        """(since, IMEI) of each subscriber, in order."""
        return {
            name: sorted((row["at"], row["imei"]) for row in rows)
            for name, rows in self.grouped("usage_devices").items()
        }

    # Circles and areas

    @cached_property
    def circles(self) -> dict[str, dict[str, dict[str, Contact]]]:
        """month -> subscriber -> number -> contact, persons only (no short codes)."""
        return self._circles[0]

    @cached_property
    def circle_released(self) -> dict[str, date]:
        """month -> the date on which its circles were first delivered."""
        return self._circles[1]

    @cached_property
    def _circles(self) -> tuple[dict[str, dict[str, dict[str, Contact]]], dict[str, date]]:
        found: dict[str, dict[str, dict[str, Contact]]] = defaultdict(lambda: defaultdict(dict))
        released: dict[str, date] = {}
        contacts: dict[Contact, Contact] = {}  # one object for what is the same
        for files in self.delivered.releases("usage_call_circle"):
            for row in good_rows("usage_call_circle", files).values():
                released.setdefault(row["month"], row["dt"])
                number = sys.intern(row["counterparty_msisdn"])
                if len(number) > self.p.short_code_max_digits:
                    minutes = (row.get("minutes_out") or 0) + (row.get("minutes_in") or 0)
                    contact = Contact(minutes, row.get("is_onnet"))
                    circle = found[row["month"]][sys.intern(row["subscriber_id"])]
                    circle[number] = contacts.setdefault(contact, contact)
        return found, released

    @cached_property
    def areas(self) -> dict[str, dict[str, dict[str, str]]]:
        """month -> subscriber -> HOME or WORK -> area."""
        found: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        for row in self.delivered.rows("usage_areas"):
            if row.get("area_id"):
                found[row["month"]][row["subscriber_id"]][row["kind"]] = row["area_id"]
        return found

    @cached_property
    def areas_released(self) -> dict[str, date]:
        return self._released("usage_areas")

    def _released(self, feed: str) -> dict[str, date]:
        found: dict[str, date] = {}
        for files in self.delivered.releases(feed):
            for row in good_rows(feed, files).values():
                found.setdefault(row["month"], row["dt"])
        return found


def by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """Rows by the value of a column, in their order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return dict(found)


def jaccard(one: Collection[Any], other: Collection[Any]) -> Fraction:
    union = len(set(one) | set(other))
    return Fraction(len(set(one) & set(other)), union) if union else Fraction(0)


def mean(values: Collection[int]) -> Fraction:
    return Fraction(sum(values), len(values))
