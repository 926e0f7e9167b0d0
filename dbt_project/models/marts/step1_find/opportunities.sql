{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    on_schema_change='fail',
    replaces={'run': 'as_of_date'}
) }}

with
scores as (
    select * from {{ ref('stg_loop__churn_scores') }}
    where {{ is_of_this_run('as_of_date') }}
),

features as (
    select * from {{ ref('churn_features') }}
    where in_population and {{ is_of_this_run('as_of_date') }}
),

valued as (
    select
        md5(concat(scores.subscriber_id, '|', cast(scores.as_of_date as varchar))) as opportunity_id,
        scores.subscriber_id,
        scores.as_of_date,
        features.customer_id,
        features.org_id,
        features.payment_mode,
        scores.churn_probability,
        features.arpu_cny,
        scores.churn_probability * features.arpu_cny as value_at_risk_cny,
        scores.reason_1,
        scores.reason_2,
        scores.reason_3,
        scores.model_month,
        scores.model_version
    from scores
    inner join features
        on scores.subscriber_id = features.subscriber_id and scores.as_of_date = features.as_of_date
)

select
    opportunity_id,
    subscriber_id,
    as_of_date,
    customer_id,
    org_id,
    payment_mode,
    churn_probability,
    arpu_cny,
    value_at_risk_cny,
    cast(
        row_number() over (partition by as_of_date order by churn_probability desc, subscriber_id asc) as bigint
    ) as risk_rank,
    cast(
        row_number() over (
            partition by as_of_date order by coalesce(arpu_cny, -1) desc, subscriber_id asc
        ) as bigint
    ) as value_rank,
    cast(
        row_number() over (
            partition by as_of_date
            order by coalesce(value_at_risk_cny, -1) desc, churn_probability desc, subscriber_id asc
        ) as bigint
    ) as attention_rank,
    reason_1,
    reason_2,
    reason_3,
    model_month,
    model_version
from valued
