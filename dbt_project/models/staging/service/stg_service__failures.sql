select
    failure_id,
    step,
    scope,
    subscriber_id,
    org_id,
    kind,
    severity,
    delivered.at as occurred_at,
    started_at,
    ended_at,
    detected_by,
    customer_informed_at,
    apology_at,
    compensation_cny,
    dt as visible_from
from {{ source('service', 'service_failures') }} as delivered
