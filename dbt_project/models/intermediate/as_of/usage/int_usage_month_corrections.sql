{{ config(materialized='table') }}

-- What was delivered of closed months after their close, up to the date: the new rows, less those
-- that they replace.
with
parameters as (
    {{ usage_parameters() }}
),

changes as (
    {%- for back in [1, 2, 3, 4, 5, 6, 7, 8, 9] %}
    {{ 'union all' if not loop.first }}
    select
        *,
        1 as sign
    from {{ ref('fct_usage_daily') }} as usage
    where
        usage.usage_date between {{ month_first(back) }} and {{ month_last(back) }}
        and usage.visible_from > {{ month_first(back - 1) }}
        and {{ is_visible('usage', as_of()) }}
    union all
    select
        *,
        -1 as sign
    from {{ ref('fct_usage_daily') }} as usage
    where
        usage.usage_date between {{ month_first(back) }} and {{ month_last(back) }}
        and usage.visible_to <= {{ as_of() }}
        and {{ is_visible('usage', month_first(back - 1)) }}
    {%- endfor %}
)

select
    usage.subscriber_id,
    cast(date_trunc('month', usage.usage_date) as date) as month,
    {{ usage_columns('cast(coalesce(sum(usage.sign * (SQL)), 0) as TYPE) as NAME', ['mtd']) }}
from changes as usage
inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
cross join parameters
group by usage.subscriber_id, cast(date_trunc('month', usage.usage_date) as date)
