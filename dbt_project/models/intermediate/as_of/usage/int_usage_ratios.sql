{{ config(materialized='table') }}

-- Minutes (MOU) and data of each base line per 30 known ACTIVE days, of the last 30 days and of the 90
-- before, and what is left of the base. Ratios are compared without dividing.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

inactive as (
    select
        subscriber_id,
        sum(case when usage_date >= {{ window_from(30) }} then voice_minutes end) as voice_minutes_30d,
        sum(case when usage_date < {{ window_from(30) }} then voice_minutes end) as voice_minutes_base,
        sum(case when usage_date >= {{ window_from(30) }} then data_mb end) as data_mb_30d,
        sum(case when usage_date < {{ window_from(30) }} then data_mb end) as data_mb_base,
        sum(case when usage_date >= {{ window_from(30) }} then voice_unknown_days end) as voice_unknown_days_30d,
        sum(case when usage_date < {{ window_from(30) }} then voice_unknown_days end) as voice_unknown_days_base,
        sum(case when usage_date >= {{ window_from(30) }} then data_unknown_days end) as data_unknown_days_30d,
        sum(case when usage_date < {{ window_from(30) }} then data_unknown_days end) as data_unknown_days_base
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ window_from(120) }}
    group by subscriber_id
),

sums as (
    select
        active_days.subscriber_id,
        cast(coalesce(states.voice_minutes_30d, 0) - coalesce(inactive.voice_minutes_30d, 0) as decimal(18, 3))
            as mou_sum_30d,
        cast(
            coalesce(states.voice_minutes_120d - states.voice_minutes_30d, 0) - coalesce(inactive.voice_minutes_base, 0)
            as decimal(18, 3)
        ) as mou_sum_base,
        cast(
            active_days.active_days_30d
            - coalesce(states.voice_unknown_days_30d, 0)
            + coalesce(inactive.voice_unknown_days_30d, 0) as decimal(4, 0)
        ) as mou_days_30d,
        cast(
            active_days.active_days_prior90
            - coalesce(states.voice_unknown_days_120d - states.voice_unknown_days_30d, 0)
            + coalesce(inactive.voice_unknown_days_base, 0) as decimal(4, 0)
        ) as mou_days_base,
        cast(coalesce(states.data_mb_30d, 0) - coalesce(inactive.data_mb_30d, 0) as decimal(18, 3)) as data_sum_30d,
        cast(
            coalesce(states.data_mb_120d - states.data_mb_30d, 0) - coalesce(inactive.data_mb_base, 0)
            as decimal(18, 3)
        ) as data_sum_base,
        cast(
            active_days.active_days_30d
            - coalesce(states.data_unknown_days_30d, 0)
            + coalesce(inactive.data_unknown_days_30d, 0) as decimal(4, 0)
        ) as data_days_30d,
        cast(
            active_days.active_days_prior90
            - coalesce(states.data_unknown_days_120d - states.data_unknown_days_30d, 0)
            + coalesce(inactive.data_unknown_days_base, 0) as decimal(4, 0)
        ) as data_days_base
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
        sums.mou_days_30d >= parameters.usage_min_recent_days
        and sums.mou_days_base >= parameters.usage_min_base_days as has_mou_days,
        30 * sums.mou_sum_base >= parameters.usage_min_base_minutes * sums.mou_days_base as has_mou_base,
        sums.data_days_30d >= parameters.usage_min_recent_days
        and sums.data_days_base >= parameters.usage_min_base_days as has_data_days,
        30 * sums.data_sum_base >= parameters.usage_min_base_mb * sums.data_days_base as has_data_base
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
    case when has_mou_days then cast(30 * mou_sum_30d as double) / mou_days_30d end as mou_30d,
    case when has_mou_days then cast(30 * mou_sum_base as double) / mou_days_base end as mou_base,
    case when has_data_days then cast(30 * data_sum_30d as double) / data_days_30d end as data_30d,
    case when has_data_days then cast(30 * data_sum_base as double) / data_days_base end as data_base,
    cast(now_part as double) / cast(base_part as double) as usage_ratio,
    usage_resource,
    case
        when has_mou_days
            then has_mou_base and mou_sum_30d * mou_days_base <= collapse_ratio * mou_sum_base * mou_days_30d
    end as is_usage_collapsed,
    now_part <= alarm_usage_ratio * base_part as is_usage_alarm,
    now_part >= warning_usage_ratio * base_part as is_usage_high
from spoken
