{{ config(materialized='table') }}

with
offers as (
    {{ reference_versions(
        ref('stg_market__offers'),
        feed='market_offers',
        columns=[
            'offer_id',
            'valid_from',
            'valid_to',
            'name_zh',
            'name_en',
            'family',
            'relationship_level',
            'cost_cny',
            'channel_roles',
            'product_id',
            'tac',
            'responds_to',
            'stock_pool_id',
        ]
    ) }}
)

select
    offers.offer_id,
    offers.valid_from,
    offers.valid_to,
    offers.name_zh,
    offers.name_en,
    offers.family,
    offers.relationship_level,
    offers.cost_cny,
    offers.channel_roles,
    offers.product_id,
    offers.tac,
    offers.responds_to,
    offers.stock_pool_id,
    offers.visible_from,
    offers.visible_to
from offers
