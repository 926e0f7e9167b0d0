{#
    The newest date before `as_of()` of which this model keeps rows, at most `signal_max_step` days
    back, as an ISO string; none when there is none.
#}
{% macro earlier_date() %}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set found = run_query(
        'select max(as_of_date) from ' ~ this ~ ' where as_of_date < ' ~ as_of()
        ~ ' and as_of_date >= ' ~ days_after(as_of(), -var('signal_max_step', 45))
    ) -%}
    {%- set day = found.columns[0].values()[0] -%}
    {{ return(day.isoformat()[:10] if day else none) }}
{% endmacro %}

{# Calendar months later; the last day of a month stands for days that the later month has not. #}
{% macro months_after(day, months) %}{{ return(adapter.dispatch('months_after')(day, months)) }}{% endmacro %}

{% macro default__months_after(day, months) %}add_months({{ day }}, cast({{ months }} as integer)){% endmacro %}

{% macro duckdb__months_after(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}
