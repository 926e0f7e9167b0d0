{{ config(materialized='table') }}

-- When a SIM was in a device that others were in too: from its sighting until the day on which it
-- was next seen in any device (open while that has not come).
with
shared as (
    select imei_token from {{ ref('int_shared_devices') }} where as_of_date = {{ as_of() }}
),

sightings as (
    select sightings.subscriber_id, sightings.imei_token, sightings.occurred_at
    from {{ ref('fct_device_sightings') }} as sightings
    where {{ is_visible('sightings', as_of()) }}
),

sharing as (
    select distinct sightings.subscriber_id
    from sightings
    inner join shared on sightings.imei_token = shared.imei_token
),

spells as (
    select
        sightings.subscriber_id,
        sightings.imei_token,
        cast(sightings.occurred_at as date) as spell_from,
        coalesce(
            cast(
                lead(sightings.occurred_at) over (
                    partition by sightings.subscriber_id order by sightings.occurred_at, sightings.imei_token
                ) as date
            ),
            {{ end_of_time() }}
        ) as spell_to
    from sightings
    inner join sharing on sightings.subscriber_id = sharing.subscriber_id
)

select
    spells.subscriber_id,
    spells.imei_token,
    spells.spell_from,
    spells.spell_to
from spells
inner join shared on spells.imei_token = shared.imei_token
