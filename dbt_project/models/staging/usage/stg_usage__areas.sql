select
    subscriber_id,
    month,
    kind,
    area_id_token,
    days,
    dt as visible_from
from {{ source('usage', 'usage_areas') }}
