{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- D10: in the network on every day of the last full calendar months, and in service in each.
recent_months as (
    {%- for months_back in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] %}
    select
        {{ months_back }} as months_back,
        {{ months_after("cast(date_trunc('month', " ~ as_of() ~ ") as date)", -months_back) }} as month_from,
        {{ months_after("cast(date_trunc('month', " ~ as_of() ~ ") as date)", 1 - months_back) }} as month_to
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

months as (
    select recent_months.*
    from recent_months
    cross join parameters
    where recent_months.months_back <= parameters.stable_months
),

span as (
    select min(month_from) as span_from, max(month_to) as span_to from months
),

presence as (
    select
        standings.subscriber_id,
        min(standings.standing_from) as known_from,
        count(
            case
                when
                    standings.status = 'DEACTIVATED'
                    and standings.standing_from < span.span_to
                    and coalesce(standings.standing_to, {{ end_of_time() }}) > span.span_from
                    then 1
            end
        ) as absences
    from {{ ref('int_standings') }} as standings
    cross join span
    group by standings.subscriber_id
),

months_in_service as (
    select standings.subscriber_id, count(distinct months.months_back) as months_in_service
    from {{ ref('int_standings') }} as standings
    inner join months
        on
            standings.standing_from < months.month_to
            and coalesce(standings.standing_to, {{ end_of_time() }}) > months.month_from
    where standings.status = 'ACTIVE'
    group by standings.subscriber_id
),

lines as (
    select
        base.subscriber_id,
        base.org_id,
        base.activated_on,
        {{ days_between('base.activated_on', as_of()) }} as tenure_days,
        base.payment_mode = 'POSTPAID' as is_source_scope,
        case
            when base.activated_on is null then null
            when
                {{ months_after('base.activated_on', 'parameters.cluster_near_months') }} >= {{ as_of() }}
                then 'LE_6M'
            when {{ months_after('base.activated_on', 'parameters.cluster_far_months') }} >= {{ as_of() }} then 'M6_12'
            else 'GT_12M'
        end as tenure_cluster,
        coalesce(base.activated_on, presence.known_from) <= span.span_from
        and presence.absences = 0
        and coalesce(months_in_service.months_in_service, 0) = parameters.stable_months as is_stable_3m
    from {{ ref('int_lines') }} as base
    cross join parameters
    cross join span
    left join presence on base.subscriber_id = presence.subscriber_id
    left join months_in_service on base.subscriber_id = months_in_service.subscriber_id
)

select
    lines.subscriber_id,
    {{ as_of() }} as as_of_date,
    lines.org_id,
    cast(lines.tenure_days as integer) as tenure_days,
    lines.tenure_cluster,
    drivers.tenure_driver,
    lines.is_source_scope,
    coalesce(lines.is_stable_3m, false) as is_stable_3m
from lines
left join {{ ref('tenure_drivers') }} as drivers on lines.tenure_cluster = drivers.tenure_cluster
