{#
    Select list: how many of the lines in `scores` are expected to leave within each horizon, and which
    share of them. Decimals: a sum of doubles depends on the order in which threads add.
#}
{% macro expected_leavers(scores) -%}
    {%- set columns = [] -%}
    {%- for horizon in ['near', 'mid', 'far'] -%}
        {%- set chance = 'cast(' ~ scores ~ '.churn_probability_' ~ horizon ~ ' as decimal(18, 9))' -%}
        {%- do columns.append('cast(sum(' ~ chance ~ ') as double) as expected_leavers_' ~ horizon) -%}
        {%- do columns.append('cast(avg(' ~ chance ~ ') as double) as expected_share_' ~ horizon) -%}
    {%- endfor -%}
    {{ columns | join(',\n    ') }}
{%- endmacro %}
