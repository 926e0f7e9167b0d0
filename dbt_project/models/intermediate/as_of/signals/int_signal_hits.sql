{{ config(materialized='table') }}

-- What fires, a row each, with what its sentence is made of.
{%- for signal in signal_findings() %}
{%- set shown = signal['values'] | default([]) %}
select
    found.subscriber_id,
    '{{ signal.code }}' as code,
    cast({{ signal.severity | default('null') }} as integer) as severity,
    cast({{ signal.words | default('null') }} as varchar) as words,
    cast({{ shown[0] | default('null') }} as varchar) as value_1,
    cast({{ shown[1] | default('null') }} as varchar) as value_2
{% if signal.code == 'ARPU_DECLINE' -%}
from {{ ref('int_findings_bills') }} as found
left join {{ ref('int_arpu_decline_causes') }} as causes on found.subscriber_id = causes.subscriber_id
{% else -%}
from {{ ref(signal.relation) }} as found
{% endif -%}
where
    found.{{ signal.code | lower }}
    {%- if signal.relation == 'dual_handsets' %}
    and found.as_of_date = {{ as_of() }}
    {%- endif %}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
