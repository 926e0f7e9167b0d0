select
    subscriber_id,
    imei_token,
    delivered.at as occurred_at,
    tac,
    dt as visible_from
from {{ source('usage', 'usage_devices') }} as delivered
