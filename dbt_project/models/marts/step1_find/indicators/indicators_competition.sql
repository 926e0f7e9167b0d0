{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='index_dates',
    on_schema_change='fail'
) }}

with
parameters as (
    select usage_min_base_minutes from {{ ref('int_signal_parameters') }}
),

feeds as (
    {{ feeds_arrived([
        'usage_competitor_contacts', 'care_interactions', 'churn_events', 'field_contacts', 'market_competitor_offers',
    ]) }}
),

rivals as (
    select
        *,
        cast(occurred_at as date) as occurred_on
    from {{ ref('fct_competitor_contacts') }} as contacts
    where
        {{ is_visible('contacts', as_of()) }}
        and occurred_at >= {{ days_after(as_of(), -364) }}
        and subscriber_id is not null
),

met as (
    select
        subscriber_id,
        count(
            case when kind = 'HOTLINE_OUT' and occurred_on > {{ days_after(as_of(), -30) }} then 1 end
        ) as competitor_hotline_out_30d,
        count(
            case when kind = 'HOTLINE_IN' and occurred_on > {{ days_after(as_of(), -30) }} then 1 end
        ) as competitor_hotline_in_30d,
        count(
            distinct case
                when
                    kind in ('HOTLINE_OUT', 'HOTLINE_IN', 'CALL_FORWARD_ON')
                    and occurred_on > {{ days_after(as_of(), -90) }}
                    then occurred_on
            end
        ) as competitor_contact_days_90d,
        count(distinct case when occurred_on > {{ days_after(as_of(), -90) }} then competitor end)
            as competitors_contacted_90d,
        count(
            case when kind = 'PORTABILITY_QUERY' and occurred_on > {{ days_after(as_of(), -90) }} then 1 end
        ) as portability_queries_90d,
        max(case when kind = 'HOTLINE_OUT' then occurred_on end) as last_hotline_on,
        max(case when kind = 'PORTABILITY_QUERY' then occurred_on end) as last_query_on
    from rivals
    group by subscriber_id
),

asked as (
    select subscriber_id, count(*) as port_out_codes_180d
    from {{ ref('fct_interactions') }} as visits
    where
        {{ is_visible('visits', as_of()) }}
        and occurred_at >= {{ days_after(as_of(), -179) }}
        and reason = 'PORT_OUT_CODE'
    group by subscriber_id
),

mentioned as (
    select subscriber_id, count(*) as competitor_mentions_180d
    from {{ ref('fct_contacts') }} as contacts
    where
        {{ is_visible('contacts', as_of()) }}
        and occurred_at >= {{ days_after(as_of(), -179) }}
        and competitor is not null
    group by subscriber_id
),

inactive_days as (
    select
        *,
        usage_date > {{ days_after(as_of(), -30) }} as is_of_30d
    from {{ ref('int_inactive_usage') }}
),

inactive as (
    select
        subscriber_id,
        sum(case when is_of_30d then voice_minutes end) as voice_minutes_30d,
        sum(voice_minutes) as voice_minutes_120d,
        sum(case when is_of_30d then voice_competitor_minutes end) as voice_competitor_minutes_30d,
        sum(voice_competitor_minutes) as voice_competitor_minutes_120d,
        sum(case when is_of_30d then voice_offnet_minutes end) as voice_offnet_minutes_30d,
        sum(voice_offnet_minutes) as voice_offnet_minutes_120d
    from inactive_days
    group by subscriber_id
),

