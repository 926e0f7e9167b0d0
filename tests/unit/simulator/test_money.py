"""Bills, payments and adjustments to the fen, and what was planted in plans and products."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import simulate
from tests.unit.simulator.conftest import Delivered
from tests.unit.simulator.test_consistency import none, some

Connection = duckdb.DuckDBPyConnection

FIRST, LAST = date(2025, 1, 1), date(2025, 10, 5)
REPRICED, MIGRATED = date(2025, 6, 1), date(2025, 9, 1)
SUBSCRIBERS, SEED = 1_500, 5
_TEXT = {
    "lines": "crm_subscribers",
    "plans": "billing_plans",
    "products": "billing_products",
    "holdings": "billing_subscriptions",
    "invoices": "billing_invoices",
    "payments": "billing_payments",
    "balances": "billing_balances",
    "adjustments": "billing_adjustments",
    "complaints": "care_complaints",
    "offers": "market_offers",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """Nine months, so that the planned changes of the tariffs fall into them."""
    home = tmp_path_factory.mktemp("money")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, home / "landing", home / "truth")
    return Delivered(home / "landing", home / "truth", home / "published")


@pytest.fixture(scope="module")
def db(world: Delivered) -> Connection:
    connection = duckdb.connect(config={"threads": 1})
    for name, feed in _TEXT.items():
        columns = [
            column
            for (column, *_) in connection.execute(
                f"describe select * from {world.rows(feed)}"
            ).fetchall()
        ]
        typed = ", ".join(_cast(column) for column in columns if column != "filename")
        connection.execute(f"create table {name} as select {typed} from {world.rows(feed)}")
    connection.execute(f"create table usage as select * from {world.rows('usage_daily')}")
    connection.execute(
        "create table held as select subscription_id, arg_max(subscriber_id, dt) as subscriber_id,"
        " arg_max(product_id, dt) as product_id, arg_max(product_kind, dt) as product_kind,"
        " arg_max(started_at, dt) as started_at, max(ended_at) as ended_at,"
        " max(end_reason) as end_reason, arg_max(promo_id, dt) as promo_id,"
        " arg_max(price_cny, dt) as price_cny, arg_max(is_trial, dt) as is_trial,"
        " arg_max(consent_ref, dt) as consent_ref, arg_max(consent_method, dt) as consent_method,"
        " arg_max(contract_end_date, dt) as contract_end_date, arg_max(group_id, dt) as group_id,"
        " arg_max(order_agent_id, dt) as agent_id from holdings group by all"
    )
    connection.execute(
        "create table prepaid as select distinct subscriber_id from lines"
        " where payment_mode = 'PREPAID'"
    )
    for folder in world.truth.iterdir():
        if any(folder.glob("*.parquet")):
            connection.execute(
                f"create table true_{folder.name} as from read_parquet('{folder}/*.parquet')"
            )
    return connection


def _cast(column: str) -> str:
    if column.endswith("_cny"):
        return f'"{column}"::decimal(18,2) as "{column}"'
    if column == "at" or column.endswith("_at"):
        return f'"{column}"::timestamp as "{column}"'
    if column.startswith("valid_") or column.endswith(("_on", "_date")):
        return f'"{column}"::date as "{column}"'
    return f'"{column}"'


def value(db: Connection, query: str) -> float:
    return float(db.execute(query).fetchall()[0][0])


# Bills and payments


def test_roaming_is_rated_from_the_month_s_roaming(db: Connection) -> None:
    some(db, "select count(*) from invoices where roaming_cny > 0")
    none(
        db,
        "with used as (select subscriber_id, strftime(usage_date, '%Y-%m') as month,"
        " sum(roaming_minutes) as minutes, sum(data_mb_roaming) as mb from usage group by all)"
        " select i.subscriber_id from invoices i left join used u using (subscriber_id, month)"
        " where roaming_cny <> (floor(coalesce(minutes, 0) * 20) + floor(coalesce(mb, 0))) / 100",
    )


def test_instalments_are_billed_to_who_holds_such_a_contract(db: Connection) -> None:
    some(db, "select count(*) from invoices where device_instalment_cny > 0")
    none(
        db,
        "select i.subscriber_id from invoices i where device_instalment_cny <> 0 and not exists"
        " (select 1 from held h where h.subscriber_id = i.subscriber_id and product_id = 'DC02'"
        " and price_cny = device_instalment_cny and strftime(started_at, '%Y-%m') <= month"
        " and coalesce(strftime(ended_at, '%Y-%m'), '9999') >= month)",
    )
    none(  # and to everybody, whose plan was charged and who holds one all month
        db,
        "select i.subscriber_id from invoices i join held h using (subscriber_id)"
        " where product_id = 'DC02' and plan_fee_cny > 0 and device_instalment_cny = 0"
        " and strftime(started_at, '%Y-%m') < month and (ended_at is null or"
        " strftime(ended_at, '%Y-%m') > month) and contract_end_date >"
        " last_day((month || '-01')::date)",
    )


def test_adjustments_of_postpaid_lines_are_credited_on_bills_as_far_as_they_go(
    db: Connection,
) -> None:
    granted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for subscriber, month, amount in db.execute(
        "select subscriber_id, strftime(\"at\", '%Y-%m'), amount_cny from adjustments"
        " anti join prepaid using (subscriber_id)"
    ).fetchall():
        granted[subscriber, month] += amount
    carried: dict[str, Decimal] = defaultdict(Decimal)
    credited = carried_over = 0
    for subscriber, month, total, adjustment in db.execute(
        "select subscriber_id, month, total_cny, adjustment_cny from invoices"
        " anti join prepaid using (subscriber_id) order by all"
    ).fetchall():
        carried[subscriber] += granted.pop((subscriber, month), Decimal(0))
        expected = min(carried[subscriber], total - adjustment)
        assert adjustment == -expected, (subscriber, month)
        carried[subscriber] -= expected
        credited += expected > 0
        carried_over += carried[subscriber] > 0
    assert credited > 20
    assert {month for _, month in granted} <= {"2025-10"}, "a month without a bill"
    none(db, "select 1 from invoices join prepaid using (subscriber_id) where adjustment_cny <> 0")


def test_payments_settle_whole_bills_and_the_rest_is_arrears(db: Connection) -> None:
    sums = (
        "with billed as (select subscriber_id, dt, sum(total_cny) over (partition by subscriber_id"
        " order by month) as billed from invoices anti join prepaid using (subscriber_id)),"
        " paid as (select subscriber_id, sum(amount_cny) as paid, max(dt) as dt from payments"
        " where payment_kind = 'BILL' group by all)"
    )
    some(db, f"{sums} select count(*) from paid")
    none(
        db,
        f"{sums} select subscriber_id from paid p where not exists (select 1 from billed b"
        " where b.subscriber_id = p.subscriber_id and b.billed = p.paid and b.dt <= p.dt)",
    )
    some(db, "select count(*) from balances where dunning_stage = 'D3'")
    none(
        db,
        f"{sums} select subscriber_id from balances b join (select subscriber_id,"
        " max(billed) as billed from billed group by all) using (subscriber_id)"
        " left join paid using (subscriber_id) where b.valid_until is null"
        f" and b.dt = date '{LAST}' and arrears_cny <> billed - coalesce(paid, 0)",
    )


def test_reversals_take_back_a_top_up_of_before(db: Connection) -> None:
    some(db, "select count(*) from payments where payment_kind = 'REVERSAL'")
    none(
        db,
        "select r.subscriber_id from payments r where payment_kind = 'REVERSAL' and not exists"
        " (select 1 from payments t where t.subscriber_id = r.subscriber_id and t.payment_kind"
        " = 'TOPUP' and t.amount_cny = -r.amount_cny and r.dt - t.dt between 1 and 3)",
    )


def test_credit_limits_are_the_credit_level_s(db: Connection, world: Delivered) -> None:
    limits = db.execute(
        "select distinct credit_level, credit_limit_cny from balances"
        " join lines using (subscriber_id)"
        f" join {world.rows('crm_customers')} c using (customer_id) where valid_until is null"
        " and c.customer_id = 'C' || substr(subscriber_id, 2) order by all"
    ).fetchall()
    assert limits == [("A", Decimal(500)), ("B", Decimal(200)), ("C", Decimal(100))]


# Adjustments


def test_refunds_give_back_what_was_charged_for_what_nobody_ordered(db: Connection) -> None:
    refunds = (
        "(select a.*, h.started_at, h.ended_at, h.end_reason, h.price_cny, h.consent_ref"
        " from adjustments a left join held h on h.subscriber_id = a.subscriber_id"
        " and h.product_id = a.product_id and h.consent_method = 'NONE' and h.price_cny > 0"
        " where a.kind = 'REFUND')"
    )
    some(db, f"select count(*) from {refunds} where end_reason = 'REFUNDED'")
    none(
        db,
        f"select * from {refunds} where started_at is null or amount_cny <= 0 or amount_cny >"
        " price_cny * (1 + datediff('month', started_at, \"at\")) or ended_at is null"
        " or trim(coalesce(consent_ref, '')) <> ''",
    )
    none(
        db,
        f"select r.complaint_id from {refunds} r where not exists (select 1 from complaints c"
        " where c.complaint_id = r.complaint_id and c.subscriber_id = r.subscriber_id"
        " and c.category = 'UNAUTHORISED_ORDER' and c.step = 'RESOLVED' and c.dt = r.dt)",
    )
    none(
        db,
        "select * from (select subscriber_id, refunded_on, refunded_fen / 100 as amount"
        " from true_unauthorised_subscriptions where refunded_on is not null) t full join"
        f" (select subscriber_id, dt as refunded_on, amount_cny as amount from {refunds}) r"
        " using (subscriber_id, refunded_on) where t.amount is distinct from r.amount",
    )


def test_waivers_stay_within_the_last_month_s_overage(db: Connection) -> None:
    some(db, "select count(*) from adjustments where kind = 'OVERAGE_WAIVER'")
    none(
        db,
        "select a.subscriber_id from adjustments a left join invoices i on i.subscriber_id ="
        " a.subscriber_id and i.month = strftime(a.dt - interval 1 month, '%Y-%m')"
        " where a.kind = 'OVERAGE_WAIVER' group by a.subscriber_id, i.month, voice_overage_cny,"
        " data_overage_cny, sms_overage_cny having sum(amount_cny) is distinct from"
        " voice_overage_cny + data_overage_cny + sms_overage_cny or count(*) > 1",
    )


def test_goodwill_follows_complaints_and_credits_follow_offers(db: Connection) -> None:
    some(db, "select count(*) from adjustments where kind = 'GOODWILL'")
    none(
        db,
        "select a.adjustment_id from adjustments a where kind = 'GOODWILL' and not exists"
        " (select 1 from complaints c where c.complaint_id = a.complaint_id and c.subscriber_id"
        " = a.subscriber_id and c.step = 'RESOLVED' and c.dt = a.dt"
        " and c.category in ('SERVICE', 'NETWORK'))",
    )
    some(db, "select count(*) from adjustments where kind = 'CREDIT'")
    none(
        db,
        "select adjustment_id from adjustments anti join offers using (offer_id)"
        " where kind = 'CREDIT'",
    )
    none(
        db,
        "select a.subscriber_id from adjustments a where kind = 'CREDIT' and not exists"
        " (select 1 from payments p where p.subscriber_id = a.subscriber_id and p.dt = a.dt"
        " and p.promo_id = a.offer_id) and not exists (select 1 from held h where"
        " h.subscriber_id = a.subscriber_id and h.started_at::date = a.dt"
        " and h.promo_id = a.offer_id)",
    )


def test_an_accepted_waiver_names_its_offer(tmp_path: Path) -> None:
    day, last = date(2025, 2, 4), date(2025, 2, 7)
    offered = [f"S{number:09d}" for number in range(1, 301)]
    rows = {
        "work_order_id": [f"wo_{number:03d}" for number in range(len(offered))],
        "subscriber_id": offered,
        "action": ["OVERAGE_WAIVER"] * len(offered),
    }
    folder = tmp_path / "published" / f"dt={day}"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(rows), folder / "list.parquet")
    told = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    simulate(len(offered), FIRST, last, SEED, told.landing, told.truth, told.published)
    db = duckdb.connect(config={"threads": 1})
    # Some contacts are never reported: what took place stands in the truth.
    accepted = (
        f"(select c.*, o.offer_id from read_parquet('{told.truth}/field_contacts/*/*.parquet') c"
        f" join {told.rows('market_offers')} o using (family)"
        " where outcome = 'ACCEPTED' and work_order_id like 'wo_%')"
    )
    waived = (
        f"(select * from {told.rows('billing_adjustments')} where kind = 'OVERAGE_WAIVER'"
        " and offer_id is not null)"
    )
    some(db, f"select count(*) from {waived}")
    none(
        db,
        f"select w.subscriber_id from {waived} w anti join {accepted} c using"
        " (subscriber_id, offer_id)",
    )
    overage = "voice_overage_cny::decimal(18,2) + data_overage_cny::decimal(18,2)"
    none(  # all of it, of everybody who accepted
        db,
        f"select i.subscriber_id from {told.rows('billing_invoices')} i join {accepted} a"
        f" using (subscriber_id) left join {waived} w using (subscriber_id) where"
        f" nullif({overage} + sms_overage_cny::decimal(18,2), 0) is distinct from"
        " w.amount_cny::decimal(18,2)",
    )


# Tariffs and products


def test_plans_are_redelivered_whole_with_their_versions(db: Connection) -> None:
    files = db.execute("select dt, count(*) from plans group by all order by all").fetchall()
    assert files == [(FIRST, 11), (REPRICED, 13), (MIGRATED, 13)]
    versions = db.execute(
        "select plan_id, valid_to, monthly_fee_cny from plans where plan_id in ('PL06', 'PR02')"
        f" and dt = date '{REPRICED}' order by plan_id, valid_from"
    ).fetchall()
    end = date(2025, 5, 31)
    assert versions == [
        ("PL06", end, Decimal(199)),
        ("PL06", None, Decimal(139)),
        ("PR02", end, Decimal(19)),
        ("PR02", None, Decimal(22)),
    ]
    truth = db.execute(
        "select plan_id, old_fee_fen, new_fee_fen from true_repricings order by all"
    ).fetchall()
    assert truth == [("PL06", 19900, 13900), ("PR02", 1900, 2200)]


def test_fees_and_prices_follow_the_version(db: Connection) -> None:
    current = f"(select * from plans where dt = date '{MIGRATED}')"
    some(db, "select count(*) from invoices where plan_id = 'PL06' and plan_fee_cny = 139")
    some(db, "select count(*) from invoices where plan_id = 'PR02' and plan_fee_cny = 19")
    none(
        db,
        f"select i.subscriber_id from invoices i join {current} p using (plan_id)"
        " where (month || '-01')::date between valid_from and coalesce(valid_to, '9999-12-31')"
        " and plan_fee_cny not in (0, monthly_fee_cny)",
    )
    none(  # what is open costs the price of the day; so does what ends, but at midnight
        db,
        f"select subscription_id from holdings h join {current} p on p.plan_id = h.product_id"
        " where product_kind = 'PLAN' and price_cny <> monthly_fee_cny"
        " and h.dt - if(ended_at = h.dt, 1, 0) between valid_from and coalesce(valid_to, '9999-12-31')",
    )
    none(  # all holders learn of their new price
        db,
        "select subscriber_id from held where product_kind = 'PLAN' and product_id in"
        " ('PL06', 'PR02') and ended_at is null and price_cny not in (139, 22)",
    )


def test_the_operator_moves_the_holders_of_the_discontinued_plan(db: Connection) -> None:
    moved = some(db, "select count(*) from true_operator_migrations")
    assert moved > 5
    told = db.execute(
        "select distinct subscriber_id, dt, product_id from holdings"
        " where end_reason = 'OPERATOR_MIGRATION' order by all"
    ).fetchall()
    true = db.execute(
        "select subscriber_id, migrated_on, from_plan_id from true_operator_migrations order by all"
    ).fetchall()
    assert told == true
    none(
        db,
        "select subscriber_id from true_operator_migrations t anti join held h on h.subscriber_id"
        " = t.subscriber_id and h.product_id = t.to_plan_id and h.started_at = t.migrated_on",
    )
    none(db, "select 1 from held where product_id = 'PL07' and ended_at is null")
    off_sale = db.execute(
        "select distinct on_sale_to::date from plans where plan_id = 'PL07'"
    ).fetchall()
    assert off_sale == [(date(2025, 4, 1),)]
    none(db, "select 1 from held where product_id = 'PL07' and started_at >= '2025-01-01'")


def test_every_kind_of_product_is_held_and_billed(db: Connection) -> None:
    kinds = db.execute("select distinct product_kind from products order by all").fetchall()
    assert len(kinds) == 6
    for (kind,) in kinds:
        some(db, f"select count(*) from held where product_kind = '{kind}'")
    for kind in ("FAMILY_PLAN", "GROUP_VNET"):
        none(
            db,
            f"select 1 from held where (product_kind = '{kind}') and group_id is null",
        )
        shared = value(
            db,
            "select avg(lines) from (select group_id, count(distinct subscriber_id) as lines"
            f" from held where product_kind = '{kind}' group by all)",
        )
        assert shared > 1.5
    none(  # nothing started or ended in or around the month: the products' prices, or nothing
        db,
        "with quiet as (select i.subscriber_id, month, vas_cny, plan_fee_cny from invoices i"
        " where not exists (select 1 from held h where h.subscriber_id = i.subscriber_id and"
        " product_kind not in ('PLAN', 'DEVICE_CONTRACT') and (strftime(started_at, '%Y-%m') ="
        " month or strftime(ended_at, '%Y-%m') = month)) and plan_fee_cny > 0)"
        " select q.subscriber_id, q.month from quiet q left join held h on h.subscriber_id ="
        " q.subscriber_id and product_kind not in ('PLAN', 'DEVICE_CONTRACT') and"
        " strftime(started_at, '%Y-%m') < month and (ended_at is null or"
        " strftime(ended_at, '%Y-%m') > month) group by q.subscriber_id, q.month, vas_cny"
        " having vas_cny <> coalesce(sum(price_cny), 0)",
    )


# Planted phenomena


def test_promotion_hunters_switch_and_the_others_do_not(db: Connection) -> None:
    none(
        db,
        "with ordered as (select *, lag(promo_id) over (partition by subscriber_id, product_kind"
        " order by started_at, subscription_id) as previous from held where product_kind in"
        " ('PLAN', 'DATA_PACK', 'BUNDLE')), switched as (select subscriber_id,"
        " count(*) as switches, max(started_at)::date as last_on from ordered"
        " where promo_id is not null and promo_id is distinct from previous group by all)"
        " select * from (select * from true_promotion_hunters where switches > 0) t"
        " full join switched s using (subscriber_id)"
        " where t.switches is distinct from s.switches or last_switch_on <> last_on",
    )
    hunters = "true_promotion_hunters where role = 'HUNTER' and first_planned_on < '2025-02-20'"
    assert 0.005 < some(db, f"select count(*) from {hunters}") / SUBSCRIBERS < 0.03
    assert some(db, f"select count(*) from {hunters} and switches >= 2") >= 6
    others = "true_promotion_hunters where role <> 'HUNTER'"
    some(db, f"select count(*) from {others} and role = 'ONE_SWITCH' and switches = 1")
    none(db, f"select * from {others} and switches > 1")
    some(  # a promotion that renews itself starts anew with the same offer
        db,
        "select count(*) from (select subscriber_id, promo_id from held where product_kind ="
        " 'DATA_PACK' and promo_id is not null and subscriber_id in (select subscriber_id from"
        " true_promotion_hunters where role = 'RENEWAL') group by all having count(*) >= 3)",
    )


def test_lost_products_are_those_given_up_for_good(db: Connection) -> None:
    """Held 30 days, ended by the customer, nothing like it within a week, still a customer."""
    lost = (
        "(select subscriber_id, max(ended_at)::date as ended_on from held h where product_kind in"
        " ('VAS', 'DATA_PACK') and end_reason = 'CUSTOMER' and is_trial = 'false'"
        " and ended_at::date - started_at::date >= 30 and not exists (select 1 from held o where"
        " o.subscriber_id = h.subscriber_id and o.product_id = h.product_id and o.subscription_id"
        " <> h.subscription_id and abs(o.started_at::date - h.ended_at::date) <= 7)"
        " and not exists (select 1 from lines l where l.subscriber_id = h.subscriber_id and"
        " l.status = 'DEACTIVATED' and l.dt = h.ended_at::date) group by all)"
    )
    some(db, "select count(*) from true_vas_churn")
    none(
        db,
        f"select * from {lost} h full join true_vas_churn t using (subscriber_id)"
        " where h.ended_on is distinct from t.ended_on and not exists (select 1 from"
        " true_vas_returns r where r.subscriber_id = h.subscriber_id and not exists (select 1"
        " from held o where o.subscriber_id = r.subscriber_id and o.product_id = r.product_id"
        " and o.started_at::date = r.returns_on))",
    )
    back = some(
        db,
        "select count(*) from true_vas_returns r join held h on h.subscriber_id = r.subscriber_id"
        " and h.product_id = r.product_id and h.started_at::date = r.returns_on",
    )
    due = value(db, f"select count(*) from true_vas_returns where returns_on <= '{LAST}'")
    assert back / due > 0.8


def test_trials_cost_nothing_and_expire(db: Connection) -> None:
    none(
        db,
        "select * from (select subscriber_id, started_at::date as started_on from held"
        " where is_trial = 'true') full join true_trials t using (subscriber_id, started_on)"
        " where t.started_on is null",
    )
    some(db, "select count(*) from held where is_trial = 'true' and end_reason = 'EXPIRED'")
    none(db, "select 1 from held where is_trial = 'true' and price_cny <> 0")
    none(
        db,
        "select 1 from held where is_trial = 'true' and end_reason = 'EXPIRED'"
        " and ended_at::date - started_at::date <> 15",
    )


def test_unauthorised_products_lack_consent_and_cluster(db: Connection) -> None:
    none(
        db,
        "select * from (select subscriber_id, product_id, started_at::date as started_on,"
        " agent_id from held where product_kind in ('VAS', 'DATA_PACK', 'BUNDLE')"
        " and price_cny > 0 and (consent_method = 'NONE' or trim(coalesce(consent_ref, ''))"
        " = '')) h full join true_unauthorised_subscriptions t"
        " using (subscriber_id, product_id, started_on)"
        " where h.agent_id is distinct from t.agent_id",
    )
    planted = some(db, "select count(*) from true_unauthorised_subscriptions")
    assert planted >= 8
    bad = value(db, "select count(*) from true_unauthorised_subscriptions where is_bad_branch")
    assert bad / planted > 0.6
    assert (
        value(
            db,
            "select count(distinct org_id) from true_unauthorised_subscriptions where is_bad_branch",
        )
        <= 2
    )
    some(db, "select count(*) from held where consent_ref = ' '")
    lacking = "avg((trim(coalesce(consent_ref, '')) = '')::int)"
    assert value(db, f"select {lacking} from held where product_kind = 'VAS'") < 0.25


def test_who_means_not_to_pay_never_does(db: Connection) -> None:
    some(db, "select count(*) from true_malicious_arrears")
    none(  # a bill of before may still be paid in its time
        db,
        "select p.subscriber_id from true_malicious_arrears t join payments p"
        " using (subscriber_id) where p.dt > t.from_on + 45",
    )
    long = f"true_malicious_arrears where from_on < date '{LAST}' - 90"
    some(db, f"select count(*) from {long}")
    none(  # by then they are in arrears, or gone
        db,
        f"select t.subscriber_id from (from {long}) t where removed_on is null and not exists"
        " (select 1 from balances b where b.subscriber_id = t.subscriber_id and"
        f" b.dt = date '{LAST}' and dunning_stage = 'D3')",
    )


def test_long_suspensions_revive_by_themselves_now_and_then(db: Connection) -> None:
    spells = (
        "(select subscriber_id, status, status_reason, dt, lead(dt) over w as until,"
        " lead(status) over w as next from lines where payment_mode = 'PREPAID'"
        " window w as (partition by subscriber_id order by dt))"
    )
    long = (
        f"{spells} where status = 'TWO_WAY_SUSPENDED' and status_reason in ('ARREARS', 'EXPIRED')"
        f" and coalesce(until, date '{LAST}') - dt > 7"
    )
    revived = some(db, f"select count(*) from {long} and next = 'ACTIVE'")
    share = revived / value(db, f"select count(*) from {long}")
    assert 0.03 < share < 0.5
    none(
        db,
        f"select * from (select subscriber_id, max(until) as revived_on from {long}"
        " and next = 'ACTIVE' group by all) full join true_natural_revivals t"
        " using (subscriber_id, revived_on) where t.revived_on is null or suspended_on is null",
    )
    in_time = "avg((revived_on - suspended_on < 60)::int)"
    assert value(db, f"select {in_time} from true_natural_revivals") > 0.9


def test_substitution_shrinks_the_bill_of_who_stays(db: Connection) -> None:
    """Two months from three weeks after the onset against the two before it."""
    early = f"true_substitutions where onset_on between '2025-03-05' and date '{LAST}' - 110"
    some(db, f"select count(*) from {early} and left_on is null")
    change = (
        "(select t.subscriber_id,"
        " sum({}) filter (where usage_date between onset_on + 45 and onset_on + 104) as later,"
        " sum({}) filter (where usage_date between onset_on - 60 and onset_on - 1) as before"
        f" from (from {early}) t join usage u using (subscriber_id) where left_on is null"
        " group by all)"
    )

    def ratio(measure: str) -> float:
        query = change.format(measure, measure)
        return value(db, f"select sum(later) / sum(before) from {query}")

    assert ratio("voice_out_minutes") < 0.45
    assert ratio("data_mb_messaging") / ratio("data_mb") > 1.3
    fallen = value(
        db,
        "with bills as (select t.subscriber_id,"
        " avg(total_cny) filter (where (month || '-01')::date > onset_on + 40) as later,"
        " avg(total_cny) filter (where last_day((month || '-01')::date) < onset_on) as before"
        f" from (from {early}) t join invoices using (subscriber_id) where left_on is null"
        " group by all) select avg((later <= 0.7 * before)::int) from bills",
    )
    assert fallen > 0.5


def test_misfits_name_the_plan_held(db: Connection) -> None:
    for direction in ("OVER", "UNDER"):
        some(db, f"select count(*) from true_plan_misfits where direction = '{direction}'")
    none(
        db,
        "select * from true_plan_misfits t anti join held h on h.subscriber_id = t.subscriber_id"
        " and h.product_id = t.held_plan_id and h.ended_at is null",
    )


def test_contract_expiries_are_those_of_the_feed(db: Connection) -> None:
    some(db, "select count(*) from true_contract_expiries")
    none(
        db,
        "select * from (select subscriber_id, contract_end_date as contract_ends_on from held"
        " where product_kind = 'DEVICE_CONTRACT' and (end_reason is null or end_reason = 'EXPIRED'"
        f" or ended_at::date >= contract_end_date) and contract_end_date between date '{FIRST}' and"
        f" date '{LAST}') h full join true_contract_expiries t"
        " using (subscriber_id, contract_ends_on)"
        " where h.subscriber_id is null or t.subscriber_id is null",
    )
    some(  # some renew before the end
        db,
        "select count(*) from held where product_kind = 'DEVICE_CONTRACT'"
        " and end_reason = 'REPLACED'",
    )


def test_truth_of_a_longer_run_goes_on_from_a_shorter_one(
    world: Delivered, db: Connection, tmp_path: Path
) -> None:
    """What was true in winter is still true in autumn."""
    last = date(2025, 2, 15)
    simulate(SUBSCRIBERS, FIRST, last, SEED, tmp_path / "landing", tmp_path / "truth")
    for name, key in (
        ("promotion_hunters", "first_planned_on"),
        ("trials", "started_on"),
    ):
        short = f"read_parquet('{tmp_path}/truth/{name}/*.parquet')"
        some(db, f"select count(*) from {short}")
        none(
            db,
            f"select subscriber_id from (from true_{name} where {key} <= '{last}') full join"
            f" {short} s using (subscriber_id, {key}) where s.subscriber_id is null",
        )
