{{ config(materialized='table') }}
{#- Inclusive: so many days, or the month to date, or a closed calendar month. -#}
{%- set spans = {
    '7d': (window_from(7), as_of()),
    '30d': (window_from(30), as_of()),
    '60d': (window_from(60), as_of()),
    'prior90': (window_from(120), days_after(as_of(), -30)),
    'mtd': (month_first(), as_of()),
    'm1': (month_first(1), month_last(1)),
    'm2': (month_first(2), month_last(2)),
    'm3': (month_first(3), month_last(3)),
    'm4': (month_first(4), month_last(4)),
    'm5': (month_first(5), month_last(5)),
    'm6': (month_first(6), month_last(6)),
} -%}
{%- set numbers, days, wholes = [], [], [] -%}
{%- for name, (first, last) in spans.items() -%}
    {%- do numbers.append(
        'coalesce(max(case when dt < ' ~ first ~ ' then day_number end), 0) as before_' ~ name ~ ',\n        '
        ~ 'coalesce(max(case when dt <= ' ~ last ~ ' then day_number end), 0) as end_' ~ name
    ) -%}
    {%- do days.append(
        'cast(sum(greatest(least(standings.number_end, numbers.end_' ~ name ~ ')'
        ~ ' - greatest(standings.number_before, numbers.before_' ~ name ~ '), 0)) as integer) as active_days_' ~ name
    ) -%}
    {%- do wholes.append(
        'coalesce(sum(greatest('
        ~ days_between(
            'greatest(standings.standing_from, ' ~ first ~ ')',
            'least(coalesce(standings.standing_to, ' ~ days_after(last, 1) ~ '), ' ~ days_after(last, 1) ~ ')'
        )
        ~ ', 0)) = ' ~ days_between(first, days_after(last, 1)) ~ ', false) as is_active_all_'
        ~ (name if name == 'mtd' else 'month_' ~ name)
    ) if name[0] == 'm' -%}
{%- endfor %}

-- Known ACTIVE days of each base line in the windows that rules divide by, and whether it was ACTIVE
-- on every calendar day of a month.
with
-- How many known days there are up to the day.
day_numbers as (
    select
        dt,
        sum(case when is_arrived then 1 else 0 end) over (order by dt) as day_number
    from {{ ref('fct_feed_days') }}
    where feed = 'usage_daily' and dt <= {{ as_of() }}
),

numbers as (
    select
        {{ numbers | join(',\n        ') }},
        coalesce(max(day_number), 0) as newest
    from day_numbers
),

standings as (
    select
        lines.subscriber_id,
        standings.standing_from,
        standings.standing_to,
        case
            when standings.standing_from is null then numbers.newest
            else coalesce(start_numbers.day_number, 0)
        end as number_before,
        case
            when standings.standing_from is null then numbers.newest
            when standings.standing_to is null or standings.standing_to > {{ as_of() }} then numbers.newest
            else coalesce(end_numbers.day_number, 0)
        end as number_end
    from {{ ref('int_lines') }} as lines
    cross join numbers
    left join {{ ref('int_standings') }} as standings
        on
            lines.subscriber_id = standings.subscriber_id
            and standings.status = 'ACTIVE'
            and (standings.standing_to is null or standings.standing_to > {{ month_first(6) }})
    left join day_numbers as start_numbers on {{ days_after('standings.standing_from', -1) }} = start_numbers.dt
    left join day_numbers as end_numbers on {{ days_after('standings.standing_to', -1) }} = end_numbers.dt
)

select
    standings.subscriber_id,
    {{ days | join(',\n    ') }},
    {{ wholes | join(',\n    ') }}
from standings
cross join numbers
group by standings.subscriber_id