-- Minutes on known ACTIVE days: of the last 30 days, and of the 90 before.
minutes as (
    select
        states.subscriber_id,
        cast(states.voice_minutes_30d - coalesce(inactive.voice_minutes_30d, 0) as double) as voice_minutes_30d,
        cast(
            states.voice_minutes_120d - coalesce(inactive.voice_minutes_120d, 0)
            - states.voice_minutes_30d + coalesce(inactive.voice_minutes_30d, 0) as double
        ) as voice_minutes_prior90,
        cast(states.voice_competitor_minutes_30d - coalesce(inactive.voice_competitor_minutes_30d, 0) as double)
            as voice_competitor_minutes_30d,
        cast(
            states.voice_competitor_minutes_120d - coalesce(inactive.voice_competitor_minutes_120d, 0)
            - states.voice_competitor_minutes_30d + coalesce(inactive.voice_competitor_minutes_30d, 0) as double
        ) as voice_competitor_minutes_prior90,
        cast(states.voice_offnet_minutes_30d - coalesce(inactive.voice_offnet_minutes_30d, 0) as double)
            as voice_offnet_minutes_30d,
        cast(
            states.voice_offnet_minutes_120d - coalesce(inactive.voice_offnet_minutes_120d, 0)
            - states.voice_offnet_minutes_30d + coalesce(inactive.voice_offnet_minutes_30d, 0) as double
        ) as voice_offnet_minutes_prior90
    from {{ ref('int_usage_state') }} as states
    left join inactive on states.subscriber_id = inactive.subscriber_id
    where states.as_of_date = {{ as_of() }}
),

shares as (
    select
        subscriber_id,
        voice_competitor_minutes_30d / nullif(voice_minutes_30d, 0) as competitor_share_30d,
        voice_competitor_minutes_prior90 / nullif(voice_minutes_prior90, 0) as competitor_share_prior90,
        voice_offnet_minutes_30d / nullif(voice_minutes_30d, 0) as offnet_share_30d,
        voice_offnet_minutes_prior90 / nullif(voice_minutes_prior90, 0) as offnet_share_prior90
    from minutes
),

circles as (
    select
        subscriber_id,
        month,
        is_onnet,
        coalesce(minutes_out, 0) + coalesce(minutes_in, 0) as minutes
    from {{ ref('fct_call_circle') }} as delivered
    where
        {{ is_visible('delivered', as_of()) }}
        and visible_from > {{ days_after(as_of(), -93) }}
        and month > {{ days_after(as_of(), -93) }}
        and not coalesce(counterparty_is_short_code, false)
),

tops as (
    select
        subscriber_id,
        cast(max(case when not is_onnet then minutes end) as double) / nullif(cast(sum(minutes) as double), 0)
            as offnet_top_share_last_month
    from circles
    where month = (select max(newest.month) from circles as newest)
    group by subscriber_id
),

dual_handsets as (
    select
        subscriber_id,
        dual_handset,
        score,
        case when has_shared_device then 1 else 0 end
        + case when has_top_offnet_contact then 1 else 0 end
        + case when has_circle_overlap then 1 else 0 end
        + case when has_competitor_forward then 1 else 0 end
        + case when has_complementary_use then 1 else 0 end
        + case when has_same_areas then 1 else 0 end as evidence_types
    from {{ ref('dual_handsets') }}
    where as_of_date = {{ as_of() }}
),

evidence as (
    select
        base.subscriber_id,
        findings.hr7_forward_to_competitor,
        findings.hr7_forward_to_competitor
        or findings.has_hotline_out
        or findings.competitor_share_rise
        or dual_handsets.dual_handset as has_competitor
    from {{ ref('int_lines') }} as base
    left join {{ ref('int_findings_rivals') }} as findings on base.subscriber_id = findings.subscriber_id
    left join dual_handsets on base.subscriber_id = dual_handsets.subscriber_id
),

-- An offer is live for the unit that saw it and for all below it.
live_offers as (
    select competitor_offer_id, org_id
    from {{ ref('dim_competitor_offers') }} as offers
    where
        {{ is_visible('offers', as_of()) }}
        and (seen_from is null or seen_from <= {{ as_of() }})
        and (seen_to is null or seen_to >= {{ as_of() }})
),

branches as (
    select org_id, city_id, province_id, hq_id
    from {{ ref('dim_org') }} as units
    where {{ is_visible('units', as_of()) }} and org_level = 'BRANCH'
),

