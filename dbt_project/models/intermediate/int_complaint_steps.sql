{{ config(
    materialized='incremental',
    on_schema_change='fail',
    incremental_strategy='versions',
    unique_key=['complaint_id', 'step', 'occurred_at']
) }}

{{ versions(
    ref('stg_care__complaints'),
    key=['complaint_id', 'step', 'occurred_at'],
    columns=[
        'complaint_id',
        'step',
        'occurred_at',
        'subscriber_id',
        'due_at',
        'category',
        'cause_class',
        'severity',
        'product_id',
        'staff_id',
        'channel_id',
        'satisfaction',
    ]
) }}
