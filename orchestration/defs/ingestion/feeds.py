"""One day-partitioned asset a feed, all from one factory.

Here: the asset, its checks and its metadata. Not here: how files are read (`landing/`) and what is
expected of a batch (`expectations/`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

from expectations.feeds import feed_suite
from orchestration.contracts import Feed
from orchestration.installation import SEEDS, Installation
from orchestration.landing.ingest import Keys, ingest
from orchestration.landing.personal import load_placeholder_names
from orchestration.landing.problems import LandingError, load_reasons
from orchestration.landing.receipts import Receipt
from orchestration.partitions import days_of
from orchestration.quality import check_results, check_specs, judge_feed

OWNERS = ["team:data-engineering"]
CADENCE_WORDS: Mapping[str, str] = {
    "D": "daily",
    "S": "daily snapshot",
    "M": "monthly",
    "R": "reference, replaced when it changes",
}


def feed_assets(installation: Installation) -> list[dg.AssetsDefinition]:
    """An ingestion asset for every feed of the contracts."""
    return [feed_asset(feed, installation) for feed in installation.feeds.values()]


def feed_asset(feed: Feed, installation: Installation) -> dg.AssetsDefinition:
    """The asset that brings one feed's files of a day, or of a range of days in one run, into raw."""
    key = dg.AssetKey([feed.source, feed.name])
    suite = feed_suite(feed)
    own_checks = [
        dg.AssetCheckSpec(
            "arrived",
            asset=key,
            description="The feed came on every day on which it is due; without it, what needs it is unknown.",
        ),
        dg.AssetCheckSpec(
            "rows_are_conserved",
            asset=key,
            blocking=True,
            description="Rows in the files = rows in raw + quarantined rows + exact duplicates.",
        ),
        dg.AssetCheckSpec(
            "quarantine_is_tolerable",
            asset=key,
            blocking=True,
            description="The quarantined share is below the policy's tolerance (seed feed_tolerances).",
        ),
    ]

    @dg.asset(
        key=key,
        group_name="ingestion",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[*own_checks, *check_specs(key, suite)],
        description=f"{feed.description}\n\nKey: {', '.join(feed.key)}. Arrives: {CADENCE_WORDS[feed.cadence]}.",
        owners=OWNERS,
        kinds={"python", "parquet"},
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name, kind) for name, kind in feed.raw_columns.items()]
            ),
            "landing_folder": str(installation.settings.landing_zone / feed.name),
        },
        tags={"cadence": feed.cadence, "personal_data": str(feed.has_personal_data).lower()},
    )
    def ingest_feed(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        days = days_of(context)
        try:
            receipts = receive(installation, feed, days)
        except LandingError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        verdicts = judge_feed(feed, days, installation.lake)
        yield dg.MaterializeResult(
            metadata=receipt_metadata(receipts),
            check_results=[
                arrived(feed, key, receipts),
                conserved(key, receipts),
                tolerable(key, receipts, installation.tolerances[feed.name]),
                *check_results(key, verdicts),
            ],
        )

    return ingest_feed


def receive(installation: Installation, feed: Feed, days: Sequence[date]) -> list[Receipt]:
    """The feed's files of these days, brought into raw, quarantine and vault; a receipt a day.

    Raises LandingError for files that cannot be read at all.
    """
    settings = installation.settings
    return ingest(
        feed,
        days,
        settings.landing_zone,
        installation.lake,
        Keys(token=settings.key("token"), vault=settings.key("vault")),
        settings.timezone,
        load_reasons(SEEDS),
        settings.memory_limit,
        settings.threads,
        placeholder_names=load_placeholder_names(SEEDS),
    )


def receipt_metadata(receipts: Sequence[Receipt]) -> dict[str, dg.MetadataValue]:
    """What a person wants to see of one run of a feed: counts, drift and encodings; no values."""
    files = [file for receipt in receipts for file in receipt.files]
    extra = sorted({name for receipt in receipts for name in receipt.extra_columns})
    missing = sorted({name for receipt in receipts for name in receipt.missing_columns})
    return {
        "dagster/row_count": dg.MetadataValue.int(sum(r.kept for r in receipts)),
        "days_arrived": dg.MetadataValue.int(sum(r.arrived for r in receipts)),
        "days_in_run": dg.MetadataValue.int(len(receipts)),
        "files": dg.MetadataValue.int(len(files)),
        "rows_in_files": dg.MetadataValue.int(sum(r.records for r in receipts)),
        "rows_quarantined": dg.MetadataValue.int(sum(r.quarantined for r in receipts)),
        "exact_duplicates": dg.MetadataValue.int(sum(r.duplicates for r in receipts)),
        "columns_not_in_the_contract": dg.MetadataValue.text(", ".join(extra) or "none"),
        "columns_not_delivered": dg.MetadataValue.text(", ".join(missing) or "none"),
    }


def arrived(feed: Feed, key: dg.AssetKey, receipts: Sequence[Receipt]) -> dg.AssetCheckResult:
    """D and S feeds are due each day, M feeds once a month, R feeds never."""
    absent = [receipt.dt for receipt in receipts if not receipt.arrived]
    if feed.cadence in "DS":
        passed = not absent
        message = f"not arrived on {len(absent)} of {len(receipts)} days{first_few(absent)}"
    elif feed.cadence == "M":
        # A run that spans a whole month or more must have seen the month close.
        passed = len(absent) < len(receipts) or len(receipts) < 31
        message = f"no month close in {len(receipts)} days"
    else:
        passed, message = True, ""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="arrived",
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if passed else message,
        metadata={"days_not_arrived": len(absent), "days_in_run": len(receipts)},
    )


def conserved(key: dg.AssetKey, receipts: Sequence[Receipt]) -> dg.AssetCheckResult:
    """Nothing is lost between the files and the lake."""
    lost = [receipt.dt for receipt in receipts if not receipt.is_conserved]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="rows_are_conserved",
        passed=not lost,
        description=f"rows do not add up on {len(lost)} days{first_few(lost)}" if lost else None,
        metadata={
            "rows_in_files": sum(r.records for r in receipts),
            "rows_in_raw": sum(r.kept for r in receipts),
            "rows_quarantined": sum(r.quarantined for r in receipts),
            "exact_duplicates": sum(r.duplicates for r in receipts),
        },
    )


def tolerable(
    key: dg.AssetKey, receipts: Sequence[Receipt], tolerance: float
) -> dg.AssetCheckResult:
    """Above the policy's share nothing downstream runs; below it, a warning."""
    above = [r.dt for r in receipts if r.quarantined > tolerance * r.records]
    quarantined = sum(r.quarantined for r in receipts)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="quarantine_is_tolerable",
        passed=quarantined == 0,
        severity=dg.AssetCheckSeverity.ERROR if above else dg.AssetCheckSeverity.WARN,
        description=(
            f"more than {tolerance:.1%} of the rows quarantined{first_few(above)}"
            if above
            else f"{quarantined} rows quarantined, within the tolerated {tolerance:.1%} a day"
            if quarantined
            else None
        ),
        metadata={"tolerated_share": tolerance, "rows_quarantined": quarantined},
    )


def first_few(days: Sequence[date], most: int = 5) -> str:
    """': 2025-01-01, 2025-01-02, …' for a message."""
    if not days:
        return ""
    return ": " + ", ".join(map(str, days[:most])) + (", …" if len(days) > most else "")
