{{ config(materialized='table') }}

-- Use of base lines on known days on which they were not ACTIVE, back to the fourth closed month (and
-- 120 days): the rules' sums are over known ACTIVE days, so this is what to take off the others.
-- A measure that is not known of the day is null.
with
parameters as (
    {{ usage_parameters() }}
),

-- ACTIVE all along: nothing to look for.
steady_lines as (
    select subscriber_id
    from {{ ref('int_standings') }}
    where status = 'ACTIVE' and standing_to is null and presence_from <= {{ month_first(6) }}
),

other_lines as (
    select lines.subscriber_id
    from {{ ref('int_lines') }} as lines
    left join steady_lines on lines.subscriber_id = steady_lines.subscriber_id
    where steady_lines.subscriber_id is null
),

active as (
    select standings.subscriber_id, standings.standing_from, standings.standing_to
    from {{ ref('int_standings') }} as standings
    inner join other_lines on standings.subscriber_id = other_lines.subscriber_id
    where standings.status = 'ACTIVE'
)

select
    usage.subscriber_id,
    usage.usage_date,
    {{ usage_sums(aggregate='') }}
from {{ ref('fct_usage_daily') }} as usage
inner join other_lines on usage.subscriber_id = other_lines.subscriber_id
inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
cross join parameters
where
    usage.usage_date between {{ month_first(4) }} and {{ as_of() }}
    and {{ is_visible('usage', as_of()) }}
    and not exists (
        select 1
        from active
        where
            usage.subscriber_id = active.subscriber_id
            and usage.usage_date >= active.standing_from
            and (active.standing_to is null or usage.usage_date < active.standing_to)
    )
