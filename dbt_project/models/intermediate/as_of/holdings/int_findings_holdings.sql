{{ config(materialized='table') }}
{%- set packs = "('VAS', 'DATA_PACK', 'BUNDLE')" %}

-- Signals of what a line holds: O08, O22, O28 with its guard, O41. One row a base line; null is unknown.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

feeds as (
    select
        coalesce(bool_or(feed = 'billing_subscriptions' and has_arrived), false) as has_holdings,
        coalesce(bool_or(feed = 'care_complaints' and has_arrived and missing_90d = 0), false) as knows_complaints,
        coalesce(bool_or(feed = 'billing_adjustments' and has_arrived and missing_90d = 0), false) as knows_refunds
    from {{ ref('int_feed_arrivals') }}
),

undelivered as (
    select
        coalesce(bool_or(feed_column = 'contract_end_date'), false) as lacks_contract_ends,
        coalesce(bool_or(feed_column = 'promo_id'), false) as lacks_promos
    from {{ ref('int_undelivered_columns') }}
),

lines as (
    select subscriber_id from {{ ref('int_lines') }}
),

holdings as (
    select * from {{ ref('int_holdings') }}
),

-- O08. A later end of contract of the same kind, held or to come, renews the earlier ones.
contracts as (
    select
        subscriber_id,
        product_kind,
        max(contract_end_date) as last_end_date,
        max(case when is_open then contract_end_date end) as last_open_end_date
    from holdings
    where contract_end_date is not null and coalesce(ended_on > {{ as_of() }}, true)
    group by subscriber_id, product_kind
),

nearest_contracts as (
    select
        contracts.subscriber_id,
        min({{ days_between(as_of(), 'contracts.last_open_end_date') }}) as days_left
    from contracts
    cross join parameters
    where
        contracts.last_open_end_date = contracts.last_end_date
        and contracts.last_open_end_date >= {{ as_of() }}
        and contracts.last_open_end_date <= {{ days_after(as_of(), 'parameters.contract_far_days') }}
    group by contracts.subscriber_id
),

-- O22. Products that the customer gave up, unless something of the kind started around the end.
services as (
    select * from holdings where product_kind in ('VAS', 'DATA_PACK')
),

given_up as (
    select services.*
    from services
    cross join parameters
    where
        services.ended_on <= {{ as_of() }}
        and services.ended_on > {{ days_after(as_of(), '-parameters.vas_ended_days') }}
        and not services.is_trial
        and {{ days_between('services.started_on', 'services.ended_on') }} >= parameters.vas_held_days
        and (
            services.end_reason = 'CUSTOMER'
            or (services.end_reason is null and services.ended_on < services.contract_end_date)
        )
),

replaced as (
    select distinct given_up.subscription_id
    from given_up
    cross join parameters
    inner join services as newer
        on
            given_up.subscriber_id = newer.subscriber_id
            and given_up.subscription_id <> newer.subscription_id
            and (
                coalesce(given_up.product_id, '') = coalesce(newer.product_id, '')
                or given_up.app_class = newer.app_class
            )
    where
        abs({{ days_between('given_up.ended_on', 'newer.started_on') }}) <= parameters.vas_replaced_days
),

lost_services as (
    select
        given_up.subscriber_id,
        count(*) as services,
        min(given_up.product_id) as product_id
    from given_up
    left join replaced on given_up.subscription_id = replaced.subscription_id
    where replaced.subscription_id is null
    group by given_up.subscriber_id
),

-- O28. Grounds with the days since: orders that nobody proved, complaints, refunds. Kept for as long
-- as the guard lasts.
orders as (
    select holdings.*
    from holdings
    cross join parameters
    where
        holdings.product_kind in {{ packs }}
        and holdings.started_on <= {{ as_of() }}
        and holdings.started_on
        > {{ days_after(as_of(), '-greatest(parameters.integrity_days, parameters.integrity_guard_days)') }}
),

-- Where most orders lack a proof, it is the feed that lacks it.
proofs as (
    select
        coalesce(
            count(case when orders.lacks_consent_ref then 1 end)
            > max(parameters.integrity_max_unproven_share) * count(*),
            false
        ) as are_missing
    from orders
    cross join parameters
    where orders.started_on > {{ days_after(as_of(), '-parameters.integrity_days') }}
),

