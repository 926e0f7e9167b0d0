"""The kinds of dirt, how much of each is asked for, and which columns can carry it.

Here: names, presets, what a plan's text means. Not here: choosing rows (`dirt_rows.py`), how a
spoilt file looks (`dirt_text.py`), the truth about it (`dirt.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestration.simulator.feeds import (
    DAILY_FEEDS,
    FIELD_FEEDS,
    KEYS,
    KINDS,
    PARQUET_FEEDS,
    REFERENCE_FEEDS,
    STATE_FEEDS,
)


class Kind(StrEnum):
    """One way in which a file or a row of it is not as it should be."""

    # Rows whose form is broken (text files only).
    OPEN_QUOTE = "OPEN_QUOTE"
    STRAY_QUOTE = "STRAY_QUOTE"
    TOO_FEW_FIELDS = "TOO_FEW_FIELDS"
    TOO_MANY_FIELDS = "TOO_MANY_FIELDS"
    BAD_BYTES = "BAD_BYTES"
    # Rows with a value that cannot be (the first two in text files only).
    IMPOSSIBLE_DATE = "IMPOSSIBLE_DATE"
    TEXT_IN_NUMBER = "TEXT_IN_NUMBER"
    NEGATIVE_NUMBER = "NEGATIVE_NUMBER"
    UNKNOWN_CODE = "UNKNOWN_CODE"
    FUTURE_EVENT = "FUTURE_EVENT"
    MISSING_KEY = "MISSING_KEY"
    OTHER_DT = "OTHER_DT"  # only in a file with a column dt
    # Rows that come more than once.
    DUPLICATE_KEY = "DUPLICATE_KEY"
    REPEATED_ROW = "REPEATED_ROW"
    LATE_CORRECTION = "LATE_CORRECTION"
    # What is delivered of a feed on a day.
    MISSING_FILE = "MISSING_FILE"
    ZERO_BYTES = "ZERO_BYTES"
    HEADER_ONLY = "HEADER_ONLY"
    # The form of a file.
    GB18030 = "GB18030"
    UTF16 = "UTF16"
    OTHER_DELIMITER = "OTHER_DELIMITER"
    COLUMN_ORDER = "COLUMN_ORDER"
    EXTRA_COLUMN = "EXTRA_COLUMN"
    DT_COLUMN = "DT_COLUMN"
    ABSENT_COLUMN = "ABSENT_COLUMN"
    REPEATED_FILE = "REPEATED_FILE"


TEXT_KINDS = (
    Kind.OPEN_QUOTE,
    Kind.STRAY_QUOTE,
    Kind.TOO_FEW_FIELDS,
    Kind.TOO_MANY_FIELDS,
    Kind.BAD_BYTES,
    Kind.IMPOSSIBLE_DATE,
    Kind.TEXT_IN_NUMBER,
)
VALUE_KINDS = (
    Kind.NEGATIVE_NUMBER,
    Kind.UNKNOWN_CODE,
    Kind.FUTURE_EVENT,
    Kind.MISSING_KEY,
    Kind.OTHER_DT,
)
REPEAT_KINDS = (Kind.DUPLICATE_KEY, Kind.REPEATED_ROW, Kind.LATE_CORRECTION)
ROW_KINDS = (*TEXT_KINDS, *VALUE_KINDS, *REPEAT_KINDS)
FATES = (Kind.MISSING_FILE, Kind.ZERO_BYTES, Kind.HEADER_ONLY)
ENCODINGS = (Kind.GB18030, Kind.UTF16)
HARMLESS_FORMS = (
    *ENCODINGS,
    Kind.OTHER_DELIMITER,
    Kind.COLUMN_ORDER,
    Kind.EXTRA_COLUMN,
    Kind.DT_COLUMN,
    Kind.REPEATED_FILE,
)
# An encoding or a delimiter is a property of text.
TEXT_FORMS = (*ENCODINGS, Kind.OTHER_DELIMITER)


class Outcome(StrEnum):
    """What whoever reads the file should make of it."""

    QUARANTINED = "QUARANTINED"
    DROPPED = "DROPPED"  # says again what another row has said
    SUPERSEDED = "SUPERSEDED"  # good in form, wrong, put right by a later file
    KEPT = "KEPT"
    NOT_DELIVERED = "NOT_DELIVERED"
    FAILED = "FAILED"  # there, but no delivery
    EMPTY = "EMPTY"  # a delivery without rows, though there were some


# --- what the operator's own handbook says about its columns -----------------------------------

# feed -> columns with a code list, of all feeds that operators know.
_CODED: Mapping[str, str] = {
    "billing_adjustments": "kind",
    "billing_payments": "payment_kind",
    "billing_plans": "payment_mode overage_mode",
    "billing_products": "product_kind",
    "billing_subscriptions": "product_kind end_reason consent_method",
    "care_complaints": "step category cause_class severity",
    "care_interactions": "reason outcome",
    "channel_commissions": "kind",
    "channel_stock_events": "item_kind event",
    "churn_events": "kind stated_cause",
    "crm_consents": "message_class channel",
    "crm_customers": "org_class",
    "crm_subscribers": "payment_mode service_type line_class status status_reason",
    "device_models": "device_class",
    "field_contacts": "channel message_class outcome",
    "field_work_order_events": "state assignee_role",
    "market_offers": "family",
    "org_channels": "channel_type",
    "org_staff": "role employment",
    "org_units": "org_level",
    "service_failures": "step",
    "usage_areas": "kind",
    "usage_competitor_contacts": "kind forward_type",
}
# feed -> columns that hold when something happened: never after the file's date.
_EVENT_TIMES: Mapping[str, str] = {
    "billing_adjustments": "at",
    "billing_invoices": "month",
    "billing_payments": "paid_at",
    "billing_subscriptions": "ordered_at",
    "care_complaints": "at",
    "care_interactions": "at",
    "channel_commissions": "earned_on",
    "channel_stock_events": "at",
    "churn_events": "at",
    "crm_consents": "changed_at",
    "crm_subscribers": "status_at",
    "field_contacts": "at",
    "field_questionnaires": "at",
    "field_retention_log": "log_date submitted_at",
    "field_work_order_events": "at",
    "market_size": "month",
    "service_failures": "at",
    "usage_areas": "month",
    "usage_call_circle": "month",
    "usage_competitor_contacts": "at",
    "usage_daily": "usage_date",
    "usage_devices": "at",
    "usage_monthly": "month",
}
# feed -> numbers that may be below zero.
_SIGNED: Mapping[str, str] = {
    "billing_adjustments": "amount_cny",
    "billing_balances": "balance_cny gift_balance_cny charged_mtd_cny credit_limit_cny",
    "billing_invoices": (
        "plan_fee_cny voice_overage_cny data_overage_cny sms_overage_cny roaming_cny vas_cny "
        "device_instalment_cny discount_cny adjustment_cny other_cny total_cny"
    ),
    "billing_payments": "amount_cny",
    "billing_products": "subsidy_cny",
    "billing_subscriptions": "price_cny subsidy_cny",
    "channel_commissions": "amount_cny",
    "crm_customers": "points_balance",
    "market_stock": "remaining",
    "usage_monthly": "balance_end_cny",
}
# feed -> numbers with a highest value.
_CAPPED: Mapping[str, str] = {
    "care_complaints": "satisfaction",
    "usage_areas": "days",
    "usage_monthly": "active_days",
}
_NUMBERS = frozenset({"count", "cny", "minutes", "mb", "rate"})
_TIMES = frozenset({"date", "time", "month"})
# A snapshot of the day is its own: tomorrow's is no correction of it.
_SNAPSHOT_FEEDS = frozenset({"billing_balances", "market_stock"})
CORRECTABLE_FEEDS = frozenset(DAILY_FEEDS + FIELD_FEEDS) - STATE_FEEDS - _SNAPSHOT_FEEDS


def coded_columns(feed: str) -> tuple[str, ...]:
    """Columns whose values are from a code list."""
    return tuple(_CODED.get(feed, "").split())


def event_columns(feed: str) -> tuple[str, ...]:
    """Columns whose time or date cannot lie after the file's date."""
    return tuple(_EVENT_TIMES.get(feed, "").split())


