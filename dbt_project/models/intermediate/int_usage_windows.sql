{%- set measures = {
    'minutes': 'usage.voice_minutes',
    'mb': 'usage.data_mb',
    'incoming_minutes': 'usage.voice_in_minutes',
    'offnet_minutes': 'usage.voice_offnet_minutes',
    'competitor_minutes': 'usage.voice_competitor_minutes',
    'poor_coverage_minutes': 'usage.poor_coverage_minutes',
    'calls': 'coalesce(usage.calls_out + usage.calls_in, usage.calls_out, usage.calls_in)',
    'troubled_calls': 'coalesce(usage.dropped_calls + usage.failed_calls, usage.dropped_calls, usage.failed_calls)',
    'activity_days': 'case when usage.is_activity_day then 1 else 0 end',
} -%}
{%- set windows = {
    '7d': 'usage.days_ago < 7',
    '30d': 'usage.days_ago < 30',
    'prior90': 'usage.days_ago >= 30',
} -%}
-- Usage of each line in windows before each index date, over known ACTIVE days: days for which
-- usage_daily arrived and on which the line was in full service. Rates are per 30 such days.
with
index_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

lines as (
    select as_of_date, subscriber_id, activated_on from {{ ref('int_population') }}
),

known_days as (
    select
        index_dates.as_of_date,
        feed_days.dt,
        {{ days_between('feed_days.dt', 'index_dates.as_of_date') }} as days_ago
    from index_dates
    inner join {{ ref('fct_feed_days') }} as feed_days
        on
            index_dates.as_of_date >= feed_days.dt
            and feed_days.dt > {{ days_after('index_dates.as_of_date', -120) }}
    where feed_days.feed = 'usage_daily' and feed_days.is_arrived
),

known_counts as (
    select
        as_of_date,
        count(case when days_ago < 7 then 1 end) as known_7d,
        count(case when days_ago < 30 then 1 end) as known_30d,
        count(case when days_ago >= 30 then 1 end) as known_prior90
    from known_days
    group by as_of_date
),

-- Out of service, or not yet in service.
pauses as (
    select as_of_date, subscriber_id, span_from as pause_from, span_to as pause_to
    from {{ ref('int_status_spans') }}
    where span_class <> 'ACTIVE' and (span_to is null or span_to > {{ days_after('as_of_date', -120) }})
    union all
    select
        as_of_date,
        subscriber_id,
        {{ days_after('as_of_date', -119) }} as pause_from,
        activated_on as pause_to
    from lines
    where activated_on > {{ days_after('as_of_date', -119) }}
),

paused_days as (
    select distinct pauses.as_of_date, pauses.subscriber_id, known_days.dt, known_days.days_ago
    from pauses
    inner join known_days
        on
            pauses.as_of_date = known_days.as_of_date
            and pauses.pause_from <= known_days.dt
            and (pauses.pause_to is null or pauses.pause_to > known_days.dt)
),

paused_counts as (
    select
        as_of_date,
        subscriber_id,
        count(case when days_ago < 7 then 1 end) as paused_7d,
        count(case when days_ago < 30 then 1 end) as paused_30d,
        count(case when days_ago >= 30 then 1 end) as paused_prior90
    from paused_days
    group by as_of_date, subscriber_id
),

usage as (
    select
        index_dates.as_of_date,
        {{ days_between('usage.usage_date', 'index_dates.as_of_date') }} as days_ago,
        usage.*
    from index_dates
    inner join {{ ref('fct_usage_daily') }} as usage
        on
            index_dates.as_of_date >= usage.usage_date
            and usage.usage_date > {{ days_after('index_dates.as_of_date', -120) }}
            and {{ is_visible('usage', 'index_dates.as_of_date') }}
    left join paused_days
        on
            index_dates.as_of_date = paused_days.as_of_date
            and usage.subscriber_id = paused_days.subscriber_id
            and usage.usage_date = paused_days.dt
    where
        paused_days.dt is null
        and usage.usage_date in (
            select feed_days.dt
            from {{ ref('fct_feed_days') }} as feed_days
            where feed_days.feed = 'usage_daily' and feed_days.is_arrived
        )
),

sums as (
    select
        usage.as_of_date,
        usage.subscriber_id,
        {% for measure, expression in measures.items() %}
        count({{ expression }}) as {{ measure }}_rows,
        {% for window, condition in windows.items() %}
        sum(case when {{ condition }} then {{ expression }} end) as {{ measure }}_{{ window }},
        {% endfor %}
        {% endfor %}
        max_by(usage.tac, usage.usage_date) filter (where usage.tac is not null) as tac
    from usage
    group by usage.as_of_date, usage.subscriber_id
),

-- A measure that nobody has a value of is not delivered: unknown. Otherwise no row means zero.
delivered as (
    select
        as_of_date,
        {% for measure in measures %}
        max({{ measure }}_rows) > 0 as has_{{ measure }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from sums
    group by as_of_date
)

select
    lines.as_of_date,
    lines.subscriber_id,
    known_counts.known_7d - coalesce(paused_counts.paused_7d, 0) as known_7d,
    known_counts.known_30d - coalesce(paused_counts.paused_30d, 0) as known_30d,
    known_counts.known_prior90 - coalesce(paused_counts.paused_prior90, 0) as known_prior90,
    {% for measure in measures %}
    {% for window in windows %}
    case when delivered.has_{{ measure }} then cast(coalesce(sums.{{ measure }}_{{ window }}, 0) as double) end
        as {{ measure }}_{{ window }},
    {% endfor %}
    {% endfor %}
    sums.tac
from lines
inner join known_counts on lines.as_of_date = known_counts.as_of_date
left join delivered on lines.as_of_date = delivered.as_of_date
left join paused_counts
    on lines.as_of_date = paused_counts.as_of_date and lines.subscriber_id = paused_counts.subscriber_id
left join sums
    on lines.as_of_date = sums.as_of_date and lines.subscriber_id = sums.subscriber_id
