{{ config(materialized='table') }}

-- Signals of the competitor, of each base line: O09, O10, O15 and the intent to leave.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

proofs as (
    select
        count(
            case
                when
                    arrivals.feed = 'usage_competitor_contacts'
                    and {{ is_proof_of_absence('arrivals', 'parameters.forward_days') }}
                    then 1
            end
        ) = 1 as is_forward_proven,
        count(
            case
                when
                    arrivals.feed = 'usage_competitor_contacts'
                    and {{ is_proof_of_absence('arrivals', 'parameters.hotline_days') }}
                    then 1
            end
        ) = 1 as is_hotline_proven,
        count(
            case
                when
                    arrivals.feed in ('usage_competitor_contacts', 'care_interactions')
                    and {{ is_proof_of_absence('arrivals', 'parameters.port_intent_days') }}
                    then 1
            end
        ) = 2 as is_port_intent_proven
    from {{ ref('int_feed_arrivals') }} as arrivals
    cross join parameters
),

-- A forward lasts until the next ON or OFF of its type, however long ago it was switched on.
forwards as (
    select
        contacts.subscriber_id,
        contacts.kind,
        contacts.competitor,
        contacts.occurred_at as forward_from,
        lead(contacts.occurred_at) over (
            partition by contacts.subscriber_id, coalesce(contacts.forward_type, 'CFU')
            order by contacts.occurred_at, contacts.kind, contacts.event_id
        ) as forward_to
    from {{ ref('fct_competitor_contacts') }} as contacts
    cross join parameters
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.kind in ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF')
        and contacts.subscriber_id is not null
        and contacts.occurred_at is not null
        and {{ is_listed("coalesce(contacts.forward_type, 'CFU')", 'parameters.forward_types') }}
),

forwarding as (
    select distinct forwards.subscriber_id
    from forwards
    cross join parameters
    where
        forwards.kind = 'CALL_FORWARD_ON'
        and forwards.competitor is not null
        and (
            forwards.forward_to is null
            or (
                forwards.forward_to > forwards.forward_from
                and forwards.forward_to
                > cast({{ days_after(days_after(as_of(), 1), '-parameters.forward_days') }} as timestamp)
            )
        )
),

hotlines as (
    select
        contacts.subscriber_id,
        count(case when contacts.kind = 'HOTLINE_OUT' then 1 end) as hotlines_out,
        count(case when contacts.kind = 'HOTLINE_IN' then 1 end) as hotlines_in
    from {{ ref('fct_competitor_contacts') }} as contacts
    cross join parameters
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.kind in ('HOTLINE_OUT', 'HOTLINE_IN')
        and {{ days_between('cast(contacts.occurred_at as date)', as_of()) }} < parameters.hotline_days
    group by contacts.subscriber_id
),

intents as (
    select contacts.subscriber_id
    from {{ ref('fct_competitor_contacts') }} as contacts
    cross join parameters
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.kind = 'PORTABILITY_QUERY'
        and {{ days_between('cast(contacts.occurred_at as date)', as_of()) }} < parameters.port_intent_days
    union
    select interactions.subscriber_id
    from {{ ref('fct_interactions') }} as interactions
    cross join parameters
    where
        {{ is_visible('interactions', as_of()) }}
        and interactions.reason in ('PORT_OUT_CODE', 'CANCEL_REQUEST')
        and {{ days_between('cast(interactions.occurred_at as date)', as_of()) }} < parameters.port_intent_days
),

usage_state as (
    select * from {{ ref('int_usage_state') }} where as_of_date = {{ as_of() }}
),

devices as (
    select tac, is_dual_sim
    from {{ ref('dim_devices') }} as devices
    where {{ is_visible('devices', as_of()) }}
),

