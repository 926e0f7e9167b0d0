{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='index_dates',
    on_schema_change='fail'
) }}

with
feeds as (
    {{ feeds_arrived(['billing_subscriptions', 'crm_consents', 'field_contacts']) }}
),

spells as (
    select subscriber_id, count(case when returned_on is not null then 1 end) as spells_over
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }}
    group by subscriber_id
),

holdings as (
    select
        *,
        lag(promo_id) over (partition by subscriber_id order by started_at, subscription_id) as promo_before
    from {{ ref('int_holdings') }}
    where started_on <= {{ as_of() }}
),

held as (
    select
        subscriber_id,
        min(
            case
                when is_open and product_kind <> 'DEVICE_CONTRACT' and contract_end_date >= {{ as_of() }}
                    then contract_end_date
            end
        ) as service_contract_ends_on,
        max(contract_end_date) as last_contract_ends_on,
        count(distinct case when is_open then product_kind end) as product_kinds_held,
        count(case when is_open and product_kind = 'VAS' then 1 end) as vas_held,
        count(
            case when product_kind = 'VAS' and started_on > {{ days_after(as_of(), -90) }} then 1 end
        ) as vas_added_90d,
        count(
            case
                when
                    product_kind = 'VAS'
                    and end_reason = 'CUSTOMER'
                    and ended_on > {{ days_after(as_of(), -90) }}
                    and ended_on <= {{ as_of() }}
                    then 1
            end
        ) as vas_cancelled_90d,
        max(case when is_open and product_kind = 'BUNDLE' then 1 else 0 end) as bundles_held,
        count(
            case
                when
                    promo_id is not null
                    and promo_id <> coalesce(promo_before, '')
                    and started_on > {{ days_after(as_of(), -365) }}
                    then 1
            end
        ) as promo_switches_12m
    from holdings
    group by subscriber_id
),

service_types as (
    select customer_id, count(distinct coalesce(service_type, 'MOBILE')) as service_types_held
    from {{ ref('dim_subscribers') }} as subscribers
    where
        {{ is_visible('subscribers', as_of()) }}
        and coalesce(status, 'ACTIVE') <> 'DEACTIVATED'
        and customer_id is not null
    group by customer_id
),

customers as (
    select
        customer_id,
        points_balance,
        cast(
            case when interests is not null then 1 else 0 end
            + case when occupation is not null then 1 else 0 end
            + case when income_band is not null then 1 else 0 end
            + case when gender is not null then 1 else 0 end
            + case when birth_year is not null then 1 else 0 end
            + case when has_address then 1 else 0 end as double
        ) / 6 as profile_completeness
    from {{ ref('dim_customers') }} as customers
    where {{ is_visible('customers', as_of()) }}
),

earlier_customers as (
    select customer_id, points_balance
    from {{ ref('dim_customers') }} as customers
    where {{ is_visible('customers', days_after(as_of(), -90)) }}
),

-- A run of days not ACTIVE is one suspension, whatever its reasons.
suspended as (
    select
        subscriber_id,
        count(
            distinct case when presence_from > {{ days_after(as_of(), -365) }} then presence_from end
        ) as suspensions_12m,
        count(
            distinct case
                when presence_from > {{ days_after(as_of(), -365) }} and status_reason = 'ARREARS' then presence_from
            end
        ) as arrears_suspensions_12m,
        sum(
            greatest(
                {{ days_between(
                    'greatest(standing_from, ' ~ days_after(as_of(), -89) ~ ')',
                    'coalesce(standing_to, ' ~ days_after(as_of(), 1) ~ ')'
                ) }},
                0
            )
        ) as suspended_days_90d,
        max(standing_to) as last_ended_on
    from {{ ref('int_standings') }}
    where status in ('ONE_WAY_SUSPENDED', 'TWO_WAY_SUSPENDED')
    group by subscriber_id
),

consents as (
    select
        *,
        row_number() over (
            partition by subscriber_id, message_class, channel order by changed_at desc
        ) as newness
    from {{ ref('fct_consents') }} as consents
    where {{ is_visible('consents', as_of()) }}
),

