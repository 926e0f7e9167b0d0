{# What is counted over a feed is null where the feed never came; zero only where it did. #}
{% macro counted(feed, count) -%}
    case when feeds.has_{{ feed }} then cast(coalesce({{ count }}, 0) as double) end
{%- endmacro %}

{# One row: has_<feed> for each of the feeds. #}
{% macro feeds_arrived(feeds) -%}
    select
        {%- for feed in feeds %}
        coalesce(max(case when feed = '{{ feed }}' then cast(has_arrived as integer) end), 0) = 1 as has_{{ feed }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_feed_arrivals') }}
{%- endmacro %}

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
