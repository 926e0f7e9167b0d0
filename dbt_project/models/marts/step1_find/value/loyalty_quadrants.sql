{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates',
    tags=['as_of_day']
) }}

-- Attitude against repeat purchase, both cut at the median of the lines whose score comes from the
-- same source; who pays in advance buys more often, so repeat purchase also by payment mode. Many
-- lines share a score: these lie above the cut together where, with half of them, at least half of
-- the lines lie below.
with
parameters as (
    select * from {{ ref('int_value_parameters') }}
),

feeds as (
    {{ feeds_arrived(['billing_subscriptions']) }}
),

orders as (
    select
        subscriber_id,
        started_on,
        row_number() over (partition by subscriber_id, product_kind order by started_at, subscription_id) as purchase
    from {{ ref('int_holdings') }}
    where product_kind <> 'PLAN' and not is_trial and started_on <= {{ as_of() }}
),

repeats as (
    select orders.subscriber_id, count(*) as repeat_orders
    from orders
    cross join parameters
    where orders.purchase > 1 and orders.started_on > {{ days_after(as_of(), '-parameters.repeat_days') }}
    group by orders.subscriber_id
),

payments as (
    select subscriber_id, payments_90d
    from {{ ref('indicators_spend_payment') }}
    where as_of_date = {{ as_of() }}
),

scored as (
    select
        lines.subscriber_id,
        lines.org_id,
        attitudes.attitude_score,
        attitudes.attitude_source,
        -- purchases a year
        cast(
            case
                when feeds.has_billing_subscriptions
                    then coalesce(repeats.repeat_orders, 0) + 4 * coalesce(payments.payments_90d, 0)
                else 4 * payments.payments_90d
            end as double
        ) as repeat_score,
        case
            when feeds.has_billing_subscriptions and payments.payments_90d is not null then 'BOTH'
            when feeds.has_billing_subscriptions then 'ORDERS'
            when payments.payments_90d is not null then 'PAYMENTS'
        end as repeat_source,
        lines.payment_mode
    from {{ ref('int_lines') }} as lines
    cross join feeds
    left join {{ ref('int_attitudes') }} as attitudes on lines.subscriber_id = attitudes.subscriber_id
    left join repeats on lines.subscriber_id = repeats.subscriber_id
    left join payments on lines.subscriber_id = payments.subscriber_id
),

placed as (
    select
        {%- for side, alike in {'attitude': 'attitude_source', 'repeat': 'repeat_source, payment_mode'}.items() %}
        case
            when {{ side }}_score is not null
                then
                    2 * (rank() over (partition by {{ alike }} order by {{ side }}_score) - 1)
                    + count(*) over (partition by {{ alike }}, {{ side }}_score)
                    >= count(*) over (partition by {{ alike }})
        end as is_{{ side }}_high,
        {%- endfor %}
        scored.*
    from scored
)

select
    placed.subscriber_id,
    {{ as_of() }} as as_of_date,
    placed.org_id,
    kinds.loyalty_quadrant,
    placed.attitude_score,
    placed.attitude_source,
    placed.attitude_source <> 'QUESTIONNAIRE' as is_attitude_proxy,
    placed.is_attitude_high,
    placed.repeat_score,
    placed.repeat_source,
    placed.repeat_source <> 'ORDERS' as is_repeat_proxy,
    placed.is_repeat_high
from placed
left join {{ ref('loyalty_kinds') }} as kinds
    on placed.is_attitude_high = kinds.is_attitude_high and placed.is_repeat_high = kinds.is_repeat_high
