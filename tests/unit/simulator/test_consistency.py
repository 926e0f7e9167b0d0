"""The feeds agree with each other: money, usage, statuses, departures, identities."""

from __future__ import annotations

import duckdb
import pytest

from tests.unit.simulator.conftest import FIRST, Delivered

Connection = duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def db(delivered: Delivered) -> Connection:
    """One typed table a feed."""
    connection = duckdb.connect(config={"threads": 1})
    typed = {
        "invoices": (
            "billing_invoices",
            "subscriber_id, (month || '-01')::date as month, plan_id, dt, "
            "columns('_cny$')::decimal(18,2), voice_minutes::decimal(18,2) as voice_minutes, "
            "data_mb::decimal(18,3) as data_mb, sms_count::bigint as sms_count",
        ),
        "usage": ("usage_daily", "*"),
        "balances": ("billing_balances", "*"),
        "payments": (
            "billing_payments",
            "subscriber_id, paid_at::timestamp as paid_at, amount_cny::decimal(18,2) as amount, "
            "payment_kind, dt",
        ),
        "lines": ("crm_subscribers", "* replace (status_at::timestamp as status_at)"),
        "churn": ("churn_events", "*"),
        "plans": (
            "billing_plans",
            "plan_id, valid_from::date as valid_from, valid_to::date as valid_to,"
            " payment_mode, overage_mode, columns('_cny|_per_|_minutes|_mb$|_count')"
            "::decimal(28,6)",
        ),
        "holdings": ("billing_subscriptions", "*"),
        "adjustments": (
            "billing_adjustments",
            "subscriber_id, kind, amount_cny::decimal(18,2) as amount, dt",
        ),
    }
    for name, (feed, columns) in typed.items():
        connection.execute(f"create table {name} as select {columns} from {delivered.rows(feed)}")
    connection.execute(
        "create view line_days as select b.subscriber_id, b.dt, arg_max(l.status, l.dt) as status,"
        " arg_max(l.status_reason, l.dt) as reason from balances b join lines l"
        " on l.subscriber_id = b.subscriber_id and l.dt <= b.dt group by all"
    )
    return connection


def none(db: Connection, query: str) -> None:
    """No row may come back."""
    assert db.execute(query).fetchall() == []


def some(db: Connection, query: str) -> int:
    """The case must occur, or the test next to it proves nothing."""
    found = db.execute(query).fetchall()[0][0]
    assert found > 0
    return int(found)


def test_invoice_totals_are_the_sum_of_their_parts(db: Connection) -> None:
    some(db, "select count(*) from invoices where discount_cny < 0")
    some(db, "select count(*) from invoices where data_overage_cny > 0")
    some(db, "select count(*) from invoices where voice_overage_cny > 0")
    none(
        db,
        "select * from invoices where total_cny <> plan_fee_cny + voice_overage_cny"
        " + data_overage_cny + sms_overage_cny + roaming_cny + vas_cny + device_instalment_cny"
        " + discount_cny + adjustment_cny + other_cny or total_cny < 0",
    )


def test_invoices_measure_the_month_s_usage(db: Connection) -> None:
    none(
        db,
        "with used as (select subscriber_id, date_trunc('month', usage_date)::date as month,"
        " sum(voice_out_minutes) as v, sum(data_mb) as d, sum(sms_out) as s from usage"
        " group by all)"
        " select i.subscriber_id from invoices i left join used u using (subscriber_id, month)"
        " where voice_minutes <> coalesce(v, 0) or data_mb <> coalesce(d, 0)"
        " or sms_count <> coalesce(s, 0)",
    )


def test_invoices_rate_the_usage_by_the_plan(db: Connection) -> None:
    """Fee of the plan or nothing; overage by its prices, packs only ever lower it."""
    none(
        db,
        "select i.subscriber_id from invoices i join plans p using (plan_id)"
        " where plan_fee_cny not in (0, p.monthly_fee_cny)"
        " or voice_overage_cny <> floor(greatest(0, i.voice_minutes - p.voice_minutes)"
        "   * overage_voice_cny_per_min * 100) / 100"
        " or sms_overage_cny <> greatest(0, i.sms_count - p.sms_count) * p.overage_sms_cny"
        " or data_overage_cny > greatest(0, i.data_mb - p.data_mb) * overage_data_cny_per_mb"
        " or (vas_cny = 0 and data_overage_cny <> floor(greatest(0, i.data_mb - p.data_mb)"
        "   * overage_data_cny_per_mb * 100) / 100)",
    )


