{{ config(materialized='table') }}

-- The days up to the date whose usage file came, numbered from the first: the known days between two
-- dates are a difference of numbers.
select
    dt as known_on,
    row_number() over (order by dt) as day_number
from {{ ref('fct_feed_days') }}
where feed = 'usage_daily' and is_arrived and dt <= {{ as_of() }}
