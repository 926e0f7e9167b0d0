{#
    Views and tables in one statement. DuckDB replaces a relation within a transaction, so dbt's way
    of building beside it (build, rename twice, drop) buys nothing here and costs most of the time
    of a small model. Not supported, as not used: grants, persisted docs, indexes, contracts.
#}
{% materialization view, adapter='duckdb' %}
    {{ return({'relations': [replaced_relation('view')]}) }}
{% endmaterialization %}

{% materialization table, adapter='duckdb' %}
    {{ return({'relations': [replaced_relation('table')]}) }}
{% endmaterialization %}

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
