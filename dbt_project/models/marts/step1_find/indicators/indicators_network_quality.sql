{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

with
parameters as (
    select usage_min_recent_days, usage_min_base_days from {{ ref('int_signal_parameters') }}
),

-- The shares of the last 30 days and of the 90 before; null where what they divide by is zero.
states as (
    select
        *,
        cast(dropped_calls_30d as double) / nullif(calls_30d, 0) as dropped_rate_30d,
        cast(dropped_calls_120d - dropped_calls_30d as double) / nullif(calls_120d - calls_30d, 0)
            as dropped_rate_prior90,
        cast(failed_calls_30d as double) / nullif(calls_out_30d + failed_calls_30d, 0) as failed_rate_30d,
        cast(failed_calls_120d - failed_calls_30d as double)
        / nullif(calls_out_120d - calls_out_30d + failed_calls_120d - failed_calls_30d, 0) as failed_rate_prior90,
        cast(failed_data_sessions_30d as double) / nullif(data_sessions_30d, 0) as session_rate_30d,
        cast(failed_data_sessions_120d - failed_data_sessions_30d as double)
        / nullif(data_sessions_120d - data_sessions_30d, 0) as session_rate_prior90,
        cast(slow_data_mb_30d as double) / nullif(data_mb_30d, 0) as slow_share_30d,
        cast(slow_data_mb_120d - slow_data_mb_30d as double) / nullif(data_mb_120d - data_mb_30d, 0)
            as slow_share_prior90
    from {{ ref('int_usage_state') }}
    where as_of_date = {{ as_of() }}
),

branches as (
    select
        lines.org_id,
        cast(sum(states.dropped_calls_30d) as double) / nullif(sum(states.calls_30d), 0) as dropped_rate_30d,
        cast(sum(states.slow_data_mb_30d) as double) / nullif(sum(states.data_mb_30d), 0) as slow_share_30d
    from {{ ref('int_lines') }} as lines
    inner join states on lines.subscriber_id = states.subscriber_id
    where lines.org_id is not null
    group by lines.org_id
),

devices as (
    select
        tac,
        case
            when network_generation like '5%' then 5
            when network_generation like '4%' then 4
        end as generation
    from {{ ref('dim_devices') }} as devices
    where {{ is_visible('devices', as_of()) }}
),

inactive as (
    select
        subscriber_id,
        sum(case when usage_date >= {{ window_from(30) }} then poor_coverage_minutes end) as poor_coverage_minutes_30d,
        sum(poor_coverage_minutes) as poor_coverage_minutes_120d
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ window_from(120) }}
    group by subscriber_id
),

-- Each failure as its newest steps tell it; one that is not over lasts until the end of the date.
failures as (
    select
        failure_id,
        max(subscriber_id) as subscriber_id,
        max(case when coalesce(scope, '') <> 'SUBSCRIBER' then org_id end) as org_id,
        max(started_at) as started_at,
        coalesce(max(ended_at), cast({{ days_after(as_of(), 1) }} as timestamp)) as ended_at
    from {{ ref('fct_service_failures') }} as failures
    where failures.visible_from > {{ days_after(as_of(), -365) }} and {{ is_visible('failures', as_of()) }}
    group by failure_id
),

touches as (
    select
        subscriber_id,
        org_id,
        cast(started_at as date) as started_on,
        case
            when cast(started_at as date) >= {{ window_from(30) }}
                then greatest({{ minutes_between('started_at', 'ended_at') }}, 0)
            else 0
        end as minutes_30d,
        case when cast(started_at as date) >= {{ window_from(90) }} then 1 else 0 end as is_in_90d
    from failures
    where started_at is not null
),

-- A failure of a unit touches every branch below it.
branch_outages as (
    select
        units.org_id,
        sum(touches.minutes_30d) as minutes_30d,
        sum(touches.is_in_90d) as outages_90d,
        max(touches.started_on) as last_started_on
    from {{ ref('dim_org') }} as units
    inner join touches
        on touches.org_id in (units.org_id, units.branch_id, units.city_id, units.province_id, units.hq_id)
    where {{ is_visible('units', as_of()) }} and touches.org_id is not null
    group by units.org_id
),

line_outages as (
    select
        subscriber_id,
        sum(minutes_30d) as minutes_30d,
        sum(is_in_90d) as outages_90d,
        max(started_on) as last_started_on
    from touches
    where subscriber_id is not null
    group by subscriber_id
),

complaints as (
    select subscriber_id, count(*) as network_complaints_90d
    from {{ ref('fct_complaints') }} as complaints
    where
        complaints.category = 'NETWORK'
        and complaints.opened_at >= {{ window_from(90) }}
        and {{ is_visible('complaints', as_of()) }}
    group by subscriber_id
),

contacts as (
    select subscriber_id, count(*) as fault_contacts_90d
    from {{ ref('fct_interactions') }} as contacts
    where
        contacts.reason = 'FAULT'
        and contacts.occurred_at >= {{ window_from(90) }}
        and contacts.visible_from >= {{ window_from(90) }}
        and {{ is_visible('contacts', as_of()) }}
    group by subscriber_id
),

feeds as (
    select
        coalesce(max(case when feed = 'service_failures' then last_arrived_on end) >= {{ window_from(90) }}, false)
            as has_failures,
        coalesce(max(case when feed = 'care_complaints' then last_arrived_on end) >= {{ window_from(90) }}, false)
            as has_complaints,
        coalesce(max(case when feed = 'care_interactions' then last_arrived_on end) >= {{ window_from(90) }}, false)
            as has_contacts
    from {{ ref('int_feed_arrivals') }}
),

last_months as (
    select subscriber_id, dropped_calls_day_max_3m, poor_coverage_day_max_3m
    from {{ ref('int_usage_last_months') }}
)

