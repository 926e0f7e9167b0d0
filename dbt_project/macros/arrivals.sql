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

{# Seconds from `first` to `last`. #}
{% macro seconds_between(first, last) %}{{ return(adapter.dispatch('seconds_between')(first, last)) }}{% endmacro %}

{% macro default__seconds_between(first, last) %}(unix_timestamp({{ last }}) - unix_timestamp({{ first }})){% endmacro %}

{% macro duckdb__seconds_between(first, last) %}date_diff('second', {{ first }}, {{ last }}){% endmacro %}
