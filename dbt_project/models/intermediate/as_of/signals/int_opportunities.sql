{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='index_dates',
    on_schema_change='fail'
) }}
{%- set previous = newest_kept_date() %}

-- Lines worth a look as of the date, without their score: in warning or alarm, or a signal of
-- severity 2 or more fires, or an event came today. A number that was changed within the network
-- is closed, for its owner has another one.
with
parameters as (
    select arbitrage_cohort_days from {{ ref('int_signal_parameters') }}
),

signalled as (
    select
        signals.subscriber_id,
        string_agg(signals.code, ';' order by signals.severity desc, codes.sort_order asc) as signals,
        max(signals.severity) as top_severity,
        max(case when signals.kind = 'EVENT' then 1 else 0 end) = 1 as has_event,
        min(case when signals.code in ('OVER_PLAN_80', 'OVER_PLAN_100') then 1 else 0 end) = 1 as has_reminders_only
    from {{ ref('signals') }} as signals
    inner join {{ ref('signal_codes') }} as codes on signals.code = codes.code
    where signals.as_of_date = {{ as_of() }}
    group by signals.subscriber_id
),

periods as (
    select * from {{ ref('churn_periods') }} where as_of_date = {{ as_of() }}
),

stages as (
    select * from {{ ref('lifecycle_stages') }} where as_of_date = {{ as_of() }}
),

tenures as (
    select * from {{ ref('tenure_clusters') }} where as_of_date = {{ as_of() }}
),

types as (
    select * from {{ ref('churn_types') }} where as_of_date = {{ as_of() }}
),

changed_numbers as (
    select distinct old_subscriber_id as subscriber_id
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }} and link_kind = 'NUMBER_CHANGE'
),

alerted_agents as (
    select distinct agent_id
    from {{ ref('agent_arbitrage') }}
    where as_of_date = {{ as_of() }} and is_alert
),

earlier as (
    {% if previous -%}
    select subscriber_id, episode_from
    from {{ this }}
    where as_of_date = cast('{{ previous }}' as date)
    {%- else -%}
    select subscriber_id, {{ as_of() }} as episode_from
    from signalled
    where false
    {%- endif %}
)

select
    {{ as_of() }} as as_of_date,
    base.subscriber_id,
    coalesce(earlier.episode_from, {{ as_of() }}) as episode_from,
    base.customer_id,
    base.org_id,
    base.payment_mode,
    signalled.signals,
    coalesce(signalled.top_severity, 0) as top_severity,
    said.unknown_signals,
    coalesce(periods.churn_period, 'HEALTHY') as churn_period,
    periods.warning_kind,
    stages.lifecycle_stage,
    tenures.tenure_cluster,
    types.expected_churn_type,
    types.cause,
    coalesce(types.attention_rank, 3) as type_rank,
    case
        when signalled.signals = 'VAS_CHURN' then 3
        else coalesce(types.attention_sub_order, 1)
    end as type_sub_order,
    coalesce(periods.is_frozen, false) as is_held,
    coalesce(holdings.is_upsell_blocked, false) as is_upsell_blocked,
    coalesce(
        alerted_agents.agent_id is not null
        and {{ days_between('base.activated_on', as_of()) }} < parameters.arbitrage_cohort_days,
        false
    ) as is_agent_alerted,
    coalesce(said.deal_hunter, false) as is_deal_hunter,
    coalesce(signalled.has_reminders_only, false)
    and coalesce(periods.churn_period, 'HEALTHY') not in ('WARNING', 'ALARM') as is_reminder_only
from {{ ref('int_lines') }} as base
cross join parameters
inner join {{ ref('int_signal_values') }} as said on base.subscriber_id = said.subscriber_id
left join signalled on base.subscriber_id = signalled.subscriber_id
left join periods on base.subscriber_id = periods.subscriber_id
left join stages on base.subscriber_id = stages.subscriber_id
left join tenures on base.subscriber_id = tenures.subscriber_id
left join types on base.subscriber_id = types.subscriber_id
left join changed_numbers on base.subscriber_id = changed_numbers.subscriber_id
left join alerted_agents on base.agent_id = alerted_agents.agent_id
left join {{ ref('int_findings_holdings') }} as holdings on base.subscriber_id = holdings.subscriber_id
left join earlier on base.subscriber_id = earlier.subscriber_id
where
    changed_numbers.subscriber_id is null
    and (periods.churn_period in ('WARNING', 'ALARM') or signalled.top_severity >= 2 or signalled.has_event)
