"""Signals of money: O05, O07, O23, O29.

Here: invoices, balances. Not here: why they fell (`decline_causes.py`).

Readings where the text leaves room:
- m1 is the newest month of which any invoice is visible; m2, … the calendar months before it.
- Its age, and the 30 days of O29, count from the date of the file that delivered m1's invoice.
- A month is partial for activation or closure in it, or more than 5 days not ACTIVE (a day before
  the first known status is not ACTIVE).
- One-offs of O29 are adjustment_cny and other_cny. A mean under its floor is false, not unknown;
  O29's mean of 0 is unknown.
- Burn: differences of charged_mtd_cny between consecutive days of one month that both have a
  snapshot row (the first of a month counts from 0), summed over the last 30 days and divided by
  the number of such days.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from tests.reference.book import ACTIVE, GONE, ONE_WAY, Book, Line, mean
from tests.reference.complaints import complained_of
from tests.reference.dates import ONE_DAY, is_within, month_before, month_days, window
from tests.reference.delivered import Row
from tests.reference.finding import Finding, absent, fired, unknown
from tests.reference.traffic import usage_collapse


def invoice_months(book: Book, count: int) -> list[str]:
    """m1, m2, …; empty without invoices."""
    newest = newest_invoice_month(book)
    return [month_before(newest, back) for back in range(count)] if newest else []


def newest_invoice_month(book: Book) -> str | None:
    rows = book.grouped("billing_invoices").values()
    if "newest_invoice_month" not in book.__dict__:
        book.__dict__["newest_invoice_month"] = max(
            (row["month"] for each in rows for row in each), default=None
        )
    newest: str | None = book.__dict__["newest_invoice_month"]
    return newest


def invoices(book: Book, line: Line) -> dict[str, Row]:
    return {row["month"]: row for row in book.of("billing_invoices", line)}


def is_full_month(book: Book, line: Line, month: str) -> bool:
    """No activation, no closure, ≤ 5 days not ACTIVE."""
    days = month_days(month)
    if line.activated_on is not None and line.activated_on >= days[0]:
        return False
    if any(line.status_on(day) == GONE for day in (days[0], days[-1])):
        return False
    return sum(not line.is_active_on(day) for day in days) <= book.p.max_partial_days


def spend(invoice: Row) -> int:
    """Fen without device instalments."""
    return int((invoice.get("total_cny") or 0) - (invoice.get("device_instalment_cny") or 0))


def regular_spend(invoice: Row) -> int:
    """Without one-offs too."""
    one_offs = (invoice.get("adjustment_cny") or 0) + (invoice.get("other_cny") or 0)
    return int(spend(invoice) - one_offs)


def full_invoices(book: Book, line: Line, count: int) -> list[Row] | None:
    """The invoices of m1..m<count>; None when one is missing, without total, or partial."""
    given = invoices(book, line)
    found = []
    for month in invoice_months(book, count):
        invoice = given.get(month)
        if invoice is None or invoice.get("total_cny") is None:
            return None
        if not is_full_month(book, line, month):
            return None
        found.append(invoice)
    return found or None


def spend_collapse(book: Book, line: Line) -> bool | None:
    """O05 SPEND: m1 ≤ 50% of mean(m2..m4), mean ≥ 20 CNY, m1 not older than 45 d."""
    p, given = book.p, full_invoices(book, line, 4)
    if given is None:
        return None
    if (book.day - given[0]["dt"]).days > p.spend_valid_days:
        return False
    base = mean([spend(each) for each in given[1:]])
    return base >= p.min_base_spend and spend(given[0]) <= p.collapse_drop * base


def hr3_collapse(book: Book, line: Line) -> Finding:
    """O05: ACTIVE at D and USAGE or SPEND."""
    if not line.is_active_on(book.day):
        return absent()
    legs = {"USAGE": usage_collapse(book, line), "SPEND": spend_collapse(book, line)}
    true = [name for name, holds in legs.items() if holds]
    if true:
        return fired(legs=true)
    return unknown() if None in legs.values() else absent()


def balances(book: Book) -> dict[str, dict[date, Row]]:
    """The snapshots of the days that the burn needs."""
    if "balances" not in book.__dict__:
        found: dict[str, dict[date, Row]] = {}
        for row in book.delivered.rows("billing_balances", book.day - timedelta(days=30)):
            found.setdefault(row["subscriber_id"], {})[row["dt"]] = row
        book.__dict__["balances"] = found
    kept: dict[str, dict[date, Row]] = book.__dict__["balances"]
    return kept


def burn(book: Book, line: Line) -> Fraction | None:
    """Fen a day."""
    mtd = {
        day: row["charged_mtd_cny"]
        for day, row in balances(book).get(line.subscriber_id, {}).items()
        if row.get("charged_mtd_cny") is not None
    }
    charges = []
    for day in window(book.day, 30):
        before = 0 if day.day == 1 else mtd.get(day - ONE_DAY)
        if day in mtd and before is not None:
            charges.append(mtd[day] - before)
    return mean(charges) if charges else None


def hr5_low_balance(book: Book, line: Line) -> Finding:
    """O07: PREPAID, ACTIVE or ONE_WAY, balance < 10 CNY or balance / burn < 3 days."""
    p = book.p
    if not line.is_prepaid or line.status_on(book.day) not in (ACTIVE, ONE_WAY):
        return absent()
    if line.row.get("is_autopay"):
        return absent()
    row = balances(book).get(line.subscriber_id, {}).get(book.day)
    if row is None or row.get("balance_cny") is None:
        return unknown()
    balance, rate = row["balance_cny"], burn(book, line)
    legs = []
    if balance < p.low_balance:
        legs.append("BALANCE")
    if rate is not None and rate > 0 and balance < p.low_balance_days * rate:
        legs.append("DAYS")
    return fired(legs=legs, balance_fen=balance, burn_fen=rate) if legs else absent()


def arpu_decline(book: Book, line: Line) -> Finding:
    """O23: m1 ≤ 70% and m2 ≤ 70% of mean(m3..m8)."""
    p, given = book.p, full_invoices(book, line, 8)
    if given is None:
        return unknown()
    base = mean([spend(each) for each in given[2:]])
    if base < p.arpu_min_base:
        return absent()
    if all(spend(each) <= p.arpu_ratio * base for each in given[:2]):
        return fired(base_fen=base, m1_fen=spend(given[0]), m2_fen=spend(given[1]))
    return absent()


def is_shock(book: Book, line: Line) -> bool | None:
    """m1 > 1.5 × mean(m2..m4) and rise ≥ 10 CNY, shown for 30 d."""
    p, given = book.p, full_invoices(book, line, 4)
    if given is None:
        return None
    base = mean([regular_spend(each) for each in given[1:]])
    if base <= 0:
        return None
    if not is_within(given[0]["dt"], book.day, p.shock_shown_days):
        return False
    now = regular_spend(given[0])
    return now > p.shock_ratio * base and now - base >= p.shock_min_rise


def bill_shock(book: Book, line: Line) -> Finding:
    """O29: the shock, or a BILLING complaint opened in 90 d."""
    legs = {
        "BILL": is_shock(book, line),
        "COMPLAINT": complained_of(book, line, "BILLING", book.p.shock_complaint_days),
    }
    true = [name for name, holds in legs.items() if holds]
    if true:
        return fired(legs=true)
    return unknown() if None in legs.values() else absent()
