{{ config(materialized='table') }}

-- Which measures of use anybody has a value of, in each window of the state. What nobody has was not
-- delivered: unknown, not zero.
select
    {{ usage_columns('coalesce(max(COLUMN) > 0, false) as has_COLUMN', [7, 30, 60]) }},
    {{ usage_columns(
        'coalesce(max(COLUMN - NAME_30d) > 0, false) as has_NAME_prior90',
        [120],
        also=30
    ) }}
from {{ ref('int_usage_state') }}
where as_of_date = {{ as_of() }}
