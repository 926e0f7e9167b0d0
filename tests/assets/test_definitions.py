"""The definitions as a person meets them in the UI: complete, described, guarded."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import yaml

from expectations.feeds import feed_suite
from orchestration.contracts import Feed
from orchestration.definitions import build_defs
from orchestration.installation import Installation
from orchestration.runs import DAGSTER_CONFIG, prepare_dagster_home
from orchestration.settings import PROJECT_ROOT, Settings

GROUPS = {
    "ingestion",
    "staging",
    "core",
    "policy",
    "step1_parts",
    "step1_find",
    "step2_strategy",
    "step3_act",
    "step4_evaluate",
}


@pytest.fixture(scope="module")
def defs(project: Installation) -> dg.Definitions:
    _ = project.manifest
    return build_defs(project.settings)


@pytest.fixture(scope="module")
def repository(defs: dg.Definitions) -> dg.RepositoryDefinition:
    return defs.get_repository_def()


@pytest.fixture(scope="module")
def graph(repository: dg.RepositoryDefinition) -> dg.AssetGraph:
    return repository.asset_graph


def test_the_workspace_loads_as_the_web_server_loads_it(tmp_path: Path) -> None:
    """D12: a process of its own, a home that does not exist yet, nothing prepared."""
    home = tmp_path / "fresh"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RETENTION_", "DAGSTER_"))
    }
    result = subprocess.run(
        [
            str(Path(sys.executable).with_name("dagster")),
            *("definitions", "validate", "-w", str(PROJECT_ROOT / "workspace.yaml")),
        ],
        cwd=tmp_path,
        env=environment
        | {
            "RETENTION_HOME": str(home),
            "RETENTION_SECRET_KEY": "test",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert "Validation successful for code location retention_loop" in said
    assert (home / "dbt" / "manifest.json").exists()


def test_the_workspace_and_the_project_name_the_same_location() -> None:
    workspace = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    (entry,) = workspace["load_from"]
    module = entry["python_module"]
    with (PROJECT_ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["tool"]["dg"]["project"]
    assert module["module_name"] == project["code_location_target_module"]
    assert module["location_name"] == project["code_location_name"]
    assert project["root_module"] == "orchestration"
    assert (PROJECT_ROOT / Path(*project["defs_module"].split("."))).is_dir()


def test_every_asset_belongs_to_a_step(graph: dg.AssetGraph) -> None:
    """D12: a person opening the UI sees the loop."""
    groups = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert set(groups.values()) == GROUPS
    assert len(groups) > 100


def is_ours(key: dg.AssetKey, graph: dg.AssetGraph) -> bool:
    return graph.get(key).is_executable


def test_every_asset_is_described_owned_and_of_a_kind(graph: dg.AssetGraph) -> None:
    lacking = {
        f"{key.to_user_string()}: {what}"
        for key in graph.get_all_asset_keys()
        for what, value in {
            "description": graph.get(key).description,
            "owner": graph.get(key).owners,
            "kind": graph.get(key).kinds or not is_ours(key, graph),
        }.items()
        if not value
    }
    assert lacking == set()


def test_owners_are_teams(graph: dg.AssetGraph) -> None:
    owners = {owner for key in graph.get_all_asset_keys() for owner in graph.get(key).owners}
    assert all(owner.startswith("team:") for owner in owners)


def test_every_feed_is_an_asset_with_its_columns(
    graph: dg.AssetGraph, feeds: Mapping[str, Feed]
) -> None:
    """D01: one day-partitioned asset a feed, with what the partition holds."""
    for feed in feeds.values():
        node = graph.get(dg.AssetKey([feed.source, feed.name]))
        assert node.is_materializable, feed.name
        assert node.group_name == "ingestion"
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
        schema = node.metadata["dagster/column_schema"]
        assert {column.name: column.type for column in schema.columns} == dict(feed.raw_columns)
        assert "Key:" in (node.description or "")


def test_every_critical_expectation_blocks(graph: dg.AssetGraph, feeds: Mapping[str, Feed]) -> None:
    """What must not go on is a blocking check; what may is none."""
    for feed in feeds.values():
        key = dg.AssetKey([feed.source, feed.name])
        checks = {check.name: graph.get(check).blocking for check in graph.get(key).check_keys}
        suite = {e.name: e.severity == "critical" for e in feed_suite(feed)}
        own = {"arrived": False, "rows_are_conserved": True, "quarantine_is_tolerable": True}
        assert checks == suite | own, feed.name


def test_what_must_not_leave_the_house_is_guarded(graph: dg.AssetGraph) -> None:
    lists = dg.AssetKey(["step3_act", "published_lists"])
    blocking = {key.name for key in graph.get(lists).check_keys if graph.get(key).blocking}
    assert {"only_treated_are_listed", "no_control_is_listed"} <= blocking
    effects = dg.AssetKey(["step4_evaluate", "effects"])
    assert {key.name for key in graph.get(effects).check_keys if graph.get(key).blocking} >= {
        "ledger_is_intact"
    }


def test_the_graph_is_one_and_has_no_cycle(graph: dg.AssetGraph) -> None:
    seen: set[dg.AssetKey] = set()
    for level in graph.toposorted_asset_keys_by_level:
        for key in level:
            assert graph.get(key).parent_keys <= seen, key
        seen |= set(level)
    assert seen == set(graph.get_all_asset_keys())


def test_lists_come_from_feeds_and_effects_from_lists(graph: dg.AssetGraph) -> None:
    """The loop as lineage: what staff work comes from what the operator's systems said."""

    def ancestors(key: dg.AssetKey) -> set[dg.AssetKey]:
        found: set[dg.AssetKey] = set()
        waiting = [key]
        while waiting:
            parents = graph.get(waiting.pop()).parent_keys - found
            found |= parents
            waiting += parents
        return found

    lists = dg.AssetKey(["step3_act", "published_lists"])
    before_lists = ancestors(lists)
    for key in (
        ["crm", "crm_subscribers"],
        ["usage", "usage_daily"],
        ["step1_find", "churn_model"],
    ):
        assert dg.AssetKey(key) in before_lists
    effects = dg.AssetKey(["step4_evaluate", "effects"])
    before_effects = ancestors(effects)
    # Through the ledger: what left the building, and what came back.
    for key in (["step3_act", "decision_ledger"], ["field", "field_contacts"]):
        assert dg.AssetKey(key) in before_effects