own_channels as (
    select channel_id
    from {{ ref('dim_channels') }} as channels
    where {{ is_visible('channels', as_of()) }} and channel_type in ('ONLINE', 'APP')
),

refundable_products as (
    select distinct product_id
    from {{ ref('dim_products') }} as products
    where {{ is_visible('products', as_of()) }} and product_kind in {{ packs }}
),

grounds as (
    select
        orders.subscriber_id,
        'ORDER' as leg,
        orders.started_on as occurred_on
    from orders
    cross join proofs
    left join own_channels on orders.order_channel_id = own_channels.channel_id
    where
        not proofs.are_missing
        and orders.price_cny > 0
        and (orders.lacks_consent_ref or orders.consent_method = 'NONE')
        and own_channels.channel_id is null
    union all
    select
        complaints.subscriber_id,
        'COMPLAINT' as leg,
        cast(complaints.opened_at as date) as occurred_on
    from {{ ref('fct_complaints') }} as complaints
    cross join parameters
    where
        {{ is_visible('complaints', as_of()) }}
        and complaints.category = 'UNAUTHORISED_ORDER'
        and complaints.opened_at
        >= {{ days_after(as_of(), '1 - greatest(parameters.integrity_days, parameters.integrity_guard_days)') }}
        and complaints.opened_at < {{ days_after(as_of(), 1) }}
    union all
    select
        refunds.subscriber_id,
        'REFUND' as leg,
        cast(refunds.occurred_at as date) as occurred_on
    from {{ ref('fct_adjustments') }} as refunds
    inner join refundable_products on refunds.product_id = refundable_products.product_id
    cross join parameters
    where
        {{ is_visible('refunds', as_of()) }}
        and refunds.kind = 'REFUND'
        and refunds.occurred_at
        >= {{ days_after(as_of(), '1 - greatest(parameters.integrity_days, parameters.integrity_guard_days)') }}
        and refunds.occurred_at < {{ days_after(as_of(), 1) }}
),

integrity as (
    select
        grounds.subscriber_id,
        bool_or(
            grounds.leg = 'ORDER'
            and grounds.occurred_on > {{ days_after(as_of(), '-parameters.integrity_days') }}
        ) as has_order,
        bool_or(
            grounds.leg = 'COMPLAINT'
            and grounds.occurred_on > {{ days_after(as_of(), '-parameters.integrity_days') }}
        ) as has_complaint,
        bool_or(
            grounds.leg = 'REFUND'
            and grounds.occurred_on > {{ days_after(as_of(), '-parameters.integrity_days') }}
        ) as has_refund,
        bool_or(
            grounds.occurred_on > {{ days_after(as_of(), '-parameters.integrity_guard_days') }}
        ) as is_guarded
    from grounds
    cross join parameters
    group by grounds.subscriber_id
),

-- O41. A person goes by the oldest line along the links; each step doubles their reach, to eight.
links as (
    select
        new_subscriber_id as subscriber_id,
        old_subscriber_id as earlier_id
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }}
),

