"""Megaline: calls, internet sessions and messages of 500 users in 2018, as landing files.

Here: what the five files of the data set mean in the feeds' terms. Decisions and their evidence
are told in `docs/real-data.md`. Not here: the form of landing files (`landing_files.py`).

Amounts are US dollars and fill the contract's money columns unconverted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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

FOLDER = "megaline"
USERS = "megaline_users.csv"
PLANS = "megaline_plans.csv"
CALLS = "megaline_calls.csv"
SESSIONS = "megaline_internet.csv"
MESSAGES = "megaline_messages.csv"

MB_PER_GB = 1024  # The plans include 15,360 and 30,720 MB: 15 and 30 GB of 1,024 MB.
INVOICE_DAY = 3  # Invoices of a month are released on the third of the next one.
AREA = r"^(?P<name>.+, (?P<state>[A-Z]{2})(?:[-–][A-Z]{2})* MSA)$"

NOTES = (
    "Amounts are US dollars in the contract's money columns.",
    "No numbers, consents, staff, channels, payments, balances, complaints, devices, competitor "
    "contacts or field feedback: those feeds are absent.",
    "Only outgoing calls and messages are recorded; incoming, off-net, night and per-app usage is "
    "unknown.",
    "Only the age of a user is known, not the birthday, and no reason for leaving.",
)


@dataclass(frozen=True)
class Megaline:
    """The data set, parsed.

    users: user_id, name, area, state, reg_date, plan, churn_date (NaT = stayed);
    plans: plan, fee and prices in hundredths of a dollar, allowances as whole numbers;
    events: user_id, date, kind (CALL, SESSION, MESSAGE), hundredths (of a minute or an MB; 0 for
    a message). first_day and last_day bound everything that the files date.
    """

    users: pd.DataFrame
    plans: pd.DataFrame
    events: pd.DataFrame
    first_day: pd.Timestamp
    last_day: pd.Timestamp
    repeated: tuple[Count, ...]

    @property
    def days(self) -> pd.DatetimeIndex:
        return pd.date_range(self.first_day, self.last_day, freq="D")

    @property
    def events_with_users(self) -> pd.DataFrame:
        """The events with their user's plan and dates (NaT where the user is unknown)."""
        columns = ["user_id", "plan", "reg_date", "churn_date"]
        return self.events.merge(self.users[columns], on="user_id", how="left")


def import_megaline(source: Path, landing: Path) -> ImportSummary:
    """Write the Megaline data set into the landing zone.

    `source` is the folder with the five files or the folder above it (then its subfolder
    `megaline`). The same files give the same bytes. Raises SourceError naming file, column and
    line for whatever is missing or malformed; nothing is written then.
    """
    data = read(source_files.locate(source, FOLDER, (USERS, PLANS, CALLS, SESSIONS, MESSAGES)))
    reference = data.days[:1]
    invoices = billing_invoices(data)
    deliveries = (
        Delivery("org_units", org_units(data), reference, ("org_id",)),
        Delivery("billing_plans", billing_plans(data), reference, ("plan_id",)),
        Delivery("crm_subscribers", crm_subscribers(data), data.days, ("subscriber_id",)),
        Delivery("crm_customers", crm_customers(data), data.days, ("customer_id",)),
        Delivery(
            "billing_subscriptions", billing_subscriptions(data), data.days, ("subscription_id",)
        ),
        Delivery("usage_daily", usage_daily(data), data.days, ("subscriber_id",)),
        Delivery(
            "billing_invoices",
            invoices,
            pd.DatetimeIndex(invoices["dt"].drop_duplicates().sort_values()),
            ("subscriber_id",),
        ),
        Delivery("churn_events", churn_events(data), data.days, ("churn_event_id",)),
    )
    return deliver("megaline", deliveries, landing, data.repeated, observations(data), NOTES)


