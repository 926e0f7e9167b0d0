{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id']
) }}

with
subscribers as (
    {{ versions(
        ref('stg_crm__subscribers'),
        key=['subscriber_id'],
        columns=[
            'subscriber_id',
            'msisdn_token',
            'imsi_token',
            'customer_id',
            'brand',
            'payment_mode',
            'service_type',
            'line_class',
            'activated_at',
            'first_registered_at',
            'ported_in_from',
            'acquisition_channel_id',
            'agent_id',
            'org_id',
            'section_id',
            'number_grade',
            'is_autopay',
            'service_bars',
            'status',
            'status_reason',
            'status_at',
            'manager_id',
        ]
    ) }}
)

select
    subscribers.subscriber_id,
    subscribers.msisdn_token,
    subscribers.imsi_token,
    subscribers.customer_id,
    subscribers.brand,
    subscribers.payment_mode,
    subscribers.service_type,
    subscribers.line_class,
    subscribers.activated_at,
    subscribers.first_registered_at,
    subscribers.ported_in_from,
    subscribers.acquisition_channel_id,
    subscribers.agent_id,
    subscribers.org_id,
    subscribers.section_id,
    subscribers.number_grade,
    subscribers.is_autopay,
    subscribers.service_bars,
    subscribers.status,
    subscribers.status_reason,
    subscribers.status_at,
    subscribers.manager_id,
    subscribers.visible_from,
    subscribers.visible_to
from subscribers
