{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    on_schema_change='fail',
    replaces={'month': 'month'},
    tags=['monthly']
) }}
{#- The longest horizon of the index is so many intervals (index_model.py). -#}
{%- set intervals = [1, 2, 3, 4, 5, 6] %}

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
        features.subscriber_id,
        features.payment_mode,
        features.as_of_date as index_date,
        {{ days_after('features.as_of_date', 'definition.lead_days') }} as alive_until,
        definition.horizon_days,
        definition.max_training_rows,
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

index_dates as (
    select distinct index_date, alive_until, horizon_days from index_rows
),

windows as (
    {%- for interval in intervals %}
    {{ 'union all ' if not loop.first }}select
        index_date,
        {{ interval }} as interval_no,
        {%- set days_before = 'horizon_days * ' ~ (interval - 1) %}
        {{ 'index_date' if loop.first else days_after('alive_until', days_before) }} as told_from,
        {{ days_after('alive_until', 'horizon_days * ' ~ interval) }} as told_to
    from index_dates
    {%- endfor %}
),

-- Where exits are told by events alone, an interval in which none could be told is unknown, not calm.
untold as (
    select index_date, min(interval_no) as interval_no
    from windows
    where
        not exists (
            select 1
            from told_days
            where told_days.dt > windows.told_from and told_days.dt <= windows.told_to
        )
    group by index_date
),

-- Intervals whose outcome is final, whatever it is: events do not count earlier than their absence.
final_intervals as (
    select
        index_rows.*,
        cast(
            least(
                {{ intervals | length }},
                floor(
                    ({{ days_between('index_rows.alive_until', 'index_rows.known_on') }} - index_rows.maturity_days)
                    / index_rows.horizon_days
                ),
                case
                    when index_rows.churn_source = 'EVENTS_ONLY'
                        then coalesce(untold.interval_no - 1, {{ intervals | length }})
                    else {{ intervals | length }}
                end
            ) as integer
        ) as final_count
    from index_rows
    left join untold on index_rows.index_date = untold.index_date
),

mature as (
    select
        *,
        {{ days_after('alive_until', 'horizon_days * final_count') }} as known_until
    from final_intervals
    where final_count >= 1
),

-- The first spell that touches the time from the index date to the end of what is known.
outcomes as (
    select
        mature.subscriber_id,
        mature.index_date,
        spells.churn_date,
        spells.role = 'CENSORED' or number_changes.subscriber_id is not null or spells.is_bulk_exit as is_lost_sight_of,
        row_number() over (
            partition by mature.subscriber_id, mature.index_date order by spells.churn_date, spells.spell_no
        ) as outcome_rank
    from mature
    inner join spells
        on
            mature.subscriber_id = spells.subscriber_id
            and mature.known_until >= spells.churn_date
            and (spells.returned_on is null or mature.index_date < spells.returned_on)
    left join number_changes on spells.subscriber_id = number_changes.subscriber_id
),

-- The interval in which the spell begins: 0 or less for who was gone before the first one opened.
gone as (
    select
        mature.*,
        outcomes.is_lost_sight_of,
        cast(
            ceil({{ days_between('mature.alive_until', 'outcomes.churn_date') }} / mature.horizon_days) as integer
        ) as gone_in
    from mature
    left join outcomes
        on
            mature.subscriber_id = outcomes.subscriber_id
            and mature.index_date = outcomes.index_date
            and outcomes.outcome_rank = 1
),

-- Who is lost sight of (removed, a new number of the same person, one decision of a firm) counts up
-- to the interval before.
labelled as (
    select
        subscriber_id,
        index_date,
        max_training_rows,
        case when is_lost_sight_of or gone_in is null then 0 else gone_in end as left_in,
        case
            when gone_in is null then final_count
            when is_lost_sight_of then gone_in - 1
            else gone_in
        end as observed
    from gone
),

-- A fixed sample of what is known: a row is drawn by its keys alone, so that it is drawn again.
drawn as (
    select
        *,
        count(*) over () as rows_offered,
        row_number() over (
            order by md5(concat(subscriber_id, cast(index_date as varchar))), subscriber_id, index_date
        ) as draw
    from labelled
    where observed >= 1
)

select
    {{ learning_month() }} as month,
    drawn.subscriber_id,
    drawn.index_date,
    features.org_id,
    features.payment_mode,
    drawn.left_in,
    drawn.observed,
    cast(drawn.rows_offered as bigint) as rows_offered,
    {% for feature in churn_feature_columns() %}
    features.{{ feature }}{% if not loop.last %},{% endif %}
    {% endfor %}
from drawn
inner join {{ ref('churn_features') }} as features
    on
        drawn.subscriber_id = features.subscriber_id
        and drawn.index_date = features.as_of_date
where drawn.draw <= drawn.max_training_rows