def read(folder: Path) -> Megaline:
    """Read and check the five files. Rows that repeat in full are set aside and counted."""
    plans = _plans(folder)
    users = _users(folder, plans)
    calls, repeated_calls = _events(folder, CALLS, "CALL", "call_date", "duration")
    sessions, repeated_sessions = _events(folder, SESSIONS, "SESSION", "session_date", "mb_used")
    messages, repeated_messages = _events(folder, MESSAGES, "MESSAGE", "message_date", None)
    events = pd.concat([calls, sessions, messages], ignore_index=True)
    dated = pd.concat([users["reg_date"], users["churn_date"], events["date"]]).dropna()
    if dated.empty:
        raise source_files.SourceError(f"{USERS}: no rows")
    return Megaline(
        users=users,
        plans=plans,
        events=events,
        first_day=dated.min(),
        last_day=dated.max(),
        repeated=(repeated_calls, repeated_sessions, repeated_messages),
    )


def _plans(folder: Path) -> pd.DataFrame:
    amounts = ("usd_monthly_pay", "usd_per_gb", "usd_per_message", "usd_per_minute")
    allowances = ("messages_included", "mb_per_month_included", "minutes_included")
    text = source_files.read_text(folder / PLANS, ["plan_name", *allowances, *amounts])
    source_files.refuse(text["plan_name"] == "", text["plan_name"], PLANS, "is empty")
    source_files.refuse(text["plan_name"].duplicated(), text["plan_name"], PLANS, "is repeated")
    plans = pd.DataFrame({"plan": text["plan_name"]})
    for name in amounts:
        plans[name] = source_files.at_least_zero(source_files.hundredths(text[name], PLANS), PLANS)
    for name in allowances:
        plans[name] = source_files.at_least_zero(source_files.integers(text[name], PLANS), PLANS)
    return plans


def _users(folder: Path, plans: pd.DataFrame) -> pd.DataFrame:
    columns = ["user_id", "first_name", "last_name", "city", "reg_date", "plan", "churn_date"]
    text = source_files.read_text(folder / USERS, columns)
    source_files.refuse(text["user_id"] == "", text["user_id"], USERS, "is empty")
    source_files.refuse(text["user_id"].duplicated(), text["user_id"], USERS, "is repeated")
    unknown_plan = ~text["plan"].isin(plans["plan"])
    source_files.refuse(unknown_plan, text["plan"], USERS, f"is not a plan of {PLANS}")
    area = text["city"].str.extract(AREA)
    not_an_area = area["name"].isna()
    source_files.refuse(not_an_area, text["city"], USERS, "is not '<cities>, <states> MSA'")
    reg_date = source_files.dates(text["reg_date"], USERS)
    churn_date = source_files.dates(text["churn_date"], USERS, optional=True)
    source_files.refuse(churn_date < reg_date, text["churn_date"], USERS, "is before reg_date")
    return pd.DataFrame(
        {
            "user_id": text["user_id"],
            "name": (text["first_name"] + " " + text["last_name"]).str.strip(),
            "area": area["name"],
            "state": area["state"],
            "reg_date": reg_date,
            "plan": text["plan"],
            "churn_date": churn_date,
        }
    )


def _events(
    folder: Path, file: str, kind: str, date_column: str, amount_column: str | None
) -> tuple[pd.DataFrame, Count]:
    columns = ["id", "user_id", date_column, *([amount_column] if amount_column else [])]
    text = source_files.read_text(folder / file, columns)
    repeated = text.duplicated()
    text = text[~repeated]
    source_files.refuse(text["user_id"] == "", text["user_id"], file, "is empty")
    conflicting = text["id"].duplicated()
    source_files.refuse(conflicting, text["id"], file, "is repeated with other values")
    amounts = (
        source_files.at_least_zero(source_files.hundredths(text[amount_column], file), file)
        if amount_column
        else pd.Series(0, index=text.index, dtype="int64")
    )
    events = pd.DataFrame(
        {
            "user_id": text["user_id"],
            "date": source_files.dates(text[date_column], file),
            "kind": kind,
            "hundredths": amounts,
        }
    )
    return events, Count(file, int(repeated.sum()), "the whole row repeats an earlier one")


