{{ config(materialized='table') }}

-- What was charged to each line in the last 30 days, and its lowest balance, from the daily snapshots
-- as of the date. The charge of a day is the difference of the month's charges so far between two days
-- that both have a snapshot (the first of a month counts from zero).
--
-- For a line with a snapshot on every day that came, most of these differences cancel: each day's
-- value has a weight of 1, 0 or -1, the same for all. Only the other lines need their days in order.
with
days as (
    select
        dt,
        dt > {{ days_after(as_of(), -30) }}
        and (
            extract(day from dt) = 1
            or coalesce(lag(dt) over (order by dt) = {{ days_after('dt', -1) }}, false)
        ) as is_charge_day,
        extract(day from {{ days_after('dt', 1) }}) <> 1
        and coalesce(lead(dt) over (order by dt) = {{ days_after('dt', 1) }}, false) as is_subtracted
    from {{ ref('fct_feed_days') }}
    where
        feed = 'billing_balances'
        and is_arrived
        and dt > {{ days_after(as_of(), -31) }}
        and dt <= {{ as_of() }}
),

expected as (
    select
        count(*) as snapshots,
        count(case when is_charge_day then 1 end) as charge_days
    from days
),

weights as (
    select
        dt,
        case when is_charge_day then 1 else 0 end - case when is_subtracted then 1 else 0 end as weight
    from days
),

snapshots as (
    select subscriber_id, balance_date, balance_cny, charged_mtd_cny
    from {{ ref('fct_balances') }}
    where balance_date > {{ days_after(as_of(), -31) }} and balance_date <= {{ as_of() }}
),

sums as (
    select
        snapshots.subscriber_id,
        sum(weights.weight * snapshots.charged_mtd_cny) as charged_cny,
        count(snapshots.charged_mtd_cny) as snapshots,
        min(
            case when snapshots.balance_date > {{ days_after(as_of(), -30) }} then snapshots.balance_cny end
        ) as balance_min_cny
    from snapshots
    inner join weights on snapshots.balance_date = weights.dt
    group by snapshots.subscriber_id
),

gaps as (
    select
        snapshots.subscriber_id,
        snapshots.balance_date,
        case
            when extract(day from snapshots.balance_date) = 1 then snapshots.charged_mtd_cny
            when
                lag(snapshots.balance_date) over days_of_line = {{ days_after('snapshots.balance_date', -1) }}
                then snapshots.charged_mtd_cny - lag(snapshots.charged_mtd_cny) over days_of_line
        end as charged_cny
    from snapshots
    inner join sums on snapshots.subscriber_id = sums.subscriber_id
    cross join expected
    where sums.snapshots < expected.snapshots and snapshots.charged_mtd_cny is not null
    window days_of_line as (partition by snapshots.subscriber_id order by snapshots.balance_date)
),

gap_sums as (
    select
        subscriber_id,
        sum(charged_cny) as charged_cny,
        count(charged_cny) as charge_days
    from gaps
    where balance_date > {{ days_after(as_of(), -30) }}
    group by subscriber_id
)

select
    sums.subscriber_id,
    cast(
        case when sums.snapshots = expected.snapshots then sums.charged_cny else gap_sums.charged_cny end
        as decimal(18, 2)
    ) as charged_cny_30d,
    -- days whose charge is known
    cast(
        case
            when sums.snapshots = expected.snapshots then expected.charge_days
            else coalesce(gap_sums.charge_days, 0)
        end as integer
    ) as charge_days_30d,
    sums.balance_min_cny as balance_min_cny_30d
from sums
cross join expected
left join gap_sums on sums.subscriber_id = gap_sums.subscriber_id
