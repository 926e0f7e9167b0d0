{# The one row `parameters` of the measures and marks. #}
{% macro usage_parameters() -%}
    select
        definition.min_activity_mb,
        signals.bad_session_share,
        signals.poor_coverage_day_minutes
    from {{ ref('int_churn_definition') }} as definition
    cross join {{ ref('int_signal_parameters') }} as signals
{%- endmacro %}

{# Suffix of a window of the running state, and its first day: so many days, or the month to date. #}
{% macro window_name(window) %}{{ 'mtd' if window == 'mtd' else window ~ 'd' }}{% endmacro %}

{% macro window_from(window) -%}
    {% if window == 'mtd' %}{{ month_first() }}{% else %}{{ days_after(as_of(), 1 - window) }}{% endif %}
{%- endmacro %}

{#
    Select list: the measures that the state holds over `window` (every measure without one), as
    `aggregate` of the rows of `usage`, or of one row as they are.
#}
{% macro usage_sums(window=none, aggregate='sum') -%}
    {%- set columns = [] -%}
    {%- for name, (sql, type, held) in usage_measures().items() if window is none or window in held -%}
        {%- do columns.append('cast(' ~ aggregate ~ '(' ~ sql ~ ') as ' ~ type ~ ') as ' ~ name) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# Select list: the measures of a day, by name. #}
{% macro usage_names(prefix='') -%}
    {{ prefix }}{{ usage_measures() | join(',\n        ' ~ prefix) }}
{%- endmacro %}

{# Select list: when each mark was last seen in the rows of `usage` for which `condition` holds. #}
{% macro usage_last_seen(condition='true', prefix='', aggregate='max') -%}
    {%- set columns = [] -%}
    {%- for mark, sql in usage_marks().items() -%}
        {%- do columns.append(
            aggregate ~ '(case when ' ~ condition ~ ' and ' ~ sql ~ ' then usage.usage_date end) as ' ~ prefix ~ mark
        ) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{#
    Select list: `template` for each measure and window, with COLUMN, NAME, SQL, TYPE, WINDOW and FROM
    filled in; of the measures that have the window `also`, if that is given.
#}
{% macro usage_columns(template, windows=none, also=none) -%}
    {%- set columns = [] -%}
    {%- for name, (sql, type, held) in usage_measures().items() if also is none or also in held -%}
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
    {%- set columns = [] -%}
    {%- for mark in usage_marks() -%}
        {%- do columns.append(template.replace('MARK', mark)) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# Select list: the highest day of what a closed month keeps one of. #}
{% macro usage_month_maxima() -%}
    {%- set columns = [] -%}
    {%- for name, (sql, type) in usage_maxima().items() -%}
        {%- do columns.append('cast(max(' ~ sql ~ ') as ' ~ type ~ ') as ' ~ name) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{#
    The closed months, as numbers back from that of `as_of()`, of which a table of closes that may
    hold them already does not; all, on a first build.
#}
{% macro months_to_close(months) %}
    {%- if not execute or not is_incremental() -%}{{ return(months) }}{%- endif -%}
    {%- set found = run_query('select distinct cast(month as varchar) from ' ~ this ~ ' where closed_on < ' ~ as_of()) -%}
    {%- set held = found.columns[0].values() | map('truncate', 10, true, '', 0) | list -%}
    {%- set missing = [] -%}
    {%- for back in months if month_first(back)[6:16] not in held -%}
        {%- do missing.append(back) -%}
    {%- endfor -%}
    {{ return(missing) }}
{% endmacro %}

{#
    Incremental strategy of what is computed when a month closes and stays: a date that is run again
    makes the closes from it on be computed anew, and months older than `keeps_months` leave.
#}
{% macro get_incremental_closes_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ target }}
    where closed_on >= {{ as_of() }} or month < {{ month_first(config.require('keeps_months')) }};
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
