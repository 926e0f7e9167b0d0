{{ config(materialized='table') }}

-- Signals of traffic alone, of each base line: O01, and O33 on the first day of the month on which it
-- holds.
select
    base_lines.subscriber_id,
    case when zero_calls.subscriber_id is null then false else zero_calls.is_zero_call end as zero_call_5d,
    zero_calls.streak_days,
    case when zero_calls.is_zero_call then {{ as_of() }} end as first_hit_date,
    zero_calls.has_data_in_streak,
    case
        when anomalies.spike_resources is not null then true
        when not coalesce(anomalies.is_unknown, false) then false
    end as usage_spike,
    anomalies.spike_resources as usage_spike_resources,
    case
        when anomalies.drop_resources is not null then true
        when not coalesce(anomalies.is_unknown, false) then false
    end as usage_drop,
    anomalies.drop_resources as usage_drop_resources
from {{ ref('int_lines') }} as base_lines
left join {{ ref('int_zero_calls') }} as zero_calls on base_lines.subscriber_id = zero_calls.subscriber_id
left join {{ ref('int_usage_anomalies') }} as anomalies on base_lines.subscriber_id = anomalies.subscriber_id
