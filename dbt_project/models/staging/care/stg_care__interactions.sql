select
    interaction_id,
    subscriber_id,
    at,
    channel_id,
    reason,
    outcome,
    staff_id,
    duration_seconds,
    dt as visible_from
from {{ source('care', 'care_interactions') }}
