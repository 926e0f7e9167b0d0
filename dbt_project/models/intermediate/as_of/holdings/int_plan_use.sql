{{ config(materialized='table') }}
{%- set months = [1, 2, 3, 4, 5, 6] %}
{%- set measures = {
    'voice': ('voice_out_minutes', 'decimal(18, 2)'),
    'data': ('data_mb', 'decimal(18, 3)'),
    'sms': ('sms_out', 'bigint'),
} %}

-- What each base line used of what plans limit, on known days: in the month to date, and in the closed
-- months m1 (the newest) to m6. In m1 to m3 also what
-- of it fell on ACTIVE days, and how many of those there were.
with
used as (
    select
        {%- for name, (measure, type) in measures.items() %}
        {%- for month in months %}
        sum(case when month = {{ month_first(month) }} then {{ measure }} end) as {{ name }}_m{{ month }},
        {%- endfor %}
        {%- endfor %}
        {%- for month in [1, 2, 3] %}
        sum(case when month = {{ month_first(month) }} then data_unknown_days end) as data_unknown_days_m{{ month }},
        sum(case when month = {{ month_first(month) }} then slow_data_mb end) as slow_m{{ month }},
        {%- endfor %}
        subscriber_id
    from {{ ref('int_usage_months') }} as months
    where
        month >= {{ month_first(6) }}
        and month < {{ month_first() }}
        and {{ is_visible('months', as_of()) }}
    group by subscriber_id
),

inactive as (
    select
        {%- for month in [1, 2, 3] %}
        {%- set is_in_month = 'usage_date between ' ~ month_first(month) ~ ' and ' ~ month_last(month) %}
        {%- for name, (measure, type) in measures.items() %}
        sum(case when {{ is_in_month }} then {{ measure }} end) as {{ name }}_m{{ month }},
        {%- endfor %}
        sum(case when {{ is_in_month }} and data_mb is null then 1 end) as data_unknown_days_m{{ month }},
        sum(case when {{ is_in_month }} then slow_data_mb end) as slow_m{{ month }},
        {%- endfor %}
        subscriber_id
    from {{ ref('int_inactive_usage') }}
    where usage_date >= {{ month_first(3) }} and usage_date < {{ month_first() }}
    group by subscriber_id
),

this_month as (
    select
        subscriber_id,
        voice_out_minutes_mtd,
        data_mb_mtd,
        sms_out_mtd
    from {{ ref('int_usage_state') }}
    where as_of_date = {{ as_of() }}
)

select
    {%- for name, (measure, type) in measures.items() %}
    coalesce(this_month.{{ measure }}_mtd, 0) as {{ name }}_mtd,
    {%- for month in months %}
    cast(coalesce(used.{{ name }}_m{{ month }}, 0) as {{ type }}) as {{ name }}_m{{ month }},
    {%- endfor %}
    {%- for month in [1, 2, 3] %}
    cast(
        coalesce(used.{{ name }}_m{{ month }}, 0) - coalesce(inactive.{{ name }}_m{{ month }}, 0) as {{ type }}
    ) as active_{{ name }}_m{{ month }},
    {%- endfor %}
    {%- endfor %}
    {%- for month in [1, 2, 3] %}
    -- ACTIVE days of which the usage came, and those of them on which the data did
    coalesce(active_days.active_days_m{{ month }}, 0) as active_days_m{{ month }},
    coalesce(active_days.active_days_m{{ month }}, 0)
    - coalesce(used.data_unknown_days_m{{ month }}, 0)
    + coalesce(inactive.data_unknown_days_m{{ month }}, 0) as active_data_days_m{{ month }},
    coalesce(used.slow_m{{ month }} > coalesce(inactive.slow_m{{ month }}, 0), false)
        as is_slowed_m{{ month }},
    {%- endfor %}
    base_lines.subscriber_id
from {{ ref('int_lines') }} as base_lines
left join used on base_lines.subscriber_id = used.subscriber_id
left join inactive on base_lines.subscriber_id = inactive.subscriber_id
left join this_month on base_lines.subscriber_id = this_month.subscriber_id
left join {{ ref('int_active_days') }} as active_days on base_lines.subscriber_id = active_days.subscriber_id
