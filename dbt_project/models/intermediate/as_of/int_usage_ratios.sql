{{ config(materialized='table') }}
{%- set resources = {'mou': 'voice', 'data': 'data'} %}

-- Minutes (MOU) and data of each base line per 30 known ACTIVE days, of the last 30 days and of the 90
-- before, and what is left of the base. Ratios are compared without dividing.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

inactive as (
    select
        subscriber_id,
        {%- for resource in ['voice_minutes', 'data_mb', 'voice_unknown_days', 'data_unknown_days'] %}
        sum(case when usage_date >= {{ window_from(30) }} then {{ resource }} end) as {{ resource }}_30d,
        sum(case when usage_date < {{ window_from(30) }} then {{ resource }} end) as {{ resource }}_base
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ window_from(120) }}
    group by subscriber_id
),

sums as (
    select
        active_days.subscriber_id,
        {%- for name, resource in resources.items() %}
        {%- set column = 'voice_minutes' if resource == 'voice' else 'data_mb' %}
        {%- set unknown = resource ~ '_unknown_days' %}
        cast(
            coalesce(states.{{ column }}_30d, 0) - coalesce(inactive.{{ column }}_30d, 0) as decimal(18, 3)
        ) as {{ name }}_sum_30d,
        cast(
            coalesce(states.{{ column }}_120d - states.{{ column }}_30d, 0)
            - coalesce(inactive.{{ column }}_base, 0) as decimal(18, 3)
        ) as {{ name }}_sum_base,
        cast(
            active_days.active_days_30d
            - coalesce(states.{{ unknown }}_30d, 0) + coalesce(inactive.{{ unknown }}_30d, 0) as decimal(4, 0)
        ) as {{ name }}_days_30d,
        cast(
            active_days.active_days_prior90
            - coalesce(states.{{ unknown }}_120d - states.{{ unknown }}_30d, 0)
            + coalesce(inactive.{{ unknown }}_base, 0) as decimal(4, 0)
        ) as {{ name }}_days_base
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_active_days') }} as active_days
    left join {{ ref('int_usage_state') }} as states
        on active_days.subscriber_id = states.subscriber_id and states.as_of_date = {{ as_of() }}
    left join inactive on active_days.subscriber_id = inactive.subscriber_id
),

bases as (
    select
        sums.*,
        parameters.collapse_ratio,
        parameters.alarm_usage_ratio,
        parameters.warning_usage_ratio,
        {%- for name in resources %}
        {%- set floor = 'usage_min_base_minutes' if name == 'mou' else 'usage_min_base_mb' %}
        sums.{{ name }}_days_30d >= parameters.usage_min_recent_days
        and sums.{{ name }}_days_base >= parameters.usage_min_base_days as has_{{ name }}_days,
        30 * sums.{{ name }}_sum_base >= parameters.{{ floor }} * sums.{{ name }}_days_base as has_{{ name }}_base
        {{- ',' if not loop.last }}
        {%- endfor %}
    from sums
    cross join parameters
),

-- now : base is the ratio
spoken as (
    select
        *,
        case
            when has_mou_days and has_mou_base then 'MOU'
            when has_data_days and has_data_base then 'DATA'
        end as usage_resource,
        case
            when has_mou_days and has_mou_base then mou_sum_30d * mou_days_base
            when has_data_days and has_data_base then data_sum_30d * data_days_base
        end as now_part,
        case
            when has_mou_days and has_mou_base then mou_sum_base * mou_days_30d
            when has_data_days and has_data_base then data_sum_base * data_days_30d
        end as base_part
    from bases
)

select
    subscriber_id,
    {%- for name in resources %}
    case when has_{{ name }}_days then cast(30 * {{ name }}_sum_30d as double) / {{ name }}_days_30d end
        as {{ name }}_30d,
    case when has_{{ name }}_days then cast(30 * {{ name }}_sum_base as double) / {{ name }}_days_base end
        as {{ name }}_base,
    {%- endfor %}
    cast(now_part as double) / cast(base_part as double) as usage_ratio,
    usage_resource,
    case
        when has_mou_days
            then has_mou_base and mou_sum_30d * mou_days_base <= collapse_ratio * mou_sum_base * mou_days_30d
    end as is_usage_collapsed,
    now_part <= alarm_usage_ratio * base_part as is_usage_alarm,
    now_part >= warning_usage_ratio * base_part as is_usage_high
from spoken
