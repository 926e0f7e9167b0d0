{{ config(materialized='table') }}

-- The four newest closed months of each subscriber side by side (m1 is the newest), and their highest
-- days.
with
months as (
    select
        subscriber_id,
        {{ days_between('month', month_first()) }} as days_ago,
        voice_minutes,
        voice_unknown_days,
        data_mb,
        data_unknown_days,
        sms_out,
        voice_minutes_day_max,
        data_mb_day_max,
        dropped_calls_day_max,
        poor_coverage_minutes_day_max
    from {{ ref('int_usage_months') }}
    where month between {{ month_first(4) }} and {{ month_first(1) }}
),

numbered as (
    select
        *,
        case
            {%- for back in [1, 2, 3] %}
            when days_ago <= {{ days_between(month_first(back), month_first()) }} then {{ back }}
            {%- endfor %}
            else 4
        end as months_back
    from months
)

select
    subscriber_id,
    {%- for back in [1, 2, 3, 4] %}
    sum(case when months_back = {{ back }} then voice_minutes end) as voice_minutes_m{{ back }},
    sum(case when months_back = {{ back }} then data_mb end) as data_mb_m{{ back }},
    sum(case when months_back = {{ back }} then sms_out end) as sms_out_m{{ back }},
    sum(case when months_back = {{ back }} then voice_unknown_days end) as voice_unknown_days_m{{ back }},
    sum(case when months_back = {{ back }} then data_unknown_days end) as data_unknown_days_m{{ back }},
    {%- endfor %}
    max(case when months_back <= 3 then voice_minutes_day_max end) as voice_minutes_day_max_3m,
    max(case when months_back <= 3 then data_mb_day_max end) as data_mb_day_max_3m,
    max(case when months_back <= 3 then dropped_calls_day_max end) as dropped_calls_day_max_3m,
    max(case when months_back <= 3 then poor_coverage_minutes_day_max end) as poor_coverage_day_max_3m
from numbered
group by subscriber_id
