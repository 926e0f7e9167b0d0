{{ config(materialized='table') }}
{%- set resources = {
    'MOU': {'amount': 'voice_minutes', 'unknown': 'voice_unknown_days', 'floor': 'anomaly_min_base_minutes',
            'of_day': 'usage_days.voice_out_minutes + usage_days.voice_in_minutes'},
    'DATA': {'amount': 'data_mb', 'unknown': 'data_unknown_days', 'floor': 'anomaly_min_base_mb',
             'of_day': 'usage_days.data_mb'},
} %}
{%- set months = [1, 2, 3] %}

-- Use of the month to date far above or far below that of the three closed months (O33): the
-- resources for which the date is the first day of the month on which it holds, of lines in service
-- on every day of the month. Rows: lines of whom something is found, or unknown.
--
-- No division: a closed month is scaled from its known days v to its length l, so that the base is
-- the sum of s·l/v over three; base_parts = base · base_weight is made of whole products.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

known_days as (
    select
        {% for month in months -%}
        count(
            case
                when known_on >= {{ month_first(month) }} and known_on < {{ month_first(month - 1) }} then 1
            end
        ) as days_m{{ month }},
        {{ days_between(month_first(month), month_first(month - 1)) }} as length_m{{ month }},
        {% endfor -%}
        count(case when known_on >= {{ month_first() }} then 1 end) as days_mtd,
        {{ days_between(month_first(), month_first(-1)) }} as length_of_month,
        coalesce(max(known_on) = {{ as_of() }}, false) as is_known
    from {{ ref('int_known_days') }}
    where known_on >= {{ month_first(3) }}
),

steady_lines as (
    select
        subscriber_id,
        presence_from <= {{ month_first(3) }} as is_active_three_months
    from {{ ref('int_lines') }}
    where is_active and presence_from <= {{ month_first() }}
),

closed as (
    select
        {% for column in ['voice_minutes', 'voice_unknown_days', 'data_mb', 'data_unknown_days'] -%}
        {% for month in months -%}
        sum(case when month = {{ month_first(month) }} then {{ column }} end) as {{ column }}_m{{ month }},
        {% endfor -%}
        {% endfor -%}
        subscriber_id
    from {{ ref('int_usage_months') }} as months
    where
        month >= {{ month_first(3) }}
        and month < {{ month_first() }}
        and {{ is_visible('months', as_of()) }}
    group by subscriber_id
),

usage_state as (
    select * from {{ ref('int_usage_state') }} where as_of_date = {{ as_of() }}
),

