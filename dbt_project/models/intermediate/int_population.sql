{{ config(materialized='table') }}

-- Every base line in the network as of each index date: does it get an index, and if not, why.
with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

index_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

lines as (
    select
        index_dates.as_of_date,
        subscribers.subscriber_id,
        subscribers.customer_id,
        subscribers.org_id,
        subscribers.payment_mode,
        cast(subscribers.activated_at as date) as activated_on,
        subscribers.status,
        subscribers.status_reason,
        subscribers.is_autopay
    from index_dates
    inner join {{ ref('dim_subscribers') }} as subscribers
        on {{ is_visible('subscribers', 'index_dates.as_of_date') }}
    where {{ is_base('subscribers') }} and coalesce(subscribers.status, 'ACTIVE') <> 'DEACTIVATED'
),

known_days as (
    select
        index_dates.as_of_date,
        feed_days.dt,
        row_number() over (partition by index_dates.as_of_date order by feed_days.dt desc) as days_back
    from index_dates
    inner join {{ ref('fct_feed_days') }} as feed_days
        on index_dates.as_of_date >= feed_days.dt
    where feed_days.feed = 'usage_daily' and feed_days.is_arrived
),

daily_basis as (
    select
        known_days.as_of_date,
        min(known_days.dt) as first_known_on,
        min(case when known_days.days_back <= definition.prepaid_activity_days then known_days.dt end) as recent_from
    from known_days
    cross join definition
    group by known_days.as_of_date
),

signs as (
    select index_dates.as_of_date, usage.subscriber_id, usage.usage_date as active_on
    from index_dates
    inner join {{ ref('fct_usage_daily') }} as usage
        on
            {{ is_visible('usage', 'index_dates.as_of_date') }}
            and usage.usage_date <= index_dates.as_of_date
    where usage.is_activity_day
    union all
    select index_dates.as_of_date, payments.subscriber_id, cast(payments.paid_at as date) as active_on
    from index_dates
    inner join {{ ref('fct_payments') }} as payments
        on
            {{ is_visible('payments', 'index_dates.as_of_date') }}
            and cast(payments.paid_at as date) <= index_dates.as_of_date
    where payments.amount_cny > 0 and coalesce(payments.payment_kind, 'TOPUP') <> 'REVERSAL'
),

last_signs as (
    select as_of_date, subscriber_id, max(active_on) as last_active_on
    from signs
    group by as_of_date, subscriber_id
),

-- Operators with monthly usage only: the newest visible month speaks.
months as (
    select
        index_dates.as_of_date,
        usage.subscriber_id,
        usage.month,
        (
            {{ is_activity_day('usage', 'definition.min_activity_mb') }}
            or coalesce(usage.active_days, 0) >= 1
            or coalesce(usage.topup_count, 0) >= 1
            or coalesce(usage.topup_cny, 0) > 0
        ) as is_active
    from index_dates
    cross join definition
    inner join {{ ref('fct_usage_monthly') }} as usage
        on {{ is_visible('usage', 'index_dates.as_of_date') }}
),

monthly_basis as (
    select as_of_date, min(month) as first_month, max(month) as newest_month
    from months
    group by as_of_date
),

last_months as (
    select as_of_date, subscriber_id, max(month) as last_active_month
    from months
    where is_active
    group by as_of_date, subscriber_id
),

churned as (
    select distinct spells.as_of_date, spells.subscriber_id
    from {{ ref('int_churn_spells') }} as spells
    cross join definition
    where
        spells.returned_on is null
        or {{ days_after('spells.returned_on', 'definition.revival_wait_days') }} > spells.as_of_date
),

judged as (
    select
        lines.*,
        last_signs.last_active_on,
        case
            when churned.subscriber_id is not null then 'CONFIRMED_CHURNED'
            when
                lines.status in ('ONE_WAY_SUSPENDED', 'TWO_WAY_SUSPENDED')
                and lines.status_reason in ('OPERATOR', 'FRAUD', 'REAL_NAME', 'LOST_SIM')
                then 'OPERATOR_HOLD'
            when lines.status = 'TWO_WAY_SUSPENDED' then 'SUSPENDED'
            when daily_basis.as_of_date is not null
                then
                    case
                        when last_signs.last_active_on is null and lines.activated_on >= daily_basis.first_known_on
                            then 'NOT_USED_YET'
                        when
                            lines.payment_mode = 'PREPAID'
                            and (
                                last_signs.last_active_on is null
                                or last_signs.last_active_on < daily_basis.recent_from
                            )
                            then 'ALREADY_SILENT'
                    end
            when monthly_basis.as_of_date is not null
                then
                    case
                        when last_months.last_active_month is null and lines.activated_on >= monthly_basis.first_month
                            then 'NOT_USED_YET'
                        when
                            lines.payment_mode = 'PREPAID'
                            and (
                                last_months.last_active_month is null
                                or last_months.last_active_month < monthly_basis.newest_month
                            )
                            then 'ALREADY_SILENT'
                    end
        end as no_index_reason
    from lines
    left join churned
        on lines.as_of_date = churned.as_of_date and lines.subscriber_id = churned.subscriber_id
    left join daily_basis on lines.as_of_date = daily_basis.as_of_date
    left join last_signs
        on lines.as_of_date = last_signs.as_of_date and lines.subscriber_id = last_signs.subscriber_id
    left join monthly_basis on lines.as_of_date = monthly_basis.as_of_date
    left join last_months
        on lines.as_of_date = last_months.as_of_date and lines.subscriber_id = last_months.subscriber_id
)

select
    *,
    no_index_reason is null as in_population
from judged