def number_columns(feed: str) -> tuple[str, ...]:
    """Columns of numbers."""
    return tuple(name for name, kind in KINDS[feed].items() if kind in _NUMBERS)


def unsigned_columns(feed: str) -> tuple[str, ...]:
    """Numbers that are never below zero."""
    signed = _SIGNED.get(feed, "").split()
    return tuple(name for name in number_columns(feed) if name not in signed)


def time_columns(feed: str) -> tuple[str, ...]:
    """Columns of dates, times and months."""
    return tuple(name for name, kind in KINDS[feed].items() if kind in _TIMES)


def restatable_columns(feed: str) -> tuple[str, ...]:
    """Columns whose value may be another one without being impossible: the likeliest sort only.

    Numbers; without any, yes or no; without any, free text.
    """
    fixed = {*KEYS[feed], *coded_columns(feed), *_CAPPED.get(feed, "").split()}
    for kinds in (_NUMBERS, {"flag"}, {"text"}):
        found = tuple(name for name, kind in KINDS[feed].items() if kind in kinds)
        if names := tuple(name for name in found if name not in fixed):
            return names
    return ()


def columns_for(kind: Kind, feed: str) -> tuple[str, ...]:
    """The feed's columns that a kind of bad value can be in."""
    if kind is Kind.IMPOSSIBLE_DATE:
        return time_columns(feed)
    if kind is Kind.TEXT_IN_NUMBER:
        return number_columns(feed)
    if kind is Kind.NEGATIVE_NUMBER:
        return unsigned_columns(feed)
    if kind is Kind.UNKNOWN_CODE:
        return coded_columns(feed)
    if kind is Kind.FUTURE_EVENT:
        return event_columns(feed)
    if kind is Kind.MISSING_KEY:
        return KEYS[feed]
    if kind is Kind.OTHER_DT:
        return ("dt",)
    if kind in (Kind.DUPLICATE_KEY, Kind.LATE_CORRECTION):
        return restatable_columns(feed)
    return ()


