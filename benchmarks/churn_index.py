"""The churn index on a million subscribers: a month's training, and a day's scoring.

`python benchmarks/churn_index.py [--subscribers 1000000] [--dates 14] [--home FOLDER] [--json]`

The feature store is written by SQL: a population a month-end, whose features tell something of who
will leave. Then, each in a process of its own: the month is learnt from it as the platform does
(label, sample, fit, judge, write), the newest day is scored from the warehouse to its file (all
horizons, reasons for the highest), the same for a quarter of the rows, and as the floor the model's
libraries alone predict the same rows from memory. Quote the ratio, not the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.homes import installation_in

MONTH = date(2025, 6, 1)
DAY = date(2025, 6, 15)
FIRST = date(2023, 1, 1)
TESTS = ("resource_type:test", "resource_type:unit_test")
ROUNDS = 3
# A feature tells of the risk by so much; the others are noise.
TELLING = {
    "usage_ratio": -0.8,
    "complaints_90d": 0.5,
    "days_since_activity": 0.6,
    "contract_days_left": -0.5,
    "tenure_days": -0.4,
    "competitor_share_30d": 0.4,
    "topup_ratio": -0.4,
    "data_ratio": -0.3,
    "arrears_cny": 0.3,
    "is_autopay": -0.3,
}
MONTHLY_HAZARD = 0.02


def month_ends(count: int) -> list[date]:
    """The last `count` month-ends before MONTH, oldest first."""
    ends, day = [], MONTH
    for _ in range(count):
        day = day - timedelta(days=1)
        ends.append(day)
        day = day.replace(day=1)
    return ends[::-1]


def prepare(home: Path, subscribers: int, dates: int) -> dict[str, Any]:
    """Empty tables by dbt, then subscribers with a risk, their exits and their features."""
    made = installation_in(home, FIRST)
    made.warehouse.register(made.relations)
    build(made, ["--select", "+churn_training_rows", "--exclude", *TESTS], month_ends(1)[0])
    names = [feature.name for feature in made.policy.features]
    with made.warehouse.connect() as connection:
        kinds = dict(
            connection.execute(
                "select column_name, data_type from duckdb_columns()"
                " where schema_name = 'step1_find' and table_name = 'churn_features'"
            ).fetchall()
        )
        days = [*month_ends(dates), DAY]
        connection.execute(
            f"""
            create temp table people as
            select
                n, 'S' || lpad(n::varchar, 9, '0') as subscriber_id, risk,
                date '{days[0]}' + (30 * ln(hash(n, 1) / 18446744073709551616.0)
                    / ln(1 - least(0.5, {MONTHLY_HAZARD} * exp(risk - 0.5))))::integer as churn_date
            from (
                select n, (sum(hash(n, draw) % 1000) - 1500) / 500.0 as risk
                from range({subscribers}) as numbers(n), range(2, 5) as draws(draw)
                group by n
            )"""
        )
        for day in days:
            features = ", ".join(
                f"{value_sql(name, kinds[name], number, day)} as {name}"
                for number, name in enumerate(names)
            )
            connection.execute(
                f"""
                insert into step1_find.churn_features by name
                select subscriber_id, date '{day}' as as_of_date, true as in_population,
                    'B1' as org_id, if(n % 3 > 0, 'PREPAID', 'POSTPAID') as payment_mode, {features}
                from people where churn_date > date '{day}'"""
            )
        known_on = month_ends(1)[0]
        connection.execute(
            f"""
            insert into intermediate.int_churn by name
            select subscriber_id, date '{known_on}' as as_of_date, 1 as spell_no, 'EVENT' as role,
                churn_date, false as is_bulk_exit
            from people where churn_date <= date '{known_on}'"""
        )
        (rows,) = connection.execute(
            "select count(*) from step1_find.churn_features where as_of_date = ?", [DAY]
        ).fetchone() or (0,)
        connection.execute("checkpoint")
    return {"rows_of_the_day": rows}


def value_sql(name: str, kind: str, number: int, day: date) -> str:
    """A feature of a line: noise of the day and its share of the risk; unknown for one in ten."""
    draw = f"(hash(n, {number + 10}, date '{day}') // 2)::bigint"
    noise = f"({draw} % 1000 + {draw} // 1000 % 1000 - 1000) / 400.0"
    value = f"{noise} + {TELLING.get(name, 0.0)} * risk"
    if kind == "BOOLEAN":
        return f"({value}) > 0.5"
    return f"case when {draw} // 1000000 % 10 > 0 then round({value}, 2) end"


def build(made: Any, selection: list[str], day: date, month: date | None = MONTH) -> None:
    from orchestration.dbt_session import failures

    results = made.build(selection, day, day, month)
    if failures(results):
        raise SystemExit("\n".join(failures(results)))


def learn(home: Path) -> dict[str, Any]:
    """Label and sample (dbt), then the month's model as its asset makes it."""
    import dagster as dg

    from orchestration.defs.step1_find.churn import MODEL_KEY, churn_model_asset

    made = installation_in(home, FIRST)
    made.dbt.parse()
    began = time.perf_counter()
    build(made, ["--select", "churn_training_rows", "--exclude", *TESTS], month_ends(1)[0])
    sampled = time.perf_counter()
    result = dg.materialize(
        [churn_model_asset(made)],
        partition_key=str(MONTH),
        instance=dg.DagsterInstance.ephemeral(),
    )
    ended = time.perf_counter()
    (event,) = result.asset_materializations_for_node("__".join(MODEL_KEY.path))
    figures = {name: entry.value for name, entry in event.metadata.items()}
    card = figures["model_card"]
    return {
        "label_seconds": sampled - began,
        "fit_seconds": ended - sampled,
        "rows": card["rows"],
        "rows_offered": card["rows_offered"],
        "churners": card["churners"],
        "auc_near": figures["auc_near"],
        "choices": card["choices"],
        "peak_mb": peak_mb(),
    }


