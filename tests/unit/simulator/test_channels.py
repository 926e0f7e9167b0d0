"""Channels sell what they received and earn what they sold, by the customer files."""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import simulate
from orchestration.simulator.channels import acquisition, live
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import State, opening_state
from orchestration.simulator.today import Today, World
from tests.unit.simulator.conftest import Delivered

Connection = duckdb.DuckDBPyConnection
FIRST, LAST = date(2025, 1, 1), date(2025, 4, 5)
SUBSCRIBERS, SEED = 1_500, 23
OPENED = 20_089  # 2025-01-01


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Connection:
    """A world of its own, large enough for early departures of new lines; nobody is listed."""
    home = tmp_path_factory.mktemp("channels")
    world = Delivered(home / "landing", home / "truth", home / "published")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, world.landing, world.truth)
    connection = duckdb.connect(config={"threads": 1})
    typed = {
        "stock": ("channel_stock_events", '* replace ("at"::timestamp as "at")'),
        "commissions": (
            "channel_commissions",
            "* replace (earned_on::date as earned_on, amount_cny::decimal(18,2) as amount_cny)",
        ),
        "line_files": ("crm_subscribers", "*"),
        "churn": ("churn_events", "*"),
        "devices": ("usage_devices", '* replace ("at"::timestamp as "at")'),
        "holdings": ("billing_subscriptions", "*"),
        "plans": ("billing_plans", "*"),
        "channels": ("org_channels", "*"),
        "agents": ("org_agents", "* replace (valid_from::date as valid_from)"),
    }
    for name, (feed, columns) in typed.items():
        connection.execute(f"create table {name} as select {columns} from {world.rows(feed)}")
    connection.execute(
        "create table lines as select subscriber_id, any_value(activated_at)::timestamp as"
        " activated_at, any_value(acquisition_channel_id) as channel_id, any_value(agent_id) as"
        " agent_id, any_value(payment_mode) as payment_mode,"
        " min(dt) filter (where status = 'DEACTIVATED') as gone_on from line_files group by all"
    )
    return connection


def none(db: Connection, query: str) -> None:
    """No row may come back."""
    assert db.execute(query).fetchall() == []


def same(db: Connection, one: str, other: str) -> None:
    """Both queries give the same rows, and some."""
    none(db, f"({one} except all {other}) union all ({other} except all {one})")
    assert count(db, f"({one})") > 0


def count(db: Connection, query: str) -> int:
    return int(db.execute(f"select count(*) from {query}").fetchall()[0][0])


def test_every_line_has_a_seller_that_there_is(db: Connection) -> None:
    none(
        db,
        "select subscriber_id from lines anti join channels using (channel_id)"
        " union all select subscriber_id from lines anti join agents using (agent_id)"
        " where lines.agent_id is not null",
    )
    by_agent = count(db, "lines where agent_id is not null") / count(db, "lines")
    assert 0.41 < by_agent < 0.49
    # The agent sold at that channel on the day of the activation, former channels included.
    none(
        db,
        "select l.subscriber_id from lines l anti join agents a on a.agent_id = l.agent_id"
        " and a.channel_id = l.channel_id and l.activated_at::date between a.valid_from"
        " and coalesce(a.valid_to::date, date '9999-12-31') where l.agent_id is not null",
    )
    assert (
        count(
            db,
            "lines l join agents a using (agent_id, channel_id) where a.valid_to is not null",
        )
        > 0
    )


def test_every_sim_is_received_then_sold_once_or_returned(db: Connection) -> None:
    none(
        db,
        "select iccid from stock where item_kind = 'SIM' group by iccid"
        " having count(distinct channel_id) <> 1"
        " or count(*) filter (where event = 'RECEIVED') <> 1"
        " or count(*) filter (where event = 'SOLD') > 1"
        " or count(*) filter (where event = 'SOLD') <>"
        "    count(*) filter (where event = 'ACTIVATED')"
        " or count(*) filter (where event in ('SOLD', 'RETURNED')) > 1"
        ' or min("at") <> min("at") filter (where event = \'RECEIVED\')'
        " or min(\"at\") filter (where event = 'SOLD') >="
        "    min(\"at\") filter (where event = 'ACTIVATED')",
    )
    for event in ("RECEIVED", "SOLD", "ACTIVATED", "RETURNED"):
        assert count(db, f"stock where item_kind = 'SIM' and event = '{event}'") > 5


