-- What each line was billed, topped up and holds, as known on each index date.
with
index_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

lines as (
    select as_of_date, subscriber_id from {{ ref('int_population') }}
),

-- Of the invoices, m1 is the newest month visible.
invoices as (
    select
        index_dates.as_of_date,
        invoices.*,
        12 * extract(year from invoices.month) + extract(month from invoices.month) as month_number
    from index_dates
    inner join {{ ref('fct_invoices') }} as invoices
        on {{ is_visible('invoices', 'index_dates.as_of_date') }}
),

newest_month as (
    select as_of_date, max(month_number) as month_number
    from invoices
    group by as_of_date
),

numbered_invoices as (
    select
        invoices.*,
        newest_month.month_number - invoices.month_number + 1 as months_back
    from invoices
    inner join newest_month on invoices.as_of_date = newest_month.as_of_date
),

billed as (
    select
        as_of_date,
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
    group by as_of_date, subscriber_id
),

-- The price version that was valid when the month of the newest invoice began.
plans as (
    select
        billed.as_of_date,
        billed.subscriber_id,
        cast(plans.voice_minutes as double) as allowance_minutes,
        cast(plans.data_mb as double) as allowance_mb,
        row_number() over (
            partition by billed.as_of_date, billed.subscriber_id order by plans.valid_from desc
        ) as version_rank
    from billed
    inner join {{ ref('dim_plans') }} as plans
        on
            billed.plan_id = plans.plan_id
            and {{ is_visible('plans', 'billed.as_of_date') }}
            and plans.valid_from <= billed.month
            and (plans.valid_to is null or plans.valid_to >= billed.month)
),

payment_days as (
    select
        index_dates.as_of_date,
        count(*) as known_90d,
        count(case when feed_days.dt > {{ days_after('index_dates.as_of_date', -30) }} then 1 end) as known_30d
    from index_dates
    inner join {{ ref('fct_feed_days') }} as feed_days
        on
            index_dates.as_of_date >= feed_days.dt
            and feed_days.dt > {{ days_after('index_dates.as_of_date', -90) }}
    where feed_days.feed = 'billing_payments' and feed_days.is_arrived
    group by index_dates.as_of_date
),

topups as (
    select
        index_dates.as_of_date,
        payments.subscriber_id,
        count(case when payments.paid_at >= {{ days_after('index_dates.as_of_date', -29) }} then 1 end) as topups_30d,
        count(*) as topups_90d,
        cast(sum(payments.amount_cny) as double) as topup_cny_90d,
        cast(
            sum(
                case
                    when payments.paid_at >= {{ days_after('index_dates.as_of_date', -29) }} then payments.amount_cny
                end
            ) as double
        ) as topup_cny_30d,
        max(cast(payments.paid_at as date)) as last_topup_on
    from index_dates
    inner join {{ ref('fct_payments') }} as payments
        on
            {{ is_visible('payments', 'index_dates.as_of_date') }}
            and payments.paid_at >= {{ days_after('index_dates.as_of_date', -89) }}
            and payments.paid_at < {{ days_after('index_dates.as_of_date', 1) }}
    where payments.amount_cny > 0 and payments.payment_kind = 'TOPUP'
    group by index_dates.as_of_date, payments.subscriber_id
),

newest_snapshot as (
    select index_dates.as_of_date, max(feed_days.dt) as dt
    from index_dates
    inner join {{ ref('fct_feed_days') }} as feed_days
        on index_dates.as_of_date >= feed_days.dt
    where feed_days.feed = 'billing_balances' and feed_days.is_arrived
    group by index_dates.as_of_date
),

balances as (
    select
        newest_snapshot.as_of_date,
        balances.subscriber_id,
        cast(balances.balance_cny as double) as balance_cny,
        cast(balances.arrears_cny as double) as arrears_cny,
        {{ days_between('newest_snapshot.as_of_date', 'balances.valid_until') }} as validity_days_left
    from newest_snapshot
    inner join {{ ref('fct_balances') }} as balances on newest_snapshot.dt = balances.balance_date
)

select
    lines.as_of_date,
    lines.subscriber_id,
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
            then cast(coalesce({{ days_between('topups.last_topup_on', 'lines.as_of_date') }}, 90) as double)
    end as days_since_topup,
    balances.balance_cny,
    case when newest_snapshot.dt is not null then coalesce(balances.arrears_cny, 0) end as arrears_cny,
    cast(balances.validity_days_left as double) as validity_days_left
from lines
left join billed
    on lines.as_of_date = billed.as_of_date and lines.subscriber_id = billed.subscriber_id
left join plans
    on
        lines.as_of_date = plans.as_of_date
        and lines.subscriber_id = plans.subscriber_id
        and plans.version_rank = 1
left join payment_days on lines.as_of_date = payment_days.as_of_date
left join topups
    on lines.as_of_date = topups.as_of_date and lines.subscriber_id = topups.subscriber_id
left join newest_snapshot on lines.as_of_date = newest_snapshot.as_of_date
left join balances
    on lines.as_of_date = balances.as_of_date and lines.subscriber_id = balances.subscriber_id
