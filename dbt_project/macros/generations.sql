{# The number of a network generation: 4 of '4G'; null of what does not begin with a digit. #}
{% macro generation_number(column) -%}
    case
        when substring({{ column }}, 1, 1) between '0' and '9' then cast(substring({{ column }}, 1, 1) as integer)
    end
{%- endmacro %}

{#
    Quantile by linear interpolation between order statistics, of rows that each know their place in
    their group (from 1) and its size: the value at the place below, and the rest of the way. To be
    grouped by the group.
#}
{% macro quantile_of_places(amount, place, size, share) -%}
    {%- set below = 'floor(' ~ share ~ ' * (' ~ size ~ ' - 1))' -%}
    {%- set low = 'max(case when ' ~ place ~ ' = ' ~ below ~ ' + 1 then ' ~ amount ~ ' end)' -%}
    {%- set high = 'max(case when ' ~ place ~ ' = least(' ~ below ~ ' + 2, ' ~ size ~ ') then ' ~ amount ~ ' end)' -%}
    {{ low }}
    + max({{ share }} * ({{ size }} - 1) - {{ below }}) * ({{ high }} - {{ low }})
{%- endmacro %}
