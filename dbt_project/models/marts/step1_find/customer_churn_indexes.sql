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
    {{ expected_leavers('scores') }}
from {{ ref('stg_loop__churn_scores') }} as scores
inner join {{ ref('dim_subscribers') }} as lines
    on scores.subscriber_id = lines.subscriber_id and {{ is_visible('lines', as_of()) }}
where scores.as_of_date = {{ as_of() }} and lines.customer_id is not null
group by lines.customer_id
