{{ config(materialized='table') }}

-- Days of lines of which the status may have been told anew in the last days, after the day itself:
-- what was made of these days before `told_on` no longer holds. More than that is no harm. A table,
-- so that the engine knows that it is small.
with
-- From its start on a status stands that was told later.
late_standings as (
    select
        subscriber_id,
        standing_from as told_of,
        told_on
    from {{ ref('int_standings') }}
    where told_on > {{ days_after(as_of(), -var('state_max_step')) }} and standing_from < told_on
),

-- A line is in service until it is told a first status, which says what it was before.
first_told as (
    select
        subscriber_id,
        min(visible_from) as first_seen_on,
        max(visible_from) as last_told_on,
        min(case when status is not null then visible_from end) as status_told_on
    from {{ ref('dim_subscribers') }}
    where visible_from <= {{ as_of() }}
    group by subscriber_id
),

untold as (
    select
        subscriber_id,
        cast('0001-01-01' as date) as told_of,
        last_told_on as told_on
    from first_told
    where
        first_seen_on < coalesce(status_told_on, last_told_on)
        and coalesce(status_told_on, last_told_on) > {{ days_after(as_of(), -var('state_max_step')) }}
),

told as (
    select * from late_standings
    union all
    select * from untold
)

select
    told.subscriber_id,
    known_days.known_on as usage_date,
    max(told.told_on) as told_on
from told
inner join {{ ref('int_known_days') }} as known_days
    on told.told_of <= known_days.known_on and told.told_on > known_days.known_on
where known_days.known_on >= {{ month_first(4) }}
group by told.subscriber_id, known_days.known_on
