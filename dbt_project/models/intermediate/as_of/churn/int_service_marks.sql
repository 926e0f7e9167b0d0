{{ config(materialized='table') }}

-- Days of a line around which its last and next sign of life matter for churn: starts of suspensions
-- of prepaid lines, and exits.
with
turns as (
    select
        subscriber_id,
        standing_from,
        status,
        lag(status) over (partition by subscriber_id order by standing_from) as previous_status
    from {{ ref('int_standings') }}
)

select turns.subscriber_id, turns.standing_from as mark_on
from turns
inner join {{ ref('dim_subscribers') }} as subscribers
    on
        turns.subscriber_id = subscribers.subscriber_id
        and {{ is_visible('subscribers', as_of()) }}
where
    turns.status <> 'ACTIVE'
    and (
        turns.status = 'DEACTIVATED'
        or (
            subscribers.payment_mode = 'PREPAID'
            and coalesce(turns.previous_status, 'ACTIVE') not in ('ONE_WAY_SUSPENDED', 'TWO_WAY_SUSPENDED')
        )
    )
union
select subscriber_id, cast(occurred_at as date) as mark_on
from {{ ref('fct_churn_events') }} as events
where {{ is_visible('events', as_of()) }} and cast(occurred_at as date) <= {{ as_of() }}
