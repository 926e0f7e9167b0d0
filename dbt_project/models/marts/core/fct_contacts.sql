{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['contact_id']
) }}

with
contacts as (
    {{ versions(
        ref('stg_field__contacts'),
        key=['contact_id'],
        columns=[
            'contact_id',
            'work_order_id',
            'subscriber_id',
            'staff_id',
            'occurred_at',
            'channel',
            'message_class',
            'outcome',
            'reason_code',
            'has_switched',
            'competitor',
            'offer_id',
            'template_code',
            'concession_cny',
            'campaign_code',
            'minutes',
        ]
    ) }}
)

select
    contacts.contact_id,
    contacts.work_order_id,
    contacts.subscriber_id,
    contacts.staff_id,
    contacts.occurred_at,
    contacts.channel,
    contacts.message_class,
    contacts.outcome,
    contacts.reason_code,
    contacts.has_switched,
    contacts.competitor,
    contacts.offer_id,
    contacts.template_code,
    contacts.concession_cny,
    contacts.campaign_code,
    contacts.minutes,
    contacts.visible_from,
    contacts.visible_to
from contacts
