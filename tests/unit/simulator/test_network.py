"""Failures of the service: their steps, whom they hurt, and that the hurt shows."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from orchestration.simulator import network
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import opening_state
from orchestration.simulator.today import Today, World
from tests.unit.simulator.conftest import CARED_DAYS, CARED_FIRST, Cared

Connection = duckdb.DuckDBPyConnection
OPENED, DAYS = 20_000, 1_500


@pytest.fixture(scope="module")
def db(cared: Cared) -> Connection:
    connection = cared.db
    connection.execute(
        "create or replace table failures as select failure_id, any_value(scope) as scope,"
        " any_value(subscriber_id) as subscriber_id, any_value(org_id) as org_id, any_value(kind)"
        " as kind, any_value(severity) as severity, any_value(started_at) as started_at,"
        " max(ended_at) as ended_at, max(customer_informed_at) as informed_at,"
        + ", ".join(
            f"min(\"at\") filter (where step = '{step}') as {step}" for step in network.STEPS
        )
        + " from service_failures group by all"
    )
    return connection


def world_of(seed: int, slots: int = 40_000) -> World:
    draws, tree = Draws(seed), organisation(slots)
    few = people(draws, tree, 100, OPENED, OPENED)
    return World(draws, tree, few, 100, OPENED)


def none(db: Connection, query: str) -> None:
    assert db.execute(query).fetchall() == []


def test_failures_go_their_steps(db: Connection) -> None:
    none(
        db,
        "select * from failures where CONFIRMED is null or CONFIRMED < started_at or SOLVED <"
        " ended_at or SOLVED < CONFIRMED or CAUSES_COLLECTED <= SOLVED or IMPROVED <="
        " CAUSES_COLLECTED or informed_at < CONFIRMED",
    )
    none(db, 'select 1 from service_failures where "at"::date <> dt')
    none(
        db,
        "select 1 from service_failures where (ended_at is not null) <> (step <> 'CONFIRMED')"
        ' and ended_at is distinct from "at"',
    )
    none(
        db,
        'select 1 from service_failures where customer_informed_at > "at" or apology_at > "at"'
        " or apology_at < ended_at or (compensation_cny is not null and step in ('CONFIRMED',"
        " 'SOLVED')) or compensation_cny <= 0",
    )
    old = f"date '1970-01-01' + {CARED_FIRST + CARED_DAYS - 45}"
    done, solved, improved = db.execute(
        f"select count(*), count(SOLVED), count(IMPROVED) from failures where started_at < {old}"
    ).fetchall()[0]
    assert done == solved > improved > 0.7 * done
    assert db.execute("select count(compensation_cny) from service_failures").fetchall()[0][0] > 5


def test_failures_tell_whom_they_hit(cared: Cared, db: Connection) -> None:
    none(
        db,
        "select * from failures f left join lines l using (subscriber_id) where (scope ="
        " 'SUBSCRIBER') <> (subscriber_id is not null) or (kind = 'LINE_FAULT') <> (subscriber_id"
        " is not null) or (subscriber_id is not null and f.org_id is distinct from l.org_id)",
    )
    none(db, "select failure_id, step from service_failures group by all having count(*) > 1")
    levels = {unit.org_id: unit.level for unit in cared.world.organisation.units}
    scopes = db.execute("select distinct scope, org_id from failures").fetchall()
    for scope, org_id in scopes:
        assert levels[org_id] == ("CITY" if scope == "CITY" else "BRANCH")
    assert {scope for scope, _ in scopes} == set(network.SCOPES)


def test_every_kind_of_failure_happens_in_the_long_run() -> None:
    world = world_of(5)
    state = opening_state(world.draws, world.people, OPENED)
    seen: dict[tuple[str, str], int] = {}
    for day in range(OPENED + 40, OPENED + DAYS, 40):
        failures = network.outages(Today(world, state, day))
        scope = network.units(world).scope[failures.unit]
        for kind, where in zip(failures.kind, scope, strict=True):
            key = (network.SCOPES[where], network.KINDS[kind])
            seen[key] = seen.get(key, 0) + 1
    assert set(seen) == {
        ("BRANCH", "CELL_OUTAGE"),
        ("BRANCH", "TRANSMISSION"),
        ("CITY", "TRANSMISSION"),
        ("CITY", "CORE"),
        ("CITY", "BILLING_ERROR"),
    }
    assert min(seen.values()) > 5


def test_levels_depend_on_the_seed_and_the_day_alone() -> None:
    world = world_of(5)
    state = opening_state(world.draws, world.people, OPENED)
    levels = np.stack(
        [network.outage_level(Today(world, state, day)) for day in range(OPENED, OPENED + 200)]
    )
    assert levels.shape == (200, world.organisation.branches)
    assert levels.min() == 0
    assert 0.9 < levels.max() <= 1
    assert 0.01 < (levels > 0).mean() < 0.08
    # A day asked for alone, of another world with the same seed, is the same.
    other = world_of(5)
    fresh = opening_state(other.draws, other.people, OPENED)
    assert np.array_equal(network.outage_level(Today(other, fresh, OPENED + 77)), levels[77])
    assert not np.array_equal(network.outage_level(Today(world_of(6), fresh, OPENED + 77)), 1)
    elsewhere = np.stack(
        [network.outage_level(Today(world_of(6), fresh, OPENED + d)) for d in range(30)]
    )
    assert not np.array_equal(elsewhere, levels[:30])


def test_levels_are_those_of_the_delivered_failures(cared: Cared, db: Connection) -> None:
    """A branch has a level on exactly the days on which a failure of it or its city lasts."""
    for column, kinds in (
        ("level", "('CELL_OUTAGE', 'TRANSMISSION', 'CORE')"),
        ("wrong_bills", "('BILLING_ERROR')"),
    ):
        told = f"select dt, org_id from levels where {column} > 0"
        lasting = (
            "select distinct dt, l.org_id from levels l join failures f on (l.org_id = f.org_id or"
            " l.org_id like f.org_id || 'B%') and started_at < dt + 1"
            f" and coalesce(ended_at, date '9999-01-01') > dt where kind in {kinds}"
        )
        none(db, f"{told} except ({lasting})")
        none(db, f"{lasting} except ({told})")
        assert len(db.execute(told).fetchall()) > 5


def test_outages_raise_complaints_and_calls_where_and_when_they_are(db: Connection) -> None:
    db.execute(
        "create or replace temp table line_days as select dt, org_id, level, n from levels join"
        " (select org_id, count(*) as n from lines group by all) using (org_id)"
    )

    def rate(rows: str, where: str) -> float:
        found = db.execute(
            f"select (select count(*) from {rows} r join lines using (subscriber_id)"
            f" join levels v on v.org_id = lines.org_id and v.dt = r.dt where {where})"
            f" / (select sum(n) from line_days where {where})"
        ).fetchall()[0][0]
        return float(found)

    network_complaints = (
        "(select * from care_complaints where step = 'OPENED' and category = 'NETWORK')"
    )
    faults = "(select * from care_interactions where reason = 'FAULT')"
    assert rate(network_complaints, "level >= 0.5") > 5 * rate(network_complaints, "level = 0")
    assert rate(faults, "level >= 0.5") > 8 * rate(faults, "level = 0")
    device = "(select * from care_complaints where step = 'OPENED' and category = 'DEVICE')"
    assert rate(device, "level >= 0.5") < 4 * rate(device, "level = 0")  # and nothing else


def test_faulty_lines_call_us(db: Connection) -> None:
    faulty, called = db.execute(
        "select count(*), count(i.subscriber_id) from failures f left join (select distinct"
        " subscriber_id, dt from care_interactions where reason = 'FAULT') i on i.subscriber_id ="
        " f.subscriber_id and i.dt = started_at::date where kind = 'LINE_FAULT'"
    ).fetchall()[0]
    assert faulty > 60
    assert 0.2 < called / faulty < 0.55


def test_poorly_serving_branches_inform_fewer(cared: Cared) -> None:
    informed: dict[bool, list[bool]] = {True: [], False: []}
    for seed in range(12):
        world = world_of(seed)
        state = opening_state(world.draws, world.people, OPENED)
        of = network.units(world)
        for day in range(OPENED + 40, OPENED + 400, 46):
            failures = network.outages(Today(world, state, day))
            for unit, told in zip(failures.unit, failures.informed > 0, strict=True):
                informed[bool(of.is_poor[unit])].append(bool(told))
    assert len(informed[True]) > 30
    assert np.mean(informed[True]) < 0.6 < np.mean(informed[False])