def score(home: Path, rows: int) -> dict[str, Any]:
    """The day's scores, from the warehouse to the file, of all rows or of so many."""
    from orchestration.defs.step1_find import churn
    from orchestration.retention import index_model

    made = installation_in(home, FIRST)
    model = index_model.load(made.lake.model("churn", MONTH))
    day = DAY
    if rows:
        # A day of its own that holds a part of the rows.
        day = DAY + timedelta(days=1)
        with made.warehouse.connect() as connection:
            connection.execute("delete from step1_find.churn_features where as_of_date = ?", [day])
            connection.execute(
                "insert into step1_find.churn_features by name"
                f" select * replace (date '{day}' as as_of_date) from step1_find.churn_features"
                f" where as_of_date = date '{DAY}' limit {rows}"
            )
    path = made.lake.loop_day("churn_scores", day)
    began = time.perf_counter()
    churn.write_scores(made, model, day, path)
    seconds = time.perf_counter() - began
    [(written, named)] = duckdb.sql(f"select count(*), count(reason_1) from '{path}'").fetchall()
    return {"seconds": seconds, "rows": written, "with_reasons": named, "peak_mb": peak_mb()}


def predict(home: Path) -> dict[str, Any]:
    """The floor: LightGBM and CatBoost predict the same rows, which are matrices in memory."""
    import numpy as np

    from orchestration.defs.step1_find import churn
    from orchestration.retention import index_model
    from orchestration.retention.encoding import encode, indicators

    made = installation_in(home, FIRST)
    model = index_model.load(made.lake.model("churn", MONTH))
    rows = made.warehouse.table(churn.population_sql(model.columns), {"day": DAY}).to_pandas()
    near, far = model.hazard.near, model.hazard.far
    prepared = []
    for learner in (near, far):
        if learner is not None:
            matrix = encode(learner.encoding, rows)
            numbers = matrix[:, : len(learner.encoding.numeric)]
            design = np.hstack([numbers, indicators(learner.encoding, matrix)])
            prepared.append((learner, matrix, design))
    del rows
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for learner, matrix, design in prepared:
            for leaf in learner.leaf:
                leaf.log_odds(design)
            for level in learner.level:
                level.log_odds(matrix)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "peak_mb": peak_mb()}


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def child(phase: str, home: Path, *more: str) -> dict[str, Any]:
    """One phase in a process of its own."""
    answer = home / f"{phase}.json"
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore", __file__, "--phase", phase, "--home", str(home)),
            *("--answer", str(answer), *more),
        ],
        check=True,
        env=os.environ | {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
    )
    result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return result


def run(home: Path, subscribers: int, dates: int) -> dict[str, Any]:
    size = ("--subscribers", str(subscribers), "--dates", str(dates))
    if not (home / "prepare.json").exists():
        child("prepare", home, *size)
    learnt = child("learn", home)
    before = child("predict", home)
    scored = child("score", home)
    after = child("predict", home)
    quarter = child("score", home, "--rows", str(subscribers // 4))
    floor = statistics.median(before["seconds"] + after["seconds"])
    return {
        "subscribers": subscribers,
        "learn": learnt,
        "score": scored,
        "score_quarter": quarter,
        "predict_seconds": floor,
        "all_predictions": before["seconds"] + after["seconds"],
        "ratio": scored["seconds"] / floor,
        "cores": os.cpu_count(),
    }


def show(figures: dict[str, Any]) -> None:
    learnt, scored, quarter = figures["learn"], figures["score"], figures["score_quarter"]
    print(
        f"training: {learnt['label_seconds']:.0f} s to label {learnt['rows_offered']:,} rows and draw"
        f" {learnt['rows']:,}, {learnt['fit_seconds']:.0f} s to fit, judge and write;"
        f" {learnt['peak_mb']:,} MB; near AUC {learnt['auc_near']:.3f}"
    )
    print(
        f"scoring: {scored['rows']:,} rows in {scored['seconds']:.1f} s,"
        f" {scored['with_reasons']:,} with reasons, {scored['peak_mb']:,} MB;"
        f" the libraries alone {figures['predict_seconds']:.1f} s, ratio {figures['ratio']:.2f}"
    )
    print(
        f"a quarter: {quarter['rows']:,} rows in {quarter['seconds']:.1f} s,"
        f" {quarter['peak_mb']:,} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--dates", type=int, default=14, help="month-ends in the feature store")
    parser.add_argument("--home", type=Path, help="kept and used again; default: thrown away")
    parser.add_argument("--json", action="store_true")
    # How this file starts itself.
    phases = ["prepare", "learn", "score", "predict"]
    parser.add_argument("--phase", choices=phases, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        answer = {
            "prepare": lambda: prepare(options.home, options.subscribers, options.dates),
            "learn": lambda: learn(options.home),
            "score": lambda: score(options.home, options.rows),
            "predict": lambda: predict(options.home),
        }[options.phase]()
        options.answer.write_text(json.dumps(answer), encoding="utf-8")
        return
    home = options.home or Path(tempfile.mkdtemp(prefix="churn-index-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        figures = run(home.resolve(), options.subscribers, options.dates)
    finally:
        if not options.home:
            shutil.rmtree(home)
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures)


if __name__ == "__main__":
    main()
