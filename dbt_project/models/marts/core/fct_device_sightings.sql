{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'imei_token', 'occurred_at']
) }}

with
device_sightings as (
    {{ versions(
        ref('stg_usage__devices'),
        key=['subscriber_id', 'imei_token', 'occurred_at'],
        columns=[
            'subscriber_id',
            'imei_token',
            'occurred_at',
            'tac',
        ]
    ) }}
)

select
    device_sightings.subscriber_id,
    device_sightings.imei_token,
    device_sightings.occurred_at,
    device_sightings.tac,
    device_sightings.visible_from,
    device_sightings.visible_to
from device_sightings
