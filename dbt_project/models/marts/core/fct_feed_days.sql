{{ config(
    materialized='incremental',
    on_schema_change='fail',
    incremental_strategy='replace_where',
    replaces={'run': 'dt'}
) }}

with
receipts as (
    select * from {{ ref('stg_ingestion__receipts') }}
    {% if is_incremental() %}
    where {{ is_of_this_run('dt') }}
    {% endif %}
)

select
    feed,
    dt,
    bool_or(arrived) as is_arrived,
    count(file) as files,
    cast(coalesce(sum(records), 0) as bigint) as records,
    cast(coalesce(sum(kept), 0) as bigint) as kept,
    cast(coalesce(sum(quarantined), 0) as bigint) as quarantined,
    cast(coalesce(sum(duplicates), 0) as bigint) as duplicates
from receipts
group by feed, dt
