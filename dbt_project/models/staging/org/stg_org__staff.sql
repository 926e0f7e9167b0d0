select
    staff_id,
    org_id,
    channel_id,
    section_id,
    role,
    employment,
    daily_capacity_calls,
    daily_capacity_visits,
    dt as visible_from
from {{ source('org', 'org_staff') }}
