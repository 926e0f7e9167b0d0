{# Suffix of a window of the running state, and its first day: so many days, or the month to date. #}
{% macro window_name(window) %}{{ 'mtd' if window == 'mtd' else window ~ 'd' }}{% endmacro %}

{% macro window_from(window) -%}
    {% if window == 'mtd' %}{{ month_of(as_of()) }}{% else %}{{ days_after(as_of(), 1 - window) }}{% endif %}
{%- endmacro %}

{# The first day of the month of a day. #}
{% macro month_of(day) %}cast(date_trunc('month', {{ day }}) as date){% endmacro %}

{#
    Select list: the measures that the state holds over `window` (every measure without one), as
    `aggregate` of the rows of `usage`, or of one row as they are.
#}
{% macro usage_sums(window=none, aggregate='sum') -%}
    {%- for name, (sql, type, held) in usage_measures().items() if window is none or window in held %}
        cast({{ aggregate }}({{ sql }}) as {{ type }}) as {{ name }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Select list: when each mark was last seen in the rows of `usage` for which `condition` holds. #}
{% macro usage_last_seen(condition='true', prefix='', aggregate='max') -%}
    {%- for mark, sql in usage_marks().items() %}
        {{ aggregate }}(case when {{ condition }} and {{ sql }} then usage.usage_date end) as {{ prefix }}{{ mark }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Select list: `template` for each measure and window, with COLUMN, NAME, SQL, TYPE, WINDOW and FROM filled in. #}
{% macro usage_columns(template, windows=none) -%}
    {%- set columns = [] -%}
    {%- for name, (sql, type, held) in usage_measures().items() -%}
        {%- for window in held if windows is none or window in windows -%}
            {%- do columns.append(
                template.replace('COLUMN', name ~ '_' ~ window_name(window))
                .replace('NAME', name).replace('SQL', sql).replace('TYPE', type)
                .replace('WINDOW', window_name(window)).replace('FROM', window_from(window))
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# Select list: `template` for each mark, in the place of MARK. #}
{% macro usage_mark_columns(template) -%}
    {%- for mark in usage_marks() %}
        {{ template.replace('MARK', mark) }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
