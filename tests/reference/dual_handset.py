"""O14: owners of two handsets, one of them a competitor's.

Here: the evidence types E1–E6, the flag and its score. Not here: the number that a subscriber took
instead of the old one (`reentry.py`).

Readings where the text leaves room:
- An evidence counts while its date is within `memory_days`: E1 both SIMs were in the device on
  some day of the window (not necessarily at once: a handed-down phone is E1, which is why E1 alone
  never flags); E2, E3, E6 the release of that month's file lies in the window, so that a circle
  is remembered as long as any other evidence; E4 in force on a day of the window; E5 true on some
  day of it, unknown when it is at D and was true on no day.
- Circles hold persons: numbers of up to six digits are short codes, neither members nor minutes.
- E3: for every off-net number x, the set of msisdns of our subscribers in whose circle of that
  month x appears (the owner left out) is what we see of x's circle. It is compared with the
  members of the owner's own circle of that month (x left out), on-net and off-net; both sides
  have at least 5. x need not be in the owner's circle. `dual_own_onnet_only` compares with the
  on-net members only. msisdns are those known at D.
- E5: rates by 30 days over the days C against B, as for usage_ratio; the voice leg needs a MOU
  base of 30 minutes, the data leg that and a data base of 300 MB; either unknown leg leaves the
  other. It is looked at only for lines with another evidence: alone it cannot flag.
- E6: both HOME and WORK equal, in one month.
- Unknown: too few types are true, but unknown ones could make up for it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.reference.book import ACTIVE, Book, Line, Usage, data, jaccard, mou
from tests.reference.dates import is_within, window
from tests.reference.reentry import holders, imeis, score_of
from tests.reference.rivals import forwarded_between

OFF_NET = ("E2", "E3", "E4", "E5")


@dataclass(frozen=True)
class DualHandset:
    """The evidence types of a line: True, False or None (unknown)."""

    types: dict[str, bool | None]
    is_flagged: bool | None
    is_dual_onnet: bool
    score: Fraction


def dual_handsets(book: Book) -> dict[str, DualHandset]:
    """Every line of the base."""
    twins = {name: sharing_lines(book, line) for name, line in book.base.items()}
    overlapping = off_net_twins(book)
    return {
        name: judged(book, line, evidence(book, line, twins[name], overlapping))
        for name, line in book.base.items()
    }


def evidence(
    book: Book, line: Line, twins: set[str], overlapping: dict[str, set[str]]
) -> dict[str, bool | None]:
    has_circles = bool(circle_months(book))
    types: dict[str, bool | None] = {
        "E1": bool(twins) if book.delivered.has("usage_devices") else None,
        "E2": has_concentration(book, line) if has_circles else None,
        "E3": line.subscriber_id in overlapping if has_circles else None,
        "E4": has_forward(book, line),
        "E5": False,
        "E6": shares_areas(book, line, twins),
    }
    if any(types.values()):
        types["E5"] = was_complementary(book, line)
    return types


def judged(book: Book, line: Line, types: dict[str, bool | None]) -> DualHandset:
    """≥ 2 types, at least one of E2–E5."""
    p = book.p
    true = [name for name, holds in types.items() if holds]
    possible = [name for name, holds in types.items() if holds is not False]
    if len(true) >= p.dual_min_types and any(name in OFF_NET for name in true):
        flag: bool | None = True
    elif len(possible) >= p.dual_min_types and any(name in OFF_NET for name in possible):
        flag = None
    else:
        flag = False
    is_onnet = bool(types["E1"] and types["E6"]) and not any(name in OFF_NET for name in true)
    return DualHandset(types, flag, is_onnet, score_of(p.dual_weights, true))


def sharing_lines(book: Book, line: Line) -> set[str]:
    """E1: the other ACTIVE subscribers of an IMEI; no firms, no shop phones."""
    p, last = book.p, book.day
    if line.status_on(last) != ACTIVE or book.is_firm(line):
        return set()
    first = last - timedelta(days=p.dual_memory_days - 1)
    wide = last - timedelta(days=p.imei_days - 1)
    found: set[str] = set()
    for imei in imeis(book, line.subscriber_id, first, last):
        if len(holders(book, imei, wide, last)) > p.imei_max_subscribers:
            continue
        found |= {
            name
            for name in holders(book, imei, first, last) - {line.subscriber_id}
            if name in book.lines
            and book.lines[name].status_on(last) == ACTIVE
            and not book.is_firm(book.lines[name])
        }
    return found


def circle_months(book: Book) -> list[str]:
    """Months whose circles were released within the memory."""
    return [
        month
        for month, released in book.circle_released.items()
        if is_within(released, book.day, book.p.dual_memory_days)
    ]


def has_concentration(book: Book, line: Line) -> bool:
    """E2: one off-net number ≥ 25% of the circle's minutes, circle ≥ 5."""
    for month in circle_months(book):
        circle = book.circles[month].get(line.subscriber_id, {})
        if len(circle) < book.p.dual_min_members:
            continue
        whole = sum(contact.minutes for contact in circle.values())
        if any(
            contact.is_onnet is False and contact.minutes >= book.p.dual_top_share * whole > 0
            for contact in circle.values()
        ):
            return True
    return False


