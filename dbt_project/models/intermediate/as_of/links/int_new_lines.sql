{{ config(materialized='table') }}

-- Lines that were activated, as the new side of a re-entry (O30), with the month whose circle and home
-- tell of the person: the first that began with them.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

lines as (
    select
        subscribers.subscriber_id,
        subscribers.customer_id,
        subscribers.agent_id,
        subscribers.org_id,
        cast(subscribers.activated_at as date) as activated_on,
        cast(date_trunc('month', subscribers.activated_at) as date) as month
    from {{ ref('dim_subscribers') }} as subscribers
    cross join parameters
    where
        {{ is_visible('subscribers', as_of()) }}
        and {{ is_base('subscribers') }}
        and cast(subscribers.activated_at as date) <= {{ as_of() }}
        and extract(year from subscribers.activated_at) >= parameters.first_credible_year
)

select
    subscriber_id,
    customer_id,
    agent_id,
    org_id,
    activated_on,
    case
        when activated_on = month then month
        else cast(date_trunc('month', {{ days_after('month', 31) }}) as date)
    end as circle_month
from lines
