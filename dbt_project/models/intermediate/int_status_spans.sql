{{ config(materialized='table') }}

with
as_of_dates as (
    select as_of_date from {{ ref('int_as_of_dates') }} where is_index_date
),

{{ status_span_ctes() }}

select
    as_of_date,
    subscriber_id,
    span_class,
    status_reason,
    span_from,
    span_to
from spans