def test_no_stock_is_ever_negative(db: Connection) -> None:
    stocks = (
        "(select sum(case event when 'RECEIVED' then 1 when 'ACTIVATED' then 0 else -1 end) over"
        ' (partition by channel_id, item_kind, tac order by "at", event_id) as left_over'
        " from stock)"
    )
    none(db, f"select * from {stocks} where left_over < 0")
    assert count(db, "stock where item_kind = 'DEVICE' and event = 'SOLD'") > 20


def test_sims_are_activated_by_the_joiners(db: Connection) -> None:
    """One a joiner, where and by whom the line was won; most sold on the same day."""
    same(
        db,
        f"select channel_id, agent_id, activated_at from lines where activated_at >= '{FIRST}'",
        "select channel_id, agent_id, \"at\" from stock where event = 'ACTIVATED'",
    )
    early = count(
        db,
        "stock s join stock a using (iccid) where s.event = 'SOLD' and a.event = 'ACTIVATED'"
        ' and s."at"::date < a."at"::date',
    )
    assert 0.05 < early / count(db, "stock where event = 'ACTIVATED'") < 0.3


def test_devices_sold_are_those_that_appear_in_use(db: Connection) -> None:
    none(
        db,
        "select event_id from stock s anti join devices d on d.imei = s.imei and d.tac = s.tac"
        ' and d."at" = s."at" + interval 10 minute where item_kind = \'DEVICE\''
        " and event = 'SOLD'",
    )
    none(  # each was received before, by the same hall, and is sold once
        db,
        "select imei from stock where imei is not null group by all"
        " having count(distinct channel_id) <> 1 or count(*) <> 2"
        " or min_by(event, \"at\") <> 'RECEIVED' or max_by(event, \"at\") <> 'SOLD'",
    )
    none(
        db,
        "select event_id from stock join channels using (channel_id) where item_kind = 'DEVICE'"
        " and channel_type <> 'OWN_HALL'",
    )


