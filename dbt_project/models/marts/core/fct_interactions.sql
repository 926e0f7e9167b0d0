{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['interaction_id']
) }}

with
interactions as (
    {{ versions(
        ref('stg_care__interactions'),
        key=['interaction_id'],
        columns=[
            'interaction_id',
            'subscriber_id',
            'occurred_at',
            'channel_id',
            'reason',
            'outcome',
            'staff_id',
            'duration_seconds',
        ]
    ) }}
)

select
    interactions.interaction_id,
    interactions.subscriber_id,
    interactions.occurred_at,
    interactions.channel_id,
    interactions.reason,
    interactions.outcome,
    interactions.staff_id,
    interactions.duration_seconds,
    interactions.visible_from,
    interactions.visible_to
from interactions
