"""The churn model of a month and the scores of a day.

Here: what is read, what is written, and the checks beside them. Not here: the model itself
(`retention/churn_model.py`) and the features and labels (dbt).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pandas as pd
import pyarrow as pa

from expectations.scores import score_suite
from orchestration.installation import Installation
from orchestration.partitions import days_of, last_day_before, month_of
from orchestration.quality import check_results, check_specs, judge, parquet
from orchestration.retention import churn_model

OWNERS = ["team:retention-analytics"]
MODEL_KEY = dg.AssetKey(["step1_find", "churn_model"])
SCORES_KEY = dg.AssetKey(["step1_find", "churn_scores"])
FEATURES_KEY = dg.AssetKey(["step1_find", "churn_features"])

TRAINING_ROWS_SQL = """
select * exclude (month, index_date), index_date as as_of_date, cast(left_in = 1 as integer) as is_churn
from step1_find.churn_training_rows
where month = $month order by index_date, subscriber_id
"""
POPULATION_SQL = """
select * from step1_find.churn_features
where as_of_date = $day and in_population order by subscriber_id
"""
KEPT_SQL = """
select count(*) filter (where as_of_date = $day) as of_day, count(*) as kept
from step1_find.churn_features
"""
LABEL_SQL = "select lead_days, horizon_days, source from intermediate.int_churn_definition"


def churn_assets(installation: Installation) -> list[dg.AssetsDefinition]:
    """The month's model and the day's scores (O18)."""
    return [churn_model_asset(installation), churn_scores_asset(installation)]


def churn_model_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=MODEL_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.months,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[["step1_find", "churn_training_rows"]],
        owners=OWNERS,
        kinds={"python", "scikitlearn"},
        tags={"monthly": ""},
        check_specs=[
            dg.AssetCheckSpec(
                "better_than_chance",
                asset=MODEL_KEY,
                description="On rows it had not seen, the model ranks churners above others (AUC > 0.5).",
            )
        ],
        description="The churn model of a month, trained as of the last day before it on outcomes "
        "that were mature by then, and judged on newer dates than it was trained on (O18).",
    )
    def churn_model_of_the_month(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None]]:
        month = month_of(context)
        policy = installation.policy
        rows = installation.warehouse.table(TRAINING_ROWS_SQL, {"month": month}).to_pandas()
        label = installation.warehouse.table(LABEL_SQL).to_pylist()[0]
        model = churn_model.train(
            rows,
            policy.features,
            policy.model,
            month,
            label | {"as_of": str(last_day_before(month))},
        )
        with installation.lake.replacing_folder(installation.lake.model("churn", month)) as folder:
            churn_model.save(model, folder)
        card = model.card
        auc = card["metrics"].get("auc")
        yield dg.MaterializeResult(
            metadata={
                "kind": card["kind"],
                "version": model.version,
                "training_rows": card["rows"],
                "churners": card["churners"],
                "validation": card["validation"],
                **{
                    f"validation_{name}": value
                    for name, value in card["metrics"].items()
                    if isinstance(value, int | float)
                },
                "model_card": dg.MetadataValue.json(dict(card)),
                "folder": dg.MetadataValue.path(str(installation.lake.model("churn", month))),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=MODEL_KEY,
                    check_name="better_than_chance",
                    passed=auc is not None and auc > 0.5,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=None
                    if auc is not None
                    else "not measured: too few churners to judge",
                    metadata={} if auc is None else {"auc": auc},
                )
            ],
        )

    return churn_model_of_the_month


def churn_scores_asset(installation: Installation) -> dg.AssetsDefinition:
    suite = score_suite(installation.policy.model.max_share_without_reason)

    @dg.asset(
        key=SCORES_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[FEATURES_KEY, MODEL_KEY],
        owners=OWNERS,
        kinds={"python", "parquet"},
        check_specs=check_specs(SCORES_KEY, suite),
        description="Probability of leaving in the 30 days after the lead time, for everyone in the "
        "population of the day, with the factors that raise it (O18).",
    )
    def churn_scores(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (day,) = days_of(context)
        month = day.replace(day=1)
        folder = installation.lake.model("churn", month)
        if not folder.exists():
            raise dg.Failure(
                f"no churn model for {month:%Y-%m}: run monthly_learning for {month} first"
            )
        model = churn_model.load(folder)
        (features,) = installation.warehouse.table(KEPT_SQL, {"day": day}).to_pylist()
        if features["kept"] and not features["of_day"]:
            raise dg.Failure(
                f"no churn_features are kept as of {day}: run load_feeds or daily_loop of {day} first"
            )
        population = installation.warehouse.table(POPULATION_SQL, {"day": day}).to_pandas()
        scores = churn_model.score(model, population)
        path = installation.lake.loop_day("churn_scores", day)
        installation.lake.write_table(score_table(scores, model, month), path)
        verdicts = judge(
            suite,
            {
                "batch": parquet([path]),
                "population": pa.table(
                    {
                        "dt": pa.array([day] * len(population), pa.date32()),
                        "subscriber_id": pa.array(population["subscriber_id"], pa.string()),
                    }
                ),
            },
            installation.lake.workspace,
        )
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(scores),
                "model_version": model.version,
                "model_kind": model.kind,
                "mean_probability": float(scores["churn_probability"].mean())
                if len(scores)
                else 0.0,
            },
            check_results=check_results(SCORES_KEY, verdicts),
        )

    return churn_scores


def score_table(scores: pd.DataFrame, model: churn_model.ChurnModel, month: date) -> pa.Table:
    """The scores with the model that made them, typed as the dbt source `loop.churn_scores`."""
    schema = pa.schema(
        [
            ("subscriber_id", pa.string()),
            ("churn_probability", pa.float64()),
            *((reason, pa.string()) for reason in churn_model.REASONS),
            ("model_month", pa.date32()),
            ("model_version", pa.string()),
        ]
    )
    rows = scores.assign(model_month=month, model_version=model.version)
    return pa.Table.from_pandas(
        rows[schema.names], schema=schema, preserve_index=False
    ).replace_schema_metadata(None)
