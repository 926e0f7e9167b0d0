{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set voice_parts = {
    'voice_out_share_30d': 'voice_out_known_minutes',
    'voice_night_share_30d': 'voice_night_minutes',
    'voice_weekend_share_30d': 'voice_weekend_minutes',
    'voice_roaming_share_30d': 'voice_roaming_minutes',
} %}
{%- set data_parts = [
    'night', 'weekend', 'video', 'social', 'messaging', 'game', 'music', 'tethering', 'background', 'roaming'
] %}

with
parameters as (
    select fit_min_known_days from {{ ref('int_signal_parameters') }}
),

states as (
    select * from {{ ref('int_usage_state') }} where as_of_date = {{ as_of() }}
),

known as (
    select count(*) as known_days_30d
    from {{ ref('int_known_days') }}
    where known_on >= {{ window_from(30) }}
),

inactive as (
    select
        subscriber_id,
        {{ inactive_month_columns() }}
    from {{ ref('int_inactive_usage') }}
    where usage_date between {{ month_first(3) }} and {{ month_last(1) }}
    group by subscriber_id
),

-- Sums over known ACTIVE days of closed months, for lines with enough of them.
months as (
    select
        active_days.subscriber_id,
        {{ month_means() }},
        last_months.voice_minutes_day_max_3m,
        last_months.data_mb_day_max_3m
    from {{ ref('int_active_days') }} as active_days
    cross join parameters
    left join {{ ref('int_usage_last_months') }} as last_months
        on active_days.subscriber_id = last_months.subscriber_id
    left join inactive on active_days.subscriber_id = inactive.subscriber_id
)

select
    lines.subscriber_id,
    lines.as_of_date,
    case when delivered.has_voice_minutes_30d then cast(coalesce(states.voice_minutes_30d, 0) as double) end
        as voice_minutes_30d,
    months.voice_minutes_avg_3m,
    case when delivered.has_data_mb_30d then cast(coalesce(states.data_mb_30d, 0) as double) end as data_mb_30d,
    months.data_mb_avg_3m,
    case when delivered.has_sms_out_30d then coalesce(states.sms_out_30d, 0) end as sms_out_30d,
    case when delivered.has_sms_out_30d then months.sms_out_avg_3m end as sms_out_avg_3m,
    case when delivered.has_calls_30d then coalesce(states.calls_30d, 0) end as calls_30d,
    case when delivered.has_calls_30d then cast(states.voice_minutes_30d as double) / nullif(states.calls_30d, 0) end
        as minutes_per_call_30d,
    {%- for indicator, part in voice_parts.items() %}
    case
        when delivered.has_{{ part }}_30d
            then cast(states.{{ part }}_30d as double) / nullif(states.voice_minutes_30d, 0)
    end as {{ indicator }},
    {%- endfor %}
    {%- for part in data_parts %}
    case
        when delivered.has_data_mb_{{ part }}_30d
            then cast(states.data_mb_{{ part }}_30d as double) / nullif(states.data_mb_30d, 0)
    end as data_{{ part }}_share_30d,
    {%- endfor %}
    case
        when delivered.has_data_mb_30d
            then cast(states.data_mb_30d as double) / nullif(states.voice_minutes_30d, 0)
    end as data_mb_per_voice_minute_30d,
    case when known.known_days_30d > 0 then coalesce(states.use_days_30d, 0) end as active_days_30d,
    case when delivered.has_calls_30d then coalesce(states.call_days_30d, 0) end as call_days_30d,
    case when delivered.has_data_mb_30d then coalesce(states.data_days_30d, 0) end as data_days_30d,
    cast(months.voice_minutes_day_max_3m as double) as voice_minutes_day_max_3m,
    cast(months.data_mb_day_max_3m as double) as data_mb_day_max_3m
from {{ ref('int_lines') }} as lines
cross join known
cross join {{ ref('int_delivered_measures') }} as delivered
left join states on lines.subscriber_id = states.subscriber_id
left join months on lines.subscriber_id = months.subscriber_id
