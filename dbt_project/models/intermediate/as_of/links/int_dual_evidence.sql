{{ config(materialized='table') }}
{%- set no_day = 'cast(null as date)' %}

-- When each line last showed evidence of a second handset, but for its use (E5). Lines of the base
-- with any; a date is the last day, or release, on which the evidence held.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

twins as (
    select subscriber_id, max(last_shared_on) as shared_device_on
    from {{ ref('int_handset_twins') }}
    group by subscriber_id
),

circles as (
    select
        subscriber_id,
        max(case when is_concentrated then released_on end) as offnet_top_on,
        max(case when is_overlapping then released_on end) as circle_overlap_on
    from {{ ref('int_circle_evidence') }}
    where as_of_date = {{ as_of() }}
    group by subscriber_id
),

forward_events as (
    select
        contacts.subscriber_id,
        contacts.kind,
        contacts.competitor,
        contacts.occurred_at,
        lead(contacts.occurred_at) over (
            partition by contacts.subscriber_id, coalesce(contacts.forward_type, 'CFU')
            order by contacts.occurred_at, {{ one_if("contacts.kind = 'CALL_FORWARD_ON'") }}, contacts.event_id
        ) as until
    from {{ ref('fct_competitor_contacts') }} as contacts
    cross join parameters
    where
        {{ is_visible('contacts', as_of()) }}
        and contacts.kind in ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF')
        and contacts.occurred_at is not null
        and concat(';', parameters.forward_types, ';')
        like concat('%;', coalesce(contacts.forward_type, 'CFU'), ';%')
),

-- A forward is in force from its start up to, but not at, its end.
forwards as (
    select
        forward_events.subscriber_id,
        max(
            case
                when forward_events.until is null then {{ as_of() }}
                when forward_events.until = cast(forward_events.until as date)
                    then {{ days_after('cast(forward_events.until as date)', -1) }}
                else cast(forward_events.until as date)
            end
        ) as forward_on
    from forward_events
    where
        forward_events.kind = 'CALL_FORWARD_ON'
        and forward_events.competitor is not null
        and (forward_events.until is null or forward_events.until > forward_events.occurred_at)
    group by forward_events.subscriber_id
),

area_months as (
    select releases.month, releases.released_on
    from {{ ref('int_month_releases') }} as releases
    cross join parameters
    where
        releases.as_of_date = {{ as_of() }}
        and releases.feed = 'usage_areas'
        and {{ days_between('releases.released_on', as_of()) }} < parameters.dual_memory_days
),

-- Home and work of a line with a twin.
places as (
    select
        areas.subscriber_id,
        areas.month,
        area_months.released_on,
        max(case when areas.kind = 'HOME' then areas.area_id_token end) as home,
        max(case when areas.kind = 'WORK' then areas.area_id_token end) as work
    from {{ ref('fct_areas') }} as areas
    inner join area_months on areas.month = area_months.month
    inner join twins on areas.subscriber_id = twins.subscriber_id
    where {{ is_visible('areas', as_of()) }}
    group by areas.subscriber_id, areas.month, area_months.released_on
),

neighbours as (
    select
        pairs.subscriber_id,
        max(own.released_on) as same_areas_on
    from {{ ref('int_handset_twins') }} as pairs
    inner join places as own on pairs.subscriber_id = own.subscriber_id
    inner join places as others
        on
            pairs.twin_id = others.subscriber_id
            and own.month = others.month
            and own.home = others.home
            and own.work = others.work
    group by pairs.subscriber_id
),

evidence as (
    select
        subscriber_id,
        shared_device_on,
        {{ no_day }} as offnet_top_on,
        {{ no_day }} as circle_overlap_on,
        {{ no_day }} as forward_on,
        {{ no_day }} as same_areas_on
    from twins
    union all
    select
        subscriber_id,
        {{ no_day }} as shared_device_on,
        offnet_top_on,
        circle_overlap_on,
        {{ no_day }} as forward_on,
        {{ no_day }} as same_areas_on
    from circles
    union all
    select
        forwards.subscriber_id,
        {{ no_day }} as shared_device_on,
        {{ no_day }} as offnet_top_on,
        {{ no_day }} as circle_overlap_on,
        forwards.forward_on,
        {{ no_day }} as same_areas_on
    from forwards
    cross join parameters
    where {{ days_between('forwards.forward_on', as_of()) }} < parameters.dual_memory_days
    union all
    select
        subscriber_id,
        {{ no_day }} as shared_device_on,
        {{ no_day }} as offnet_top_on,
        {{ no_day }} as circle_overlap_on,
        {{ no_day }} as forward_on,
        same_areas_on
    from neighbours
)

select
    evidence.subscriber_id,
    max(evidence.shared_device_on) as shared_device_on,
    max(evidence.offnet_top_on) as offnet_top_on,
    max(evidence.circle_overlap_on) as circle_overlap_on,
    max(evidence.forward_on) as forward_on,
    max(evidence.same_areas_on) as same_areas_on
from evidence
inner join {{ ref('int_lines') }} as lines on evidence.subscriber_id = lines.subscriber_id
group by evidence.subscriber_id
