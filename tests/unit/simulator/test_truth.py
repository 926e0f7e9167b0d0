"""The truth is kept apart: complete for tests, out of reach for the platform."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.unit.simulator.conftest import SUBSCRIBERS, Delivered

PROJECT = Path(__file__).parents[3]


def test_truth_names_every_departure(delivered: Delivered, sql: duckdb.DuckDBPyConnection) -> None:
    exits = f"read_parquet('{delivered.truth}/exits/*.parquet')"
    events = delivered.rows("churn_events")
    explicit = "where kind in ('PORT_OUT', 'CLOSED') order by all"
    told = sql.execute(f"select subscriber_id, dt, kind from {events} {explicit}").fetchall()
    left = f"(select subscriber_id, left_on as dt, exit as kind from {exits})"
    true = sql.execute(f"select subscriber_id, dt, kind from {left} {explicit}").fetchall()
    assert told == true != []
    silent = sql.execute(f"select count(*) from {exits} where exit = 'SILENT'").fetchall()[0][0]
    assert silent > 0, "prepaid lines mostly leave without a word"
    used = sql.execute(
        f"select count(*) from {exits} t join {delivered.rows('usage_daily')} u"
        " using (subscriber_id) where u.usage_date >= t.left_on"
        " and (calls_out + calls_in + sms_out > 0 or data_mb >= 1)"
    ).fetchall()
    assert used == [(0,)]


def test_truth_holds_potential_outcomes_and_hazards(
    delivered: Delivered, sql: duckdb.DuckDBPyConnection
) -> None:
    people, distinct = sql.execute(
        "select count(*), count(distinct subscriber_id)"
        f" from read_parquet('{delivered.truth}/people/*.parquet')"
    ).fetchall()[0]
    assert people == distinct >= SUBSCRIBERS
    hazards = sql.execute(
        "select as_of_date::varchar, count(*), min(hazard_plan_misfit), avg(hazard_plan_misfit)"
        f" from read_parquet('{delivered.truth}/hazards/*/*.parquet') group by all order by all"
    ).fetchall()
    assert [day for day, *_ in hazards] == ["2025-01-31", "2025-02-28"]
    assert all(count > 200 and least >= 0 and 0 < mean < 0.01 for _, count, least, mean in hazards)


def test_nothing_outside_the_simulator_opens_the_truth() -> None:
    names = (
        "simulator.truth",
        "operator.json",
        "/reentries",
        "reentries/",
        "/dual_handsets",
        "dual_handsets/",
        "washing_agents",
        "plan_misfits",
        "response_constants",
        "field_faults",
        "hazards/",
        "exits/",
        "outlook/",
        "dirt/rows",
    )
    folders = [
        PROJECT / "orchestration",
        PROJECT / "dbt_project" / "models",
        PROJECT / "expectations",
    ]
    sources = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".py", ".sql", ".yml"} and "simulator" not in path.parts
    ]
    assert len(sources) > 50
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not [name for name in names if name in text], path


def test_the_simulator_knows_nothing_of_the_platform() -> None:
    for path in (PROJECT / "orchestration" / "simulator").glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")) and "orchestration" in line:
                assert line.startswith("from orchestration.simulator"), (path.name, line)
            assert "environ" not in line, path.name
