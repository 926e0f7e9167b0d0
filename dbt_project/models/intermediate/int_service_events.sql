-- Complaints, inbound contacts and contacts with competitors of each line before each index date.
-- Zero only where the feed arrived within the window.
with
index_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

lines as (
    select as_of_date, subscriber_id from {{ ref('int_population') }}
),

known as (
    select
        {% for feed in ['care_complaints', 'care_interactions', 'usage_competitor_contacts'] %}
        count(case when feed_days.feed = '{{ feed }}' then 1 end) as {{ feed }}_90d,
        count(
            case
                when
                    feed_days.feed = '{{ feed }}'
                    and feed_days.dt > {{ days_after('index_dates.as_of_date', -30) }}
                    then 1
            end
        ) as {{ feed }}_30d,
        {% endfor %}
        index_dates.as_of_date
    from index_dates
    inner join {{ ref('fct_feed_days') }} as feed_days
        on
            index_dates.as_of_date >= feed_days.dt
            and feed_days.dt > {{ days_after('index_dates.as_of_date', -90) }}
    where feed_days.is_arrived
    group by index_dates.as_of_date
),

complaints as (
    select
        index_dates.as_of_date,
        complaints.subscriber_id,
        count(case when complaints.opened_at >= {{ days_after('index_dates.as_of_date', -29) }} then 1 end)
            as complaints_30d,
        count(case when complaints.opened_at >= {{ days_after('index_dates.as_of_date', -89) }} then 1 end)
            as complaints_90d,
        count(
            case
                when
                    complaints.opened_at >= {{ days_after('index_dates.as_of_date', -89) }}
                    and complaints.severity = 'SEVERE'
                    then 1
            end
        ) as severe_complaints_90d,
        count(case when complaints.is_open then 1 end) as open_complaints
    from index_dates
    inner join {{ ref('fct_complaints') }} as complaints
        on {{ is_visible('complaints', 'index_dates.as_of_date') }}
    group by index_dates.as_of_date, complaints.subscriber_id
),

interactions as (
    select
        index_dates.as_of_date,
        interactions.subscriber_id,
        count(*) as interactions_30d,
        count(case when interactions.reason in ('CANCEL_REQUEST', 'PORT_OUT_CODE') then 1 end) as exit_requests_30d
    from index_dates
    inner join {{ ref('fct_interactions') }} as interactions
        on
            {{ is_visible('interactions', 'index_dates.as_of_date') }}
            and interactions.occurred_at >= {{ days_after('index_dates.as_of_date', -29) }}
            and interactions.occurred_at < {{ days_after('index_dates.as_of_date', 1) }}
    group by index_dates.as_of_date, interactions.subscriber_id
),

competitor_contacts as (
    select
        index_dates.as_of_date,
        contacts.subscriber_id,
        count(case when contacts.kind in ('HOTLINE_OUT', 'HOTLINE_IN') then 1 end) as competitor_contacts_30d,
        count(case when contacts.kind = 'PORTABILITY_QUERY' then 1 end) as portability_queries_30d
    from index_dates
    inner join {{ ref('fct_competitor_contacts') }} as contacts
        on
            {{ is_visible('contacts', 'index_dates.as_of_date') }}
            and contacts.occurred_at >= {{ days_after('index_dates.as_of_date', -29) }}
            and contacts.occurred_at < {{ days_after('index_dates.as_of_date', 1) }}
    group by index_dates.as_of_date, contacts.subscriber_id
)

select
    lines.as_of_date,
    lines.subscriber_id,
    case when known.care_complaints_30d > 0 then cast(coalesce(complaints.complaints_30d, 0) as double) end
        as complaints_30d,
    case when known.care_complaints_90d > 0 then cast(coalesce(complaints.complaints_90d, 0) as double) end
        as complaints_90d,
    case when known.care_complaints_90d > 0 then cast(coalesce(complaints.severe_complaints_90d, 0) as double) end
        as severe_complaints_90d,
    case when known.care_complaints_90d > 0 then coalesce(complaints.open_complaints, 0) > 0 end
        as has_open_complaint,
    case when known.care_interactions_30d > 0 then cast(coalesce(interactions.interactions_30d, 0) as double) end
        as interactions_30d,
    case when known.care_interactions_30d > 0 then cast(coalesce(interactions.exit_requests_30d, 0) as double) end
        as exit_requests_30d,
    case
        when known.usage_competitor_contacts_30d > 0
            then cast(coalesce(competitor_contacts.competitor_contacts_30d, 0) as double)
    end as competitor_contacts_30d,
    case
        when known.usage_competitor_contacts_30d > 0
            then cast(coalesce(competitor_contacts.portability_queries_30d, 0) as double)
    end as portability_queries_30d
from lines
left join known on lines.as_of_date = known.as_of_date
left join complaints
    on lines.as_of_date = complaints.as_of_date and lines.subscriber_id = complaints.subscriber_id
left join interactions
    on lines.as_of_date = interactions.as_of_date and lines.subscriber_id = interactions.subscriber_id
left join competitor_contacts
    on
        lines.as_of_date = competitor_contacts.as_of_date
        and lines.subscriber_id = competitor_contacts.subscriber_id
