{# The first and the last release date of this run, as SQL. #}
{% macro from_date() %}cast('{{ var("from_date") }}' as date){% endmacro %}

{% macro to_date() %}cast('{{ var("to_date") }}' as date){% endmacro %}

{# The month that the run learns for: its first day, as SQL. #}
{% macro learning_month() %}cast('{{ var("month") }}' as date){% endmacro %}

{# The newest date before that month as of which lines were looked at, as SQL: what its learning knows. #}
{% macro known_on() -%}
    (select max(as_of_date) from {{ ref('churn_features') }} where as_of_date < {{ learning_month() }})
{%- endmacro %}

{# `column` lies within the release dates of this run. #}
{% macro is_of_this_run(column) -%}
    {{ column }} between {{ from_date() }} and {{ to_date() }}
{%- endmacro %}

{# `visible_to` of a row that nothing has replaced yet. #}
{% macro end_of_time() %}cast('9999-12-31' as date){% endmacro %}

{# The row aliased `alias` is what was known as of `day`. #}
{% macro is_visible(alias, day) -%}
    {{ alias }}.visible_from <= {{ day }} and {{ alias }}.visible_to > {{ day }}
{%- endmacro %}
