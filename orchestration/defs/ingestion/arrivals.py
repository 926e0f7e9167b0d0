"""The account of what arrived: one asset over all feeds.

Here: the summary a person looks at first. Not here: the feeds themselves (`feeds.py`).
"""

import dagster as dg

from orchestration.defs.ingestion.feeds import OWNERS
from orchestration.installation import Installation
from orchestration.partitions import days_of

ARRIVALS_SQL = """
select
    feed,
    count(*) filter (where arrived) as files,
    count(distinct dt) filter (where arrived) as days_arrived,
    coalesce(sum(records), 0)::bigint as rows_in_files,
    coalesce(sum(kept), 0)::bigint as rows_kept,
    coalesce(sum(quarantined), 0)::bigint as rows_quarantined,
    coalesce(sum(duplicates), 0)::bigint as exact_duplicates
from raw.receipts
where dt between $first and $last
group by feed
order by feed
"""


def arrivals_asset(installation: Installation) -> dg.AssetsDefinition:
    """The receipts of every feed, as one asset that the core marts depend on."""

    @dg.asset(
        key=["ingestion", "receipts"],
        group_name="ingestion",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey([feed.source, feed.name]) for feed in installation.feeds.values()],
        owners=OWNERS,
        kinds={"parquet"},
        description="What arrived, feed by feed: rows in the files, kept, quarantined, duplicates. "
        "A feed without a file is unknown, not empty.",
    )
    def receipts(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        days = days_of(context)
        installation.warehouse.register(installation.relations)
        table = installation.warehouse.table(ARRIVALS_SQL, {"first": days[0], "last": days[-1]})
        rows = table.to_pylist()
        absent = [row["feed"] for row in rows if row["days_arrived"] == 0]
        return dg.MaterializeResult(
            metadata={
                "feeds_arrived": len(rows) - len(absent),
                "feeds_absent": dg.MetadataValue.text(", ".join(absent) or "none"),
                "rows_kept": sum(row["rows_kept"] for row in rows),
                "rows_quarantined": sum(row["rows_quarantined"] for row in rows),
                "arrivals": dg.MetadataValue.table(
                    [dg.TableRecord(row) for row in rows],
                    schema=dg.TableSchema(
                        columns=[dg.TableColumn(name) for name in table.column_names]
                    ),
                ),
            }
        )

    return receipts
