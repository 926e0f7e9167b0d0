"""Signals of the competitor: O09, O10, O15, PORT_INTENT.

Here: forwards, hotlines, portability, minutes to competitors. Not here: the second handset
(`dual_handset.py`).

Readings where the text leaves room:
- A forward of a type ends at the next OFF or ON of that type; an interval needs a positive length
  and a part in the window, so an OFF at any time after midnight of D-29 meets it.
- O15: the main device is the newest `tac` of the usage of the last 30 days, else of
  `usage_devices`; below 30 minutes in either window the share is unknown.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from fractions import Fraction

from tests.reference.book import Book, Line, Usage, mou
from tests.reference.dates import midnight_after, prior90, window
from tests.reference.finding import Finding, absent, fired, unknown


def forwards(book: Book, line: Line) -> list[tuple[datetime, datetime, str]]:
    """(from, until, competitor) of forwards of the types that count."""
    events = sorted(
        (row["at"], row["kind"] == "CALL_FORWARD_ON", row["event_id"], row)
        for row in book.of("usage_competitor_contacts", line)
        if row.get("at") and row.get("kind") in ("CALL_FORWARD_ON", "CALL_FORWARD_OFF")
    )
    found = []
    for kind in book.p.forward_types:
        same = [each for each in events if (each[3].get("forward_type") or "CFU") == kind]
        for place, (at, is_on, _, row) in enumerate(same):
            until = same[place + 1][0] if place + 1 < len(same) else datetime.max
            if is_on and row.get("competitor"):
                found.append((at, until, row["competitor"]))
    return found


def forwarded_between(book: Book, line: Line, first: date, last: date) -> list[str]:
    """Competitors to whom a forward was in force on a day of `first`..`last`."""
    opens, closes = datetime.combine(first, time()), midnight_after(last)
    return sorted(
        competitor
        for at, until, competitor in forwards(book, line)
        if at < closes and until > opens and until > at
    )


def hr7_forward(book: Book, line: Line) -> Finding:
    """O09: a forward (CFU, CFB) to a competitor in force on any day of the 30 d."""
    first = book.day - timedelta(days=book.p.forward_days - 1)
    found = forwarded_between(book, line, first, book.day)
    if found:
        return fired(competitors=found)
    unproven = book.is_unproven("usage_competitor_contacts", book.p.forward_days)
    return unknown() if unproven else absent()


def hr8_hotline(book: Book, line: Line) -> Finding:
    """O10: ≥ 1 HOTLINE_OUT or HOTLINE_IN in 30 d."""
    recent = book.recent("usage_competitor_contacts", line, book.p.hotline_days)
    kinds = {row.get("kind") for row in recent} & {"HOTLINE_OUT", "HOTLINE_IN"}
    if kinds:
        direction = "BOTH" if len(kinds) == 2 else str(kinds.pop()).removeprefix("HOTLINE_")
        return fired(direction=direction)
    unproven = book.is_unproven("usage_competitor_contacts", book.p.hotline_days)
    return unknown() if unproven else absent()


def port_intent(book: Book, line: Line) -> Finding:
    """PORTABILITY_QUERY, PORT_OUT_CODE or CANCEL_REQUEST in 30 d."""
    width = book.p.port_intent_days
    queries = [
        row["kind"]
        for row in book.recent("usage_competitor_contacts", line, width)
        if row.get("kind") == "PORTABILITY_QUERY"
    ]
    requests = [
        row["reason"]
        for row in book.recent("care_interactions", line, width)
        if row.get("reason") in ("PORT_OUT_CODE", "CANCEL_REQUEST")
    ]
    if queries or requests:
        return fired(kinds=sorted({*queries, *requests}))
    feeds = ("usage_competitor_contacts", "care_interactions")
    return unknown() if any(book.is_unproven(feed, width) for feed in feeds) else absent()


def competitor_minutes(usage: Usage) -> int | None:
    return usage.voice_competitor_minutes if mou(usage) is not None else None


def competitor_share(book: Book, line: Line, days: list[date]) -> Fraction | None:
    """Minutes to competitors of all minutes on known ACTIVE days; None below 30 minutes."""
    whole = sum(book.measures(line, days, mou))
    part = book.measures(line, days, competitor_minutes)
    if whole < book.p.exposure_min_minutes or not part:
        return None
    return Fraction(sum(part), whole)


def share_rise(book: Book, line: Line) -> Fraction | None:
    """competitor_call_share_30d less the own share of prior90."""
    now = competitor_share(book, line, window(book.day, 30))
    before = competitor_share(book, line, prior90(book.day))
    return None if now is None or before is None else now - before


def main_tac(book: Book, line: Line) -> str | None:
    for day in reversed(window(book.day, 30)):
        usage = book.usage_on(line.subscriber_id, day)
        if usage is not None and usage.tac:
            return usage.tac
    events = [row for row in book.of("usage_devices", line) if row.get("tac")]
    return max(events, key=lambda row: row["at"])["tac"] if events else None


def device_of(book: Book, line: Line) -> dict[str, object]:
    """The model of the main device; empty when unknown."""
    models = book.models
    return models.get(main_tac(book, line) or "", {})


def dual_sim_exposure(book: Book, line: Line) -> Finding:
    """O15: the main device takes two SIMs, and the competitor's share rose by ≥ .15."""
    is_dual, rise = device_of(book, line).get("is_dual_sim"), share_rise(book, line)
    if is_dual is False or (rise is not None and rise < book.p.exposure_rise):
        return absent()
    if is_dual is None or rise is None:
        return unknown()
    return fired(rise=rise)
