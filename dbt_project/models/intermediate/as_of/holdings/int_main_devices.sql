{{ config(materialized='table') }}

-- The main device of each base line: that of the newest use in 30 days, else the one in which its SIM
-- was last seen. Null where neither is known.
with
used as (
    select subscriber_id, last_tac as tac
    from {{ ref('int_usage_state') }}
    where as_of_date = {{ as_of() }} and last_tac_on > {{ days_after(as_of(), -30) }}
),

sightings as (
    select
        sightings.subscriber_id,
        max_by(sightings.tac, sightings.occurred_at) as tac
    from {{ ref('fct_device_sightings') }} as sightings
    left join used on sightings.subscriber_id = used.subscriber_id
    where {{ is_visible('sightings', as_of()) }} and sightings.tac is not null and used.subscriber_id is null
    group by sightings.subscriber_id
)

select
    base_lines.subscriber_id,
    coalesce(used.tac, sightings.tac) as tac
from {{ ref('int_lines') }} as base_lines
left join used on base_lines.subscriber_id = used.subscriber_id
left join sightings on base_lines.subscriber_id = sightings.subscriber_id
