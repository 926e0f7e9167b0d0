select
    offer_id,
    valid_from,
    valid_to,
    name_zh,
    name_en,
    family,
    relationship_level,
    cost_cny,
    channel_roles,
    product_id,
    tac,
    responds_to,
    stock_pool_id,
    dt as visible_from
from {{ source('market', 'market_offers') }}
