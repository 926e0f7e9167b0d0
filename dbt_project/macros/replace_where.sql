{#
    Incremental strategy: what the model's config `replaces` selects leaves the model, and the new
    rows come in. `replaces` is a predicate over the model's own columns; a re-run gives the same
    rows, also where there are none any more.
#}
{% macro get_incremental_replace_where_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ target }} where {{ config.require('replaces') }};
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
