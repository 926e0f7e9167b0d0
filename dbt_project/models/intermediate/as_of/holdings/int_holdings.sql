{{ config(materialized='table') }}

-- What subscribers hold and held, as known on the date, with the version of the product that was on
-- sale at the start (the oldest where the catalogue is younger). Tariff plans have no product.
with
products as (
    select
        product_id,
        voice_minutes,
        data_mb,
        sms_count,
        app_class,
        case
            when lag(on_sale_from) over versions is null then cast('0001-01-01' as date) else on_sale_from
        end as on_sale_from,
        coalesce(lead(on_sale_from) over versions, {{ end_of_time() }}) as replaced_on
    from {{ ref('dim_products') }} as products
    where {{ is_visible('products', as_of()) }}
    window versions as (partition by product_id order by on_sale_from)
)

select
    holdings.subscription_id,
    holdings.subscriber_id,
    holdings.product_id,
    holdings.product_kind,
    holdings.started_at,
    cast(holdings.started_at as date) as started_on,
    cast(holdings.ended_at as date) as ended_on,
    holdings.end_reason,
    holdings.contract_end_date,
    holdings.price_cny,
    coalesce(holdings.is_trial, false) as is_trial,
    coalesce(trim(holdings.consent_ref), '') = '' as lacks_consent_ref,
    holdings.consent_method,
    holdings.order_channel_id,
    holdings.promo_id,
    holdings.device_tac,
    holdings.subsidy_cny,
    products.app_class,
    products.voice_minutes,
    products.data_mb,
    products.sms_count,
    cast(holdings.started_at as date) <= {{ as_of() }}
    and coalesce(cast(holdings.ended_at as date) > {{ as_of() }}, true) as is_open
from {{ ref('fct_subscriptions') }} as holdings
left join products
    on
        holdings.product_id = products.product_id
        and products.on_sale_from <= cast(holdings.started_at as date)
        and products.replaced_on > cast(holdings.started_at as date)
where {{ is_visible('holdings', as_of()) }} and holdings.started_at is not null and holdings.subscriber_id is not null
