{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

select
    coalesce(worth.org_id, 'UNKNOWN') as org_id,
    coalesce(worth.value_tier, 'UNKNOWN') as value_tier,
    {{ as_of() }} as as_of_date,
    count(*) as lines_scored,
    {{ expected_leavers('scores') }}
from {{ ref('stg_loop__churn_scores') }} as scores
left join {{ ref('subscriber_values') }} as worth
    on scores.subscriber_id = worth.subscriber_id and worth.as_of_date = {{ as_of() }}
where scores.as_of_date = {{ as_of() }}
group by coalesce(worth.org_id, 'UNKNOWN'), coalesce(worth.value_tier, 'UNKNOWN')
