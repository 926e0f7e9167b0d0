"""The Exacaster panel: a prepaid operator's subscribers by month, and who left, as landing files.

Here: what the panel's columns mean in the feeds' terms. Decisions, units and their evidence are
told in `docs/real-data.md`. Not here: the form of landing files (`landing_files.py`).

Amounts are the operator's currency and fill the contract's money columns unconverted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from orchestration.importers import source_files
from orchestration.importers.landing_files import (
    Count,
    Delivery,
    ImportSummary,
    decimals,
    deliver,
    iso_dates,
    iso_months,
)

FOLDER = "exacaster_panel"
USAGE = "customer_usage.csv"
CHURN = "customer_churn.csv"
KEYS = ("year", "month", "user_account_id")

# Column of usage_monthly -> column of the panel. Only measures that are the same thing.
COUNTS: Mapping[str, str] = {
    "calls_out": "calls_outgoing_count",
    "sms_out": "sms_outgoing_count",
    "data_sessions": "gprs_session_count",
    "topup_count": "reloads_count",
}
AMOUNTS: Mapping[str, str] = {
    "voice_out_minutes": "calls_outgoing_duration",
    "voice_offnet_minutes": "calls_outgoing_to_offnet_duration",
    "data_mb": "gprs_usage",
    "topup_cny": "reloads_sum",
    "balance_end_cny": "user_account_balance_last",
}
# Column of billing_invoices -> column of the panel.
CHARGES: Mapping[str, str] = {
    "voice_overage_cny": "calls_outgoing_spendings",
    "data_overage_cny": "gprs_spendings",
    "sms_overage_cny": "sms_outgoing_spendings",
}
SPENDINGS = "user_spendings"
LIFETIME = "user_lifetime"
# A lifetime that reaches back before this was counted from day zero of the Unix clock.
EARLIEST_ACTIVATION = pd.Timestamp("1971-01-01")

NOTES = (
    "Amounts are the operator's currency in the contract's money columns.",
    "Usage is known by month only: no daily usage, so silence and streaks cannot be judged.",
    "The panel holds only subscribers of the last month; exits before it are not in the data, and "
    "no exit after the last month of the churn file is known.",
    "No organisation, customers, plans, consents, complaints, devices, competitor contacts or "
    "field feedback: those feeds are absent, and the subscribers have no branch.",
    "Incoming calls, active days and usage by app are unknown; days since the last activity and "
    "incoming messages have no column in the contract and are left out.",
)


@dataclass(frozen=True)
class Panel:
    """The panel, parsed.

    usage: user_id, month (its first day), activated_on (NaT = unknown), the columns of COUNTS as
    whole numbers, those of AMOUNTS, CHARGES and SPENDINGS as hundredths;
    churn: user_id, month, is_churn.
    """

    usage: pd.DataFrame
    churn: pd.DataFrame


def import_exacaster(source: Path, landing: Path) -> ImportSummary:
    """Write the Exacaster panel into the landing zone.

    `source` is the folder with the two files or the folder above it (then its subfolder
    `exacaster_panel`). The same files give the same bytes. Raises SourceError naming file, column
    and line for whatever is missing or malformed; nothing is written then. A user-month that
    occurs twice is delivered twice: the landing zone's own rule for duplicates decides.
    """
    panel = read(source_files.locate(source, FOLDER, (USAGE, CHURN)))
    feeds = (
        ("crm_subscribers", crm_subscribers(panel), ("subscriber_id",)),
        ("usage_monthly", usage_monthly(panel), ("subscriber_id", "month")),
        ("billing_invoices", billing_invoices(panel), ("subscriber_id", "month")),
        ("churn_events", churn_events(panel), ("churn_event_id",)),
    )
    releases = {
        "crm_subscribers": [_month_end(panel.usage["month"]), _next_month(panel.churn["month"])],
        "usage_monthly": [_next_month(panel.usage["month"])],
        "billing_invoices": [_next_month(panel.usage["month"])],
        "churn_events": [_next_month(panel.churn["month"])],
    }
    deliveries = [
        Delivery(feed, rows, _distinct_days(releases[feed]), key) for feed, rows, key in feeds
    ]
    return deliver("exacaster", deliveries, landing, set_aside(panel), observations(panel), NOTES)


def read(folder: Path) -> Panel:
    """Read and check the two files."""
    amounts = [*AMOUNTS.values(), *CHARGES.values(), SPENDINGS]
    text = source_files.read_text(folder / USAGE, [*KEYS, LIFETIME, *COUNTS.values(), *amounts])
    usage = _keys(text, USAGE)
    for name in COUNTS.values():
        usage[name] = source_files.at_least_zero(source_files.integers(text[name], USAGE), USAGE)
    for name in amounts:
        usage[name] = source_files.hundredths(text[name], USAGE)
    for name in ("calls_outgoing_duration", "calls_outgoing_to_offnet_duration", "gprs_usage"):
        source_files.at_least_zero(usage[name], USAGE)
    usage["activated_on"] = _activated_on(text, usage["month"])
    text = source_files.read_text(folder / CHURN, [*KEYS, "churn"])
    churn = _keys(text, CHURN)
    flag = text["churn"].str.strip()
    source_files.refuse(~flag.isin(["0", "1"]), text["churn"], CHURN, "is neither 0 nor 1")
    churn["is_churn"] = flag == "1"
    both = churn.groupby(["user_id", "month"])["is_churn"].transform("nunique") > 1
    source_files.refuse(both, text["churn"], CHURN, "is both 0 and 1 for one user and month")
    for file, rows in ((USAGE, usage), (CHURN, churn)):
        if rows.empty:
            raise source_files.SourceError(f"{file}: no rows")
    return Panel(usage=usage, churn=churn)


def _keys(text: pd.DataFrame, file: str) -> pd.DataFrame:
    user_id = text["user_account_id"].str.strip()
    source_files.refuse(user_id == "", text["user_account_id"], file, "is empty")
    year = source_files.integers(text["year"], file)
    month = source_files.integers(text["month"], file)
    source_files.refuse(~year.between(1970, 2261), text["year"], file, "is not a year")
    source_files.refuse(~month.between(1, 12), text["month"], file, "is not a month")
    first_day = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": 1}))
    return pd.DataFrame({"user_id": user_id, "month": first_day})


def _activated_on(text: pd.DataFrame, month: pd.Series) -> pd.Series:
    days = source_files.at_least_zero(source_files.integers(text[LIFETIME], USAGE), USAGE)
    activated_on = _month_end(month) - pd.to_timedelta(days, unit="D")
    return activated_on.where(activated_on >= EARLIEST_ACTIVATION)


def _month_end(month: pd.Series) -> pd.Series:
    return month + pd.offsets.MonthEnd(0)


def _next_month(month: pd.Series) -> pd.Series:
    return month + pd.DateOffset(months=1)


def _distinct_days(days: Sequence[pd.Series]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.concat(list(days)).drop_duplicates().sort_values())


def usage_monthly(panel: Panel) -> pd.DataFrame:
    """One row per user and month, released on the first of the next month.

    A negative sum of top-ups is a month whose reversals outweigh its top-ups: how much was topped
    up is unknown, and the cell is empty.
    """
    usage = panel.usage
    measures = {column: decimals(usage[name]) for column, name in AMOUNTS.items()}
    measures |= {column: usage[name] for column, name in COUNTS.items()}
    measures["topup_cny"] = measures["topup_cny"].where(usage["reloads_sum"] >= 0)
    return pd.DataFrame(
        {
            "dt": _next_month(usage["month"]),
            "subscriber_id": usage["user_id"],
            "month": iso_months(usage["month"]),
            **measures,
        }
    )


def billing_invoices(panel: Panel) -> pd.DataFrame:
    """What was charged per user and month, released on the first of the next month.

    The total is the panel's own; `other_cny` is what its three parts leave (a rounding cent).
    """
    usage = panel.usage
    parts = {column: usage[name] for column, name in CHARGES.items()}
    parts["other_cny"] = usage[SPENDINGS] - sum(parts.values())
    return pd.DataFrame(
        {
            "dt": _next_month(usage["month"]),
            "subscriber_id": usage["user_id"],
            "month": iso_months(usage["month"]),
            **{column: decimals(part) for column, part in parts.items()},
            "total_cny": decimals(usage[SPENDINGS]),
        }
    )


def crm_subscribers(panel: Panel) -> pd.DataFrame:
    """The state of a user at the end of a month, when the user is new or the activation changed,
    released that day; and the removal of those who left, released with their exit.
    """
    states = panel.usage[["user_id", "month", "activated_on"]]
    states = states.drop_duplicates().sort_values(["user_id", "month"], kind="stable")
    by_user = states.groupby("user_id")
    known = states["activated_on"].fillna(pd.Timestamp.min)
    before = by_user["activated_on"].shift().fillna(pd.Timestamp.min)
    changed = states[(by_user.cumcount() == 0) | (known != before)]
    active = changed.assign(
        dt=_month_end(changed["month"]), status="ACTIVE", status_reason="NONE", status_at=None
    )
    newest = states.drop_duplicates("user_id", keep="last")[["user_id", "activated_on"]]
    left = panel.churn[panel.churn["is_churn"]].merge(newest, on="user_id", how="left")
    removed = left.assign(
        dt=_next_month(left["month"]),
        status="DEACTIVATED",
        status_reason="EXPIRED",
        status_at=_month_end(left["month"]),
    )
    rows = pd.concat([active, removed], ignore_index=True)
    return pd.DataFrame(
        {
            "dt": rows["dt"],
            "subscriber_id": rows["user_id"],
            "payment_mode": "PREPAID",
            "service_type": "MOBILE",
            "line_class": "VOICE",
            "activated_at": iso_dates(rows["activated_on"]),
            "status": rows["status"],
            "status_reason": rows["status_reason"],
            "status_at": iso_dates(pd.to_datetime(rows["status_at"])),
        }
    )


def churn_events(panel: Panel) -> pd.DataFrame:
    """One exit per user who left: dated the last day of the month, released the day after."""
    left = panel.churn[panel.churn["is_churn"]]
    return pd.DataFrame(
        {
            "dt": _next_month(left["month"]),
            "churn_event_id": left["user_id"] + "-" + left["month"].dt.strftime("%Y%m"),
            "subscriber_id": left["user_id"],
            "at": iso_dates(_month_end(left["month"])),
            "kind": "EXPIRED",
        }
    )


def set_aside(panel: Panel) -> Sequence[Count]:
    """Values that are not delivered, counted."""
    return (
        Count(
            USAGE,
            int((panel.usage["reloads_sum"] < 0).sum()),
            "negative reloads_sum: topup_cny is empty",
        ),
        Count(
            USAGE,
            int(panel.usage["activated_on"].isna().sum()),
            "user_lifetime counted from the Unix clock's zero: activated_at is empty",
        ),
    )


def observations(panel: Panel) -> Sequence[Count]:
    """What is delivered as it stands although it is peculiar, counted."""
    usage = panel.usage
    repeated = int(usage.duplicated(["user_id", "month"]).sum())
    new = usage.drop_duplicates(["user_id", "month"]).groupby("user_id")["month"].min()
    late = int((new > usage["month"].min()).sum())
    # Every user has a first state; the rest of the ACTIVE rows are changes.
    states = crm_subscribers(panel)
    restarted = int((states["status"] == "ACTIVE").sum()) - len(new)
    silent_calls = (usage["calls_outgoing_count"] > 0) & (usage["calls_outgoing_duration"] == 0)
    residue = usage[SPENDINGS] - usage[list(CHARGES.values())].sum(axis="columns")
    without_usage = ~panel.churn["user_id"].isin(usage["user_id"])
    return (
        Count(USAGE, repeated, "the user and month occur more than once; all rows delivered"),
        Count(USAGE, late, "users who first appear after the first month; first seen then"),
        Count(USAGE, restarted, "the activation differs from the month before; delivered anew"),
        Count(USAGE, int(silent_calls.sum()), "calls counted but no minutes"),
        Count(
            USAGE, int((usage[SPENDINGS] < 0).sum()), "negative user_spendings: a negative total"
        ),
        Count(
            USAGE,
            int((residue != 0).sum()),
            "charges do not add up to user_spendings: in other_cny",
        ),
        Count(CHURN, int(without_usage.sum()), "no usage of the user in any month"),
    )
