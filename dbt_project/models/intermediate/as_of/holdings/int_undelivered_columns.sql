{{ config(materialized='table') }}
{%- set columns = ['contract_end_date', 'promo_id'] %}

-- Columns of the holdings of which nobody has a value: not delivered, so that an empty cell says nothing.
with
delivered as (
    select
        {%- for column in columns %}
        count({{ column }}) > 0 as has_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_holdings') }}
)

{% for column in columns -%}
select
    'billing_subscriptions' as feed,
    '{{ column }}' as feed_column
from delivered
where not has_{{ column }}
{{ 'union all' if not loop.last }}
{% endfor %}
