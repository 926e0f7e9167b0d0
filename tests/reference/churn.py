"""Churn: who left, when it began, when it was certain; who gets an index; the label.

Here: the table *Churn*, its population and its label. Not here: re-entry links (`reentry.py`),
which make a gross exit a net one.

Readings where the text leaves room:
- The walk starts on the activation date or the first day of usage delivered, whichever is later
  (earlier when the line was suspended then, from that suspension's start). A line activated before
  the first usage day counts as used; if it never shows activity its onset is the first day walked
  (`is_left_censored`).
- A day is *silent* when its usage file came and it has no activity; unknown days are skipped. The
  silent clock of a prepaid line runs on silent days that are ACTIVE or ONE_WAY for ARREARS,
  EXPIRED, NONE or no reason; other suspended days neither count nor reset it.
- The lapse clock of a prepaid line counts calendar days of an unbroken not-ACTIVE run with those
  reasons; its churn_date reaches back through the silent days before the run.
- A closure during a CUSTOMER_REQUEST suspension dates from the suspension (the narrower row).
- A prepaid ARREARS_REMOVED and any EXPIRED removal are treated as the prepaid removal row;
  a DEACTIVATED without event is read by its reason: PORT_OUT, CUSTOMER_REQUEST (closed), ARREARS,
  EXPIRED, NONE (prepaid: expired, postpaid: closed).
- *Back* after a confirmed churn: the line is ACTIVE and has an activity day, or returns from a
  suspension to ACTIVE. The new spell is eligible 30 days later. A bill paid after an exit event is
  no activity: who left still pays the last ones.
- Removed or departed while already confirmed: the first churn stands.
- Voluntary: neither an arrears exit nor natural (LIFE_EVENT without competitor).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from tests.reference.book import ACTIVE, GONE, ONE_WAY, SUSPENDED, TWO_WAY, Book, Line, Standing
from tests.reference.dates import ONE_DAY, days
from tests.reference.parameters import HOLD_REASONS, LAPSE_REASONS

REMOVALS = frozenset({"FRAUD_REMOVED", "OPERATOR_REMOVED"})
_KIND_OF_REASON = {
    "PORT_OUT": "PORT_OUT",
    "CUSTOMER_REQUEST": "CLOSED",
    "ARREARS": "ARREARS_REMOVED",
    "EXPIRED": "EXPIRED",
    "FRAUD": "FRAUD_REMOVED",
    "OPERATOR": "OPERATOR_REMOVED",
    "REAL_NAME": "OPERATOR_REMOVED",
}


class Case(StrEnum):
    """Rows of the table that are churn."""

    PORT_OUT = "PORT_OUT"
    CLOSED = "CLOSED"
    SILENT = "SILENT"
    LAPSED = "LAPSED"
    ARREARS = "ARREARS"
    KEPT_NUMBER = "KEPT_NUMBER"


@dataclass(frozen=True)
class Churn:
    """One exit of a subscriber."""

    subscriber_id: str
    case: Case
    churn_date: date
    confirmed_at: date
    spell_no: int = 1
    is_arrears_exit: bool = False
    is_natural: bool = False
    is_bulk_exit: bool = False
    is_left_censored: bool = False
    revived_on: date | None = None

    @property
    def is_voluntary(self) -> bool:
        return not self.is_arrears_exit and not self.is_natural


@dataclass(frozen=True)
class Removal:
    """Removed by the operator: no churn, censored at the start of that suspension."""

    subscriber_id: str
    removed_on: date
    censored_on: date


@dataclass
class Departure:
    """What became of one line."""

    churns: list[Churn] = field(default_factory=list)
    removal: Removal | None = None
    is_used: bool = True
    eligible_from: date | None = None

    @property
    def standing_churn(self) -> Churn | None:
        """The confirmed exit from which the line has not come back."""
        last = self.churns[-1] if self.churns else None
        return last if last is not None and last.revived_on is None else None


def is_lapse(standing: Standing) -> bool:
    return standing.status in SUSPENDED and (standing.reason or "NONE") in LAPSE_REASONS


def is_away(standing: Standing) -> bool:
    return standing.status in SUSPENDED


def is_kept(standing: Standing) -> bool:
    return standing.status in SUSPENDED and standing.reason == "CUSTOMER_REQUEST"


def exit_of(book: Book, line: Line) -> tuple[date, str] | None:
    """The day and kind of the exit; the event's kind wins over the status reason."""
    event = book.exits.get(line.subscriber_id)
    if event is not None:
        return event["at"].date(), event["kind"]
    for standing in line.standings:
        if standing.status == GONE:
            other = "EXPIRED" if line.is_prepaid else "CLOSED"
            return standing.since, _KIND_OF_REASON.get(standing.reason or "NONE", other)
    return None


