{{ config(materialized='table') }}

-- O24: why the spend of a line fell, for those of O23. The causes that hold in order, the first is the
-- primary one; UNKNOWN without any. Only the lines that O23 found are looked at.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

declines as (
    select
        lines.subscriber_id,
        lines.org_id,
        invoices.month_m1,
        3 * (invoices.spend_cny_m1 + invoices.spend_cny_m2) as spend_cny_now,
        invoices.spend_cny_m3 + invoices.spend_cny_m4 + invoices.spend_cny_m5
        + invoices.spend_cny_m6 + invoices.spend_cny_m7 + invoices.spend_cny_m8 as spend_cny_before
    from {{ ref('int_findings_bills') }} as findings
    inner join {{ ref('int_lines') }} as lines on findings.subscriber_id = lines.subscriber_id
    inner join {{ ref('int_invoice_months') }} as invoices on findings.subscriber_id = invoices.subscriber_id
    where findings.arpu_decline
),

-- All eight months are there: those of m1 and m2 count three times, to stand against six.
invoices as (
    select
        declines.subscriber_id,
        case
            when
                12 * extract(year from declines.month_m1) + extract(month from declines.month_m1)
                - 12 * extract(year from invoices.month) - extract(month from invoices.month) < 2
                then 3
            else -1
        end as weight,
        abs(coalesce(invoices.discount_cny, 0)) as discount_cny,
        abs(coalesce(invoices.plan_fee_cny, 0)) as plan_fee_cny,
        abs(coalesce(invoices.voice_overage_cny, 0)) + abs(coalesce(invoices.sms_overage_cny, 0)) as overage_cny
    from declines
    inner join {{ ref('fct_invoices') }} as invoices on declines.subscriber_id = invoices.subscriber_id
    where
        {{ is_visible('invoices', as_of()) }}
        and invoices.month > {{ days_after(as_of(), -400) }}
        and 12 * extract(year from declines.month_m1) + extract(month from declines.month_m1)
        - 12 * extract(year from invoices.month) - extract(month from invoices.month) < 8
),

rises as (
    select
        subscriber_id,
        sum(weight * discount_cny) as discount_rise_cny,
        sum(weight * plan_fee_cny) as plan_fee_rise_cny,
        sum(weight * overage_cny) as voice_and_sms_rise_cny
    from invoices
    group by subscriber_id
),

-- What they hold and held, and contacts of ours that they said yes to.
holdings as (
    select
        declines.subscriber_id,
        subscriptions.subscription_id,
        subscriptions.product_id,
        subscriptions.product_kind,
        subscriptions.started_at,
        cast(subscriptions.started_at as date) as started_on,
        subscriptions.ended_at,
        subscriptions.end_reason,
        coalesce(subscriptions.price_cny, 0) as price_cny,
        subscriptions.order_staff_id,
        subscriptions.promo_id,
        {{ days_between('cast(subscriptions.started_at as date)', as_of()) }} as started_days_ago,
        {{ days_between('cast(subscriptions.ended_at as date)', as_of()) }} as ended_days_ago
    from declines
    inner join {{ ref('fct_subscriptions') }} as subscriptions on declines.subscriber_id = subscriptions.subscriber_id
    where {{ is_visible('subscriptions', as_of()) }} and subscriptions.started_at is not null
),

agreements as (
    select
        declines.subscriber_id,
        contacts.occurred_at,
        cast(contacts.occurred_at as date) as agreed_on,
        contacts.offer_id
    from declines
    inner join {{ ref('fct_contacts') }} as contacts on declines.subscriber_id = contacts.subscriber_id
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.outcome = 'ACCEPTED'
        and contacts.work_order_id <> ''
),

plan_starts as (
    select
        *,
        lag(price_cny) over (
            partition by subscriber_id order by started_at, subscription_id
        ) as price_cny_before
    from holdings
    where product_kind = 'PLAN'
),

-- Our doing: ordered by a member of staff, or agreed to at most so many days before it started.
agreed_starts as (
    select distinct moves.subscription_id
    from plan_starts as moves
    inner join agreements on moves.subscriber_id = agreements.subscriber_id
    cross join parameters
    where
        moves.started_at >= agreements.occurred_at
        and (
            {{ days_between('agreements.agreed_on', 'moves.started_on') }} < parameters.decline_agreed_days
            or (
                {{ days_between('agreements.agreed_on', 'moves.started_on') }} = parameters.decline_agreed_days
                and cast(moves.started_at as time) <= cast(agreements.occurred_at as time)
            )
        )
),

cheaper_moves as (
    select
        moves.subscriber_id,
        moves.price_cny_before,
        coalesce(moves.order_staff_id <> '', false) or agreed_starts.subscription_id is not null as is_ours
    from plan_starts as moves
    cross join parameters
    left join agreed_starts on moves.subscription_id = agreed_starts.subscription_id
    where
        moves.price_cny < moves.price_cny_before
        and moves.started_days_ago between 0 and parameters.decline_evidence_days - 1
),

