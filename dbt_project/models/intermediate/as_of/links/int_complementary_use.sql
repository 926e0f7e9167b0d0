-- noqa: disable=LT02,ST03
-- depends_on: {{ ref('dim_subscribers') }}
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = previous_state_date() %}
{%- set kept_on = "cast('" ~ previous ~ "' as date)" %}
{%- set uses = {
    'voice': 'voice_minutes',
    'out': 'voice_out_minutes',
    'in': 'voice_in_minutes',
    'data': 'data_mb',
} %}
{%- set unknown = {'voice': 'voice', 'out': 'voice_out', 'in': 'voice_in', 'data': 'data'} %}

-- E5: when the use of a line was last complementary to that of another handset. Everyone is judged on
-- the date; `complementary_on` remembers the last day that held, among the days from
-- `remembered_from` on. Of lines with other evidence whose memory does not reach back far enough, every
-- day is judged anew: when nothing is kept, and where late rows or late statuses changed the past.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- Today, from the running sums: the days on which a line was not in service are taken off.
inactive as (
    select
        usage.subscriber_id,
        {%- for name, column in uses.items() %}
        {%- for width in [30, 120] %}
        {%- set within = 'usage.usage_date > ' ~ days_after(as_of(), -width) %}
        sum(case when {{ within }} then usage.{{ column }} end) as {{ name }}_{{ width }}d,
        sum(case when {{ within }} then usage.{{ unknown[name] }}_unknown_days end) as {{ name }}_unknown_{{ width }}d
        {{- ',' if not (loop.last and name == 'data') }}
        {%- endfor %}
        {%- endfor %}
    from {{ ref('int_inactive_usage') }} as usage
    where usage.usage_date > {{ days_after(as_of(), -120) }}
    group by usage.subscriber_id
),

summed as (
    select
        lines.subscriber_id,
        {%- for name, column in uses.items() %}
        {%- for width in [30, 120] %}
        coalesce(states.{{ column }}_{{ width }}d, 0)
        - coalesce(inactive.{{ name }}_{{ width }}d, 0) as {{ name }}_{{ width }}d,
        coalesce(active_days.active_days_30d, 0)
        {%- if width == 120 %}
        + coalesce(active_days.active_days_prior90, 0)
        {%- endif %}
        - coalesce(states.{{ unknown[name] }}_unknown_days_{{ width }}d, 0)
        + coalesce(inactive.{{ name }}_unknown_{{ width }}d, 0) as {{ name }}_days_{{ width }}d
        {{- ',' if not (loop.last and name == 'data') }}
        {%- endfor %}
        {%- endfor %}
    from {{ ref('int_lines') }} as lines
    left join {{ ref('int_usage_state') }} as states
        on lines.subscriber_id = states.subscriber_id and states.as_of_date = {{ as_of() }}
    left join {{ ref('int_active_days') }} as active_days on lines.subscriber_id = active_days.subscriber_id
    left join inactive on lines.subscriber_id = inactive.subscriber_id
),

use_of_today as (
    select
        subscriber_id,
        {%- for name, column in uses.items() %}
        {%- set type = 'decimal(18, 3)' if name == 'data' else 'decimal(18, 2)' %}
        cast({{ name }}_30d as {{ type }}) as {{ name }}_30d,
        cast({{ name }}_days_30d as smallint) as {{ name }}_days_30d,
        cast({{ name }}_120d - {{ name }}_30d as {{ type }}) as {{ name }}_base,
        cast({{ name }}_days_120d - {{ name }}_days_30d as smallint) as {{ name }}_days_base
        {{- ',' if not loop.last }}
        {%- endfor %}
    from summed
),

today as (
    select
        use_of_today.subscriber_id,
        {{ is_complementary('use_of_today') }} as is_complementary
    from use_of_today
    cross join parameters
),

{% if previous -%}
-- Whose past is no longer what it was: rows that came late, and statuses told late.
touched as (
    select subscriber_id
    from {{ ref('fct_usage_daily') }}
    where visible_from > {{ kept_on }} and visible_from <= {{ as_of() }} and usage_date <= {{ kept_on }}
    union
    select told.subscriber_id
    from {{ ref('dim_subscribers') }} as told
    inner join {{ ref('dim_subscribers') }} as former
        on told.subscriber_id = former.subscriber_id and {{ is_visible('former', kept_on) }}
    where
        told.visible_from > {{ kept_on }}
        and told.visible_from <= {{ as_of() }}
        and cast(told.status_at as date) <= {{ kept_on }}
        and (coalesce(former.status, '') <> coalesce(told.status, '') or former.status_at <> told.status_at)
),