select
    lines.subscriber_id,
    lines.as_of_date,
    case when delivered.has_dropped_calls_30d then states.dropped_rate_30d end as dropped_call_rate_30d,
    case when delivered.has_failed_calls_30d then states.failed_rate_30d end as failed_call_rate_30d,
    case when delivered.has_dropped_calls_7d then coalesce(states.dropped_calls_7d, 0) end as dropped_calls_7d,
    case when delivered.has_failed_calls_7d then coalesce(states.failed_calls_7d, 0) end as failed_calls_7d,
    case when delivered.has_bad_call_days_30d then coalesce(states.bad_call_days_30d, 0) end as bad_call_days_30d,
    last_months.dropped_calls_day_max_3m,
    case
        when delivered.has_dropped_calls_30d and delivered.has_dropped_calls_prior90
            then states.dropped_rate_30d - states.dropped_rate_prior90
    end as dropped_call_rate_change_30d,
    case
        when delivered.has_failed_calls_30d and delivered.has_failed_calls_prior90
            then states.failed_rate_30d - states.failed_rate_prior90
    end as failed_call_rate_change_30d,
    states.dropped_rate_30d / nullif(branches.dropped_rate_30d, 0) as dropped_rate_to_branch_ratio_30d,
    case when delivered.has_failed_data_sessions_30d then states.session_rate_30d end as failed_data_session_rate_30d,
    case
        when delivered.has_failed_data_sessions_30d and delivered.has_failed_data_sessions_prior90
            then states.session_rate_30d - states.session_rate_prior90
    end as failed_data_session_rate_change_30d,
    case when delivered.has_failed_data_sessions_30d then coalesce(states.failed_data_days_30d, 0) end
        as failed_data_days_30d,
    case when delivered.has_slow_data_mb_30d then states.slow_share_30d end as slow_data_share_30d,
    case
        when delivered.has_slow_data_mb_30d and delivered.has_slow_data_mb_prior90
            then states.slow_share_30d - states.slow_share_prior90
    end as slow_data_share_change_30d,
    case when delivered.has_slow_data_mb_30d then coalesce(states.slow_data_days_30d, 0) end as slow_data_days_30d,
    states.slow_share_30d / nullif(branches.slow_share_30d, 0) as slow_share_to_branch_ratio_30d,
    case
        when delivered.has_poor_coverage_minutes_30d then cast(coalesce(states.poor_coverage_minutes_30d, 0) as double)
    end as poor_coverage_minutes_30d,
    case
        when
            delivered.has_poor_coverage_minutes_30d
            and delivered.has_poor_coverage_minutes_prior90
            and active_days.active_days_30d >= parameters.usage_min_recent_days
            and active_days.active_days_prior90 >= parameters.usage_min_base_days
            then
                cast(states.poor_coverage_minutes_30d - coalesce(inactive.poor_coverage_minutes_30d, 0) as double)
                * active_days.active_days_prior90
                / nullif(
                    (
                        states.poor_coverage_minutes_120d
                        - states.poor_coverage_minutes_30d
                        - coalesce(inactive.poor_coverage_minutes_120d, 0)
                        + coalesce(inactive.poor_coverage_minutes_30d, 0)
                    )
                    * active_days.active_days_30d,
                    0
                )
    end as poor_coverage_ratio_30d_prior90d,
    case when delivered.has_poor_coverage_minutes_30d then coalesce(states.poor_coverage_days_30d, 0) end
        as poor_coverage_days_30d,
    cast(last_months.poor_coverage_day_max_3m as double) as poor_coverage_day_max_3m,
    case
        when devices.generation = 5 and delivered.has_data_mb_5g_30d
            then cast(states.data_mb_30d - states.data_mb_5g_30d as double) / nullif(states.data_mb_30d, 0)
        when devices.generation = 4 and delivered.has_data_mb_4g_30d
            then
                cast(states.data_mb_30d - states.data_mb_4g_30d - states.data_mb_5g_30d as double)
                / nullif(states.data_mb_30d, 0)
    end as low_generation_data_share_30d,
    case
        when feeds.has_failures
            then cast(coalesce(line_outages.minutes_30d, 0) + coalesce(branch_outages.minutes_30d, 0) as double)
    end as outage_minutes_30d,
    case
        when feeds.has_failures
            then cast(coalesce(line_outages.outages_90d, 0) + coalesce(branch_outages.outages_90d, 0) as integer)
    end as outages_90d,
    case
        when feeds.has_failures
            then
                cast(
                    {{ days_between(
                        'greatest(line_outages.last_started_on, branch_outages.last_started_on)', as_of()
                    ) }} as integer
                )
    end as days_since_outage,
    case when feeds.has_complaints then cast(coalesce(complaints.network_complaints_90d, 0) as integer) end
        as network_complaints_90d,
    case when feeds.has_contacts then cast(coalesce(contacts.fault_contacts_90d, 0) as integer) end
        as fault_contacts_90d
from {{ ref('int_lines') }} as lines
cross join parameters
cross join feeds
cross join {{ ref('int_delivered_measures') }} as delivered
left join states on lines.subscriber_id = states.subscriber_id
left join {{ ref('int_active_days') }} as active_days on lines.subscriber_id = active_days.subscriber_id
left join inactive on lines.subscriber_id = inactive.subscriber_id
left join last_months on lines.subscriber_id = last_months.subscriber_id
left join branches on lines.org_id = branches.org_id
left join branch_outages on lines.org_id = branch_outages.org_id
left join line_outages on lines.subscriber_id = line_outages.subscriber_id
left join devices on states.last_tac = devices.tac
left join complaints on lines.subscriber_id = complaints.subscriber_id
left join contacts on lines.subscriber_id = contacts.subscriber_id
