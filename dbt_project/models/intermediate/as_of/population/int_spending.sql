{{ config(materialized='table') }}

-- What each line was billed, topped up and holds, as known on the date.
with
-- Of the invoices, m1 is the newest month visible.
invoices as (
    select
        invoices.*,
        12 * extract(year from invoices.month) + extract(month from invoices.month) as month_number
    from {{ ref('fct_invoices') }} as invoices
    where {{ is_visible('invoices', as_of()) }}
),

newest_month as (
    select max(month_number) as month_number
    from invoices
),

numbered_invoices as (
    select
        invoices.*,
        newest_month.month_number - invoices.month_number + 1 as months_back
    from invoices
    cross join newest_month
),

billed as (
    select
        subscriber_id,
        cast(max(case when months_back = 1 then total_cny end) as double) as total_cny_m1,
        cast(sum(case when months_back between 2 and 4 then total_cny end) as double) as total_cny_m2_to_m4,
        count(case when months_back between 2 and 4 then total_cny end) as months_m2_to_m4,
        cast(sum(case when months_back <= 3 then total_cny end) as double) as total_cny_m1_to_m3,
        count(case when months_back <= 3 then total_cny end) as months_m1_to_m3,
        cast(
            max(
                case
                    when months_back = 1
                        then
                            coalesce(voice_overage_cny, 0)
                            + coalesce(data_overage_cny, 0)
                            + coalesce(sms_overage_cny, 0)
                end
            ) as double
        ) as overage_cny_m1,
        cast(max(case when months_back = 1 then voice_minutes end) as double) as voice_minutes_m1,
        cast(max(case when months_back = 1 then data_mb end) as double) as data_mb_m1,
        max(case when months_back = 1 then plan_id end) as plan_id,
        max(case when months_back = 1 then month end) as month
    from numbered_invoices
    where months_back <= 4
    group by subscriber_id
),

-- The price version that was valid when the month of the newest invoice began.
plans as (
    select
        billed.subscriber_id,
        cast(plans.voice_minutes as double) as allowance_minutes,
        cast(plans.data_mb as double) as allowance_mb,
        row_number() over (partition by billed.subscriber_id order by plans.valid_from desc) as version_rank
    from billed
    inner join {{ ref('dim_plans') }} as plans
        on
            billed.plan_id = plans.plan_id
            and {{ is_visible('plans', as_of()) }}
            and billed.month >= plans.valid_from
            and (plans.valid_to is null or billed.month <= plans.valid_to)
),

payment_days as (
    select
        count(*) as known_90d,
        count(case when feed_days.dt > {{ days_after(as_of(), -30) }} then 1 end) as known_30d
    from {{ ref('fct_feed_days') }} as feed_days
    where
        feed_days.feed = 'billing_payments'
        and feed_days.is_arrived
        and feed_days.dt > {{ days_after(as_of(), -90) }}
        and feed_days.dt <= {{ as_of() }}
),

topups as (
    select
        payments.subscriber_id,
        count(case when payments.paid_at >= {{ days_after(as_of(), -29) }} then 1 end) as topups_30d,
        count(*) as topups_90d,
        cast(sum(payments.amount_cny) as double) as topup_cny_90d,
        cast(
            sum(case when payments.paid_at >= {{ days_after(as_of(), -29) }} then payments.amount_cny end) as double
        ) as topup_cny_30d,
        max(cast(payments.paid_at as date)) as last_topup_on
    from {{ ref('fct_payments') }} as payments
    where
        {{ is_visible('payments', as_of()) }}
        and payments.paid_at >= {{ days_after(as_of(), -89) }}
        and payments.paid_at < {{ days_after(as_of(), 1) }}
        and payments.amount_cny > 0
        and payments.payment_kind = 'TOPUP'
    group by payments.subscriber_id
),

newest_snapshot as (
    select max(dt) as dt
    from {{ ref('fct_feed_days') }}
    where feed = 'billing_balances' and is_arrived and dt <= {{ as_of() }}
),

balances as (
    select
        balances.subscriber_id,
        cast(balances.balance_cny as double) as balance_cny,
        cast(balances.arrears_cny as double) as arrears_cny,
        {{ days_between(as_of(), 'balances.valid_until') }} as validity_days_left
    from newest_snapshot
    inner join {{ ref('fct_balances') }} as balances on newest_snapshot.dt = balances.balance_date
)

select
    base_lines.subscriber_id,
    billed.total_cny_m1,
    billed.total_cny_m2_to_m4 / nullif(billed.months_m2_to_m4, 0) as mean_total_cny_m2_to_m4,
    billed.total_cny_m1_to_m3 / nullif(billed.months_m1_to_m3, 0) as mean_total_cny_m1_to_m3,
    billed.overage_cny_m1,
    billed.voice_minutes_m1,
    billed.data_mb_m1,
    plans.allowance_minutes,
    plans.allowance_mb,
    payment_days.known_90d as known_payment_days_90d,
    case when payment_days.known_30d > 0 then cast(coalesce(topups.topups_30d, 0) as double) end as topups_30d,
    case when payment_days.known_90d > 0 then cast(coalesce(topups.topups_90d, 0) as double) end as topups_90d,
    case when payment_days.known_30d > 0 then coalesce(topups.topup_cny_30d, 0) end as topup_cny_30d,
    case when payment_days.known_90d > 0 then coalesce(topups.topup_cny_90d, 0) end as topup_cny_90d,
    case
        when payment_days.known_90d > 0
            then cast(coalesce({{ days_between('topups.last_topup_on', as_of()) }}, 90) as double)
    end as days_since_topup,
    balances.balance_cny,
    case when newest_snapshot.dt is not null then coalesce(balances.arrears_cny, 0) end as arrears_cny,
    cast(balances.validity_days_left as double) as validity_days_left
from {{ ref('int_lines') }} as base_lines
cross join payment_days
cross join newest_snapshot
left join billed on base_lines.subscriber_id = billed.subscriber_id
left join plans on base_lines.subscriber_id = plans.subscriber_id and plans.version_rank = 1
left join topups on base_lines.subscriber_id = topups.subscriber_id
left join balances on base_lines.subscriber_id = balances.subscriber_id
