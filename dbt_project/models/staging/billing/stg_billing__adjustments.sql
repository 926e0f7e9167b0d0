select
    adjustment_id,
    subscriber_id,
    delivered.at as occurred_at,
    kind,
    amount_cny,
    reason_code,
    product_id,
    complaint_id,
    offer_id,
    staff_id,
    dt as visible_from
from {{ source('billing', 'billing_adjustments') }} as delivered
