{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set shares = {
    'voice_out_share_change_30d': ('voice_out_known_minutes', 'voice_minutes'),
    'voice_night_share_change_30d': ('voice_night_minutes', 'voice_minutes'),
    'data_video_share_change_30d': ('data_mb_video', 'data_mb'),
    'data_messaging_share_change_30d': ('data_mb_messaging', 'data_mb'),
} %}

with
parameters as (
    select
        usage_min_recent_days,
        usage_min_base_days,
        usage_min_base_minutes,
        fit_min_known_days
    from {{ ref('int_signal_parameters') }}
),

states as (
    select * from {{ ref('int_usage_state') }} where as_of_date = {{ as_of() }}
),

inactive as (
    select
        subscriber_id,
        {{ inactive_window_columns() }}
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ window_from(120) }}
    group by subscriber_id
),

-- Sums over known ACTIVE days, and how many there are, of each measure and window.
sums as (
    select
        active_days.subscriber_id,
        {{ rated_sums() }}
    from {{ ref('int_active_days') }} as active_days
    left join states on active_days.subscriber_id = states.subscriber_id
    left join inactive on active_days.subscriber_id = inactive.subscriber_id
),

-- Of the known days in 30: how many, and of their numbers t the sum and the sum of squares.
days as (
    select
        count(*) as days_30d,
        cast(sum({{ days_between("cast('1970-01-01' as date)", 'known_on') }}) as double) as sum_t,
        cast(
            sum(
                {{ days_between("cast('1970-01-01' as date)", 'known_on') }}
                * {{ days_between("cast('1970-01-01' as date)", 'known_on') }}
            ) as double
        ) as sum_tt
    from {{ ref('int_known_days') }}
    where known_on >= {{ window_from(30) }}
),

-- What slope and variation are made of, for lines that were ACTIVE on every known day: of the known
-- days of the measure their number, and the sums over them of t, t * t, y, t * y, y * y.
series as (
    select
        states.subscriber_id,
        days.days_30d - states.voice_unknown_days_30d as voice_n,
        days.sum_t - states.voice_unknown_moment_30d as voice_t,
        days.sum_tt - states.voice_unknown_square_30d as voice_tt,
        cast(states.voice_minutes_30d as double) as voice_y,
        cast(states.voice_moment_30d as double) as voice_ty,
        cast(states.voice_square_30d as double) / 10000 as voice_yy,
        days.days_30d - states.data_unknown_days_30d as data_n,
        days.sum_t - states.data_unknown_moment_30d as data_t,
        days.sum_tt - states.data_unknown_square_30d as data_tt,
        cast(states.data_mb_30d as double) as data_y,
        cast(states.data_moment_30d as double) as data_ty,
        cast(states.data_square_30d as double) / 10000 as data_yy
    from states
    cross join days
    inner join {{ ref('int_active_days') }} as active_days
        on states.subscriber_id = active_days.subscriber_id and days.days_30d = active_days.active_days_30d
),

month_days as (
    select
        count(case when known_on between {{ month_first(1) }} and {{ month_last(1) }} then 1 end) as known_days_m1,
        count(case when known_on between {{ month_first(2) }} and {{ month_last(2) }} then 1 end) as known_days_m2,
        count(case when known_on between {{ month_first(3) }} and {{ month_last(3) }} then 1 end) as known_days_m3,
        count(case when known_on between {{ month_first(4) }} and {{ month_last(4) }} then 1 end) as known_days_m4
    from {{ ref('int_known_days') }}
    where known_on >= {{ month_first(4) }}
),

day_numbers as (
    select
        dt,
        sum(case when is_arrived then 1 else 0 end) over (order by dt) as day_number
    from {{ ref('fct_feed_days') }}
    where feed = 'usage_daily' and dt <= {{ as_of() }}
),

newest as (
    select
        max(day_number) as day_number,
        coalesce(max(case when dt <= {{ days_after(as_of(), -120) }} then day_number end), 0) as bound_number
    from day_numbers
),

payments as (
    select subscriber_id, max(cast(paid_at as date)) as last_paid_on
    from {{ ref('fct_payments') }} as payments
    where
        payments.paid_at >= {{ window_from(120) }}
        and payments.visible_from >= {{ window_from(120) }}
        and {{ is_visible('payments', as_of()) }}
        and payments.amount_cny > 0
        and coalesce(payments.payment_kind, '') <> 'REVERSAL'
    group by subscriber_id
),

last_days as (
    select
        lines.subscriber_id,
        case
            when lines.is_active
                then greatest(states.last_call_on, {{ days_after('lines.presence_from', -1) }})
        end as no_call_after,
        case
            when lines.is_active
                then greatest(states.last_data_day_on, {{ days_after('lines.presence_from', -1) }})
        end as no_data_after,
        lines.is_active,
        greatest(states.last_use_on, payments.last_paid_on) as silent_after
    from {{ ref('int_lines') }} as lines
    left join states on lines.subscriber_id = states.subscriber_id
    left join payments on lines.subscriber_id = payments.subscriber_id
),

-- Known days since then; what lies further back than 120 days counts as from there.
streaks as (
    select
        last_days.subscriber_id,
        case
            when last_days.is_active
                then newest.day_number - greatest(coalesce(calls.day_number, 0), newest.bound_number)
        end as zero_call_streak_days,
        case
            when last_days.is_active
                then newest.day_number - greatest(coalesce(data_days.day_number, 0), newest.bound_number)
        end as zero_data_streak_days,
        newest.day_number - greatest(coalesce(uses.day_number, 0), newest.bound_number) as silent_days
    from last_days
    cross join newest
    left join day_numbers as calls on last_days.no_call_after = calls.dt
    left join day_numbers as data_days on last_days.no_data_after = data_days.dt
    left join day_numbers as uses on last_days.silent_after = uses.dt
),

