{{ config(
    materialized='incremental',
    on_schema_change='fail',
    incremental_strategy='versions',
    unique_key=['complaint_id']
) }}

with
steps as (
    select steps.*
    from {{ ref('int_complaint_steps') }} as steps
    {% if is_incremental() %}
    where
        steps.complaint_id in (
            select fresh.complaint_id
            from {{ ref('int_complaint_steps') }} as fresh
            where {{ is_of_this_run('fresh.visible_from') }}
            union
            select replaced.complaint_id
            from {{ this }} as replaced
            where {{ is_of_this_run('replaced.visible_from') }}
        )
    {% endif %}
),

-- A complaint has a new version whenever one of its steps arrives or is corrected.
releases as (
    select distinct complaint_id, visible_from from steps
),

spans as (
    select
        complaint_id,
        visible_from,
        coalesce(
            lead(visible_from) over (partition by complaint_id order by visible_from), {{ end_of_time() }}
        ) as visible_to
    from releases
),

numbered as (
    select
        steps.*,
        spans.visible_from as version_from,
        spans.visible_to as version_to,
        row_number() over (
            partition by steps.complaint_id, spans.visible_from order by steps.occurred_at, steps.step
        ) as step_number
    from spans
    inner join steps
        on
            spans.complaint_id = steps.complaint_id
            and {{ is_visible('steps', 'spans.visible_from') }}
),

folded as (
    select
        complaint_id,
        max_by(subscriber_id, step_number) filter (where subscriber_id is not null) as subscriber_id,
        min(case when step = 'OPENED' then occurred_at end) as opened_at,
        min(case when step = 'ACKNOWLEDGED' then occurred_at end) as acknowledged_at,
        min(case when step = 'ANALYSED' then occurred_at end) as analysed_at,
        max(case when step = 'RESOLVED' then occurred_at end) as resolved_at,
        max(case when step = 'RECORDED' then occurred_at end) as recorded_at,
        max(case when step = 'FOLLOWED_UP' then occurred_at end) as followed_up_at,
        max(case when step = 'REOPENED' then occurred_at end) as reopened_at,
        max(case when step = 'WITHDRAWN' then occurred_at end) as withdrawn_at,
        cast(count(case when step = 'REOPENED' then 1 end) as bigint) as reopened_count,
        max_by(due_at, step_number) filter (where due_at is not null) as due_at,
        max_by(category, step_number) filter (where category is not null) as category,
        max_by(cause_class, step_number) filter (where cause_class is not null) as cause_class,
        max_by(severity, step_number) filter (where severity is not null) as severity,
        max_by(product_id, step_number) filter (where product_id is not null) as product_id,
        max_by(staff_id, step_number) filter (where staff_id is not null) as staff_id,
        max_by(channel_id, step_number) filter (where channel_id is not null) as channel_id,
        max_by(satisfaction, step_number) filter (where satisfaction is not null) as satisfaction,
        max_by(step, step_number) as last_step,
        version_from as visible_from,
        version_to as visible_to
    from numbered
    group by complaint_id, version_from, version_to
)

select
    complaint_id,
    subscriber_id,
    opened_at,
    acknowledged_at,
    analysed_at,
    resolved_at,
    recorded_at,
    followed_up_at,
    reopened_at,
    withdrawn_at,
    reopened_count,
    due_at,
    category,
    cause_class,
    severity,
    product_id,
    staff_id,
    channel_id,
    satisfaction,
    last_step,
    withdrawn_at is null
    and (resolved_at is null or coalesce(reopened_at > resolved_at, false)) as is_open,
    visible_from,
    visible_to
from folded
