{# 1 where the condition is true, else 0. #}
{% macro one_if(condition) -%}
    case when {{ condition }} then 1 else 0 end
{%- endmacro %}

{# Whether the code is one of a list of policy, whose codes are joined by `;`. Null for no code. #}
{% macro is_listed(code, codes) -%}
    instr(concat(';', {{ codes }}, ';'), ';' || {{ code }} || ';') > 0
{%- endmacro %}
