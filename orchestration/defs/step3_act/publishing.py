"""Work orders and the lists that leave the house.

Here: what is published, that it is published once, and the decision ledger. Not here: what a list
holds (`retention/lists.py`) and who is on it (step 2).
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from expectations.lists import LIST_SUITE
from orchestration.defs.step3_act.contacts import contacts_of
from orchestration.installation import Installation
from orchestration.partitions import days_of
from orchestration.quality import check_results, check_specs, judge, numbered
from orchestration.retention import lists

OWNERS = ["team:retention-operations"]
DECISIONS_KEY = dg.AssetKey(["step2_strategy", "decisions"])
WORK_ORDERS_KEY = dg.AssetKey(["step3_act", "work_orders"])
LISTS_KEY = dg.AssetKey(["step3_act", "published_lists"])
LEDGER_KEY = dg.AssetKey(["step3_act", "decision_ledger"])


def publishing_assets(installation: Installation) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Work orders, published lists, and the ledger that step 4 depends on."""
    ledger = dg.AssetSpec(
        LEDGER_KEY,
        group_name="step3_act",
        partitions_def=installation.clocks.days,
        owners=OWNERS,
        description="What left the house on each day. External on purpose: the loop leaves the graph "
        "where it leaves the building, and comes back as feedback feeds.",
    )
    return [work_orders_asset(installation), published_lists_asset(installation), ledger]


def work_orders_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=WORK_ORDERS_KEY,
        group_name="step3_act",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[DECISIONS_KEY],
        owners=OWNERS,
        kinds={"python", "parquet"},
        description="One work order for each decision to treat; dispatches hold the held-out too, "
        "with nothing sent.",
    )
    def work_orders(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        (day,) = days_of(context)
        lake = installation.lake
        decisions = decisions_of(installation, day)
        dispatched = lists.dispatches(decisions)
        orders = lists.work_orders(decisions, installation.policy)
        for name, rows in (("dispatches", dispatched), ("work_orders", orders)):
            path = lake.loop_day(name, day)
            # Made once, like the decisions that they carry out.
            if not path.exists():
                lake.write_frame(rows, path)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": len(orders), "dispatches": len(dispatched)}
        )

    return work_orders


def published_lists_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=LISTS_KEY,
        group_name="step3_act",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[WORK_ORDERS_KEY, ["crm", "crm_subscribers"], ["crm", "crm_customers"]],
        owners=OWNERS,
        kinds={"python", "csv", "parquet"},
        check_specs=check_specs(LISTS_KEY, LIST_SUITE),
        description="A list for each branch, worked from the day after: CSV for staff, Parquet for "
        "systems, and a manifest. Published once; never recomputed.",
    )
    def published_lists(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (day,) = days_of(context)
        folder = installation.lake.published(day)
        is_kept = folder.exists()
        if not is_kept:
            publish(installation, day)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        context.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                LEDGER_KEY,
                partition=day.isoformat(),
                metadata={
                    "rows": manifest["rows"],
                    "decisions_sha256": manifest["decisions"]["sha256"],
                    "policy_version": manifest["policy_version"],
                    "manifest": dg.MetadataValue.path(str(folder / "manifest.json")),
                },
            )
        )
        verdicts = judge(
            LIST_SUITE, list_relations(installation, day, manifest), installation.lake.workspace
        )
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": manifest["rows"],
                "branches": len(manifest["branches"]),
                "published": "kept as published before" if is_kept else "new",
                "folder": dg.MetadataValue.path(str(folder)),
            },
            check_results=check_results(LISTS_KEY, verdicts),
        )

    return published_lists


def publish(installation: Installation, day: date) -> None:
    """Write every branch's list and the manifest of `day`, all at once or not at all.

    Raises dagster.Failure, publishing nothing, where the lists' suite finds a critical fault.
    """
    lake, policy = installation.lake, installation.policy
    orders = pq.read_table(lake.loop_day("work_orders", day)).to_pandas()
    orders["due_date"] = pd.to_datetime(orders["due_date"])
    branches = lists.branch_lists(
        orders, contacts_of(installation, day, orders["subscriber_id"].tolist()), policy
    )
    files = {
        branch: {
            "list.csv": lists.to_csv_bytes(listed, policy),
            "list.parquet": parquet_bytes(lists.to_parquet_table(listed)),
        }
        for branch, listed in branches.items()
    }
    manifest = lists.manifest(day, branches, files, policy)
    manifest["decisions"] = decisions_digest(installation, day)
    for branch in manifest["branches"]:
        branch["folder"] = folder_name(branch["org_id"])
    verdicts = judge(
        LIST_SUITE, list_relations(installation, day, manifest, branches), lake.workspace
    )
    faults = [v for v in verdicts if v.severity == "critical" and not v.passed]
    if faults:
        raise dg.Failure(
            "lists not published: " + "; ".join(f"{v.name}: {v.message}" for v in faults),
            allow_retries=False,
        )
    with lake.replacing_folder(lake.published(day), mode=0o700) as folder:
        for branch, contents in files.items():
            branch_folder = folder / folder_name(branch)
            branch_folder.mkdir(mode=0o700)
            for name, content in contents.items():
                write_private(branch_folder / name, content)
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        write_private(folder / "manifest.json", text.encode())


def folder_name(branch: str) -> str:
    """A branch's code as a folder name: whatever an operator's codes hold, it stays in its place."""
    return quote(branch, safe="").replace(".", "%2E")


def write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def list_relations(
    installation: Installation,
    day: date,
    manifest: dict[str, Any],
    branches: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """What the lists' suite reads: the lists themselves, the day's decisions and the manifest."""
    if branches is None:
        folder = installation.lake.published(day)
        tables = [
            pq.read_table(folder / branch["folder"] / "list.parquet")
            for branch in manifest["branches"]
        ]
        listed = pa.concat_tables(tables) if tables else lists.LIST_SCHEMA.empty_table()
    else:
        listed = pa.concat_tables(
            [lists.to_parquet_table(rows) for rows in branches.values()]
            or [lists.LIST_SCHEMA.empty_table()]
        )
    decisions = pq.read_table(
        installation.lake.loop_day("decisions", day),
        columns=["decision_id", "subscriber_id", "arm"],
        partitioning=None,
    )
    counts = pa.table(
        {
            "org_id": pa.array([b["org_id"] for b in manifest["branches"]], pa.string()),
            "rows": pa.array([b["rows"] for b in manifest["branches"]], pa.int64()),
        }
    )
    return {"batch": numbered(listed, day), "decisions": decisions, "manifest": counts}


def decisions_of(installation: Installation, day: date) -> pd.DataFrame:
    """The stored decisions of `day`, with their as-of date."""
    path = installation.lake.loop_day("decisions", day)
    rows = pq.read_table(path, partitioning=None).to_pandas()
    return rows.assign(as_of_date=pd.Timestamp(day))


def decisions_digest(installation: Installation, day: date) -> dict[str, Any]:
    """Rows and SHA-256 of the day's decisions, by which step 4 knows that they are the same."""
    path = installation.lake.loop_day("decisions", day)
    return {
        "rows": pq.read_metadata(path).num_rows,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def parquet_bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
