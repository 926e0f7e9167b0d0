"""The decisions of a day: one for each opportunity, controls included.

Here: what a decision reads and that it is made once. Not here: eligibility, actions and arms
(`retention/selection.py`, `retention/assignment.py`).
"""

from datetime import date

import dagster as dg
import pandas as pd
import pyarrow as pa

from orchestration.installation import Installation
from orchestration.partitions import days_of
from orchestration.retention.assignment import assign
from orchestration.retention.selection import exclusions_of, select

OWNERS = ["team:retention-strategy"]
KEY = dg.AssetKey(["step2_strategy", "decisions"])

OPPORTUNITIES_SQL = """
select * from step1_find.opportunities where as_of_date = $day order by attention_rank
"""
CONSENT_FEED_SQL = """
select count(*) > 0 from raw.receipts where feed = 'crm_consents' and arrived and dt <= $day
"""
# The newest state of each consent that was visible on the day.
CONSENTS_SQL = """
select subscriber_id, message_class, channel, arg_max(is_granted, changed_at) as is_granted
from core.fct_consents
where visible_from <= $day and visible_to > $day
group by subscriber_id, message_class, channel
order by subscriber_id, message_class, channel
"""
CAPACITY_SQL = """
select org_id, sum(daily_capacity_calls) as daily_capacity_calls
from core.dim_staff
where visible_from <= $day and visible_to > $day and org_id is not null
group by org_id
order by org_id
"""
EARLIER_SQL = """
select subscriber_id, dt as as_of_date, cycle, arm, arm_probability
from loop.decisions where dt < $day
"""

DECISION_SCHEMA = pa.schema(
    [
        ("decision_id", pa.string()),
        ("opportunity_id", pa.string()),
        ("subscriber_id", pa.string()),
        ("cycle", pa.string()),
        ("org_id", pa.string()),
        ("arm", pa.string()),
        ("arm_probability", pa.float64()),
        ("action", pa.string()),
        ("offer_family", pa.string()),
        ("message_class", pa.string()),
        ("channel", pa.string()),
        ("assignee_role", pa.string()),
        ("due_days", pa.int64()),
        ("cost_cny", pa.decimal128(18, 2)),
        ("value_at_risk_cny", pa.decimal128(18, 2)),
        ("churn_probability", pa.float64()),
        ("reason_1", pa.string()),
        ("reason_2", pa.string()),
        ("reason_3", pa.string()),
        ("suppression_reasons", pa.string()),
        ("attention_rank", pa.int64()),
        ("branch_rank", pa.int64()),
        ("model_version", pa.string()),
        ("policy_version", pa.string()),
    ]
)


def decisions_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=KEY,
        group_name="step2_strategy",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[
            ["step1_find", "opportunities"],
            ["core", "fct_consents"],
            ["core", "dim_staff"],
        ],
        owners=OWNERS,
        kinds={"python", "parquet"},
        description="What is done about each opportunity of the day, and who is held out. Made once: "
        "a day that has its decisions keeps them, whatever is loaded later.",
    )
    def decisions(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        (day,) = days_of(context)
        path = installation.lake.loop_day("decisions", day)
        is_kept = path.exists()
        if not is_kept:
            installation.lake.write_table(decide(installation, day), path)
            installation.warehouse.register(installation.relations)
        arms = installation.warehouse.table(
            "select arm, count(*) as decisions from loop.decisions where dt = $day"
            " group by arm order by arm",
            {"day": day},
        ).to_pylist()
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(row["decisions"] for row in arms),
                "made": "kept as made before" if is_kept else "new",
                "policy_version": installation.policy.version,
                "policy_overrides": dg.MetadataValue.json(installation.settings.policy_overrides),
                **{row["arm"].lower(): row["decisions"] for row in arms},
            }
        )

    return decisions


def decide(installation: Installation, day: date) -> pa.Table:
    """The decisions of `day` as a table in DECISION_SCHEMA, ordered by decision_id."""
    warehouse, policy = installation.warehouse, installation.policy
    parameters = {"day": day}
    delivers_consents = warehouse.table(CONSENT_FEED_SQL, parameters)[0][0].as_py()
    earlier = warehouse.table(EARLIER_SQL, parameters).to_pandas()
    opportunities = warehouse.table(OPPORTUNITIES_SQL, parameters).to_pandas()
    selected = select(
        opportunities,
        policy=policy,
        consents=warehouse.table(CONSENTS_SQL, parameters).to_pandas()
        if delivers_consents
        else None,
        decided=earlier,
        # Who was removed by the operator, or has changed the number, is no opportunity at all.
        exclusions=exclusions_of(opportunities),
        capacity=warehouse.table(CAPACITY_SQL, parameters).to_pandas(),
    )
    decided = assign(selected, earlier, policy.control, installation.settings.key("arms"))
    rows = decided.assign(policy_version=policy.version).sort_values("decision_id")
    rows["cost_cny"] = rows["cost_cny"].round(2)
    return table_of(rows, DECISION_SCHEMA)


def table_of(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """A frame as an Arrow table of exactly this schema; DOUBLE amounts are rounded to their scale."""
    arrays = []
    for field in schema:
        values = rows[field.name]
        array = pa.array(values, from_pandas=True)
        if pa.types.is_decimal(field.type) and pa.types.is_floating(array.type):
            array = pa.array(values.astype("float64").round(field.type.scale), from_pandas=True)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
