{{ config(materialized='table') }}
{%- set windows = [7, 30, 60, 90, 120, 180, 365] %}

-- Each feed as of the date: since when it comes, and on how many days of a window it was expected
-- and did not come. Where days are missing, absence of a row proves nothing. Days before the first
-- file are not missing.
with
days as (
    select feed, dt, is_arrived from {{ ref('fct_feed_days') }} where dt <= {{ as_of() }}
),

firsts as (
    select
        feed,
        min(case when is_arrived then dt end) as first_arrived_on,
        max(case when is_arrived then dt end) as last_arrived_on
    from days
    group by feed
)

select
    {% for window in windows %}
    count(
        case
            when
                days.dt >= firsts.first_arrived_on
                and not days.is_arrived
                and days.dt > {{ days_after(as_of(), -window) }}
                then 1
        end
    ) as missing_{{ window }}d,
    {% endfor %}
    firsts.feed,
    firsts.first_arrived_on,
    firsts.last_arrived_on,
    firsts.first_arrived_on is not null as has_arrived
from firsts
inner join days on firsts.feed = days.feed
group by firsts.feed, firsts.first_arrived_on, firsts.last_arrived_on
