{# First and last day of the calendar month that lies `back` months before that of `as_of()`, as SQL. #}
{% macro month_first(back=0) -%}
    {%- set months = 12 * (var('to_date')[:4] | int) + (var('to_date')[5:7] | int) - 1 - back -%}
    cast('{{ '%04d-%02d-01' | format(months // 12, months % 12 + 1) }}' as date)
{%- endmacro %}

{% macro month_last(back=0) %}{{ days_after(month_first(back - 1), -1) }}{% endmacro %}

{# A row for each day of the month of `as_of()` up to it, in the column `dt`. #}
{% macro days_to_date() -%}
    {%- for day in range(var('to_date')[8:10] | int) %}
    {{ 'union all ' if not loop.first }}select cast('{{ var('to_date')[:8] }}{{ '%02d' | format(day + 1) }}' as date) as dt
    {%- endfor %}
{%- endmacro %}
