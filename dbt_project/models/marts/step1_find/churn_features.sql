{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    on_schema_change='fail',
    replaces={'index_dates': 'as_of_date'}
) }}

with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

population as (
    select * from {{ ref('int_population') }}
),

windows as (
    select * from {{ ref('int_usage_windows') }}
),

-- Minutes and MB per 30 known ACTIVE days.
rates as (
    select
        windows.*,
        30 * windows.minutes_7d / nullif(windows.known_7d, 0) as minutes_rate_7d,
        30 * windows.minutes_30d / nullif(windows.known_30d, 0) as minutes_rate_30d,
        30 * windows.minutes_prior90 / nullif(windows.known_prior90, 0) as minutes_rate_prior90,
        30 * windows.mb_7d / nullif(windows.known_7d, 0) as mb_rate_7d,
        30 * windows.mb_30d / nullif(windows.known_30d, 0) as mb_rate_30d,
        30 * windows.mb_prior90 / nullif(windows.known_prior90, 0) as mb_rate_prior90,
        windows.known_30d >= definition.min_known_days_recent
        and windows.known_prior90 >= definition.min_known_days_prior as has_base,
        definition.min_base_minutes,
        definition.min_base_mb
    from windows
    cross join definition
),

usage as (
    select
        rates.*,
        case
            when rates.has_base and rates.minutes_rate_prior90 >= rates.min_base_minutes
                then rates.minutes_rate_30d / rates.minutes_rate_prior90
        end as minutes_ratio,
        case
            when rates.has_base and rates.mb_rate_prior90 >= rates.min_base_mb
                then rates.mb_rate_30d / rates.mb_rate_prior90
        end as mb_ratio,
        rates.competitor_minutes_30d / nullif(rates.minutes_30d, 0) as competitor_share_30d,
        rates.competitor_minutes_prior90 / nullif(rates.minutes_prior90, 0) as competitor_share_prior90
    from rates
),

months as (
    select * from {{ ref('int_monthly_usage') }}
),

spending as (
    select * from {{ ref('int_spending') }}
),

service as (
    select * from {{ ref('int_service_events') }}
),

suspensions as (
    select as_of_date, subscriber_id, count(*) as suspensions_90d
    from {{ ref('int_status_spans') }}
    where
        span_class not in ('ACTIVE', 'LEFT')
        and span_from > {{ days_after('as_of_date', -90) }}
        and span_from <= as_of_date
    group by as_of_date, subscriber_id
),

index_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

contracts as (
    select
        index_dates.as_of_date,
        subscriptions.subscriber_id,
        max({{ days_between('index_dates.as_of_date', 'subscriptions.contract_end_date') }}) as contract_days_left
    from index_dates
    inner join {{ ref('fct_subscriptions') }} as subscriptions
        on {{ is_visible('subscriptions', 'index_dates.as_of_date') }}
    where
        subscriptions.contract_end_date is not null
        and (
            subscriptions.ended_at is null
            or subscriptions.ended_at >= {{ days_after('index_dates.as_of_date', 1) }}
        )
    group by index_dates.as_of_date, subscriptions.subscriber_id
),

customers as (
    select index_dates.as_of_date, customers.customer_id, customers.vip_level, customers.birth_year
    from index_dates
    inner join {{ ref('dim_customers') }} as customers
        on {{ is_visible('customers', 'index_dates.as_of_date') }}
),

devices as (
    select
        index_dates.as_of_date,
        devices.tac,
        case
            when devices.network_generation like '5%' then 5
            when devices.network_generation like '4%' then 4
            when devices.network_generation like '3%' then 3
            when devices.network_generation like '2%' then 2
        end as generation,
        devices.is_dual_sim,
        devices.released_on
    from index_dates
    inner join {{ ref('dim_devices') }} as devices
        on {{ is_visible('devices', 'index_dates.as_of_date') }}
)

