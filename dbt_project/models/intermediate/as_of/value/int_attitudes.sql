{{ config(materialized='table') }}

-- What is known of how each line thinks of us, 0 the worst and 1 the best, by the best source: a
-- questionnaire, the satisfaction after complaints, or the signs of dissatisfaction that it gave.
with
parameters as (
    select * from {{ ref('int_value_parameters') }}
),

-- Marks that are no numbers within the scale are no answers.
answers as (
    select
        given.subscriber_id,
        questions.lowest,
        questions.highest,
        case
            when
                length(given.answer_code) between 1 and 3 and translate(given.answer_code, '0123456789', '') = ''
                then cast(given.answer_code as decimal(9, 2))
        end as mark
    from {{ ref('fct_questionnaires') }} as given
    inner join {{ ref('attitude_questions') }} as questions on given.question_code = questions.question_code
    cross join parameters
    where
        {{ is_visible('given', as_of()) }}
        and given.occurred_at >= {{ days_after(as_of(), '1 - parameters.attitude_days') }}
        and given.subscriber_id is not null
),

surveyed as (
    select
        subscriber_id,
        avg(cast(mark - lowest as double) / (highest - lowest)) as survey_score
    from answers
    where mark between lowest and highest
    group by subscriber_id
),

service as (
    select
        subscriber_id,
        complaints_12m,
        cancel_requests_90d,
        (complaint_satisfaction_mean_12m - 1) / 4 as complaint_score
    from {{ ref('indicators_service_complaints') }}
    where as_of_date = {{ as_of() }}
),

loyalty as (
    select subscriber_id, opt_outs_12m
    from {{ ref('indicators_lifecycle_loyalty') }}
    where as_of_date = {{ as_of() }}
),

{%- set signs = [
    'service.complaints_12m > 0',
    'service.cancel_requests_90d > 0',
    'loyalty.opt_outs_12m > 0',
    'rivals.has_hotline_out',
    'rivals.hr7_forward_to_competitor',
    'rivals.port_intent',
] %}

lines as (
    select
        base.subscriber_id,
        surveyed.survey_score,
        service.complaint_score,
        -- unknown signs do not count; without any known sign there is no proxy
        case
            when
                coalesce(
                    {{ signs | join(',\n                    ') }}
                ) is not null
                then
                    cast(1 as double) / (
                        1
                        {%- for sign in signs %}
                        + case when {{ sign }} then 1 else 0 end
                        {%- endfor %}
                    )
        end as proxy_score
    from {{ ref('int_lines') }} as base
    left join surveyed on base.subscriber_id = surveyed.subscriber_id
    left join service on base.subscriber_id = service.subscriber_id
    left join loyalty on base.subscriber_id = loyalty.subscriber_id
    left join {{ ref('int_findings_rivals') }} as rivals on base.subscriber_id = rivals.subscriber_id
)

select
    subscriber_id,
    cast(coalesce(survey_score, complaint_score, proxy_score) as double) as attitude_score,
    case
        when survey_score is not null then 'QUESTIONNAIRE'
        when complaint_score is not null then 'COMPLAINTS'
        when proxy_score is not null then 'SIGNS'
    end as attitude_source
from lines
