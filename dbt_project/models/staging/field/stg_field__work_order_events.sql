select
    event_id,
    work_order_id,
    org_id,
    state,
    drop_reason,
    delivered.at as occurred_at,
    staff_id,
    assignee_role,
    evidence_ref,
    dt as visible_from
from {{ source('field', 'field_work_order_events') }} as delivered
