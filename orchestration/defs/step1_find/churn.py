"""The churn model of a month and the scores of a day.

Here: what is read, what is written, and the checks beside them. Not here: the model itself
(`retention/index_model.py`), its words (`retention/model_card.py`) and the features and labels (dbt).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.scores import score_suite
from orchestration.defs.step1_find.findings import markdown
from orchestration.installation import Installation
from orchestration.partitions import days_of, month_of
from orchestration.quality import check_results, check_specs, judge, parquet
from orchestration.retention import index_model, measures
from orchestration.retention.index_model import HORIZONS, IndexModel, Observation
from orchestration.retention.leaks import Leak, predicts_alone
from orchestration.retention.model_card import Judged, in_words, judged, promised_too_much
from orchestration.retention.policy import LeakPolicy, Policy

OWNERS = ["team:retention-analytics"]
MODEL_KEY = dg.AssetKey(["step1_find", "churn_model"])
SCORES_KEY = dg.AssetKey(["step1_find", "churn_scores"])
FEATURES_KEY = dg.AssetKey(["step1_find", "churn_features"])

TRAINING_ROWS_SQL = """
select * exclude (month, index_date), index_date as as_of_date from step1_find.churn_training_rows
where month = $month order by index_date, subscriber_id
"""
POPULATION_KEYS_SQL = """
select as_of_date as dt, subscriber_id from step1_find.churn_features
where as_of_date = $day and in_population
"""
KEPT_SQL = """
select count(*) filter (where as_of_date = $day) as of_day, count(*) as kept
from step1_find.churn_features
"""
OBSERVATION_SQL = """
select
    lead_days,
    horizon_days as interval_days,
    case
        when source = 'EVENTS_ONLY' then 0 else greatest(maturity_days_prepaid, maturity_days_postpaid)
    end as maturity_days
from intermediate.int_churn_definition
"""

PROBABILITIES = {horizon: f"churn_probability_{horizon}" for horizon in HORIZONS}
SCORE_SCHEMA = pa.schema(
    [
        ("subscriber_id", pa.string()),
        *((column, pa.float64()) for column in PROBABILITIES.values()),
        *((reason, pa.string()) for reason in index_model.REASONS),
        ("model_month", pa.date32()),
        ("model_version", pa.string()),
    ]
)


def churn_assets(installation: Installation) -> list[dg.AssetsDefinition]:
    """The month's model and the day's scores (O16, O18)."""
    return [churn_model_asset(installation), churn_scores_asset(installation)]


def churn_model_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=MODEL_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.months,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[["step1_find", "churn_training_rows"]],
        owners=OWNERS,
        kinds={"python", "lightgbm", "catboost"},
        tags={"monthly": ""},
        check_specs=[
            dg.AssetCheckSpec(
                "better_than_chance",
                asset=MODEL_KEY,
                description="On rows it had not seen, the model ranks who leaves in the near horizon "
                "above others (AUC > 0.5).",
            ),
            dg.AssetCheckSpec(
                "no_leaks",
                asset=MODEL_KEY,
                description="No column alone ranks who leaves too well, and subscribers that the model "
                "had not seen promise no more than newer dates keep (leak_policy).",
            ),
            dg.AssetCheckSpec(
                "calibrated",
                asset=MODEL_KEY,
                description="On rows it had not seen, near probabilities are right on average in each "
                "tenth of the scores (ECE of at most max_calibration_error, and what chance gives).",
            ),
        ],
        description="The churn model of a month, trained as of the last day before it on outcomes "
        "that were mature by then, and judged on newer dates than it was trained on (O16, O18). "
        "离网模型",
    )
    def churn_model_of_the_month(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None]]:
        month = month_of(context)
        policy = installation.policy
        rows = installation.warehouse.table(TRAINING_ROWS_SQL, {"month": month}).to_pandas()
        (observation,) = installation.warehouse.table(OBSERVATION_SQL).to_pylist()
        model = index_model.train(
            rows,
            policy.features,
            policy.learner,
            month,
            Observation(**observation),
            int(rows["rows_offered"].max()) if len(rows) else 0,
        )
        with installation.lake.replacing_folder(installation.lake.model("churn", month)) as folder:
            index_model.save(model, folder)
        yield dg.MaterializeResult(
            metadata=model_metadata(model, policy)
            | {"folder": dg.MetadataValue.path(str(installation.lake.model("churn", month)))},
            check_results=[
                *model_checks(judged(model.card), policy),
                leak_check(leaks_in(rows, model.card, policy.leaks)),
            ],
        )

    return churn_model_of_the_month


def model_metadata(model: IndexModel, policy: Policy) -> dict[str, Any]:
    """The model's figures for the UI, a series a measure and horizon, and its card in words."""
    card = model.card
    words = in_words(
        card,
        {feature.name: feature.label for feature in policy.features},
        policy.labels["model_kind"],
    )
    figures: dict[str, Any] = {}
    for horizon in HORIZONS:
        found = judged(card, horizon)
        if found is not None:
            figures[f"validation_{horizon}"] = found.way
            figures |= {
                f"{name}_{horizon}": value
                for name, value in found.measures.items()
                if value is not None
            }
    return {
        "kind": model.kind,
        "version": model.version,
        "training_rows": card["rows"],
        "churners": card["churners"],
        **figures,
        "model_card_en": dg.MetadataValue.md(words.en),
        "model_card_zh": dg.MetadataValue.md(words.zh),
        "model_card": dg.MetadataValue.json(dict(card)),
    }


