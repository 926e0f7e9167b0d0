{{ config(materialized='table') }}
{%- set signals = signal_findings() %}

-- What each signal says of each base line: true, false, or null = unknown. Who was removed by the
-- operator (O21) has no signals, also where the status has not followed the event yet.
with
removed as (
    select distinct subscriber_id
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and is_operator_removed and returned_on is null
),

dual_handsets as (
    select * from {{ ref('dual_handsets') }} where as_of_date = {{ as_of() }}
),

found as (
    select
        base_lines.subscriber_id,
        base_lines.org_id{% for signal in signals %},
        {{ signal.relation }}.{{ signal.code | lower }}{% endfor %}
    from {{ ref('int_lines') }} as base_lines
    left join removed on base_lines.subscriber_id = removed.subscriber_id
    {% for relation in signals | map(attribute='relation') | unique if relation != 'dual_handsets' -%}
    left join {{ ref(relation) }} as {{ relation }} on base_lines.subscriber_id = {{ relation }}.subscriber_id
    {% endfor -%}
    left join dual_handsets on base_lines.subscriber_id = dual_handsets.subscriber_id
    where removed.subscriber_id is null
)

select
    {{ as_of() }} as as_of_date,
    *,
    nullif(
        concat_ws(
            ';',
            {% for signal in signals -%}
            case when {{ signal.code | lower }} is null then '{{ signal.code }}' end{{ ',' if not loop.last }}
            {% endfor %}
        ),
        ''
    ) as unknown_signals
from found
