{{ config(materialized='table') }}

with
products as (
    {{ reference_versions(
        ref('stg_billing__products'),
        feed='billing_products',
        columns=[
            'product_id',
            'on_sale_from',
            'product_kind',
            'name_zh',
            'name_en',
            'monthly_fee_cny',
            'voice_minutes',
            'data_mb',
            'sms_count',
            'app_class',
            'is_partner',
            'contract_months',
            'subsidy_cny',
            'on_sale_to',
        ]
    ) }}
)

select
    products.product_id,
    products.on_sale_from,
    products.product_kind,
    products.name_zh,
    products.name_en,
    products.monthly_fee_cny,
    products.voice_minutes,
    products.data_mb,
    products.sms_count,
    products.app_class,
    products.is_partner,
    products.contract_months,
    products.subsidy_cny,
    products.on_sale_to,
    products.visible_from,
    products.visible_to
from products
