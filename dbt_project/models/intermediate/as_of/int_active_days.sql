{{ config(materialized='table') }}
{#- Inclusive: so many days, or a closed calendar month, or the month to date. -#}
{%- set spans = {
    '7d': (window_from(7), as_of()),
    '30d': (window_from(30), as_of()),
    '60d': (window_from(60), as_of()),
    'prior90': (window_from(120), days_after(as_of(), -30)),
    'mtd': (window_from('mtd'), as_of()),
} -%}
{%- set months = [1, 2, 3, 4, 5, 6] -%}
{%- for back in months -%}
    {%- do spans.update({'m' ~ back: (month_first(back), days_after(month_first(back - 1), -1))}) -%}
{%- endfor -%}
{%- set whole = ['mtd', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'] -%}

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
        {%- for name, (first, last) in spans.items() %}
        coalesce(max(case when dt < {{ first }} then day_number end), 0) as before_{{ name }},
        coalesce(max(case when dt <= {{ last }} then day_number end), 0) as end_{{ name }},
        {%- endfor %}
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
            else coalesce(starts.day_number, case when standings.standing_from > {{ as_of() }} then numbers.newest end, 0)
        end as number_before,
        case
            when standings.standing_from is null then numbers.newest
            when standings.standing_to is null or standings.standing_to > {{ as_of() }} then numbers.newest
            else coalesce(ends.day_number, 0)
        end as number_end
    from {{ ref('int_lines') }} as lines
    cross join numbers
    left join {{ ref('int_standings') }} as standings
        on
            lines.subscriber_id = standings.subscriber_id
            and standings.status = 'ACTIVE'
            and (standings.standing_to is null or standings.standing_to > {{ month_first(6) }})
    left join day_numbers as starts on {{ days_after('standings.standing_from', -1) }} = starts.dt
    left join day_numbers as ends on {{ days_after('standings.standing_to', -1) }} = ends.dt
)

select
    standings.subscriber_id,
    {%- for name in spans %}
    cast(
        sum(
            greatest(
                least(standings.number_end, numbers.end_{{ name }})
                - greatest(standings.number_before, numbers.before_{{ name }}),
                0
            )
        ) as integer
    ) as active_days_{{ name }},
    {%- endfor %}
    {%- for name in whole %}
    coalesce(
        sum(
            greatest(
                {{ days_between(
                    'greatest(standings.standing_from, ' ~ spans[name][0] ~ ')',
                    'least(coalesce(standings.standing_to, ' ~ days_after(spans[name][1], 1) ~ '), '
                    ~ days_after(spans[name][1], 1) ~ ')'
                ) }},
                0
            )
        ) = {{ days_between(spans[name][0], days_after(spans[name][1], 1)) }},
        false
    ) as is_active_all_{{ 'mtd' if name == 'mtd' else 'month_' ~ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from standings
cross join numbers
group by standings.subscriber_id
