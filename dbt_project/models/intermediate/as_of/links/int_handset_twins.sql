{{ config(materialized='table') }}

-- E1: other lines whose SIM was in the same device within the memory, both in service, neither of a
-- firm, the device not one of a shop.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

spells as (
    select spells.*
    from {{ ref('int_device_spells') }} as spells
    cross join parameters
    where
        spells.spell_from <= {{ as_of() }}
        and {{ days_between('spells.spell_to', as_of()) }} < parameters.shared_device_days
),

devices as (
    select spells.imei_token
    from spells
    cross join parameters
    group by spells.imei_token, parameters.shared_device_max_lines
    having count(distinct spells.subscriber_id) between 2 and parameters.shared_device_max_lines
),

holders as (
    select
        spells.imei_token,
        spells.subscriber_id,
        max(spells.spell_to) as held_until
    from spells
    inner join devices on spells.imei_token = devices.imei_token
    cross join parameters
    where {{ days_between('spells.spell_to', as_of()) }} < parameters.dual_memory_days
    group by spells.imei_token, spells.subscriber_id
),

-- The other line may be of any kind; firms and lines out of service give no evidence.
persons as (
    select
        holders.imei_token,
        holders.subscriber_id,
        holders.held_until
    from holders
    inner join {{ ref('int_standings') }} as standings
        on
            holders.subscriber_id = standings.subscriber_id
            and standings.standing_to is null
            and standings.status = 'ACTIVE'
    inner join {{ ref('dim_subscribers') }} as subscribers
        on
            holders.subscriber_id = subscribers.subscriber_id
            and {{ is_visible('subscribers', as_of()) }}
    left join {{ ref('dim_customers') }} as customers
        on
            subscribers.customer_id = customers.customer_id
            and {{ is_visible('customers', as_of()) }}
    where coalesce(customers.org_class, 'INDIVIDUAL') not in ('GROUP', 'GOVERNMENT')
)

select
    own.subscriber_id,
    twins.subscriber_id as twin_id,
    max(least(own.held_until, twins.held_until, {{ as_of() }})) as last_shared_on
from persons as own
inner join persons as twins
    on own.imei_token = twins.imei_token and own.subscriber_id <> twins.subscriber_id
group by own.subscriber_id, twins.subscriber_id
