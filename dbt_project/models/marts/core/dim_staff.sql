{{ config(materialized='table') }}

with
staff as (
    {{ reference_versions(
        ref('stg_org__staff'),
        feed='org_staff',
        columns=[
            'staff_id',
            'org_id',
            'channel_id',
            'section_id',
            'role',
            'employment',
            'daily_capacity_calls',
            'daily_capacity_visits',
        ]
    ) }}
)

select
    staff.staff_id,
    staff.org_id,
    staff.channel_id,
    staff.section_id,
    staff.role,
    staff.employment,
    staff.daily_capacity_calls,
    staff.daily_capacity_visits,
    staff.visible_from,
    staff.visible_to
from staff
