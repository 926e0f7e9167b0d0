{{ config(materialized='table') }}

-- O31: what an agent activated in the window, line by line: came back (new side of a number change), gone,
-- survived, used. Null where it cannot be told yet.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

lines as (
    select
        lines.agent_id,
        lines.subscriber_id,
        lines.activated_on,
        {{ days_between('lines.activated_on', as_of()) }} as age_days
    from {{ ref('int_new_lines') }} as lines
    cross join parameters
    where
        lines.agent_id is not null
        and {{ days_between('lines.activated_on', as_of()) }} < parameters.arbitrage_cohort_days
),

reentries as (
    select distinct new_subscriber_id as subscriber_id
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }} and link_kind = 'NUMBER_CHANGE'
),

churn as (
    select
        subscriber_id,
        min(churn_date) as first_end_on,
        max({{ one_if('returned_on is null or is_operator_removed') }}) = 1 as is_gone
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }}
    group by subscriber_id
),

removals as (
    select
        subscriber_id,
        min(standing_from) as first_end_on,
        max({{ one_if('standing_to is null') }}) = 1 as is_gone
    from {{ ref('int_standings') }}
    where status = 'DEACTIVATED'
    group by subscriber_id
),

-- The file of a day of the first ones came at all.
spans as (
    select
        lines.subscriber_id,
        count(*) as known_days
    from lines
    cross join parameters
    inner join {{ ref('int_known_days') }} as known_days
        on
            lines.activated_on < known_days.known_on
            and {{ days_between('lines.activated_on', 'known_days.known_on') }} <= parameters.arbitrage_first_usage_days
    where known_days.known_on > {{ days_after(as_of(), -181) }}
    group by lines.subscriber_id
)

select
    lines.agent_id,
    lines.subscriber_id,
    lines.activated_on,
    reentries.subscriber_id is not null as is_reentry,
    coalesce(churn.is_gone, false) or coalesce(removals.is_gone, false) as is_gone,
    case
        when lines.age_days >= parameters.arbitrage_survival_days
            then
                coalesce(
                    least(churn.first_end_on, removals.first_end_on)
                    >= {{ days_after('lines.activated_on', 'parameters.arbitrage_survival_days') }},
                    true
                )
    end as has_survived,
    case
        when lines.age_days >= parameters.arbitrage_first_usage_days and spans.known_days > 0
            then coalesce(first_use.is_used_at_first, false)
    end as is_used_at_first
from lines
cross join parameters
left join reentries on lines.subscriber_id = reentries.subscriber_id
left join churn on lines.subscriber_id = churn.subscriber_id
left join removals on lines.subscriber_id = removals.subscriber_id
left join spans on lines.subscriber_id = spans.subscriber_id
left join {{ ref('int_first_use') }} as first_use
    on lines.subscriber_id = first_use.subscriber_id and first_use.as_of_date = {{ as_of() }}
