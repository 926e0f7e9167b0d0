select
    event_id,
    subscriber_id,
    delivered.at as occurred_at,
    kind,
    forward_type,
    forward_to_msisdn_token,
    competitor,
    dt as visible_from
from {{ source('usage', 'usage_competitor_contacts') }} as delivered
