{{ config(materialized='table') }}
{#- A correction may take activity away so many days later; what lies before stands. -#}
{%- set correction_days = 120 -%}

-- Active days that a correction of the last days may have taken away: told `from` .. `until` (exclusive),
-- and not said of the day any more, or not if an exit stands: a bill paid after it is no sign of life.
-- A table, though it is small: the engine then knows that it is.
with
exits as (
    select
        subscriber_id,
        case when visible_to <= {{ as_of() }} then visible_to else visible_from end as changed_on
    from {{ ref('fct_churn_events') }}
    where
        (visible_from > {{ days_after(as_of(), -var('state_max_step')) }} and visible_from <= {{ as_of() }})
        or (visible_to > {{ days_after(as_of(), -var('state_max_step')) }} and visible_to <= {{ as_of() }})
),

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
    union all
    select
        payments.subscriber_id,
        cast(payments.paid_at as date) as active_on,
        payments.visible_from as told_from,
        exits.changed_on as told_until
    from exits
    inner join {{ ref('fct_payments') }} as payments on exits.subscriber_id = payments.subscriber_id
    where
        payments.payment_kind = 'BILL'
        and {{ is_visible('payments', as_of()) }}
        and payments.visible_from > {{ days_after(as_of(), -correction_days) }}
        and cast(payments.paid_at as date) <= {{ as_of() }}
)

select distinct
    subscriber_id,
    active_on,
    told_from,
    told_until
from replaced
