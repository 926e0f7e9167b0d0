select
    channel_id,
    org_id,
    channel_type,
    dt as visible_from
from {{ source('org', 'org_channels') }}