def off_net_twins(book: Book) -> dict[str, set[str]]:
    """E3: subscriber -> off-net numbers whose circle overlaps its own."""
    found: dict[str, set[str]] = defaultdict(set)
    for month in circle_months(book):
        for name, number in overlaps_of_month(book, month):
            found[name].add(number)
    return found


def overlaps_of_month(book: Book, month: str) -> set[tuple[str, str]]:
    circles, p = book.circles[month], book.p
    msisdns = {name: line.row.get("msisdn") for name, line in book.lines.items()}
    seen_by: dict[str, set[str]] = defaultdict(set)  # off-net number -> msisdns of ours
    owners: dict[str, set[str]] = defaultdict(set)  # number -> subscribers with it in their circle
    for name, circle in circles.items():
        for number, contact in circle.items():
            owners[number].add(name)
            if contact.is_onnet is False and msisdns.get(name):
                seen_by[number].add(msisdns[name] or "")
    found = set()
    for number, members in seen_by.items():
        if len(members) < p.dual_min_members:
            continue
        for name in set().union(*(owners.get(member, set()) for member in members)):
            theirs = members - {msisdns.get(name) or ""}
            own = {
                member
                for member, contact in circles[name].items()
                if member != number and not (p.dual_own_onnet_only and contact.is_onnet is False)
            }
            if min(len(theirs), len(own)) < p.dual_min_members:
                continue
            if jaccard(theirs, own) >= p.dual_jaccard:
                found.add((name, number))
    return found


def has_forward(book: Book, line: Line) -> bool | None:
    """E4: a forward to a competitor in force on a day of the window."""
    first = book.day - timedelta(days=book.p.dual_memory_days - 1)
    if forwarded_between(book, line, first, book.day):
        return True
    unproven = book.is_unproven("usage_competitor_contacts", book.p.dual_memory_days)
    return None if unproven else False


def was_complementary(book: Book, line: Line) -> bool | None:
    """E5 on some day of the window."""
    if any(is_complementary(book, line, day) for day in window(book.day, book.p.dual_memory_days)):
        return True
    return is_complementary(book, line, book.day)


def is_complementary(book: Book, line: Line, day: date) -> bool | None:
    """Out ≤ 50% of its base while in ≥ 80%, or data ≤ 50% while voice ≥ 80%."""
    p = book.p
    voice = book.rates(line, mou, day)
    if voice is None or voice[1] < p.min_base_mou:
        return None
    out, into = book.rates(line, out_minutes, day), book.rates(line, in_minutes, day)
    megabytes = book.rates(line, data, day)
    legs = []
    if out is not None and into is not None and out[1] > 0 and into[1] > 0:
        legs.append(out[0] <= p.dual_low * out[1] and into[0] >= p.dual_high * into[1])
    if megabytes is not None and megabytes[1] >= p.min_base_kb:
        legs.append(
            megabytes[0] <= p.dual_low * megabytes[1] and voice[0] >= p.dual_high * voice[1]
        )
    return any(legs) if legs else None


def out_minutes(usage: Usage) -> int | None:
    return usage.voice_out_minutes


def in_minutes(usage: Usage) -> int | None:
    return usage.voice_in_minutes


def shares_areas(book: Book, line: Line, twins: set[str]) -> bool | None:
    """E6: home and work area shared with E1's other line."""
    if not twins:
        return False
    months = [
        month
        for month, released in book.areas_released.items()
        if is_within(released, book.day, book.p.dual_memory_days)
    ]
    if not months:
        return None
    for month in months:
        own = book.areas[month].get(line.subscriber_id, {})
        for twin in twins:
            other = book.areas[month].get(twin, {})
            if {"HOME", "WORK"} <= own.keys() and own == other:
                return True
    return False