amounts as (
    {%- for name, resource in resources.items() %}
    select
        steady_lines.subscriber_id,
        '{{ name }}' as resource_code,
        parameters.{{ resource.floor }} as min_base,
        {%- for month in months %}
        coalesce(closed.{{ resource.amount }}_m{{ month }}, 0) * known_days.length_m{{ month }} as amount_m{{ month }},
        known_days.days_m{{ month }} - coalesce(closed.{{ resource.unknown }}_m{{ month }}, 0) as days_m{{ month }},
        {%- endfor %}
        known_days.length_of_month,
        coalesce(usage_state.{{ resource.amount }}_mtd, 0) as total,
        known_days.days_mtd - coalesce(usage_state.{{ resource.unknown }}_mtd, 0) as elapsed_days
    from steady_lines
    cross join parameters
    cross join known_days
    left join closed on steady_lines.subscriber_id = closed.subscriber_id
    left join usage_state on steady_lines.subscriber_id = usage_state.subscriber_id
    where steady_lines.is_active_three_months and known_days.is_known
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

closed_bases as (
    select
        amounts.subscriber_id,
        amounts.resource_code,
        amounts.min_base,
        amounts.length_of_month,
        amounts.total,
        amounts.elapsed_days,
        amounts.amount_m1 * amounts.days_m2 * amounts.days_m3
        + amounts.amount_m2 * amounts.days_m1 * amounts.days_m3
        + amounts.amount_m3 * amounts.days_m1 * amounts.days_m2 as base_parts,
        3 * amounts.days_m1 * amounts.days_m2 * amounts.days_m3 as base_weight,
        {% for month in months -%}
        amounts.days_m{{ month }} >= parameters.fit_min_known_days
        {{ 'and ' if not loop.last }}
        {%- endfor %} as is_known
    from amounts
    cross join parameters
),

bases as (
    select * from closed_bases
    where is_known and base_parts >= min_base * base_weight
),

-- The date's own use; null where the row does not tell it.
today as (
    {%- for name, resource in resources.items() %}
    select
        usage_days.subscriber_id,
        '{{ name }}' as resource_code,
        {{ resource.of_day }} as amount
    from {{ ref('fct_usage_daily') }} as usage_days
    where usage_days.usage_date = {{ as_of() }} and {{ is_visible('usage_days', as_of()) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

kinds as (
    select 'SPIKE' as kind
    union all
    select 'DROP' as kind
),

-- Those for whom it holds with the date and did not hold just before it.
newly as (
    select
        bases.*,
        kinds.kind
    from bases
    cross join parameters
    cross join kinds
    left join today on bases.subscriber_id = today.subscriber_id and bases.resource_code = today.resource_code
    where
        not (today.subscriber_id is not null and today.amount is null)
        and case
            {%- for kind in ['spike', 'drop'] %}
            when kinds.kind = '{{ kind | upper }}'
                then
                    {{ is_anomaly(kind, 'bases.total', 'bases.elapsed_days') }}
                    and not (
                        {{ is_anomaly(kind, 'bases.total - coalesce(today.amount, 0)', 'bases.elapsed_days - 1') }}
                    )
            {%- endfor %}
        end
),

-- The earlier days of the month of those few.
days_before as (
    select
        newly.subscriber_id,
        newly.resource_code,
        newly.kind,
        newly.length_of_month,
        newly.base_parts,
        newly.base_weight,
        known.known_on,
        case
            when usage_days.subscriber_id is null then 0
            {%- for name, resource in resources.items() %}
            when newly.resource_code = '{{ name }}' then {{ resource.of_day }}
            {%- endfor %}
        end as amount
    from newly
    inner join {{ ref('int_known_days') }} as known
        on known.known_on >= {{ month_first() }} and known.known_on < {{ as_of() }}
    left join {{ ref('fct_usage_daily') }} as usage_days
        on
            newly.subscriber_id = usage_days.subscriber_id
            and known.known_on = usage_days.usage_date
            and usage_days.usage_date >= {{ month_first() }}
            and usage_days.usage_date < {{ as_of() }}
            and {{ is_visible('usage_days', as_of()) }}
),

running as (
    select
        *,
        sum(amount) over days_so_far as total,
        count(amount) over days_so_far as elapsed_days
    from days_before
    window days_so_far as (
        partition by subscriber_id, resource_code, kind order by known_on
        rows between unbounded preceding and current row
    )
),

held_before as (
    select distinct running.subscriber_id, running.resource_code, running.kind
    from running
    cross join parameters
    where
        running.amount is not null
        and case
            {%- for kind in ['spike', 'drop'] %}
            when running.kind = '{{ kind | upper }}'
                then {{ is_anomaly(kind, 'running.total', 'running.elapsed_days', base='running') }}
            {%- endfor %}
        end
),

found as (
    select newly.subscriber_id, newly.resource_code, newly.kind, false as is_unknown
    from newly
    left join held_before
        on
            newly.subscriber_id = held_before.subscriber_id
            and newly.resource_code = held_before.resource_code
            and newly.kind = held_before.kind
    where held_before.subscriber_id is null
    union all
    select subscriber_id, resource_code, cast(null as varchar) as kind, true as is_unknown
    from closed_bases
    where not is_known
    union all
    select
        steady_lines.subscriber_id,
        cast(null as varchar) as resource_code,
        cast(null as varchar) as kind,
        true as is_unknown
    from steady_lines
    cross join known_days
    where not (steady_lines.is_active_three_months and known_days.is_known)
)

select
    subscriber_id,
    {%- for kind in ['SPIKE', 'DROP'] %}
    nullif(
        concat_ws(
            ';',
            {%- for name in resources %}
            max(case when kind = '{{ kind }}' and resource_code = '{{ name }}' then '{{ name }}' end)
            {{- ',' if not loop.last }}
            {%- endfor %}
        ),
        ''
    ) as {{ kind | lower }}_resources,
    {%- endfor %}
    count(case when is_unknown then 1 end) > 0 as is_unknown
from found
group by subscriber_id
