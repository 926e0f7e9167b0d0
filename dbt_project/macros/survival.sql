{#
    The survival curve of a subscriber, from the churn index: three columns, the chance to stay over
    one month in the first month, in each of the second and third, and in each month from the fourth
    on (the last hazard is carried on). Months count from the lead on.

    near, mid, far  probability of leaving within 30, 90 and 180 days, as SQL; each below 1.
#}
{% macro survival_curve(near, mid, far) -%}
    1 - {{ near }} as stay_month_1,
    power((1 - {{ mid }}) / (1 - {{ near }}), cast(1 as double) / 2) as stay_months_2_3,
    power((1 - {{ far }}) / (1 - {{ mid }}), cast(1 as double) / 3) as stay_months_4_on
{%- endmacro %}

{#
    How many months, in expectation, a subscriber stays and pays in the next `months` (more than 3):
    sum over t = 1 .. months of S(t) v^t, with S(t) of `survival_curve` and v the monthly discount
    factor, 1 for none. From the fourth month on a geometric series.
#}
{% macro expected_months(curve, months, v=1) -%}
    {%- set one = '(' ~ curve ~ '.stay_month_1 * ' ~ v ~ ')' -%}
    {%- set two = '(' ~ curve ~ '.stay_months_2_3 * ' ~ v ~ ')' -%}
    {%- set four = '(' ~ curve ~ '.stay_months_4_on * ' ~ v ~ ')' -%}
    {{ one }} * (
        1
        + {{ two }}
        + {{ two }} * {{ two }} * (
            1
            + case
                when {{ four }} < 1 then {{ four }} * (1 - power({{ four }}, {{ months - 3 }})) / (1 - {{ four }})
                else {{ months - 3 }}
            end
        )
    )
{%- endmacro %}
