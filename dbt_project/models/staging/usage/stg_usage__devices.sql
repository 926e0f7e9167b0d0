select
    subscriber_id,
    imei_token,
    at,
    tac,
    dt as visible_from
from {{ source('usage', 'usage_devices') }}