def usage_daily(data: Megaline) -> pd.DataFrame:
    """One row per user and day with an event, released that day. Usage as measured, not as billed.

    Every event of the files is in exactly one row: a call counts in calls_out, or in failed_calls
    when its duration is zero; a session in data_sessions; a message in sms_out.
    """
    events = data.events
    is_call = events["kind"] == "CALL"
    is_session = events["kind"] == "SESSION"
    is_connected = events["hundredths"] > 0
    measures = pd.DataFrame(
        {
            "minutes": events["hundredths"].where(is_call, 0),
            "calls_out": (is_call & is_connected).astype("int64"),
            "sms_out": (events["kind"] == "MESSAGE").astype("int64"),
            "mb": events["hundredths"].where(is_session, 0),
            "data_sessions": is_session.astype("int64"),
            "failed_calls": (is_call & ~is_connected).astype("int64"),
        }
    )
    daily = measures.groupby([events["user_id"], events["date"]]).sum().reset_index()
    return pd.DataFrame(
        {
            "dt": daily["date"],
            "subscriber_id": daily["user_id"],
            "usage_date": iso_dates(daily["date"]),
            "voice_out_minutes": decimals(daily["minutes"]),
            "calls_out": daily["calls_out"],
            "sms_out": daily["sms_out"],
            "data_mb": decimals(daily["mb"]),
            "data_sessions": daily["data_sessions"],
            "failed_calls": daily["failed_calls"],
        }
    )


def org_units(data: Megaline) -> pd.DataFrame:
    """Headquarters > the country as one province > states as cities > metropolitan areas.

    An area over several states belongs to the first that its name gives.
    """
    areas = data.users[["area", "state"]].drop_duplicates()
    states = areas[["state"]].drop_duplicates()
    top = pd.DataFrame(
        {
            "org_id": ["MEGALINE", "US"],
            "parent_org_id": [None, "MEGALINE"],
            "org_level": ["HQ", "PROVINCE"],
            "name_en": ["Megaline", "United States"],
        }
    )
    cities = pd.DataFrame(
        {
            "org_id": "US-" + states["state"],
            "parent_org_id": "US",
            "org_level": "CITY",
            "name_en": states["state"],
        }
    )
    branches = pd.DataFrame(
        {
            "org_id": _branch_id(areas),
            "parent_org_id": "US-" + areas["state"],
            "org_level": "BRANCH",
            "name_en": areas["area"],
        }
    )
    return pd.concat([top, cities, branches], ignore_index=True).assign(dt=data.first_day)


def _branch_id(users: pd.DataFrame) -> pd.Series:
    cities = users["area"].str.rsplit(",", n=1).str[0].str.upper()
    slug = cities.str.replace(r"[^A-Z0-9]+", "-", regex=True).str.strip("-")
    return "US-" + users["state"] + "-" + slug


def crm_subscribers(data: Megaline) -> pd.DataFrame:
    """One row when a user registers and one when the user leaves, on those days.

    A user who registers and leaves on one day has one row: the state at the end of the day.
    """
    users = data.users
    active = users.assign(
        dt=users["reg_date"], status="ACTIVE", status_reason="NONE", status_at=users["reg_date"]
    )
    left = users[users["churn_date"].notna()]
    deactivated = left.assign(
        dt=left["churn_date"],
        status="DEACTIVATED",
        status_reason="CUSTOMER_REQUEST",
        status_at=left["churn_date"],
    )
    states = pd.concat([active, deactivated]).drop_duplicates(["user_id", "dt"], keep="last")
    return pd.DataFrame(
        {
            "dt": states["dt"],
            "subscriber_id": states["user_id"],
            "customer_id": states["user_id"],
            "payment_mode": "POSTPAID",
            "service_type": "MOBILE",
            "line_class": "VOICE",
            "activated_at": iso_dates(states["reg_date"]),
            "first_registered_at": iso_dates(states["reg_date"]),
            "org_id": _branch_id(states),
            "status": states["status"],
            "status_reason": states["status_reason"],
            "status_at": iso_dates(states["status_at"]),
        }
    )


def crm_customers(data: Megaline) -> pd.DataFrame:
    """One customer per user, released on the day of registration."""
    users = data.users
    return pd.DataFrame(
        {"dt": users["reg_date"], "customer_id": users["user_id"], "name": users["name"]}
    )


