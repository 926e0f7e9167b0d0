{{ config(materialized='view') }}

-- Use of closed months, over known days, as known on the date; each month's highest days as they were
-- known on its close.
select
    closes.subscriber_id,
    closes.month,
    {{ usage_columns('cast(coalesce(closes.NAME, 0) + coalesce(corrections.NAME, 0) as TYPE) as NAME', ['mtd']) }},
    {% for name in usage_maxima() -%}
    closes.{{ name }},
    {% endfor -%}
    closes.closed_on as visible_from,
    {{ end_of_time() }} as visible_to
from {{ ref('int_usage_month_closes') }} as closes
left join {{ ref('int_usage_month_corrections') }} as corrections
    on closes.subscriber_id = corrections.subscriber_id and closes.month = corrections.month
where closes.closed_on <= {{ as_of() }}
union all
select
    corrections.subscriber_id,
    corrections.month,
    {{ usage_columns('corrections.NAME', ['mtd']) }},
    {% for name in usage_maxima() -%}
    null as {{ name }},
    {% endfor -%}
    {{ as_of() }} as visible_from,
    {{ end_of_time() }} as visible_to
from {{ ref('int_usage_month_corrections') }} as corrections
where not exists (
    select 1
    from {{ ref('int_usage_month_closes') }} as closes
    where closes.subscriber_id = corrections.subscriber_id and closes.month = corrections.month
)
