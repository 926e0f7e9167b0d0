select
    staff_id,
    log_date,
    org_id,
    submitted_at,
    visits,
    calls,
    no_answer,
    saved,
    revived,
    refused,
    concessions_cny,
    dt as visible_from
from {{ source('field', 'field_retention_log') }}
