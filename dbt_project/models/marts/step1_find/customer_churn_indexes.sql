{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

select
    lines.customer_id,
    {{ as_of() }} as as_of_date,
    count(*) as lines_scored,
    -- Decimals: a sum of doubles depends on the order in which threads add.
    cast(sum(cast(scores.churn_probability_near as decimal(18, 9))) as double) as expected_leavers_near,
    cast(avg(cast(scores.churn_probability_near as decimal(18, 9))) as double) as expected_share_near,
    cast(sum(cast(scores.churn_probability_mid as decimal(18, 9))) as double) as expected_leavers_mid,
    cast(avg(cast(scores.churn_probability_mid as decimal(18, 9))) as double) as expected_share_mid,
    cast(sum(cast(scores.churn_probability_far as decimal(18, 9))) as double) as expected_leavers_far,
    cast(avg(cast(scores.churn_probability_far as decimal(18, 9))) as double) as expected_share_far
from {{ ref('stg_loop__churn_scores') }} as scores
inner join {{ ref('dim_subscribers') }} as lines
    on scores.subscriber_id = lines.subscriber_id and {{ is_visible('lines', as_of()) }}
where scores.as_of_date = {{ as_of() }} and lines.customer_id is not null
group by lines.customer_id
