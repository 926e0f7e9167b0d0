{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

periods as (
    select subscriber_id, churn_period
    from {{ ref('churn_periods') }}
    where as_of_date = {{ as_of() }}
)

select
    tenures.subscriber_id,
    tenures.as_of_date,
    tenures.org_id,
    case
        when periods.churn_period = 'CHURNED' then null
        when periods.churn_period in ('WARNING', 'ALARM') then 'PRE_WARNING'
        when tenures.tenure_days <= parameters.entry_days then 'ENTRY'
        when tenures.tenure_days <= parameters.introduction_days then 'INTRODUCTION'
        when tenures.tenure_days > parameters.introduction_days then 'MATURITY'
    end as lifecycle_stage
from {{ ref('tenure_clusters') }} as tenures
cross join parameters
left join periods on tenures.subscriber_id = periods.subscriber_id
where tenures.as_of_date = {{ as_of() }}
