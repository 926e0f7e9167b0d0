{# Calendar months later; the last day of a month stands for days that the later month has not. #}
{% macro months_after(day, months) %}{{ return(adapter.dispatch('months_after')(day, months)) }}{% endmacro %}

{% macro default__months_after(day, months) %}add_months({{ day }}, cast({{ months }} as integer)){% endmacro %}

{% macro duckdb__months_after(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}