def is_natural(book: Book, line: Line) -> bool:
    """Stated cause LIFE_EVENT and no competitor."""
    event = book.exits.get(line.subscriber_id, {})
    return event.get("stated_cause") == "LIFE_EVENT" and not event.get("competitor")


def walk_start(book: Book, line: Line) -> date | None:
    first = book.first_usage_day
    if first is None or not line.standings:
        return None
    start = max(first, line.activated_on or first)
    standing = line.standing_on(start)
    if standing is not None and is_away(standing):
        return min(start, line.run_start(start, is_away))
    return start


@dataclass
class _Walk:
    """The clocks of one line, moved on day by day."""

    book: Book
    line: Line
    start: date
    was_used_before: bool
    last_activity: date | None = None
    last_break: date | None = None  # the last day that was ACTIVE and had activity
    silent: int = 0
    spell_no: int = 1
    departure: Departure = field(default_factory=Departure)

    def standing(self, day: date) -> Standing:
        return self.line.standing_on(day) or Standing(day, ACTIVE, None)

    def has_activity(self, day: date) -> bool:
        return day in self.book.activity_days.get(self.line.subscriber_id, ())

    @property
    def is_used(self) -> bool:
        return self.was_used_before or self.last_activity is not None

    def days_since(self, day: date, wanted: object) -> int:
        since = self.line.run_start(day, wanted)  # type: ignore[arg-type]
        return (day - since).days + 1

    def tick(self, day: date) -> None:
        """Move the clocks."""
        standing = self.standing(day)
        if self.has_activity(day):
            self.last_activity = day
            self.silent = 0
            if standing.status == ACTIVE:
                self.last_break = day
        elif day in self.book.known_days and runs_silent_clock(standing):
            self.silent += 1

    def after(self, day: date | None) -> tuple[date, bool]:
        """The day after; without one the first day walked, left-censored."""
        return (day + ONE_DAY, False) if day is not None else (self.start, True)

    def confirm(self, case: Case, onset: date, day: date, is_cut: bool = False) -> None:
        natural = is_natural(self.book, self.line) and case in (Case.PORT_OUT, Case.CLOSED)
        self.departure.churns.append(
            Churn(
                self.line.subscriber_id,
                case,
                onset,
                day,
                self.spell_no,
                is_arrears_exit=case is Case.ARREARS,
                is_natural=natural,
                is_left_censored=is_cut,
            )
        )


def runs_silent_clock(standing: Standing) -> bool:
    """ACTIVE or ONE_WAY, the latter not for another cause of its own."""
    return standing.status == ACTIVE or (standing.status == ONE_WAY and is_lapse(standing))


def spell_onset(walk: _Walk, day: date) -> tuple[date, bool]:
    """First day of the unbroken silent or suspended spell that holds `day`."""
    onset, is_cut = walk.after(walk.last_break)
    standing = walk.standing(day)
    if is_away(standing):
        away = walk.line.run_start(day, is_away)
        if away <= onset:
            return away, False
    return onset, is_cut


def silent_case(walk: _Walk, day: date) -> bool:
    """PREPAID silent ≥ 60 known days (ACTIVE or ONE_WAY)."""
    p = walk.book.p
    if not (walk.line.is_prepaid and p.silence_counts and walk.silent >= p.silent_days_prepaid):
        return False
    walk.confirm(Case.SILENT, *_onset_and(walk.after(walk.last_activity), day))
    return True


def lapse_case(walk: _Walk, day: date) -> bool:
    """PREPAID not ACTIVE ≥ 60 d (ARREARS, EXPIRED, NONE)."""
    p = walk.book.p
    if not (walk.line.is_prepaid and p.silence_counts and is_lapse(walk.standing(day))):
        return False
    if walk.days_since(day, is_lapse) < p.silent_days_prepaid:
        return False
    walk.confirm(Case.LAPSED, *_onset_and(spell_onset(walk, day), day))
    return True


