select
    org_id,
    parent_org_id,
    org_level,
    name_zh,
    name_en,
    dt as visible_from
from {{ source('org', 'org_units') }}
