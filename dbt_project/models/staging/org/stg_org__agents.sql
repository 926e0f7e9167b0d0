select
    agent_id,
    valid_from,
    channel_id,
    org_id,
    agent_type,
    valid_to,
    dt as visible_from
from {{ source('org', 'org_agents') }}
