select
    complaint_id,
    step,
    delivered.at as occurred_at,
    subscriber_id,
    due_at,
    category,
    cause_class,
    severity,
    product_id,
    staff_id,
    channel_id,
    satisfaction,
    dt as visible_from
from {{ source('care', 'care_complaints') }} as delivered
