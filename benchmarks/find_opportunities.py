"""Step 1 on one day: how long each model takes, beside a scan of the same history.

`python benchmarks/find_opportunities.py [--sizes 1000000x90 1000000x360] [--home FOLDER] [--json]`

A warehouse is written by SQL, release after release, straight into the core tables that dbt made on
an empty lake: no simulator, no landing files. Step 1 is run for the day before, so that its running
state stands; then the day itself is measured in a fresh process. The floor is DuckDB summing nine
usage columns of the same rows from Parquet, in the same minutes. Quote the ratios, not the seconds.

With --home the filled warehouses are kept, one a size, and used again by the next call; core tables
that are new since then are filled. Models and seeds are those of the working tree.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.homes import installation_in

DAY = date(2025, 6, 15)
SCHEMA = "core"
TAG = "as_of_day"
SCANNED = (
    "voice_out_minutes",
    "voice_in_minutes",
    "voice_offnet_minutes",
    "calls_out",
    "calls_in",
    "sms_out",
    "data_mb",
    "data_mb_4g",
    "slow_data_mb",
)
SCANS = 3
MODELS_SHOWN = 25
GROUPS = (
    "state",
    "parts",
    "indicators",
    "signals",
    "links",
    "states",
    "opportunities",
    "value",
    "index rows",
    "other",
)

# The population, by hash of the line's number: what a line is, and what becomes of it.
PEOPLE = """
create temp table people as
with drawn as (
    select
        n,
        roll(n, 1, 100) < 55 as is_prepaid,
        case
            when roll(n, 2, 100) < 90 then {first} - 30 - roll(n, 3, 2500)
            else {first} + roll(n, 3, {days})
        end as opened_on,
        case when roll(n, 4, 1000) * 30 < 12 * {days} then {first} + 10 + roll(n, 5, {days}) end as left_on,
        case when roll(n, 6, 100) < 15 then {first} + 5 + roll(n, 7, {days}) end as suspended_from,
        1 + roll(n, 8, 20) as suspended_days,
        case when roll(n, 9, 1000) * 30 < 10 * {days} then {first} + 20 + roll(n, 10, {days}) end as quiet_from,
        1 + roll(n, 11, 12) as calls,
        (1 + roll(n, 12, 40)) * (1 + roll(n, 13, 40)) as mb,
        roll(n, 14, 100) as tac_no,
        1 + roll(n, 15, 6) as plan_no,
        roll(n, 16, 100) as branch_no,
        roll(n, 17, 100) < 5 as is_firm,
        case when n % 200 = 1 then n - 1 else n end as handset
    from range({subscribers}) as numbers(n)
)
select
    n,
    'S' || lpad(n::varchar, 9, '0') as subscriber_id,
    'C' || lpad((n - (n % 12 = 5)::integer)::varchar, 9, '0') as customer_id,
    sha256('msisdn' || n) as msisdn_token,
    is_prepaid, opened_on, suspended_from, calls, mb, is_firm, handset, quiet_from,
    greatest(opened_on, {first}) as seen_from,
    case when left_on > greatest(opened_on, {first}) + 5 and left_on <= {last} then left_on end as left_on,
    suspended_from + suspended_days as suspended_to,
    coalesce(suspended_from > greatest(opened_on, {first}) + 2 and suspended_from <= {last}
        and (left_on is null or left_on > suspended_from + suspended_days), false) as is_suspended,
    '86' || lpad(tac_no::varchar, 6, '0') as tac,
    if(is_prepaid, 'PR0', 'PL0') || plan_no as plan_id,
    10 + 10 * plan_no as fee,
    'P1C' || branch_no // 10 || 'B' || branch_no % 10 as org_id,
    'CH' || lpad((branch_no * 3 + n % 3)::varchar, 6, '0') as channel_id,
    case when n % 4 = 0 then 'AG' || lpad((branch_no * 2 + n // 4 % 2)::varchar, 6, '0') end as agent_id
from drawn
"""
ALIVE = "{day} >= seen_from and (left_on is null or {day} < left_on)"
IN_SERVICE = (
    ALIVE + " and not (is_suspended and {day} >= suspended_from and {day} < suspended_to)"
    " and (quiet_from is null or {day} < quiet_from)"
)
# One day of use in 50 of a line that is suspended or silent: it was told late.
IN_USE = f"({IN_SERVICE} or ({ALIVE} and roll(n, {{day}}, 1000000) // 100 % 50 = 3))"
FOREVER = "date '9999-12-31'"


@dataclass(frozen=True)
class Filling:
    """What one core table holds.

    `select` is SQL over `people` with a column list by name; columns that the table does not have
    are left out. `when`: once, on each day or on one day of each month; `{day}` is the release date.
    """

    select: str
    when: str = "once"
    day_of_month: int = 0


def _rows_of_usage(day: str, visible_from: str, visible_to: str, more: str, where: str) -> str:
    """Usage of `day`; a roll of the line and the day gives every measure."""
    return f"""
    select
        subscriber_id, {day} as usage_date,
        (c_out * (40 + h // 7 % 300) * 0.01)::decimal(18, 2) as voice_out_minutes,
        (c_in * (40 + h // 11 % 300) * 0.01)::decimal(18, 2) as voice_in_minutes,
        (c_out * (10 + h // 7 % 100) * 0.01)::decimal(18, 2) as voice_offnet_minutes,
        (c_out * (10 + h // 13 % 80) * 0.01)::decimal(18, 2) as voice_competitor_minutes,
        (c_in * (h // 17 % 30) * 0.01)::decimal(18, 2) as voice_night_minutes,
        c_out::bigint as calls_out, c_in::bigint as calls_in,
        (h // 3 % 50 // 45)::bigint as sms_out,
        (kb * 0.001)::decimal(18, 3) as data_mb,
        ((kb * 4 // 10) * 0.001)::decimal(18, 3) as data_mb_video,
        ((kb * 2 // 10) * 0.001)::decimal(18, 3) as data_mb_social,
        ((kb // 10) * 0.001)::decimal(18, 3) as data_mb_messaging,
        ((kb // 10) * 0.001)::decimal(18, 3) as data_mb_music,
        ((kb // 10) * 0.001)::decimal(18, 3) as data_mb_game,
        ((kb // 10) * 0.001)::decimal(18, 3) as data_mb_other,
        ((kb * (h // 19 % 30) // 100) * 0.001)::decimal(18, 3) as data_mb_night,
        (if(h // 23 % 200 = 0, kb, 0) * 0.001)::decimal(18, 3) as data_mb_roaming,
        (if(n % 20 = 0, kb // 5, 0) * 0.001)::decimal(18, 3) as data_mb_tethering,
        ((kb // 12) * 0.001)::decimal(18, 3) as data_mb_background,
        ((kb // 2) * 0.001)::decimal(18, 3) as data_mb_4g,
        ((kb // 2) * 0.001)::decimal(18, 3) as data_mb_5g,
        (1 + h // 29 % 60)::bigint as data_sessions,
        (h // 31 % 40 // 38)::bigint as failed_data_sessions,
        (if(h // 37 % 10 = 0, kb // 8, 0) * 0.001)::decimal(18, 3) as slow_data_mb,
        (h // 41 % 700 * 0.01)::decimal(18, 2) as poor_coverage_minutes,
        (if(h // 23 % 200 = 0, 150, 0) * 0.01)::decimal(18, 2) as roaming_minutes,
        (1 + h // 43 % 9)::bigint as counterparties,
        (h // 47 % 60 // 59)::bigint as dropped_calls,
        (h // 53 % 60 // 59)::bigint as failed_calls,
        tac,
        (c_out * (40 + h // 7 % 300) * 0.01)::decimal(18, 2)
            + (c_in * (40 + h // 11 % 300) * 0.01)::decimal(18, 2) as voice_minutes,
        c_out + c_in > 0 or h // 3 % 50 // 45 >= 1 or kb >= 1000 as is_activity_day,
        {visible_from} as visible_from, {visible_to} as visible_to
    from (
        select
            n, subscriber_id, tac, h,
            (calls * (h % 4) // 3)::integer as c_out,
            (calls * (h // 5 % 4) // 3)::integer as c_in,
            (mb * (h // 59 % 200) * 10 {more})::integer as kb
        from (
            select *, roll(n, {day}, 1000000) as h from people where {IN_USE.format(day=day)}
        )
        where h % 100 < 95 and ({where})
    )"""


# One row in 250 comes two days late, one in 1000 is corrected two days later.
_LATE, _CORRECTED = "h // 100 % 250 = 0", "h // 100 % 1000 = 1"
_USAGE = " union all ".join(
    (
        _rows_of_usage(
            "{day}",
            "{day}",
            f"if({{day}} + 2 <= {{last}} and {_CORRECTED}, {{day}} + 2, {FOREVER})",
            "",
            f"not ({_LATE})",
        ),
        _rows_of_usage(
            "({day} - 2)",
            "{day}",
            FOREVER,
            "+ 1",
            f"({_LATE} or {_CORRECTED}) and {{day}} - 2 >= {{first}}",
        ),
    )
)


def _daily(share: float, columns: str, salt: int, condition: str = "true") -> Filling:
    """An event feed: a share of the lines in service has one on the day."""
    sides = 1_000_000
    return Filling(
        f"select {columns}, {{day}} as visible_from, {FOREVER} as visible_to from people"
        f" where {IN_SERVICE} and roll(n, {{day}} + {salt}, {sides}) < {round(share * sides)}"
        f" and {condition}",
        "daily",
    )


_AT = "({day} + interval 9 hour + interval (n % 43200) second)::timestamp"
_DAY_TEXT = "strftime({day}, '%Y%m%d')"


def _complaint(day: str, resolved: bool) -> str:
    at = _AT.format(day=day)
    kinds = "['BILLING', 'NETWORK', 'SERVICE', 'UNAUTHORISED_ORDER', 'OTHER', 'DEVICE']"
    return f"""
    select
        'CM' || strftime({day}, '%Y%m%d') || n as complaint_id, subscriber_id, {at} as opened_at,
        {f"{at} + interval 1 hour" if resolved else "null::timestamp"} as acknowledged_at,
        {f"{at} + interval 20 hour" if resolved else "null::timestamp"} as resolved_at,
        0 as reopened_count, {at} + interval 1 day as due_at,
        {kinds}[1 + n % 6] as category, 'METHOD' as cause_class,
        ['MINOR', 'NORMAL', 'SEVERE'][1 + n % 3] as severity, channel_id,
        {"'RESOLVED'" if resolved else "'OPENED'"} as last_step, {not resolved} as is_open,
        {{day}} as visible_from,
        {FOREVER if resolved else f"if({{day}} + 2 <= {{last}}, {{day}} + 2, {FOREVER})"} as visible_to
    from people
    where {IN_SERVICE.format(day=day)} and roll(n, {day} + 31, 1000000) < 330 and {day} >= {{first}}"""


FILLINGS: Mapping[str, Filling] = {
    "dim_org": Filling(
        f"""
        with units as (
            select 'HQ' as org_id, null as parent_org_id, 'HQ' as org_level, null as city_id,
                null as branch_id, null as province_id
            union all select 'P1', 'HQ', 'PROVINCE', null, null, 'P1'
            union all select 'P1C' || c, 'P1', 'CITY', 'P1C' || c, null, 'P1' from range(10) as t(c)
            union all select 'P1C' || c || 'B' || b, 'P1C' || c, 'BRANCH', 'P1C' || c,
                'P1C' || c || 'B' || b, 'P1' from range(10) as t(c), range(10) as s(b)
        )
        select *, org_id as name_zh, org_id as name_en, 'HQ' as hq_id,
            {{first}} as visible_from, {FOREVER} as visible_to from units"""
    ),
    "dim_channels": Filling(
        f"""
        select 'CH' || lpad(c::varchar, 6, '0') as channel_id,
            'P1C' || c // 30 || 'B' || c // 3 % 10 as org_id,
            ['OWN_HALL', 'AGENT', 'ONLINE'][1 + c % 3] as channel_type,
            {{first}} as visible_from, {FOREVER} as visible_to from range(300) as t(c)"""
    ),
    "dim_agents": Filling(
        f"""
        select 'AG' || lpad(a::varchar, 6, '0') as agent_id, date '2020-01-01' as valid_from,
            'CH' || lpad((a // 2 * 3 + 1)::varchar, 6, '0') as channel_id,
            'P1C' || a // 20 || 'B' || a // 2 % 10 as org_id, 'AGENT' as agent_type,
            {{first}} as visible_from, {FOREVER} as visible_to from range(200) as t(a)"""
    ),
    "dim_devices": Filling(
        f"""
        select '86' || lpad(t::varchar, 6, '0') as tac, 'Brand ' || t % 8 as brand,
            'Model ' || t as model,
            ['SMARTPHONE', 'SMARTPHONE', 'SMARTPHONE', 'FEATURE_PHONE'][1 + t % 4] as device_class,
            ['5G', '4G', '4G', '2G'][1 + t % 4] as network_generation, t % 3 <> 0 as is_dual_sim,
            ['LOW', 'MIDDLE', 'HIGH'][1 + t % 3] as price_band, date '2022-01-01' as released_on,
            {{first}} as visible_from, {FOREVER} as visible_to from range(100) as s(t)"""
    ),
    "dim_plans": Filling(
        f"""
        select kind || '0' || p as plan_id, date '2020-01-01' as valid_from,
            kind || p as name_zh, kind || p as name_en, 'Yuntong' as brand,
            if(kind = 'PR', 'PREPAID', 'POSTPAID') as payment_mode, 10 + 10 * p as monthly_fee_cny,
            50 * p as voice_minutes, 4000 * p as data_mb, 10 * p as sms_count,
            0.15 as overage_voice_cny_per_min, 0.005 as overage_data_cny_per_mb,
            0.1 as overage_sms_cny, 'BILL' as overage_mode, if(p > 2, '5G', '4G') as network_generation,
            0 as early_exit_fee_cny, 'HQ' as org_id, date '2020-01-01' as on_sale_from,
            {{first}} as visible_from, {FOREVER} as visible_to
        from range(1, 7) as t(p), (values ('PR'), ('PL')) as s(kind)"""
    ),
    "dim_products": Filling(
        f"""
        select *, date '2020-01-01' as on_sale_from, product_id as name_zh, product_id as name_en,
            false as is_partner, {{first}} as visible_from, {FOREVER} as visible_to
        from (values
            ('VA01', 'VAS', 5, null, null, 'MUSIC', null), ('VA02', 'VAS', 15, null, null, 'VIDEO', null),
            ('DP01', 'DATA_PACK', 10, null, 5000, null, null),
            ('FP01', 'FAMILY_PLAN', 10, 100, null, null, null),
            ('BU01', 'BUNDLE', 30, null, null, null, 12), ('DC01', 'DEVICE_CONTRACT', 0, null, null, null, 24)
        ) as t(product_id, product_kind, monthly_fee_cny, voice_minutes, data_mb, app_class, contract_months)"""
    ),
    "dim_customers": Filling(
        f"""
        select customer_id, false as name_is_placeholder, 'ID_CARD' as id_type,
            sha256('id' || n) as id_number_token, true as id_number_is_valid,
            1945 + roll(n, 20, 60) as birth_year, ['M', 'F'][1 + n % 2] as gender,
            true as has_address, if(is_firm, 'GROUP', 'INDIVIDUAL') as org_class,
            roll(n, 21, 100) // 95 as vip_level, roll(n, 22, 9000) as points_balance,
            msisdn_token as contact_phone_token, 'VERIFIED' as real_name_status, 'B' as credit_level,
            'SMS' as preferred_channel, seen_from as visible_from, {FOREVER} as visible_to
        from people where customer_id = 'C' || subscriber_id[2:] order by seen_from, n"""
    ),
    "dim_subscribers": Filling(
        f"""
        with versions as (
            select n, seen_from as visible_from, 'ACTIVE' as status, 'NONE' as status_reason,
                opened_on as status_on from people
            union all
            select n, suspended_from, if(n % 3 = 0, 'TWO_WAY_SUSPENDED', 'ONE_WAY_SUSPENDED'),
                if(n % 10 = 3, 'CUSTOMER_REQUEST', 'ARREARS'), suspended_from from people where is_suspended
            union all
            select n, suspended_to, 'ACTIVE', 'NONE', suspended_to from people
            where is_suspended and suspended_to <= {{last}}
            union all
            select n, left_on, 'DEACTIVATED',
                ['PORT_OUT', 'CUSTOMER_REQUEST', 'ARREARS'][1 + n % 3], left_on from people
            where left_on is not null
        )
        select subscriber_id, msisdn_token, sha256('imsi' || n) as imsi_token, customer_id,
            'Yuntong' as brand, if(is_prepaid, 'PREPAID', 'POSTPAID') as payment_mode,
            'MOBILE' as service_type, if(n % 100 = 7, 'IOT', 'VOICE') as line_class,
            opened_on + interval 10 hour as activated_at, opened_on + interval 10 hour as first_registered_at,
            case when n % 50 = 0 then 'CMCC' end as ported_in_from, channel_id as acquisition_channel_id,
            agent_id, org_id, 'PLAIN' as number_grade, not is_prepaid and n % 3 = 0 as is_autopay,
            case when status = 'ONE_WAY_SUSPENDED' then 'OUTGOING_BAR' end as service_bars,
            status, status_reason, status_on + interval 12 hour as status_at, visible_from,
            lead(visible_from, 1, {FOREVER}) over (partition by n order by visible_from) as visible_to
        from versions inner join people using (n) order by visible_from, n"""
    ),
    "fct_subscriptions": Filling(
        f"""
        with holdings as (
            select n, 'P' as mark, plan_id as product_id, 'PLAN' as product_kind, fee as price_cny,
                opened_on as started_on, null::date as contract_end_date, null::date as ended_on from people
            union all
            select n, 'D', 'DC01', 'DEVICE_CONTRACT', 0, opened_on,
                {{first}} + roll(n, 24, {{days}} + 400), null from people where n % 4 = 1
            union all
            select n, 'V', if(n % 2 = 0, 'VA01', 'VA02'), 'VAS', 5,
                greatest(opened_on, {{first}} - 200 + roll(n, 25, 200)), null,
                case when n % 5 = 0 then {{first}} + roll(n, 26, {{days}}) end from people where n % 4 <> 1
        ),
        versions as (
            select *, greatest(started_on, {{first}}) as visible_from,
                case when ended_on > greatest(started_on, {{first}}) then ended_on end as closed_on from holdings
        )
        select 'B' || n || mark as subscription_id, subscriber_id, product_id, product_kind,
            started_on + interval 10 hour as ordered_at, started_on + interval 10 hour as started_at,
            null::timestamp as ended_at, null as end_reason, contract_end_date, price_cny,
            false as is_trial, 'APP' as consent_method, 'CR' || n as consent_ref,
            started_on + interval 10 hour as consent_at, channel_id as order_channel_id,
            visible_from, coalesce(closed_on, {FOREVER}) as visible_to
        from versions inner join people using (n)
        union all
        select 'B' || n || mark, subscriber_id, product_id, product_kind,
            started_on + interval 10 hour, started_on + interval 10 hour,
            closed_on + interval 11 hour, 'CUSTOMER', contract_end_date, price_cny,
            false, 'APP', 'CR' || n, started_on + interval 10 hour, channel_id, closed_on, {FOREVER}
        from versions inner join people using (n) where closed_on is not null
        order by visible_from, subscription_id"""
    ),
    "fct_churn_events": Filling(
        f"""
        select 'CE' || n as churn_event_id, subscriber_id, left_on + interval 13 hour as occurred_at,
            ['PORT_OUT', 'CLOSED', 'ARREARS_REMOVED'][1 + n % 3] as kind, 'COMPETITOR_OFFER' as stated_cause,
            'CTCC' as competitor, left_on as visible_from, {FOREVER} as visible_to
        from people where left_on is not null order by left_on, n"""
    ),
    "fct_usage_daily": Filling(_USAGE, "daily"),
    "fct_balances": Filling(
        f"""
        select subscriber_id, {{day}} as balance_date,
            if(is_prepaid, (roll(n, 27, 9000) + 97 * ({{day}} - {{first}})) % 9000 * 0.01, 0)::decimal(18, 2)
                as balance_cny,
            0 as gift_balance_cny, (day({{day}}) * fee * 0.03)::decimal(18, 2) as charged_mtd_cny,
            if(n % 40 = 2, fee, 0) as arrears_cny, case when n % 40 = 2 then {{day}} - 20 end as arrears_since,
            0 as credit_limit_cny, {{day}} + 90 as valid_until,
            {{day}} as visible_from, {FOREVER} as visible_to
        from people where {ALIVE} and (is_prepaid or n % 40 = 2)""",
        "daily",
    ),
    "fct_payments": _daily(
        1.3 / 30,
        f"'PI' || {_DAY_TEXT} || n as payment_id, subscriber_id, {_AT} as paid_at,"
        " [10, 20, 30, 50, 100, 200][1 + n % 6] as amount_cny,"
        " if(is_prepaid, 'TOPUP', 'BILL') as payment_kind, 'WECHAT' as method",
        30,
    ),
    "fct_competitor_contacts": _daily(
        0.004,
        f"'CC' || {_DAY_TEXT} || n as event_id, subscriber_id, {_AT} as occurred_at,"
        " ['HOTLINE_OUT', 'HOTLINE_OUT', 'HOTLINE_IN', 'PORTABILITY_QUERY', 'CALL_FORWARD_ON',"
        " 'CALL_FORWARD_OFF'][1 + n % 6] as kind, if(n % 6 >= 4, 'CFU', null) as forward_type,"
        " if(n % 6 >= 4, sha256('other' || n), null) as forward_to_msisdn_token, 'CTCC' as competitor",
        32,
    ),
    "fct_complaints": Filling(
        f"{_complaint('{day}', False)} union all {_complaint('({day} - 2)', True)}", "daily"
    ),
    "fct_interactions": _daily(
        0.0015,
        f"'CI' || {_DAY_TEXT} || n as interaction_id, subscriber_id, {_AT} as occurred_at, channel_id,"
        " ['PLAN_QUERY', 'BILL_QUERY', 'FAULT', 'CANCEL_REQUEST', 'PORT_OUT_CODE', 'OTHER'][1 + n % 6]"
        " as reason, 'RESOLVED' as outcome, 300 as duration_seconds",
        33,
    ),
    "fct_contacts": _daily(
        0.005,
        f"'FM' || {_DAY_TEXT} || n as contact_id, subscriber_id, {_AT} as occurred_at, 'SMS' as channel,"
        " 'MARKETING' as message_class, 'DELIVERED' as outcome, 'MK-SMS' as template_code",
        34,
    ),
    "fct_adjustments": _daily(
        0.0007,
        f"'AD' || {_DAY_TEXT} || n as adjustment_id, subscriber_id, {_AT} as occurred_at,"
        " ['REFUND', 'OVERAGE_WAIVER', 'CREDIT', 'GOODWILL'][1 + n % 4] as kind, 10 as amount_cny,"
        " 'VA01' as product_id",
        35,
    ),
    "fct_commissions": _daily(
        0.03,
        f"'CO' || {_DAY_TEXT} || n as commission_id, agent_id, channel_id, subscriber_id,"
        " if(opened_on >= {day} - 30, 'ACTIVATION', 'RESIDUAL') as kind, 5 as amount_cny,"
        " {day} as earned_on",
        36,
        "agent_id is not null",
    ),
    "fct_device_sightings": Filling(
        f"""
        select subscriber_id, sha256('imei' || handset) as imei_token,
            greatest(opened_on, {{day}} - 700) + interval 15 hour as occurred_at, tac,
            {{day}} as visible_from, {FOREVER} as visible_to
        from people where seen_from = {{day}}
        union all
        select subscriber_id, sha256('imei' || n || {{day}}), {_AT}, tac, {{day}}, {FOREVER}
        from people where {IN_SERVICE} and roll(n, {{day}} + 37, 1000000) < 800 and seen_from < {{day}}""",
        "daily",
    ),
    "fct_invoices": Filling(
        f"""
        select subscriber_id, {{month}} as month, 'IN' || strftime({{month}}, '%Y%m') || n as invoice_id,
            plan_id, fee as plan_fee_cny, 0 as voice_overage_cny,
            h % 1500 // 1000 * (h % 700) * 0.01 as data_overage_cny, 0 as sms_overage_cny,
            0 as roaming_cny, 5 * (n % 3) as vas_cny, 0 as device_instalment_cny, 0 as discount_cny,
            0 as adjustment_cny, 0 as other_cny,
            (fee + 5 * (n % 3) + h % 1500 // 1000 * (h % 700) * 0.01)::decimal(18, 2) as total_cny,
            (calls * 60)::decimal(18, 2) as voice_minutes, (mb * 25)::decimal(18, 3) as data_mb,
            2 as sms_count, {{day}} - 1 as issued_on, {{day}} + 17 as due_on,
            {{day}} as visible_from, {FOREVER} as visible_to
        from (
            select *, roll(n, {{day}} + 38, 100000) as h from people
            where {ALIVE} and opened_on < {{month}} + 25
        )""",
        "monthly",
        3,
    ),
    "fct_call_circle": Filling(
        f"""
        select subscriber_id, {{month}} as month,
            case
                when k < 12 then sha256('msisdn' || (n // 64 * 64 + (n % 64 + if(k < 6, k + 1, 69 - k)) % 64))
                when k between 12 and 18 and n // 64 % 10 = 0 then sha256('friend' || (n // 64 * 64 + (n + k) % 64))
                else sha256('other' || (n * 7 + k * 1009 + if(k < 17, 0, month({{month}}) * 13))
                    % ({{subscribers}} * 8 // 10))
            end as counterparty_msisdn_token,
            false as counterparty_is_short_code,
            if(k < 12, 'OWN', ['CMCC', 'CTCC'][1 + (n + k) % 2]) as counterparty_operator,
            ((if(k = 12 and n % 33 = 0, 400, 40) - 2 * k) * calls * (50 + roll(n, {{day}} + k, 100))
                * 0.01)::decimal(18, 2) as minutes_out,
            ((40 - 2 * k) * calls * (50 + roll(n, {{day}} - k, 100)) * 0.01)::decimal(18, 2) as minutes_in,
            k < 12 as is_onnet, {{day}} as visible_from, {FOREVER} as visible_to
        from (
            select *, unnest(range(20))::integer as k from people
            where {ALIVE} and opened_on < {{month}} + 25
        )""",
        "monthly",
        3,
    ),
    "fct_areas": Filling(
        f"""
        select subscriber_id, {{month}} as month, kind,
            sha256('area' || kind || n // 40 % 20000) as area_id_token, 20 as days,
            {{day}} as visible_from, {FOREVER} as visible_to
        from (
            select *, unnest(['HOME', 'WORK']) as kind from people
            where {ALIVE} and opened_on < {{month}} + 25
        )""",
        "monthly",
        3,
    ),
}
MONTHLY_FEEDS = ("billing_invoices", "usage_call_circle", "usage_areas", "market_size")
ABSENT_FEEDS = ("usage_monthly", "field_questionnaires", "field_retention_log")


def lost_days(first: date, days: int) -> set[date]:
    """The days whose usage file never came: one in 45."""
    return {first + timedelta(days=back) for back in range(days - 20, 0, -45)}


class Warehouse:
    """One size: the tables, filled as releases would have filled them."""

    def __init__(self, home: Path, subscribers: int, days: int) -> None:
        self.home, self.subscribers, self.days = home, subscribers, days
        self.first = DAY - timedelta(days=days - 1)

    @property
    def parquet(self) -> Path:
        return self.home / "scan.parquet"

    def words(self, day: date) -> dict[str, str]:
        month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
        return {
            "day": f"date '{day}'",
            "first": f"date '{self.first}'",
            "last": f"date '{DAY}'",
            "month": f"date '{month}'",
            "days": str(self.days),
            "subscribers": str(self.subscribers),
        }

    def fill(self, feeds: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Fill the core tables that are empty. `feeds`: name -> cadence."""
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
            connection.execute("set checkpoint_threshold = '1GB'")
            tables = {
                name
                for (name,) in connection.execute(
                    f"select table_name from duckdb_tables() where schema_name = '{SCHEMA}'"
                ).fetchall()
            }
            marker = self.home / "filled.json"
            filled = set(json.loads(marker.read_text())) if marker.exists() else set()
            empty = [name for name in (*FILLINGS, "fct_feed_days") if name in tables - filled]
            if not empty:
                return
            say(f"filling {', '.join(empty)}")
            for name in empty:
                connection.execute(f"delete from {SCHEMA}.{name}")
            connection.execute(
                "create temp macro roll(n, salt, sides) as cast(hash(n, salt) % sides as integer)"
            )
            connection.execute(PEOPLE.format(**self.words(DAY)))
            if "fct_feed_days" in empty:
                self._feed_days(connection, feeds)
            for name in empty:
                if name != "fct_feed_days" and FILLINGS[name].when == "once":
                    self._insert(connection, name, DAY)
            lost = lost_days(self.first, self.days)
            for offset in range(self.days):
                day = self.first + timedelta(days=offset)
                for name in empty:
                    filling = FILLINGS.get(name)
                    is_due = filling is not None and (
                        filling.when == "daily"
                        or (filling.when == "monthly" and filling.day_of_month == day.day)
                    )
                    if is_due and not (name == "fct_usage_daily" and day in lost):
                        self._insert(connection, name, day)
                if offset % 30 == 29:
                    say(f"{day}")
            connection.execute("checkpoint")
            if "fct_usage_daily" in empty or not self.parquet.exists():
                connection.execute(
                    f"copy (select subscriber_id, usage_date, {', '.join(SCANNED)}"
                    f" from {SCHEMA}.fct_usage_daily) to '{self.parquet}'"
                )
            marker.write_text(json.dumps(sorted(filled | set(empty))), encoding="utf-8")

    def _insert(self, connection: duckdb.DuckDBPyConnection, name: str, day: date) -> None:
        has = {
            column
            for (column,) in connection.execute(
                "select column_name from duckdb_columns() where schema_name = ? and table_name = ?",
                [SCHEMA, name],
            ).fetchall()
        }
        select = FILLINGS[name].select.format(**self.words(day))
        gives = [row[0] for row in connection.execute(f"describe {select}").fetchall()]
        columns = ", ".join(f'"{column}"' for column in gives if column in has)
        connection.execute(f"insert into {SCHEMA}.{name} by name select {columns} from ({select})")

    def _feed_days(self, connection: duckdb.DuckDBPyConnection, feeds: Mapping[str, str]) -> None:
        """Daily feeds came every day but a few; monthly ones on the third; references once."""
        lost = ", ".join(f"date '{day}'" for day in lost_days(self.first, self.days))
        for number, (feed, cadence) in enumerate(sorted(feeds.items())):
            if feed in ABSENT_FEEDS:
                came = "false"
            elif feed == "usage_daily":
                came = f"dt not in ({lost})" if lost else "true"
            elif cadence == "R":
                came = f"dt = date '{self.first}'"
            elif cadence == "M":
                came = "day(dt) = 3"
            else:
                came = f"dt <> date '{DAY - timedelta(days=3 + 7 * number % 80)}'"
            connection.execute(
                f"insert into {SCHEMA}.fct_feed_days by name"
                f" select '{feed}' as feed, dt, {came} as is_arrived, ({came})::bigint as files,"
                " 0::bigint as records, 0::bigint as kept, 0::bigint as quarantined, 0::bigint as duplicates"
                f" from (select date '{self.first}' + n::integer as dt from range({self.days}) as t(n))"
            )


def build(made: Any, selection: list[str], day: date) -> list[Any]:
    from orchestration.dbt_session import failures

    results = made.build(selection, day, day)
    if failures(results):
        raise SystemExit("\n".join(failures(results)))
    return results


def prepare(home: Path, subscribers: int, days: int) -> dict[str, Any]:
    """Tables, rows, and step 1 of the day before."""
    began = time.perf_counter()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - began:8.1f} s  {text}\n")

    made = installation_in(home, DAY)
    made.warehouse.register(made.relations)
    nodes = made.manifest["nodes"]
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        known = {
            f"{schema}.{name}"
            for schema, name in connection.execute(
                "select schema_name, table_name from duckdb_tables()"
            ).fetchall()
        }
    # What stands is filled, and would be emptied by the empty lake.
    standing = [
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "model"
        and node["config"]["materialized"] != "view"
        and TAG not in node["tags"]
        and f"{node['schema']}.{node['alias']}" in known
    ]
    tests = ["resource_type:test", "resource_type:unit_test"]
    build(
        made,
        ["--select", f"+tag:{TAG}", "+marts.core", "--exclude", f"tag:{TAG}", *standing, *tests],
        DAY,
    )
    say("tables made")
    Warehouse(home, subscribers, days).fill(
        {name: feed.cadence for name, feed in made.feeds.items()}, say
    )
    say("tables filled")
    before = DAY - timedelta(days=1)
    began_state = time.perf_counter()
    build(made, ["--select", f"tag:{TAG}", "--full-refresh", "--exclude", *tests], before)
    say(f"step 1 of {before}, from nothing")
    return {"from_scratch_seconds": time.perf_counter() - began_state}


def measure(home: Path) -> dict[str, Any]:
    """Step 1 of the day."""
    made = installation_in(home, DAY)
    made.dbt.parse()
    began = time.perf_counter()
    tests = ["resource_type:test", "resource_type:unit_test"]
    results = build(made, ["--select", f"tag:{TAG}", "--exclude", *tests], DAY)
    wall = time.perf_counter() - began
    groups = group_of(made.manifest["nodes"])
    return {
        "wall": wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "models": [
            {
                "model": node.unique_id.split(".")[-1],
                "group": groups[node.unique_id],
                "seconds": node.seconds,
            }
            for node in results
        ],
    }


def group_of(nodes: Mapping[str, Any]) -> dict[str, str]:
    """Each model's place in the split. A part counts to what it serves, if that is one thing."""
    chosen = {key: node for key, node in nodes.items() if TAG in node.get("tags", ())}
    readers: dict[str, list[str]] = defaultdict(list)
    for key, node in chosen.items():
        for parent in node["depends_on"]["nodes"]:
            readers[parent].append(key)

    def own(key: str) -> str | None:
        node = chosen[key]
        folder = node["fqn"][-2]
        if node["config"].get("keeps") == "state" or node["config"]["meta"].get("keeps") == "state":
            return "state"
        if node["name"] == "opportunities":
            return "opportunities"
        if folder == "population" or node["name"] == "churn_features":
            return "index rows"
        if node["name"].startswith("int_findings"):
            return "signals"
        return folder if folder in GROUPS else None

    def served(key: str) -> Iterator[str]:
        for reader in readers[key]:
            mine = own(reader)
            yield from [mine] if mine else served(reader)

    found = {}
    for key in chosen:
        serves = set(served(key))
        found[key] = own(key) or (serves.pop() if len(serves) == 1 else "parts")
    return found


def scan(home: Path) -> dict[str, Any]:
    """The floor: nine columns summed."""
    sums = ", ".join(f"sum({column})" for column in SCANNED)
    seconds = []
    with duckdb.connect(config={"threads": os.cpu_count() or 2}) as connection:
        for _ in range(SCANS):
            began = time.perf_counter()
            connection.execute(f"select count(*), {sums} from '{home / 'scan.parquet'}'").fetchall()
            seconds.append(time.perf_counter() - began)
        (rows,) = connection.execute(f"select count(*) from '{home / 'scan.parquet'}'").fetchall()[
            0
        ]
    return {"seconds": seconds, "rows": rows}


def child(phase: str, home: Path, size: tuple[int, int]) -> dict[str, Any]:
    """One phase in a process of its own."""
    answer = home / f"{phase}.json"
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore", __file__, "--phase", phase, "--home", str(home)),
            *("--sizes", f"{size[0]}x{size[1]}", "--answer", str(answer)),
        ],
        check=True,
        env=os.environ | {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
    )
    return json.loads(answer.read_text(encoding="utf-8"))


def run_size(home: Path, size: tuple[int, int]) -> dict[str, Any]:
    prepared = child("prepare", home, size)
    load = os.getloadavg()[0]
    before = child("scan", home, size)
    measured = child("measure", home, size)
    after = child("scan", home, size)
    floor = statistics.median(before["seconds"] + after["seconds"])
    split: dict[str, float] = defaultdict(float)
    for model in measured["models"]:
        split[model["group"]] += model["seconds"]
    return {
        "subscribers": size[0],
        "history_days": size[1],
        "usage_rows": before["rows"],
        "scan_seconds": floor,
        "all_scans": before["seconds"] + after["seconds"],
        "wall": measured["wall"],
        "ratio": measured["wall"] / floor,
        "peak_mb": measured["peak_mb"],
        "split": dict(split),
        "models": sorted(measured["models"], key=lambda model: -model["seconds"]),
        "from_scratch_seconds": prepared["from_scratch_seconds"],
        "cores": os.cpu_count(),
        "load_before": load,
    }


def show(figures: dict[str, Any]) -> None:
    floor = figures["scan_seconds"]
    print(
        f"\n{figures['subscribers']:,} subscribers x {figures['history_days']} days"
        f" ({figures['usage_rows']:,} usage rows): {figures['wall']:.1f} s,"
        f" {figures['ratio']:.1f} scans of {floor:.2f} s, {figures['peak_mb']:,} MB,"
        f" {figures['cores']} cores, load before {figures['load_before']:.1f}"
        f" (the day before, from nothing: {figures['from_scratch_seconds']:.0f} s)\n"
    )
    for group in GROUPS:
        if group in figures["split"]:
            seconds = figures["split"][group]
            print(f"{group:<34}{seconds:>8.1f} s{seconds / floor:>8.1f} scans")
    print()
    for model in figures["models"][:MODELS_SHOWN]:
        print(f"  {model['model']:<32}{model['seconds']:>8.2f} s  {model['group']}")


def size_of(text: str) -> tuple[int, int]:
    subscribers, days = text.split("x")
    return int(subscribers), int(days)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=size_of, default=[(1_000_000, 90)])
    parser.add_argument("--home", type=Path, help="kept and used again; default: thrown away")
    parser.add_argument("--json", action="store_true", help="a line of JSON a size, nothing else")
    # How this file starts itself.
    parser.add_argument("--phase", choices=["prepare", "scan", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        phases = {
            "prepare": lambda: prepare(options.home, *options.sizes[0]),
            "scan": lambda: scan(options.home),
            "measure": lambda: measure(options.home),
        }
        options.answer.write_text(json.dumps(phases[options.phase]()), encoding="utf-8")
        return
    for subscribers, days in options.sizes:
        folder = options.home or Path(tempfile.mkdtemp(prefix="find-opportunities-"))
        home = (folder / f"{subscribers}x{days}").resolve()
        home.mkdir(parents=True, exist_ok=True)
        try:
            figures = run_size(home, (subscribers, days))
        finally:
            if not options.home:
                shutil.rmtree(folder)
        if options.json:
            print(json.dumps(figures), flush=True)
        else:
            show(figures)


if __name__ == "__main__":
    main()
