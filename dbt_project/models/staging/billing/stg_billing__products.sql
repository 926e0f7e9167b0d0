select
    product_id,
    on_sale_from,
    product_kind,
    name_zh,
    name_en,
    monthly_fee_cny,
    voice_minutes,
    data_mb,
    sms_count,
    app_class,
    is_partner,
    contract_months,
    subsidy_cny,
    on_sale_to,
    dt as visible_from
from {{ source('billing', 'billing_products') }}
