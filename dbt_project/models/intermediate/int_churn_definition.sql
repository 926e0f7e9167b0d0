{%- set numbers = [
    'silent_days_prepaid', 'suspended_days_prepaid', 'arrears_days_postpaid', 'voluntary_suspension_days',
    'reentry_days', 'revival_wait_days', 'prepaid_activity_days', 'lead_days', 'horizon_days',
    'maturity_days_prepaid', 'maturity_days_postpaid', 'bulk_exit_lines', 'bulk_exit_days',
    'max_training_rows',
] -%}
{#- An installation may replace parameters of the seed (RETENTION_POLICY_OVERRIDES). -#}
{%- set overrides = var('churn_definition_overrides') -%}
with
parameters as (
    select
        parameter,
        {% if overrides %}
        case parameter
            {%- for parameter, value in overrides.items() %}
            when '{{ parameter }}' then '{{ value }}'
            {%- endfor %}
            else value
        end as value
        {% else %}
        value
        {% endif %}
    from {{ ref('churn_definition') }}
)

select
    {% for number in numbers %}
    cast(max(case when parameter = '{{ number }}' then value end) as integer) as {{ number }},
    {% endfor %}
    cast(max(case when parameter = 'min_activity_mb' then value end) as decimal(18, 3)) as min_activity_mb,
    max(case when parameter = 'source' then value end) as source
from parameters
