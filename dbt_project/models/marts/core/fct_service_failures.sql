{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['failure_id', 'step']
) }}

with
failures as (
    {{ versions(
        ref('stg_service__failures'),
        key=['failure_id', 'step'],
        columns=[
            'failure_id',
            'step',
            'scope',
            'subscriber_id',
            'org_id',
            'kind',
            'severity',
            'occurred_at',
            'started_at',
            'ended_at',
            'detected_by',
            'customer_informed_at',
            'apology_at',
            'compensation_cny',
        ]
    ) }}
)

select
    failures.failure_id,
    failures.step,
    failures.scope,
    failures.subscriber_id,
    failures.org_id,
    failures.kind,
    failures.severity,
    failures.occurred_at,
    failures.started_at,
    failures.ended_at,
    failures.detected_by,
    failures.customer_informed_at,
    failures.apology_at,
    failures.compensation_cny,
    failures.visible_from,
    failures.visible_to
from failures
