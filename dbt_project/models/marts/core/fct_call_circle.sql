{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'month', 'counterparty_msisdn_token']
) }}

with
call_circle as (
    {{ versions(
        ref('stg_usage__call_circle'),
        key=['subscriber_id', 'month', 'counterparty_msisdn_token'],
        columns=[
            'subscriber_id',
            'month',
            'counterparty_msisdn_token',
            'counterparty_is_short_code',
            'counterparty_operator',
            'minutes_out',
            'minutes_in',
            'is_onnet',
        ]
    ) }}
)

select
    call_circle.subscriber_id,
    call_circle.month,
    call_circle.counterparty_msisdn_token,
    call_circle.counterparty_is_short_code,
    call_circle.counterparty_operator,
    call_circle.minutes_out,
    call_circle.minutes_in,
    call_circle.is_onnet,
    call_circle.visible_from,
    call_circle.visible_to
from call_circle
