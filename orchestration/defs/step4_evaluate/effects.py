"""What the lists changed, month by month.

Here: which outcomes are compared, and the check of the ledger. Not here: the statistics
(`retention/effects.py`) and the outcomes (dbt).
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd

from orchestration.installation import Installation
from orchestration.partitions import last_day_before, month_of
from orchestration.retention.effects import effects
from orchestration.retention.identifiers import identifiers

OWNERS = ["team:retention-analytics"]
KEY = dg.AssetKey(["step4_evaluate", "effects"])

OUTCOMES_SQL = (
    "select * from step4_evaluate.decision_outcomes where month = $month order by decision_id"
)

# Outcome -> the column that says when it is final. Exits are known at once; churn by silence and
# arrears needs its maturity.
OUTCOMES = {"churned_within_30d": "is_mature", "exited_within_30d": "is_exit_mature"}


def effects_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=KEY,
        group_name="step4_evaluate",
        partitions_def=installation.clocks.months,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[["step4_evaluate", "decision_outcomes"]],
        owners=OWNERS,
        kinds={"python", "parquet"},
        tags={"monthly": ""},
        check_specs=[
            dg.AssetCheckSpec(
                "ledger_is_intact",
                asset=KEY,
                blocking=True,
                description="Every day's decisions are, byte for byte, those that were published.",
            )
        ],
        description="Treated against held-out subscribers, as assigned: difference of the churn rates "
        "in percentage points with its interval, the sample a conclusion needs, and the verdict.",
    )
    def effects_of_the_month(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None]]:
        month = month_of(context)
        outcomes = installation.warehouse.table(OUTCOMES_SQL, {"month": month}).to_pandas()
        table = effect_table(installation, outcomes)
        installation.lake.write_frame(table, installation.lake.loop_month("effects", month))
        broken = broken_ledger_days(installation, last_day_before(month))
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(table),
                "decisions": len(outcomes),
                "effects": dg.MetadataValue.md(table.to_markdown(index=False)),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=KEY,
                    check_name="ledger_is_intact",
                    passed=not broken,
                    description="; ".join(broken) or None,
                )
            ],
        )

    return effects_of_the_month


def effect_table(installation: Installation, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The effects on each outcome, one below the other, told apart by `outcome`."""
    tables = []
    for outcome, maturity in OUTCOMES.items():
        judged = outcomes.assign(is_mature=outcomes[maturity])
        table = effects(judged, installation.policy.control, outcome)
        table.insert(1, "outcome", outcome)
        table["effect_id"] = identifiers("ef", table["outcome"], table["effect_id"])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def broken_ledger_days(installation: Installation, last: date) -> list[str]:
    """One sentence for each day up to `last` whose decisions are not the published ones."""
    broken = []
    for path in sorted((installation.lake.root / "loop" / "decisions").glob("dt=*/part.parquet")):
        day = date.fromisoformat(path.parent.name.removeprefix("dt="))
        if day > last:
            continue
        manifest = installation.lake.published(day) / "manifest.json"
        if not manifest.exists():
            broken.append(f"{day}: decided but not published")
        elif promised(manifest) != hashlib.sha256(path.read_bytes()).hexdigest():
            broken.append(f"{day}: the decisions are not those of the manifest")
    return broken


def promised(manifest: Path) -> str:
    content = json.loads(manifest.read_text(encoding="utf-8"))
    return str(content["decisions"]["sha256"])