payment_feed as (
    select coalesce(max(last_arrived_on) >= {{ window_from(120) }}, false) as is_known
    from {{ ref('int_feed_arrivals') }}
    where feed = 'billing_payments'
),

months as (
    select
        last_months.subscriber_id,
        {{ decline_months() }}
    from {{ ref('int_usage_last_months') }} as last_months
    cross join month_days
),

levels as (
    select subscriber_id, voice_minutes_avg_3m, data_mb_avg_3m
    from {{ ref('indicators_usage_level') }}
    where as_of_date = {{ as_of() }}
),

month_length as (
    select {{ days_between(month_first(), month_first(-1)) }} as days_in_month
)

select
    lines.subscriber_id,
    lines.as_of_date,
    case when ratios.mou_base >= parameters.usage_min_base_minutes then ratios.mou_30d / nullif(ratios.mou_base, 0) end
        as voice_minutes_ratio_30d_prior90d,
    ratios.data_30d / nullif(ratios.data_base, 0) as data_mb_ratio_30d_prior90d,
    {%- for name in ['voice_minutes', 'data_mb'] %}
    case
        when delivered.has_{{ name }}_60d
            then
                sums.{{ name }}_30d * (sums.{{ name }}_days_60d - sums.{{ name }}_days_30d)
                / nullif((sums.{{ name }}_60d - sums.{{ name }}_30d) * sums.{{ name }}_days_30d, 0)
    end as {{ name }}_ratio_30d_prior30d,
    case
        when delivered.has_{{ name }}_7d
            then
                sums.{{ name }}_7d * sums.{{ name }}_days_30d
                / nullif(sums.{{ name }}_30d * sums.{{ name }}_days_7d, 0)
    end as {{ name }}_ratio_7d_30d,
    {%- endfor %}
    {%- for name in ['sms_out', 'calls', 'call_days', 'data_days'] %}
    case
        when
            delivered.has_{{ name }}_30d
            and delivered.has_{{ name }}_prior90
            and sums.{{ name }}_days_30d >= parameters.usage_min_recent_days
            and sums.{{ name }}_days_120d - sums.{{ name }}_days_30d >= parameters.usage_min_base_days
            then
                sums.{{ name }}_30d * (sums.{{ name }}_days_120d - sums.{{ name }}_days_30d)
                / nullif((sums.{{ name }}_120d - sums.{{ name }}_30d) * sums.{{ name }}_days_30d, 0)
    end as {{ name }}_ratio_30d_prior90d,
    {%- endfor %}
    {%- for indicator, (part, whole) in shares.items() %}
    case
        when delivered.has_{{ part }}_30d and delivered.has_{{ part }}_prior90
            then
                cast(states.{{ part }}_30d as double) / nullif(states.{{ whole }}_30d, 0)
                - cast(states.{{ part }}_120d - states.{{ part }}_30d as double)
                / nullif(states.{{ whole }}_120d - states.{{ whole }}_30d, 0)
    end as {{ indicator }},
    {%- endfor %}
    case when delivered.has_calls_30d then cast(streaks.zero_call_streak_days as integer) end as zero_call_streak_days,
    case when delivered.has_data_mb_30d then cast(streaks.zero_data_streak_days as integer) end
        as zero_data_streak_days,
    case when payment_feed.is_known then cast(streaks.silent_days as integer) end as silent_days,
    {%- for name, whole in {'voice': 'voice_minutes', 'data': 'data_mb'}.items() %}
    (series.{{ name }}_n * series.{{ name }}_ty - series.{{ name }}_t * series.{{ name }}_y)
    / nullif(series.{{ name }}_n * series.{{ name }}_tt - series.{{ name }}_t * series.{{ name }}_t, 0)
    * series.{{ name }}_n
    / nullif(series.{{ name }}_y, 0) as {{ name }}_slope_30d,
    sqrt(greatest(series.{{ name }}_n * series.{{ name }}_yy - series.{{ name }}_y * series.{{ name }}_y, 0))
    / nullif(series.{{ name }}_y, 0) as {{ name }}_cv_30d,
    {%- endfor %}
    sums.voice_minutes_mtd * month_length.days_in_month
    / nullif(levels.voice_minutes_avg_3m * sums.voice_minutes_days_mtd, 0)
        as voice_mtd_to_expected_ratio,
    sums.data_mb_mtd * month_length.days_in_month / nullif(levels.data_mb_avg_3m * sums.data_mb_days_mtd, 0)
        as data_mtd_to_expected_ratio,
    months.voice_minutes_decline_months as voice_decline_months,
    months.data_mb_decline_months as data_decline_months
from {{ ref('int_lines') }} as lines
cross join parameters
cross join payment_feed
cross join month_length
cross join {{ ref('int_delivered_measures') }} as delivered
left join states on lines.subscriber_id = states.subscriber_id
left join sums on lines.subscriber_id = sums.subscriber_id
left join series on lines.subscriber_id = series.subscriber_id
left join streaks on lines.subscriber_id = streaks.subscriber_id
left join levels on lines.subscriber_id = levels.subscriber_id
left join months on lines.subscriber_id = months.subscriber_id
left join {{ ref('int_usage_ratios') }} as ratios on lines.subscriber_id = ratios.subscriber_id
