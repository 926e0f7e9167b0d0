{{ config(materialized='table') }}

-- Use of base lines on known days on which they were not ACTIVE, back to the fourth closed month (and
-- 120 days): the rules' sums are over known ACTIVE days, so this is what to take off the others.
-- A measure that is not known of the day is null.
with
parameters as (
    {{ usage_parameters() }}
),

-- What a line was before its first standing, it was not in service.
inactive as (
    select standings.subscriber_id, standings.standing_from, standings.standing_to
    from {{ ref('int_standings') }} as standings
    inner join {{ ref('int_lines') }} as lines on standings.subscriber_id = lines.subscriber_id
    where
        standings.status <> 'ACTIVE'
        and (standings.standing_to is null or standings.standing_to > {{ month_first(4) }})
    union all
    select
        standings.subscriber_id,
        cast('0001-01-01' as date) as standing_from,
        min(standings.standing_from) as standing_to
    from {{ ref('int_standings') }} as standings
    inner join {{ ref('int_lines') }} as lines on standings.subscriber_id = lines.subscriber_id
    group by standings.subscriber_id
    having min(standings.standing_from) > {{ month_first(4) }}
)

select
    usage.subscriber_id,
    usage.usage_date,
    {{ usage_sums(aggregate='') }}
from {{ ref('fct_usage_daily') }} as usage
inner join inactive
    on
        usage.subscriber_id = inactive.subscriber_id
        and usage.usage_date >= inactive.standing_from
        and (inactive.standing_to is null or usage.usage_date < inactive.standing_to)
inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
cross join parameters
where
    usage.usage_date between {{ month_first(4) }} and {{ as_of() }}
    and {{ is_visible('usage', as_of()) }}
