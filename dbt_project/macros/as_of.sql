{# The date as of which the models of one day look at everything: the last date of the run, as SQL. #}
{% macro as_of() %}{{ to_date() }}{% endmacro %}

{#
    The newest date before this run of which this model keeps rows, at most `days` back, as an ISO
    string; none when there is none. Dates of this run, and what was kept of them, are told anew.
#}
{% macro newest_date_before(days) %}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set found = run_query(
        'select max(as_of_date) from ' ~ this ~ ' where as_of_date < ' ~ from_date()
        ~ ' and as_of_date >= ' ~ days_after(as_of(), -days)
    ) -%}
    {%- set day = found.columns[0].values()[0] -%}
    {{ return(day.isoformat()[:10] if day else none) }}
{% endmacro %}

{# The date of the state that is carried forward; none: the state is computed from scratch. #}
{% macro previous_state_date() %}{{ return(newest_date_before(var('state_max_step'))) }}{% endmacro %}

{# The date whose signals, periods and episodes go on; none: everything begins. #}
{% macro newest_kept_date() %}{{ return(newest_date_before(var('signal_max_step'))) }}{% endmacro %}

{#
    Incremental strategy of what is computed as of one date: its rows take the place of those of the
    same date. `keeps` (config): 'all' dates, 'index_dates' (month-ends, and the newest
    `indicator_keep_days` days), or 'state' (the newest `state_keep_days` days). Rows that are no
    longer kept leave at the end, because the new ones may be made of them.
#}
{% macro get_incremental_as_of_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set fresh = arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set keeps = config.require('keeps') -%}
    delete from {{ target }} where as_of_date = {{ as_of() }};
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ fresh }};
    {%- if keeps == 'index_dates' %}
    delete from {{ target }}
    where as_of_date <= {{ days_after(as_of(), -var('indicator_keep_days')) }} and not {{ is_month_end('as_of_date') }};
    {%- elif keeps == 'state' %}
    delete from {{ target }} where as_of_date <= {{ days_after(as_of(), -var('state_keep_days')) }};
    {%- endif %}
    drop view {{ fresh }}
{% endmacro %}

{#
    For that strategy the rows need not be written twice: a view stands where dbt would first make a
    temporary table of them.
#}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) %}
    {%- if temporary and config.get('incremental_strategy') == 'as_of' -%}
        {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(compiled_code) }}{%- endif %}
        create temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        )
    {%- else -%}
        {{ return(dbt.duckdb__create_table_as(
            temporary, relation, compiled_code, language, partitioned_by=partitioned_by, sorted_by=sorted_by
        )) }}
    {%- endif -%}
{% endmacro %}
