{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = newest_date_before(400) %}

-- Lines that ended, as the old side of a re-entry (O30): churned, else removed; not for fraud. With the
-- month whose circle and home tell of the person, and the day from which the link is final. Lines whose
-- links were final on the last date looked at are left out: nothing of them is scored any more.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

churned as (
    select subscriber_id, max(churn_date) as churn_date
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and not coalesce(is_operator_removed, false)
    group by subscriber_id
),

-- The first exit event and the first removal in the CRM; the event's kind wins.
events as (
    select
        events.subscriber_id,
        cast(events.occurred_at as date) as exit_on,
        events.kind,
        row_number() over (
            partition by events.subscriber_id order by events.occurred_at, events.churn_event_id
        ) as event_no
    from {{ ref('fct_churn_events') }} as events
    where
        {{ is_visible('events', as_of()) }}
        and events.occurred_at is not null
        and events.kind is not null
),

removals as (
    select
        subscriber_id,
        standing_from as removed_on,
        status_reason,
        row_number() over (partition by subscriber_id order by standing_from) as removal_no
    from {{ ref('int_standings') }}
    where status = 'DEACTIVATED'
),

ended as (
    select subscriber_id from churned
    union
    select subscriber_id from events
    union
    select subscriber_id from removals
),

dated as (
    select
        ended.subscriber_id,
        coalesce(churned.churn_date, events.exit_on, removals.removed_on) as ended_on,
        coalesce(events.kind, removals.status_reason, '') = 'PORT_OUT' as is_port_out
    from ended
    left join churned on ended.subscriber_id = churned.subscriber_id
    left join events on ended.subscriber_id = events.subscriber_id and events.event_no = 1
    left join removals on ended.subscriber_id = removals.subscriber_id and removals.removal_no = 1
    where
        coalesce(events.kind, '') <> 'FRAUD_REMOVED'
        and (events.kind is not null or coalesce(removals.status_reason, '') <> 'FRAUD')
),

ended_lines as (
    select
        dated.subscriber_id,
        subscribers.customer_id,
        subscribers.org_id,
        case
            when extract(year from subscribers.activated_at) >= parameters.first_credible_year
                then cast(subscribers.activated_at as date)
        end as activated_on,
        dated.ended_on,
        dated.is_port_out,
        -- the last month that closed before the end
        cast(date_trunc('month', {{ days_after("cast(date_trunc('month', dated.ended_on) as date)", -1) }}) as date)
            as circle_month,
        -- 90 days, and two months more in which the new line's first full month closes and is released
        cast(
            date_trunc('month', {{ days_after(
                "cast(date_trunc('month', " ~ days_after('dated.ended_on', 'parameters.reentry_link_days') ~ ") as date)", 92
            ) }}) as date
        ) as frozen_from
    from dated
    cross join parameters
    inner join {{ ref('dim_subscribers') }} as subscribers
        on
            dated.subscriber_id = subscribers.subscriber_id
            and {{ is_visible('subscribers', as_of()) }}
    where {{ is_base('subscribers') }}
)

select
    {{ as_of() }} as as_of_date,
    subscriber_id,
    customer_id,
    org_id,
    activated_on,
    ended_on,
    is_port_out,
    circle_month,
    frozen_from
from ended_lines
{%- if previous %}
where frozen_from > cast('{{ previous }}' as date)
{%- endif %}
