{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='index_dates',
    on_schema_change='fail'
) }}

with
feeds as (
    {{ feeds_arrived(['care_complaints', 'care_interactions', 'billing_subscriptions', 'field_contacts']) }}
),

complaints as (
    select
        *,
        cast(opened_at as date) as opened_on,
        coalesce(
            least(acknowledged_at, analysed_at, resolved_at),
            acknowledged_at,
            analysed_at,
            resolved_at
        ) as answered_at
    from {{ ref('fct_complaints') }} as complaints
    where {{ is_visible('complaints', as_of()) }} and subscriber_id is not null and opened_at is not null
),

-- The complaint before, of the same category.
followed as (
    select
        *,
        opened_on > {{ days_after(as_of(), -365) }} as is_of_12m,
        opened_on > {{ days_after(as_of(), -90) }} as is_of_90d,
        lag(opened_on) over (partition by subscriber_id, category order by opened_at, complaint_id) as same_before_on
    from complaints
),

complained as (
    select
        subscriber_id,
        count(case when opened_on > {{ days_after(as_of(), -30) }} then 1 end) as complaints_30d,
        count(case when is_of_90d then 1 end) as complaints_90d,
        count(case when is_of_12m then 1 end) as complaints_12m,
        count(case when is_of_90d and severity = 'SEVERE' then 1 end) as severe_complaints_90d,
        count(case when resolved_at is null and withdrawn_at is null then 1 end) as open_complaints,
        count(
            case
                when answered_at is null and withdrawn_at is null and cast(due_at as date) <= {{ as_of() }} then 1
            end
        ) as overdue_complaints,
        avg(case when is_of_12m then {{ seconds_between('opened_at', 'answered_at') }} end) / 3600.0
            as complaint_answer_hours_12m,
        avg(case when is_of_12m then {{ seconds_between('opened_at', 'resolved_at') }} end) / 3600.0
            as complaint_resolution_hours_12m,
        count(case when is_of_12m and answered_at > due_at then 1 end) as late_answers_12m,
        count(case when is_of_12m and answered_at is not null and due_at is not null then 1 end) as answers_12m,
        max_by(satisfaction, opened_at) as complaint_satisfaction_last,
        avg(case when is_of_12m then satisfaction end) as complaint_satisfaction_mean_12m,
        max(opened_on) as last_opened_on,
        count(case when is_of_90d and category = 'BILLING' then 1 end) as billing_complaints_90d,
        count(case when is_of_12m and cause_class = 'ATTITUDE' then 1 end) as attitude_complaints_12m,
        count(case when is_of_12m and category = 'UNAUTHORISED_ORDER' then 1 end) as unauthorised_order_complaints_12m,
        count(case when is_of_12m and category = 'CONTACT_NUISANCE' then 1 end) as contact_nuisance_complaints_12m,
        count(
            case when is_of_90d and same_before_on > {{ days_after('opened_on', -90) }} then 1 end
        ) as repeat_complaints_90d,
        count(
            case when cast(reopened_at as date) > {{ days_after(as_of(), -365) }} then 1 end
        ) as reopened_complaints_12m
    from followed
    group by subscriber_id
),

interactions as (
    select
        visits.subscriber_id,
        visits.reason,
        cast(visits.occurred_at as date) as occurred_on,
        cast(visits.occurred_at as date) > {{ days_after(as_of(), -90) }} as is_of_90d,
        channels.channel_type
    from {{ ref('fct_interactions') }} as visits
    left join {{ ref('dim_channels') }} as channels
        on visits.channel_id = channels.channel_id and {{ is_visible('channels', as_of()) }}
    where
        {{ is_visible('visits', as_of()) }}
        and visits.occurred_at >= {{ days_after(as_of(), -364) }}
),

interacted as (
    select
        subscriber_id,
        count(case when occurred_on > {{ days_after(as_of(), -30) }} then 1 end) as care_contacts_30d,
        count(
            case
                when
                    occurred_on > {{ days_after(as_of(), -120) }}
                    and occurred_on <= {{ days_after(as_of(), -30) }}
                    then 1
            end
        ) as care_contacts_prior90,
        count(case when is_of_90d then 1 end) as care_contacts_90d,
        count(case when is_of_90d and reason = 'BILL_QUERY' then 1 end) as bill_queries_90d,
        count(case when is_of_90d and reason = 'PLAN_QUERY' then 1 end) as plan_queries_90d,
        count(case when is_of_90d and reason = 'CANCEL_REQUEST' then 1 end) as cancel_requests_90d,
        count(
            case when is_of_90d and channel_type in ('OWN_HALL', 'PARTNER_HALL', 'OUTSOURCED_HALL') then 1 end
        ) as hall_contacts_90d,
        count(case when is_of_90d and channel_type in ('ONLINE', 'APP') then 1 end) as self_service_contacts_90d,
        max(occurred_on) as last_on
    from interactions
    group by subscriber_id
),

