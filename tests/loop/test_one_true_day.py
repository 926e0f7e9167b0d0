"""One true day, end to end: landing files in, a list out, its effect measured, nothing lost."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration import cli
from orchestration.defs.automation import DAILY_LOOP
from orchestration.defs.step1_find.churn import SCORES_KEY
from orchestration.landing.releases import scan
from orchestration.runs import Runner, failures
from tests.loop.conftest import (
    CORRECTED_ON,
    EVALUATED_IN,
    EVE,
    FIRST,
    LAST,
    OPENS,
    PLANTED,
    SECOND,
    SECRET,
    World,
    digests,
)

DAYS = (FIRST, SECOND)


def rows_in_files(world: World, feed: str) -> dict[date, int]:
    """Release date -> rows, counted by other means than the platform's: no engine, no reader of ours.

    Different lines are counted, for a row delivered twice in a file is one; that is right because
    nothing that was delivered breaks a line within a field.
    """
    counts: dict[date, int] = {}
    for dt, release in scan(world.landing, feed).releases.items():
        for path in release.files:
            if path.suffix == ".parquet":
                found = pq.ParquetFile(path).metadata.num_rows
            else:
                raw = path.read_bytes()
                text = gzip.decompress(raw) if path.suffix == ".gz" else raw
                found = len({line for line in text.split(b"\n") if line.strip()}) - 1
            counts[dt] = counts.get(dt, 0) + found
    return counts


def rows_in_lake(world: World, folder: str, feed: str) -> dict[date, int]:
    return {
        date.fromisoformat(path.parent.name.removeprefix("dt=")): pq.ParquetFile(
            path
        ).metadata.num_rows
        for path in (world.lake.root / folder / feed).glob("dt=*/part.parquet")
    }


def test_nothing_is_lost_between_the_files_and_the_lake(world: World) -> None:
    """D01: different rows in the files = rows in raw + quarantined rows."""
    wrong = {}
    for feed in world.installation.feeds:
        files = rows_in_files(world, feed)
        raw = rows_in_lake(world, "raw", feed)
        quarantined = rows_in_lake(world, "quarantine", feed)
        kept = {dt: raw.get(dt, 0) + quarantined.get(dt, 0) for dt in raw | quarantined}
        if files != kept:
            wrong[feed] = {dt: (files.get(dt), kept.get(dt)) for dt in files | kept}
    assert wrong == {}
    assert sum(rows_in_files(world, "usage_daily").values()) > 10_000


def test_what_was_planted_badly_is_in_quarantine_and_nothing_else(world: World) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            "select parse_path(filename)[-3] as feed, reason, count(*) from read_parquet("
            "$glob, filename = true) group by all order by all",
            {"glob": f"{world.lake.root}/quarantine/*/*/part.parquet"},
        ).fetchall()
    assert found == [
        ("crm_customers", "BROKEN_QUOTING", 1),
        ("crm_customers", "FIELD_COUNT", 1),
        ("crm_customers", "WRONG_TYPE", 2),
        ("crm_subscribers", "MISSING_KEY", 1),
        ("crm_subscribers", "UNKNOWN_CODE", 1),
        ("crm_subscribers", "WRONG_TYPE", 1),
        ("usage_devices", "MISSING_KEY", 1),
        ("usage_devices", "WRONG_TYPE", 1),
    ]


def test_every_day_of_every_feed_has_a_receipt(world: World) -> None:
    """What did not come is written down as not arrived: unknown, not zero."""
    days = (LAST - OPENS).days + 1
    for feed in world.installation.feeds:
        folder = world.lake.root / "receipts" / f"feed={feed}"
        assert len(list(folder.glob("dt=*/part.parquet"))) == days, feed
    unarrived = world.rows(
        "select arrived from raw.receipts where feed = 'billing_payments' and dt = $day", day=SECOND
    )
    assert unarrived == [{"arrived": False}]
    assert not world.lake.raw("billing_payments", SECOND).exists()


@pytest.mark.parametrize("day", DAYS)
def test_every_opportunity_has_exactly_one_decision(world: World, day: date) -> None:
    found = world.rows(
        "select opportunities.opportunity_id, count(decisions.decision_id) as decisions"
        " from step1_find.opportunities full join (select * from loop.decisions where dt = $day)"
        " as decisions using (opportunity_id)"
        " where opportunities.as_of_date = $day or opportunities.as_of_date is null"
        " group by all having decisions <> 1 or opportunity_id is null",
        day=day,
    )
    assert found == []
    counts = world.rows(
        "select (select count(*) from step1_find.opportunities where as_of_date = $day) as found,"
        " (select count(*) from loop.decisions where dt = $day) as decided,"
        " (select count(*) from step1_find.opportunities"
        "  where as_of_date = $day and churn_probability is not null) as scored",
        day=day,
    )
    assert counts[0]["found"] == counts[0]["decided"] == len(worth_a_look(world, day)) > 50
    # Worth a look are also lines that get no score: the suspended, and those that fell silent.
    assert 0 < counts[0]["scored"] <= counts[0]["found"]


def worth_a_look(world: World, day: date) -> set[str]:
    """Warned or alarmed, or with a signal of severity 2 or more, or with an event of the day."""
    rows = world.rows(
        "select subscriber_id from step1_find.churn_periods"
        " where as_of_date = $day and churn_period in ('WARNING', 'ALARM')"
        " union select subscriber_id from step1_find.signals"
        " where as_of_date = $day and (severity >= 2 or kind = 'EVENT')",
        day=day,
    )
    return {row["subscriber_id"] for row in rows}


def listed(world: World, day: date) -> list[dict[str, Any]]:
    glob = f"{world.lake.published(day)}/*/list.parquet"
    with duckdb.connect() as connection:
        return (
            connection.execute(
                "select * from read_parquet($glob, hive_partitioning = false) order by work_order_id",
                {"glob": glob},
            )
            .to_arrow_table()
            .to_pylist()
        )


@pytest.mark.parametrize("day", DAYS)
def test_the_held_out_and_the_suppressed_are_on_no_list(world: World, day: date) -> None:
    arms = {
        row["subscriber_id"]: row["arm"]
        for row in world.rows(
            "select subscriber_id, arm from loop.decisions where dt = $day", day=day
        )
    }
    on_lists = [row["subscriber_id"] for row in listed(world, day)]
    assert {arms[subscriber] for subscriber in on_lists} == {"TREATMENT"}
    assert sorted(on_lists) == sorted(s for s, arm in arms.items() if arm == "TREATMENT")
    assert {"TREATMENT", "CAMPAIGN_CONTROL", "GLOBAL_CONTROL", "SUPPRESSED"} == set(arms.values())


def test_nobody_is_listed_two_days_running(world: World) -> None:
    """The contact policy's waiting time counts lists, whatever became of them."""
    one, two = ({row["subscriber_id"] for row in listed(world, day)} for day in DAYS)
    assert one
    assert two
    assert not one & two


