"""Signals of use against plan and device: O32, O33, O34, O35, O36.

Here: allowances, months of use, spikes, overuse, misfits. Not here: what it costs (`bills.py`).

Readings where the text leaves room:
- Used: outgoing minutes, SMS sent, data. Allowance = plan version valid on the first of the month
  (on the day itself for O34) plus VAS, DATA_PACK and BUNDLE held on any day of the month so far,
  each from the day on which it started; a pack without that resource adds nothing. NULL and zero
  allowances of the plan alone are skipped, whatever packs there are: NULL is unlimited.
- O32: the amounts of a month are those of its known ACTIVE days. On a THROTTLE plan the data ratio
  is capped at 1, and any slow_data_mb in the month is OVER.
- O33: a full ACTIVE month has every day ACTIVE; its amount is scaled from the known days to the
  month, and fewer than 25 known days make it unknown. "Day 7" counts known elapsed days. A day on
  which the base is too small does not fire. Nothing fires on an unknown day.
- O34: level 80 fires on its first day only if 100 has not been reached by then.
- O35: quantile by linear interpolation between order statistics; data_mb_avg_3m is the mean of the
  amounts of the three closed months, for lines activated before them with known usage on at least
  25 ACTIVE days of each. Generations rank by their first digit.
- O36: over in m1 means more than the allowance; MTD counts from exactly 100%. The month looked at
  for the cause is the running one when it is over, else m1; the burst compares with the three
  months before it; PLAN_SMALL looks at m1..m3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from tests.reference.book import Book, Line, Measure, Usage, data, mean, mou
from tests.reference.dates import closed_months, days, month_days, month_of, month_start
from tests.reference.delivered import Row
from tests.reference.finding import Finding, absent, fired, unknown
from tests.reference.holdings import (
    PACKS,
    ended_on,
    holdings_of,
    is_open_on,
    product_of,
    started_on,
)
from tests.reference.rivals import device_of


def out_minutes(usage: Usage) -> int | None:
    return usage.voice_out_minutes


def sms(usage: Usage) -> int | None:
    return usage.sms_out


def slow(usage: Usage) -> int | None:
    return usage.slow_data_mb


RESOURCES: Mapping[str, tuple[str, Measure]] = {
    "VOICE": ("voice_minutes", out_minutes),
    "DATA": ("data_mb", data),
    "SMS": ("sms_count", sms),
}


# Allowances


def plan_versions(book: Book) -> dict[str, list[Row]]:
    if "plan_versions" not in book.__dict__:
        found: dict[str, list[Row]] = defaultdict(list)
        rows = book.delivered.rows("billing_plans")
        for row in sorted(rows, key=lambda row: row["valid_from"]):
            found[row["plan_id"]].append(row)
        book.__dict__["plan_versions"] = found
    kept: dict[str, list[Row]] = book.__dict__["plan_versions"]
    return kept


def version_on(book: Book, plan_id: str, day: date) -> Row | None:
    """The version valid on the day, else the oldest (older than our catalogue)."""
    rows = plan_versions(book).get(plan_id, [])
    older = [row for row in rows if row["valid_from"] <= day]
    chosen = older[-1:] or rows[:1]
    return chosen[0] if chosen else None


def plan_on(book: Book, line: Line, day: date) -> str | None:
    """The plan at the end of the day."""
    held = [row for row in holdings_of(book, line, ("PLAN",)) if is_open_on(row, day)]
    return held[-1].get("product_id") if held else None


def plan_of_month(book: Book, line: Line, month: str) -> str | None:
    """The plan held on every day of the month."""
    held = month_days(month)
    plans = {plan_on(book, line, day) for day in (held[0], held[-1])}
    starts = [
        row
        for row in holdings_of(book, line, ("PLAN",))
        if held[0] < (started_on(row) or date.min) <= held[-1]
    ]
    return plans.pop() if len(plans) == 1 and not starts else None


def packs_between(book: Book, line: Line, first: date, last: date) -> list[Row]:
    """Products held on a day of `first`..`last`."""
    return [
        product_of(book, row)
        for row in holdings_of(book, line, PACKS)
        if (started_on(row) or date.max) <= last and (ended_on(row) or date.max) >= first
    ]


def allowance(plan: Row, packs: Iterable[Row], column: str) -> int | None:
    """None: unlimited, or none at all."""
    own: int | None = plan.get(column)
    if not own:
        return None
    return own + sum(pack.get(column) or 0 for pack in packs)


def used(book: Book, line: Line, period: Iterable[date], measure: Measure) -> int:
    return sum(book.measures(line, period, measure))


def month_ratios(book: Book, line: Line, month: str) -> dict[str, Fraction] | None:
    """used / allowance by resource; None when the month does not count (O32)."""
    period = month_days(month)
    known = [day for day in period if day in book.known_active(line)]
    plan_id = plan_of_month(book, line, month)
    plan = version_on(book, plan_id, period[0]) if plan_id else None
    if plan is None or len(known) < book.p.fit_min_days:
        return None
    packs = packs_between(book, line, period[0], period[-1])
    found = {}
    for name, (column, measure) in RESOURCES.items():
        given = allowance(plan, packs, column)
        if given is not None:
            found[name] = Fraction(used(book, line, period, measure), given)
    if plan.get("overage_mode") == "THROTTLE" and "DATA" in found:
        found["DATA"] = min(found["DATA"], Fraction(1))
    return found


def month_fit(book: Book, line: Line, month: str) -> str | None:
    """OVER, UNDER, FIT, or None."""
    ratios = month_ratios(book, line, month)
    if not ratios:
        return None
    plan = version_on(book, plan_of_month(book, line, month) or "", month_start(month)) or {}
    is_slowed = (
        plan.get("overage_mode") == "THROTTLE"
        and "DATA" in ratios
        and used(book, line, month_days(month), slow) > 0
    )
    if is_slowed or any(ratio > book.p.fit_high for ratio in ratios.values()):
        return "OVER"
    return "UNDER" if all(ratio < book.p.fit_low for ratio in ratios.values()) else "FIT"


def plan_mismatch(book: Book, line: Line) -> Finding:
    """O32: the last 3 closed months are all ≠ FIT."""
    fits = [month_fit(book, line, month) for month in closed_months(book.day, book.p.fit_months)]
    if "FIT" in fits:
        return absent()
    if None in fits:
        return unknown()
    return fired(direction=fits[0] if len(set(fits)) == 1 else "MIXED")


# O33


def full_active_amount(book: Book, line: Line, month: str, measure: Measure) -> Fraction | None:
    """The month's amount scaled to all its days; None unless ACTIVE every day."""
    period = month_days(month)
    if not all(line.is_active_on(day) for day in period):
        return None
    values = book.measures(line, period, measure)
    if len(values) < book.p.fit_min_days:
        return None
    return Fraction(sum(values) * len(period), len(values))


