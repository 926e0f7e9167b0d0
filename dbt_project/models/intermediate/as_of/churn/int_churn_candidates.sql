{{ config(materialized='table') }}
{#- Churns by silence within one silence, each after a return without a sign of life. -#}
{%- set rounds = [1, 2, 3] %}

-- Every rule of churn that a line meets, as known on the date: by an exit, by a suspension, or by
-- silence. `met_on` is the day on which it is met, `returned_on` the first day on which the line is
-- back after that.
with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

parameters as (
    select first_credible_year from {{ ref('int_signal_parameters') }}
),

silences as (
    select subscriber_id, active_before, active_after
    from {{ ref('int_silences') }}
    where as_of_date = {{ as_of() }}
),

usage_start as (
    select min(known_on) as first_known_on from {{ ref('int_known_days') }}
),

-- First known day on or after each day of a span, by its number.
known_spans as (
    select
        known_on,
        coalesce(
            {{ days_after('lag(known_on) over (order by known_on)', 1) }}, cast('0001-01-01' as date)
        ) as span_from,
        day_number
    from {{ ref('int_known_days') }}
),

last_known as (
    select max(day_number) as day_number from {{ ref('int_known_days') }}
),

lines as (
    select
        subscribers.subscriber_id,
        subscribers.payment_mode,
        case
            when extract(year from subscribers.activated_at) >= parameters.first_credible_year
                then cast(subscribers.activated_at as date)
        end as activated_on,
        usage_start.first_known_on
    from {{ ref('dim_subscribers') }} as subscribers
    cross join parameters
    cross join usage_start
    where {{ is_visible('subscribers', as_of()) }} and {{ is_base('subscribers') }}
),

-- Events of exit, and deactivations of lines without one.
first_told as (
    select churn_event_id, min(visible_from) as told_on
    from {{ ref('fct_churn_events') }}
    group by churn_event_id
),

events as (
    select
        lines.subscriber_id,
        lines.payment_mode,
        cast(events.occurred_at as date) as exit_on,
        events.kind,
        events.stated_cause,
        events.competitor,
        first_told.told_on
    from lines
    inner join {{ ref('fct_churn_events') }} as events
        on lines.subscriber_id = events.subscriber_id and {{ is_visible('events', as_of()) }}
    inner join first_told
        on events.churn_event_id = first_told.churn_event_id
    where cast(events.occurred_at as date) <= {{ as_of() }} and events.kind is not null
),

standings as (
    select * from {{ ref('int_troubled_standings') }}
),

-- Unbroken runs of one class of standing, and since when the line has not been in service.
class_runs as (
    select
        subscriber_id,
        payment_mode,
        standing_class,
        presence_run,
        min(standing_from) as run_from,
        max(standing_to) as run_to,
        min(told_on) as told_on,
        min_by(status_reason, standing_from) as status_reason
    from standings
    group by subscriber_id, payment_mode, standing_class, presence_run, class_run
),

runs as (
    select
        *,
        min(run_from) over (partition by subscriber_id, presence_run) as away_from
    from class_runs
),

returns as (
    select subscriber_id, standing_from as returned_on
    from standings
    where presence = 'ACTIVE' and previous_presence <> 'ACTIVE'
),

exits as (
    select subscriber_id, payment_mode, exit_on, kind, stated_cause, competitor, told_on
    from events
    union all
    select
        runs.subscriber_id,
        runs.payment_mode,
        runs.run_from as exit_on,
        case
            when runs.status_reason = 'PORT_OUT' then 'PORT_OUT'
            when runs.status_reason = 'CUSTOMER_REQUEST' then 'CLOSED'
            when runs.status_reason = 'ARREARS' then 'ARREARS_REMOVED'
            when runs.status_reason = 'EXPIRED' then 'EXPIRED'
            when runs.status_reason = 'FRAUD' then 'FRAUD_REMOVED'
            when runs.status_reason in ('OPERATOR', 'REAL_NAME') then 'OPERATOR_REMOVED'
            when runs.payment_mode = 'PREPAID' then 'EXPIRED'
            else 'CLOSED'
        end as kind,
        cast(null as varchar) as stated_cause,
        cast(null as varchar) as competitor,
        runs.told_on
    from runs
    cross join definition
    where
        runs.standing_class = 'LEFT'
        and not exists (
            select 1
            from events
            where
                events.subscriber_id = runs.subscriber_id
                and events.exit_on >= {{ days_after('runs.run_from', '-definition.reentry_days') }}
                and events.exit_on <= {{ days_after('runs.run_from', 'definition.reentry_days') }}
        )
),

-- The suspension that an exit ends.
placed_exits as (
    select
        exits.*,
        runs.standing_class as class_before,
        runs.run_from as class_from,
        runs.away_from
    from exits
    left join runs
        on
            exits.subscriber_id = runs.subscriber_id
            and runs.standing_class not in ('ACTIVE', 'LEFT')
            and exits.exit_on > runs.run_from
            and exits.exit_on <= runs.run_to
),

-- What is met without looking at silence; the silence before it may still move its onset.
exit_onsets as (
    select
        subscriber_id,
        kind as churn_case,
        1 as case_order,
        stated_cause,
        competitor,
        exit_on as met_on,
        told_on,
        case
            when kind = 'PORT_OUT' then exit_on
            when stated_cause = 'LIFE_EVENT' and competitor is null then exit_on
            when kind in ('FRAUD_REMOVED', 'OPERATOR_REMOVED') then coalesce(away_from, exit_on)
            when class_before = 'VOLUNTARY' then class_from
            when kind = 'CLOSED' then exit_on
            else coalesce(away_from, exit_on)
        end as onset,
        payment_mode = 'PREPAID'
        and kind in ('EXPIRED', 'ARREARS_REMOVED')
        and coalesce(class_before, 'LAPSED') <> 'VOLUNTARY'
        and not coalesce(stated_cause = 'LIFE_EVENT' and competitor is null, false) as starts_with_silence
    from placed_exits
),

suspension_onsets as (
    select
        runs.subscriber_id,
        case
            when runs.standing_class = 'VOLUNTARY' then 'VOLUNTARY_SUSPENDED'
            when runs.payment_mode = 'PREPAID' then 'SUSPENDED'
            else 'ARREARS_SUSPENDED'
        end as churn_case,
        case when runs.standing_class = 'VOLUNTARY' then 4 else 3 end as case_order,
        cast(null as varchar) as stated_cause,
        cast(null as varchar) as competitor,
        {{ days_after(
            "runs.run_from",
            "case
                when runs.standing_class = 'VOLUNTARY' then definition.voluntary_suspension_days
                when runs.payment_mode = 'PREPAID' then definition.suspended_days_prepaid
                else definition.arrears_days_postpaid
            end - 1"
        ) }} as met_on,
        runs.told_on,
        case when runs.standing_class = 'VOLUNTARY' then runs.run_from else runs.away_from end as onset,
        runs.standing_class = 'LAPSED' and runs.payment_mode = 'PREPAID' as starts_with_silence,
        runs.run_to
    from runs
    cross join definition
    where
        definition.source = 'EVENTS_AND_SILENCE'
        and runs.standing_class in ('VOLUNTARY', 'LAPSED')
),

onsets as (
    select
        subscriber_id, churn_case, case_order, stated_cause, competitor, met_on, told_on, onset, starts_with_silence
    from exit_onsets
    union all
    select
        subscriber_id, churn_case, case_order, stated_cause, competitor, met_on, told_on, onset, starts_with_silence
    from suspension_onsets
    where met_on <= {{ as_of() }} and met_on < run_to
),

silent_onsets as (
    select distinct subscriber_id, onset from onsets where starts_with_silence
),

met_days as (
    select distinct subscriber_id, met_on from onsets
),

-- Activity around the onset and after the day on which the rule was met.
quiet_onsets as (
    select
        onsets.subscriber_id,
        onsets.onset,
        max(
            case
                when
                    silences.active_before < onsets.onset
                    and (silences.active_after is null or silences.active_after >= onsets.onset)
                    then silences.active_before
            end
        ) as active_before
    from silent_onsets as onsets
    inner join silences on onsets.subscriber_id = silences.subscriber_id
    group by onsets.subscriber_id, onsets.onset
),

activity_returns as (
    select
        onsets.subscriber_id,
        onsets.met_on,
        min(silences.active_after) as returned_on
    from met_days as onsets
    inner join silences
        on
            onsets.subscriber_id = silences.subscriber_id
            and onsets.met_on < silences.active_after
            and (silences.active_before is null or onsets.met_on >= silences.active_before)
    inner join standings
        on
            onsets.subscriber_id = standings.subscriber_id
            and standings.presence = 'ACTIVE'
            and silences.active_after >= standings.standing_from
            and silences.active_after < standings.standing_to
    group by onsets.subscriber_id, onsets.met_on
),

status_returns as (
    select
        onsets.subscriber_id,
        onsets.met_on,
        min(returns.returned_on) as returned_on
    from met_days as onsets
    inner join returns on onsets.subscriber_id = returns.subscriber_id and onsets.met_on < returns.returned_on
    group by onsets.subscriber_id, onsets.met_on
),

told_exits as (
    select
        onsets.subscriber_id,
        onsets.churn_case,
        onsets.case_order,
        onsets.stated_cause,
        onsets.competitor,
        onsets.met_on,
        greatest(onsets.met_on, onsets.told_on) as confirmed_at,
        least(activity_returns.returned_on, status_returns.returned_on) as returned_on,
        case
            when not onsets.starts_with_silence then onsets.onset
            when quiet_onsets.active_before is not null
                then least({{ days_after('quiet_onsets.active_before', 1) }}, onsets.onset)
            -- No sign of life before: silent since the first day that is known.
            when lines.activated_on < lines.first_known_on then least(lines.first_known_on, onsets.onset)
            else onsets.onset
        end as churn_date
    from onsets
    inner join lines on onsets.subscriber_id = lines.subscriber_id
    left join quiet_onsets
        on onsets.subscriber_id = quiet_onsets.subscriber_id and onsets.onset = quiet_onsets.onset
    left join activity_returns
        on onsets.subscriber_id = activity_returns.subscriber_id and onsets.met_on = activity_returns.met_on
    left join status_returns
        on onsets.subscriber_id = status_returns.subscriber_id and onsets.met_on = status_returns.met_on
    left join silences as first_silences
        on onsets.subscriber_id = first_silences.subscriber_id and first_silences.active_before is null
    -- What was activated and never used did not leave.
    where
        greatest(onsets.met_on, onsets.told_on) <= {{ as_of() }}
        and (
            lines.activated_on is null
            or lines.first_known_on is null
            or lines.activated_on < lines.first_known_on
            or first_silences.active_after < onsets.met_on
        )
),

-- A return without a sign of life starts the silence anew.
quiet_starts as (
    select
        lines.subscriber_id,
        coalesce(
            {{ days_after('silences.active_before', 1) }},
            case when lines.activated_on < lines.first_known_on then lines.first_known_on end
        ) as silent_from,
        silences.active_after
    from lines
    cross join definition
    inner join silences on lines.subscriber_id = silences.subscriber_id
    where
        lines.payment_mode = 'PREPAID'
        and definition.source = 'EVENTS_AND_SILENCE'
        and {{ days_between(
            "coalesce(silences.active_before, lines.first_known_on)",
            "coalesce(silences.active_after, " ~ days_after(as_of(), 1) ~ ")"
        ) }} >= definition.silent_days_prepaid
    union all
    -- never a sign of life at all
    select
        lines.subscriber_id,
        lines.first_known_on as silent_from,
        cast(null as date) as active_after
    from lines
    cross join definition
    left join silences on lines.subscriber_id = silences.subscriber_id
    where
        lines.payment_mode = 'PREPAID'
        and definition.source = 'EVENTS_AND_SILENCE'
        and lines.activated_on < lines.first_known_on
        and silences.subscriber_id is null
),

split_starts as (
    select * from quiet_starts
    union
    select
        quiet_starts.subscriber_id,
        told_exits.returned_on as silent_from,
        quiet_starts.active_after
    from quiet_starts
    inner join told_exits
        on
            quiet_starts.subscriber_id = told_exits.subscriber_id
            and quiet_starts.silent_from < told_exits.returned_on
            and (quiet_starts.active_after is null or quiet_starts.active_after > told_exits.returned_on)
),

quiet as (
    select
        subscriber_id,
        silent_from,
        active_after,
        coalesce(
            lead(silent_from) over (partition by subscriber_id, active_after order by silent_from),
            active_after,
            {{ days_after(as_of(), 1) }}
        ) as silent_to
    from split_starts
    where silent_from is not null
),

first_standings as (
    select subscriber_id, min(standing_from) as standing_from
    from standings
    group by subscriber_id
),

-- Of a silence count only known days in service, or barred one way for want of money.
quiet_parts as (
    select
        quiet.subscriber_id,
        quiet.silent_from,
        quiet.active_after,
        coalesce(standings.presence = 'ACTIVE' and standings.previous_presence <> 'ACTIVE', false) as is_return,
        greatest(quiet.silent_from, standings.standing_from) as part_from,
        least(quiet.silent_to, standings.standing_to) as part_to
    from quiet
    inner join standings
        on
            quiet.subscriber_id = standings.subscriber_id
            and (
                standings.status = 'ACTIVE'
                or (standings.status = 'ONE_WAY_SUSPENDED' and standings.standing_class = 'LAPSED')
            )
            and quiet.silent_to > standings.standing_from
            and quiet.silent_from < standings.standing_to
    union all
    -- lines that never were out of service, and days before the first status
    select
        quiet.subscriber_id,
        quiet.silent_from,
        quiet.active_after,
        false as is_return,
        quiet.silent_from as part_from,
        least(quiet.silent_to, coalesce(first_standings.standing_from, quiet.silent_to)) as part_to
    from quiet
    left join first_standings
        on quiet.subscriber_id = first_standings.subscriber_id
    where first_standings.standing_from is null or first_standings.standing_from > quiet.silent_from
),

numbered_parts as (
    select
        quiet_parts.subscriber_id,
        quiet_parts.silent_from,
        quiet_parts.active_after,
        quiet_parts.is_return,
        quiet_parts.part_from,
        first_days.day_number as from_number,
        coalesce(end_days.day_number, last_known.day_number + 1) - first_days.day_number as known_days
    from quiet_parts
    cross join last_known
    inner join known_spans as first_days
        on quiet_parts.part_from >= first_days.span_from and quiet_parts.part_from <= first_days.known_on
    left join known_spans as end_days
        on quiet_parts.part_to >= end_days.span_from and quiet_parts.part_to <= end_days.known_on
),

counted_parts as (
    select
        *,
        sum(known_days) over (
            partition by subscriber_id, silent_from order by part_from
            rows between unbounded preceding and current row
        ) - known_days as days_before
    from numbered_parts
),

-- After a churn the silence starts anew with a return, though the line gives no sign of life.
silence_starts_0 as (
    select distinct subscriber_id, silent_from, silent_from as starts_on, 0 as days_before from counted_parts
),
{%- for round in rounds %}

silence_starts_{{ round }} as (
    select
        parts.subscriber_id,
        parts.silent_from,
        min(parts.part_from) as starts_on,
        min(parts.days_before) as days_before
    from silence_starts_{{ round - 1 }} as begun
    cross join definition
    inner join counted_parts as parts
        on
            begun.subscriber_id = parts.subscriber_id
            and begun.silent_from = parts.silent_from
            and begun.days_before + definition.silent_days_prepaid <= parts.days_before
    where parts.is_return
    group by parts.subscriber_id, parts.silent_from
),
{%- endfor %}

silence_starts as (
    select * from silence_starts_0
    {%- for round in rounds %}
    union all
    select * from silence_starts_{{ round }}
    {%- endfor %}
),

silent_exits as (
    select
        begun.subscriber_id,
        begun.starts_on as silent_from,
        parts.active_after,
        known_days.known_on as met_on
    from silence_starts as begun
    cross join definition
    inner join counted_parts as parts
        on
            begun.subscriber_id = parts.subscriber_id
            and begun.silent_from = parts.silent_from
            and begun.days_before + definition.silent_days_prepaid > parts.days_before
            and begun.days_before + definition.silent_days_prepaid <= parts.days_before + parts.known_days
    inner join {{ ref('int_known_days') }} as known_days
        on
            known_days.day_number
            = parts.from_number + begun.days_before + definition.silent_days_prepaid - parts.days_before - 1
),

silent_returns as (
    select
        silent_exits.subscriber_id,
        silent_exits.met_on,
        min(returns.returned_on) as returned_on
    from silent_exits
    inner join returns
        on silent_exits.subscriber_id = returns.subscriber_id and silent_exits.met_on < returns.returned_on
    group by silent_exits.subscriber_id, silent_exits.met_on
)

select
    subscriber_id, churn_case, case_order, stated_cause, competitor, met_on, confirmed_at, returned_on, churn_date
from told_exits
union all
select
    silent_exits.subscriber_id,
    'SILENT' as churn_case,
    2 as case_order,
    cast(null as varchar) as stated_cause,
    cast(null as varchar) as competitor,
    silent_exits.met_on,
    silent_exits.met_on as confirmed_at,
    least(
        silent_returns.returned_on,
        case when coalesce(standings.status, 'ACTIVE') = 'ACTIVE' then silent_exits.active_after end
    ) as returned_on,
    silent_exits.silent_from as churn_date
from silent_exits
left join silent_returns
    on silent_exits.subscriber_id = silent_returns.subscriber_id and silent_exits.met_on = silent_returns.met_on
left join standings
    on
        silent_exits.subscriber_id = standings.subscriber_id
        and silent_exits.active_after >= standings.standing_from
        and silent_exits.active_after < standings.standing_to
