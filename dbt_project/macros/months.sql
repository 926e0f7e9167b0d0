{# A row for each day of the month of `as_of()` up to it, in the column `dt`. #}
{% macro days_to_date() -%}
    {%- for day in range(var('to_date')[8:10] | int) %}
    {{ 'union all ' if not loop.first }}select cast('{{ var('to_date')[:8] }}{{ '%02d' | format(day + 1) }}' as date) as dt
    {%- endfor %}
{%- endmacro %}
