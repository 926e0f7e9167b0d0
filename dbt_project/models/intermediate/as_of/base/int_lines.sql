{{ config(materialized='table') }}

-- The base of every rule as of the date: mobile lines of people and firms that are in the network.
with
parameters as (
    select first_credible_year from {{ ref('int_signal_parameters') }}
),

standings as (
    select * from {{ ref('int_standings') }} where standing_to is null
)

select
    {{ as_of() }} as as_of_date,
    subscribers.subscriber_id,
    subscribers.customer_id,
    subscribers.org_id,
    subscribers.msisdn_token,
    subscribers.imsi_token,
    subscribers.brand,
    subscribers.payment_mode,
    coalesce(subscribers.payment_mode = 'PREPAID', false) as is_prepaid,
    subscribers.line_class,
    subscribers.is_autopay,
    subscribers.service_bars,
    subscribers.ported_in_from,
    subscribers.acquisition_channel_id,
    subscribers.agent_id,
    case
        when extract(year from subscribers.activated_at) >= parameters.first_credible_year
            then cast(subscribers.activated_at as date)
    end as activated_on,
    standings.status,
    standings.status_reason,
    standings.standing_from,
    standings.status_run_from,
    standings.presence_from,
    standings.status = 'ACTIVE' as is_active,
    coalesce(
        standings.status <> 'ACTIVE' and standings.status_reason in ('OPERATOR', 'FRAUD', 'REAL_NAME', 'LOST_SIM'),
        false
    ) as is_held,
    customers.org_class,
    coalesce(customers.org_class in ('GROUP', 'GOVERNMENT'), false) as is_firm,
    customers.vip_level,
    customers.birth_year
from {{ ref('dim_subscribers') }} as subscribers
cross join parameters
inner join standings on subscribers.subscriber_id = standings.subscriber_id
left join {{ ref('dim_customers') }} as customers
    on
        subscribers.customer_id = customers.customer_id
        and {{ is_visible('customers', as_of()) }}
where
    {{ is_visible('subscribers', as_of()) }}
    and {{ is_base('subscribers') }}
    and standings.status <> 'DEACTIVATED'