def anomaly_days(
    book: Book, line: Line, measure: Measure, base: Fraction, is_spike: bool
) -> list[date]:
    """Days of the running month, up to D, on which it holds."""
    month = month_of(book.day)
    found, total, elapsed = [], 0, 0
    for day in days(month_start(month), book.day):
        usage = book.known_active(line).get(day)
        value = measure(usage) if usage is not None else None
        if value is None:
            continue
        total, elapsed = total + value, elapsed + 1
        expected = base * elapsed / len(month_days(month))
        if elapsed < book.p.anomaly_min_elapsed_days:
            continue
        if total >= book.p.spike * expected if is_spike else total <= book.p.drop * expected:
            found.append(day)
    return found


def usage_anomaly(book: Book, line: Line, is_spike: bool) -> Finding:
    """O33: first day in the month, by resource."""
    p = book.p
    if not all(line.is_active_on(day) for day in days(book.day.replace(day=1), book.day)):
        return absent()
    if book.day not in book.known_days:
        return unknown()
    found, unknowns = [], 0
    for name, measure, floor in (
        ("MOU", mou, p.anomaly_base_minutes),
        ("DATA", data, p.anomaly_base_kb),
    ):
        months = [
            full_active_amount(book, line, month, measure) for month in closed_months(book.day, 3)
        ]
        amounts = [amount for amount in months if amount is not None]
        if len(amounts) < 3:
            unknowns += 1
            continue
        base = sum(amounts, Fraction(0)) / 3
        if base >= floor and anomaly_days(book, line, measure, base, is_spike)[:1] == [book.day]:
            found.append(name)
    if found:
        return fired(resources=found)
    return unknown() if unknowns else absent()


def usage_spike(book: Book, line: Line) -> Finding:
    return usage_anomaly(book, line, is_spike=True)


