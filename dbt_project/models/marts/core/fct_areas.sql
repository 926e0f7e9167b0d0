{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'month', 'kind']
) }}

with
areas as (
    {{ versions(
        ref('stg_usage__areas'),
        key=['subscriber_id', 'month', 'kind'],
        columns=[
            'subscriber_id',
            'month',
            'kind',
            'area_id_token',
            'days',
        ]
    ) }}
)

select
    areas.subscriber_id,
    areas.month,
    areas.kind,
    areas.area_id_token,
    areas.days,
    areas.visible_from,
    areas.visible_to
from areas