def csv_rows(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def people_of(world: World) -> dict[str, tuple[str, str]]:
    """Subscriber -> number and name, as the operator's own files have it by the second day."""
    newest: dict[str, dict[str, dict[str, str]]] = {"crm_subscribers": {}, "crm_customers": {}}
    for feed, key in (("crm_subscribers", "subscriber_id"), ("crm_customers", "customer_id")):
        for dt, release in sorted(scan(world.landing, feed).releases.items()):
            if dt > SECOND:
                break
            for path in release.files:
                with path.open(encoding="utf-8", newline="") as file:
                    newest[feed] |= {row[key]: row for row in csv.DictReader(file) if row[key]}
    names = {key: row["name"] for key, row in newest["crm_customers"].items()}
    return {
        key: (row["msisdn"], names.get(row["customer_id"], ""))
        for key, row in newest["crm_subscribers"].items()
    }


def test_a_list_opens_in_a_spreadsheet_with_chinese_and_numbers_intact(world: World) -> None:
    """D04, D13: byte-order mark, CRLF, and for each person the number and name of the operator."""
    people = people_of(world)
    seen = 0
    for path in world.lake.published(SECOND).glob("*/list.csv"):
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\r\n") == content.count(b"\n")
        header, *rows = csv_rows(path)
        assert [title.split(" ")[0] for title in header[:4]] == ["序号", "姓名", "号码", "动作"]
        for row in rows:
            cells = dict(zip([title.split(" ")[0] for title in header], row, strict=True))
            number, name = people[cells["用户编号"].strip("\t")]
            assert cells["号码"] == f"\t{number}"
            assert cells["姓名"] == name
            seen += 1
        assert [row[0] for row in rows] == [str(place + 1) for place in range(len(rows))]
    assert seen == len(listed(world, SECOND)) > 0


@pytest.mark.parametrize("day", DAYS)
def test_the_manifest_holds_the_digest_of_every_file_and_of_the_decisions(
    world: World, day: date
) -> None:
    folder = world.lake.published(day)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    promised = {
        f"{branch['folder']}/{file['file']}": (file["sha256"], file["bytes"])
        for branch in manifest["branches"]
        for file in branch["files"]
    }
    there = {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_size,
        )
        for path in folder.glob("*/*")
    }
    assert promised == there
    assert manifest["rows"] == sum(branch["rows"] for branch in manifest["branches"])
    assert manifest["rows"] == len(listed(world, day))
    decisions = world.lake.loop_day("decisions", day).read_bytes()
    assert manifest["decisions"]["sha256"] == hashlib.sha256(decisions).hexdigest()


