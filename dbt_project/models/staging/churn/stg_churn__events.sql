select
    churn_event_id,
    subscriber_id,
    delivered.at as occurred_at,
    kind,
    stated_cause,
    competitor,
    channel_id,
    dt as visible_from
from {{ source('churn', 'churn_events') }} as delivered
