{{ config(
    materialized='incremental',
    incremental_strategy='closes',
    on_schema_change='fail',
    keeps_months=9
) }}
{%- set months = months_to_close([1, 2, 3, 4, 5, 6, 7, 8, 9]) %}
{%- set chunks = subscriber_chunks('usage') if months else ['false'] %}

-- Use of closed months, over known days, as it was known on the day after the month. What comes later
-- is in int_usage_month_corrections.
with
parameters as (
    {{ usage_parameters() }}
),

months as (
    {%- for back in months or [1] %}
    {%- set is_first_month = loop.first %}
    {%- for chunk in chunks %}
    {{ 'union all' if not (is_first_month and loop.first) }}
    select
        usage.subscriber_id,
        {{ month_first(back) }} as month,
        {{ month_first(back - 1) }} as closed_on,
        {{ usage_sums('mtd') }},
        {{ usage_month_maxima() }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date between {{ month_first(back) }} and {{ month_last(back) }}
        and {{ is_visible('usage', month_first(back - 1)) }}
        and {{ chunk }}
    group by usage.subscriber_id
    {%- endfor %}
    {%- endfor %}
)

select * from months
