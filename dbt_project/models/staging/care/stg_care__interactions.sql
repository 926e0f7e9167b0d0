select
    interaction_id,
    subscriber_id,
    delivered.at as occurred_at,
    channel_id,
    reason,
    outcome,
    staff_id,
    duration_seconds,
    dt as visible_from
from {{ source('care', 'care_interactions') }} as delivered
