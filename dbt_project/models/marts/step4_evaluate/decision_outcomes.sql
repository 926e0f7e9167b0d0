{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    on_schema_change='fail',
    replaces={'month': 'month'},
    tags=['monthly']
) }}

with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

-- Everything is as known on the newest date looked at before the month.
decisions as (
    select
        *,
        {{ known_on() }} as as_of_date
    from {{ ref('stg_loop__decisions') }}
    where decided_on < {{ learning_month() }}
),

placed as (
    select
        decisions.*,
        subscribers.payment_mode,
        {{ days_after('decisions.decided_on', 'definition.horizon_days') }} as window_to,
        case
            when definition.source = 'EVENTS_ONLY' then 0
            when subscribers.payment_mode = 'PREPAID' then definition.maturity_days_prepaid
            else definition.maturity_days_postpaid
        end as maturity_days
    from decisions
    cross join definition
    left join {{ ref('dim_subscribers') }} as subscribers
        on
            decisions.subscriber_id = subscribers.subscriber_id
            and {{ is_visible('subscribers', 'decisions.decided_on') }}
),

-- The first exit within the window; explicit exits (no waiting for silence) apart.
exits as (
    select
        placed.decision_id,
        min(churn.churn_date) as churn_date,
        min_by(churn.role, churn.churn_date) as role,
        max(
            case when churn.churn_case in ('PORT_OUT', 'CLOSED') and churn.role = 'EVENT' then 1 else 0 end
        ) = 1 as is_explicit
    from placed
    inner join {{ ref('int_churn') }} as churn
        on
            placed.subscriber_id = churn.subscriber_id
            and placed.as_of_date = churn.as_of_date
            and placed.decided_on < churn.churn_date
            and placed.window_to >= churn.churn_date
    group by placed.decision_id
),

-- A contact belongs to the newest decision before it, within the window.
answers as (
    select
        contacts.contact_id,
        contacts.occurred_at,
        contacts.outcome,
        placed.decision_id,
        row_number() over (
            partition by contacts.contact_id order by placed.decided_on desc, placed.decision_id asc
        ) as decision_rank
    from {{ ref('fct_contacts') }} as contacts
    inner join placed
        on
            contacts.subscriber_id = placed.subscriber_id
            and cast(contacts.occurred_at as date) > placed.decided_on
            and cast(contacts.occurred_at as date) <= placed.window_to
            and {{ is_visible('contacts', 'placed.as_of_date') }}
    where contacts.work_order_id is not null
),

contacted as (
    select
        decision_id,
        count(*) as contact_count,
        min(occurred_at) as first_contact_at,
        max(case when outcome in ('REACHED', 'ACCEPTED', 'REFUSED', 'OPT_OUT', 'CALL_BACK') then 1 else 0 end) = 1
            as is_reached,
        max(case when outcome = 'ACCEPTED' then 1 else 0 end) = 1 as is_accepted
    from answers
    where decision_rank = 1
    group by decision_id
)

select
    {{ learning_month() }} as month,
    placed.decision_id,
    placed.opportunity_id,
    placed.subscriber_id,
    placed.cycle,
    placed.decided_on,
    placed.org_id,
    placed.payment_mode,
    placed.action,
    placed.arm,
    placed.arm_probability,
    coalesce(exits.role = 'EVENT', false) as churned_within_30d,
    {{ days_after('placed.window_to', 'placed.maturity_days') }} <= placed.as_of_date as is_mature,
    coalesce(exits.is_explicit, false) as exited_within_30d,
    placed.window_to <= placed.as_of_date as is_exit_mature,
    coalesce(exits.role = 'CENSORED', false) as is_censored,
    exits.churn_date,
    cast(coalesce(contacted.contact_count, 0) as bigint) as contact_count,
    contacted.first_contact_at,
    coalesce(contacted.is_reached, false) as is_reached,
    coalesce(contacted.is_accepted, false) as is_accepted,
    placed.as_of_date
from placed
left join exits on placed.decision_id = exits.decision_id
left join contacted on placed.decision_id = contacted.decision_id
