{#
    Churn as of each of some dates: one row per subscriber and spell that was confirmed by then,
    from nothing but rows visible on that date.

    as_of_dates  a select of distinct dates as `as_of_date`

    A spell starts on `churn_date` (service stopped mattering) and is confirmed on `confirmed_at`
    (first date on which the rule is met and known). It ends with `returned_on`, when the line is
    back; then the next one has the next `spell_no`. What lies inside one stretch of absence is one
    spell: the rule that was met first decides, and an exit event wins over the CRM status.
    Seam: a number change (re-entry links) will censor a spell here, beside the LIFE_EVENT cause.
#}
{% macro churn_spells(as_of_dates) %}
    with
    definition as (
        select * from {{ ref('int_churn_definition') }}
    ),

    as_of_dates as (
        {{ as_of_dates }}
    ),

    {{ status_span_ctes() }},

    grouped as (
        select
            *,
            sum(case when previous_class = span_class then 0 else 1 end)
                over (partition by as_of_date, subscriber_id order by span_from) as run_no,
            sum(case when (previous_class = 'ACTIVE') = (span_class = 'ACTIVE') then 0 else 1 end)
                over (partition by as_of_date, subscriber_id order by span_from) as absence_no
        from spans
    ),

    absences as (
        select
            as_of_date,
            subscriber_id,
            absence_no,
            min(span_from) as absent_from,
            nullif(max(coalesce(span_to, {{ end_of_time() }})), {{ end_of_time() }}) as absent_to
        from grouped
        where span_class <> 'ACTIVE'
        group by as_of_date, subscriber_id, absence_no
    ),

    runs as (
        select
            grouped.as_of_date,
            grouped.subscriber_id,
            grouped.absence_no,
            grouped.span_class,
            min(grouped.span_from) as run_from,
            nullif(max(coalesce(grouped.span_to, {{ end_of_time() }})), {{ end_of_time() }}) as run_to,
            min(grouped.visible_from) as known_from,
            min_by(grouped.status_reason, grouped.span_from) as status_reason,
            min(absences.absent_from) as absent_from,
            min(absences.absent_to) as absent_to
        from grouped
        inner join absences
            on
                grouped.as_of_date = absences.as_of_date
                and grouped.subscriber_id = absences.subscriber_id
                and grouped.absence_no = absences.absence_no
        where grouped.span_class <> 'ACTIVE'
        group by grouped.as_of_date, grouped.subscriber_id, grouped.absence_no, grouped.run_no, grouped.span_class
    ),

    {# -- signs of life and silence (prepaid) --------------------------------------------------- #}

    known_days as (
        select
            dt,
            row_number() over (order by dt) as day_number,
            coalesce(lag(dt) over (order by dt), cast('0001-01-01' as date)) as previous_dt
        from {{ ref('fct_feed_days') }}
        where feed = 'usage_daily' and is_arrived
    ),

    prepaid as (
        select lines.as_of_date, lines.subscriber_id
        from lines
        cross join definition
        where lines.payment_mode = 'PREPAID' and definition.source = 'EVENTS_AND_SILENCE'
    ),

    active_days as (
        select prepaid.as_of_date, prepaid.subscriber_id, usage.usage_date as active_on
        from prepaid
        inner join {{ ref('fct_usage_daily') }} as usage
            on
                prepaid.subscriber_id = usage.subscriber_id
                and {{ is_visible('usage', 'prepaid.as_of_date') }}
                and usage.usage_date <= prepaid.as_of_date
        where usage.is_activity_day
        union all
        select prepaid.as_of_date, prepaid.subscriber_id, cast(payments.paid_at as date) as active_on
        from prepaid
        inner join {{ ref('fct_payments') }} as payments
            on
                prepaid.subscriber_id = payments.subscriber_id
                and {{ is_visible('payments', 'prepaid.as_of_date') }}
                and cast(payments.paid_at as date) <= prepaid.as_of_date
        where payments.amount_cny > 0 and coalesce(payments.payment_kind, 'TOPUP') <> 'REVERSAL'
    ),

    -- A silence of n days covers a whole aligned block of (n + 1) / 2 days: first and last active
    -- day of each block keep every silence that counts, in a fraction of the rows.
    active_blocks as (
        select
            active_days.as_of_date,
            active_days.subscriber_id,
            min(active_days.active_on) as alive_from,
            max(active_days.active_on) as alive_until,
            true as is_use
        from active_days
        cross join definition
        group by
            active_days.as_of_date,
            active_days.subscriber_id,
            floor(
                {{ days_between("cast('1970-01-01' as date)", 'active_days.active_on') }}
                / floor((definition.silent_days_prepaid + 1) / 2)
            )
    ),

    -- While a line is held or suspended at its own request, silence says nothing.
    alive as (
        select * from active_blocks
        union all
        select
            as_of_date,
            subscriber_id,
            run_from as alive_from,
            least({{ days_after('run_to', -1) }}, as_of_date) as alive_until,
            false as is_use
        from runs
        where span_class in ('HELD', 'VOLUNTARY')
    ),

    silences as (
        select
            as_of_date,
            subscriber_id,
            {{ days_after(
                'max(alive_until) over (
                    partition by as_of_date, subscriber_id order by alive_from, alive_until
                    rows between unbounded preceding and current row
                )', 1
            ) }} as silent_from,
            lead(alive_from) over (
                partition by as_of_date, subscriber_id order by alive_from, alive_until
            ) as silent_to,
            min(case when is_use then alive_from end) over (
                partition by as_of_date, subscriber_id order by alive_from, alive_until
                rows between 1 following and unbounded following
            ) as used_again_on,
            min(case when is_use then alive_from end) over (
                partition by as_of_date, subscriber_id
            ) as first_used_on
        from alive
    ),

    long_silences as (
        select silences.*, definition.silent_days_prepaid
        from silences
        cross join definition
        where
            {{ days_between(
                'silences.silent_from', 'coalesce(silences.silent_to, ' ~ days_after('silences.as_of_date', 1) ~ ')'
            ) }} >= definition.silent_days_prepaid
            and silences.first_used_on < silences.silent_from
    ),

    silent_exits as (
        select
            long_silences.as_of_date,
            long_silences.subscriber_id,
            long_silences.silent_from,
            long_silences.used_again_on,
            confirming.dt as met_on
        from long_silences
        inner join known_days as first_known
            on long_silences.silent_from > first_known.previous_dt and long_silences.silent_from <= first_known.dt
        inner join known_days as confirming
            on
                confirming.day_number = first_known.day_number + long_silences.silent_days_prepaid - 1
                and confirming.dt <= long_silences.as_of_date
                and (long_silences.silent_to is null or confirming.dt < long_silences.silent_to)
    ),

    {# -- explicit exits ------------------------------------------------------------------------- #}

    delivered_exits as (
        select
            lines.as_of_date,
            lines.subscriber_id,
            cast(events.occurred_at as date) as exit_on,
            events.kind,
            events.stated_cause,
            events.competitor,
            first_known.known_from,
            'EVENT' as told_by
        from lines
        inner join {{ ref('fct_churn_events') }} as events
            on
                lines.subscriber_id = events.subscriber_id
                and {{ is_visible('events', 'lines.as_of_date') }}
        inner join (
            select churn_event_id, min(visible_from) as known_from
            from {{ ref('fct_churn_events') }}
            group by churn_event_id
        ) as first_known
            on events.churn_event_id = first_known.churn_event_id
        where cast(events.occurred_at as date) <= lines.as_of_date and events.kind is not null
        union all
        select
            as_of_date,
            subscriber_id,
            run_from as exit_on,
            case
                when status_reason = 'PORT_OUT' then 'PORT_OUT'
                when status_reason = 'EXPIRED' then 'EXPIRED'
                when status_reason = 'ARREARS' then 'ARREARS_REMOVED'
                when status_reason = 'FRAUD' then 'FRAUD_REMOVED'
                when status_reason in ('OPERATOR', 'REAL_NAME') then 'OPERATOR_REMOVED'
                else 'CLOSED'
            end as kind,
            cast(null as varchar) as stated_cause,
            cast(null as varchar) as competitor,
            known_from,
            'STATUS' as told_by
        from runs
        where span_class = 'LEFT'
    ),

    -- The absence that an exit ends, and the suspension right before it.
    placed_exits as (
        select
            exits.*,
            lines.payment_mode,
            absences.absent_from,
            absences.absent_to,
            row_number() over (
                partition by exits.as_of_date, exits.subscriber_id, exits.exit_on, exits.kind, exits.told_by
                order by runs.run_from desc, exits.known_from, exits.stated_cause, exits.competitor
            ) as suspension_no,
            runs.run_from as suspended_from,
            runs.span_class as suspension_class
        from delivered_exits as exits
        inner join lines
            on exits.as_of_date = lines.as_of_date and exits.subscriber_id = lines.subscriber_id
        left join absences
            on
                exits.as_of_date = absences.as_of_date
                and exits.subscriber_id = absences.subscriber_id
                and exits.exit_on >= absences.absent_from
                and exits.exit_on <= coalesce(absences.absent_to, {{ end_of_time() }})
        left join runs
            on
                absences.as_of_date = runs.as_of_date
                and absences.subscriber_id = runs.subscriber_id
                and absences.absence_no = runs.absence_no
                and runs.span_class <> 'LEFT'
                and runs.run_from <= exits.exit_on
    ),

    returns as (
        select
            exits.as_of_date,
            exits.subscriber_id,
            exits.exit_on,
            min(spans.span_from) as returned_on
        from delivered_exits as exits
        inner join spans
            on
                exits.as_of_date = spans.as_of_date
                and exits.subscriber_id = spans.subscriber_id
                and spans.span_from > exits.exit_on
        where spans.span_class = 'ACTIVE' and spans.previous_class <> 'ACTIVE'
        group by exits.as_of_date, exits.subscriber_id, exits.exit_on
    ),

    explicit_exits as (
        select
            exits.as_of_date,
            exits.subscriber_id,
            exits.kind as churn_case,
            exits.told_by,
            exits.stated_cause,
            exits.competitor,
            exits.exit_on as met_on,
            greatest(exits.exit_on, exits.known_from) as confirmed_at,
            returns.returned_on,
            case
                when exits.kind = 'PORT_OUT' then exits.exit_on
                when exits.stated_cause = 'LIFE_EVENT' and exits.competitor is null then exits.exit_on
                when exits.kind in ('FRAUD_REMOVED', 'OPERATOR_REMOVED')
                    then case when exits.suspension_class = 'HELD' then exits.suspended_from else exits.exit_on end
                when exits.suspension_class = 'VOLUNTARY' then exits.suspended_from
                when exits.kind = 'CLOSED' then exits.exit_on
                when exits.payment_mode = 'POSTPAID' then coalesce(exits.absent_from, exits.exit_on)
                when exits.suspension_class = 'LAPSED' then exits.suspended_from
                else exits.exit_on
            end as onset,
            exits.payment_mode = 'PREPAID'
            and exits.kind in ('EXPIRED', 'ARREARS_REMOVED')
            and coalesce(exits.suspension_class, 'LAPSED') = 'LAPSED'
            and not coalesce(exits.stated_cause = 'LIFE_EVENT' and exits.competitor is null, false)
                as starts_with_silence
        from placed_exits as exits
        left join returns
            on
                exits.as_of_date = returns.as_of_date
                and exits.subscriber_id = returns.subscriber_id
                and exits.exit_on = returns.exit_on
        where exits.suspension_no = 1
    ),

    suspended_exits as (
        select
            runs.as_of_date,
            runs.subscriber_id,
            case
                when runs.span_class = 'VOLUNTARY' then 'VOLUNTARY_SUSPENDED'
                when lines.payment_mode = 'PREPAID' then 'SUSPENDED'
                else 'ARREARS_SUSPENDED'
            end as churn_case,
            {{ days_after(
                "runs.run_from",
                "case
                    when runs.span_class = 'VOLUNTARY' then definition.voluntary_suspension_days
                    when lines.payment_mode = 'PREPAID' then definition.suspended_days_prepaid
                    else definition.arrears_days_postpaid
                end - 1"
            ) }} as met_on,
            case
                when runs.span_class = 'VOLUNTARY' or lines.payment_mode = 'PREPAID' then runs.run_from
                else runs.absent_from
            end as onset,
            runs.span_class = 'LAPSED' and lines.payment_mode = 'PREPAID' as starts_with_silence,
            runs.run_to,
            runs.known_from,
            runs.absent_to as returned_on
        from runs
        inner join lines
            on runs.as_of_date = lines.as_of_date and runs.subscriber_id = lines.subscriber_id
        cross join definition
        where
            definition.source = 'EVENTS_AND_SILENCE'
            and runs.span_class in ('VOLUNTARY', 'LAPSED')
    ),

    {# -- all together --------------------------------------------------------------------------- #}

    onsets as (
        select
            as_of_date,
            subscriber_id,
            churn_case,
            told_by,
            stated_cause,
            competitor,
            met_on,
            confirmed_at,
            returned_on,
            onset,
            starts_with_silence
        from explicit_exits
        union all
        select
            as_of_date,
            subscriber_id,
            churn_case,
            'RULE' as told_by,
            cast(null as varchar) as stated_cause,
            cast(null as varchar) as competitor,
            met_on,
            greatest(met_on, known_from) as confirmed_at,
            returned_on,
            onset,
            starts_with_silence
        from suspended_exits
        where met_on <= as_of_date and (run_to is null or met_on < run_to)
    ),

    -- The silence before a prepaid suspension or removal belongs to it, as far as days are known.
    last_signs as (
        select onsets.as_of_date, onsets.subscriber_id, onsets.onset, max(signs.alive_until) as alive_until
        from (
            select distinct as_of_date, subscriber_id, onset from onsets where starts_with_silence
        ) as onsets
        inner join (
            select as_of_date, subscriber_id, active_on as alive_until from active_days
            union all
            select as_of_date, subscriber_id, alive_until from alive where not is_use
        ) as signs
            on
                onsets.as_of_date = signs.as_of_date
                and onsets.subscriber_id = signs.subscriber_id
                and signs.alive_until < onsets.onset
        group by onsets.as_of_date, onsets.subscriber_id, onsets.onset
    ),

    quiet_before as (
        select
            last_signs.as_of_date,
            last_signs.subscriber_id,
            last_signs.onset,
            last_signs.alive_until
        from last_signs
        where exists (
            select 1
            from known_days
            where known_days.dt > last_signs.alive_until and known_days.dt < last_signs.onset
        )
    ),

    candidates as (
        select
            onsets.as_of_date,
            onsets.subscriber_id,
            onsets.churn_case,
            onsets.told_by,
            onsets.stated_cause,
            onsets.competitor,
            onsets.met_on,
            onsets.confirmed_at,
            onsets.returned_on,
            case
                when onsets.starts_with_silence
                    then coalesce({{ days_after('quiet_before.alive_until', 1) }}, onsets.onset)
                else onsets.onset
            end as churn_date
        from onsets
        left join quiet_before
            on
                onsets.as_of_date = quiet_before.as_of_date
                and onsets.subscriber_id = quiet_before.subscriber_id
                and onsets.onset = quiet_before.onset
        where onsets.confirmed_at <= onsets.as_of_date
        union all
        select
            as_of_date,
            subscriber_id,
            'SILENT' as churn_case,
            'RULE' as told_by,
            cast(null as varchar) as stated_cause,
            cast(null as varchar) as competitor,
            met_on,
            met_on as confirmed_at,
            used_again_on as returned_on,
            silent_from as churn_date
        from silent_exits
    ),

    ordered as (
        select
            *,
            max(coalesce(returned_on, {{ end_of_time() }})) over (
                partition by as_of_date, subscriber_id order by churn_date, met_on, churn_case, told_by
                rows between unbounded preceding and 1 preceding
            ) as absent_until
        from candidates
    ),

    numbered as (
        select
            *,
            sum(case when absent_until is null or churn_date >= absent_until then 1 else 0 end) over (
                partition by as_of_date, subscriber_id order by churn_date, met_on, churn_case, told_by
                rows between unbounded preceding and current row
            ) as spell_no
        from ordered
    ),

    judged as (
        select
            *,
            max(coalesce(returned_on, {{ end_of_time() }})) over (
                partition by as_of_date, subscriber_id, spell_no
            ) as last_absent_until,
            max(stated_cause) over (partition by as_of_date, subscriber_id, spell_no) as spell_cause,
            max(competitor) over (partition by as_of_date, subscriber_id, spell_no) as spell_competitor,
            max(case when told_by = 'EVENT' then 1 else 0 end) over (
                partition by as_of_date, subscriber_id, spell_no
            ) as has_event
        from numbered
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by as_of_date, subscriber_id, spell_no
                order by
                    case when told_by = 'STATUS' then has_event else 0 end,
                    met_on,
                    told_by,
                    churn_case
            ) as decision_rank
        from judged
    ),

    spells as (
        select
            ranked.as_of_date,
            ranked.subscriber_id,
            lines.customer_id,
            lines.org_id,
            lines.payment_mode,
            ranked.spell_no,
            ranked.churn_case,
            ranked.churn_date,
            ranked.confirmed_at,
            nullif(ranked.last_absent_until, {{ end_of_time() }}) as returned_on,
            ranked.spell_cause as stated_cause,
            ranked.spell_competitor as competitor,
            coalesce(ranked.spell_cause = 'LIFE_EVENT' and ranked.spell_competitor is null, false) as is_natural_churn
        from ranked
        inner join lines
            on ranked.as_of_date = lines.as_of_date and ranked.subscriber_id = lines.subscriber_id
        where ranked.decision_rank = 1
    ),

    {# -- many lines of one firm at once: one decision ------------------------------------------- #}

    firm_days as (
        select spells.as_of_date, spells.customer_id, spells.churn_date, count(*) as line_count
        from spells
        inner join {{ ref('dim_customers') }} as customers
            on
                spells.customer_id = customers.customer_id
                and {{ is_visible('customers', 'spells.as_of_date') }}
        where customers.org_class in ('GROUP', 'GOVERNMENT')
        group by spells.as_of_date, spells.customer_id, spells.churn_date
    ),

    bulk_starts as (
        select
            firsts.as_of_date,
            firsts.customer_id,
            firsts.churn_date,
            definition.bulk_exit_days
        from firm_days as firsts
        cross join definition
        inner join firm_days as others
            on
                firsts.as_of_date = others.as_of_date
                and firsts.customer_id = others.customer_id
                and others.churn_date >= firsts.churn_date
                and others.churn_date < {{ days_after('firsts.churn_date', 'definition.bulk_exit_days') }}
        group by
            firsts.as_of_date, firsts.customer_id, firsts.churn_date,
            definition.bulk_exit_days, definition.bulk_exit_lines
        having sum(others.line_count) >= definition.bulk_exit_lines
    )

    select
        spells.as_of_date,
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
                bulk_starts.as_of_date = spells.as_of_date
                and bulk_starts.customer_id = spells.customer_id
                and spells.churn_date >= bulk_starts.churn_date
                and spells.churn_date < {{ days_after('bulk_starts.churn_date', 'bulk_starts.bulk_exit_days') }}
        ) as is_bulk_exit,
        spells.stated_cause,
        spells.competitor
    from spells
    inner join {{ ref('churn_cases') }} as cases on spells.churn_case = cases.churn_case
{% endmacro %}
