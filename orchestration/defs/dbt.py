"""The dbt project as Dagster assets: which models run in which stretch, with which dates.

Here: selections, clocks, partition mappings and the metadata of a dbt run. Not here: any SQL.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from orchestration.installation import DBT_EXECUTABLE, Installation
from orchestration.partitions import DAYS_BEFORE_THE_MONTH, Clocks, days_of, last_day_before, month_of
from orchestration.settings import DBT_PROJECT_DIR

# Each model with a tag has its stretch; the rest is the day's marts.
SCORED = "tag:scored"
MONTHLY = "tag:monthly"


class LoopTranslator(DagsterDbtTranslator):
    """Keys are [schema, name], groups and owners come from `dbt_project.yml`; only the clock is ours.

    Views and seeds hold nothing of a day: they have no partitions.
    """

    def __init__(self, clocks: Clocks) -> None:
        super().__init__()
        self.clocks = clocks

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


def build_arguments(
    first: date, last: date, month: date | None = None, overrides: Mapping[str, str] | None = None
) -> list[str]:
    """The dbt command line for the release dates `first`..`last` (inclusive).

    `month` is the month that is learnt for, on the MONTHS clock; `overrides` replaces parameters
    of the churn definition.
    """
    values: dict[str, Any] = {"from_date": str(first), "to_date": str(last)}
    if month:
        values["month"] = str(month)
    if overrides:
        values["churn_definition_overrides"] = dict(overrides)
    return ["build", "--vars", json.dumps(values)]


def dbt_definitions(installation: Installation) -> list[dg.AssetsDefinition]:
    """The three stretches of dbt: the day's marts, what follows the scores, and the month."""
    single_run = dg.BackfillPolicy.single_run()
    translator = LoopTranslator(installation.clocks)

    def stretch(
        context: dg.AssetExecutionContext, first: date, last: date, month: date | None = None
    ) -> Iterator[Any]:
        installation.warehouse.register(installation.relations)
        dbt = DbtCliResource(
            project_dir=str(DBT_PROJECT_DIR),
            profiles_dir=str(DBT_PROJECT_DIR),
            dbt_executable=str(DBT_EXECUTABLE),
        )
        target = installation.settings.home / "dbt" / "target"
        target.mkdir(parents=True, exist_ok=True)
        with installation.exported():
            invocation = dbt.cli(
                build_arguments(first, last, month, installation.definition_overrides),
                context=context,
                target_path=target,
            )
            # Only when dbt has closed the warehouse can its tables be counted.
            events = list(invocation.stream())
        yield from with_row_counts(context, installation, events)

    @dbt_assets(
        manifest=installation.manifest,
        name="day_marts",
        exclude=f"{SCORED} {MONTHLY} resource_type:unit_test",
        backfill_policy=single_run,
        dagster_dbt_translator=translator,
    )
    def day_marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
        partition_days = days_of(context)
        yield from stretch(context, partition_days[0], partition_days[-1])

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
        yield from stretch(context, partition_days[0], partition_days[-1])

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
        yield from stretch(context, as_of, as_of, month)

    return [day_marts, day_opportunities, month_marts]


def with_row_counts(
    context: dg.AssetExecutionContext, installation: Installation, events: Sequence[Any]
) -> Iterator[Any]:
    """The events of a dbt run, with the row count and columns of every table that it built."""
    with installation.warehouse.connect(read_only=True) as connection:
        tables = set(
            connection.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
                " where table_type = 'BASE TABLE'"
            )
            .df()
            .iloc[:, 0]
        )
        columns: pd.DataFrame = connection.execute(
            "select table_schema || '.' || table_name as relation, column_name, data_type"
            " from information_schema.columns order by relation, ordinal_position"
        ).df()
        schemas = dict(tuple(columns.groupby("relation")))
        for event in events:
            if not isinstance(event, dg.Output):
                yield event
                continue
            relation = ".".join(context.asset_key_for_output(event.output_name).path[-2:])
            metadata: dict[str, Any] = dict(event.metadata)
            if relation in schemas:
                metadata["dagster/column_schema"] = dg.TableSchema(
                    columns=[
                        dg.TableColumn(name, kind)
                        for name, kind in schemas[relation][["column_name", "data_type"]].to_numpy()
                    ]
                )
            if relation in tables:
                counted = connection.execute(f"select count(*) from {relation}").fetchone()
                metadata["dagster/row_count"] = counted[0] if counted else 0
            yield dg.Output(event.value, output_name=event.output_name, metadata=metadata)


