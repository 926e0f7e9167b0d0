{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set earlier = newest_kept_date() %}

-- How a line left, or would leave, and why: lines that left and have not come back, and lines in the
-- network that give reason to look (in warning or alarm, or with a signal).
with
departed as (
    select
        subscriber_id,
        org_id,
        churn_case,
        is_operator_removed,
        is_natural_churn,
        stated_cause,
        competitor
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and returned_on is null
),

changed_numbers as (
    select distinct old_subscriber_id as subscriber_id
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }} and link_kind = 'NUMBER_CHANGE'
),

-- A decline before the exit stays a flag of who left.
declined_earlier as (
    {% if earlier -%}
    select subscriber_id
    from {{ this }}
    where as_of_date = cast('{{ earlier }}' as date) and is_arpu_decline
    {%- else -%}
    select subscriber_id from departed where false
    {%- endif %}
),

signals as (
    select subscriber_id, code
    from {{ ref('signals') }}
    where as_of_date = {{ as_of() }}
),

signalled as (
    select
        subscriber_id,
        max(case when code = 'ARPU_DECLINE' then 1 else 0 end) = 1 as is_arpu_decline,
        max(
            case when code in ('HR7_FORWARD_TO_COMPETITOR', 'DUAL_HANDSET', 'PORT_INTENT') then 1 else 0 end
        ) = 1 as is_drawn_away
    from signals
    group by subscriber_id
),

cause_weights as (
    select
        signals.subscriber_id,
        weights.cause,
        codes.sort_order,
        sum(weights.weight) as weight
    from signals
    inner join {{ ref('signal_cause_weights') }} as weights on signals.code = weights.signal
    inner join {{ ref('cause_codes') }} as codes on weights.cause = codes.cause
    group by signals.subscriber_id, weights.cause, codes.sort_order
),

ranked_causes as (
    select
        *,
        row_number() over (partition by subscriber_id order by weight desc, sort_order asc) as cause_rank,
        sum(weight) over (partition by subscriber_id) as total_weight
    from cause_weights
),

causes as (
    select
        subscriber_id,
        max(case when cause_rank = 1 then cause end) as cause,
        max(case when cause_rank = 1 then weight end) as cause_weight,
        max(total_weight) as total_weight,
        string_agg(cause, ';' order by cause_rank) as causes
    from ranked_causes
    group by subscriber_id
),

looked_at as (
    select periods.subscriber_id, periods.org_id
    from {{ ref('churn_periods') }} as periods
    left join signalled on periods.subscriber_id = signalled.subscriber_id
    where
        periods.as_of_date = {{ as_of() }}
        and periods.churn_period <> 'CHURNED'
        and (periods.churn_period in ('WARNING', 'ALARM') or signalled.subscriber_id is not null)
),

gone as (
    select
        departed.subscriber_id,
        departed.org_id,
        true as is_departed,
        departed.is_operator_removed,
        departed.is_natural_churn,
        declined_earlier.subscriber_id is not null as is_arpu_decline,
        case
            when departed.is_operator_removed then null
            when departed.churn_case = 'PORT_OUT' or departed.competitor is not null then 'SWITCHED_OPERATOR'
            when changed_numbers.subscriber_id is not null then 'ON_NET_NUMBER_CHANGE'
            else 'DISAPPEARED'
        end as churn_type,
        cast(null as varchar) as expected_churn_type,
        case
            when departed.is_operator_removed then 'REMOVED'
            else coalesce(departed.stated_cause, 'UNKNOWN')
        end as cause,
        case when departed.stated_cause is not null then 'STATED' end as cause_source,
        departed.stated_cause as causes,
        cast(null as decimal(9, 2)) as cause_weight,
        cast(null as decimal(9, 2)) as total_weight
    from departed
    left join changed_numbers on departed.subscriber_id = changed_numbers.subscriber_id
    left join declined_earlier on departed.subscriber_id = declined_earlier.subscriber_id
),

alive as (
    select
        looked_at.subscriber_id,
        looked_at.org_id,
        false as is_departed,
        false as is_operator_removed,
        false as is_natural_churn,
        coalesce(signalled.is_arpu_decline, false) as is_arpu_decline,
        case when signalled.is_arpu_decline then 'ARPU_DECLINE' end as churn_type,
        case
            when signalled.is_drawn_away or rivals.has_hotline_out then 'SWITCHED_OPERATOR'
            when signalled.is_arpu_decline then 'ARPU_DECLINE'
            else 'DISAPPEARED'
        end as expected_churn_type,
        coalesce(causes.cause, 'UNKNOWN') as cause,
        case when causes.cause is not null then 'SIGNALS' end as cause_source,
        causes.causes,
        causes.cause_weight,
        causes.total_weight
    from looked_at
    left join signalled on looked_at.subscriber_id = signalled.subscriber_id
    left join {{ ref('int_findings_rivals') }} as rivals on looked_at.subscriber_id = rivals.subscriber_id
    left join causes on looked_at.subscriber_id = causes.subscriber_id
    left join departed on looked_at.subscriber_id = departed.subscriber_id
    where departed.subscriber_id is null
),

types as (
    select * from gone
    union all
    select * from alive
)

select
    types.subscriber_id,
    {{ as_of() }} as as_of_date,
    types.org_id,
    types.is_departed,
    types.churn_type,
    nullif(
        concat_ws(
            ';',
            types.churn_type,
            case when types.is_departed and types.is_arpu_decline then 'ARPU_DECLINE' end
        ),
        ''
    ) as churn_types,
    types.expected_churn_type,
    attention.attention_rank,
    attention.attention_sub_order,
    types.is_operator_removed,
    types.is_natural_churn,
    types.is_arpu_decline,
    types.cause,
    types.cause_source,
    cast(types.cause_weight / nullif(types.total_weight, 0) as double) as cause_share,
    types.causes,
    nullif(codes.cause_family, '') as cause_family,
    nullif(codes.technology_sub, '') as technology_sub,
    nullif(codes.switch_cause, '') as switch_cause,
    nullif(codes.mobile_cause, '') as mobile_cause,
    coalesce(codes.technology_sub = 'CHANNEL', false) as hard_to_save
from types
left join {{ ref('churn_type_attention') }} as attention
    on attention.churn_type = case when types.is_departed then types.churn_type else types.expected_churn_type end
left join {{ ref('cause_codes') }} as codes on types.cause = codes.cause