def usage_drop(book: Book, line: Line) -> Finding:
    return usage_anomaly(book, line, is_spike=False)


# O34


def over_plan_days(book: Book, line: Line, resource: str, level: Fraction) -> list[date] | None:
    """Days of the running month with MTD ≥ level × allowance; None: nothing to compare with."""
    column, measure = RESOURCES[resource]
    first = book.day.replace(day=1)
    found, total, is_limited = [], 0, False
    for day in days(first, book.day):
        usage = book.usage_on(line.subscriber_id, day)
        total += (measure(usage) or 0) if usage is not None else 0
        plan = version_on(book, plan_on(book, line, day) or "", day)
        given = plan and allowance(plan, packs_between(book, line, first, day), column)
        if given:
            is_limited = True
            if total >= level * given:
                found.append(day)
    return found if is_limited else None


def over_plan(book: Book, line: Line, is_full: bool) -> Finding:
    p = book.p
    if not book.delivered.has("billing_subscriptions") or not book.delivered.has("billing_plans"):
        return unknown()
    if plan_on(book, line, book.day) is None:
        return unknown()
    hit = []
    for resource in RESOURCES:
        full = over_plan_days(book, line, resource, p.over_plan_full)
        if full is None:
            continue
        if is_full and full[:1] == [book.day]:
            hit.append(resource)
        warn = over_plan_days(book, line, resource, p.over_plan_warn) or []
        if not is_full and warn[:1] == [book.day] and not full:
            hit.append(resource)
    if hit:
        return fired(resources=hit)
    missing = any(day not in book.known_days for day in days(book.day.replace(day=1), book.day))
    return unknown() if missing and p.missing_day_is_unknown else absent()


def over_plan_80(book: Book, line: Line) -> Finding:
    return over_plan(book, line, is_full=False)


def over_plan_100(book: Book, line: Line) -> Finding:
    return over_plan(book, line, is_full=True)


# O35


def generation_rank(generation: object) -> int | None:
    text = str(generation or "")
    return int(text[0]) if text[:1].isdigit() else None


def network_rank(book: Book, line: Line) -> int | None:
    """Of the home branch, by policy: the nearest unit above it that is named."""
    named = book.p.network_generation_by_org
    units = book.upwards(line.row.get("org_id"))
    own = next((named[unit] for unit in units if unit in named), None)
    return generation_rank(own or book.p.network_generation_elsewhere)


def data_average(book: Book, line: Line) -> Fraction | None:
    """data_mb_avg_3m, KB."""
    amounts = []
    for month in closed_months(book.day, 3):
        values = book.measures(line, month_days(month), data)
        if len(values) < book.p.fit_min_days:
            return None
        amounts.append(sum(values))
    oldest = month_start(closed_months(book.day, 3)[-1])
    if line.activated_on is not None and line.activated_on > oldest:
        return None
    return mean(amounts)


def averages_by_generation(book: Book) -> dict[int, list[Fraction]]:
    if "averages_by_generation" not in book.__dict__:
        found: dict[int, list[Fraction]] = defaultdict(list)
        for line in book.base.values():
            rank = generation_rank(device_of(book, line).get("network_generation"))
            average = data_average(book, line)
            if rank is not None and average is not None:
                found[rank].append(average)
        book.__dict__["averages_by_generation"] = found
    kept: dict[int, list[Fraction]] = book.__dict__["averages_by_generation"]
    return kept


