-- noqa: disable=LT02
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set windows = [7, 30, 60, 120, 'mtd'] %}
{%- set day_windows = [7, 30, 60, 120] %}
{%- set previous = previous_state_date() %}

-- Sums of use over known days up to the date, by window, of every subscriber with a row in the last
-- 120 days; and when something was last seen in them.
--
-- Where a state of an earlier day S is kept, only what differs is read: the days that enter, the days
-- that leave a window, and what was delivered since then of days before. Sums of decimals and
-- integers are exact, so that the state is the same as when it is computed anew.
with
parameters as (
    {{ usage_parameters() }}
),

known_days as (
    select known_on from {{ ref('int_known_days') }} where known_on >= {{ days_after(as_of(), -127) }}
),

{% if previous and previous != 'None' -%}
{%- set kept_on = "cast('" ~ previous ~ "' as date)" -%}
{%- set steps = (
    modules.datetime.date.fromisoformat(var('to_date')) - modules.datetime.date.fromisoformat(previous)
).days -%}
{%- set is_same_month = previous[:7] == var('to_date')[:7] -%}
{#- After one day each subscriber has one row at most: nothing to add up. -#}
{%- set is_one_day = steps == 1 -%}
kept as (
    select * from {{ this }} where as_of_date = {{ kept_on }}
),

entering as (
    select
        usage.subscriber_id,
        {{ usage_sums(aggregate='' if is_one_day else 'sum') }},
        {{ usage_last_seen(aggregate='' if is_one_day else 'max') }},
        {% if not is_same_month -%}
        {{ usage_columns(
            ('cast(' if is_one_day else 'cast(sum(')
            ~ 'case when usage.usage_date >= FROM then SQL end'
            ~ (' as TYPE)' if is_one_day else ') as TYPE)') ~ ' as COLUMN',
            ['mtd']
        ) }},
        {% endif -%}
        {{ 'usage.tac' if is_one_day else 'max_by(usage.tac, case when usage.tac is not null then usage.usage_date end)' }}
            as last_tac
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date > {{ kept_on }}
        and usage.usage_date <= {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
    {{ 'group by usage.subscriber_id' if not is_one_day }}
),
{%- for window in day_windows %}

leaving_{{ window_name(window) }} as (
    select
        usage.subscriber_id,
        {{ usage_sums(window, aggregate='' if is_one_day else 'sum') }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date > {{ days_after(kept_on, -window) }}
        and usage.usage_date <= {{ days_after(as_of(), -window) }}
        and {{ is_visible('usage', kept_on) }}
    {{ 'group by usage.subscriber_id' if not is_one_day }}
),
{%- endfor %}

-- What was delivered since S of days up to S: the new versions, less those that they replace.
changes as (
    select
        *,
        1 as sign
    from {{ ref('fct_usage_daily') }} as usage
    where
        usage.visible_from > {{ kept_on }}
        and usage.usage_date > {{ days_after(as_of(), -120) }}
        and usage.usage_date <= {{ kept_on }}
        and {{ is_visible('usage', as_of()) }}
    union all
    select
        *,
        -1 as sign
    from {{ ref('fct_usage_daily') }} as usage
    where
        usage.visible_to <= {{ as_of() }}
        and usage.usage_date > {{ days_after(as_of(), -120) }}
        and usage.usage_date <= {{ kept_on }}
        and {{ is_visible('usage', kept_on) }}
),

corrections as (
    select
        usage.subscriber_id,
        {{ usage_columns(
            'cast(sum(case when usage.usage_date >= FROM then usage.sign * (SQL) end) as TYPE) as COLUMN'
        ) }},
        {{ usage_last_seen('usage.sign = 1') }},
        {{ usage_last_seen('usage.sign = -1', prefix='was_') }},
        max_by(usage.tac, case when usage.sign = 1 and usage.tac is not null then usage.usage_date end) as last_tac
    from changes as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    group by usage.subscriber_id
),

-- Of whom something was taken back that may have been the last of its kind.
shortened as (
    select subscriber_id
    from corrections
    where
        {%- for mark in usage_marks() %}
        {{ 'or ' if not loop.first }}was_{{ mark }} > coalesce({{ mark }}, cast('1900-01-01' as date))
        {%- endfor %}
),

seen_again as (
    select
        usage.subscriber_id,
        {{ usage_last_seen() }},
        max_by(usage.tac, case when usage.tac is not null then usage.usage_date end) as last_tac
    from {{ ref('fct_usage_daily') }} as usage
    inner join shortened on usage.subscriber_id = shortened.subscriber_id
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date between {{ window_from(120) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
    group by usage.subscriber_id
),

carried as (
    select
        coalesce(kept.subscriber_id, entering.subscriber_id, corrections.subscriber_id) as subscriber_id,
        {{ usage_mark_columns(
            'case when shortened.subscriber_id is not null then seen_again.MARK'
            ~ ' else greatest(kept.MARK, entering.MARK, corrections.MARK) end as MARK'
        ) }},
        case
            when shortened.subscriber_id is not null then seen_again.last_tac
            when entering.last_tac is not null then entering.last_tac
            when kept.last_tac_on is null or corrections.last_tac_on >= kept.last_tac_on then corrections.last_tac
            else kept.last_tac
        end as last_tac,
        {{ usage_columns(
            'cast(coalesce(kept.COLUMN, 0) + coalesce(entering.NAME, 0) - coalesce(leaving_WINDOW.NAME, 0)'
            ~ ' + coalesce(corrections.COLUMN, 0) as TYPE) as COLUMN',
            day_windows
        ) }},
        {{ usage_columns(
            'cast('
            ~ ('coalesce(kept.COLUMN, 0) + coalesce(entering.NAME, 0)' if is_same_month else 'coalesce(entering.COLUMN, 0)')
            ~ ' + coalesce(corrections.COLUMN, 0) as TYPE) as COLUMN',
            ['mtd']
        ) }}
    from kept
    full join entering on kept.subscriber_id = entering.subscriber_id
    full join corrections on coalesce(kept.subscriber_id, entering.subscriber_id) = corrections.subscriber_id
    {%- for window in day_windows %}
    {%- set leaving = 'leaving_' ~ window_name(window) %}
    left join {{ leaving }} on kept.subscriber_id = {{ leaving }}.subscriber_id
    {%- endfor %}
    left join shortened on corrections.subscriber_id = shortened.subscriber_id
    left join seen_again on shortened.subscriber_id = seen_again.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    subscriber_id,
    {{ usage_mark_columns('case when MARK >= ' ~ window_from(120) ~ ' then MARK end as MARK') }},
    case when last_tac_on >= {{ window_from(120) }} then last_tac end as last_tac,
    {{ usage_columns('COLUMN') }}
from carried
where days_seen_120d > 0
{%- else -%}
{%- set chunks = subscriber_chunks('usage') -%}
{%- for chunk in chunks -%}
{%- set part = loop.index -%}
sums_120d_{{ part }} as (
    select
        usage.subscriber_id,
        {{ usage_last_seen() }},
        max_by(usage.tac, case when usage.tac is not null then usage.usage_date end) as last_tac,
        {{ usage_sums(120) }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date between {{ window_from(120) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
        and {{ chunk }}
    group by usage.subscriber_id
),
{%- for window in windows if window != 120 %}

sums_{{ window_name(window) }}_{{ part }} as (
    select
        usage.subscriber_id,
        {{ usage_sums(window) }}
    from {{ ref('fct_usage_daily') }} as usage
    inner join known_days on usage.usage_date = known_days.known_on
    cross join parameters
    where
        usage.usage_date between {{ window_from(window) }} and {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
        and {{ chunk }}
    group by usage.subscriber_id
),
{%- endfor %}
{% endfor %}

chunks as (
    {%- for chunk in chunks %}
    {%- set part = loop.index %}
    {{ 'union all' if not loop.first }}
    select
        sums_120d.subscriber_id,
        sums_120d.last_tac,
        {{ usage_mark_columns('sums_120d.MARK') }},
        {{ usage_columns('cast(coalesce(sums_WINDOW.NAME, 0) as TYPE) as COLUMN') }}
    from sums_120d_{{ part }} as sums_120d
    {%- for window in windows if window != 120 %}
    {%- set sums = 'sums_' ~ window_name(window) %}
    left join {{ sums }}_{{ part }} as {{ sums }}
        on sums_120d.subscriber_id = {{ sums }}.subscriber_id
    {%- endfor %}
    {%- endfor %}
)

select
    {{ as_of() }} as as_of_date,
    *
from chunks
{%- endif %}
