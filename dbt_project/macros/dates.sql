{# Date arithmetic that every engine spells differently. #}

{% macro days_after(day, days) %}{{ return(adapter.dispatch('days_after')(day, days)) }}{% endmacro %}

{% macro default__days_after(day, days) %}date_add({{ day }}, cast({{ days }} as integer)){% endmacro %}

{% macro duckdb__days_after(day, days) %}({{ day }} + cast({{ days }} as integer)){% endmacro %}

{# Whole days from `first` to `last`: 0 on the same day. #}
{% macro days_between(first, last) %}{{ return(adapter.dispatch('days_between')(first, last)) }}{% endmacro %}

{% macro default__days_between(first, last) %}datediff({{ last }}, {{ first }}){% endmacro %}

{% macro duckdb__days_between(first, last) %}date_diff('day', {{ first }}, {{ last }}){% endmacro %}

{% macro is_month_end(day) -%}
    cast(date_trunc('month', {{ days_after(day, 1) }}) as date) = {{ days_after(day, 1) }}
{%- endmacro %}
