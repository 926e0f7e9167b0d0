{{ config(materialized='view', tags=['as_of_day']) }}

with
-- On a date without any churn there are silences at least.
dates as (
    select as_of_date from {{ ref('int_churn') }}
    union
    select as_of_date from {{ ref('int_silences') }}
),

newest as (
    select max(as_of_date) as as_of_date from dates
)

select
    churn.subscriber_id,
    churn.spell_no,
    churn.customer_id,
    churn.org_id,
    churn.payment_mode,
    churn.churn_case,
    churn.role,
    churn.churn_date,
    churn.confirmed_at,
    churn.returned_on,
    churn.is_revived,
    churn.is_voluntary,
    churn.is_arrears_exit,
    churn.is_operator_removed,
    churn.is_natural_churn,
    churn.is_bulk_exit,
    churn.stated_cause,
    churn.competitor,
    churn.as_of_date
from {{ ref('int_churn') }} as churn
inner join newest on churn.as_of_date = newest.as_of_date