def test_one_thread_from_the_signal_to_the_effect(world: World) -> None:
    """D12: opportunity -> decision -> dispatch -> work order -> contact -> outcome -> effect."""
    chained = world.rows(
        """
        with lists as (
            select * from read_parquet($lists, hive_partitioning = false)
        ),
        dispatches as (
            select * from read_parquet($dispatches, hive_partitioning = false)
        )
        select
            count(*) as listed,
            count(opportunities.opportunity_id) as with_opportunity,
            count(decisions.decision_id) as with_decision,
            count(dispatches.dispatch_id) filter (where dispatches.is_dispatched) as with_dispatch,
            count(outcomes.decision_id) as with_outcome
        from lists
        left join step1_find.opportunities as opportunities
            on lists.opportunity_id = opportunities.opportunity_id
            and lists.subscriber_id = opportunities.subscriber_id
            and lists.as_of_date = opportunities.as_of_date
        left join loop.decisions as decisions
            on lists.decision_id = decisions.decision_id
            and lists.opportunity_id = decisions.opportunity_id
        left join dispatches
            on lists.dispatch_id = dispatches.dispatch_id
            and lists.decision_id = dispatches.decision_id
        left join step4_evaluate.decision_outcomes as outcomes
            on lists.decision_id = outcomes.decision_id and outcomes.month = $month
        """,
        lists=f"{world.settings.home}/published/*/*/list.parquet",
        dispatches=f"{world.lake.root}/loop/dispatches/*/part.parquet",
        month=EVALUATED_IN,
    )[0]
    assert set(chained.values()) == {chained["listed"]}
    assert chained["listed"] == sum(len(listed(world, day)) for day in DAYS)
    contacts = world.rows(
        "select count(*) as contacts, count(lists.work_order_id) as of_ours,"
        " count(*) filter (where lists.subscriber_id = contacts.subscriber_id) as same_person,"
        " count(distinct contacts.contact_id) as distinct_contacts"
        " from core.fct_contacts as contacts left join read_parquet($lists,"
        " hive_partitioning = false) as lists using (work_order_id) where visible_to > $last",
        lists=f"{world.settings.home}/published/*/*/list.parquet",
        last=LAST,
    )[0]
    assert contacts["of_ours"] == contacts["same_person"] > 0
    assert contacts["distinct_contacts"] == contacts["contacts"]


def test_the_effect_counts_the_decisions_that_were_made(world: World) -> None:
    path = world.lake.loop_month("effects", EVALUATED_IN)
    effects = pq.read_table(path, partitioning=None).to_pylist()
    assert len({effect["effect_id"] for effect in effects}) == len(effects)
    (overall,) = (
        effect
        for effect in effects
        if (effect["outcome"], effect["cycle"], effect["control_arm"])
        == ("exited_within_30d", "ALL", "CAMPAIGN_CONTROL")
    )
    arms = {
        row["arm"]: row["decisions"]
        for row in world.rows("select arm, count(*) as decisions from loop.decisions group by arm")
    }
    assert overall["treated_assigned"] == arms["TREATMENT"]
    assert overall["control_assigned"] == arms["CAMPAIGN_CONTROL"]
    # Both windows had closed by the end of June, so everybody counts.
    assert (overall["treated"], overall["control"]) == (
        overall["treated_assigned"],
        overall["control_assigned"],
    )
    assert overall["difference_pp"] is not None
    left = world.rows(
        "select count(distinct decisions.subscriber_id) as people from loop.decisions"
        " inner join core.fct_churn_events as events using (subscriber_id)"
        " where decisions.arm = 'TREATMENT' and events.kind in ('PORT_OUT', 'CLOSED')"
        " and events.occurred_at::date > decisions.dt"
        " and events.occurred_at::date <= decisions.dt + 30"
    )[0]["people"]
    assert overall["treated_churners"] <= left


def test_running_a_day_again_changes_no_byte(world: World) -> None:
    """D01: after a month of later data, late corrections included."""
    assert digests(world.lake.root) == dict(world.lake_before_rerun)
    assert digests(world.settings.home / "published") == dict(world.published_before_rerun)
    assert len(world.lake_before_rerun) > 1500


def test_what_was_known_on_a_day_stays_what_was_known(world: World) -> None:
    """Point in time: corrections that came later do not reach the features of an earlier day."""
    assert world.features_before is not None
    assert world.features(FIRST).equals(world.features_before)
    assert world.features_before.num_rows > 100


