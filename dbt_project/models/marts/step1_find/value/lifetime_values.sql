{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

with
discount as (
    select power(1 + cast(discount_rate as double), cast(-1 as double) / 12) as month_factor
    from {{ ref('int_value_parameters') }}
),

curves as (
    select
        subscriber_id,
        churn_probability_near,
        churn_probability_mid,
        churn_probability_far,
        {{ survival_curve('churn_probability_near', 'churn_probability_mid', 'churn_probability_far') }}
    from {{ ref('stg_loop__churn_scores') }}
    where as_of_date = {{ as_of() }}
),

-- The expected months depend on the curve alone.
stays as (
    select
        curves.subscriber_id,
        curves.churn_probability_near,
        curves.churn_probability_mid,
        curves.churn_probability_far,
        {{ expected_months('curves', 12) }} as months_12m,
        {{ expected_months('curves', 12, 'discount.month_factor') }} as discounted_months_12m,
        {{ expected_months('curves', 36, 'discount.month_factor') }} as discounted_months_36m
    from curves
    cross join discount
)

select
    stays.subscriber_id,
    {{ as_of() }} as as_of_date,
    worth.org_id,
    worth.value_tier,
    cast(stays.churn_probability_near as double) as churn_probability_near,
    cast(stays.churn_probability_mid as double) as churn_probability_mid,
    cast(stays.churn_probability_far as double) as churn_probability_far,
    180 as curve_days,
    worth.revenue_month_cny,
    worth.margin_month_cny,
    cast(stays.months_12m as double) as expected_months_12m,
    cast(worth.margin_month_cny * stays.discounted_months_12m as double) as clv_12m_cny,
    cast(worth.margin_month_cny * stays.discounted_months_36m as double) as clv_36m_cny,
    cast(worth.revenue_month_cny * (12 - stays.months_12m) as double) as revenue_at_risk_cny
from stays
inner join {{ ref('subscriber_values') }} as worth
    on stays.subscriber_id = worth.subscriber_id and worth.as_of_date = {{ as_of() }}
