select
    work_order_id,
    questionnaire_code,
    question_code,
    subscriber_id,
    contact_id,
    staff_id,
    answer_code,
    delivered.at as occurred_at,
    dt as visible_from
from {{ source('field', 'field_questionnaires') }} as delivered
