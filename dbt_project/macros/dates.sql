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

{# First and last day of the calendar month that lies `back` months before that of `as_of()`, as SQL. #}
{% macro month_first(back=0) -%}
    {%- set months = 12 * (var('to_date')[:4] | int) + (var('to_date')[5:7] | int) - 1 - back -%}
    cast('{{ '%04d-%02d-01' | format(months // 12, months % 12 + 1) }}' as date)
{%- endmacro %}

{% macro month_last(back=0) %}{{ days_after(month_first(back - 1), -1) }}{% endmacro %}

{# Whole minutes from the time `first` to the time `last`. #}
{% macro minutes_between(first, last) %}{{ return(adapter.dispatch('minutes_between')(first, last)) }}{% endmacro %}

{% macro default__minutes_between(first, last) %}timestampdiff(minute, {{ first }}, {{ last }}){% endmacro %}

{% macro duckdb__minutes_between(first, last) %}date_sub('minute', {{ first }}, {{ last }}){% endmacro %}
