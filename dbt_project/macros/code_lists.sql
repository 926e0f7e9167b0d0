{# Whether the code is one of a list of policy, whose codes are joined by `;`. Null for no code. #}
{% macro is_listed(code, codes) -%}
    instr(concat(';', {{ codes }}, ';'), ';' || {{ code }} || ';') > 0
{%- endmacro %}
