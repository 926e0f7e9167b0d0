select
    event_id,
    channel_id,
    agent_id,
    item_kind,
    iccid_token,
    imei_token,
    tac,
    event,
    delivered.at as occurred_at,
    dt as visible_from
from {{ source('channel', 'channel_stock_events') }} as delivered
