{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates',
    tags=['as_of_day']
) }}

with
parameters as (
    select * from {{ ref('int_value_parameters') }}
),

customers as (
    select customer_id, points_balance
    from {{ ref('dim_customers') }} as customers
    where {{ is_visible('customers', as_of()) }}
),

uses as (
    select
        uses.subscriber_id,
        case
            when uses.voice_minutes_avg_3m is not null or uses.data_mb_avg_3m is not null
                then
                    coalesce(uses.voice_minutes_avg_3m, 0) * parameters.volume_voice_cny_per_minute
                    + coalesce(uses.data_mb_avg_3m, 0) * parameters.volume_data_cny_per_mb
                    + coalesce(uses.sms_out_avg_3m, 0) * parameters.volume_sms_cny
        end as business_volume_month_cny
    from {{ ref('indicators_usage_level') }} as uses
    cross join parameters
    where uses.as_of_date = {{ as_of() }}
),

-- Kinds of new services: each value-added service, and each other kind of product beside the plan.
feeds as (
    {{ feeds_arrived(['billing_subscriptions']) }}
),

services as (
    select
        subscriber_id,
        count(distinct case when product_kind = 'VAS' then product_id else product_kind end) as services_held
    from {{ ref('int_holdings') }}
    where is_open and product_kind <> 'PLAN' and not is_trial
    group by subscriber_id
),

valued as (
    select
        lines.subscriber_id,
        lines.customer_id,
        lines.org_id,
        lines.brand,
        lines.payment_mode,
        lines.org_class,
        coalesce(lines.vip_level, 0) > 0 as is_on_vip_list,
        margins.margin_basis,
        margins.margin_months,
        margins.revenue_month_cny,
        margins.margin_month_cny,
        margins.acquisition_cost_12m_cny,
        margins.arrears_cny,
        margins.unknown_costs,
        12 * margins.margin_month_cny
        - coalesce(margins.acquisition_cost_12m_cny, 0)
        - coalesce(margins.arrears_cny, 0) as margin_12m_cny,
        cast(uses.business_volume_month_cny as double) as business_volume_month_cny,
        cast(case when feeds.has_billing_subscriptions then coalesce(services.services_held, 0) end as integer)
            as services_held,
        customers.points_balance
    from {{ ref('int_lines') }} as lines
    cross join feeds
    left join {{ ref('int_margins') }} as margins on lines.subscriber_id = margins.subscriber_id
    left join uses on lines.subscriber_id = uses.subscriber_id
    left join services on lines.subscriber_id = services.subscriber_id
    left join customers on lines.customer_id = customers.customer_id
),

{%- set rankings = {
    'profit': 'margin_12m_cny',
    'traffic': 'business_volume_month_cny',
    'services': 'services_held',
} %}

-- Equal values share a rank: nobody is of more worth by the order of rows.
ranked as (
    select
        {%- for name, value in rankings.items() %}
        case when {{ value }} is not null then rank() over (order by {{ value }} desc nulls last) end
            as {{ name }}_rank,
        count({{ value }}) over () as {{ name }}_count,
        {%- endfor %}
        valued.*
    from valued
),

placed as (
    select
        *,
        cast(floor(cast(10 * (profit_rank - 1) as double) / profit_count) as integer) + 1 as margin_decile
    from ranked
),

{%- for name, value in {'arpu': 'revenue_month_cny', 'points': 'points_balance'}.items() %}

{{ name }}_bands as (
    select
        band,
        from_value,
        lead(from_value) over (order by from_value) as to_value
    from {{ ref('value_bands') }}
    where band_of = '{{ name | upper }}'
),
{%- endfor %}

vip_tier as (
    select value_tier from {{ ref('value_tiers') }} where takes_vip_list
)

select
    placed.subscriber_id,
    {{ as_of() }} as as_of_date,
    placed.customer_id,
    placed.org_id,
    placed.brand,
    placed.payment_mode,
    placed.margin_basis,
    placed.margin_months,
    placed.revenue_month_cny,
    placed.margin_month_cny,
    placed.acquisition_cost_12m_cny,
    placed.arrears_cny,
    placed.unknown_costs,
    placed.margin_12m_cny,
    placed.margin_decile,
    case when placed.is_on_vip_list then vip_tier.value_tier else tiers.value_tier end as value_tier,
    case
        when placed.is_on_vip_list then 'VIP_LIST'
        when tiers.value_tier is not null then 'MARGIN'
    end as tier_source,
    placed.business_volume_month_cny,
    placed.services_held,
    {%- for name in rankings %}
    cast(placed.{{ name }}_rank as bigint) as {{ name }}_rank,
    cast(placed.{{ name }}_count - placed.{{ name }}_rank + 1 as double) / nullif(placed.{{ name }}_count, 0)
        as {{ name }}_percentile,
    {%- endfor %}
    arpu_bands.band as arpu_band,
    points_bands.band as points_band,
    placed.org_class
from placed
cross join vip_tier
left join {{ ref('value_tiers') }} as tiers
    on placed.margin_decile between tiers.first_decile and tiers.last_decile
left join arpu_bands
    on
        placed.revenue_month_cny >= arpu_bands.from_value
        and (placed.revenue_month_cny < arpu_bands.to_value or arpu_bands.to_value is null)
left join points_bands
    on
        placed.points_balance >= points_bands.from_value
        and (placed.points_balance < points_bands.to_value or points_bands.to_value is null)
