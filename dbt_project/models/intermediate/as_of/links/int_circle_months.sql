{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='all',
    post_hook="delete from {{ this }} where as_of_date <= {{ days_after(as_of(), -70) }}"
) }}

-- The newest circle of each line in numbers, against the one before. Made anew when circles came, and kept
-- until then; the date is that on which it was made. Short codes are no members.
with
month_to_read as (
    {{ circle_month_to_read() }}
),

months as (
    select
        month,
        month as read_month,
        true as is_last
    from month_to_read
    union all
    select
        cast(date_trunc('month', {{ days_after('month', -1) }}) as date) as month,
        month as read_month,
        false as is_last
    from month_to_read
),

members as (
    select
        circle.subscriber_id,
        circle.counterparty_msisdn_token as token,
        max(months.read_month) as month,
        max({{ one_if('months.is_last') }}) = 1 as is_member,
        max({{ one_if('not months.is_last') }}) = 1 as was_member,
        sum(
            case when months.is_last then coalesce(circle.minutes_out, 0) + coalesce(circle.minutes_in, 0) end
        ) as minutes,
        sum(
            case when not months.is_last then coalesce(circle.minutes_out, 0) + coalesce(circle.minutes_in, 0) end
        ) as former_minutes,
        max({{ one_if('months.is_last and circle.is_onnet') }}) as is_onnet,
        max({{ one_if('months.is_last and not circle.is_onnet') }}) as is_offnet,
        max({{ one_if('months.is_last and circle.minutes_out > 0 and circle.minutes_in > 0') }}) as is_reciprocal
    from {{ ref('fct_call_circle') }} as circle
    inner join months on circle.month = months.month
    where
        {{ is_visible('circle', as_of()) }}
        and not coalesce(circle.counterparty_is_short_code, false)
    group by circle.subscriber_id, circle.counterparty_msisdn_token
),

circles as (
    select
        subscriber_id,
        max(month) as month,
        sum({{ one_if('is_member') }}) as size,
        sum({{ one_if('was_member') }}) as former_size,
        sum({{ one_if('is_member and was_member') }}) as stayed,
        sum(minutes) as minutes,
        sum(former_minutes) as former_minutes,
        max(minutes) as top_minutes,
        max(case when is_offnet = 1 then minutes end) as top_offnet_minutes,
        sum(case when is_onnet = 1 then minutes end) as onnet_minutes,
        sum(is_onnet) as onnet_members,
        sum(is_offnet) as offnet_members,
        sum(is_reciprocal) as reciprocal_members
    from members
    group by subscriber_id
),

subscribers as (
    select
        subscribers.subscriber_id,
        subscribers.org_id,
        subscribers.activated_at,
        coalesce(customers.vip_level, 0) > 0 as is_vip
    from {{ ref('dim_subscribers') }} as subscribers
    left join {{ ref('dim_customers') }} as customers
        on subscribers.customer_id = customers.customer_id and {{ is_visible('customers', as_of()) }}
    where {{ is_visible('subscribers', as_of()) }}
),

networks as (
    select
        subscriptions.subscriber_id,
        min(subscriptions.group_id) as group_id
    from {{ ref('fct_subscriptions') }} as subscriptions
    where
        {{ is_visible('subscriptions', as_of()) }}
        and subscriptions.product_kind = 'GROUP_VNET'
        and subscriptions.group_id is not null
        and (subscriptions.ended_at is null or cast(subscriptions.ended_at as date) > {{ as_of() }})
    group by subscriptions.subscriber_id
),

ties as (
    select
        ties.subscriber_id,
        count(*) as known_members,
        sum({{ one_if('own.org_id = others.org_id') }}) as branch_members,
        avg(
            cast({{ days_between("cast('1970-01-01' as date)", 'cast(others.activated_at as date)') }} as double)
        ) as mean_activated_day,
        sum({{ one_if('others.is_vip') }}) as vip_members,
        sum(
            case
                when own_network.group_id = other_network.group_id then ties.minutes
            end
        ) as network_minutes
    from {{ ref('int_circle_ties') }} as ties
    inner join month_to_read on ties.month = month_to_read.month
    inner join subscribers as own on ties.subscriber_id = own.subscriber_id
    inner join subscribers as others on ties.member_id = others.subscriber_id
    left join networks as own_network on ties.subscriber_id = own_network.subscriber_id
    left join networks as other_network on ties.member_id = other_network.subscriber_id
    where ties.as_of_date = {{ as_of() }}
    group by ties.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    circles.month,
    circles.subscriber_id,
    circles.size,
    circles.former_size,
    circles.stayed,
    circles.minutes,
    circles.former_minutes,
    circles.top_minutes,
    circles.top_offnet_minutes,
    circles.onnet_minutes,
    circles.onnet_members,
    circles.offnet_members,
    circles.reciprocal_members,
    ties.known_members,
    ties.branch_members,
    ties.mean_activated_day,
    ties.vip_members,
    ties.network_minutes
from circles
left join ties on circles.subscriber_id = ties.subscriber_id
