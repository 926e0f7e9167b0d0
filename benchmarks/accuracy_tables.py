"""Accuracy on public churn data: the flat tables of docs/benchmarks.md, made and run in one go.

`python benchmarks/accuracy_tables.py DATA [--only NAME …] [--against] [--keep FOLDER] [--json]`

DATA holds the public files (docs/benchmarks.md names their sources). Here: what each file needs
before a model may see it, such as leaking columns, codes for "never" and blanks, and how it is
split. Not here: models and measures (`accuracy.py`, which this runs on every table).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LABEL = "is_churn"
# Days since something that never was, counted from the operator's epoch.
NEVER_FROM_DAYS = 1200
UNKNOWN_LIFETIME_FROM_DAYS = 15000
INTERCONNECT_CHURN_DATES = ("2019-10-01", "2019-11-01", "2019-12-01", "2020-01-01")
INTERCONNECT_HORIZONS = (1, 2, 4)  # months after 2019-09


@dataclass(frozen=True)
class Table:
    """A flat table, how `accuracy.py` is to run it, and the best AUC of the reference models."""

    frame: pd.DataFrame
    reference_auc: float | None = None
    test: pd.DataFrame | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def exacaster_wide(data: Path) -> Table:
    """Three months side by side; who appears only in August has no history, which tells much."""
    usage, churn = _exacaster(data)
    wide = _months_wide(usage, {8: "m1", 7: "m2", 6: "m3"})
    return Table(_labelled(wide, churn), 0.923, arguments={"id": "user_account_id"})


def exacaster_lead(months: int, reference: float) -> Callable[[Path], Table]:
    """Users with full history, known up to `months` before the month in which they may leave."""

    def table(data: Path) -> Table:
        usage, churn = _exacaster(data)
        rows = usage.groupby("user_account_id")["month"].transform("size")
        usage = usage[rows == 3]
        last = 9 - months
        wide = _months_wide(usage, {last - back: f"m{back + 1}" for back in range(last - 5)})
        return Table(_labelled(wide, churn), reference, arguments={"id": "user_account_id"})

    return table


def interconnect_person_months(data: Path) -> Table:
    """One row a customer and month at risk: three months to learn from, the next to judge by."""
    people = _interconnect(data)
    months = [
        _interconnect_as_of(people, as_of).assign(
            month=str(as_of.date()),
            is_churn=lambda rows, d=day: (rows["EndDate"] == d).astype(int),
        )
        for day in INTERCONNECT_CHURN_DATES
        for as_of in [pd.Timestamp(day) - pd.DateOffset(months=1)]
    ]
    frame = pd.concat(months, ignore_index=True).drop(columns="EndDate")
    arguments = {"id": "customerID", "time": "month", "train_until": "2019-11-01"}
    return Table(frame, 0.868, arguments=arguments)


def ibm(data: Path) -> Table:
    """The 21 columns everybody has."""
    frame = pd.read_csv(data / "ibm_telco/Telco-Customer-Churn.csv")
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    frame[LABEL] = (frame.pop("Churn") == "Yes").astype(int)
    return Table(frame, 0.850, arguments={"id": "customerID"})


def ibm_extended(data: Path) -> Table:
    """The 33 columns without those that know who left, or are made from it."""
    frame = pd.read_excel(data / "ibm_telco/Telco_customer_churn_extended_33col.xlsx")
    frame[LABEL] = frame["Churn Value"]
    frame["Total Charges"] = pd.to_numeric(frame["Total Charges"], errors="coerce")
    constants = ["Count", "Country", "State"]
    leaks = ["Churn Label", "Churn Value", "Churn Score", "Churn Reason"]
    frame = frame.drop(columns=[*constants, *leaks, "Lat Long"])
    return Table(frame, 0.865, arguments={"id": "CustomerID"})


def maven(data: Path) -> Table:
    """Without the customers who joined in the quarter itself: they had no time to leave."""
    path = data / "maven_telecom/telecom_customer_churn.csv"
    frame = pd.read_csv(path, encoding="utf-8-sig")
    frame.columns = frame.columns.str.strip()
    frame = frame[frame["Customerstatus"] != "Joined"]
    frame = frame.assign(is_churn=(frame["Customerstatus"] == "Churned").astype(int))
    leaks = ["Customerstatus", "Churncategory", "Churnreason"]
    return Table(frame.drop(columns=leaks), 0.942, arguments={"id": "Customerid"})


def mlc(data: Path) -> Table:
    """The official split; a charge is its minutes times a constant."""
    frame = pd.read_csv(data / "mlc_churn/mlc_churn.csv")
    frame[LABEL] = (frame.pop("churn") == "yes").astype(int)
    frame = frame.drop(columns=[name for name in frame if name.endswith("_charge")])
    return Table(frame.iloc[:3333], 0.936, test=frame.iloc[3333:])


def iranian(data: Path) -> Table:
    """Exact duplicates go, before any split."""
    frame = pd.read_csv(data / "iranian_churn/Customer_Churn.csv")
    frame.columns = [" ".join(name.split()) for name in frame.columns]
    frame = frame.drop_duplicates().rename(columns={"Churn": LABEL})
    return Table(frame, 0.987)


def hgp(data: Path) -> Table:
    """Months 6 to 8; left is who neither calls, is called, nor uses data in month 9."""
    frame = pd.read_csv(data / "hgp_india_sample/telecom_churn_data_first1000.csv")
    used = ["total_ic_mou_9", "total_og_mou_9", "vol_2g_mb_9", "vol_3g_mb_9"]
    label = (frame[used].sum(axis=1) == 0).astype(int)
    ninth = [name for name in frame if name.endswith("_9") or name.startswith("sep_")]
    ends = [name for name in frame if name.startswith("last_date_of_month")]
    frame = frame.drop(columns=[*ninth, *ends])
    for name in [name for name in frame if name.startswith("date_of_last_rech")]:
        day = pd.to_datetime(frame[name], format="%m/%d/%Y")
        frame[name] = (day - pd.Timestamp("2014-06-01")).dt.days
    return Table(frame.assign(is_churn=label), 0.934, arguments={"id": "mobile_number"})


def tv(data: Path) -> Table:
    """Each customer's own costs are no features: they are made from what the customer pays."""
    frame = pd.read_csv(data / "tv_subscriptions/churn_tv_subscriptions.csv.gz")
    frame = frame.rename(columns={"target": LABEL})
    frame = frame.drop(columns=["C_FP", "C_FN", "C_TP", "C_TN"])
    return Table(frame.astype({LABEL: int}), 0.724, arguments={"id": "id"})


