{{ config(materialized='table') }}
{#- Known days that are looked at beyond those that a streak may have. -#}
{%- set spare_days = 3 %}
{#- No outage is so long that they lie before this: the engine skips what does. -#}
{%- set longest_look = 60 %}

-- Lines that went without a call for just so many known days in service up to the date (O01), and
-- those of whom it cannot be told: `is_zero_call` is null then. Unknown days (no file, or no count of
-- calls) are skipped; too many inside the streak make it unknown.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

newest_days as (
    select
        known_on,
        row_number() over (order by known_on desc) as days_back
    from {{ ref('int_known_days') }}
    where known_on > {{ days_after(as_of(), -longest_look) }}
),

looked_at as (
    select newest_days.known_on, newest_days.days_back
    from newest_days
    cross join parameters
    where
        newest_days.days_back
        <= parameters.zero_call_days + parameters.zero_call_max_unknown_days + {{ spare_days }}
),

first_days as (
    select min(known_on) as known_on from {{ ref('int_known_days') }}
),

looked_from as (
    select
        min(looked_at.known_on) as first_known_on,
        max(looked_at.days_back) as known_days,
        -- before the first file there is nothing to miss
        min(looked_at.known_on) = min(first_days.known_on) as is_whole,
        coalesce(max(looked_at.known_on) = {{ as_of() }}, false) as is_known
    from looked_at
    cross join first_days
),

usage_days as (
    select
        usage_days.subscriber_id,
        looked_at.days_back,
        coalesce(usage_days.calls_out, 0) + coalesce(usage_days.calls_in, 0) >= 1 as is_call_day,
        usage_days.calls_out is null or usage_days.calls_in is null as is_partial,
        coalesce(usage_days.data_mb > 0, false) as has_data
    from {{ ref('fct_usage_daily') }} as usage_days
    inner join looked_at on usage_days.usage_date = looked_at.known_on
    where
        usage_days.usage_date > {{ days_after(as_of(), -longest_look) }}
        and usage_days.usage_date <= {{ as_of() }}
        and {{ is_visible('usage_days', as_of()) }}
),

last_calls as (
    select
        subscriber_id,
        min(case when is_call_day then days_back end) as call_days_back,
        count(case when is_partial and not is_call_day then 1 end) as unknown_rows,
        count(case when is_partial and not is_call_day and days_back = 1 then 1 end) > 0 as is_newest_unknown
    from usage_days
    group by subscriber_id
),

callers as (
    select
        base_lines.subscriber_id,
        base_lines.presence_from,
        looked_from.is_known and not coalesce(last_calls.is_newest_unknown, false) as is_known,
        coalesce(last_calls.call_days_back, looked_from.known_days + 1) as call_days_back,
        coalesce(last_calls.unknown_rows, 0) as unknown_rows,
        base_lines.presence_from >= looked_from.first_known_on as is_new_presence,
        last_calls.call_days_back is not null
        or base_lines.presence_from >= looked_from.first_known_on
        or looked_from.is_whole as is_start_seen
    from {{ ref('int_lines') }} as base_lines
    cross join looked_from
    left join last_calls on base_lines.subscriber_id = last_calls.subscriber_id
    where base_lines.is_active and coalesce(base_lines.line_class, 'VOICE') <> 'DATA_ONLY'
),

-- Those whose days it takes to tell; everybody else called lately, or not for longer.
candidates as (
    select callers.*
    from callers
    cross join parameters
    where
        callers.is_known
        and callers.call_days_back > parameters.zero_call_days
        and (
            callers.is_new_presence
            or callers.call_days_back - 1 - callers.unknown_rows <= parameters.zero_call_days
        )
),

streak_days as (
    select
        candidates.subscriber_id,
        candidates.is_start_seen,
        looked_at.known_on,
        coalesce(usage_days.is_partial and not usage_days.is_call_day, false) as is_unknown,
        coalesce(usage_days.has_data, false) as has_data
    from candidates
    inner join looked_at
        on candidates.call_days_back > looked_at.days_back and candidates.presence_from <= looked_at.known_on
    left join usage_days
        on candidates.subscriber_id = usage_days.subscriber_id and looked_at.days_back = usage_days.days_back
),

streaks as (
    select
        streak_days.subscriber_id,
        streak_days.is_start_seen,
        count(case when not streak_days.is_unknown then 1 end) as streak_days,
        min(case when not streak_days.is_unknown then streak_days.known_on end) as streak_from,
        coalesce(bool_or(streak_days.has_data and not streak_days.is_unknown), false) as has_data_in_streak
    from streak_days
    group by streak_days.subscriber_id, streak_days.is_start_seen
),

-- Attributes over time; the first that is known is taken for the days before it as well.
bars as (
    select
        subscribers.subscriber_id,
        case
            when
                row_number() over (partition by subscribers.subscriber_id order by subscribers.visible_from) > 1
                then subscribers.visible_from
            else cast('1900-01-01' as date)
        end as barred_from,
        subscribers.visible_to as barred_to,
        subscribers.service_bars
    from {{ ref('dim_subscribers') }} as subscribers
    inner join streaks on subscribers.subscriber_id = streaks.subscriber_id
    where subscribers.visible_from <= {{ as_of() }}
),

barred as (
    select distinct streak_days.subscriber_id
    from streak_days
    inner join bars
        on
            streak_days.subscriber_id = bars.subscriber_id
            and streak_days.known_on >= bars.barred_from
            and streak_days.known_on < bars.barred_to
    where
        not streak_days.is_unknown
        and (
            {{ is_listed("'OUTGOING_BAR'", 'bars.service_bars') }}
            or {{ is_listed("'ROAMING_BAR'", 'bars.service_bars') }}
        )
),

found as (
    select
        streaks.subscriber_id,
        streaks.streak_days,
        streaks.has_data_in_streak,
        case
            when streaks.streak_days > parameters.zero_call_days then false
            when not streaks.is_start_seen then null
            when streaks.streak_days < parameters.zero_call_days or barred.subscriber_id is not null then false
            when
                {{ days_between('streaks.streak_from', as_of()) }} + 1 - streaks.streak_days
                <= parameters.zero_call_max_unknown_days
                then true
        end as is_zero_call
    from streaks
    cross join parameters
    left join barred on streaks.subscriber_id = barred.subscriber_id
)

select
    found.subscriber_id,
    found.is_zero_call,
    case when found.is_zero_call then found.streak_days end as streak_days,
    case when found.is_zero_call then found.has_data_in_streak end as has_data_in_streak
from found
where coalesce(found.is_zero_call, true)
union all
select
    callers.subscriber_id,
    cast(null as boolean) as is_zero_call,
    cast(null as bigint) as streak_days,
    cast(null as boolean) as has_data_in_streak
from callers
where not callers.is_known
