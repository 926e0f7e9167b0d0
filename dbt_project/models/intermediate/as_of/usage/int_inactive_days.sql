-- depends_on: {{ ref('int_days_told_late') }}
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = previous_state_date() %}
{%- set kept_on = "cast('" ~ previous ~ "' as date)" %}

-- Use on known days on which the line was not ACTIVE, back to the fourth closed month (and 120 days). A
-- measure that is not known of the day is null.
--
-- Where a state of an earlier day S is kept, only what differs is read: what was delivered since, and
-- the days whose status was told since.
with
parameters as (
    {{ usage_parameters() }}
),

known_days as (
    select known_on from {{ ref('int_known_days') }} where known_on >= {{ month_first(4) }}
),

{% if previous -%}
delivered as (
    select
        usage.subscriber_id,
        usage.usage_date,
        {{ usage_sums(aggregate='') }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.visible_from > {{ kept_on }}
        and usage.usage_date between {{ month_first(4) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
),

-- Earlier rows that stand no more: a newer one took their place.
replaced as (
    select
        subscriber_id,
        usage_date
    from {{ ref('fct_usage_daily') }}
    where
        visible_to > {{ kept_on }}
        and visible_to <= {{ as_of() }}
        and usage_date between {{ month_first(4) }} and {{ kept_on }}
),

told_late as (
    select
        subscriber_id,
        usage_date
    from {{ ref('int_days_told_late') }}
    where told_on > {{ kept_on }} and usage_date <= {{ kept_on }}
),

looked_up as (
    select
        usage.subscriber_id,
        usage.usage_date,
        {{ usage_sums(aggregate='') }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join told_late on usage.subscriber_id = told_late.subscriber_id and usage.usage_date = told_late.usage_date
    cross join parameters
    where
        usage.visible_from <= {{ kept_on }}
        and usage.usage_date between {{ month_first(4) }} and {{ kept_on }}
        and {{ is_visible('usage', as_of()) }}
),

carried as (
    select kept.*
    from {{ this }} as kept
    left join replaced on kept.subscriber_id = replaced.subscriber_id and kept.usage_date = replaced.usage_date
    left join told_late on kept.subscriber_id = told_late.subscriber_id and kept.usage_date = told_late.usage_date
    where
        kept.as_of_date = {{ kept_on }}
        and kept.usage_date >= {{ month_first(4) }}
        and replaced.subscriber_id is null
        and told_late.subscriber_id is null
),

used as (
    select
        subscriber_id,
        usage_date,
        {{ usage_names() }}
    from carried
    union all
    select * from delivered
    union all
    select * from looked_up
),

{% else -%}
used as (
    select
        usage.subscriber_id,
        usage.usage_date,
        {{ usage_sums(aggregate='') }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date between {{ month_first(4) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
),

{% endif -%}
active as (
    select
        subscriber_id,
        standing_from,
        coalesce(standing_to, cast('9999-12-31' as date)) as standing_to
    from {{ ref('int_standings') }}
    where status = 'ACTIVE'
)

select
    {{ as_of() }} as as_of_date,
    used.*
from used
where
    not exists (
        select 1
        from active
        where
            active.subscriber_id = used.subscriber_id
            and active.standing_from <= used.usage_date
            and active.standing_to > used.usage_date
    )