def can_have(kind: Kind, feed: str) -> bool:
    """Whether a kind of dirt makes sense in a feed.

    Reference data comes in odd forms but complete: a wrong plan is no bad row but another world.
    """
    if feed in REFERENCE_FEEDS:
        return kind in HARMLESS_FORMS
    if feed in PARQUET_FEEDS and kind in (*TEXT_KINDS, *TEXT_FORMS):
        return False
    return kind is not Kind.LATE_CORRECTION or feed in CORRECTABLE_FEEDS


# --- how much of it ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Amount:
    """So many rows of each file, or a share of its rows (rounded down); for files: a chance."""

    rows: int = 0
    share: float = 0.0

    def of(self, rows: int) -> int:
        """How many of `rows`."""
        # The tiny addition keeps 1% of 300 from being 2.9999.
        return min(rows, self.rows + int(self.share * rows + 1e-9))


_NOTHING = Amount()


@dataclass(frozen=True)
class DirtPlan:
    """How much dirt of each kind; kinds that are not named do not occur."""

    amounts: Mapping[Kind, Amount] = field(default_factory=dict)

    def amount(self, kind: Kind, feed: str) -> Amount:
        """How much of a kind a feed gets."""
        return self.amounts.get(kind, _NOTHING) if can_have(kind, feed) else _NOTHING

    @classmethod
    def parse(cls, text: str) -> DirtPlan:
        """A plan from `light`, `heavy` or `kind=amount`, separated by commas; later ones win.

        An amount is a share (`0.5%`, `0.005`) or, for rows, a number in each file (`3`). For files
        it is the chance of each (`1` is every file). Raises ValueError.
        """
        amounts: dict[Kind, Amount] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, equals, amount = (part.strip() for part in item.partition("="))
            if not equals and name.lower() in PRESETS:
                amounts |= PRESETS[name.lower()].amounts
            elif equals and name.upper() in Kind.__members__:
                kind = Kind[name.upper()]
                amounts[kind] = _amount(amount, kind)
            else:
                raise ValueError(
                    f"dirt {item!r} is neither {' nor '.join(PRESETS)} nor kind=amount with one of"
                    f" {', '.join(kind.lower() for kind in Kind)}"
                )
        for kinds in (FATES, ENCODINGS):
            if sum(amounts.get(kind, _NOTHING).share for kind in kinds) > 1:
                raise ValueError(f"dirt: {' and '.join(kinds)} together are more than every file")
        return cls(amounts)


_AMOUNT = re.compile(r"(\d+)|(\d*\.\d+)|(\d+(?:\.\d+)?)%")


def _amount(text: str, kind: Kind) -> Amount:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"dirt {kind.lower()}={text!r}: expected a share (0.5%, 0.005) or a number"
        )
    whole, fraction, percent = match.groups()
    if whole is not None and kind in ROW_KINDS:
        return Amount(rows=int(whole))
    share = float(percent) / 100 if percent is not None else float(whole or fraction)
    if share > 1:
        raise ValueError(f"dirt {kind.lower()}={text}: more than all")
    return Amount(share=share)


def _preset(rows: float, forms: float, fates: float) -> DirtPlan:
    return DirtPlan(
        {kind: Amount(share=rows) for kind in ROW_KINDS}
        | {kind: Amount(share=forms) for kind in HARMLESS_FORMS}
        | {kind: Amount(share=fates) for kind in (*FATES, Kind.ABSENT_COLUMN)}
    )


# Light loses 1.4% of a file's rows at most and no file; heavy loses rows and files.
PRESETS: Mapping[str, DirtPlan] = {
    "light": _preset(rows=0.001, forms=0.02, fates=0.0),
    "heavy": _preset(rows=0.01, forms=0.05, fates=0.01),
}
