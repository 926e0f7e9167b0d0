{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['work_order_id', 'questionnaire_code', 'question_code']
) }}

with
answers as (
    {{ versions(
        ref('stg_field__questionnaires'),
        key=['work_order_id', 'questionnaire_code', 'question_code'],
        columns=[
            'work_order_id',
            'questionnaire_code',
            'question_code',
            'subscriber_id',
            'contact_id',
            'staff_id',
            'answer_code',
            'occurred_at',
        ]
    ) }}
)

select
    answers.work_order_id,
    answers.questionnaire_code,
    answers.question_code,
    answers.subscriber_id,
    answers.contact_id,
    answers.staff_id,
    answers.answer_code,
    answers.occurred_at,
    answers.visible_from,
    answers.visible_to
from answers
