select
    subscriber_id,
    balance_cny,
    gift_balance_cny,
    charged_mtd_cny,
    arrears_cny,
    arrears_since,
    dunning_stage,
    credit_limit_cny,
    valid_until,
    dt as visible_from
from {{ source('billing', 'billing_balances') }}
