{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscription_id']
) }}

with
subscriptions as (
    {{ versions(
        ref('stg_billing__subscriptions'),
        key=['subscription_id'],
        columns=[
            'subscription_id',
            'subscriber_id',
            'product_id',
            'product_kind',
            'ordered_at',
            'started_at',
            'ended_at',
            'end_reason',
            'contract_end_date',
            'price_cny',
            'is_trial',
            'consent_method',
            'consent_ref',
            'consent_at',
            'order_channel_id',
            'order_agent_id',
            'order_staff_id',
            'group_id',
            'device_imei_token',
            'device_tac',
            'subsidy_cny',
            'promo_id',
        ]
    ) }}
)

select
    subscriptions.subscription_id,
    subscriptions.subscriber_id,
    subscriptions.product_id,
    subscriptions.product_kind,
    subscriptions.ordered_at,
    subscriptions.started_at,
    subscriptions.ended_at,
    subscriptions.end_reason,
    subscriptions.contract_end_date,
    subscriptions.price_cny,
    subscriptions.is_trial,
    subscriptions.consent_method,
    subscriptions.consent_ref,
    subscriptions.consent_at,
    subscriptions.order_channel_id,
    subscriptions.order_agent_id,
    subscriptions.order_staff_id,
    subscriptions.group_id,
    subscriptions.device_imei_token,
    subscriptions.device_tac,
    subscriptions.subsidy_cny,
    subscriptions.promo_id,
    subscriptions.visible_from,
    subscriptions.visible_to
from subscriptions
