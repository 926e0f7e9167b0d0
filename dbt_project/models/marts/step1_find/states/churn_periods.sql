{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='all'
) }}
{{- must_be_found() }}
{%- set earlier = newest_kept_date() %}

-- The period of each line: churned > alarm > warning > healthy, and never two on a day. Worse comes
-- at once; better after some evaluated days without the worse condition. On a day whose usage did
-- not come nothing changes but what churn says; a date on which nothing was run is such a day.
-- What is not known does not alarm, and no index does not warn: the machine is total.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- An operator without daily usage has no unknown days.
evaluation as (
    select
        count(*) = 0 or max(case when known_on = {{ as_of() }} then 1 else 0 end) = 1 as is_evaluated
    from {{ ref('int_known_days') }}
),

earlier as (
    {% if earlier -%}
    select
        subscriber_id,
        churn_period,
        warning_kind,
        entered_at,
        previous_period,
        alarm_clear_days,
        clear_days,
        weak_event_until,
        revived_on
    from {{ this }}
    where as_of_date = cast('{{ earlier }}' as date)
    {%- else -%}
    select
        subscriber_id,
        cast(null as varchar) as churn_period,
        cast(null as varchar) as warning_kind,
        cast(null as date) as entered_at,
        cast(null as varchar) as previous_period,
        cast(null as integer) as alarm_clear_days,
        cast(null as integer) as clear_days,
        cast(null as date) as weak_event_until,
        cast(null as date) as revived_on
    from {{ ref('int_lines') }}
    where false
    {%- endif %}
),

churned as (
    select subscriber_id, org_id, confirmed_at
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and returned_on is null and not is_operator_removed
),

revived as (
    select subscriber_id, max(returned_on) as returned_on
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and not is_operator_removed
    group by subscriber_id
),

removed as (
    select subscriber_id
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and returned_on is null and is_operator_removed
),

-- Weak is what just began: a misfit that stays would warn for ever.
weak as (
    select
        signals.subscriber_id,
        count(case when signals.kind = 'STATE' then 1 end) as weak_states,
        max(
            case
                when signals.kind = 'EVENT'
                    then {{ days_after('signals.first_seen', 'parameters.weak_signal_days - 1') }}
            end
        ) as weak_event_until
    from {{ ref('signals') }} as signals
    cross join parameters
    where
        signals.as_of_date = {{ as_of() }}
        and signals.is_weak
        and {{ days_between('signals.first_seen', 'signals.as_of_date') }} < parameters.weak_signal_days
    group by signals.subscriber_id
),

dual_handsets as (
    select subscriber_id, dual_handset
    from {{ ref('dual_handsets') }}
    where as_of_date = {{ as_of() }}
),

scores as (
    select subscriber_id, cast(100 * churn_probability_mid as decimal(5, 2)) as cci_mid
    from {{ ref('stg_loop__churn_scores') }}
    where as_of_date = {{ as_of() }}
),

lines as (
    select
        coalesce(churned.subscriber_id, base.subscriber_id) as subscriber_id,
        coalesce(base.org_id, churned.org_id) as org_id,
        churned.confirmed_at,
        churned.subscriber_id is not null as is_churned,
        coalesce(base.is_held, false) as is_held,
        coalesce(
            not base.is_active and base.status_reason in ('CUSTOMER_REQUEST', 'ARREARS', 'EXPIRED'),
            false
        ) as is_suspended
    from {{ ref('int_lines') }} as base
    full join churned on base.subscriber_id = churned.subscriber_id
    left join removed on base.subscriber_id = removed.subscriber_id
    where removed.subscriber_id is null
),

