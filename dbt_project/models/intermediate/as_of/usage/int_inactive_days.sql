-- noqa: disable=LT02,ST03
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
told_late as (
    select
        subscriber_id,
        usage_date
    from {{ ref('int_days_told_late') }}
    where told_on > {{ kept_on }} and usage_date <= {{ kept_on }}
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

{% endif -%}
looked_at as (
    select usage.*
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    where
        usage.usage_date between {{ month_first(4) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
        {%- if previous %}
        and usage.visible_from > {{ kept_on }}
    union all
    select usage.*
    from {{ ref('fct_usage_daily') }} as usage
    inner join told_late on usage.subscriber_id = told_late.subscriber_id and usage.usage_date = told_late.usage_date
    where
        usage.usage_date between {{ month_first(4) }} and {{ kept_on }}
        and {{ is_visible('usage', as_of()) }}
        and usage.visible_from <= {{ kept_on }}
        {%- endif %}
),

active as (
    select
        subscriber_id,
        standing_from,
        coalesce(standing_to, cast('9999-12-31' as date)) as standing_to
    from {{ ref('int_standings') }}
    where status = 'ACTIVE'
),

inactive as (
    select looked_at.*
    from looked_at
    left join active
        on
            looked_at.subscriber_id = active.subscriber_id
            and looked_at.usage_date >= active.standing_from
            and looked_at.usage_date < active.standing_to
    where active.subscriber_id is null
)

select
    {{ as_of() }} as as_of_date,
    usage.subscriber_id,
    usage.usage_date,
    {{ usage_sums(aggregate='') }}
from inactive as usage
cross join parameters
{%- if previous %}
union all
select
    {{ as_of() }} as as_of_date,
    carried.subscriber_id,
    carried.usage_date,
    {{ usage_names('carried.') }}
from carried
left join active
    on
        carried.subscriber_id = active.subscriber_id
        and carried.usage_date >= active.standing_from
        and carried.usage_date < active.standing_to
where active.subscriber_id is null
{%- endif %}
