select
    subscriber_id,
    month,
    counterparty_msisdn_token,
    counterparty_is_short_code,
    counterparty_operator,
    minutes_out,
    minutes_in,
    is_onnet,
    dt as visible_from
from {{ source('usage', 'usage_call_circle') }}