def arrears_case(walk: _Walk, day: date) -> bool:
    """POSTPAID suspended for ARREARS ≥ 90 d."""
    p, standing = walk.book.p, walk.standing(day)
    if walk.line.is_prepaid or not (is_away(standing) and standing.reason == "ARREARS"):
        return False

    def is_arrears(each: Standing) -> bool:
        return is_away(each) and each.reason == "ARREARS"

    if walk.days_since(day, is_arrears) < p.arrears_days_postpaid:
        return False
    walk.confirm(Case.ARREARS, walk.line.run_start(day, is_away), day)
    return True


def kept_number_case(walk: _Walk, day: date) -> bool:
    """CUSTOMER_REQUEST suspension ≥ 180 d."""
    if not is_kept(walk.standing(day)):
        return False
    if walk.days_since(day, is_kept) < walk.book.p.voluntary_suspension_days:
        return False
    walk.confirm(Case.KEPT_NUMBER, walk.line.run_start(day, is_kept), day)
    return True


def exit_case(walk: _Walk, day: date, kind: str) -> None:
    """The line is removed or leaves on `day`."""
    line, before = walk.line, day - ONE_DAY
    standing = line.standing_on(before)
    was_away = standing is not None and is_away(standing)
    if kind in REMOVALS:
        censored = line.run_start(before, is_away) if was_away else day
        walk.departure.removal = Removal(line.subscriber_id, day, censored)
    elif kind == "PORT_OUT":
        walk.confirm(Case.PORT_OUT, day, day)
    elif standing is not None and is_kept(standing):
        walk.confirm(Case.KEPT_NUMBER, line.run_start(before, is_kept), day)
    elif kind == "CLOSED":
        walk.confirm(Case.CLOSED, day, day)
    elif kind == "ARREARS_REMOVED" and not line.is_prepaid:
        walk.confirm(Case.ARREARS, line.run_start(before, is_away) if was_away else day, day)
    else:
        onset, is_cut = spell_onset(walk, before)
        walk.confirm(Case.LAPSED, min(onset, day), day, is_cut)


def _onset_and(onset: tuple[date, bool], day: date) -> tuple[date, date, bool]:
    return onset[0], day, onset[1]


def is_back(walk: _Walk, day: date) -> bool:
    """ACTIVE with activity, or ACTIVE again after a suspension."""
    if walk.standing(day).status != ACTIVE:
        return False
    returned = walk.standing(day - ONE_DAY).status in SUSPENDED | {GONE}
    return walk.has_activity(day) or returned


def departure_of(book: Book, line: Line) -> Departure:
    """Walk through the days of a line up to D."""
    start = walk_start(book, line)
    if start is None:
        return Departure(is_used=False)
    first = book.first_usage_day
    was_used = line.activated_on is None or (first is not None and line.activated_on < first)
    walk = _Walk(book, line, start, was_used)
    leaving = exit_of(book, line)
    result = walk.departure
    for day in days(start, book.day):
        current = result.standing_churn
        if current is not None and day > current.confirmed_at and is_back(walk, day):
            result.churns[-1] = replace(current, revived_on=day)
            result.eligible_from = day + timedelta(days=book.p.revived_wait_days)
            walk.spell_no += 1
            walk.silent, current = 0, None
            walk.last_break = day - ONE_DAY if not walk.has_activity(day) else day
            walk.last_activity = walk.last_break
        if leaving is not None and day == leaving[0]:
            if (current is None and walk.is_used) or leaving[1] in REMOVALS:
                exit_case(walk, day, leaving[1])
            continue
        walk.tick(day)
        if current is None and walk.is_used and walk.standing(day).status != GONE:
            for case in (silent_case, lapse_case, arrears_case, kept_number_case):
                if case(walk, day):
                    break
    result.is_used = walk.is_used
    return result


def departures(book: Book) -> dict[str, Departure]:
    """Every MOBILE line's departure, with bulk exits marked."""
    found = {name: departure_of(book, line) for name, line in book.lines.items() if line.is_mobile}
    _mark_bulk(book, found)
    return found


def _mark_bulk(book: Book, found: Mapping[str, Departure]) -> None:
    """≥ 20 lines of one firm within 7 d."""
    exits: dict[str, list[tuple[date, str, int]]] = defaultdict(list)
    for name, departure in found.items():
        line = book.lines[name]
        if book.is_firm(line):
            for place, churn in enumerate(departure.churns):
                exits[line.row["customer_id"]].append((churn.churn_date, name, place))
    for each in exits.values():
        each.sort()
        for first, _, _ in each:
            last = first + timedelta(days=book.p.bulk_days - 1)
            together = [one for one in each if first <= one[0] <= last]
            if len({name for _, name, _ in together}) >= book.p.bulk_lines:
                for _, name, place in together:
                    churns = found[name].churns
                    churns[place] = replace(churns[place], is_bulk_exit=True)


