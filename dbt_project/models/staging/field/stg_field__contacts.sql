select
    contact_id,
    work_order_id,
    subscriber_id,
    staff_id,
    delivered.at as occurred_at,
    channel,
    message_class,
    outcome,
    reason_code,
    has_switched,
    competitor,
    offer_id,
    template_code,
    concession_cny,
    campaign_code,
    minutes,
    dt as visible_from
from {{ source('field', 'field_contacts') }} as delivered
