{{ config(materialized='table') }}

-- Complaints, inbound contacts and contacts with competitors of each line before the date.
-- Zero only where the feed arrived within the window.
with
known as (
    select
        {% for feed in ['care_complaints', 'care_interactions', 'usage_competitor_contacts'] %}
        count(case when feed = '{{ feed }}' then 1 end) > 0 as has_{{ feed }}_90d,
        count(case when feed = '{{ feed }}' and is_of_30d then 1 end) > 0 as has_{{ feed }}_30d,
        {% endfor %}
        count(*) as arrivals
    from (
        select feed, dt > {{ days_after(as_of(), -30) }} as is_of_30d
        from {{ ref('fct_feed_days') }}
        where is_arrived and dt > {{ days_after(as_of(), -90) }} and dt <= {{ as_of() }}
    ) as arrived
),

complaints as (
    select
        complaints.subscriber_id,
        count(case when complaints.opened_at >= {{ days_after(as_of(), -29) }} then 1 end) as complaints_30d,
        count(case when complaints.opened_at >= {{ days_after(as_of(), -89) }} then 1 end) as complaints_90d,
        count(
            case
                when
                    complaints.opened_at >= {{ days_after(as_of(), -89) }}
                    and complaints.severity = 'SEVERE'
                    then 1
            end
        ) as severe_complaints_90d,
        count(case when complaints.is_open then 1 end) as open_complaints
    from {{ ref('fct_complaints') }} as complaints
    where {{ is_visible('complaints', as_of()) }}
    group by complaints.subscriber_id
),

interactions as (
    select
        interactions.subscriber_id,
        count(*) as interactions_30d,
        count(case when interactions.reason in ('CANCEL_REQUEST', 'PORT_OUT_CODE') then 1 end) as exit_requests_30d
    from {{ ref('fct_interactions') }} as interactions
    where
        {{ is_visible('interactions', as_of()) }}
        and interactions.occurred_at >= {{ days_after(as_of(), -29) }}
        and interactions.occurred_at < {{ days_after(as_of(), 1) }}
    group by interactions.subscriber_id
),

competitor_contacts as (
    select
        contacts.subscriber_id,
        count(case when contacts.kind in ('HOTLINE_OUT', 'HOTLINE_IN') then 1 end) as competitor_contacts_30d,
        count(case when contacts.kind = 'PORTABILITY_QUERY' then 1 end) as portability_queries_30d
    from {{ ref('fct_competitor_contacts') }} as contacts
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.occurred_at >= {{ days_after(as_of(), -29) }}
        and contacts.occurred_at < {{ days_after(as_of(), 1) }}
    group by contacts.subscriber_id
)

select
    base_lines.subscriber_id,
    case when known.has_care_complaints_30d then cast(coalesce(complaints.complaints_30d, 0) as double) end
        as complaints_30d,
    case when known.has_care_complaints_90d then cast(coalesce(complaints.complaints_90d, 0) as double) end
        as complaints_90d,
    case when known.has_care_complaints_90d then cast(coalesce(complaints.severe_complaints_90d, 0) as double) end
        as severe_complaints_90d,
    case when known.has_care_complaints_90d then coalesce(complaints.open_complaints, 0) > 0 end
        as has_open_complaint,
    case when known.has_care_interactions_30d then cast(coalesce(interactions.interactions_30d, 0) as double) end
        as interactions_30d,
    case when known.has_care_interactions_30d then cast(coalesce(interactions.exit_requests_30d, 0) as double) end
        as exit_requests_30d,
    case
        when known.has_usage_competitor_contacts_30d
            then cast(coalesce(competitor_contacts.competitor_contacts_30d, 0) as double)
    end as competitor_contacts_30d,
    case
        when known.has_usage_competitor_contacts_30d
            then cast(coalesce(competitor_contacts.portability_queries_30d, 0) as double)
    end as portability_queries_30d
from {{ ref('int_lines') }} as base_lines
cross join known
left join complaints on base_lines.subscriber_id = complaints.subscriber_id
left join interactions on base_lines.subscriber_id = interactions.subscriber_id
left join competitor_contacts on base_lines.subscriber_id = competitor_contacts.subscriber_id
