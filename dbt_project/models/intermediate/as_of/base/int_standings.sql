{{ config(materialized='table') }}

-- The statuses of each line over time, as known on the date. A standing holds from `standing_from`
-- until `standing_to` (exclusive; null while it lasts), end of day counts. What is delivered later
-- replaces what was told of the days from its start on.
with
parameters as (
    select first_credible_year from {{ ref('int_signal_parameters') }}
),

versions as (
    select
        subscribers.subscriber_id,
        subscribers.visible_from,
        subscribers.status,
        subscribers.status_reason,
        case
            when cast(subscribers.status_at as date) <= subscribers.visible_from
                then cast(subscribers.status_at as date)
        end as stated_on,
        case
            when extract(year from subscribers.activated_at) >= parameters.first_credible_year
                then cast(subscribers.activated_at as date)
        end as activated_on,
        lag(subscribers.status) over versions as previous_status,
        lag(subscribers.status_reason) over versions as previous_reason
    from {{ ref('dim_subscribers') }} as subscribers
    cross join parameters
    where subscribers.visible_from <= {{ as_of() }} and subscribers.status is not null
    window versions as (partition by subscribers.subscriber_id order by subscribers.visible_from)
),

changes as (
    select
        subscriber_id,
        visible_from,
        status,
        status_reason,
        case
            when previous_status is null
                then
                    least(
                        coalesce(stated_on, case when status = 'ACTIVE' then activated_on end, visible_from),
                        visible_from
                    )
            when previous_status = status or stated_on is null then visible_from
            else stated_on
        end as standing_from
    from versions
    where
        previous_status is null
        or previous_status <> status
        or coalesce(previous_reason, '') <> coalesce(status_reason, '')
),

claimed as (
    select
        *,
        min(standing_from) over (
            partition by subscriber_id order by visible_from
            rows between 1 following and unbounded following
        ) as standing_to
    from changes
),

-- A line that never had a status is in service.
untold as (
    select
        subscribers.subscriber_id,
        min_by(
            case
                when extract(year from subscribers.activated_at) >= parameters.first_credible_year
                    then cast(subscribers.activated_at as date)
            end,
            -{{ days_between("cast('1970-01-01' as date)", 'subscribers.visible_from') }}
        ) as activated_on,
        min(subscribers.visible_from) as first_seen_on
    from {{ ref('dim_subscribers') }} as subscribers
    cross join parameters
    where subscribers.visible_from <= {{ as_of() }}
    group by subscribers.subscriber_id
    having count(subscribers.status) = 0
),

standings as (
    select subscriber_id, standing_from, standing_to, status, status_reason, visible_from as told_on
    from claimed
    where standing_to is null or standing_from < standing_to
    union all
    select
        subscriber_id,
        coalesce(activated_on, first_seen_on) as standing_from,
        cast(null as date) as standing_to,
        'ACTIVE' as status,
        cast(null as varchar) as status_reason,
        first_seen_on as told_on
    from untold
),

turns as (
    select
        *,
        case when lag(status) over standings = status then 0 else 1 end as is_other_status,
        case when (lag(status) over standings = 'ACTIVE') = (status = 'ACTIVE') then 0 else 1 end as is_turn
    from standings
    window standings as (partition by subscriber_id order by standing_from)
),

runs as (
    select
        *,
        sum(is_other_status) over standings as status_run_no,
        sum(is_turn) over standings as presence_no
    from turns
    window standings as (
        partition by subscriber_id order by standing_from rows between unbounded preceding and current row
    )
)

select
    subscriber_id,
    standing_from,
    standing_to,
    status,
    status_reason,
    told_on,
    -- since when the status (whatever its reason), or its being ACTIVE or not, is unbroken
    min(standing_from) over (partition by subscriber_id, status_run_no) as status_run_from,
    min(standing_from) over (partition by subscriber_id, presence_no) as presence_from
from runs
