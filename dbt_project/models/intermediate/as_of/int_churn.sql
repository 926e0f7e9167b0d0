{{ config(materialized='table') }}

-- Churn as of the date: one row per line and absence, from nothing but rows visible on the date.
--
-- A spell starts on `churn_date` (service stopped mattering) and is confirmed on `confirmed_at` (the
-- first date on which the rule is met and known). It ends with `returned_on`, when the line is back;
-- then the next one has the next `spell_no`. What is met while a churn stands belongs to its spell.
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
        subscribers.customer_id,
        subscribers.org_id,
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
    inner join (
        select churn_event_id, min(visible_from) as told_on
        from {{ ref('fct_churn_events') }}
        group by churn_event_id
    ) as first_told
        on events.churn_event_id = first_told.churn_event_id
    where cast(events.occurred_at as date) <= {{ as_of() }} and events.kind is not null
),

-- Of lines that were ever out of service or left by an event: the rest has but one standing.
troubled as (
    select subscriber_id from {{ ref('int_standings') }} where status <> 'ACTIVE'
    union
    select subscriber_id from events
),

turns as (
    select
        standings.subscriber_id,
        lines.payment_mode,
        standings.standing_from,
        coalesce(standings.standing_to, {{ end_of_time() }}) as standing_to,
        standings.status,
        standings.status_reason,
        standings.told_on,
        case
            when standings.status = 'ACTIVE' then 'ACTIVE'
            when standings.status = 'DEACTIVATED' then 'LEFT'
            when standings.status_reason in ('OPERATOR', 'FRAUD', 'REAL_NAME', 'LOST_SIM') then 'HELD'
            when standings.status_reason = 'CUSTOMER_REQUEST' then 'VOLUNTARY'
            when lines.payment_mode = 'PREPAID' then 'LAPSED'
            when standings.status_reason = 'ARREARS' then 'LAPSED'
            else 'OTHER'
        end as standing_class,
        case standings.status when 'ACTIVE' then 'ACTIVE' when 'DEACTIVATED' then 'LEFT' else 'AWAY' end as presence
    from {{ ref('int_standings') }} as standings
    inner join troubled on standings.subscriber_id = troubled.subscriber_id
    inner join lines on standings.subscriber_id = lines.subscriber_id
),

numbered_turns as (
    select
        *,
        lag(presence) over (partition by subscriber_id order by standing_from) as previous_presence,
        case
            when lag(standing_class) over (partition by subscriber_id order by standing_from) = standing_class then 0
            else 1
        end as is_class_turn,
        case
            when lag(presence) over (partition by subscriber_id order by standing_from) = presence then 0
            else 1
        end as is_presence_turn
    from turns
),

standings as (
    select
        *,
        sum(is_class_turn) over (
            partition by subscriber_id order by standing_from rows between unbounded preceding and current row
        ) as class_run,
        sum(is_presence_turn) over (
            partition by subscriber_id order by standing_from rows between unbounded preceding and current row
        ) as presence_run
    from numbered_turns
),

-- Unbroken runs of one class of standing, and since when the line has not been in service.
runs as (
    select
        class_runs.*,
        presence_runs.away_from
    from (
        select
            subscriber_id,
            payment_mode,
            standing_class,
            presence_run,
            class_run,
            min(standing_from) as run_from,
            max(standing_to) as run_to,
            min(told_on) as told_on,
            min_by(status_reason, standing_from) as status_reason
        from standings
        group by subscriber_id, payment_mode, standing_class, presence_run, class_run
    ) as class_runs
    inner join (
        select subscriber_id, presence_run, min(standing_from) as away_from
        from standings
        group by subscriber_id, presence_run
    ) as presence_runs
        on
            class_runs.subscriber_id = presence_runs.subscriber_id
            and class_runs.presence_run = presence_runs.presence_run
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
            and runs.run_from < exits.exit_on
            and runs.run_to >= exits.exit_on
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
        ) as active_before,
        count(*) as silence_count
    from (select distinct subscriber_id, onset from onsets where starts_with_silence) as onsets
    inner join silences on onsets.subscriber_id = silences.subscriber_id
    group by onsets.subscriber_id, onsets.onset
),

