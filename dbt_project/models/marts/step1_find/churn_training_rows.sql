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

-- All is as known on the newest date looked at before the month: its last day, if nothing failed.
knowledge as (
    select {{ known_on() }} as known_on
),

spells as (
    select churn.*
    from {{ ref('int_churn') }} as churn
    inner join knowledge on churn.as_of_date = knowledge.known_on
),

number_changes as (
    select distinct links.old_subscriber_id as subscriber_id
    from {{ ref('reentry_links') }} as links
    inner join knowledge on links.as_of_date = knowledge.known_on
    where links.link_kind = 'NUMBER_CHANGE'
),

index_rows as (
    select
        features.*,
        features.as_of_date as index_date,
        {{ days_after('features.as_of_date', 'definition.lead_days') }} as alive_until,
        {{ days_after('features.as_of_date', 'definition.lead_days + definition.horizon_days') }} as window_to,
        definition.source as churn_source,
        knowledge.known_on,
        case
            when definition.source = 'EVENTS_ONLY' then 0
            when features.payment_mode = 'PREPAID' then definition.maturity_days_prepaid
            else definition.maturity_days_postpaid
        end as maturity_days
    from {{ ref('churn_features') }} as features
    cross join definition
    cross join knowledge
    where
        features.in_population
        and {{ is_month_end('features.as_of_date') }}
        and features.as_of_date < knowledge.known_on
),

told_days as (
    select dt from {{ ref('fct_feed_days') }}
    where feed = 'churn_events' and is_arrived
),

-- Where exits are told by events alone, a window in which none could be told is unknown, not calm.
mature as (
    select *
    from index_rows
    where
        {{ days_after('window_to', 'maturity_days') }} <= known_on
        and (
            churn_source <> 'EVENTS_ONLY'
            or exists (
                select 1
                from told_days
                where told_days.dt > index_rows.as_of_date and told_days.dt <= index_rows.window_to
            )
        )
),

-- The first spell that touches the time from the index date to the end of its window.
outcomes as (
    select
        mature.subscriber_id,
        mature.index_date,
        mature.alive_until,
        spells.churn_date,
        spells.role,
        spells.is_bulk_exit,
        number_changes.subscriber_id is not null as is_number_change,
        row_number() over (
            partition by mature.subscriber_id, mature.index_date order by spells.churn_date, spells.spell_no
        ) as outcome_rank
    from mature
    inner join spells
        on
            mature.subscriber_id = spells.subscriber_id
            and mature.window_to >= spells.churn_date
            and (spells.returned_on is null or mature.index_date < spells.returned_on)
    left join number_changes on spells.subscriber_id = number_changes.subscriber_id
),

-- Gone before the window opens, censored inside it (a new number of the same person, too), or one
-- decision of a firm: in neither class.
labelled as (
    select
        mature.*,
        outcomes.subscriber_id is not null as is_gone,
        coalesce(
            outcomes.churn_date <= outcomes.alive_until
            or outcomes.role = 'CENSORED'
            or outcomes.is_number_change
            or outcomes.is_bulk_exit,
            false
        ) as is_dropped
    from mature
    left join outcomes
        on
            mature.subscriber_id = outcomes.subscriber_id
            and mature.index_date = outcomes.index_date
            and outcomes.outcome_rank = 1
)

select
    {{ learning_month() }} as month,
    subscriber_id,
    index_date,
    org_id,
    payment_mode,
    case when is_gone then 1 else 0 end as is_churn,
    {% for feature in churn_feature_columns() %}
    {{ feature }}{% if not loop.last %},{% endif %}
    {% endfor %}
from labelled
where not is_dropped
