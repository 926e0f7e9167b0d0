{{ config(materialized='table') }}

with
channels as (
    {{ reference_versions(
        ref('stg_org__channels'),
        feed='org_channels',
        columns=[
            'channel_id',
            'org_id',
            'channel_type',
        ]
    ) }}
)

select
    channels.channel_id,
    channels.org_id,
    channels.channel_type,
    channels.visible_from,
    channels.visible_to
from channels