{%- for reach in [2, 4, 8] %}
{%- set nearer = 'links' if loop.first else 'links_' ~ (reach // 2) %}

links_{{ reach }} as (
    select
        nearer.subscriber_id,
        coalesce(farther.earlier_id, nearer.earlier_id) as earlier_id
    from {{ nearer }} as nearer
    left join {{ nearer }} as farther on nearer.earlier_id = farther.subscriber_id
),
{%- endfor %}

starts as (
    select
        holdings.subscription_id,
        holdings.started_at,
        holdings.promo_id,
        coalesce(links_8.earlier_id, holdings.subscriber_id) as person_id,
        holdings.started_on > {{ days_after(as_of(), '-parameters.deal_days') }} as is_recent
    from holdings
    cross join parameters
    left join links_8 on holdings.subscriber_id = links_8.subscriber_id
    where holdings.product_kind in ('PLAN', 'DATA_PACK', 'BUNDLE') and holdings.started_on <= {{ as_of() }}
),

-- Whoever has fewer recent starts than switches are needed is no deal hunter, and not looked at.
movers as (
    select starts.person_id
    from starts
    cross join parameters
    where starts.is_recent
    group by starts.person_id
    having count(*) >= max(parameters.deal_switches)
),

successions as (
    select
        starts.person_id,
        starts.promo_id,
        starts.is_recent,
        lag(starts.subscription_id) over starts as previous_id,
        lag(starts.promo_id) over starts as previous_promo_id
    from starts
    inner join movers on starts.person_id = movers.person_id
    window starts as (partition by starts.person_id order by starts.started_at, starts.subscription_id)
),

-- Promotions that we gave: offers accepted in a contact of our own.
own_promos as (
    select distinct
        coalesce(links_8.earlier_id, contacts.subscriber_id) as person_id,
        contacts.offer_id
    from {{ ref('fct_contacts') }} as contacts
    left join links_8 on contacts.subscriber_id = links_8.subscriber_id
    where
        contacts.outcome = 'ACCEPTED'
        and contacts.work_order_id is not null
        and contacts.offer_id is not null
        and {{ is_visible('contacts', as_of()) }}
),

switches as (
    select
        successions.person_id,
        count(*) as switches
    from successions
    left join own_promos
        on successions.person_id = own_promos.person_id and successions.promo_id = own_promos.offer_id
    where
        successions.is_recent
        and successions.previous_id is not null
        and coalesce(successions.promo_id, '') <> coalesce(successions.previous_promo_id, '')
        and own_promos.offer_id is null
    group by successions.person_id
),

findings as (
    select
        lines.subscriber_id,
        nearest_contracts.days_left as contract_days_left,
        lost_services.services as vas_given_up,
        lost_services.product_id as vas_product_id,
        feeds.has_holdings,
        feeds.has_holdings and not undelivered.lacks_contract_ends as knows_contracts,
        feeds.has_holdings and not undelivered.lacks_promos as knows_promos,
        coalesce(integrity.has_order, false) as has_order,
        coalesce(integrity.has_complaint, false) as has_complaint,
        coalesce(integrity.has_refund, false) as has_refund,
        coalesce(integrity.is_guarded, false) as is_upsell_blocked,
        feeds.has_holdings and not proofs.are_missing as knows_orders,
        feeds.knows_complaints,
        feeds.knows_refunds,
        coalesce(switches.switches, 0) as promo_switches
    from lines
    cross join feeds
    cross join undelivered
    cross join proofs
    left join nearest_contracts on lines.subscriber_id = nearest_contracts.subscriber_id
    left join lost_services on lines.subscriber_id = lost_services.subscriber_id
    left join integrity on lines.subscriber_id = integrity.subscriber_id
    left join links_8 on lines.subscriber_id = links_8.subscriber_id
    left join switches on coalesce(links_8.earlier_id, lines.subscriber_id) = switches.person_id
)

select
    {{ as_of() }} as as_of_date,
    findings.subscriber_id,
    case
        when findings.knows_contracts then coalesce(findings.contract_days_left <= parameters.contract_days, false)
    end as hr6_contract_expiring,
    case
        when findings.contract_days_left <= parameters.contract_near_days
            then concat('0-', cast(parameters.contract_near_days as varchar))
        when findings.contract_days_left <= parameters.contract_days
            then
                concat(
                    cast(parameters.contract_near_days + 1 as varchar), '-', cast(parameters.contract_days as varchar)
                )
        when findings.contract_days_left <= parameters.contract_far_days
            then
                concat(
                    cast(parameters.contract_days + 1 as varchar), '-', cast(parameters.contract_far_days as varchar)
                )
    end as contract_band,
    findings.contract_days_left,
    case when findings.has_holdings then findings.vas_given_up is not null end as vas_churn,
    findings.vas_given_up,
    findings.vas_product_id,
    case
        when findings.has_order or findings.has_complaint or findings.has_refund then true
        when findings.knows_orders and findings.knows_complaints and findings.knows_refunds then false
    end as integrity_risk,
    nullif(
        concat_ws(
            ';',
            case when findings.has_order then 'ORDER' end,
            case when findings.has_complaint then 'COMPLAINT' end,
            case when findings.has_refund then 'REFUND' end
        ),
        ''
    ) as integrity_legs,
    case
        when
            (findings.has_order and (findings.has_complaint or findings.has_refund))
            or (findings.has_complaint and findings.has_refund)
            then 3
        when findings.has_order or findings.has_complaint or findings.has_refund then 2
    end as integrity_severity,
    findings.is_upsell_blocked,
    case when findings.knows_promos then findings.promo_switches >= parameters.deal_switches end as deal_hunter,
    case when findings.promo_switches >= parameters.deal_switches then findings.promo_switches end as promo_switches
from findings
cross join parameters
