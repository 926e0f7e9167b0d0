{#
    Whether `total` of `elapsed_days` known days of a month is far above (spike), or at most a part
    (drop) of, what was expected: base · elapsed / length of the month (O33). `base` is a row with
    base_parts, base_weight and length_of_month; the base is base_parts / base_weight.
#}
{% macro is_anomaly(kind, total, elapsed_days, base='bases') -%}
    ({{ elapsed_days }}) >= parameters.anomaly_min_days
    and ({{ total }}) * {{ base }}.length_of_month * {{ base }}.base_weight
    {{ '>=' if kind == 'spike' else '<=' }} parameters.{{ kind }}_ratio * {{ base }}.base_parts * ({{ elapsed_days }})
{%- endmacro %}
