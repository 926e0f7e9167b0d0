{{ config(materialized='table') }}

with
spells as (
    select * from {{ ref('int_churn_spells') }}
),

newest as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_newest
)

select
    spells.subscriber_id,
    spells.spell_no,
    spells.customer_id,
    spells.org_id,
    spells.payment_mode,
    spells.churn_case,
    spells.role,
    spells.churn_date,
    spells.confirmed_at,
    spells.returned_on,
    spells.is_revived,
    spells.is_voluntary,
    spells.is_arrears_exit,
    spells.is_operator_removed,
    spells.is_natural_churn,
    spells.is_bulk_exit,
    spells.stated_cause,
    spells.competitor,
    spells.as_of_date
from spells
inner join newest on spells.as_of_date = newest.as_of_date
