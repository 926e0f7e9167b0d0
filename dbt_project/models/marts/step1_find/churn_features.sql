{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates',
    tags=['as_of_day']
) }}

with
parameters as (
    select usage_min_base_mb from {{ ref('int_signal_parameters') }}
),

population as (
    select * from {{ ref('int_population') }}
),

usage as (
    select * from {{ ref('int_usage_windows') }}
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
    select subscriber_id, count(*) as suspensions_90d
    from {{ ref('int_standings') }}
    where
        status in ('ONE_WAY_SUSPENDED', 'TWO_WAY_SUSPENDED')
        and standing_from > {{ days_after(as_of(), -90) }}
        and standing_from <= {{ as_of() }}
    group by subscriber_id
),

contracts as (
    select subscriber_id, max({{ days_between(as_of(), 'contract_end_date') }}) as contract_days_left
    from {{ ref('fct_subscriptions') }} as subscriptions
    where
        {{ is_visible('subscriptions', as_of()) }}
        and contract_end_date is not null
        and (ended_at is null or ended_at >= {{ days_after(as_of(), 1) }})
    group by subscriber_id
),

devices as (
    select
        tac,
        case
            when network_generation like '5%' then 5
            when network_generation like '4%' then 4
            when network_generation like '3%' then 3
            when network_generation like '2%' then 2
        end as generation,
        is_dual_sim,
        released_on
    from {{ ref('dim_devices') }} as devices
    where {{ is_visible('devices', as_of()) }}
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
    cast(population.vip_level as double) as vip_level,
    cast(extract(year from population.as_of_date) - population.birth_year as double) as age_years,
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
    usage.troubled_call_share_30d,
    usage.poor_coverage_minutes_30d,

    -- consumption, by day
    usage.minutes_rate_7d as voice_minutes_7d,
    usage.minutes_rate_30d as voice_minutes_30d,
    usage.minutes_rate_prior90 as voice_minutes_prior90,
    ratios.usage_ratio,
    usage.minutes_rate_7d / nullif(usage.minutes_rate_30d, 0) as recent_voice_ratio,
    usage.mb_rate_7d as data_mb_7d,
    usage.mb_rate_30d as data_mb_30d,
    case when ratios.data_base >= parameters.usage_min_base_mb then ratios.data_30d / ratios.data_base end
        as data_ratio,
    usage.mb_rate_7d / nullif(usage.mb_rate_30d, 0) as recent_data_ratio,
    usage.activity_day_share_7d,
    usage.activity_day_share_30d,
    case
        when usage.subscriber_id is not null
            then
                cast(
                    least(
                        coalesce({{ days_between('population.last_active_on', 'population.as_of_date') }}, 120), 120
                    ) as double
                )
    end as days_since_activity,
    usage.incoming_share_30d,
    usage.offnet_share_30d,
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
    end as topup_ratio,

    -- what points to a cause
    cast(plan.plan_mismatch_months as double) as plan_mismatch_months,
    cast(care.plan_queries_90d as double) as plan_queries_90d,
    cast(care.bill_queries_90d as double) as bill_queries_90d,
    cast(care.billing_complaints_90d as double) as billing_complaints_90d,
    cast(care.unauthorised_order_complaints_12m as double) as unauthorised_order_complaints_12m,
    cast(care.attitude_complaints_12m as double) as attitude_complaints_12m,
    cast(network.network_complaints_90d as double) as network_complaints_90d,
    cast(network.fault_contacts_90d as double) as fault_contacts_90d,
    cast(network.slow_data_share_30d as double) as slow_data_share_30d,
    cast(rivals.competitor_mentions_180d as double) as competitor_mentions_180d,
    rivals.is_forwarded_to_competitor,
    cast(device.device_generation_gap as double) as device_generation_gap,
    cast(loyalty.vas_cancelled_90d as double) as vas_cancelled_90d,
    cast(circle.circle_churned_members_90d as double) as circle_churned_members_90d
from population
cross join parameters
left join usage on population.subscriber_id = usage.subscriber_id
left join {{ ref('int_usage_ratios') }} as ratios on population.subscriber_id = ratios.subscriber_id
left join months on population.subscriber_id = months.subscriber_id
left join spending on population.subscriber_id = spending.subscriber_id
left join service on population.subscriber_id = service.subscriber_id
left join suspensions on population.subscriber_id = suspensions.subscriber_id
left join contracts on population.subscriber_id = contracts.subscriber_id
left join devices on coalesce(usage.tac, months.tac) = devices.tac
left join {{ ref('indicators_plan_fit') }} as plan
    on population.subscriber_id = plan.subscriber_id and plan.as_of_date = {{ as_of() }}
left join {{ ref('indicators_service_complaints') }} as care
    on population.subscriber_id = care.subscriber_id and care.as_of_date = {{ as_of() }}
left join {{ ref('indicators_network_quality') }} as network
    on population.subscriber_id = network.subscriber_id and network.as_of_date = {{ as_of() }}
left join {{ ref('indicators_competition') }} as rivals
    on population.subscriber_id = rivals.subscriber_id and rivals.as_of_date = {{ as_of() }}
left join {{ ref('indicators_device') }} as device
    on population.subscriber_id = device.subscriber_id and device.as_of_date = {{ as_of() }}
left join {{ ref('indicators_lifecycle_loyalty') }} as loyalty
    on population.subscriber_id = loyalty.subscriber_id and loyalty.as_of_date = {{ as_of() }}
left join {{ ref('indicators_social_circle') }} as circle
    on population.subscriber_id = circle.subscriber_id and circle.as_of_date = {{ as_of() }}