def quantile(values: Iterable[Fraction], share: Fraction) -> Fraction:
    """Linear interpolation between order statistics."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def device_mismatch(book: Book, line: Line) -> Finding:
    """O35."""
    own = generation_rank(device_of(book, line).get("network_generation"))
    network = network_rank(book, line)
    if own is None or network is None:
        return unknown()
    if own >= network:
        return absent()
    average = data_average(book, line)
    if average is None:
        return unknown()
    group = averages_by_generation(book)[own]
    if len(group) < book.p.device_min_group:
        lower = averages_by_generation(book).items()
        group = [value for rank, values in lower if rank < network for value in values]
    limit = quantile(group, book.p.device_quantile)
    return fired(average_kb=average, limit_kb=limit) if average >= limit else absent()


# O36


def closed_data_ratio(book: Book, line: Line, month: str) -> Fraction | None:
    """Data used / allowance of a closed month; 0 where the plan has no limit."""
    plan_id = plan_of_month(book, line, month)
    plan = version_on(book, plan_id, month_start(month)) if plan_id else None
    if plan is None:
        return None
    period = month_days(month)
    if any(day not in book.known_days for day in period) and book.p.missing_day_is_unknown:
        return None
    given = allowance(plan, packs_between(book, line, period[0], period[-1]), "data_mb")
    return Fraction(month_data(book, line, period, data), given) if given else Fraction(0)


def month_data(book: Book, line: Line, period: Iterable[date], measure: Measure) -> int:
    """The amount on all known days, whatever the status."""
    found = 0
    for day in period:
        usage = book.usage_on(line.subscriber_id, day)
        found += (measure(usage) or 0) if usage is not None else 0
    return found


def is_over_now(book: Book, line: Line) -> bool | None:
    """MTD ≥ 100% of the allowance of the running month."""
    if plan_on(book, line, book.day) is None:
        return None
    first = book.day.replace(day=1)
    plan = version_on(book, plan_on(book, line, book.day) or "", book.day)
    if plan is None:
        return None
    given = allowance(plan, packs_between(book, line, first, book.day), "data_mb")
    if given is None:
        return False
    period = list(days(first, book.day))
    if month_data(book, line, period, data) >= given:
        return True
    missing = any(day not in book.known_days for day in period)
    return None if missing and book.p.missing_day_is_unknown else False


def data_mismatch(book: Book, line: Line) -> Finding:
    """O36."""
    m1 = closed_months(book.day, 1)[0]
    ratio = closed_data_ratio(book, line, m1)
    legs = {"MTD": is_over_now(book, line), "M1": ratio > 1 if ratio is not None else None}
    if not any(legs.values()):
        return unknown() if None in legs.values() else absent()
    month = month_of(book.day) if legs["MTD"] else m1
    causes = data_causes(book, line, month)
    true = [name for name, holds in causes.items() if holds]
    unclear = [name for name, holds in causes.items() if holds is None]
    return fired(cause=(true or ["UNKNOWN"])[0], causes=true, unknown_causes=unclear)


def share_of_month(book: Book, line: Line, period: list[date], column: str) -> Fraction | None:
    """The part's share of the month's data; None when the column is missing on a day of use."""
    whole = part = 0
    for day in period:
        usage = book.usage_on(line.subscriber_id, day)
        if usage is None or not usage.data_mb:
            continue
        value = getattr(usage, column)
        if value is None:
            return None
        whole, part = whole + usage.data_mb, part + value
    return Fraction(part, whole) if whole else Fraction(0)


def data_causes(book: Book, line: Line, month: str) -> dict[str, bool | None]:
    """In the order in which the first true one is the cause."""
    p = book.p
    period = [day for day in month_days(month) if day <= book.day]
    found: dict[str, bool | None] = {}
    for name in ("ROAMING", "TETHERING", "BACKGROUND"):
        share = share_of_month(book, line, period, f"data_mb_{name.lower()}")
        found[name] = None if share is None else share >= p.data_cause_share
    found["APP_BURST"] = is_app_burst(book, line, month, period)
    ratios = [closed_data_ratio(book, line, each) for each in closed_months(book.day, 3)]
    over = sum(ratio is not None and ratio > 1 for ratio in ratios)
    could = over + ratios.count(None)
    found["PLAN_SMALL"] = over >= p.data_small_months or (
        None if could >= p.data_small_months else False
    )
    return found


APPS = ("video", "social", "messaging", "music", "game", "other")


def is_app_burst(book: Book, line: Line, month: str, period: list[date]) -> bool | None:
    """The top class ≥ 50% and ≥ 2 × its mean of the three months before."""
    p = book.p
    shares: dict[str, Any] = {
        app: share_of_month(book, line, period, f"data_mb_{app}") for app in APPS
    }
    if None in shares.values():
        return None
    top = max(APPS, key=lambda app: (shares[app], app))
    if shares[top] < p.data_burst_share:
        return False

    def amount(usage: Usage) -> int | None:
        value: int | None = getattr(usage, f"data_mb_{top}")
        return value

    before = [
        month_data(book, line, month_days(each), amount)
        for each in closed_months(month_start(month), 3)
    ]
    return month_data(book, line, period, amount) >= p.data_burst_ratio * mean(before)
