{{ config(materialized='table') }}

-- Signals of a suspension, of each base line: O02, O04, O06. A missing reason is unknown.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

standing as (
    select
        base_lines.subscriber_id,
        base_lines.is_prepaid,
        base_lines.status,
        base_lines.status_reason,
        base_lines.status in ('ONE_WAY_SUSPENDED', 'TWO_WAY_SUSPENDED') as is_suspended,
        case
            when base_lines.status = 'TWO_WAY_SUSPENDED'
                then {{ days_between('base_lines.status_run_from', as_of()) }}
        end as suspended_days,
        parameters.double_suspension_days,
        {{ is_listed('base_lines.status_reason', 'parameters.double_suspension_reasons') }} as is_double_reason
    from {{ ref('int_lines') }} as base_lines
    cross join parameters
)

select
    subscriber_id,
    case
        when is_prepaid and suspended_days >= double_suspension_days then is_double_reason
        else false
    end as double_suspension_7d,
    suspended_days,
    case when is_suspended then status_reason = 'CUSTOMER_REQUEST' else false end as hr2_voluntary_suspension,
    case when is_suspended then status_reason = 'ARREARS' else false end as hr4_arrears_suspension
from standing
