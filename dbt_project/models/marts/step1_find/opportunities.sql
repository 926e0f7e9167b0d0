{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='all',
    on_schema_change='fail'
) }}
{{- must_be_found() }}

with
scores as (
    select * from {{ ref('stg_loop__churn_scores') }} where as_of_date = {{ as_of() }}
),

revenues as (
    select subscriber_id, arpu_cny from {{ ref('churn_features') }} where as_of_date = {{ as_of() }}
),

worth as (
    select subscriber_id, value_tier from {{ ref('subscriber_values') }} where as_of_date = {{ as_of() }}
),

lifetimes as (
    select subscriber_id, clv_36m_cny, revenue_at_risk_cny
    from {{ ref('lifetime_values') }}
    where as_of_date = {{ as_of() }}
),

valued as (
    select
        found.*,
        scores.churn_probability_near as churn_probability,
        scores.churn_probability_mid,
        scores.churn_probability_far,
        revenues.arpu_cny,
        scores.churn_probability_near * revenues.arpu_cny as value_at_risk_cny,
        worth.value_tier,
        lifetimes.clv_36m_cny,
        lifetimes.revenue_at_risk_cny as revenue_at_risk_12m_cny,
        scores.reason_1,
        scores.reason_2,
        scores.reason_3,
        scores.model_month,
        scores.model_version,
        case found.churn_period
            when 'ALARM' then 1
            when 'WARNING' then 2
            when 'CHURNED' then 3
            else 4
        end as period_order
    from {{ ref('int_opportunities') }} as found
    left join scores on found.subscriber_id = scores.subscriber_id
    left join revenues on found.subscriber_id = revenues.subscriber_id
    left join worth on found.subscriber_id = worth.subscriber_id
    left join lifetimes on found.subscriber_id = lifetimes.subscriber_id
    where found.as_of_date = {{ as_of() }}
)

select
    md5(concat(subscriber_id, '|', cast(as_of_date as varchar))) as opportunity_id,
    subscriber_id,
    as_of_date,
    md5(concat('episode|', subscriber_id, '|', cast(episode_from as varchar))) as episode_id,
    episode_from,
    customer_id,
    org_id,
    payment_mode,
    churn_period,
    warning_kind,
    lifecycle_stage,
    tenure_cluster,
    signals,
    top_severity,
    unknown_signals,
    expected_churn_type,
    cause,
    is_held,
    is_upsell_blocked,
    is_agent_alerted,
    is_deal_hunter,
    is_reminder_only,
    churn_probability,
    churn_probability_mid,
    churn_probability_far,
    arpu_cny,
    value_at_risk_cny,
    value_tier,
    clv_36m_cny,
    revenue_at_risk_12m_cny,
    cast(
        row_number() over (
            partition by as_of_date order by coalesce(churn_probability, -1) desc, subscriber_id asc
        ) as bigint
    ) as risk_rank,
    cast(
        row_number() over (
            partition by as_of_date order by coalesce(arpu_cny, -1) desc, subscriber_id asc
        ) as bigint
    ) as value_rank,
    cast(
        row_number() over (
            partition by as_of_date
            order by
                type_rank asc,
                type_sub_order asc,
                period_order asc,
                top_severity desc,
                coalesce(arpu_cny, -1) desc,
                subscriber_id asc
        ) as bigint
    ) as attention_rank,
    reason_1,
    reason_2,
    reason_3,
    model_month,
    model_version
from valued
