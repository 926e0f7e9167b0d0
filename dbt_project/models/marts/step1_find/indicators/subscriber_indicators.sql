{{ config(materialized='view') }}
{%- set views = [
    'usage_trend',
    'spend_payment',
    'plan_fit',
    'device',
    'network_quality',
    'service_complaints',
    'competition',
    'social_circle',
    'lifecycle_loyalty',
] %}

-- noqa: disable=AM04,LT02,RF02
-- Every indicator of a line and date in one row: the catalogue's ten views side by side.
-- The columns are the tables' own, which a contract holds to the catalogue.
select
    usage_level.*{% for view in views %},
    {{ view }}.* exclude (subscriber_id, as_of_date){% endfor %}
from {{ ref('indicators_usage_level') }} as usage_level
{% for view in views -%}
left join {{ ref('indicators_' ~ view) }} as {{ view }}
    on
        usage_level.subscriber_id = {{ view }}.subscriber_id
        and usage_level.as_of_date = {{ view }}.as_of_date
{% endfor %}
