-- The use that is to be taken off sums over known days, because the rules' are over known ACTIVE days.
select
    subscriber_id,
    usage_date,
    {{ usage_names() }}
from {{ ref('int_inactive_days') }}
where as_of_date = {{ as_of() }}