def test_iccids_carry_a_luhn_digit(db: Connection) -> None:
    iccids = db.execute("select distinct iccid from stock where iccid is not null").fetchall()
    assert len(iccids) > 100
    for (iccid,) in iccids:
        assert len(iccid) == 19
        digits = [int(digit) for digit in reversed(iccid)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0


def test_activations_are_paid_for_joiners_sold_by_agents(db: Connection) -> None:
    postpaid, prepaid = (fen / 100 for fen in cat.ACTIVATION_COMMISSION_FEN)
    same(
        db,
        "select subscriber_id, agent_id, activated_at::date, activated_at::date,"
        f" if(payment_mode = 'PREPAID', {prepaid}, {postpaid})::decimal(18,2)"
        f" from lines where agent_id is not null and activated_at >= '{FIRST}'",
        "select subscriber_id, agent_id, earned_on, dt, amount_cny from commissions"
        " where kind = 'ACTIVATION'",
    )
    assert count(db, "commissions where kind = 'ACTIVATION'") > 100


def test_residuals_are_paid_monthly_for_lines_in_their_first_year(db: Connection) -> None:
    runs = "(select unnest([date '2025-01-01', '2025-02-01', '2025-03-01', '2025-04-01']) as run)"
    due = (
        f"(select subscriber_id, agent_id, run as earned_on from lines, {runs}"
        " where agent_id is not null and run - activated_at::date between 1 and 365"
        " and (gone_on is null or gone_on > run))"
    )
    same(
        db,
        f"select * from {due}",
        "select subscriber_id, agent_id, earned_on from commissions where kind = 'RESIDUAL'",
    )
    paid = "commissions where kind = 'RESIDUAL'"
    assert count(db, f"{paid} and earned_on = '2025-04-01'") > 200
    assert count(db, f"{due} d join lines l using (subscriber_id) where l.gone_on is not null") > 10
    # A share of the fee of the plan held on that day.
    none(
        db,
        "with plan as (select c.subscriber_id, c.earned_on, c.amount_cny, h.subscription_id,"
        " arg_max(h.product_id, h.dt) as plan_id, arg_max(h.ended_at, h.dt) is not null and"
        " max(h.ended_at) is not null as is_over from commissions c join holdings h"
        " on h.subscriber_id = c.subscriber_id and h.dt <= c.earned_on and h.product_kind = 'PLAN'"
        " where c.kind = 'RESIDUAL' group by all)"
        " select * from plan join plans using (plan_id) where not is_over and amount_cny <>"
        f" floor(monthly_fee_cny::decimal(18,2) * {cat.RESIDUAL_PERCENT}) / 100",
    )


def test_activations_are_taken_back_for_lines_that_do_not_last(db: Connection) -> None:
    same(
        db,
        "select subscriber_id, agent_id, gone_on from lines where agent_id is not null"
        f" and gone_on - activated_at::date <= {cat.CLAWBACK_DAYS}",
        "select subscriber_id, agent_id, earned_on from commissions where kind = 'CLAWBACK'",
    )
    taken = "commissions c where c.kind = 'CLAWBACK'"
    assert count(db, taken) > 5
    none(  # what was paid for the joiner, to the fen
        db,
        "select * from commissions c join commissions a using (subscriber_id)"
        " where c.kind = 'CLAWBACK' and a.kind = 'ACTIVATION' and c.amount_cny <> -a.amount_cny",
    )
    assert count(
        db, "commissions c join commissions a using (subscriber_id)"
        " where c.kind = 'CLAWBACK' and a.kind = 'ACTIVATION'",
    ) > 0  # fmt: skip
    none(db, f"select * from {taken} and amount_cny >= 0")
    tree = organisation(SUBSCRIBERS)
    assert {
        row[0] for row in db.execute("select distinct agent_id from commissions").fetchall()
    } <= {agent.agent_id for agent in tree.agents}


def test_regions_never_share_an_item_or_an_event() -> None:
    """What three regions receive, sell and earn on their first two days."""
    ids: dict[str, list[str]] = {"event_id": [], "iccid": [], "commission_id": []}
    channels: list[set[str]] = []
    for region in range(3):
        world, state = opened(region, 3, OPENED + 1)
        channels.append(set())
        for day in (OPENED, OPENED + 1):
            today = Today(world, state, day)
            live(today)
            for row in today.outbox.collect("channel_stock_events").to_pylist():
                ids["event_id"].append(row["event_id"])
                ids["iccid"] += [row["iccid"]] if row["event"] == "RECEIVED" else []
                channels[-1].add(row["channel_id"])
            earned = today.outbox.collect("channel_commissions")
            ids["commission_id"] += earned["commission_id"].to_pylist()
    for values in ids.values():
        assert len(values) == len(set(values)) > 100
    assert not channels[0] & channels[1]
    assert not (channels[0] | channels[1]) & channels[2]


def test_regions_do_not_sell_in_step() -> None:
    sellers = []
    for region in range(2):
        world, _ = opened(region, 2, OPENED)
        slots = np.arange(200)
        channel, agent = acquisition(world, slots)
        assert (acquisition(world, slots[50:60])[0] == channel[50:60]).all()
        sellers.append(agent >= 0)
    assert 60 < (sellers[0] == sellers[1]).sum() < 140


def opened(region: int, regions: int, last_day: int) -> tuple[World, State]:
    draws, tree = Draws(SEED, region), organisation(SUBSCRIBERS, region, regions)
    crowd = people(draws, tree, SUBSCRIBERS, OPENED, last_day)
    world = World(draws, tree, crowd, SUBSCRIBERS, OPENED)
    return world, opening_state(draws, crowd, OPENED)
