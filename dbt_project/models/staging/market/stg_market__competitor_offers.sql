select
    competitor_offer_id,
    competitor,
    offer_kind,
    offer_text,
    monthly_fee_cny,
    data_mb,
    voice_minutes,
    network_generation,
    seen_from,
    seen_to,
    org_id,
    dt as visible_from
from {{ source('market', 'market_competitor_offers') }}
