select
    commission_id,
    agent_id,
    channel_id,
    subscriber_id,
    kind,
    amount_cny,
    earned_on,
    dt as visible_from
from {{ source('channel', 'channel_commissions') }}