def test_balances_roll_forward_by_payments_adjustments_and_charges(db: Connection) -> None:
    days = (
        "with paid as (select subscriber_id, dt, sum(amount) as paid from payments"
        " where payment_kind <> 'BILL' group by all),"
        " granted as (select subscriber_id, dt, sum(amount) as granted from adjustments"
        " group by all), days as ("
        " select b.subscriber_id, b.dt, balance_cny + gift_balance_cny as purse,"
        " gift_balance_cny as gift, coalesce(paid, 0) as paid, coalesce(granted, 0) as granted,"
        " charged_mtd_cny - if(day(b.dt) = 1, 0, coalesce(lag(charged_mtd_cny) over w, 0))"
        " as charged, lag(balance_cny + gift_balance_cny) over w as before,"
        " lag(gift_balance_cny) over w as gift_before"
        " from balances b left join paid using (subscriber_id, dt)"
        " left join granted using (subscriber_id, dt) where valid_until is not null"
        " window w as (partition by b.subscriber_id order by b.dt))"
    )
    some(db, f"{days} select count(*) from days where paid > 0 and before is not null")
    some(db, f"{days} select count(*) from days where granted > 0 and before is not null")
    some(db, f"{days} select count(*) from days where gift < gift_before")
    none(
        db,
        f"{days} select * from days where before is not null"
        " and purse <> before + paid + granted - charged",
    )
    none(  # joiners start at nothing
        db,
        f"{days} select * from days where before is null and dt > date '{FIRST}'"
        " and purse <> paid + granted - charged",
    )
    none(  # gifts are used first
        db,
        f"{days} select * from days where gift < 0 or (granted = 0 and"
        " gift <> greatest(0, gift_before - greatest(0, charged)))",
    )


def test_prepaid_charges_of_a_month_are_its_invoice(db: Connection) -> None:
    none(
        db,
        "select i.subscriber_id from invoices i join balances b on b.subscriber_id ="
        " i.subscriber_id and b.dt = last_day(i.month) and b.valid_until is not null"
        " where total_cny <> charged_mtd_cny",
    )


def test_every_line_is_invoiced_once_a_month(db: Connection) -> None:
    none(
        db,
        "with there as (select subscriber_id, min(activated_at)::date as joined,"
        " min(dt) filter (where status = 'DEACTIVATED') as gone from lines group by all),"
        " months as (select distinct month from invoices)"
        " select * from (select subscriber_id, month from there, months"
        " where joined <= last_day(month) and (gone is null or gone >= month))"
        " full join invoices i using (subscriber_id, month) where i.dt is null"
        " or subscriber_id is null or i.dt <> month + interval 1 month + interval 2 day",
    )


def test_bills_are_paid_as_invoiced(db: Connection) -> None:
    """A first payment is the first invoice, to the fen."""
    some(db, "select count(*) from payments where payment_kind = 'BILL'")
    none(
        db,
        "with first as (select subscriber_id, min_by(amount, dt) as amount, min(dt) as dt"
        " from payments where payment_kind = 'BILL' group by all)"
        " select f.subscriber_id from first f join invoices i on i.subscriber_id ="
        " f.subscriber_id and i.month = date '2025-01-01'"
        " where f.dt < date '2025-03-03' and i.total_cny > 0 and f.amount <> i.total_cny",
    )


def test_statuses_follow_arrears(db: Connection) -> None:
    some(db, "select count(*) from lines where status_reason = 'ARREARS'")
    # Prepaid: out of money at the end of a day and nothing paid on the next: not active.
    none(
        db,
        "select y.subscriber_id, y.dt from balances y join line_days s on s.subscriber_id ="
        " y.subscriber_id and s.dt = y.dt + 1 where y.valid_until is not null"
        " and y.balance_cny < 0 and s.status = 'ACTIVE' and not exists (select 1 from payments p"
        " where p.subscriber_id = y.subscriber_id and p.dt = y.dt + 1)",
    )
    # Postpaid: more than two weeks late: not active.
    none(
        db,
        "select b.subscriber_id, b.dt from balances b join line_days s using (subscriber_id, dt)"
        " where b.valid_until is null and b.dt - b.arrears_since >= 14 and s.status = 'ACTIVE'",
    )
    # Suspended for arrears means that something is owed or the balance had run out.
    none(
        db,
        "select s.subscriber_id, s.dt from line_days s join balances b using (subscriber_id, dt)"
        " where s.reason = 'ARREARS' and s.status <> 'DEACTIVATED' and b.arrears_cny = 0"
        " and b.valid_until is null",
    )


def test_departures_show_once_in_events_and_statuses(db: Connection) -> None:
    reasons = {
        "PORT_OUT": "PORT_OUT",
        "CLOSED": "CUSTOMER_REQUEST",
        "EXPIRED": "EXPIRED",
        "ARREARS_REMOVED": "ARREARS",
        "FRAUD_REMOVED": "FRAUD",
    }
    cases = " ".join(f"when '{kind}' then '{reason}'" for kind, reason in reasons.items())
    some(db, "select count(*) from churn where kind = 'PORT_OUT' and stated_cause is null")
    none(
        db,
        f"select * from (select subscriber_id, dt, case kind {cases} end as reason from churn) c"
        " full join (select subscriber_id, dt, status_reason from lines"
        " where status = 'DEACTIVATED') l using (subscriber_id, dt)"
        " where reason is distinct from status_reason",
    )
    none(db, "select subscriber_id from churn group by all having count(*) > 1")


