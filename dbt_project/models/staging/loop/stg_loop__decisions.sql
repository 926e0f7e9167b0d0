select
    decision_id,
    opportunity_id,
    subscriber_id,
    cycle,
    action,
    arm,
    arm_probability,
    org_id,
    dt as decided_on
from {{ source('loop', 'decisions') }}