-- Minutes of days on which the line was not in service do not count.
inactive as (
    select
        {% for window, condition in {'30d': '>', 'base': '<='}.items() -%}
        {% set in_window = 'usage_date ' ~ condition ~ ' ' ~ days_after(as_of(), -30) -%}
        sum(case when {{ in_window }} then voice_minutes end) as minutes_{{ window }},
        sum(case when {{ in_window }} then voice_competitor_minutes end) as rival_minutes_{{ window }},
        sum(case when {{ in_window }} then voice_competitor_unknown_days end) as rival_unknown_days_{{ window }},
        {% endfor -%}
        subscriber_id
    from {{ ref('int_inactive_usage') }}
    where usage_date > {{ days_after(as_of(), -120) }}
    group by subscriber_id
),

minutes as (
    select
        active_days.subscriber_id,
        cast(
            coalesce(usage_state.voice_minutes_30d, 0) - coalesce(inactive.minutes_30d, 0) as decimal(9, 2)
        ) as minutes_30d,
        cast(
            coalesce(usage_state.voice_minutes_120d - usage_state.voice_minutes_30d, 0)
            - coalesce(inactive.minutes_base, 0) as decimal(9, 2)
        ) as minutes_base,
        cast(
            coalesce(usage_state.voice_competitor_minutes_30d, 0)
            - coalesce(inactive.rival_minutes_30d, 0) as decimal(9, 2)
        ) as rival_minutes_30d,
        cast(
            coalesce(usage_state.voice_competitor_minutes_120d - usage_state.voice_competitor_minutes_30d, 0)
            - coalesce(inactive.rival_minutes_base, 0) as decimal(9, 2)
        ) as rival_minutes_base,
        active_days.active_days_30d
        - coalesce(usage_state.voice_competitor_unknown_days_30d, 0)
        + coalesce(inactive.rival_unknown_days_30d, 0) as rival_days_30d,
        active_days.active_days_prior90
        - coalesce(usage_state.voice_competitor_unknown_days_120d - usage_state.voice_competitor_unknown_days_30d, 0)
        + coalesce(inactive.rival_unknown_days_base, 0) as rival_days_base
    from {{ ref('int_active_days') }} as active_days
    left join usage_state on active_days.subscriber_id = usage_state.subscriber_id
    left join inactive on active_days.subscriber_id = inactive.subscriber_id
),

-- The competitor's share of minutes against that of the 90 days before.
shares as (
    select
        minutes.subscriber_id,
        minutes.rival_minutes_30d * minutes.minutes_base - minutes.rival_minutes_base * minutes.minutes_30d
        >= parameters.exposure_rise * minutes.minutes_30d * minutes.minutes_base as is_rise
    from minutes
    cross join parameters
    where
        minutes.minutes_30d >= parameters.exposure_min_minutes
        and minutes.minutes_base >= parameters.exposure_min_minutes
        and minutes.rival_days_30d > 0
        and minutes.rival_days_base > 0
)

select
    base_lines.subscriber_id,
    case
        when forwarding.subscriber_id is not null then true
        when proofs.is_forward_proven then false
    end as hr7_forward_to_competitor,
    case
        when hotlines.hotlines_out + hotlines.hotlines_in > 0 then true
        when proofs.is_hotline_proven then false
    end as hr8_competitor_hotline,
    case
        when hotlines.hotlines_out > 0 and hotlines.hotlines_in > 0 then 'BOTH'
        when hotlines.hotlines_out > 0 then 'OUT'
        when hotlines.hotlines_in > 0 then 'IN'
    end as hotline_direction,
    case
        when hotlines.hotlines_out > 0 then true
        when proofs.is_hotline_proven then false
    end as has_hotline_out,
    devices.is_dual_sim and shares.is_rise as dual_sim_exposure,
    shares.is_rise as competitor_share_rise,
    case
        when intents.subscriber_id is not null then true
        when proofs.is_port_intent_proven then false
    end as port_intent
from {{ ref('int_lines') }} as base_lines
cross join proofs
left join forwarding on base_lines.subscriber_id = forwarding.subscriber_id
left join hotlines on base_lines.subscriber_id = hotlines.subscriber_id
left join intents on base_lines.subscriber_id = intents.subscriber_id
left join {{ ref('int_main_devices') }} as main_devices on base_lines.subscriber_id = main_devices.subscriber_id
left join devices on main_devices.tac = devices.tac
left join shares on base_lines.subscriber_id = shares.subscriber_id
