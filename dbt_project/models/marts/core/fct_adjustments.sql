{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['adjustment_id']
) }}

with
adjustments as (
    {{ versions(
        ref('stg_billing__adjustments'),
        key=['adjustment_id'],
        columns=[
            'adjustment_id',
            'subscriber_id',
            'occurred_at',
            'kind',
            'amount_cny',
            'reason_code',
            'product_id',
            'complaint_id',
            'offer_id',
            'staff_id',
        ]
    ) }}
)

select
    adjustments.adjustment_id,
    adjustments.subscriber_id,
    adjustments.occurred_at,
    adjustments.kind,
    adjustments.amount_cny,
    adjustments.reason_code,
    adjustments.product_id,
    adjustments.complaint_id,
    adjustments.offer_id,
    adjustments.staff_id,
    adjustments.visible_from,
    adjustments.visible_to
from adjustments