ordered as (
    select subscriber_id, count(*) as orders_without_consent_180d
    from {{ ref('int_holdings') }}
    where
        started_on > {{ days_after(as_of(), -180) }}
        and started_on <= {{ as_of() }}
        and price_cny > 0
        and lacks_consent_ref
        and product_kind in ('VAS', 'DATA_PACK', 'BUNDLE')
    group by subscriber_id
),

contacted as (
    select
        subscriber_id,
        count(case when occurred_at >= {{ days_after(as_of(), -29) }} then 1 end) as outbound_contacts_30d,
        count(
            case when occurred_at >= {{ days_after(as_of(), -89) }} and message_class = 'MARKETING' then 1 end
        ) as marketing_contacts_90d,
        count(*) as contacts_180d,
        count(case when outcome in ('REACHED', 'ACCEPTED', 'REFUSED', 'OPT_OUT') then 1 end) as reached_180d,
        count(case when outcome = 'REFUSED' then 1 end) as contact_refusals_180d
    from {{ ref('fct_contacts') }} as contacts
    where
        {{ is_visible('contacts', as_of()) }}
        and occurred_at >= {{ days_after(as_of(), -179) }}
        and subscriber_id is not null
    group by subscriber_id
)

select
    base.subscriber_id,
    {{ as_of() }} as as_of_date,
    {%- for name in [
        'complaints_30d',
        'complaints_90d',
        'complaints_12m',
        'severe_complaints_90d',
        'open_complaints',
        'overdue_complaints',
        'billing_complaints_90d',
        'attitude_complaints_12m',
        'unauthorised_order_complaints_12m',
        'contact_nuisance_complaints_12m',
        'repeat_complaints_90d',
        'reopened_complaints_12m',
    ] %}
    {{ counted('care_complaints', 'complained.' ~ name) }} as {{ name }},
    {%- endfor %}
    cast(complained.complaint_answer_hours_12m as double) as complaint_answer_hours_12m,
    cast(complained.complaint_resolution_hours_12m as double) as complaint_resolution_hours_12m,
    cast(complained.late_answers_12m as double) / nullif(complained.answers_12m, 0) as late_answer_share_12m,
    cast(complained.complaint_satisfaction_last as double) as complaint_satisfaction_last,
    cast(complained.complaint_satisfaction_mean_12m as double) as complaint_satisfaction_mean_12m,
    cast({{ days_between('complained.last_opened_on', as_of()) }} as double) as days_since_complaint,
    {%- for name in [
        'care_contacts_30d',
        'bill_queries_90d',
        'plan_queries_90d',
        'cancel_requests_90d',
        'hall_contacts_90d',
    ] %}
    {{ counted('care_interactions', 'interacted.' ~ name) }} as {{ name }},
    {%- endfor %}
    cast(3 * interacted.care_contacts_30d as double) / nullif(interacted.care_contacts_prior90, 0)
        as care_contacts_ratio_30d_prior90d,
    cast(interacted.self_service_contacts_90d as double) / nullif(interacted.care_contacts_90d, 0)
        as self_service_share_90d,
    cast({{ days_between('interacted.last_on', as_of()) }} as double) as days_since_care_contact,
    {{ counted('billing_subscriptions', 'ordered.orders_without_consent_180d') }} as orders_without_consent_180d,
    {%- for name in ['outbound_contacts_30d', 'marketing_contacts_90d', 'contact_refusals_180d'] %}
    {{ counted('field_contacts', 'contacted.' ~ name) }} as {{ name }},
    {%- endfor %}
    cast(contacted.reached_180d as double) / nullif(contacted.contacts_180d, 0) as contact_reach_rate_180d
from {{ ref('int_lines') }} as base
cross join feeds
left join complained on base.subscriber_id = complained.subscriber_id
left join interacted on base.subscriber_id = interacted.subscriber_id
left join ordered on base.subscriber_id = ordered.subscriber_id
left join contacted on base.subscriber_id = contacted.subscriber_id