def billing_plans(data: Megaline) -> pd.DataFrame:
    """The plans, valid from the first day of the data. An MB beyond the allowance is priced at
    1/1024 of a GB, rounded to six decimals; the invoices are rated in whole GB.
    """
    plans = data.plans
    return pd.DataFrame(
        {
            "dt": data.first_day,
            "plan_id": plans["plan"],
            "valid_from": data.first_day.strftime("%Y-%m-%d"),
            "name_en": plans["plan"].str.capitalize(),
            "payment_mode": "POSTPAID",
            "monthly_fee_cny": decimals(plans["usd_monthly_pay"]),
            "voice_minutes": plans["minutes_included"],
            "data_mb": plans["mb_per_month_included"],
            "sms_count": plans["messages_included"],
            "overage_voice_cny_per_min": decimals(plans["usd_per_minute"]),
            "overage_data_cny_per_mb": (plans["usd_per_gb"] / 100 / MB_PER_GB).map("{:.6f}".format),
            "overage_sms_cny": decimals(plans["usd_per_message"]),
            "overage_mode": "BILL",
        }
    )


def billing_subscriptions(data: Megaline) -> pd.DataFrame:
    """The holding of the plan: one row when it starts, another when the user leaves."""
    users = data.users.merge(data.plans, on="plan", how="left")
    started = users.assign(dt=users["reg_date"], ended_at=None, end_reason=None)
    left = users[users["churn_date"].notna()]
    ended = left.assign(dt=left["churn_date"], ended_at=left["churn_date"], end_reason="CUSTOMER")
    holdings = pd.concat([started, ended]).drop_duplicates(["user_id", "dt"], keep="last")
    return pd.DataFrame(
        {
            "dt": holdings["dt"],
            "subscription_id": holdings["user_id"] + "-" + holdings["plan"],
            "subscriber_id": holdings["user_id"],
            "product_id": holdings["plan"],
            "product_kind": "PLAN",
            "ordered_at": iso_dates(holdings["reg_date"]),
            "started_at": iso_dates(holdings["reg_date"]),
            "ended_at": iso_dates(pd.to_datetime(holdings["ended_at"])),
            "end_reason": holdings["end_reason"],
            "price_cny": decimals(holdings["usd_monthly_pay"]),
        }
    )


def churn_events(data: Megaline) -> pd.DataFrame:
    """One exit per user with a churn date, released that day: closed by the customer."""
    left = data.users[data.users["churn_date"].notna()]
    return pd.DataFrame(
        {
            "dt": left["churn_date"],
            "churn_event_id": left["user_id"] + "-exit",
            "subscriber_id": left["user_id"],
            "at": iso_dates(left["churn_date"]),
            "kind": "CLOSED",
        }
    )


def billing_invoices(data: Megaline) -> pd.DataFrame:
    """One invoice per user and closed month in which the plan was held on at least one day.

    Rated by the plan's rules: the fee is due in full; every call is rounded up to whole minutes;
    a month's MB beyond the allowance are rounded up to whole GB; messages by the piece. Events
    before registration or after the churn date are measured (`usage_daily`) but not rated.
    `voice_minutes` are the rounded minutes, `data_mb` the measured MB of the month.
    """
    rated = _rated_usage(data)
    bills = _months_held(data).merge(rated, on=["user_id", "month"], how="left")
    measures = ["minutes", "mb_hundredths", "messages"]
    bills[measures] = bills[measures].fillna(0).astype("int64")
    bills = bills.merge(data.plans, on="plan", how="left")
    extra_minutes = (bills["minutes"] - bills["minutes_included"]).clip(lower=0)
    extra_messages = (bills["messages"] - bills["messages_included"]).clip(lower=0)
    extra_mb = (bills["mb_hundredths"] - bills["mb_per_month_included"] * 100).clip(lower=0)
    voice = extra_minutes * bills["usd_per_minute"]
    data_fee = _rounded_up(extra_mb, MB_PER_GB * 100) * bills["usd_per_gb"]
    messages = extra_messages * bills["usd_per_message"]
    released = bills["month"] + pd.DateOffset(months=1, days=INVOICE_DAY - 1)
    return pd.DataFrame(
        {
            "dt": released,
            "subscriber_id": bills["user_id"],
            "month": iso_months(bills["month"]),
            "invoice_id": bills["user_id"] + "-" + bills["month"].dt.strftime("%Y%m"),
            "plan_id": bills["plan"],
            "plan_fee_cny": decimals(bills["usd_monthly_pay"]),
            "voice_overage_cny": decimals(voice),
            "data_overage_cny": decimals(data_fee),
            "sms_overage_cny": decimals(messages),
            "total_cny": decimals(bills["usd_monthly_pay"] + voice + data_fee + messages),
            "voice_minutes": bills["minutes"],
            "data_mb": decimals(bills["mb_hundredths"]),
            "sms_count": bills["messages"],
            "issued_on": iso_dates(released),
        }
    )


