{{ config(materialized='table') }}

with
competitor_offers as (
    {{ reference_versions(
        ref('stg_market__competitor_offers'),
        feed='market_competitor_offers',
        columns=[
            'competitor_offer_id',
            'competitor',
            'offer_kind',
            'offer_text',
            'monthly_fee_cny',
            'data_mb',
            'voice_minutes',
            'network_generation',
            'seen_from',
            'seen_to',
            'org_id',
        ]
    ) }}
)

select
    competitor_offers.competitor_offer_id,
    competitor_offers.competitor,
    competitor_offers.offer_kind,
    competitor_offers.offer_text,
    competitor_offers.monthly_fee_cny,
    competitor_offers.data_mb,
    competitor_offers.voice_minutes,
    competitor_offers.network_generation,
    competitor_offers.seen_from,
    competitor_offers.seen_to,
    competitor_offers.org_id,
    competitor_offers.visible_from,
    competitor_offers.visible_to
from competitor_offers
