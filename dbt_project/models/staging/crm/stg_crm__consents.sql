select
    subscriber_id,
    message_class,
    channel,
    changed_at,
    is_granted,
    source,
    proof_ref,
    dt as visible_from
from {{ source('crm', 'crm_consents') }}
