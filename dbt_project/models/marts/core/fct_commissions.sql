{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['commission_id']
) }}

with
commissions as (
    {{ versions(
        ref('stg_channel__commissions'),
        key=['commission_id'],
        columns=[
            'commission_id',
            'agent_id',
            'channel_id',
            'subscriber_id',
            'kind',
            'amount_cny',
            'earned_on',
        ]
    ) }}
)

select
    commissions.commission_id,
    commissions.agent_id,
    commissions.channel_id,
    commissions.subscriber_id,
    commissions.kind,
    commissions.amount_cny,
    commissions.earned_on,
    commissions.visible_from,
    commissions.visible_to
from commissions
