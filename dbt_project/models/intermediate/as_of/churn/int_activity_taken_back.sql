{{ config(materialized='table') }}
{#- A correction may take activity away so many days later; what lies before stands. -#}
{%- set correction_days = 120 -%}

-- Active days that a correction of the last days took away: told `from` .. `until` (exclusive), and not
-- said of the day any more. A table, though it is small: the engine then knows that it is.
with
replaced as (
    select
        older.subscriber_id,
        older.usage_date as active_on,
        older.visible_from as told_from,
        older.visible_to as told_until
    from {{ ref('fct_usage_daily') }} as older
    inner join {{ ref('fct_usage_daily') }} as newer
        on
            older.subscriber_id = newer.subscriber_id
            and older.usage_date = newer.usage_date
            and {{ is_visible('newer', as_of()) }}
    where
        older.is_activity_day
        and not newer.is_activity_day
        and older.visible_to > {{ days_after(as_of(), -var('state_max_step')) }}
        and older.visible_to <= {{ as_of() }}
        and older.usage_date > {{ days_after(as_of(), -correction_days) }}
        and newer.visible_from > {{ days_after(as_of(), -var('state_max_step')) }}
        and newer.usage_date > {{ days_after(as_of(), -correction_days) }}
    union all
    select
        subscriber_id,
        cast(paid_at as date) as active_on,
        visible_from as told_from,
        visible_to as told_until
    from {{ ref('fct_payments') }}
    where
        amount_cny > 0
        and subscriber_id is not null
        and visible_to > {{ days_after(as_of(), -var('state_max_step')) }}
        and visible_to <= {{ as_of() }}
        and visible_from > {{ days_after(as_of(), -correction_days) }}
)

select distinct
    subscriber_id,
    active_on,
    told_from,
    told_until
from replaced
