-- noqa: disable=ST03
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = newest_date_before(90) %}

-- Devices in which more than one SIM was ever seen. Only the devices of new sightings are looked up.
with
sightings as (
    select sightings.imei_token, sightings.subscriber_id, sightings.visible_from
    from {{ ref('fct_device_sightings') }} as sightings
    where {{ is_visible('sightings', as_of()) }}
),
{% if previous %}
fresh as (
    select distinct imei_token from sightings where visible_from > cast('{{ previous }}' as date)
),
{% endif %}
shared as (
    select sightings.imei_token
    from sightings
    {%- if previous %}
    inner join fresh on sightings.imei_token = fresh.imei_token
    {%- endif %}
    group by sightings.imei_token
    having min(sightings.subscriber_id) <> max(sightings.subscriber_id)
    {%- if previous %}
    union
    select imei_token from {{ this }} where as_of_date = cast('{{ previous }}' as date)
    {%- endif %}
)

select
    {{ as_of() }} as as_of_date,
    imei_token
from shared
