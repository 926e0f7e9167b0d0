{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['payment_id']
) }}

with
payments as (
    {{ versions(
        ref('stg_billing__payments'),
        key=['payment_id'],
        columns=[
            'payment_id',
            'subscriber_id',
            'paid_at',
            'amount_cny',
            'payment_kind',
            'method',
            'channel_id',
            'promo_id',
        ]
    ) }}
)

select
    payments.payment_id,
    payments.subscriber_id,
    payments.paid_at,
    payments.amount_cny,
    payments.payment_kind,
    payments.method,
    payments.channel_id,
    payments.promo_id,
    payments.visible_from,
    payments.visible_to
from payments