{% endif -%}
memory as (
    select
        today.subscriber_id,
        today.is_complementary,
        {%- if previous %}
        {%- set is_next_day = days_between(kept_on, as_of()) ~ ' = 1' %}
        case
            when touched.subscriber_id is null and {{ is_next_day }}
                then coalesce(kept.remembered_from, {{ as_of() }})
            else {{ as_of() }}
        end as remembered_from,
        case
            when
                touched.subscriber_id is null
                and {{ days_between('kept.complementary_on', as_of()) }} < parameters.dual_memory_days
                then kept.complementary_on
        end as complementary_on
        {%- else %}
        {{ as_of() }} as remembered_from,
        cast(null as date) as complementary_on
        {%- endif %}
    from today
    cross join parameters
    {%- if previous %}
    left join {{ this }} as kept
        on today.subscriber_id = kept.subscriber_id and kept.as_of_date = {{ kept_on }}
    left join touched on today.subscriber_id = touched.subscriber_id
    {%- endif %}
),

-- Of whom every day of the memory is judged anew.
forgotten as (
    select memory.subscriber_id
    from memory
    inner join {{ ref('int_dual_evidence') }} as evidence on memory.subscriber_id = evidence.subscriber_id
    cross join parameters
    where
        memory.complementary_on is null
        and not coalesce(memory.is_complementary, false)
        and {{ days_between('memory.remembered_from', as_of()) }} < parameters.dual_memory_days - 1
),

days as (
    select
        feed_days.dt,
        {{ days_between("cast('1970-01-01' as date)", 'feed_days.dt') }} as day_number,
        feed_days.is_arrived
    from {{ ref('fct_feed_days') }} as feed_days
    where
        feed_days.feed = 'usage_daily'
        and feed_days.dt > {{ days_after(as_of(), -209) }}
        and feed_days.dt <= {{ as_of() }}
),

past_usage as (
    select
        usage.subscriber_id,
        usage.usage_date,
        usage.voice_out_minutes,
        usage.voice_in_minutes,
        usage.data_mb
    from {{ ref('fct_usage_daily') }} as usage
    inner join forgotten on usage.subscriber_id = forgotten.subscriber_id
    where
        usage.usage_date > {{ days_after(as_of(), -209) }}
        and usage.usage_date <= {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
),

-- On a known day in service no row means no use; a null in a row is unknown.
past_days as (
    select
        forgotten.subscriber_id,
        days.dt,
        days.day_number,
        {%- for name, column in uses.items() %}
        {%- set value = (
            'past_usage.voice_out_minutes + past_usage.voice_in_minutes' if name == 'voice' else 'past_usage.' ~ column
        ) %}
        case
            when not days.is_arrived or standings.subscriber_id is null then null
            when past_usage.subscriber_id is null then 0
            else {{ value }}
        end as {{ name }}_value{% if not loop.last %},{% endif %}
        {%- endfor %}
    from forgotten
    cross join days
    left join past_usage
        on forgotten.subscriber_id = past_usage.subscriber_id and days.dt = past_usage.usage_date
    left join {{ ref('int_standings') }} as standings
        on
            forgotten.subscriber_id = standings.subscriber_id
            and standings.status = 'ACTIVE'
            and days.dt >= standings.standing_from
            and (standings.standing_to is null or days.dt < standings.standing_to)
),

running as (
    select
        subscriber_id,
        dt,
        {%- for name in uses %}
        sum({{ name }}_value) over last_30 as {{ name }}_30d,
        count({{ name }}_value) over last_30 as {{ name }}_days_30d,
        sum({{ name }}_value) over prior_90 as {{ name }}_base,
        count({{ name }}_value) over prior_90 as {{ name }}_days_base{% if not loop.last %},{% endif %}
        {%- endfor %}
    from past_days
    window
        last_30 as (
            partition by subscriber_id order by day_number range between 29 preceding and current row
        ),
        prior_90 as (
            partition by subscriber_id order by day_number range between 119 preceding and 30 preceding
        )
),

past_use as (
    select
        subscriber_id,
        dt,
        {%- for name in uses %}
        {%- set type = 'decimal(18, 3)' if name == 'data' else 'decimal(18, 2)' %}
        cast(coalesce({{ name }}_30d, 0) as {{ type }}) as {{ name }}_30d,
        cast({{ name }}_days_30d as smallint) as {{ name }}_days_30d,
        cast(coalesce({{ name }}_base, 0) as {{ type }}) as {{ name }}_base,
        cast({{ name }}_days_base as smallint) as {{ name }}_days_base{% if not loop.last %},{% endif %}
        {%- endfor %}
    from running
    where dt > {{ days_after(as_of(), -90) }}
),

recalled as (
    select
        past_use.subscriber_id,
        max(case when {{ is_complementary('past_use') }} then past_use.dt end) as complementary_on
    from past_use
    cross join parameters
    where {{ days_between('past_use.dt', as_of()) }} < parameters.dual_memory_days
    group by past_use.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    memory.subscriber_id,
    memory.is_complementary,
    case
        when recalled.subscriber_id is not null then {{ days_after(as_of(), '1 - parameters.dual_memory_days') }}
        else memory.remembered_from
    end as remembered_from,
    case
        when memory.is_complementary then {{ as_of() }}
        else coalesce(recalled.complementary_on, memory.complementary_on)
    end as complementary_on
from memory
cross join parameters
left join recalled on memory.subscriber_id = recalled.subscriber_id
