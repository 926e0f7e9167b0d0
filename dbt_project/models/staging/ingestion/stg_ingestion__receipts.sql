select
    feed,
    dt,
    file,
    arrived,
    records,
    kept,
    quarantined,
    duplicates
from {{ source('ingestion', 'receipts') }}