def population(book: Book, found: Mapping[str, Departure]) -> dict[str, str | None]:
    """subscriber -> None when it gets an index at D, else the reason why not.

    Beside the reasons of the text: CHURNED (confirmed) and REVIVED (back less than 30 days).
    """
    return {
        name: no_index_reason(book, line, found[name])
        for name, line in book.base.items()
        if name in found
    }


def no_index_reason(book: Book, line: Line, departure: Departure) -> str | None:
    if departure.standing_churn is not None:
        return "CHURNED"
    if not departure.is_used:
        return "NOT_USED_YET"
    if line.is_held_on(book.day, HOLD_REASONS):
        return "OPERATOR_HOLD"
    if line.status_on(book.day) == TWO_WAY:
        return "SUSPENDED"
    if departure.eligible_from is not None and book.day < departure.eligible_from:
        return "REVIVED"
    if line.is_prepaid and not has_recent_activity(book, line):
        return "ALREADY_SILENT"
    return None


def has_recent_activity(book: Book, line: Line) -> bool:
    """An activity day in the last 14 known days; unknown days count neither way."""
    activity, known, day = book.activity_days.get(line.subscriber_id, set()), 0, book.day
    first = book.first_usage_day
    while known < book.p.population_days_prepaid and first is not None and day >= first:
        if day in activity:
            return True
        known += day in book.known_days
        day -= ONE_DAY
    return False


@dataclass(frozen=True)
class Label:
    """`outcome` None: not to be used, and `why`."""

    outcome: bool | None
    why: str


def labels(
    at_index: Book,
    at_knowledge: Book,
    horizon_days: int,
    number_changes: frozenset[str] = frozenset(),
) -> dict[str, Label]:
    """The label of everyone with an index at D = `at_index.day`, known at T = `at_knowledge.day`.

    True: churn_date in (D+g, D+g+h]; not alive at D+g (an onset before, confirmed since): dropped.
    `number_changes`: old sides of NUMBER_CHANGE links at T.
    """
    index = population(at_index, departures(at_index))
    known = departures(at_knowledge)
    return {
        name: label_of(at_index, at_knowledge, name, known[name], horizon_days, number_changes)
        for name, reason in index.items()
        if reason is None
    }


def label_of(
    at_index: Book,
    at_knowledge: Book,
    name: str,
    departure: Departure,
    horizon_days: int,
    number_changes: frozenset[str],
) -> Label:
    p, line = at_index.p, at_knowledge.lines[name]
    opens = at_index.day + timedelta(days=p.lead_days)
    closes = opens + timedelta(days=horizon_days)
    lag = p.silent_days_prepaid if line.is_prepaid else p.arrears_days_postpaid
    if closes + timedelta(days=lag) > at_knowledge.day:
        return Label(None, "IMMATURE")
    churn = next((one for one in departure.churns if one.confirmed_at > at_index.day), None)
    removal = departure.removal
    if removal is not None and removal.censored_on <= closes:
        return Label(None, "REMOVED")
    if churn is None or churn.churn_date > closes:
        return Label(False, "STAYED")
    if churn.churn_date <= opens:
        return Label(None, "IN_LEAD")
    if name in number_changes:
        return Label(None, "NUMBER_CHANGE")
    if churn.is_natural:
        return Label(None, "LIFE_EVENT")
    if churn.is_bulk_exit:
        return Label(None, "BULK_EXIT")
    return Label(True, churn.case)


@dataclass(frozen=True)
class Observed:
    """`left_in`: the interval from 1 in which the line left, 0 = none; `intervals` are known."""

    left_in: int
    intervals: int


def intervals(
    at_index: Book,
    at_knowledge: Book,
    interval_days: int,
    count: int,
    number_changes: frozenset[str] = frozenset(),
) -> dict[str, Observed]:
    """Of everyone with an index and a known first interval: whether and when it left.

    The label of each longer and longer window, up to the one in which the line left or from which
    on nothing can be said.
    """
    found: dict[str, Observed] = {}
    for interval in range(1, count + 1):
        window = labels(at_index, at_knowledge, interval * interval_days, number_changes)
        for name, label in window.items():
            before = found.get(name, Observed(0, 0))
            is_open = before.left_in == 0 and before.intervals == interval - 1
            if is_open and label.outcome is not None:
                found[name] = Observed(interval if label.outcome else 0, interval)
    return found
