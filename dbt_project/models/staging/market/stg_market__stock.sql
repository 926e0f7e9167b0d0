select
    pool_id,
    org_id,
    item,
    tac,
    is_labelled,
    reserved,
    received,
    issued,
    remaining,
    dt as visible_from
from {{ source('market', 'market_stock') }}