def test_nobody_lives_on_after_leaving(db: Connection) -> None:
    none(db, "select 1 from churn c join usage u using (subscriber_id) where u.usage_date >= c.dt")
    none(db, "select 1 from churn c join lines l using (subscriber_id) where l.dt > c.dt")
    none(db, "select 1 from churn c join balances b using (subscriber_id) where b.dt >= c.dt")
    none(
        db,
        "select 1 from churn c join holdings h using (subscriber_id) where h.dt > c.dt"
        " or (h.dt = c.dt and h.ended_at is null)",
    )


def test_everything_held_ends_with_the_line(db: Connection) -> None:
    none(
        db,
        "select subscription_id from holdings h join churn c using (subscriber_id)"
        " group by all having arg_max(h.ended_at is null, h.dt)",
    )
    none(  # and nobody else is ever without a plan
        db,
        "with plan as (select subscription_id, subscriber_id, arg_max(ended_at is null, dt) as held"
        " from holdings where product_kind = 'PLAN' group by all)"
        " select subscriber_id from plan anti join churn using (subscriber_id)"
        " group by all having count(*) filter (where held) <> 1",
    )


def test_who_has_left_says_nothing_more(delivered: Delivered, db: Connection) -> None:
    """A complaint that is under way is still worked off; a new one or a call is impossible."""
    for feed, only in (
        ("care_complaints", "step = 'OPENED'"),
        ("care_interactions", "true"),
        ("usage_competitor_contacts", "true"),
        ("usage_devices", "true"),
    ):
        some(db, f"select count(*) from {delivered.rows(feed)} where {only}")
        left = "select subscriber_id, left_on from read_parquet('{}')".format(
            delivered.truth / "exits" / "*.parquet"
        )
        none(
            db,
            f"select 1 from {delivered.rows(feed)} e join ({left}) t using (subscriber_id)"
            f' where {only} and e."at"::date > t.left_on',
        )


def test_suspended_lines_use_nothing(db: Connection) -> None:
    """A day between two files that both say two-way suspended has no usage."""
    some(db, "select count(*) from lines where status = 'TWO_WAY_SUSPENDED'")
    spells = (
        "(select subscriber_id, status, dt, coalesce(lead(dt) over (partition by subscriber_id"
        " order by dt), date '9999-12-31') as until from lines)"
    )
    none(
        db,
        f"select 1 from {spells} s join usage u using (subscriber_id)"
        " where u.usage_date >= s.dt and u.usage_date < s.until"
        " and (s.status = 'TWO_WAY_SUSPENDED' or (s.status = 'ONE_WAY_SUSPENDED'"
        " and (u.voice_out_minutes > 0 or u.data_mb > 0 or u.sms_out > 0)))",
    )


def test_parts_of_usage_stay_within_the_whole(db: Connection) -> None:
    none(
        db,
        "select 1 from usage where data_mb <> data_mb_video + data_mb_social + data_mb_messaging"
        " + data_mb_music + data_mb_game + data_mb_other or data_mb_4g + data_mb_5g > data_mb"
        " or greatest(data_mb_night, data_mb_roaming, data_mb_tethering, data_mb_background,"
        " slow_data_mb) > data_mb or voice_offnet_minutes > voice_out_minutes + voice_in_minutes"
        " or voice_competitor_minutes > voice_offnet_minutes"
        " or counterparties > calls_out + calls_in",
    )


def test_identities_are_well_formed(delivered: Delivered, sql: Connection) -> None:
    """Check digits by plain arithmetic: GB 11643 for people, Luhn for devices."""
    people = sql.execute(
        f"select id_number, birthday, gender from {delivered.rows('crm_customers')}"
        " where id_type = 'ID_CARD' and real_name_status = 'VERIFIED'"
    ).fetchall()
    assert len(people) > 250
    for number, birthday, gender in people:
        weights = [2 ** (17 - place) % 11 for place in range(17)]
        remainder = sum(w * int(digit) for w, digit in zip(weights, number[:17], strict=True)) % 11
        assert number[17] == "10X98765432"[remainder]
        assert number[6:14] == birthday.replace("-", "")
        assert (int(number[16]) % 2 == 1) == (gender == "M")
    for (imei,) in sql.execute(f"select imei from {delivered.rows('usage_devices')}").fetchall():
        digits = [int(digit) for digit in reversed(imei)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0
    # A line may change its number, but no number ever belongs to two lines.
    numbers = sql.execute(
        "select count(distinct msisdn), count(distinct (msisdn, subscriber_id)),"
        f" count(distinct imsi), count(distinct subscriber_id) from {delivered.rows('crm_subscribers')}"
    ).fetchall()[0]
    assert numbers[0] == numbers[1] >= numbers[2] == numbers[3]
