"""Accuracy on public churn data: the flat tables of docs/benchmarks.md, made and run in one go.

`python benchmarks/accuracy_tables.py DATA [--only NAME …] [--against] [--keep FOLDER] [--json]`

DATA holds the public files (docs/benchmarks.md names their sources). Here: what each file needs
before a model may see it, such as leaking columns, codes for "never" and blanks, and how it is
split. Not here: models and measures (`accuracy.py`, which this runs on every table).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import accuracy  # noqa: E402

from orchestration.retention import hazard, measures, splits  # noqa: E402
from orchestration.retention.policy import load_policy  # noqa: E402

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

HORIZONS = "horizons"

SHOWN = ("auc", "top_decile_lift", "ece", "brier", "empc", "profit_optimal_share", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--only", nargs="+", choices=[*TABLES, HORIZONS], default=[*TABLES, HORIZONS]
    )
    parser.add_argument("--against", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave the flat tables in this folder")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    print(f"{'table':<18}{'best':>8}" + "".join(f"{name[:10]:>12}" for name in SHOWN))
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            if name == HORIZONS:
                found = interconnect_horizons(arguments.data)
                for horizon, figures in found.items():
                    _show(horizon, figures, figures["reference_auc"])
                results |= found
                continue
            table = TABLES[name](arguments.data)
            results[name] = _run(name, table, folder, arguments.against)
            results[name]["reference_auc"] = table.reference_auc
            _show(name, results[name], table.reference_auc)
            for other, figures in results[name].get("against", {}).items():
                _show(f"  {other}", figures, None)
    gaps = [
        figures["auc"] - figures["reference_auc"]
        for figures in results.values()
        if figures["reference_auc"] is not None
    ]
    if gaps:
        print(f"AUC minus the table's best: mean {np.mean(gaps):+.4f}, least {min(gaps):+.4f}")
    if arguments.json:
        print(json.dumps(results))


def _run(name: str, table: Table, folder: Path, against: bool) -> dict[str, Any]:
    """Through the files, as anybody would call `accuracy.py`."""
    train = folder / f"{name}.parquet"
    table.frame.to_parquet(train, index=False)
    test = None
    if table.test is not None:
        path = folder / f"{name}_test.parquet"
        table.test.to_parquet(path, index=False)
        test = accuracy.read_table(path)
    question = accuracy.Question(label=LABEL, against=against, **table.arguments)
    return accuracy.run(accuracy.read_table(train), test, question)[0]


def _show(name: str, figures: Mapping[str, Any], reference: float | None) -> None:
    line = f"{name:<18}" + (f"{reference:>8.3f}" if reference else " " * 8)
    for measure in SHOWN:
        value = figures.get(measure)
        line += f"{value:>12.4f}" if value is not None else " " * 12
    print(line, flush=True)


def interconnect_horizons(data: Path) -> dict[str, Any]:
    """Leaving within 1, 2 and 4 months of 2019-09, by the hazard, across folds of customers."""
    policy = load_policy(ROOT / "dbt_project" / "seeds")
    started = time.perf_counter()
    rows = _interconnect_as_of(_interconnect(data), pd.Timestamp("2019-09-01"))
    rows = rows.reset_index(drop=True)
    dates = [pd.Timestamp(day) for day in INTERCONNECT_CHURN_DATES]
    left_in = np.zeros(len(rows), dtype=np.int64)
    for interval, day in enumerate(dates, 1):
        left_in[(rows["EndDate"] == day).to_numpy()] = interval
    observed = np.full(len(rows), len(dates))
    columns = [name for name in rows if name not in ("customerID", "EndDate")]
    fold = splits.folds((left_in > 0).astype(float), 5, 42)
    chance = np.empty((len(rows), len(INTERCONNECT_HORIZONS)))
    for part in range(5):
        known, out = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        fitted = hazard.fit_hazard(
            rows.iloc[known], columns, left_in[known], observed[known], len(dates), policy.learner
        )
        log_odds = hazard.log_odds(fitted.hazard, rows.iloc[out])
        chance[out] = hazard.within(log_odds, INTERCONNECT_HORIZONS)
    assert (np.diff(chance, axis=1) >= 0).all(), "a longer horizon is never less likely"
    results = {}
    for position, (months, reference) in enumerate(
        zip(INTERCONNECT_HORIZONS, (0.801, 0.811, 0.850), strict=True)
    ):
        label = ((left_in > 0) & (left_in <= months)).astype(float)
        parts = [(label[fold == part], chance[fold == part, position]) for part in range(5)]
        results[f"horizon_{months}_months"] = {
            "reference_auc": reference,
            "auc": float(np.mean([measures.auc(*part) for part in parts])),
            "top_decile_lift": float(np.mean([measures.lift(*part) for part in parts])),
            "brier": measures.brier(label, chance[:, position]),
            "ece": measures.expected_calibration_error(label, chance[:, position]),
            "seconds": round(time.perf_counter() - started, 1),
        }
    return results


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


if __name__ == "__main__":
    main()
