{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set double = 'cast({} as double)' %}

-- Indicators of the view social circle. What comes from circles is of the newest month that is out.
with
circles as (
    {{ newest_circles(ref('int_circle_months')) }}
),

ties as (
    {{ newest_circles(ref('int_circle_ties')) }}
),

known as (
    select count(*) > 0 as has_circles from {{ ref('int_month_releases') }}
    where as_of_date = {{ as_of() }} and feed = 'usage_call_circle'
),

leavers as (
    select
        subscriber_id,
        max(customer_id) as customer_id,
        max({{ one_if(days_between('confirmed_at', as_of()) ~ ' < 90') }}) as is_recent,
        max(
            {{ one_if("churn_case = 'PORT_OUT' and " ~ days_between('confirmed_at', as_of()) ~ " < 90") }}
        ) as is_ported
    from {{ ref('int_churn') }}
    where
        as_of_date = {{ as_of() }}
        and confirmed_at > {{ days_after(as_of(), -365) }}
        and not coalesce(is_operator_removed, false)
    group by subscriber_id
),

-- Dual handsets as of the newest date before this one.
former_dual as (
    select subscriber_id
    from {{ ref('dual_handsets') }}
    where
        dual_handset
        and dual_handsets.as_of_date = (
            select max(kept.as_of_date)
            from {{ ref('dual_handsets') }} as kept
            where kept.as_of_date < {{ as_of() }} and kept.as_of_date >= {{ days_after(as_of(), -7) }}
        )
),

has_former_dual as (
    select count(*) > 0 as is_known
    from {{ ref('dual_handsets') }}
    where as_of_date < {{ as_of() }} and as_of_date >= {{ days_after(as_of(), -7) }}
),

marked as (
    select
        ties.subscriber_id,
        sum(leavers.is_recent) as churned_members,
        sum(leavers.is_ported) as ported_members,
        count(former_dual.subscriber_id) as dual_members
    from ties
    left join leavers on ties.member_id = leavers.subscriber_id
    left join former_dual on ties.member_id = former_dual.subscriber_id
    where leavers.subscriber_id is not null or former_dual.subscriber_id is not null
    group by ties.subscriber_id
),

customers as (
    select
        subscribers.customer_id,
        count(*) as customer_lines
    from {{ ref('dim_subscribers') }} as subscribers
    where
        {{ is_visible('subscribers', as_of()) }}
        and subscribers.customer_id is not null
        and coalesce(subscribers.status, 'ACTIVE') <> 'DEACTIVATED'
    group by subscribers.customer_id
),

customer_leavers as (
    select
        customer_id,
        count(*) as lines_churned
    from leavers
    where customer_id is not null
    group by customer_id
),

-- Members of shared products: in force, or ended since the 90 days began.
memberships as (
    select distinct
        subscriptions.subscriber_id,
        subscriptions.product_kind,
        subscriptions.group_id,
        subscriptions.ended_at is null or cast(subscriptions.ended_at as date) > {{ as_of() }} as is_open
    from {{ ref('fct_subscriptions') }} as subscriptions
    where
        {{ is_visible('subscriptions', as_of()) }}
        and subscriptions.product_kind in ('FAMILY_PLAN', 'GROUP_VNET')
        and (
            subscriptions.ended_at is null
            or cast(subscriptions.ended_at as date) > {{ days_after(as_of(), -90) }}
        )
),

family_groups as (
    select
        memberships.group_id,
        count(distinct case when memberships.is_open then memberships.subscriber_id end) as members,
        count(distinct case when leavers.is_recent = 1 then memberships.subscriber_id end) as churned
    from memberships
    left join leavers on memberships.subscriber_id = leavers.subscriber_id
    where memberships.product_kind = 'FAMILY_PLAN' and memberships.group_id is not null
    group by memberships.group_id
),

families as (
    select
        memberships.subscriber_id,
        max(family_groups.members) as members,
        max(family_groups.churned) as churned
    from memberships
    inner join family_groups on memberships.group_id = family_groups.group_id
    where memberships.product_kind = 'FAMILY_PLAN' and memberships.is_open
    group by memberships.subscriber_id
),

networks as (
    select distinct subscriber_id from memberships where product_kind = 'GROUP_VNET' and is_open
),