-- OPERATOR_STRATEGY
down_sold as (
    select distinct subscriber_id from cheaper_moves where is_ours
),

migrated as (
    select distinct holdings.subscriber_id
    from holdings
    cross join parameters
    where
        holdings.end_reason = 'OPERATOR_MIGRATION'
        and holdings.ended_days_ago between 0 and parameters.decline_evidence_days - 1
),

open_plans as (
    select
        subscriber_id,
        product_id,
        row_number() over (
            partition by subscriber_id order by started_at desc, subscription_id desc
        ) as starts_back
    from holdings
    where product_kind = 'PLAN' and started_days_ago >= 0 and (ended_at is null or ended_days_ago < 0)
),

plan_versions as (
    select
        plans.plan_id,
        plans.valid_from,
        plans.monthly_fee_cny,
        lag(plans.monthly_fee_cny) over versions as monthly_fee_cny_before,
        row_number() over versions as version_no
    from {{ ref('dim_plans') }} as plans
    where {{ is_visible('plans', as_of()) }}
    window versions as (partition by plans.plan_id order by plans.valid_from)
),

repriced as (
    select distinct open_plans.subscriber_id
    from open_plans
    inner join plan_versions on open_plans.product_id = plan_versions.plan_id
    cross join parameters
    where
        open_plans.starts_back = 1
        and plan_versions.version_no > 1
        and plan_versions.monthly_fee_cny is distinct from plan_versions.monthly_fee_cny_before
        and {{ days_between('plan_versions.valid_from', as_of()) }}
        between 0 and parameters.decline_evidence_days - 1
),

-- COMPETITION
competitor_events as (
    select
        declines.subscriber_id,
        events.event_id,
        events.occurred_at,
        events.kind,
        events.competitor,
        coalesce(events.forward_type, 'CFU') as forward_type
    from declines
    inner join {{ ref('fct_competitor_contacts') }} as events on declines.subscriber_id = events.subscriber_id
    where {{ is_visible('events', as_of()) }}
),

forwards as (
    select
        subscriber_id,
        kind,
        competitor,
        forward_type,
        occurred_at,
        lead(occurred_at) over (
            partition by subscriber_id, forward_type
            order by occurred_at, case when kind = 'CALL_FORWARD_ON' then 1 else 0 end, event_id
        ) as until_at
    from competitor_events
    where kind in ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF')
),

drawn_away as (
    select events.subscriber_id
    from competitor_events as events
    cross join parameters
    where
        events.kind in ('HOTLINE_OUT', 'PORTABILITY_QUERY')
        and {{ days_between('cast(events.occurred_at as date)', as_of()) }}
        between 0 and parameters.decline_evidence_days - 1
    union
    select forwards.subscriber_id
    from forwards
    cross join parameters
    where
        forwards.kind = 'CALL_FORWARD_ON'
        and forwards.competitor <> ''
        and concat(';', parameters.forward_types, ';') like concat('%;', forwards.forward_type, ';%')
        and forwards.occurred_at < {{ days_after(as_of(), 1) }}
        and (
            forwards.until_at is null
            or (
                forwards.until_at > forwards.occurred_at
                and forwards.until_at > {{ days_after(as_of(), '1 - parameters.decline_evidence_days') }}
            )
        )
    union
    select subscriber_id from {{ ref('dual_handsets') }} where as_of_date = {{ as_of() }} and dual_handset
    union
    select subscriber_id from {{ ref('int_findings_rivals') }} where competitor_share_rise
),

-- SUBSTITUTE
inactive_messaging as (
    select
        declines.subscriber_id,
        sum(usage.data_mb_messaging) as data_mb_120d,
        sum(usage.data_mb_messaging_unknown_days) as unknown_days_120d,
        sum(
            case when usage.usage_date > {{ days_after(as_of(), -30) }} then usage.data_mb_messaging end
        ) as data_mb_30d,
        sum(
            case when usage.usage_date > {{ days_after(as_of(), -30) }} then usage.data_mb_messaging_unknown_days end
        ) as unknown_days_30d
    from declines
    inner join {{ ref('int_inactive_usage') }} as usage on declines.subscriber_id = usage.subscriber_id
    where usage.usage_date > {{ days_after(as_of(), -120) }}
    group by declines.subscriber_id
),

messaging as (
    select
        declines.subscriber_id,
        {%- for name in ['30d', '120d'] %}
        coalesce(state.data_mb_messaging_{{ name }}, 0) - coalesce(inactive.data_mb_{{ name }}, 0)
            as data_mb_{{ name }},
        coalesce(state.data_mb_messaging_unknown_days_{{ name }}, 0) - coalesce(inactive.unknown_days_{{ name }}, 0)
            as unknown_days_{{ name }},
        {%- endfor %}
        active_days.active_days_30d,
        active_days.active_days_prior90
    from declines
    inner join {{ ref('int_active_days') }} as active_days on declines.subscriber_id = active_days.subscriber_id
    left join {{ ref('int_usage_state') }} as state
        on declines.subscriber_id = state.subscriber_id and state.as_of_date = {{ as_of() }}
    left join inactive_messaging as inactive on declines.subscriber_id = inactive.subscriber_id
),

