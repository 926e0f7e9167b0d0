-- noqa: disable=LT02
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = previous_state_date() %}
{%- set kept_on = "cast('" ~ previous ~ "' as date)" %}

-- Lines activated in the last 245 days: whether they were ever used, and whether they had a call or data
-- in their first days (O31: the activation day left out). 245 days: until the links of a month are final.
-- Only rows that came since the last date kept are read, and all days of lines that are new to the memory
-- although they were activated before it.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

lines as (
    select
        subscriber_id,
        activated_on
    from {{ ref('int_new_lines') }}
    where activated_on > {{ days_after(as_of(), -245) }}
),

{% if previous -%}
kept as (  -- noqa: ST03
    select
        lines.subscriber_id,
        kept.is_used,
        kept.is_used_at_first
    from lines
    inner join {{ this }} as kept
        on
            lines.subscriber_id = kept.subscriber_id
            and lines.activated_on = kept.activated_on
            and kept.as_of_date = {{ kept_on }}
),

{% endif -%}
unread_days as (
    select
        lines.subscriber_id,
        known_days.known_on
    from lines
    inner join {{ ref('int_known_days') }} as known_days
        on lines.activated_on <= known_days.known_on
    {%- if previous %}
    left join kept on lines.subscriber_id = kept.subscriber_id
    {%- endif %}
    where
        known_days.known_on > {{ days_after(as_of(), -245) }}
        {%- if previous %}
        and known_days.known_on <= {{ kept_on }}
        and kept.subscriber_id is null  -- noqa: RF01
        {%- endif %}
),

rows_read as (
    select
        usage.subscriber_id,
        usage.usage_date,
        usage.is_activity_day,
        usage.calls_out,
        usage.calls_in,
        usage.data_mb
    from {{ ref('fct_usage_daily') }} as usage
    inner join unread_days
        on usage.subscriber_id = unread_days.subscriber_id and usage.usage_date = unread_days.known_on
    where
        {{ is_visible('usage', as_of()) }}
        and usage.usage_date > {{ days_after(as_of(), -245) }}
    {%- if previous %}
    union all
    select
        usage.subscriber_id,
        usage.usage_date,
        usage.is_activity_day,
        usage.calls_out,
        usage.calls_in,
        usage.data_mb
    from {{ ref('fct_usage_daily') }} as usage
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    where
        {{ is_visible('usage', as_of()) }}
        and usage.visible_from > {{ kept_on }}
        and usage.usage_date > {{ days_after(as_of(), -245) }}
    {%- endif %}
),

judged as (
    select
        lines.subscriber_id,
        max({{ one_if('rows_read.is_activity_day') }}) = 1 as is_used,
        max(
            {{ one_if(
                "rows_read.usage_date > lines.activated_on and "
                ~ days_between('lines.activated_on', 'rows_read.usage_date')
                ~ " <= parameters.arbitrage_first_usage_days"
                ~ " and (coalesce(rows_read.calls_out, 0) + coalesce(rows_read.calls_in, 0) >= 1"
                ~ " or coalesce(rows_read.data_mb, 0) > 0)"
            ) }}
        ) = 1 as is_used_at_first
    from rows_read
    inner join lines
        on rows_read.subscriber_id = lines.subscriber_id and rows_read.usage_date >= lines.activated_on
    cross join parameters
    group by lines.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    lines.subscriber_id,
    lines.activated_on,
    coalesce(judged.is_used, false) {{ 'or coalesce(kept.is_used, false) ' if previous }}as is_used,
    coalesce(judged.is_used_at_first, false)
    {{ 'or coalesce(kept.is_used_at_first, false) ' if previous }}as is_used_at_first
from lines
left join judged on lines.subscriber_id = judged.subscriber_id
{%- if previous %}
left join kept on lines.subscriber_id = kept.subscriber_id
{%- endif %}
