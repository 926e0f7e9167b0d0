{#
    Incremental strategy of models that are rebuilt by date: the dates of this run leave the model
    and its new rows come in, so that a re-run gives the same rows, also where there are none any more.

    The model's config `replaces` is one of
    {'run': column}          rows of the run's release dates
    {'index_dates': column}  rows of the run's index dates: its month-ends and its last day
    {'month': column}        rows of the month that the run learns for
#}
{% macro get_incremental_replace_where_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set fresh = arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set replaces = config.require('replaces') -%}
    delete from {{ target }}
    where
    {%- if 'run' in replaces %}
        {{ is_of_this_run(replaces['run']) }};
    {%- elif 'month' in replaces %}
        {{ replaces['month'] }} = {{ learning_month() }};
    {%- else %}
        {%- set day = replaces['index_dates'] %}
        ({{ is_of_this_run(day) }} and ({{ is_month_end(day) }} or {{ day }} = {{ to_date() }}))
        or {{ day }} in (select {{ day }} from {{ fresh }});
    {%- endif %}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ fresh }}
{% endmacro %}