def cell2cell(data: Path) -> Table:
    """Half of the sample left, 2% of the customers do; a fixed tenth is held out."""
    frame = pd.read_parquet(data / "cell2cell_duke/calibration.parquet").drop(columns="calibrat")
    frame = frame.rename(columns={"churn": LABEL})
    # Zeros that mean unknown.
    for name in ("age1", "age2", "income", "setprc"):
        frame[name] = frame[name].astype(float).replace(0, np.nan)
    frame["eqpdays"] = frame["eqpdays"].astype(float).where(frame["eqpdays"] >= 0)
    is_test = np.random.default_rng(42).permutation(len(frame)) < len(frame) // 10
    return Table(
        frame[~is_test], None, test=frame[is_test], arguments={"id": "customer", "prior": 0.02}
    )


TABLES: Mapping[str, Callable[[Path], Table]] = {
    "exacaster": exacaster_wide,
    "exacaster_lead_1": exacaster_lead(1, 0.901),
    "exacaster_lead_2": exacaster_lead(2, 0.867),
    "exacaster_lead_3": exacaster_lead(3, 0.854),
    "interconnect": interconnect_person_months,
    "ibm": ibm,
    "ibm_extended": ibm_extended,
    "maven": maven,
    "mlc": mlc,
    "iranian": iranian,
    "hgp": hgp,
    "tv": tv,
    "cell2cell": cell2cell,
}


# --- Preparations --------------------------------------------------------------------------------


def _exacaster(data: Path) -> tuple[pd.DataFrame, pd.Series]:
    usage = pd.read_csv(data / "exacaster_panel/customer_usage.csv")
    churn = pd.read_csv(data / "exacaster_panel/customer_churn.csv")
    days = [name for name in usage if name.endswith(("inactive_days", "activity_in_days"))]
    usage[days] = usage[days].where(usage[days] < NEVER_FROM_DAYS)
    is_known = usage["user_lifetime"] < UNKNOWN_LIFETIME_FROM_DAYS
    usage["user_lifetime"] = usage["user_lifetime"].where(is_known)
    return usage, churn.set_index("user_account_id")["churn"]


def _months_wide(usage: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """The months of `names` (8: "m1", ...) side by side, a row a user."""
    kept = usage[usage["month"].isin(list(names))].drop(columns="year")
    wide = kept.set_index(["user_account_id", "month"]).unstack("month")
    wide.columns = [f"{name}_{names[month]}" for name, month in wide.columns]
    return wide


def _labelled(wide: pd.DataFrame, churn: pd.Series) -> pd.DataFrame:
    return wide.assign(is_churn=churn.reindex(wide.index).astype(int)).reset_index()


def _interconnect(data: Path) -> pd.DataFrame:
    people = pd.read_csv(data / "interconnect_dated/contract.csv")
    for name in ("personal", "internet", "phone"):
        other = pd.read_csv(data / f"interconnect_dated/{name}.csv")
        people = people.merge(other, on="customerID", how="left", validate="1:1")
    people["BeginDate"] = pd.to_datetime(people["BeginDate"])
    people["EndDate"] = pd.to_datetime(people["EndDate"].replace("No", None))
    # All that was paid until the end tells how far away the end was.
    return people.drop(columns="TotalCharges")


def _interconnect_as_of(people: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Who is a customer on `as_of`, with the months since the beginning."""
    is_there = (people["BeginDate"] <= as_of) & ~(people["EndDate"] <= as_of)
    rows = people[is_there]
    begin = rows["BeginDate"]
    months = (as_of.year - begin.dt.year) * 12 + as_of.month - begin.dt.month
    return rows.assign(tenure_months=months).drop(columns="BeginDate")
