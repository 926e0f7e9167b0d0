"""The leak guard on public files whose leaks are known: all of them, and nothing else.

`python benchmarks/leaks.py DATA`

DATA holds the files of docs/real-data.md. Prints what is found in each as JSON and ends with 1 where
that is not what is known. IBM's score and reason, Maven's status, HGP's month of churn and Megaline's
calls after churn must be found; the tables without leaks must pass.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from workbooks import read_workbook  # noqa: E402

from orchestration.retention.leaks import (  # noqa: E402
    Leak,
    after_churn,
    known_later,
    predicts_alone,
    validation_gap,
)
from orchestration.retention.policy import LeakPolicy, load_policy  # noqa: E402


def alone(rows: pd.DataFrame, label: str, churned: object, policy: LeakPolicy) -> list[Leak]:
    """Columns, other than the label, that tell it by themselves."""
    features = [name for name in rows.columns if name != label]
    return predicts_alone(rows, (rows[label] == churned).to_numpy(dtype=float), features, policy)


def ibm(data: Path, policy: LeakPolicy) -> list[Leak]:
    rows = pd.read_csv(data / "ibm_telco/Telco-Customer-Churn.csv", na_values=[" "])
    return alone(rows, "Churn", "Yes", policy)


def ibm_extended(data: Path, policy: LeakPolicy) -> list[Leak]:
    rows = read_workbook(data / "ibm_telco/Telco_customer_churn_extended_33col.xlsx")
    rows["Total Charges"] = pd.to_numeric(rows["Total Charges"], errors="coerce")
    return alone(rows, "Churn Label", "Yes", policy)


def maven(data: Path, policy: LeakPolicy) -> list[Leak]:
    rows = pd.read_csv(
        data / "maven_telecom/telecom_customer_churn.csv",
        encoding="utf-8-sig",
        keep_default_na=False,
        na_values=[""],
    )
    rows.columns = rows.columns.str.strip()
    rows["churned"] = rows["Customerstatus"].eq("Churned")
    return alone(rows, "churned", True, policy)


def hgp(data: Path, policy: LeakPolicy) -> list[Leak]:
    """Features as of the end of August; churned = no use at all in September."""
    rows = pd.read_csv(data / HGP_FILE).copy()  # one block, or pandas warns
    use = ["total_ic_mou_9", "total_og_mou_9", "vol_2g_mb_9", "vol_3g_mb_9"]
    rows = rows.assign(churned=rows[use].sum(axis=1).eq(0), as_of_date=pd.Timestamp("2014-08-31"))
    september = {name: date(2014, 9, 30) for name in rows.columns if is_of_september(name)}
    august = {
        name: date(2014, 8, 31)
        for name in rows.columns
        if name.endswith(("_6", "_7", "_8")) or name.startswith(("jun", "jul", "aug"))
    }
    later = known_later(rows, "as_of_date", august | september)
    return later + alone(rows.drop(columns=list(september)), "churned", True, policy)


def is_of_september(name: str) -> bool:
    return name.endswith("_9") or name.startswith("sep")


def megaline(data: Path, policy: LeakPolicy) -> list[Leak]:
    users = pd.read_csv(data / "megaline/megaline_users.csv", index_col="user_id")
    tables = {"calls": "call_date", "internet": "session_date", "messages": "message_date"}
    events = {}
    for name, at in tables.items():
        rows = pd.read_csv(data / f"megaline/megaline_{name}.csv", usecols=["user_id", at])
        events[name] = rows.assign(**{at: pd.to_datetime(rows[at], format="%m/%d/%Y")})
    churn_dates = pd.to_datetime(users["churn_date"], format="%m/%d/%Y")
    return after_churn(events, churn_dates, "user_id", policy)


def exacaster(data: Path, policy: LeakPolicy) -> list[Leak]:
    usage = pd.read_csv(data / "exacaster_panel/customer_usage.csv")
    churn = pd.read_csv(data / "exacaster_panel/customer_churn.csv")
    newest = usage[usage["month"] == 8].merge(churn[["user_account_id", "churn"]])
    return alone(newest, "churn", 1, policy)


def mlc(data: Path, policy: LeakPolicy) -> list[Leak]:
    return alone(pd.read_csv(data / "mlc_churn/mlc_churn.csv"), "churn", "yes", policy)


def iranian(data: Path, policy: LeakPolicy) -> list[Leak]:
    return alone(pd.read_csv(data / "iranian_churn/Customer_Churn.csv"), "Churn", 1, policy)


def cell2cell(data: Path, policy: LeakPolicy) -> list[Leak]:
    rows = pd.read_parquet(data / "cell2cell_duke/calibration.parquet")
    rows.columns = rows.columns.str.lower()
    return alone(rows, "churn", 1, policy)


def interconnect(data: Path, policy: LeakPolicy) -> dict[str, float | None]:
    """Person-months whose churn falls on 1 October 2019 to 1 January 2020, by a plain model."""
    rows = pd.read_csv(data / "interconnect_dated/contract.csv")
    begins = pd.to_datetime(rows["BeginDate"])
    ends = pd.to_datetime(rows["EndDate"].str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    months = []
    for month in pd.date_range("2019-09-01", "2019-12-01", freq="MS"):
        alive = (begins < month) & ~(ends <= month)
        people = rows[alive].assign(
            as_of_date=month,
            tenure_days=(month - begins[alive]).dt.days,
            churned=(ends[alive] <= month + pd.offsets.MonthBegin(1)).astype(float),
        )
        months.append(people)
    panel = pd.concat(months, ignore_index=True)
    panel["Type"] = panel["Type"].astype("category").cat.codes
    panel["PaymentMethod"] = panel["PaymentMethod"].astype("category").cat.codes
    used = ["Type", "PaymentMethod", "MonthlyCharges", "tenure_days"]

    def predict(learned: pd.DataFrame, label: np.ndarray, judged: pd.DataFrame) -> np.ndarray:
        model = HistGradientBoostingClassifier(max_leaf_nodes=4, max_iter=60, random_state=42)
        return model.fit(learned[used], label).predict_proba(judged[used])[:, 1]

    label = panel["churned"].to_numpy()
    return {"validation_gap": validation_gap(panel, label, "as_of_date", predict, policy)}


HGP_FILE = "hgp_india_sample/telecom_churn_data_first1000.csv"
IBM_LEAKS = {"Churn Reason", "Churn Score", "Churn Value"}
# Lawful, and so strong among the sample's hundred churners that a person has to clear them.
HGP_STRONG = {"loc_ic_t2m_mou_8", "loc_ic_mou_8"}
# Data set -> search, names that must be found; of HGP also every column of September.
KNOWN = {
    "ibm": (ibm, set()),
    "ibm_extended": (ibm_extended, IBM_LEAKS),
    "maven": (maven, {"Churncategory", "Churnreason", "Customerstatus"}),
    "hgp": (hgp, HGP_STRONG),
    "megaline": (megaline, {"calls", "internet", "messages"}),
    "exacaster": (exacaster, set()),
    "mlc": (mlc, set()),
    "iranian": (iranian, set()),
    "cell2cell": (cell2cell, set()),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args(arguments)
    policy = load_policy(ROOT / "dbt_project" / "seeds").leaks
    report, is_right = {}, True
    for name, (search, expected) in KNOWN.items():
        found = search(options.data, policy)
        names = {leak.name for leak in found}
        if name == "hgp":
            header = pd.read_csv(options.data / HGP_FILE, nrows=0).columns
            expected = HGP_STRONG | {column for column in header if is_of_september(column)}
        as_known = names == expected
        is_right &= as_known
        report[name] = {
            "as_known": as_known,
            "found": [[leak.kind, leak.name, round(leak.value, 4)] for leak in found],
        }
    report["interconnect"] = interconnect(options.data, policy)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
