"""The dbt project as Dagster assets: which models run in which stretch, with which dates.

Here: selections, clocks, partition mappings and the metadata of a dbt run. Not here: any SQL.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from dagster_dbt.asset_utils import (
    default_description_fn,
    get_asset_check_key_for_test,
    get_updated_cli_invocation_params_for_context,
)

from orchestration.dbt_session import NodeResult, failures
from orchestration.installation import Installation
from orchestration.partitions import (
    DAYS_BEFORE_THE_MONTH,
    Clocks,
    days_of,
    index_dates,
    last_day_before,
    month_of,
)

# What is found as of a day, what follows the scores, and what a month learns have stretches of
# their own; the rest is the day's marts.
AS_OF_DAY = "tag:as_of_day"
SCORED = "source:loop.churn_scores+"
MONTHLY = "tag:monthly"


class LoopTranslator(DagsterDbtTranslator):
    """Keys are [schema, name], groups and owners come from `dbt_project.yml`; only the clock is ours.

    Views and seeds hold nothing of a day: they have no partitions.
    """

    def __init__(self, clocks: Clocks) -> None:
        super().__init__()
        self.clocks = clocks

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What it is; the SQL stands in the repository, and would hide what follows."""
        return default_description_fn(dbt_resource_props, display_raw_sql=False)

    def get_partitions_def(
        self, dbt_resource_props: Mapping[str, Any]
    ) -> dg.PartitionsDefinition | None:
        if dbt_resource_props["resource_type"] != "model":
            return None
        if dbt_resource_props["config"]["materialized"] == "view":
            return None
        return self.clocks.months if is_monthly(dbt_resource_props) else self.clocks.days

    def get_partition_mapping(
        self,
        dbt_resource_props: Mapping[str, Any],
        dbt_parent_resource_props: Mapping[str, Any],
    ) -> dg.PartitionMapping | None:
        """A month learns from the days before it."""
        reads_days = (
            is_monthly(dbt_resource_props)
            and self.get_partitions_def(dbt_parent_resource_props) is self.clocks.days
        )
        return DAYS_BEFORE_THE_MONTH if reads_days else None


def is_monthly(dbt_resource_props: Mapping[str, Any]) -> bool:
    return "monthly" in dbt_resource_props.get("tags", [])


def dbt_definitions(installation: Installation) -> list[dg.AssetsDefinition]:
    """The four stretches of dbt: the day's marts, what is found as of a day, what follows the scores,
    and the month."""
    single_run = dg.BackfillPolicy.single_run()
    translator = LoopTranslator(installation.clocks)

    def build(
        context: dg.AssetExecutionContext, first: date, last: date, month: date | None = None
    ) -> list[NodeResult]:
        installation.warehouse.register(installation.relations)
        selection = get_updated_cli_invocation_params_for_context(
            context, installation.manifest, translator
        ).selection_args
        return installation.build(selection, first, last, month)

    def told(results: Sequence[NodeResult]) -> Iterator[Any]:
        yield from dagster_events(installation, translator, results)
        broken = failures(results)
        if broken:
            raise dg.Failure("dbt build failed\n" + "\n".join(broken), allow_retries=False)

    @dbt_assets(
        manifest=installation.manifest,
        name="day_marts",
        exclude=f"{AS_OF_DAY} {SCORED} {MONTHLY} resource_type:unit_test",
        backfill_policy=single_run,
        dagster_dbt_translator=translator,
    )
    def day_marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
        partition_days = days_of(context)
        yield from told(build(context, partition_days[0], partition_days[-1]))

    @dbt_assets(
        manifest=installation.manifest,
        name="day_findings",
        select=AS_OF_DAY,
        exclude=f"{SCORED} resource_type:unit_test",
        backfill_policy=single_run,
        dagster_dbt_translator=translator,
    )
    def day_findings(context: dg.AssetExecutionContext) -> Iterator[Any]:
        # One day builds on what was kept of an earlier one: in order, and one at a time. What was
        # kept of the run's own days is told anew, so each begins where the one before it ended.
        partition_days = days_of(context)
        first, (*earlier, last) = partition_days[0], index_dates(partition_days)
        for day in earlier:
            results = build(context, first, day)
            if not all(node.is_good for node in results):
                yield from told(results)
            first = day + timedelta(days=1)
        yield from told(build(context, first, last))

    @dbt_assets(
        manifest=installation.manifest,
        name="day_opportunities",
        select=SCORED,
        exclude="resource_type:unit_test",
        backfill_policy=single_run,
        dagster_dbt_translator=translator,
    )
    def day_opportunities(context: dg.AssetExecutionContext) -> Iterator[Any]:
        partition_days = days_of(context)
        yield from told(build(context, partition_days[0], partition_days[-1]))

    @dbt_assets(
        manifest=installation.manifest,
        name="month_marts",
        select=MONTHLY,
        exclude="resource_type:unit_test",
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        dagster_dbt_translator=translator,
    )
    def month_marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
        month = month_of(context)
        as_of = last_day_before(month)
        yield from told(build(context, as_of, as_of, month))

    return [day_marts, day_findings, day_opportunities, month_marts]


def dagster_events(
    installation: Installation, translator: LoopTranslator, results: Sequence[NodeResult]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """A materialization for every model and seed that was built, a check result for every test."""
    nodes = installation.manifest["nodes"]
    shapes = table_shapes(installation, [nodes[result.unique_id] for result in results])
    for result in results:
        node = nodes[result.unique_id]
        if node["resource_type"] == "test":
            yield from check_result(installation.manifest, translator, result, node)
        elif result.is_good:
            yield dg.MaterializeResult(
                asset_key=translator.get_asset_key(node),
                metadata={"seconds": round(result.seconds, 2), **shapes.get(result.unique_id, {})},
            )


def check_result(
    manifest: Mapping[str, Any],
    translator: LoopTranslator,
    result: NodeResult,
    node: Mapping[str, Any],
) -> Iterator[dg.AssetCheckResult]:
    """The asset check of a dbt test; a test on several models has none and fails the step alone."""
    key = get_asset_check_key_for_test(manifest, translator, result.unique_id, project=None)
    if key is None:
        return
    is_error = str(node["config"].get("severity", "error")).lower() == "error"
    yield dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.status == "pass",
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=result.message or None,
        metadata={"failing_rows": result.failures or 0},
    )


def table_shapes(
    installation: Installation, nodes: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """unique_id -> row count (tables only) and column schema of what was built."""
    shapes: dict[str, dict[str, Any]] = {}
    with installation.warehouse.connect(read_only=True) as connection:
        described = connection.execute(
            "select table_schema || '.' || table_name, column_name, data_type"
            " from information_schema.columns order by table_schema, table_name, ordinal_position"
        ).fetchall()
        columns: dict[str, list[dg.TableColumn]] = {}
        for relation, name, kind in described:
            columns.setdefault(relation, []).append(dg.TableColumn(name, kind))
        for node in nodes:
            relation = f"{node['schema']}.{node['name']}"
            if node["resource_type"] == "test" or relation not in columns:
                continue
            shape: dict[str, Any] = {
                "dagster/column_schema": dg.TableSchema(columns=columns[relation])
            }
            if node["config"]["materialized"] != "view":
                counted = connection.execute(f"select count(*) from {relation}").fetchone()
                shape["dagster/row_count"] = counted[0] if counted else 0
            shapes[node["unique_id"]] = shape
    return shapes
