{{ config(materialized='table') }}

-- High risk by complaints (O03), of each base line: a severe one, an overdue one, or too many.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- Without every day of the longest window, no complaint proves nothing.
proofs as (
    select
        count(
            case
                when {{ is_proof_of_absence('arrivals', 'parameters.complaint_count_days') }}
                    then 1
            end
        ) > 0 as is_proven
    from {{ ref('int_feed_arrivals') }} as arrivals
    cross join parameters
    where arrivals.feed = 'care_complaints'
),

complaints as (
    select
        complaints.subscriber_id,
        complaints.severity,
        {{ days_between('cast(complaints.opened_at as date)', as_of()) }} as opened_days_ago,
        complaints.due_at,
        coalesce(
            complaints.acknowledged_at, complaints.analysed_at, complaints.resolved_at, complaints.withdrawn_at
        ) is not null as is_settled
    from {{ ref('fct_complaints') }} as complaints
    where {{ is_visible('complaints', as_of()) }} and complaints.subscriber_id is not null
),

counts as (
    select
        complaints.subscriber_id,
        count(
            case
                when
                    complaints.severity = 'SEVERE'
                    and complaints.opened_days_ago between 0 and parameters.complaint_severe_days - 1
                    then 1
            end
        ) as severe,
        count(
            case
                when
                    not complaints.is_settled
                    and complaints.due_at < cast({{ days_after(as_of(), 1) }} as timestamp)
                    then 1
            end
        ) as overdue,
        count(case when not complaints.is_settled and complaints.due_at is null then 1 end) as never_due,
        count(case when complaints.opened_days_ago between 0 and parameters.complaint_count_days - 1 then 1 end)
            as opened
    from complaints
    cross join parameters
    group by complaints.subscriber_id
),

legs as (
    select
        base_lines.subscriber_id,
        nullif(
            concat_ws(
                ';',
                case when counts.severe > 0 then 'SEVERE' end,
                case when counts.overdue > 0 then 'OVERDUE' end,
                case when counts.opened > parameters.complaint_count then 'COUNT' end
            ),
            ''
        ) as hr1_legs,
        proofs.is_proven and coalesce(counts.never_due, 0) = 0 as is_known
    from {{ ref('int_lines') }} as base_lines
    cross join parameters
    cross join proofs
    left join counts on base_lines.subscriber_id = counts.subscriber_id
)

select
    subscriber_id,
    case
        when hr1_legs is not null then true
        when is_known then false
    end as hr1_complaint,
    hr1_legs
from legs
