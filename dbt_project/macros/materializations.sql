{#
    Views, tables and incremental tables with as few statements as DuckDB needs. It replaces a
    relation within a transaction, so dbt's way of building beside it (build, rename twice, drop)
    buys nothing here and costs most of the time of a small model. Other adapters keep dbt's own.
    Not here, as nothing uses them: grants, persisted docs, indexes, contracts.
#}
{% materialization view, adapter='duckdb' %}
    {{ return({'relations': [replaced_relation('view')]}) }}
{% endmaterialization %}

{% materialization table, adapter='duckdb' %}
    {{ return({'relations': [replaced_relation('table')]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.type != 'table' or should_full_refresh() -%}
        {{ return({'relations': [replaced_relation('table')]}) }}
    {%- endif -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set fresh = make_temp_relation(target) -%}
    {%- set on_schema_change = incremental_validate_on_schema_change(
        config.get('on_schema_change'), default='ignore'
    ) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('fresh') -%}
        create temporary table {{ fresh.include(database=false, schema=false) }} as (
            {{ sql }}
        )
    {%- endcall %}
    {%- set columns = process_schema_changes(on_schema_change, fresh, existing)
        or adapter.get_columns_in_relation(existing) -%}
    {%- set replacing = adapter.get_incremental_strategy_macro(
        context, config.get('incremental_strategy') or 'default'
    ) -%}
    {% call statement('main') -%}
        {{ replacing({
            'target_relation': target,
            'temp_relation': fresh,
            'unique_key': config.get('unique_key'),
            'dest_columns': columns,
            'incremental_predicates': config.get('incremental_predicates'),
        }) }};
        drop table {{ fresh.include(database=false, schema=false) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# Build the model in its own place; one that was of another kind leaves first. #}
{% macro replaced_relation(kind) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type=kind) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and existing.type != kind -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        create or replace {{ kind }} {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return(target) }}
{% endmacro %}
