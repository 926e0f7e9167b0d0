{#
    Conditions on `relation` that part the subscribers into ranges of `chunk_subscribers`, so that wide
    sums over many rows are made of a part at a time and stay in memory.
#}
{% macro subscriber_chunks(relation) %}
    {%- set subscribers = ref('dim_subscribers') -%}
    {#- In a unit test they are rows of the test, which cannot be asked. -#}
    {%- if not execute or not subscribers.schema -%}{{ return(['true']) }}{%- endif -%}
    {%- set found = run_query(
        'select subscriber_id from ('
        ~ 'select subscriber_id, row_number() over (order by subscriber_id) as place'
        ~ ' from (select distinct subscriber_id from ' ~ subscribers ~ ') as subscribers'
        ~ ') as places where place % ' ~ var('chunk_subscribers') ~ ' = 0 order by subscriber_id'
    ) -%}
    {%- set bounds = found.columns[0].values() | map('replace', "'", "''") | list -%}
    {%- set chunks = [] -%}
    {%- for bound in bounds -%}
        {%- do chunks.append(
            (relation ~ ".subscriber_id >= '" ~ bounds[loop.index0 - 1] ~ "' and " if not loop.first else '')
            ~ relation ~ ".subscriber_id < '" ~ bound ~ "'"
        ) -%}
    {%- endfor -%}
    {%- do chunks.append(relation ~ ".subscriber_id >= '" ~ bounds[-1] ~ "'" if bounds else 'true') -%}
    {{ return(chunks) }}
{% endmacro %}
