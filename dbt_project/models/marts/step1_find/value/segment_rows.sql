{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates',
    tags=['as_of_day']
) }}

-- Who is segmented, and by what: lines in the network and in use for three whole months (D10), by
-- means over those months (D11).
with
stable as (
    select subscriber_id
    from {{ ref('tenure_clusters') }}
    where as_of_date = {{ as_of() }} and is_stable_3m
),

uses as (
    select * from {{ ref('indicators_usage_level') }} where as_of_date = {{ as_of() }}
),

spending as (
    select * from {{ ref('indicators_spend_payment') }} where as_of_date = {{ as_of() }}
)

select
    lines.subscriber_id,
    {{ as_of() }} as as_of_date,
    coalesce(lines.brand, 'UNKNOWN') as brand,
    cast(spending.arpu_avg_3m_cny as double) as arpu_avg_3m_cny,
    cast(uses.voice_minutes_avg_3m as double) as voice_minutes_avg_3m,
    cast(uses.data_mb_avg_3m as double) as data_mb_avg_3m,
    cast(uses.sms_out_avg_3m as double) as sms_out_avg_3m,
    cast(spending.vas_share_3m as double) as vas_share_3m,
    cast(spending.overage_share_3m as double) as overage_share_3m
from {{ ref('int_lines') }} as lines
inner join stable on lines.subscriber_id = stable.subscriber_id
left join uses on lines.subscriber_id = uses.subscriber_id
left join spending on lines.subscriber_id = spending.subscriber_id