conditions as (
    select
        lines.subscriber_id,
        lines.org_id,
        lines.is_churned,
        lines.confirmed_at,
        lines.is_held,
        evaluation.is_evaluated,
        parameters.period_cooldown_days,
        parameters.revived_warning_days,
        nullif(
            concat_ws(
                ';',
                case when dual_handsets.dual_handset then 'DUAL_HANDSET' end,
                case when rivals.has_hotline_out then 'HOTLINE_OUT' end,
                case when ratios.is_usage_alarm then 'USAGE_FALL' end,
                case when lines.is_suspended then 'SUSPENDED' end,
                case
                    when
                        rivals.port_intent
                        and instr(concat(';', parameters.alarm_extra_signals, ';'), ';PORT_INTENT;') > 0
                        then 'PORT_INTENT'
                end
            ),
            ''
        ) as alarm_reasons,
        coalesce(weak.weak_states, 0) > 0 as has_weak_state,
        scores.cci_mid,
        coalesce(scores.cci_mid >= parameters.warning_cci_mid, false) as is_index_high,
        greatest(weak.weak_event_until, earlier.weak_event_until) as weak_event_until,
        case when ratios.is_usage_high or ratios.is_usage_high is null then 'EARLY' else 'DECLINING' end
            as warning_kind_now,
        -- Leaving churn takes a return. Where late news undid the churn, the line is back today.
        case
            when lines.is_churned then null
            when earlier.churn_period = 'CHURNED'
                then case when revived.returned_on >= earlier.entered_at then revived.returned_on else {{ as_of() }} end
            else greatest(earlier.revived_on, revived.returned_on)
        end as revived_on,
        earlier.churn_period as earlier_period,
        earlier.warning_kind as earlier_kind,
        earlier.entered_at as earlier_entered_at,
        earlier.previous_period as earlier_previous,
        earlier.alarm_clear_days as earlier_alarm_clear_days,
        earlier.clear_days as earlier_clear_days
    from lines
    cross join evaluation
    cross join parameters
    left join earlier on lines.subscriber_id = earlier.subscriber_id
    left join revived on lines.subscriber_id = revived.subscriber_id
    left join weak on lines.subscriber_id = weak.subscriber_id
    left join scores on lines.subscriber_id = scores.subscriber_id
    left join dual_handsets on lines.subscriber_id = dual_handsets.subscriber_id
    left join {{ ref('int_findings_rivals') }} as rivals on lines.subscriber_id = rivals.subscriber_id
    left join {{ ref('int_usage_ratios') }} as ratios on lines.subscriber_id = ratios.subscriber_id
),

judged as (
    select
        *,
        alarm_reasons is not null as is_alarm_condition,
        alarm_reasons is null
        and (has_weak_state or is_index_high or coalesce(weak_event_until >= {{ as_of() }}, false))
            as is_warning_condition,
        -- Nothing moves while the line is held or the day is not known; coming back from churn does.
        (is_held or not is_evaluated) and coalesce(earlier_period, '') <> 'CHURNED' as is_still
    from conditions
),

counted as (
    select
        *,
        case
            when is_still then earlier_alarm_clear_days
            when is_alarm_condition then 0
            else earlier_alarm_clear_days + 1
        end as alarm_clear_days,
        case
            when is_still then earlier_clear_days
            when is_alarm_condition or is_warning_condition then 0
            else earlier_clear_days + 1
        end as clear_days,
        coalesce(
            earlier_period = 'CHURNED' or {{ days_between('revived_on', as_of()) }} < revived_warning_days,
            false
        ) as is_just_back
    from judged
),

placed as (
    select
        *,
        case
            when is_churned then 'CHURNED'
            when is_still then coalesce(earlier_period, 'HEALTHY')
            when is_alarm_condition then 'ALARM'
            when earlier_period = 'ALARM' and alarm_clear_days < period_cooldown_days then 'ALARM'
            when is_warning_condition or is_just_back then 'WARNING'
            when earlier_period in ('ALARM', 'WARNING') and clear_days < period_cooldown_days then 'WARNING'
            else 'HEALTHY'
        end as churn_period
    from counted
)

select
    subscriber_id,
    {{ as_of() }} as as_of_date,
    org_id,
    churn_period,
    case
        when churn_period <> 'WARNING' then null
        when is_still and earlier_period = 'WARNING' then earlier_kind
        else warning_kind_now
    end as warning_kind,
    case
        when churn_period = earlier_period then earlier_entered_at
        when churn_period = 'CHURNED' then confirmed_at
        else {{ as_of() }}
    end as entered_at,
    case when churn_period = earlier_period then earlier_previous else earlier_period end as previous_period,
    not is_churned and is_held as is_frozen,
    is_evaluated,
    is_alarm_condition,
    is_warning_condition,
    alarm_reasons,
    cast(coalesce(alarm_clear_days, 0) as integer) as alarm_clear_days,
    cast(coalesce(clear_days, 0) as integer) as clear_days,
    weak_event_until,
    revived_on,
    cci_mid
from placed