select
    population.subscriber_id,
    population.as_of_date,
    population.customer_id,
    population.org_id,
    population.payment_mode,
    population.in_population,
    population.no_index_reason,
    cast(
        case
            when spending.mean_total_cny_m1_to_m3 is not null then spending.mean_total_cny_m1_to_m3
            when population.payment_mode = 'PREPAID' and spending.known_payment_days_90d >= 30
                then 30 * spending.topup_cny_90d / spending.known_payment_days_90d
            when population.payment_mode = 'PREPAID' then months.topup_cny_mean
        end as double
    ) as arpu_cny,

    -- customer
    cast({{ days_between('population.activated_on', 'population.as_of_date') }} as double) as tenure_days,
    population.payment_mode = 'PREPAID' as is_prepaid,
    population.is_autopay,
    cast(customers.vip_level as double) as vip_level,
    cast(extract(year from population.as_of_date) - customers.birth_year as double) as age_years,
    cast(case when contracts.contract_days_left < 0 then 0 else contracts.contract_days_left end as double)
        as contract_days_left,
    cast(devices.generation as double) as device_generation,
    cast({{ days_between('devices.released_on', 'population.as_of_date') }} as double) as device_age_days,
    devices.is_dual_sim as is_dual_sim_device,

    -- service
    coalesce(population.status = 'ONE_WAY_SUSPENDED', false) as is_one_way_suspended,
    cast(coalesce(suspensions.suspensions_90d, 0) as double) as suspensions_90d,
    service.complaints_30d,
    service.complaints_90d,
    service.severe_complaints_90d,
    service.has_open_complaint,
    service.interactions_30d,
    service.exit_requests_30d,
    service.competitor_contacts_30d,
    service.portability_queries_30d,
    usage.troubled_calls_30d / nullif(usage.calls_30d, 0) as troubled_call_share_30d,
    cast(30 * usage.poor_coverage_minutes_30d / nullif(usage.known_30d, 0) as double) as poor_coverage_minutes_30d,

    -- consumption, by day
    usage.minutes_rate_7d as voice_minutes_7d,
    usage.minutes_rate_30d as voice_minutes_30d,
    usage.minutes_rate_prior90 as voice_minutes_prior90,
    coalesce(usage.minutes_ratio, usage.mb_ratio) as usage_ratio,
    usage.minutes_rate_7d / nullif(usage.minutes_rate_30d, 0) as recent_voice_ratio,
    usage.mb_rate_7d as data_mb_7d,
    usage.mb_rate_30d as data_mb_30d,
    usage.mb_ratio as data_ratio,
    usage.mb_rate_7d / nullif(usage.mb_rate_30d, 0) as recent_data_ratio,
    usage.activity_days_7d / nullif(usage.known_7d, 0) as activity_day_share_7d,
    usage.activity_days_30d / nullif(usage.known_30d, 0) as activity_day_share_30d,
    case
        when usage.subscriber_id is not null
            then
                cast(
                    least(
                        coalesce({{ days_between('population.last_active_on', 'population.as_of_date') }}, 120), 120
                    ) as double
                )
    end as days_since_activity,
    usage.incoming_minutes_30d / nullif(usage.minutes_30d, 0) as incoming_share_30d,
    usage.offnet_minutes_30d / nullif(usage.minutes_30d, 0) as offnet_share_30d,
    usage.competitor_share_30d,
    usage.competitor_share_30d - usage.competitor_share_prior90 as competitor_share_rise,

    -- consumption, by month
    months.months_seen,
    months.minutes_m1 as voice_minutes_m1,
    months.minutes_m1 / nullif((months.minutes_m2 + coalesce(months.minutes_m3, months.minutes_m2)) / 2, 0)
        as voice_ratio_m1,
    months.mb_m1 as data_mb_m1,
    months.mb_m1 / nullif((months.mb_m2 + coalesce(months.mb_m3, months.mb_m2)) / 2, 0) as data_ratio_m1,
    months.active_days_m1,
    months.topup_count_m1,
    months.topup_cny_m1,
    months.topup_cny_m1 / nullif((months.topup_cny_m2 + coalesce(months.topup_cny_m3, months.topup_cny_m2)) / 2, 0)
        as topup_ratio_m1,
    months.balance_end_cny_m1,

    -- consumption, in money
    spending.total_cny_m1 as invoice_cny_m1,
    spending.total_cny_m1 / nullif(spending.mean_total_cny_m2_to_m4, 0) as invoice_ratio_m1,
    spending.overage_cny_m1,
    spending.voice_minutes_m1 / nullif(spending.allowance_minutes, 0) as voice_allowance_ratio_m1,
    spending.data_mb_m1 / nullif(spending.allowance_mb, 0) as data_allowance_ratio_m1,
    spending.balance_cny,
    spending.arrears_cny,
    case when population.payment_mode = 'PREPAID' then spending.validity_days_left end as validity_days_left,
    case when population.payment_mode = 'PREPAID' then spending.days_since_topup end as days_since_topup,
    case when population.payment_mode = 'PREPAID' then spending.topups_30d end as topups_30d,
    case when population.payment_mode = 'PREPAID' then spending.topups_90d end as topups_90d,
    case
        when population.payment_mode = 'PREPAID' then 3 * spending.topup_cny_30d / nullif(spending.topup_cny_90d, 0)
    end as topup_ratio
from population
left join usage
    on population.as_of_date = usage.as_of_date and population.subscriber_id = usage.subscriber_id
left join months
    on population.as_of_date = months.as_of_date and population.subscriber_id = months.subscriber_id
left join spending
    on population.as_of_date = spending.as_of_date and population.subscriber_id = spending.subscriber_id
left join service
    on population.as_of_date = service.as_of_date and population.subscriber_id = service.subscriber_id
left join suspensions
    on population.as_of_date = suspensions.as_of_date and population.subscriber_id = suspensions.subscriber_id
left join contracts
    on population.as_of_date = contracts.as_of_date and population.subscriber_id = contracts.subscriber_id
left join customers
    on population.as_of_date = customers.as_of_date and population.customer_id = customers.customer_id
left join devices
    on population.as_of_date = devices.as_of_date and coalesce(usage.tac, months.tac) = devices.tac
