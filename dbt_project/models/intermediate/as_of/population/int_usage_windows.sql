-- noqa: disable=LT02
{{ config(materialized='table') }}
{%- set sums = [
    'voice_minutes_7d', 'voice_minutes_30d', 'voice_minutes_120d',
    'voice_unknown_days_7d', 'voice_unknown_days_30d', 'voice_unknown_days_120d',
    'data_mb_7d', 'data_mb_30d', 'data_mb_120d',
    'data_unknown_days_7d', 'data_unknown_days_30d', 'data_unknown_days_120d',
    'voice_out_known_minutes_30d', 'voice_offnet_minutes_30d',
    'voice_competitor_minutes_30d', 'voice_competitor_minutes_120d',
    'calls_30d', 'dropped_calls_30d', 'failed_calls_30d', 'poor_coverage_minutes_30d',
    'use_days_7d', 'use_days_30d',
] -%}
-- Use of each base line in windows up to the date, over known ACTIVE days. Rates are per 30 days on which
-- the measure is known. What nobody has a value of was not delivered: unknown, otherwise no row is zero.
with
known as (
    select count(*) as known_days from {{ ref('int_known_days') }} where known_on >= {{ window_from(120) }}
),

states as (
    select * from {{ ref('int_usage_state') }} where as_of_date = {{ as_of() }}
),

inactive as (
    select
        subscriber_id,
        {%- for column in sums %}
        {%- set name, window = column.rsplit('_', 1) %}
        sum(case when usage_date >= {{ window_from(window[:-1] | int) }} then {{ name }} end) as {{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ window_from(120) }}
    group by subscriber_id
),

active as (
    select
        active_days.subscriber_id,
        active_days.active_days_7d,
        active_days.active_days_30d,
        active_days.active_days_30d + active_days.active_days_prior90 as active_days_120d,
        states.last_tac,
        {%- for column in sums %}
        cast(coalesce(states.{{ column }}, 0) - coalesce(inactive.{{ column }}, 0) as double) as {{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_active_days') }} as active_days
    left join states on active_days.subscriber_id = states.subscriber_id
    left join inactive on active_days.subscriber_id = inactive.subscriber_id
),

-- Days on which the line was ACTIVE and the measure is known.
counted as (
    select
        *,
        {%- for measure in ['voice', 'data'] %}
        active_days_7d - {{ measure }}_unknown_days_7d as {{ measure }}_days_7d,
        active_days_30d - {{ measure }}_unknown_days_30d as {{ measure }}_days_30d,
        active_days_120d - active_days_30d - {{ measure }}_unknown_days_120d + {{ measure }}_unknown_days_30d
            as {{ measure }}_days_prior90{{ ',' if not loop.last }}
        {%- endfor %}
    from active
)

select
    counted.subscriber_id,
    {%- for name, measure in {'minutes': 'voice', 'mb': 'data'}.items() %}
    {%- set column = {'voice': 'voice_minutes', 'data': 'data_mb'}[measure] %}
    {%- for window in ['7d', '30d'] %}
    case
        when delivered.has_{{ column }}_{{ window }}
            then 30 * counted.{{ column }}_{{ window }} / nullif(counted.{{ measure }}_days_{{ window }}, 0)
    end as {{ name }}_rate_{{ window }},
    {%- endfor %}
    case
        when delivered.has_{{ column }}_prior90
            then
                30 * (counted.{{ column }}_120d - counted.{{ column }}_30d)
                / nullif(counted.{{ measure }}_days_prior90, 0)
    end as {{ name }}_rate_prior90,
    {%- endfor %}
    case
        when delivered.has_poor_coverage_minutes_30d
            then 30 * counted.poor_coverage_minutes_30d / nullif(counted.active_days_30d, 0)
    end as poor_coverage_minutes_30d,
    counted.use_days_7d / nullif(counted.active_days_7d, 0) as activity_day_share_7d,
    counted.use_days_30d / nullif(counted.active_days_30d, 0) as activity_day_share_30d,
    case
        when delivered.has_voice_minutes_30d
            then 1 - counted.voice_out_known_minutes_30d / nullif(counted.voice_minutes_30d, 0)
    end as incoming_share_30d,
    case
        when delivered.has_voice_offnet_minutes_30d
            then counted.voice_offnet_minutes_30d / nullif(counted.voice_minutes_30d, 0)
    end as offnet_share_30d,
    case
        when delivered.has_voice_competitor_minutes_30d
            then counted.voice_competitor_minutes_30d / nullif(counted.voice_minutes_30d, 0)
    end as competitor_share_30d,
    case
        when delivered.has_voice_competitor_minutes_prior90
            then
                (counted.voice_competitor_minutes_120d - counted.voice_competitor_minutes_30d)
                / nullif(counted.voice_minutes_120d - counted.voice_minutes_30d, 0)
    end as competitor_share_prior90,
    case
        when delivered.has_dropped_calls_30d or delivered.has_failed_calls_30d
            then (counted.dropped_calls_30d + counted.failed_calls_30d) / nullif(counted.calls_30d, 0)
    end as troubled_call_share_30d,
    counted.last_tac as tac
from counted
cross join known
cross join {{ ref('int_delivered_measures') }} as delivered
where known.known_days > 0
