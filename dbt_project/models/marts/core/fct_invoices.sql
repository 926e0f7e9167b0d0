{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'month']
) }}

with
invoices as (
    {{ versions(
        ref('stg_billing__invoices'),
        key=['subscriber_id', 'month'],
        columns=[
            'subscriber_id',
            'month',
            'invoice_id',
            'plan_id',
            'plan_fee_cny',
            'voice_overage_cny',
            'data_overage_cny',
            'sms_overage_cny',
            'roaming_cny',
            'vas_cny',
            'device_instalment_cny',
            'discount_cny',
            'adjustment_cny',
            'other_cny',
            'total_cny',
            'voice_minutes',
            'data_mb',
            'sms_count',
            'issued_on',
            'due_on',
        ]
    ) }}
)

select
    invoices.subscriber_id,
    invoices.month,
    invoices.invoice_id,
    invoices.plan_id,
    invoices.plan_fee_cny,
    invoices.voice_overage_cny,
    invoices.data_overage_cny,
    invoices.sms_overage_cny,
    invoices.roaming_cny,
    invoices.vas_cny,
    invoices.device_instalment_cny,
    invoices.discount_cny,
    invoices.adjustment_cny,
    invoices.other_cny,
    invoices.total_cny,
    invoices.voice_minutes,
    invoices.data_mb,
    invoices.sms_count,
    invoices.issued_on,
    invoices.due_on,
    invoices.visible_from,
    invoices.visible_to
from invoices
