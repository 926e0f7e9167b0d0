{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'message_class', 'channel', 'changed_at']
) }}

with
consents as (
    {{ versions(
        ref('stg_crm__consents'),
        key=['subscriber_id', 'message_class', 'channel', 'changed_at'],
        columns=[
            'subscriber_id',
            'message_class',
            'channel',
            'changed_at',
            'is_granted',
            'source',
            'proof_ref',
        ]
    ) }}
)

select
    consents.subscriber_id,
    consents.message_class,
    consents.channel,
    consents.changed_at,
    consents.is_granted,
    consents.source,
    consents.proof_ref,
    consents.visible_from,
    consents.visible_to
from consents
