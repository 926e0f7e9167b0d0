select
    org_id,
    month,
    operator,
    subscribers,
    dt as visible_from
from {{ source('market', 'market_size') }}
