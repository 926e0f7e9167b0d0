"""O30: who left and came back as another subscriber.

Here: evidence between an old and a new line, the score, the one-to-one choice. Not here: what a
link does to rates (`churn.py`) and agents (`arbitrage.py`).

Readings where the text leaves room:
- end_old is the churn_date of the last confirmed churn, else (removed, never used) the day of the
  exit. Old and new are MOBILE and not IOT; the new line was activated after the old one.
- ID: the same customer_id, or the same id_number of their customers. "IDs with > 5 lines" counts
  all lines ever delivered under it; customers and numbers of firms are no evidence.
- DEVICE: an IMEI that the old line was in on a day of end-59..end and the new one on a day of
  activation..activation+59; an IMEI is held from its event to the next of the same SIM. Shop
  phones: > 3 holders in the 180 days that end 59 days after the new activation (at D at the
  latest).
- CIRCLE: the old line's last calendar month that closed before end_old, the new line's first that
  began on or after its activation; short codes are no members.
- AREA: the same HOME area in those months.
- Links are scored with what is visible at D; the frozen link is that of the freeze date.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.reference.book import GONE, Book, Line, jaccard
from tests.reference.churn import Departure
from tests.reference.dates import ONE_DAY, month_before, month_of, month_start, next_month


@dataclass(frozen=True)
class Link:
    """Two subscribers that are taken for one person."""

    old_id: str
    new_id: str
    score: Fraction
    evidence: tuple[str, ...]
    gap_days: int
    kind: str  # NUMBER_CHANGE or RETURN


@dataclass(frozen=True)
class Ended:
    line: Line
    ended_on: date
    is_port_out: bool


def ended_lines(book: Book, departures: Mapping[str, Departure]) -> dict[str, Ended]:
    """Lines that are deactivated or confirmed churned, but for fraud."""
    found = {}
    for name, departure in departures.items():
        line = book.lines[name]
        event = book.exits.get(name, {})
        gone = next((each for each in line.standings if each.status == GONE), None)
        if event.get("kind") == "FRAUD_REMOVED":
            continue
        if not event and gone is not None and gone.reason == "FRAUD":
            continue
        if departure.churns:
            ended_on = departure.churns[-1].churn_date
        elif event.get("at"):
            ended_on = event["at"].date()
        elif gone is not None:
            ended_on = gone.since
        else:
            continue
        is_port_out = event.get("kind") == "PORT_OUT" or (
            not event and gone is not None and gone.reason == "PORT_OUT"
        )
        found[name] = Ended(line, ended_on, is_port_out)
    return found


def holders(book: Book, imei: str, first: date, last: date) -> set[str]:
    """Subscribers whose SIM was in the device on a day of `first`..`last`."""
    return {
        name for name in holders_ever(book).get(imei, ()) if imei in imeis(book, name, first, last)
    }


def holders_ever(book: Book) -> dict[str, set[str]]:
    if "holders" not in book.__dict__:
        found: dict[str, set[str]] = defaultdict(set)
        for name, events in book.devices.items():
            for _, imei in events:
                found[imei].add(name)
        book.__dict__["holders"] = found
    return book.__dict__["holders"]


def imeis(book: Book, name: str, first: date, last: date) -> set[str]:
    """Devices that the SIM was in on a day of `first`..`last`."""
    events = book.devices.get(name, [])
    found = set()
    for place, (at, imei) in enumerate(events):
        until = events[place + 1][0].date() if place + 1 < len(events) else date.max
        if at.date() <= last and until >= first:
            found.add(imei)
    return found


def identities(book: Book, line: Line) -> set[tuple[str, str]]:
    """The customer and the ID number behind a line; nothing for firms."""
    customer = book.customer_of(line)
    if book.is_firm(line):
        return set()
    found = set()
    if line.row.get("customer_id"):
        found.add(("customer", line.row["customer_id"]))
    if customer.get("id_number"):
        found.add(("id", customer["id_number"]))
    return found


def usable_identities(book: Book) -> dict[str, set[tuple[str, str]]]:
    """subscriber -> its identities with at most `reentry_max_lines_an_id` lines."""
    each = {name: identities(book, line) for name, line in book.lines.items() if line.is_mobile}
    lines = Counter(identity for found in each.values() for identity in found)
    return {
        name: {one for one in found if lines[one] <= book.p.reentry_max_lines_an_id}
        for name, found in each.items()
    }


def last_full_month(ended_on: date) -> str:
    return month_before(month_of(ended_on))


def first_full_month(activated_on: date) -> str:
    month = month_of(activated_on)
    return month if activated_on == month_start(month) else next_month(month)


def has_device(book: Book, old: Ended, new: Line) -> bool:
    assert new.activated_on is not None
    width = timedelta(days=book.p.reentry_device_days - 1)
    before = imeis(book, old.line.subscriber_id, old.ended_on - width, old.ended_on)
    last = min(new.activated_on + width, book.day)
    after = imeis(book, new.subscriber_id, new.activated_on, last)
    first = last - timedelta(days=book.p.imei_days - 1)
    return any(
        len(holders(book, imei, first, last)) <= book.p.imei_max_subscribers
        for imei in before & after
    )


def circle_months(old: Ended, new: Line) -> tuple[str, str]:
    assert new.activated_on is not None
    return last_full_month(old.ended_on), first_full_month(new.activated_on)


def has_circle(book: Book, old: Ended, new: Line) -> bool:
    before, after = circle_months(old, new)
    one = book.circles.get(before, {}).get(old.line.subscriber_id, {})
    other = book.circles.get(after, {}).get(new.subscriber_id, {})
    if min(len(one), len(other)) < book.p.reentry_circle_min:
        return False
    return jaccard(one, other) >= book.p.reentry_jaccard


def has_area(book: Book, old: Ended, new: Line) -> bool:
    before, after = circle_months(old, new)
    one = book.areas.get(before, {}).get(old.line.subscriber_id, {}).get("HOME")
    return one is not None and one == (
        book.areas.get(after, {}).get(new.subscriber_id, {}).get("HOME")
    )


def score_of(weights: Mapping[str, Fraction], evidence: Iterable[str]) -> Fraction:
    """1 - Π(1-w)."""
    rest = Fraction(1)
    for name in evidence:
        rest *= 1 - weights[name]
    return 1 - rest


def candidates(
    book: Book,
    olds: Mapping[str, Ended],
    news: Mapping[str, Line],
    identity: Mapping[str, set[tuple[str, str]]],
) -> set[tuple[str, str]]:
    """Pairs that share anything that could be evidence beside the area."""
    old_by: dict[object, set[str]] = defaultdict(set)
    for name, old in olds.items():
        circle = book.circles.get(last_full_month(old.ended_on), {}).get(name, {})
        for mark in (*identity[name], *(i for _, i in book.devices.get(name, [])), *circle):
            old_by[mark].add(name)
    pairs = set()
    for name, line in news.items():
        assert line.activated_on is not None
        circle = book.circles.get(first_full_month(line.activated_on), {}).get(name, {})
        for mark in (*identity[name], *(i for _, i in book.devices.get(name, [])), *circle):
            pairs |= {(old, name) for old in old_by.get(mark, ())}
    return pairs


def may_link(book: Book, old: Ended, new: Line) -> bool:
    """Another subscriber, activated within 90 d of the old one's end, younger than the old one."""
    assert new.activated_on is not None
    return (
        old.line.subscriber_id != new.subscriber_id
        and abs((new.activated_on - old.ended_on).days) <= book.p.reentry_days
        and (old.line.activated_on or date.min) < new.activated_on
    )


