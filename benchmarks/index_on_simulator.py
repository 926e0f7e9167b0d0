"""The churn index of a synthetic operator against what its truth knows.

`python benchmarks/index_on_simulator.py HOME --day 2025-12-31 [--json]`

HOME was simulated with outcome days and scored (`retention simulate`, `retention run`); the day is a
month-end, for which the truth tells every line's chances. By horizon: AUC of the index and of those
chances on the same lines, lead and window, and the calibration error of both. Those who leave for a
reason that the label does not count (number changes, removals, life events, whole firms) are lost
sight of, as in training. For those in the highest tenth who do leave in the first horizon: how often
the first reason names the family of the true cause, beside what chance would get: a cause drawn evenly, a
cause drawn as often as it occurs, and always the commonest family.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from orchestration.retention import measures  # noqa: E402

SEEDS = ROOT / "dbt_project" / "seeds"
HORIZONS = {"near": 30, "mid": 90, "far": 180}  # days
COUNTED = ("PORT_OUT", "CLOSED", "SILENT", "UNPAID")


def seed(path: str) -> list[dict[str, str]]:
    with (SEEDS / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lead_days() -> int:
    definition = {row["parameter"]: row["value"] for row in seed("policy/churn_definition.csv")}
    return int(definition["lead_days"])


def lines(home: Path, day: date, lead: int) -> pd.DataFrame:
    """Scored lines with their truth: days until they left (null = not in sight), and chances.

    A line may have gone silent days before the day, which nobody can know yet.
    """
    truth = home / "truth"
    scores = home / "lake" / "loop" / "churn_scores" / f"dt={day}" / "part.parquet"
    if not scores.exists():
        raise SystemExit(f"{scores} is not there: run the day first")
    last = lead + max(HORIZONS.values())
    chances = ", ".join(f"leaves_within_{lead + days}_days" for days in HORIZONS.values())
    rows = duckdb.sql(
        f"""
        with exits as (
            select subscriber_id, left_on, exit, cause, is_number_change, is_firm
            from (
                from read_parquet('{truth}/exits/*.parquet')
                union all by name
                from read_parquet('{truth}/outlook/*.parquet')
            )
            where left_on <= date '{day}' + {last}
            qualify row_number() over (partition by subscriber_id order by left_on) = 1
        )
        select
            scores.*, leaves_within_{lead}_days, {chances}, exits.cause,
            exits.left_on - date '{day}' as left_after,
            exits.exit in {COUNTED} and not exits.is_number_change and not exits.is_firm
            and exits.cause is distinct from 'LIFE_EVENT' as is_counted
        from read_parquet('{scores}') as scores
        inner join read_parquet('{truth}/hazards/*/*.parquet', hive_partitioning = false) as chances
            on scores.subscriber_id = chances.subscriber_id and chances.as_of_date = date '{day}'
        left join exits on scores.subscriber_id = exits.subscriber_id
        where scores.churn_probability_near is not null
        order by scores.subscriber_id"""
    ).df()
    is_counted = rows["is_counted"].fillna(False).astype(bool)
    return rows.assign(left_after=rows["left_after"].astype(float), is_counted=is_counted)


def of_horizon(rows: pd.DataFrame, horizon: str, lead: int) -> dict[str, Any]:
    days = HORIZONS[horizon]
    seen = rows[~(rows["left_after"] <= lead)]
    is_gone = seen["left_after"] <= lead + days
    seen = seen[~(is_gone & ~seen["is_counted"])]
    label = (seen["left_after"] <= lead + days).to_numpy(dtype=float)
    before = seen[f"leaves_within_{lead}_days"]
    # Of some the truth is certain that they leave within the lead, and they stay a little longer.
    chance = ((seen[f"leaves_within_{lead + days}_days"] - before) / (1 - before)).fillna(1.0)
    index = seen[f"churn_probability_{horizon}"].to_numpy()
    return {
        "lines": len(seen),
        "share_leaving": float(label.mean()),
        "auc": measures.auc(label, index),
        "auc_all_knowing": measures.auc(label, chance.to_numpy()),
        "ece": measures.expected_calibration_error(label, index),
        "ece_all_knowing": measures.expected_calibration_error(label, chance.to_numpy()),
    }


def of_reasons(rows: pd.DataFrame, lead: int) -> dict[str, Any]:
    """Over the highest tenth's true leavers of the first horizon whose cause has a family."""
    families = {
        row["cause"]: row["cause_family"]
        for row in seed("codes/cause_codes.csv")
        if row["cause_family"]
    }
    cause_of = {row["feature"]: row["cause"] for row in seed("policy/churn_model_features.csv")}
    highest = rows["churn_probability_near"] >= rows["churn_probability_near"].quantile(0.9)
    leavers = rows[
        highest
        & (rows["left_after"] > lead)
        & (rows["left_after"] <= lead + HORIZONS["near"])
        & rows["is_counted"]
    ]
    true = leavers["cause"].map(families)
    named = leavers["reason_1"].map(cause_of).map(families)[true.notna()]
    true = true.dropna()
    shares = true.value_counts(normalize=True)
    leaves = pd.Series(families).value_counts(normalize=True)
    return {
        "leavers": len(true),
        "share_with_a_cause": float(named.notna().mean()),
        "share_right": float((named == true).mean()),
        "share_right_if_named": float((named == true)[named.notna()].mean()),
        "cause_drawn_evenly": float((shares * leaves.reindex(shares.index)).sum()),
        "cause_drawn_as_it_occurs": float((shares**2).sum()),
        "commonest_family": float(shares.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=Path)
    parser.add_argument("--day", type=date.fromisoformat, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lead = lead_days()
    rows = lines(arguments.home, arguments.day, lead)
    if rows.empty:
        raise SystemExit(f"{arguments.home}: the truth knows no chances as of {arguments.day}")
    found = {name: of_horizon(rows, name, lead) for name in HORIZONS}
    reasons = of_reasons(rows, lead)
    if arguments.json:
        print(json.dumps({"horizons": found, "reasons": reasons}))
        return
    print(pd.DataFrame(found).T.to_string(float_format=lambda value: f"{value:.4f}"))
    for name, value in reasons.items():
        print(f"{name:>26}  {value:.3f}" if isinstance(value, float) else f"{name:>26}  {value}")


if __name__ == "__main__":
    main()
