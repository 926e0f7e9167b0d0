{{ config(materialized='table') }}

-- Usage of each line in the three newest months visible on the date (m1 is the newest), for operators
-- that deliver months. A month without a row stays null.
with
usage as (
    select
        usage.*,
        12 * extract(year from usage.month) + extract(month from usage.month) as month_number
    from {{ ref('fct_usage_monthly') }} as usage
    where {{ is_visible('usage', as_of()) }}
),

newest as (
    select max(month_number) as month_number from usage
),

numbered as (
    select
        usage.*,
        newest.month_number - usage.month_number + 1 as months_back
    from usage
    cross join newest
)

select
    subscriber_id,
    cast(count(*) as double) as months_seen,
    {% for months_back in [1, 2, 3] %}
    cast(max(case when months_back = {{ months_back }} then voice_minutes end) as double) as minutes_m{{ months_back }},
    cast(max(case when months_back = {{ months_back }} then data_mb end) as double) as mb_m{{ months_back }},
    cast(max(case when months_back = {{ months_back }} then topup_cny end) as double) as topup_cny_m{{ months_back }},
    {% endfor %}
    cast(max(case when months_back = 1 then active_days end) as double) as active_days_m1,
    cast(max(case when months_back = 1 then topup_count end) as double) as topup_count_m1,
    cast(max(case when months_back = 1 then balance_end_cny end) as double) as balance_end_cny_m1,
    cast(avg(topup_cny) as double) as topup_cny_mean,
    max(case when months_back = 1 then tac end) as tac
from numbered
where months_back <= 3
group by subscriber_id
