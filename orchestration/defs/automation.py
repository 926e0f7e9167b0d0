"""What starts runs: jobs, schedules and the landing-zone sensor.

Here: when things run and together with what. Not here: what they do.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from orchestration.installation import Installation
from orchestration.landing.releases import scan

LOAD_GROUPS = ("ingestion", "staging", "core", "policy")
DAILY_LOOP = "daily_loop"
LOAD_FEEDS = "load_feeds"
MONTHLY_LEARNING = "monthly_learning"


def automation(installation: Installation) -> dg.Definitions:
    """The three jobs, their schedules and the sensor."""
    days, months = installation.clocks.days, installation.clocks.months
    monthly = dg.AssetSelection.tag("monthly", "")
    daily_loop = dg.define_asset_job(
        DAILY_LOOP,
        selection=dg.AssetSelection.all() - monthly,
        partitions_def=days,
        description="One day through the loop: feeds, marts, findings, scores, opportunities, decisions, "
        "lists.",
    )
    load_feeds = dg.define_asset_job(
        LOAD_FEEDS,
        selection=(dg.AssetSelection.groups(*LOAD_GROUPS) | dg.AssetSelection.tag("as_of_day", ""))
        - monthly
        - dg.AssetSelection.assets(["staging", "stg_loop__churn_scores"]).downstream(),
        partitions_def=days,
        description="Feeds, what is modelled from them, and what is found as of the month-ends and the "
        "last day, as far as it needs no scores; a range of days is one run.",
    )
    monthly_learning = dg.define_asset_job(
        MONTHLY_LEARNING,
        selection=monthly,
        partitions_def=months,
        description="What is learnt for a month from the days before it: the churn model, and the "
        "effect of what was done.",
    )
    schedules = [
        # The day that ended at midnight; feeds are released in the night.
        dg.build_schedule_from_partitioned_job(daily_loop, hour_of_day=5),
        # After the daily run of the last day of the month before.
        dg.build_schedule_from_partitioned_job(monthly_learning, hour_of_day=7, day_of_month=1),
    ]
    return dg.Definitions(
        jobs=[daily_loop, load_feeds, monthly_learning],
        schedules=schedules,
        sensors=[landing_zone_sensor(installation, load_feeds)],
    )


def landing_zone_sensor(
    installation: Installation, load_feeds: UnresolvedAssetJobDefinition
) -> dg.SensorDefinition:
    """Loads the days whose files are new or have changed, once they have stopped growing."""

    @dg.sensor(
        name="landing_zone",
        job=load_feeds,
        minimum_interval_seconds=60,
        description="Files that come late, are delivered again or are withdrawn: the days from their "
        "date on are loaded again. "
        "Decisions and published lists are never recomputed.",
    )
    def landing_zone(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        before: dict[str, str] = json.loads(context.cursor or "{}")
        now, growing = deliveries(installation)
        known = {dt: digest for dt, digest in before.items() if dt in growing} | now
        changed = sorted(
            dt for dt in before.keys() | known.keys() if before.get(dt) != known.get(dt)
        )
        if not changed:
            return dg.SkipReason("no new, changed or withdrawn files in the landing zone")
        # What is known changes from the first changed date on, as far as no file is still growing.
        blocked = min((dt for dt in growing if dt >= changed[0]), default="9999-12-31")
        reached = {dt: digest for dt, digest in known.items() if dt < blocked}
        waiting = {dt: digest for dt, digest in before.items() if dt >= blocked}
        if changed[0] >= blocked:
            return dg.SkipReason("the changed files are still being written")
        request = range_request(changed[0], max(reached, default=changed[0]), before, reached)
        return dg.SensorResult(
            run_requests=[request], cursor=json.dumps(waiting | reached, sort_keys=True)
        )

    return landing_zone


def deliveries(installation: Installation) -> tuple[dict[str, str], set[str]]:
    """Release date (ISO) -> digest of its files' names, sizes and times; and the dates whose files
    may still be growing, which have none."""
    settings = installation.settings
    limit = time.time() - settings.settle_seconds
    first, newest = settings.start_date, settings.today() - timedelta(days=1)
    described: dict[str, list[str]] = {}
    growing: set[str] = set()
    for name in installation.feeds:
        for dt, release in scan(settings.landing_zone, name).releases.items():
            if not first <= dt <= newest:
                continue
            for path in release.files:
                stat = path.stat()
                if stat.st_mtime > limit:
                    growing.add(dt.isoformat())
                described.setdefault(dt.isoformat(), []).append(
                    f"{path.name} {stat.st_size} {stat.st_mtime_ns}"
                )
    digests = {
        dt: hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:16]
        for dt, files in described.items()
        if dt not in growing
    }
    return digests, growing


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of one run over a range of partitions."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: last.isoformat(),
    }


def range_request(
    first: str, last: str, before: Mapping[str, str], now: Mapping[str, str]
) -> dg.RunRequest:
    """One run for the dates `first`..`last` (ISO).

    Its key changes with what was there before and what is there now, so that one change is loaded
    once, and a delivery that comes back after another is loaded again.
    """
    last = max(first, last)
    content = json.dumps(
        [
            sorted((dt, digest) for dt, digest in digests.items() if first <= dt <= last)
            for digests in (before, now)
        ]
    )
    run_key = f"{first}..{last} {hashlib.sha256(content.encode()).hexdigest()[:16]}"
    if first == last:
        return dg.RunRequest(run_key=run_key, partition_key=first)
    return dg.RunRequest(
        run_key=run_key, tags=range_tags(date.fromisoformat(first), date.fromisoformat(last))
    )