def test_the_corrections_did_arrive(world: World) -> None:
    """Else the test above could not fail."""
    usage = world.rows(
        "select count(*) as rows from core.fct_usage_daily"
        " where visible_from = $day and usage_date = $eve and calls_out = 9999",
        day=CORRECTED_ON,
        eve=EVE,
    )
    assert usage == [{"rows": 5}]
    suspended = world.rows(
        "select count(*) as rows from core.dim_subscribers where visible_from = $day"
        " and status = 'TWO_WAY_SUSPENDED'",
        day=CORRECTED_ON,
    )
    assert suspended[0]["rows"] > 100
    assert not world.features(LAST).equals(world.features(FIRST))


def test_the_same_files_and_secret_give_the_same_lake(world: World, twin: World) -> None:
    """D01: what is computed depends on the landing files and the secret, and on nothing else.

    The twin has all later files in its landing zone already: a day must not see them.
    """
    assert digests(twin.lake.root) == dict(world.lake_after_second)


def test_the_same_files_and_secret_give_the_same_lists(world: World, twin: World) -> None:
    for day in DAYS:
        assert digests(twin.lake.published(day)) == digests(world.lake.published(day))


def test_the_same_files_and_secret_give_the_same_marts(world: World, twin: World) -> None:
    ours = twin.marts()
    assert ours == dict(world.marts_after_second)
    filled = [name for name, (rows, _) in ours.items() if rows]
    assert {"core.dim_subscribers", "core.fct_usage_daily", "step1_find.opportunities"} <= set(
        filled
    )


def materialization(key: list[str], partition: str) -> dict[str, Any]:
    with dg.DagsterInstance.get() as instance:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(key), asset_partitions=[partition]), limit=1
        ).records
    (record,) = records
    assert record.asset_materialization is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


@pytest.mark.usefixtures("dagster_home")
def test_the_run_says_which_feeds_did_not_come(world: World) -> None:
    """D01: an operator without some feeds still gets a list, and is told what was missing."""
    metadata = materialization(["ingestion", "receipts"], str(SECOND))
    absent = set(metadata["feeds_absent"].split(", "))
    never = {feed for feed in world.installation.feeds if not scan(world.landing, feed).releases}
    assert never
    assert never <= absent
    assert "billing_payments" in absent
    assert "usage_daily" not in absent
    assert len(listed(world, SECOND)) > 0


@pytest.mark.usefixtures("dagster_home")
def test_every_day_that_left_the_house_is_in_the_ledger(world: World) -> None:
    for day in DAYS:
        metadata = materialization(["step3_act", "decision_ledger"], str(day))
        decisions = world.lake.loop_day("decisions", day).read_bytes()
        assert metadata["decisions_sha256"] == hashlib.sha256(decisions).hexdigest()
        assert metadata["rows"] == len(listed(world, day))


@pytest.mark.usefixtures("dagster_home")
def test_a_run_warns_of_what_is_tolerated_and_goes_on(world: World) -> None:
    """Quarantined rows below the tolerance: a warning, and the list is made."""
    with dg.DagsterInstance.get() as instance:
        key = dg.AssetCheckKey(dg.AssetKey(["crm", "crm_customers"]), "quarantine_is_tolerable")
        executions = instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
    evaluations = [
        execution.event.dagster_event.asset_check_evaluation_data
        for execution in executions
        if execution.event is not None and execution.event.dagster_event is not None
    ]
    failed = [evaluation for evaluation in evaluations if not evaluation.passed]
    assert failed
    assert {evaluation.severity for evaluation in failed} == {dg.AssetCheckSeverity.WARN}


def test_status_shows_what_came_and_no_personal_value(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D04, D12: feeds, quarantine with labels, models, lists."""
    monkeypatch.setenv("RETENTION_HOME", str(world.settings.home))
    monkeypatch.setenv("RETENTION_SECRET_KEY", SECRET)
    monkeypatch.setenv("RETENTION_START_DATE", str(OPENS))
    printed = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=printed, width=300))
    result = CliRunner().invoke(cli.app, ["status"])
    assert result.exit_code == 0, result.output
    text = printed.getvalue()
    for expected in ("usage_daily", "MISSING_KEY", "主键", f"lists of {FIRST}", "BASE_RATE"):
        assert expected in text
    numbers = {number for number, _ in people_of(world).values()}
    assert not [value for value in {*numbers, *PLANTED.values()} if value and value in text]


def test_a_day_whose_features_are_no_longer_kept_is_not_scored(
    world: World, dagster_home: None
) -> None:
    """O18: not a file without scores, but a failure that says what to do."""
    path = world.lake.loop_day("churn_scores", SECOND)
    before = path.read_bytes()
    job = Runner(world.settings, lambda step: None).defs.resolve_job_def(DAILY_LOOP)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[SCORES_KEY],
            partition_key=str(SECOND),
            raise_on_error=False,
        )
    assert f"no churn_features are kept as of {SECOND}" in "\n".join(failures(result))
    assert path.read_bytes() == before
