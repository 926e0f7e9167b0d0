{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['churn_event_id']
) }}

with
churn_events as (
    {{ versions(
        ref('stg_churn__events'),
        key=['churn_event_id'],
        columns=[
            'churn_event_id',
            'subscriber_id',
            'occurred_at',
            'kind',
            'stated_cause',
            'competitor',
            'channel_id',
        ]
    ) }}
)

select
    churn_events.churn_event_id,
    churn_events.subscriber_id,
    churn_events.occurred_at,
    churn_events.kind,
    churn_events.stated_cause,
    churn_events.competitor,
    churn_events.channel_id,
    churn_events.visible_from,
    churn_events.visible_to
from churn_events
