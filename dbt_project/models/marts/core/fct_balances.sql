{{ config(
    materialized='incremental',
    on_schema_change='fail',
    incremental_strategy='replace_where',
    replaces={'run': 'visible_from'}
) }}

with
balances as (
    select * from {{ ref('stg_billing__balances') }}
    {% if is_incremental() %}
    where {{ is_of_this_run('visible_from') }}
    {% endif %}
)

-- A snapshot is final on the day of its release: each is a version of its own that never ends.
select
    subscriber_id,
    visible_from as balance_date,
    balance_cny,
    gift_balance_cny,
    charged_mtd_cny,
    arrears_cny,
    arrears_since,
    dunning_stage,
    credit_limit_cny,
    valid_until,
    visible_from,
    {{ end_of_time() }} as visible_to
from balances