messaging_rates as (
    select
        subscriber_id,
        data_mb_30d,
        active_days_30d - unknown_days_30d as days_30d,
        data_mb_120d - data_mb_30d as data_mb_prior90,
        active_days_prior90 - (unknown_days_120d - unknown_days_30d) as days_prior90
    from messaging
),

messaging_more as (
    select rates.subscriber_id
    from messaging_rates as rates
    cross join parameters
    where
        rates.days_30d >= parameters.usage_min_recent_days
        and rates.days_prior90 >= parameters.usage_min_base_days
        and rates.data_mb_prior90 > 0
        and rates.data_mb_30d * rates.days_prior90
        >= parameters.decline_substitute_ratio * rates.data_mb_prior90 * rates.days_30d
),

-- PRICE_WAR: what the plan before, or the promotion taken, costs, against the cheapest offer seen
-- where they live.
own_moves as (
    select subscriber_id, price_cny_before as price_cny from cheaper_moves where not is_ours
    union all
    select holdings.subscriber_id, holdings.price_cny
    from holdings
    cross join parameters
    where
        holdings.product_kind in ('PLAN', 'DATA_PACK', 'BUNDLE')
        and holdings.promo_id <> ''
        and holdings.started_days_ago between 0 and parameters.decline_evidence_days - 1
        and not exists (
            select 1
            from agreements
            where agreements.subscriber_id = holdings.subscriber_id and agreements.offer_id = holdings.promo_id
        )
),

cheapest_offers as (
    select
        offers.org_id,
        min(offers.monthly_fee_cny) as monthly_fee_cny
    from {{ ref('dim_competitor_offers') }} as offers
    where
        {{ is_visible('offers', as_of()) }}
        and coalesce(offers.seen_from, {{ as_of() }}) <= {{ as_of() }}
        and coalesce(offers.seen_to, {{ as_of() }}) >= {{ as_of() }}
    group by offers.org_id
),

units as (
    select * from {{ ref('dim_org') }} as org where {{ is_visible('org', as_of()) }}
),

tempted as (
    select distinct declines.subscriber_id
    from declines
    inner join own_moves on declines.subscriber_id = own_moves.subscriber_id
    left join units on declines.org_id = units.org_id
    inner join cheapest_offers
        on
            cheapest_offers.org_id in (
                declines.org_id, units.branch_id, units.city_id, units.province_id, units.hq_id
            )
            and own_moves.price_cny > cheapest_offers.monthly_fee_cny
),

causes as (
    select
        declines.subscriber_id,
        migrated.subscriber_id is not null
        or repriced.subscriber_id is not null
        or (
            declines.spend_cny_before > declines.spend_cny_now
            and greatest(rises.discount_rise_cny, 0)
            + case
                when down_sold.subscriber_id is not null
                    then greatest(-rises.plan_fee_rise_cny, 0)
                else 0
            end
            >= parameters.decline_explained_share * (declines.spend_cny_before - declines.spend_cny_now)
        ) as is_operator_strategy,
        drawn_away.subscriber_id is not null as is_competition,
        rises.voice_and_sms_rise_cny < 0 and messaging_more.subscriber_id is not null as is_substitute,
        tempted.subscriber_id is not null as is_price_war
    from declines
    inner join rises on declines.subscriber_id = rises.subscriber_id
    cross join parameters
    left join migrated on declines.subscriber_id = migrated.subscriber_id
    left join repriced on declines.subscriber_id = repriced.subscriber_id
    left join down_sold on declines.subscriber_id = down_sold.subscriber_id
    left join drawn_away on declines.subscriber_id = drawn_away.subscriber_id
    left join messaging_more on declines.subscriber_id = messaging_more.subscriber_id
    left join tempted on declines.subscriber_id = tempted.subscriber_id
)

select
    subscriber_id,
    case
        when is_operator_strategy then 'OPERATOR_STRATEGY'
        when is_competition then 'COMPETITION'
        when is_substitute then 'SUBSTITUTE'
        when is_price_war then 'PRICE_WAR'
        else 'UNKNOWN'
    end as decline_cause,
    coalesce(
        nullif(
            concat_ws(
                ';',
                case when is_operator_strategy then 'OPERATOR_STRATEGY' end,
                case when is_competition then 'COMPETITION' end,
                case when is_substitute then 'SUBSTITUTE' end,
                case when is_price_war then 'PRICE_WAR' end
            ),
            ''
        ),
        'UNKNOWN'
    ) as decline_causes
from causes
