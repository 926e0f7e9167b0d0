-- noqa: disable=LT02
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = newest_date_before(90) %}
{%- set feeds = {'usage_call_circle': 'fct_call_circle', 'usage_areas': 'fct_areas'} %}

-- Months of the monthly feeds as of the date: when their rows first came, and when they last changed.
with
rows_since as (
    {%- for feed, relation in feeds.items() %}
    select
        '{{ feed }}' as feed,
        month,
        min(visible_from) as first_on,
        max(visible_from) as last_on
    from {{ ref(relation) }}
    where
        visible_from <= {{ as_of() }}
        {%- if previous %}
        and visible_from > cast('{{ previous }}' as date)
        {%- endif %}
    group by month
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {%- if previous %}
    union all
    select
        feed,
        month,
        released_on as first_on,
        changed_on as last_on
    from {{ this }}
    where as_of_date = cast('{{ previous }}' as date)
    {%- endif %}
)

select
    {{ as_of() }} as as_of_date,
    feed,
    month,
    min(first_on) as released_on,
    max(last_on) as changed_on
from rows_since
group by feed, month