activity_returns as (
    select
        onsets.subscriber_id,
        onsets.met_on,
        min(silences.active_after) as returned_on
    from (select distinct subscriber_id, met_on from onsets) as onsets
    inner join silences
        on
            onsets.subscriber_id = silences.subscriber_id
            and silences.active_after > onsets.met_on
            and (silences.active_before is null or silences.active_before <= onsets.met_on)
    inner join standings
        on
            onsets.subscriber_id = standings.subscriber_id
            and standings.presence = 'ACTIVE'
            and standings.standing_from <= silences.active_after
            and standings.standing_to > silences.active_after
    group by onsets.subscriber_id, onsets.met_on
),

status_returns as (
    select
        onsets.subscriber_id,
        onsets.met_on,
        min(returns.returned_on) as returned_on
    from (select distinct subscriber_id, met_on from onsets) as onsets
    inner join returns on onsets.subscriber_id = returns.subscriber_id and returns.returned_on > onsets.met_on
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
    left join silences as firsts
        on onsets.subscriber_id = firsts.subscriber_id and firsts.active_before is null
    -- What was activated and never used did not leave.
    where
        greatest(onsets.met_on, onsets.told_on) <= {{ as_of() }}
        and (
            lines.activated_on is null
            or lines.first_known_on is null
            or lines.activated_on < lines.first_known_on
            or firsts.active_after < onsets.met_on
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
    from (
        select * from quiet_starts
        union
        select quiet_starts.subscriber_id, told_exits.returned_on as silent_from, quiet_starts.active_after
        from quiet_starts
        inner join told_exits
            on
                quiet_starts.subscriber_id = told_exits.subscriber_id
                and quiet_starts.silent_from < told_exits.returned_on
                and told_exits.returned_on < coalesce(quiet_starts.active_after, {{ days_after(as_of(), 1) }})
    ) as starts
    where silent_from is not null
),

-- Of a silence count only known days in service, or barred one way for want of money.
quiet_parts as (
    select
        quiet.subscriber_id,
        quiet.silent_from,
        quiet.active_after,
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
            and standings.standing_from < quiet.silent_to
            and standings.standing_to > quiet.silent_from
    union all
    -- lines that never were out of service, and days before the first status
    select
        quiet.subscriber_id,
        quiet.silent_from,
        quiet.active_after,
        quiet.silent_from as part_from,
        least(quiet.silent_to, coalesce(first_standings.standing_from, quiet.silent_to)) as part_to
    from quiet
    left join (
        select subscriber_id, min(standing_from) as standing_from
        from standings
        group by subscriber_id
    ) as first_standings
        on quiet.subscriber_id = first_standings.subscriber_id
    where first_standings.standing_from is null or first_standings.standing_from > quiet.silent_from
),

numbered_parts as (
    select
        quiet_parts.subscriber_id,
        quiet_parts.silent_from,
        quiet_parts.active_after,
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
        ) as known_days_so_far
    from numbered_parts
),

silent_exits as (
    select
        counted_parts.subscriber_id,
        counted_parts.silent_from,
        counted_parts.active_after,
        known_days.known_on as met_on
    from counted_parts
    cross join definition
    inner join {{ ref('int_known_days') }} as known_days
        on
            known_days.day_number
            = counted_parts.from_number
            + definition.silent_days_prepaid
            - (counted_parts.known_days_so_far - counted_parts.known_days)
            - 1
    where
        counted_parts.known_days_so_far >= definition.silent_days_prepaid
        and counted_parts.known_days_so_far - counted_parts.known_days < definition.silent_days_prepaid
),

silent_returns as (
    select
        silent_exits.subscriber_id,
        silent_exits.met_on,
        min(returns.returned_on) as returned_on
    from silent_exits
    inner join returns
        on silent_exits.subscriber_id = returns.subscriber_id and returns.returned_on > silent_exits.met_on
    group by silent_exits.subscriber_id, silent_exits.met_on
),