def model_checks(near: Judged | None, policy: Policy) -> list[dg.AssetCheckResult]:
    """Warnings by the near horizon; a model that could not be judged passes neither."""

    def check(name: str, passed: bool, **figures: float) -> dg.AssetCheckResult:
        unknown = "not measured: too few churners to judge"
        return dg.AssetCheckResult(
            asset_key=MODEL_KEY,
            check_name=name,
            passed=near is not None and passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=unknown if near is None else f"judged {near.way}",
            metadata=dict(figures),
        )

    if near is None:
        return [check("better_than_chance", False), check("calibrated", False)]
    auc, ece = float(near.measures["auc"]), float(near.measures["ece"])
    # Few rows never look calibrated, however good the probabilities are.
    noise = measures.calibration_noise(near.measures["base_rate"], near.measures["rows"])
    limit = policy.index.max_calibration_error + noise
    return [
        check("better_than_chance", auc > 0.5, auc=auc),
        check("calibrated", ece <= limit, ece=ece, limit=limit),
    ]


def leaks_in(rows: pd.DataFrame, card: Mapping[str, Any], policy: LeakPolicy) -> list[Leak]:
    """What of the training rows tells of the future, in the near horizon."""
    label = np.asarray(rows["left_in"] == 1, dtype=np.float64)
    found = predicts_alone(rows, label, card["columns"], policy)
    gap = promised_too_much(card)
    if gap is not None and gap > policy.leak_validation_gap:
        found.append(Leak("BETTER_THAN_LATER", "as_of_date", gap, policy.leak_validation_gap))
    return found


def leak_check(leaks: Sequence[Leak]) -> dg.AssetCheckResult:
    """A warning that names each leak: a person must tell a leak from a strong feature."""
    table = pd.DataFrame(
        [asdict(leak) for leak in leaks], columns=["kind", "name", "value", "limit"]
    )
    return dg.AssetCheckResult(
        asset_key=MODEL_KEY,
        check_name="no_leaks",
        passed=not leaks,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"leaks": markdown(table)},
    )


def churn_scores_asset(installation: Installation) -> dg.AssetsDefinition:
    suite = score_suite(installation.policy.index.max_share_without_reason)

    @dg.asset(
        key=SCORES_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[FEATURES_KEY, MODEL_KEY],
        owners=OWNERS,
        kinds={"python", "parquet"},
        check_specs=check_specs(SCORES_KEY, suite),
        description="Probability of leaving within 30, 90 and 180 days after the lead time, for "
        "everyone in the population of the day; for the highest, with the factors that raise it "
        "(O16, O18). 流失评分",
    )
    def churn_scores(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (day,) = days_of(context)
        month = day.replace(day=1)
        folder = installation.lake.model("churn", month)
        if not folder.exists():
            raise dg.Failure(
                f"no churn model for {month:%Y-%m}: run monthly_learning for {month} first"
            )
        model = index_model.load(folder)
        (features,) = installation.warehouse.table(KEPT_SQL, {"day": day}).to_pylist()
        if features["kept"] and not features["of_day"]:
            raise dg.Failure(
                f"no churn_features are kept as of {day}: run load_feeds or daily_loop of {day} first"
            )
        path = installation.lake.loop_day("churn_scores", day)
        write_scores(installation, model, day, path)
        scores = pq.read_table(path, columns=list(PROBABILITIES.values()))
        verdicts = judge(
            suite,
            {
                "batch": parquet([path]),
                "population": installation.warehouse.table(POPULATION_KEYS_SQL, {"day": day}),
                "models": pa.table(
                    {"model_version": [model.version], "reasons_from": [model.reasons_from]}
                ),
            },
            installation.lake.workspace,
        )
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": scores.num_rows,
                "model_version": model.version,
                "model_kind": model.kind,
                **{
                    f"mean_probability_{horizon}": pc.mean(scores[column]).as_py()
                    for horizon, column in PROBABILITIES.items()
                    if scores.num_rows
                },
            },
            check_results=check_results(SCORES_KEY, verdicts),
        )

    return churn_scores


def write_scores(installation: Installation, model: IndexModel, day: date, path: Path) -> None:
    """Score the day's population block by block into `path`, sorted by subscriber; memory does
    not grow with the rows."""
    sql = population_sql(model.columns)
    scores = (
        score_table(index_model.score(model, batch.to_pandas()), model, day)
        for batch in installation.warehouse.batches(sql, {"day": day})
    )
    installation.lake.write_batches(scores, SCORE_SCHEMA, path)


def population_sql(columns: Sequence[str]) -> str:
    """What scoring reads of the day's population: the key and the model's columns."""
    names = ", ".join(["subscriber_id", *(f'"{name}"' for name in columns)])
    return (
        f"select {names} from step1_find.churn_features"
        " where as_of_date = $day and in_population order by subscriber_id"
    )


def score_table(scores: pd.DataFrame, model: IndexModel, day: date) -> pa.Table:
    """The scores with the model that made them, typed as the dbt source `loop.churn_scores`."""
    rows = scores.assign(model_month=day.replace(day=1), model_version=model.version)
    return pa.Table.from_pandas(
        rows[SCORE_SCHEMA.names], schema=SCORE_SCHEMA, preserve_index=False
    ).replace_schema_metadata(None)