branch_offers as (
    select branches.org_id, count(distinct live_offers.competitor_offer_id) as competitor_offers_live
    from branches
    inner join live_offers
        on live_offers.org_id in (branches.org_id, branches.city_id, branches.province_id, branches.hq_id)
    group by branches.org_id
),

port_outs as (
    select subscribers.org_id, count(distinct exits.subscriber_id) as port_outs_90d
    from {{ ref('fct_churn_events') }} as exits
    inner join {{ ref('dim_subscribers') }} as subscribers
        on exits.subscriber_id = subscribers.subscriber_id and {{ is_visible('subscribers', as_of()) }}
    where
        {{ is_visible('exits', as_of()) }}
        and exits.kind = 'PORT_OUT'
        and exits.occurred_at >= {{ days_after(as_of(), -89) }}
    group by subscribers.org_id
),

branch_lines as (
    select org_id, count(*) as line_count
    from {{ ref('int_lines') }}
    group by org_id
),

branch_rates as (
    select
        branch_lines.org_id,
        cast(coalesce(port_outs.port_outs_90d, 0) as double) / branch_lines.line_count as branch_port_out_rate_90d
    from branch_lines
    left join port_outs on branch_lines.org_id = port_outs.org_id
    where branch_lines.org_id is not null
)

select
    base.subscriber_id,
    {{ as_of() }} as as_of_date,
    {%- for name in [
        'competitor_hotline_out_30d',
        'competitor_hotline_in_30d',
        'competitor_contact_days_90d',
        'competitors_contacted_90d',
        'portability_queries_90d',
    ] %}
    {{ counted('usage_competitor_contacts', 'met.' ~ name) }} as {{ name }},
    {%- endfor %}
    cast({{ days_between('met.last_hotline_on', as_of()) }} as double) as days_since_competitor_hotline_out,
    cast({{ days_between('met.last_query_on', as_of()) }} as double) as days_since_portability_query,
    {{ counted('care_interactions', 'asked.port_out_codes_180d') }} as port_out_codes_180d,
    evidence.hr7_forward_to_competitor as is_forwarded_to_competitor,
    shares.competitor_share_30d as competitor_call_share_30d,
    shares.competitor_share_30d - shares.competitor_share_prior90 as competitor_call_share_change_30d,
    shares.offnet_share_30d as offnet_call_share_30d,
    shares.offnet_share_30d - shares.offnet_share_prior90 as offnet_call_share_change_30d,
    tops.offnet_top_share_last_month,
    cast(dual_handsets.score as double) as dual_handset_score,
    cast(dual_handsets.evidence_types as double) as dual_handset_evidence_types,
    -- O49: minutes are lost to a competitor only where something shows one.
    case
        when ratios.mou_base is null or ratios.mou_base < parameters.usage_min_base_minutes then null
        when ratios.mou_30d >= ratios.mou_base then 1
        when evidence.has_competitor then cast(ratios.mou_30d / ratios.mou_base as double)
        when not evidence.has_competitor then 1
    end as share_of_wallet_30d,
    {{ counted('market_competitor_offers', 'branch_offers.competitor_offers_live') }} as competitor_offers_live,
    case when feeds.has_churn_events then branch_rates.branch_port_out_rate_90d end as branch_port_out_rate_90d,
    {{ counted('field_contacts', 'mentioned.competitor_mentions_180d') }} as competitor_mentions_180d
from {{ ref('int_lines') }} as base
cross join feeds
cross join parameters
left join met on base.subscriber_id = met.subscriber_id
left join asked on base.subscriber_id = asked.subscriber_id
left join mentioned on base.subscriber_id = mentioned.subscriber_id
left join shares on base.subscriber_id = shares.subscriber_id
left join tops on base.subscriber_id = tops.subscriber_id
left join dual_handsets on base.subscriber_id = dual_handsets.subscriber_id
left join {{ ref('int_usage_ratios') }} as ratios on base.subscriber_id = ratios.subscriber_id
left join branch_offers on base.org_id = branch_offers.org_id
left join branch_rates on base.org_id = branch_rates.org_id
left join evidence on base.subscriber_id = evidence.subscriber_id