def _months_held(data: Megaline) -> pd.DataFrame:
    """user_id, plan, month (its first day) for every closed month of every user's holding."""
    users = data.users
    after_last_day = data.last_day + pd.Timedelta(days=1)
    end_of_holding = users["churn_date"].fillna(data.last_day)
    first = users["reg_date"].dt.year * 12 + users["reg_date"].dt.month - 1
    last = end_of_holding.dt.year * 12 + end_of_holding.dt.month - 1
    # A month whose last day lies beyond the data is not closed and not invoiced.
    closed = after_last_day.year * 12 + after_last_day.month - 2
    months = (np.minimum(last, closed) - first + 1).clip(lower=0)
    held = users.loc[users.index.repeat(months), ["user_id", "plan"]]
    number = first.loc[held.index] + held.groupby(level=0).cumcount()
    parts = pd.DataFrame({"year": number // 12, "month": number % 12 + 1, "day": 1})
    return held.assign(month=pd.to_datetime(parts)).reset_index(drop=True)


def _rated_usage(data: Megaline) -> pd.DataFrame:
    """user_id, month, minutes (each call rounded up), mb_hundredths, messages of rated events."""
    events = data.events_with_users
    events = events[_is_rated(events)]
    is_call = events["kind"] == "CALL"
    rated = pd.DataFrame(
        {
            "user_id": events["user_id"],
            "month": events["date"].dt.to_period("M").dt.start_time,
            "minutes": _rounded_up(events["hundredths"], 100).where(is_call, 0),
            "mb_hundredths": events["hundredths"].where(events["kind"] == "SESSION", 0),
            "messages": (events["kind"] == "MESSAGE").astype("int64"),
        }
    )
    return rated.groupby(["user_id", "month"], as_index=False).sum()


def _is_rated(events: pd.DataFrame) -> pd.Series:
    is_after_exit = events["date"] > events["churn_date"]
    return (events["date"] >= events["reg_date"]) & ~is_after_exit


def _rounded_up(number: pd.Series, unit: int) -> pd.Series:
    return (number + unit - 1) // unit


def observations(data: Megaline) -> Sequence[Count]:
    """What is delivered as it stands although it is peculiar, counted."""
    events = data.events_with_users
    peculiar = (
        (events["reg_date"].isna(), "user unknown; in usage_daily, not rated"),
        (events["date"] < events["reg_date"], "before registration; in usage_daily, not rated"),
        (events["date"] > events["churn_date"], "after the churn date; in usage_daily, not rated"),
    )
    counts = [
        Count(file, int((is_peculiar & (events["kind"] == kind)).sum()), what)
        for is_peculiar, what in peculiar
        for kind, file in (("CALL", CALLS), ("SESSION", SESSIONS), ("MESSAGE", MESSAGES))
    ]
    is_zero = events["hundredths"] == 0
    zero_calls = int((is_zero & (events["kind"] == "CALL")).sum())
    zero_sessions = int((is_zero & (events["kind"] == "SESSION")).sum())
    silent_days = len(data.days.difference(pd.DatetimeIndex(events["date"].unique())))
    return (
        *counts,
        Count(CALLS, zero_calls, "duration zero; counted in failed_calls, not in calls_out"),
        Count(SESSIONS, zero_sessions, "no megabytes; counted in data_sessions"),
        Count(USERS, silent_days, "days without any event; usage_daily has a header-only file"),
    )
