{{ config(materialized='table') }}

-- Columns of the holdings of which nobody has a value: not delivered, so that an empty cell says nothing.
with
delivered as (
    select
        count(contract_end_date) > 0 as has_contract_ends,
        count(promo_id) > 0 as has_promos
    from {{ ref('int_holdings') }}
)

select
    'billing_subscriptions' as feed,
    'contract_end_date' as feed_column
from delivered
where not has_contract_ends
union all
select
    'billing_subscriptions' as feed,
    'promo_id' as feed_column
from delivered
where not has_promos
