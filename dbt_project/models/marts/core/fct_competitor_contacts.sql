{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['event_id']
) }}

with
competitor_contacts as (
    {{ versions(
        ref('stg_usage__competitor_contacts'),
        key=['event_id'],
        columns=[
            'event_id',
            'subscriber_id',
            'occurred_at',
            'kind',
            'forward_type',
            'forward_to_msisdn_token',
            'competitor',
        ]
    ) }}
)

select
    competitor_contacts.event_id,
    competitor_contacts.subscriber_id,
    competitor_contacts.occurred_at,
    competitor_contacts.kind,
    competitor_contacts.forward_type,
    competitor_contacts.forward_to_msisdn_token,
    competitor_contacts.competitor,
    competitor_contacts.visible_from,
    competitor_contacts.visible_to
from competitor_contacts
