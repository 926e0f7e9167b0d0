{{ config(materialized='table') }}

-- Standings of lines that were ever out of service or left, as known on the date, with what they
-- mean for churn: ACTIVE; LAPSED (arrears, expired or no reason: what may end in churn), VOLUNTARY
-- (the customer's request), HELD (by the operator, or a lost SIM), OTHER; LEFT once deactivated.
-- Unbroken runs of a class, and of being in service, away, or gone, have a number.
with
lines as (
    select
        subscriber_id,
        payment_mode
    from {{ ref('dim_subscribers') }} as subscribers
    where {{ is_visible('subscribers', as_of()) }} and {{ is_base('subscribers') }}
),

troubled as (
    select subscriber_id from {{ ref('int_standings') }} where status <> 'ACTIVE'
    union
    select subscriber_id from {{ ref('fct_churn_events') }} as events where {{ is_visible('events', as_of()) }}
),

turns as (
    select
        standings.subscriber_id,
        lines.payment_mode,
        standings.standing_from,
        coalesce(standings.standing_to, {{ end_of_time() }}) as standing_to,
        standings.status,
        standings.status_reason,
        standings.told_on,
        case
            when standings.status = 'ACTIVE' then 'ACTIVE'
            when standings.status = 'DEACTIVATED' then 'LEFT'
            when standings.status_reason in ('OPERATOR', 'FRAUD', 'REAL_NAME', 'LOST_SIM') then 'HELD'
            when standings.status_reason = 'CUSTOMER_REQUEST' then 'VOLUNTARY'
            when lines.payment_mode = 'PREPAID' then 'LAPSED'
            when standings.status_reason = 'ARREARS' then 'LAPSED'
            else 'OTHER'
        end as standing_class,
        case standings.status when 'ACTIVE' then 'ACTIVE' when 'DEACTIVATED' then 'LEFT' else 'AWAY' end as presence
    from {{ ref('int_standings') }} as standings
    inner join troubled on standings.subscriber_id = troubled.subscriber_id
    inner join lines on standings.subscriber_id = lines.subscriber_id
),

numbered_turns as (
    select
        *,
        lag(presence) over (partition by subscriber_id order by standing_from) as previous_presence,
        case
            when lag(standing_class) over (partition by subscriber_id order by standing_from) = standing_class then 0
            else 1
        end as is_class_turn,
        case
            when lag(presence) over (partition by subscriber_id order by standing_from) = presence then 0
            else 1
        end as is_presence_turn
    from turns
)

select
    *,
    sum(is_class_turn) over (
        partition by subscriber_id order by standing_from rows between unbounded preceding and current row
    ) as class_run,
    sum(is_presence_turn) over (
        partition by subscriber_id order by standing_from rows between unbounded preceding and current row
    ) as presence_run
from numbered_turns
