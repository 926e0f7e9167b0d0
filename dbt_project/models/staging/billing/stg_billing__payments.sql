select
    payment_id,
    subscriber_id,
    paid_at,
    amount_cny,
    payment_kind,
    method,
    channel_id,
    promo_id,
    dt as visible_from
from {{ source('billing', 'billing_payments') }}
