"""What an installation holds, as plain rows: feeds, quarantine, stray files, the loop.

Here: reading receipts, quarantine, manifests and model cards. Not here: printing (`cli.py`). No
value of any row is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.installation import Installation
from orchestration.lake import Lake
from orchestration.landing.releases import scan
from orchestration.retention.model_card import judged
from orchestration.settings import Settings

Rows = list[dict[str, Any]]

FEEDS_SQL = """
select
    feed,
    count(distinct dt) filter (where arrived) as days_arrived,
    max(dt) filter (where arrived) as last_arrived,
    coalesce(sum(records), 0)::bigint as rows_in_files,
    coalesce(sum(kept), 0)::bigint as kept,
    coalesce(sum(quarantined), 0)::bigint as quarantined,
    coalesce(sum(duplicates), 0)::bigint as duplicates
from read_parquet($glob, hive_partitioning = true)
group by feed
order by feed
"""
QUARANTINE_SQL = """
select
    parse_path(filename)[-3] as feed,
    coalesce(column_name, '(row)') as "column",
    reason,
    min(label_en) as meaning,
    min(label_zh) as 含义,
    count(*) as rows,
    arg_min(source_file || ' line ' || source_line, row(source_file, source_line)) as first_at
from read_parquet($glob, filename = true)
group by all
order by feed, rows desc, "column", reason
"""


def feed_status(settings: Settings) -> Rows:
    """A row a feed: what arrived and what became of it."""
    return _query(FEEDS_SQL, Lake(settings.home).root / "receipts", "*/*/part.parquet")


def quarantine_status(settings: Settings) -> Rows:
    """A row a feed, column and reason: how many rows wait for repair, and where the first lies."""
    return _query(QUARANTINE_SQL, Lake(settings.home).root / "quarantine", "*/*/part.parquet")


def stray_files(settings: Settings) -> Rows:
    """Files that no feed takes: a misspelt name, an impossible date, an unfinished delivery."""
    feeds = Installation(settings).feeds
    folders = settings.landing_zone.iterdir() if settings.landing_zone.exists() else ()
    rows: Rows = [
        {"file": f"{folder.name}/", "why": "no feed of this name"}
        for folder in sorted(folders)
        if folder.name not in feeds
    ]
    for name in feeds:
        folder = scan(settings.landing_zone, name)
        rows += [
            {"file": f"{name}/{path.name}", "why": "no file of this feed"}
            for path in folder.unrecognised
        ]
        rows += [
            {"file": f"{name}/{path.name}", "why": "still being written"}
            for path in folder.unfinished
        ]
    return rows


def loop_status(settings: Settings) -> Rows:
    """A row a model and a published day, newest last."""
    lake = Lake(settings.home)
    rows: Rows = []
    for card_path in sorted((lake.home / "models" / "churn").glob("month=*/card.json")):
        card = _read(card_path)
        rows.append(
            {
                "what": f"churn model {card['month']}",
                "made_of": f"{card['rows']:,} rows, {card['churners']:,} churners",
                "result": describe_model(card),
            }
        )
    for manifest_path in sorted((lake.home / "published").glob("dt=*/manifest.json")):
        manifest = _read(manifest_path)
        rows.append(
            {
                "what": f"lists of {manifest['as_of_date']}",
                "made_of": f"{manifest['decisions']['rows']:,} decisions",
                "result": f"{manifest['rows']:,} work orders for {len(manifest['branches'])} branches",
            }
        )
    return rows


def day_summary(settings: Settings, day: date) -> Rows:
    """From the population of a day to its lists: each number with the file whose rows it counts."""
    lake = Lake(settings.home)
    scores, decisions = lake.loop_day("churn_scores", day), lake.loop_day("decisions", day)
    rows: Rows = []
    with duckdb.connect() as connection:
        scored = connection.execute("select count(*) from read_parquet($1)", [str(scores)])
        (count,) = scored.fetchone() or (0,)
        rows.append({"what": "subscribers scored", "rows": count, "where": scores})
        arms = connection.execute(
            "select lower(arm), coalesce(suppression_reasons, ''), count(*)"
            " from read_parquet($1, hive_partitioning = false) group by all order by all",
            [str(decisions)],
        ).fetchall()
    for arm, why, count in arms:
        rows.append(
            {
                "what": f"decisions: {arm}{f' ({why})' if why else ''}",
                "rows": count,
                "where": decisions,
            }
        )
    manifest = _read(lake.published(day) / "manifest.json")
    rows.append(
        {
            "what": f"work orders on the lists of {len(manifest['branches'])} branches",
            "rows": manifest["rows"],
            "where": lake.published(day),
        }
    )
    return [row | {"where": _relative(row["where"], settings.home)} for row in rows]


def describe_model(card: Mapping[str, Any]) -> str:
    """The model's kind and how well it ranked rows it had not seen, in the near horizon."""
    near = judged(card)
    if near is None:
        return f"{card['kind']}, not validated: too few churners"
    auc, lift = near.measures["auc"], near.measures["top_decile_lift"]
    return f"{card['kind']}, near AUC {auc:.3f}, top-decile lift {lift:.1f} ({near.way})"


def _query(sql: str, folder: Path, pattern: str) -> Rows:
    if not any(folder.glob(pattern)):
        return []
    with duckdb.connect() as connection:
        found: pa.Table = connection.execute(sql, {"glob": f"{folder}/{pattern}"}).to_arrow_table()
        return found.to_pylist()


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _relative(path: Path, home: Path) -> str:
    return str(path.relative_to(home.parent)) if path.is_relative_to(home.parent) else str(path)