consented as (
    select
        subscriber_id,
        count(case when newness = 1 and is_granted and message_class = 'MARKETING' then 1 end)
            as marketing_channels_consented,
        count(
            case when not is_granted and cast(changed_at as date) > {{ days_after(as_of(), -365) }} then 1 end
        ) as opt_outs_12m
    from consents
    group by subscriber_id
),

accepted as (
    select subscriber_id, count(*) as retention_accepts_12m
    from {{ ref('fct_contacts') }} as contacts
    where
        {{ is_visible('contacts', as_of()) }}
        and occurred_at >= {{ days_after(as_of(), -364) }}
        and outcome = 'ACCEPTED'
    group by subscriber_id
),

agents as (
    select agent_id, 1 - survival_share_90d as early_exit_rate, reentry_share
    from {{ ref('agent_arbitrage') }}
    where as_of_date = {{ as_of() }}
),

reentries as (
    select distinct new_subscriber_id as subscriber_id
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }}
)

select
    base.subscriber_id,
    {{ as_of() }} as as_of_date,
    cast({{ days_between('base.activated_on', as_of()) }} as double) as tenure_days,
    cast(1 + coalesce(spells.spells_over, 0) as double) as spell_number,
    cast({{ days_between(as_of(), 'held.service_contract_ends_on') }} as double) as service_contract_days_left,
    cast(
        case
            when held.last_contract_ends_on < {{ as_of() }}
                then {{ days_between('held.last_contract_ends_on', as_of()) }}
        end as double
    ) as contract_lapsed_days,
    {%- for name in ['product_kinds_held', 'vas_held', 'vas_added_90d', 'vas_cancelled_90d', 'promo_switches_12m'] %}
    {{ counted('billing_subscriptions', 'held.' ~ name) }} as {{ name }},
    {%- endfor %}
    case when feeds.has_billing_subscriptions then coalesce(held.bundles_held, 0) = 1 end as is_bundle_member,
    cast(service_types.service_types_held as double) as service_types_held,
    cast(customers.points_balance as double) as points_balance,
    cast(customers.points_balance - earlier_customers.points_balance as double) as points_change_90d,
    cast(base.vip_level as double) as vip_level,
    cast(coalesce(suspended.suspensions_12m, 0) as double) as suspensions_12m,
    cast(coalesce(suspended.arrears_suspensions_12m, 0) as double) as arrears_suspensions_12m,
    cast(coalesce(suspended.suspended_days_90d, 0) as double) as suspended_days_90d,
    cast(
        case when base.is_active then {{ days_between('suspended.last_ended_on', as_of()) }} end as double
    ) as days_since_revival,
    {{ counted('crm_consents', 'consented.marketing_channels_consented') }} as marketing_channels_consented,
    {{ counted('crm_consents', 'consented.opt_outs_12m') }} as opt_outs_12m,
    {{ counted('field_contacts', 'accepted.retention_accepts_12m') }} as retention_accepts_12m,
    cast(agents.early_exit_rate as double) as agent_early_exit_rate_180d,
    cast(agents.reentry_share as double) as agent_reentry_share_180d,
    reentries.subscriber_id is not null as is_reentry,
    base.ported_in_from is not null as is_ported_in,
    cast(extract(year from {{ as_of() }}) - base.birth_year as double) as age_years,
    customers.profile_completeness,
    base.is_autopay
from {{ ref('int_lines') }} as base
cross join feeds
left join spells on base.subscriber_id = spells.subscriber_id
left join held on base.subscriber_id = held.subscriber_id
left join service_types on base.customer_id = service_types.customer_id
left join customers on base.customer_id = customers.customer_id
left join earlier_customers on base.customer_id = earlier_customers.customer_id
left join suspended on base.subscriber_id = suspended.subscriber_id
left join consented on base.subscriber_id = consented.subscriber_id
left join accepted on base.subscriber_id = accepted.subscriber_id
left join agents on base.agent_id = agents.agent_id
left join reentries on base.subscriber_id = reentries.subscriber_id