def test_no_step_reads_a_later_step(graph: dg.AssetGraph) -> None:
    # The parts of step 1 carry some of its findings on.
    steps = [
        {"policy"},
        {"ingestion"},
        {"staging"},
        {"core"},
        {"step1_parts", "step1_find"},
        {"step2_strategy"},
        {"step3_act"},
        {"step4_evaluate"},
    ]
    order = {group: number for number, groups in enumerate(steps) for group in groups}
    # Staging also holds the loop's own outputs (scores, decisions), as views over the lake.
    backward = {
        (parent.to_user_string(), key.to_user_string())
        for key in graph.get_all_asset_keys()
        for parent in graph.get(key).parent_keys
        if order[graph.get(parent).group_name or ""] > order[graph.get(key).group_name or ""]
        and key.path[0] != "staging"
    }
    assert backward == set()


@pytest.mark.parametrize("name", ["daily_loop", "load_feeds", "monthly_learning"])
def test_jobs_resolve(defs: dg.Definitions, name: str) -> None:
    job = defs.resolve_job_def(name)
    assert job.partitions_def is not None
    assert job.nodes
    assert job.description


def test_every_asset_is_run_by_some_clock(defs: dg.Definitions, graph: dg.AssetGraph) -> None:
    """Nothing hangs in the graph that no job brings up to date."""
    run = {
        key
        for name in ("daily_loop", "monthly_learning")
        for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys
    }
    assert set(graph.materializable_asset_keys) - run == set()


def test_the_load_job_decides_and_publishes_nothing(defs: dg.Definitions) -> None:
    """Late data rebuild what is known; decisions and lists are made once, by the daily loop."""
    loaded = defs.resolve_job_def("load_feeds").asset_layer.selected_asset_keys
    assert {key.path[0] for key in loaded} & {"step2_strategy", "step3_act"} == set()


def test_schedules_and_the_sensor_stand_ready(repository: dg.RepositoryDefinition) -> None:
    schedules = {
        schedule.name: (schedule.cron_schedule, schedule.execution_timezone)
        for schedule in repository.schedule_defs
    }
    assert schedules == {
        "daily_loop_schedule": ("0 5 * * *", "Asia/Shanghai"),
        "monthly_learning_schedule": ("0 7 1 * *", "Asia/Shanghai"),
    }
    assert {sensor.name for sensor in repository.sensor_defs} >= {"landing_zone"}


def test_the_schedule_of_a_morning_runs_the_day_that_ended(
    repository: dg.RepositoryDefinition,
) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    morning = datetime(2025, 7, 1, 5, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    context = dg.build_schedule_context(scheduled_execution_time=morning, repository_def=repository)
    daily = repository.get_schedule_def("daily_loop_schedule").evaluate_tick(context)
    assert [request.partition_key for request in daily.run_requests or []] == ["2025-06-30"]
    monthly = repository.get_schedule_def("monthly_learning_schedule").evaluate_tick(context)
    assert [request.partition_key for request in monthly.run_requests or []] == ["2025-07-01"]


def test_definitions_are_as_the_settings_say(
    make_settings: Callable[..., Settings], parsed_once: None
) -> None:
    """Another operator, another start and timezone; nothing is read from the environment."""
    settings = make_settings(start_date=date(2018, 3, 15), timezone="Europe/Vilnius")
    graph = build_defs(settings).get_repository_def().asset_graph
    days = graph.get(dg.AssetKey(["usage", "usage_daily"])).partitions_def
    months = graph.get(dg.AssetKey(["step1_find", "churn_model"])).partitions_def
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert isinstance(months, dg.MonthlyPartitionsDefinition)
    assert (days.get_first_partition_key(), days.timezone) == ("2018-03-15", "Europe/Vilnius")
    assert months.get_first_partition_key() == "2018-03-01"
    assert not settings.home.joinpath("lake").exists()


def test_nothing_is_reported_to_anyone() -> None:
    """Telemetry is off wherever one of the tools could switch it on."""
    config = yaml.safe_load(DAGSTER_CONFIG.read_text(encoding="utf-8"))
    assert config["telemetry"] == {"enabled": False}
    project = yaml.safe_load(
        (PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8")
    )
    assert project["flags"]["send_anonymous_usage_stats"] is False
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    assert "DAGSTER_DISABLE_TELEMETRY := yes" in makefile


def test_the_instance_of_a_home_reports_nothing_and_runs_one_at_a_time(
    make_settings: Callable[..., Settings], dagster_environment: None
) -> None:
    """The warehouse has one writer."""
    home = prepare_dagster_home(make_settings())
    with dg.DagsterInstance.get() as instance:
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().run_queue_config is not None
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        assert instance.root_directory == str(home)
    before = (home / "dagster.yaml").stat().st_mtime_ns
    prepare_dagster_home(make_settings())
    assert (home / "dagster.yaml").stat().st_mtime_ns == before
