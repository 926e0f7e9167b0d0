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

{# Calendar months later; the last day of a month stands for days that the later month has not. #}
{% macro months_after(day, months) %}{{ return(adapter.dispatch('months_after')(day, months)) }}{% endmacro %}

{% macro default__months_after(day, months) %}add_months({{ day }}, cast({{ months }} as integer)){% endmacro %}

{% macro duckdb__months_after(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{# Seconds from `first` to `last`. #}
{% macro seconds_between(first, last) %}{{ return(adapter.dispatch('seconds_between')(first, last)) }}{% endmacro %}

{% macro default__seconds_between(first, last) %}(unix_timestamp({{ last }}) - unix_timestamp({{ first }})){% endmacro %}

{% macro duckdb__seconds_between(first, last) %}date_diff('second', {{ first }}, {{ last }}){% endmacro %}

{# A row for each day of the month of `as_of()` up to it, in the column `dt`. #}
{% macro days_to_date() -%}
    {%- for day in range(var('to_date')[8:10] | int) %}
    {{ 'union all ' if not loop.first }}select cast('{{ var('to_date')[:8] }}{{ '%02d' | format(day + 1) }}' as date) as dt
    {%- endfor %}
{%- endmacro %}