candidates as (
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
            and standings.standing_from <= silent_exits.active_after
            and standings.standing_to > silent_exits.active_after
),

-- What is met while the line has not come back from an earlier churn is part of that one.
ordered as (
    select
        *,
        max(coalesce(returned_on, {{ end_of_time() }})) over (
            partition by subscriber_id order by met_on, case_order, churn_date, churn_case
            rows between unbounded preceding and 1 preceding
        ) as away_until,
        row_number() over (partition by subscriber_id order by met_on, case_order, churn_date, churn_case)
            as candidate_no
    from candidates
),

numbered as (
    select
        *,
        sum(case when away_until is null or met_on >= away_until then 1 else 0 end) over (
            partition by subscriber_id order by candidate_no rows between unbounded preceding and current row
        ) as spell_no
    from ordered
),

judged as (
    select
        *,
        max(stated_cause) over (partition by subscriber_id, spell_no) as spell_cause,
        max(competitor) over (partition by subscriber_id, spell_no) as spell_competitor,
        row_number() over (partition by subscriber_id, spell_no order by candidate_no) as place_in_spell
    from numbered
),

spells as (
    select
        judged.subscriber_id,
        lines.customer_id,
        lines.org_id,
        lines.payment_mode,
        judged.spell_no,
        judged.churn_case,
        case
            when judged.away_until <= judged.met_on then greatest(judged.churn_date, judged.away_until)
            else judged.churn_date
        end as churn_date,
        judged.confirmed_at,
        judged.returned_on,
        judged.spell_cause as stated_cause,
        judged.spell_competitor as competitor,
        coalesce(judged.spell_cause = 'LIFE_EVENT' and judged.spell_competitor is null, false) as is_natural_churn
    from judged
    inner join lines on judged.subscriber_id = lines.subscriber_id
    where judged.place_in_spell = 1
),

-- Many lines of one firm at once: one decision.
firm_days as (
    select spells.customer_id, spells.churn_date, count(*) as line_count
    from spells
    inner join {{ ref('dim_customers') }} as customers
        on spells.customer_id = customers.customer_id and {{ is_visible('customers', as_of()) }}
    where customers.org_class in ('GROUP', 'GOVERNMENT')
    group by spells.customer_id, spells.churn_date
),

bulk_starts as (
    select firsts.customer_id, firsts.churn_date, definition.bulk_exit_days
    from firm_days as firsts
    cross join definition
    inner join firm_days as others
        on
            firsts.customer_id = others.customer_id
            and others.churn_date >= firsts.churn_date
            and others.churn_date < {{ days_after('firsts.churn_date', 'definition.bulk_exit_days') }}
    group by firsts.customer_id, firsts.churn_date, definition.bulk_exit_days, definition.bulk_exit_lines
    having sum(others.line_count) >= definition.bulk_exit_lines
)

select
    {{ as_of() }} as as_of_date,
    spells.subscriber_id,
    spells.customer_id,
    spells.org_id,
    spells.payment_mode,
    cast(spells.spell_no as integer) as spell_no,
    spells.churn_case,
    case when spells.is_natural_churn then 'CENSORED' else cases.role end as role,
    spells.churn_date,
    spells.confirmed_at,
    spells.returned_on,
    spells.returned_on is not null as is_revived,
    cases.is_voluntary and not spells.is_natural_churn as is_voluntary,
    cases.is_arrears_exit,
    cases.is_operator_removed,
    spells.is_natural_churn,
    exists (
        select 1
        from bulk_starts
        where
            bulk_starts.customer_id = spells.customer_id
            and spells.churn_date >= bulk_starts.churn_date
            and spells.churn_date < {{ days_after('bulk_starts.churn_date', 'bulk_starts.bulk_exit_days') }}
    ) as is_bulk_exit,
    spells.stated_cause,
    spells.competitor
from spells
inner join {{ ref('churn_cases') }} as cases on spells.churn_case = cases.churn_case
