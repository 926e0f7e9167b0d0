{#
    Whether the absence of a row in the last `width` days proves something: `alias`, a row of
    int_feed_arrivals, has arrived, and no day of the window is missing. Of a width that is not counted
    there the next larger one speaks.
#}
{% macro is_proof_of_absence(alias, width) -%}
    (
        {{ alias }}.has_arrived
        and case
            {%- for window in [7, 30, 60, 90, 120, 180] %}
            when {{ width }} <= {{ window }} then {{ alias }}.missing_{{ window }}d
            {%- endfor %}
            else {{ alias }}.missing_365d
        end = 0
    )
{%- endmacro %}
