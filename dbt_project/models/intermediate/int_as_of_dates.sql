-- The dates as of which this run looks at everything: the last of its release dates and the
-- month-ends among them (index dates), and the newest release date known, as of which fct_churn is.
with
days as (
    select distinct dt from {{ ref('fct_feed_days') }}
),

run_days as (
    select
        dt,
        max(dt) over () as last_dt
    from days
    where {{ is_of_this_run('dt') }}
),

index_dates as (
    select dt from run_days where dt = last_dt or {{ is_month_end('dt') }}
),

newest as (
    select max(dt) as dt from days
)

select
    days.dt as as_of_date,
    days.dt in (select index_dates.dt from index_dates) as is_index_date,
    days.dt in (select newest.dt from newest) as is_newest
from days
where
    days.dt in (select index_dates.dt from index_dates)
    or days.dt in (select newest.dt from newest)
