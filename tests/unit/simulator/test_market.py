"""Handsets do not multiply; market sizes are the lines of the customer files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import simulate
from orchestration.simulator.feeds import Outbox, coded
from orchestration.simulator.market import (
    HANDSET_EVERY_DAYS,
    deliver_size,
    deliver_stock,
    handsets_left,
    may_have_handset,
    month_stock,
    take_handsets,
)
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import opening_state
from orchestration.simulator.today import Today, World
from tests.unit.simulator.conftest import FIRST, SEED, Delivered

Connection = duckdb.DuckDBPyConnection
OPENED, SUBSCRIBERS = 20_089, 3_000  # 2025-01-01
GIFT, UPGRADE = cat.FAMILY["GIFT_HANDSET"], cat.FAMILY["DEVICE_UPGRADE"]
CALL = cat.FAMILY["CARE_CALL"]


@pytest.fixture
def today() -> Today:
    draws, tree = Draws(4), organisation(SUBSCRIBERS)
    crowd = people(draws, tree, SUBSCRIBERS, OPENED, OPENED + 60)
    world = World(draws, tree, crowd, SUBSCRIBERS, OPENED)
    return Today(world, opening_state(draws, crowd, OPENED), OPENED + 10)


@pytest.fixture(scope="module")
def wished_for(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """A small operator whose lists offer handsets to many more than there are handsets for."""
    home = tmp_path_factory.mktemp("wished_for")
    world = Delivered(home / "landing", home / "truth", home / "published")
    for nth in range(12):
        rows = {
            "work_order_id": [f"wo_{nth:02d}_{place:02d}" for place in range(40)],
            "subscriber_id": [f"S{1 + (nth * 40 + place) % 300:09d}" for place in range(40)],
            "action": ["GIFT_HANDSET", "TOPUP_FOR_HANDSET"] * 20,
        }
        folder = world.published / f"dt={FIRST + timedelta(days=5 + nth)}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(rows), folder / "list.parquet")
    last = FIRST + timedelta(days=40)
    simulate(300, FIRST, last, SEED, world.landing, world.truth, world.published)
    return world


@pytest.fixture(scope="module")
def db(delivered: Delivered) -> Connection:
    return tables_of(delivered)


def tables_of(delivered: Delivered) -> Connection:
    connection = duckdb.connect(config={"threads": 1})
    typed = {
        "stock": (
            "market_stock",
            "pool_id, org_id, tac, is_labelled, dt, columns('reserved|received|issued|remaining')"
            "::bigint",
        ),
        "sizes": (
            "market_size",
            "org_id, (month || '-01')::date as month, operator, subscribers::bigint as n",
        ),
        "lines": ("crm_subscribers", "*"),
        "churn": ("churn_events", "*"),
        "units": ("org_units", "*"),
        "offers": ("market_offers", "*"),
        "contacts": ("field_contacts", '* replace ("at"::timestamp as "at")'),
        "models": ("device_models", "*"),
        "devices": ("usage_devices", '* replace ("at"::timestamp as "at")'),
    }
    for name, (feed, columns) in typed.items():
        connection.execute(f"create table {name} as select {columns} from {delivered.rows(feed)}")
    return connection


def rows(db: Connection, query: str) -> list[tuple]:
    return db.execute(query).fetchall()


def same(db: Connection, one: str, other: str) -> None:
    """Both queries give the same rows, and some."""
    assert rows(db, f"({one} except all {other}) union all ({other} except all {one})") == []
    assert rows(db, f"select count(*) > 0 from ({one})") == [(True,)]


def test_stock_rolls_forward_exactly(db: Connection) -> None:
    days = (
        "(select *, lag(remaining) over (partition by pool_id, org_id order by dt) as before,"
        " lag(dt) over (partition by pool_id, org_id order by dt) as day_before from stock)"
    )
    wrong = (
        "remaining <> coalesce(before, 0) + received - issued or remaining < 0"
        " or reserved > remaining or (before is null) <> (dt = (select min(dt) from stock))"
        " or dt - day_before <> 1"
    )
    assert rows(db, f"select * from {days} where {wrong}") == []
    assert rows(db, "select count(*) > 0 from stock where received > 0 and day(dt) = 1")[0][0]
    assert rows(db, f"select sum(received) from stock where dt > '{FIRST}'")[0][0] > 0
    pools = len(cat.POOLS) * organisation(300).branches
    assert rows(db, "select distinct count(*) from stock group by dt") == [(pools,)]
    assert (
        rows(db, "select * from stock where reserved <> remaining and is_labelled = 'true'") == []
    )


def test_what_is_issued_is_what_the_field_gave_away(wished_for: Delivered) -> None:
    """Each handset is an accepted offer and a device in use; of an empty pool nobody accepts one."""
    db = tables_of(wished_for)
    db.execute(
        'create or replace table given as select subscriber_id, c."at"::date as day,'
        " any_value(stock_pool_id) as pool_id, bool_or(d.subscriber_id is not null) as got"
        " from contacts c join offers o using (offer_id) left join devices d"
        " using (subscriber_id) left join models m on m.tac = d.tac left join models offered on"
        " offered.tac = o.tac where c.outcome = 'ACCEPTED' and stock_pool_id is not null"
        ' and (d.subscriber_id is null or (m.model = offered.model and hour(d."at") = 20'
        ' and d."at"::date = c."at"::date)) group by all'
    )
    db.execute(
        'insert into given select subscriber_id, c."at"::date, any_value(stock_pool_id), false'
        " from contacts c join offers o using (offer_id) where c.outcome = 'ACCEPTED'"
        " and stock_pool_id is not null and not exists (select 1 from given g"
        ' where g.subscriber_id = c.subscriber_id and g.day = c."at"::date) group by all'
    )
    branch = "(select subscriber_id, any_value(org_id) as org_id from lines group by all)"
    end = "(select max(dt) - 3 from stock)"  # contacts are reported late
    same(
        db,
        f"select org_id, pool_id, day, count(*) from given join {branch} using (subscriber_id)"
        f" where got and day <= {end} group by all",
        f"select org_id, pool_id, dt, issued from stock where issued > 0 and dt <= {end}",
    )
    assert rows(db, "select count(*) from given where got")[0][0] > 5
    assert rows(db, "select count(*) from given where not got") == [(0,)]
    assert rows(db, "select count(*) from stock where remaining = 0")[0][0] > 0


def test_handsets_go_to_the_first_who_come_and_once_a_year(today: Today) -> None:
    tree, crowd = today.world.organisation, today.world.people
    level = month_stock(tree)
    slots = np.flatnonzero(crowd.branch == 2)[: 3 * level.max() + 3]
    gifts = np.full(len(slots), GIFT)
    assert may_have_handset(today, slots, gifts).sum() == level[0]
    devices = take_handsets(today, slots, gifts)
    assert (devices[: level[0]] == cat.POOLS[0].device).all()
    assert (devices[level[0] :] == -1).all()
    left = handsets_left(today)
    assert left[2].tolist() == [0, level[1], level[2]]
    assert (np.delete(left, 2, axis=0) == level).all()
    # Another pool still has some, but not for who has just been given one, nor twice on a day.
    upgrades = np.full(len(slots), UPGRADE)
    may = may_have_handset(today, slots, upgrades)
    assert not may[: level[0]].any()
    assert may.sum() == min(level[2], len(slots) - level[0])
    twice = np.repeat(slots[-1], 2)
    assert may_have_handset(today, twice, upgrades[:2]).tolist() == [True, False]
    # Other offers need no stock; other branches have theirs.
    assert may_have_handset(today, slots, np.full(len(slots), CALL)).all()
    elsewhere = np.flatnonzero(crowd.branch == 1)[:1]
    assert may_have_handset(today, elsewhere, gifts[:1]).all()
    assert (take_handsets(today, slots, np.full(len(slots), CALL)) == -1).all()
    later = replace(today, day=today.day + HANDSET_EVERY_DAYS)
    assert may_have_handset(later, slots[:1], gifts[:1]).all()
    assert not may_have_handset(replace(later, day=later.day - 1), slots[:1], gifts[:1]).any()


def test_a_new_month_fills_the_pools_again(today: Today) -> None:
    level = month_stock(today.world.organisation)
    slots = np.flatnonzero(today.world.people.branch == 2)[: level[0]]
    take_handsets(today, slots, np.full(len(slots), GIFT))
    first = replace(today, day=OPENED + 31)  # 1 February
    deliver_stock(first)
    told = first.outbox.collect("market_stock").to_pylist()
    branch = today.world.organisation.branch_ids[2]
    received = {(row["pool_id"], row["org_id"]): row["received"] for row in told}
    assert received.pop(("SP01", branch)) == level[0]
    assert set(received.values()) == {0}
    assert {row["issued"] for row in told} == {0}
    assert [row["remaining"] for row in told] == level.tolist() * today.world.organisation.branches


def test_larger_branches_hold_more() -> None:
    small, large = month_stock(organisation(300)), month_stock(organisation(250_000))
    assert (small >= 2).all()
    assert (large > 5 * small).all()


def test_our_size_is_the_lines_in_the_network(db: Connection) -> None:
    there = (
        "select month, subscriber_id, any_value(org_id) as org_id from lines,"
        " (select distinct month from sizes) where activated_at::date <= last_day(month)"
        " and dt <= last_day(month) group by all having arg_max(status, dt) <> 'DEACTIVATED'"
    )
    same(
        db,
        f"select city.org_id, month, count(*) from ({there}) t join units b"
        " on b.org_id = t.org_id join units city on city.org_id = b.parent_org_id group by all",
        "select org_id, month, n from sizes join units using (org_id) where operator = '云通'"
        " and org_level = 'CITY'",
    )
    assert rows(db, "select count(distinct month), count(distinct operator) from sizes") == [(2, 4)]
    assert (
        rows(
            db,
            "select p.month, p.operator from sizes p join units u using (org_id) join (select"
            " parent_org_id, month, operator, sum(n) as n from sizes join units using (org_id)"
            " group by all) c on c.parent_org_id = p.org_id and c.month = p.month"
            " and c.operator = p.operator where c.n <> p.n",
        )
        == []
    )


def test_competitors_grow_by_those_who_port_out(today: Today) -> None:
    """Those of the month before count, each competitor by its share; a later one does not yet."""
    state, tree = today.state, today.world.organisation
    city = np.array(tree.branch_city)[today.world.people.branch]
    leaving = np.flatnonzero((city == 1) & (np.arange(today.world.people.slots) < SUBSCRIBERS))

    def sizes() -> dict[tuple[str, str], int]:
        billing_day = replace(today, day=OPENED + 33, outbox=Outbox())  # 3 February
        deliver_size(billing_day)
        told = billing_day.outbox.collect("market_size").to_pylist()
        assert {row["month"] for row in told} == {"2025-01"}
        return {(row["org_id"], row["operator"]): row["subscribers"] for row in told}

    before = sizes()
    state.reason[leaving[:90]] = cat.PORT_OUT
    state.removed_day[leaving[:80]] = OPENED + 30
    state.removed_day[leaving[80:90]] = OPENED + 31
    after = sizes()
    changed = {key: after[key] - n for key, n in before.items() if after[key] != n}
    for unit in (tree.province_id, tree.city_ids[1]):
        assert changed.pop((unit, "云通")) == -80
        for name, size in zip(cat.COMPETITORS, cat.COMPETITOR_SIZE, strict=True):
            expected = 80 * size / sum(cat.COMPETITOR_SIZE)
            assert abs(changed.pop((unit, name)) - expected) <= 1
    assert changed == {}


def test_pools_are_of_known_devices_and_families() -> None:
    assert {pool.family for pool in cat.POOLS} <= set(cat.FAMILY)
    tacs = coded(cat.POOL_DEVICE, [device.tac for device in cat.DEVICES]).to_pylist()
    assert len(set(tacs)) == len(cat.POOLS)