def links(book: Book, departures: Mapping[str, Departure]) -> list[Link]:
    """One-to-one links as visible at D: best score first, then smaller gap, then ids."""
    olds = ended_lines(book, departures)
    horizon = min((old.ended_on for old in olds.values()), default=book.day)
    earliest = horizon - timedelta(days=book.p.reentry_days)
    news = {
        name: line
        for name, line in book.lines.items()
        if line.is_mobile
        and line.activated_on is not None
        and earliest - ONE_DAY < line.activated_on <= book.day
    }
    identity = usable_identities(book)
    found = []
    for old_id, new_id in candidates(book, olds, news, identity):
        old, new = olds[old_id], news[new_id]
        if not may_link(book, old, new):
            continue
        evidence = tuple(
            name
            for name, holds in (
                ("ID", bool(identity[old_id] & identity[new_id])),
                ("DEVICE", has_device(book, old, new)),
                ("CIRCLE", has_circle(book, old, new)),
                ("AREA", has_area(book, old, new)),
            )
            if holds
        )
        score = score_of(book.p.reentry_weights, evidence)
        if score >= book.p.reentry_min_score:
            assert new.activated_on is not None
            gap = abs((new.activated_on - old.ended_on).days)
            kind = "RETURN" if old.is_port_out else "NUMBER_CHANGE"
            found.append(Link(old_id, new_id, score, evidence, gap, kind))
    return one_to_one(found)


def one_to_one(found: list[Link]) -> list[Link]:
    taken_old: set[str] = set()
    taken_new: set[str] = set()
    chosen = []
    for link in sorted(found, key=lambda one: (-one.score, one.gap_days, one.old_id, one.new_id)):
        if link.old_id not in taken_old and link.new_id not in taken_new:
            taken_old.add(link.old_id)
            taken_new.add(link.new_id)
            chosen.append(link)
    return chosen