holdings as (
    select has_arrived from {{ ref('int_feed_arrivals') }} where feed = 'billing_subscriptions'
),

holdings_known as (
    select count(*) > 0 as is_known from holdings where has_arrived
),

active as (
    select
        subscriber_id,
        active_days_30d,
        active_days_prior90
    from {{ ref('int_active_days') }}
)

select
    {{ as_of() }} as as_of_date,
    lines.subscriber_id,
    {{ double.format('states.counterparties_30d') }} / nullif(states.call_days_30d, 0)
        as counterparties_day_mean_30d,
    {{ double.format('states.counterparties_30d') }} * active.active_days_prior90
    / nullif(
        {{ double.format('(states.counterparties_120d - states.counterparties_30d)') }} * active.active_days_30d, 0
    )
        as counterparties_ratio_30d_prior90d,
    cast(case when known.has_circles then coalesce(circles.size, 0) end as bigint) as circle_size_last_month,
    {{ double.format('circles.top_minutes') }} / nullif(circles.minutes, 0) as circle_top1_share_last_month,
    {{ double.format('coalesce(circles.minutes, 0)') }} / nullif(circles.former_minutes, 0) as circle_minutes_ratio_1m,
    {{ double.format('circles.onnet_members') }} / nullif(circles.size, 0) as circle_onnet_members_share,
    {{ double.format('coalesce(circles.onnet_minutes, 0)') }} / nullif(circles.minutes, 0)
        as circle_onnet_minutes_share,
    {{ double.format('(circles.former_size - circles.stayed)') }} / nullif(circles.former_size, 0)
        as circle_lost_members_share_1m,
    case
        when circles.former_size > 0
            then {{ double.format('(circles.size - circles.stayed)') }} / nullif(circles.size, 0)
    end as circle_new_members_share_1m,
    {{ double.format('circles.reciprocal_members') }} / nullif(circles.size, 0) as circle_reciprocal_share,
    {{ double.format('circles.offnet_members') }} / nullif(circles.size, 0) as circle_competitor_members_share,
    cast(case when known.has_circles then coalesce(marked.churned_members, 0) end as bigint)
        as circle_churned_members_90d,
    cast(case when known.has_circles then coalesce(marked.ported_members, 0) end as bigint)
        as circle_port_out_members_90d,
    case
        when has_former_dual.is_known
            then {{ double.format('coalesce(marked.dual_members, 0)') }} / nullif(circles.known_members, 0)
    end as circle_dual_handset_share,
    {{ double.format('circles.branch_members') }} / nullif(circles.known_members, 0) as circle_same_branch_share,
    cast({{ days_between("cast('1970-01-01' as date)", as_of()) }} - circles.mean_activated_day as double)
        as circle_mean_tenure_days,
    {{ double.format('circles.vip_members') }} / nullif(circles.known_members, 0) as circle_vip_share,
    cast(customers.customer_lines as bigint) as customer_lines,
    cast(case when lines.customer_id is not null then coalesce(customer_leavers.lines_churned, 0) end as bigint)
        as customer_lines_churned_12m,
    cast(case when holdings_known.is_known then coalesce(families.members, 0) end as bigint) as family_plan_members,
    cast(case when holdings_known.is_known then coalesce(families.churned, 0) end as bigint)
        as family_members_churned_90d,
    case when holdings_known.is_known then networks.subscriber_id is not null end as is_group_vnet_member,
    case
        when networks.subscriber_id is not null
            then {{ double.format('coalesce(circles.network_minutes, 0)') }} / nullif(circles.minutes, 0)
    end as group_vnet_minutes_share
from {{ ref('int_lines') }} as lines
cross join known
cross join has_former_dual
cross join holdings_known
left join {{ ref('int_usage_state') }} as states
    on lines.subscriber_id = states.subscriber_id and states.as_of_date = {{ as_of() }}
left join active on lines.subscriber_id = active.subscriber_id
left join circles on lines.subscriber_id = circles.subscriber_id
left join marked on lines.subscriber_id = marked.subscriber_id
left join customers on lines.customer_id = customers.customer_id
left join customer_leavers on lines.customer_id = customer_leavers.customer_id
left join families on lines.subscriber_id = families.subscriber_id
left join networks on lines.subscriber_id = networks.subscriber_id
