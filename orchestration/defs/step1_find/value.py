"""The segments of a month, and the check that they last.

Here: what is read, what is written, and the check beside it. Not here: how segments are made
(`retention/segments.py`), and tiers, lifetime values and loyalty (dbt, `marts/step1_find/value`).
"""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from orchestration.defs.step1_find.findings import markdown
from orchestration.installation import Installation
from orchestration.partitions import last_day_before, month_of
from orchestration.retention.segments import agreement, segment

OWNERS = ["team:retention-analytics"]
SEGMENTS_KEY = dg.AssetKey(["step1_find", "customer_segments"])

ROWS_SQL = """
select * exclude (as_of_date) from step1_find.segment_rows where as_of_date = $day
order by subscriber_id
"""


def value_assets(installation: Installation) -> list[dg.AssetsDefinition]:
    """The month's segments (O45)."""
    return [customer_segments_asset(installation)]


def customer_segments_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=SEGMENTS_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.months,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[["step1_find", "segment_rows"]],
        owners=OWNERS,
        kinds={"python", "scikitlearn", "parquet"},
        tags={"monthly": ""},
        check_specs=[
            dg.AssetCheckSpec(
                "segments_are_stable",
                asset=SEGMENTS_KEY,
                description="The segments of each brand hold the same lines together as a month before "
                "(adjusted Rand index of at least segment_min_agreement).",
            )
        ],
        description="Segments of the three-month stable base inside each brand, as of the last day "
        "before the month, with their profile (O45). 品牌内客户分群",
    )
    def customer_segments(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None]]:
        month = month_of(context)
        day = last_day_before(month)
        rows = installation.warehouse.table(ROWS_SQL, {"day": day}).to_pandas()
        columns = [name for name in rows.columns if name not in ("subscriber_id", "brand")]
        policy = installation.policy.segments
        found = segment(rows, columns, policy)
        members = found.members.astype("str")
        path = installation.lake.loop_month("customer_segments", month)
        installation.lake.write_frame(members, path)
        before = installation.lake.loop_month("customer_segments", day.replace(day=1))
        compared = agreement(pd.read_parquet(before), members) if before.exists() else None
        is_stable = (
            compared is None or (compared["agreement"] >= policy.segment_min_agreement).all()
        )
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(members),
                "as_of": str(day),
                "brands": markdown(found.brands),
                "profile": markdown(found.profile),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=SEGMENTS_KEY,
                    check_name="segments_are_stable",
                    passed=bool(is_stable),
                    severity=dg.AssetCheckSeverity.WARN,
                    description="no segments of the month before to compare with"
                    if compared is None
                    else None,
                    metadata={} if compared is None else {"agreement": markdown(compared)},
                )
            ],
        )

    return customer_segments
