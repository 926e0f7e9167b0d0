{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set kinds = {
    'e1': 'has_shared_device',
    'e2': 'has_top_offnet_contact',
    'e3': 'has_circle_overlap',
    'e4': 'has_competitor_forward',
    'e5': 'has_complementary_use',
    'e6': 'has_same_areas',
} %}

-- Owners of a second handset with a competitor's number: at least so many kinds of evidence, one of
-- them off-net (E2 to E5). Unknown when the kinds that cannot be told could make up for what is missing.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

feeds as (
    select
        coalesce(max(case when feed = 'usage_devices' then {{ one_if('has_arrived') }} end), 0) = 1 as has_devices,
        coalesce(
            max(
                case
                    when feed = 'usage_competitor_contacts'
                        then {{ one_if('has_arrived and missing_90d = 0') }}
                end
            ), 0
        ) = 1 as has_all_contacts
    from {{ ref('int_feed_arrivals') }}
),

months as (
    select
        count(case when releases.feed = 'usage_call_circle' then 1 end) > 0 as has_circles,
        count(case when releases.feed = 'usage_areas' then 1 end) > 0 as has_areas
    from {{ ref('int_month_releases') }} as releases
    cross join parameters
    where
        releases.as_of_date = {{ as_of() }}
        and {{ days_between('releases.released_on', as_of()) }} < parameters.dual_memory_days
),

kinds as (
    select
        lines.subscriber_id,
        case
            when not feeds.has_devices then null
            else evidence.shared_device_on is not null
        end as has_shared_device,
        case
            when not months.has_circles then null
            else evidence.offnet_top_on is not null
        end as has_top_offnet_contact,
        case
            when not months.has_circles then null
            else evidence.circle_overlap_on is not null
        end as has_circle_overlap,
        case
            when evidence.forward_on is not null then true
            when feeds.has_all_contacts then false
        end as has_competitor_forward,
        -- alone it cannot flag, so without other evidence it is not looked at
        case
            when evidence.subscriber_id is null then false
            when uses.complementary_on is not null then true
            else uses.is_complementary
        end as has_complementary_use,
        case
            when evidence.shared_device_on is null then false
            when not months.has_areas then null
            else evidence.same_areas_on is not null
        end as has_same_areas,
        evidence.shared_device_on,
        evidence.offnet_top_on,
        evidence.circle_overlap_on,
        evidence.forward_on,
        case when evidence.subscriber_id is not null then uses.complementary_on end as complementary_use_on,
        evidence.same_areas_on
    from {{ ref('int_lines') }} as lines
    cross join feeds
    cross join months
    left join {{ ref('int_dual_evidence') }} as evidence on lines.subscriber_id = evidence.subscriber_id
    left join {{ ref('int_complementary_use') }} as uses
        on lines.subscriber_id = uses.subscriber_id and uses.as_of_date = {{ as_of() }}
),

counted as (
    select
        kinds.*,
        {% for kind in kinds.values() %}{{ ' + ' if not loop.first }}{{ one_if('kinds.' ~ kind) }}{% endfor %} as held_kinds,  -- noqa: LT05
        {% for kind in kinds.values() %}{{ ' + ' if not loop.first }}{{ one_if('kinds.' ~ kind ~ ' is null') }}{% endfor %} as unknown_kinds,  -- noqa: LT05
        {% for kind in ['e2', 'e3', 'e4', 'e5'] -%}
        coalesce(kinds.{{ kinds[kind] }}, false){{ ' or ' if not loop.last }}
        {%- endfor %} as is_offnet,
        {% for kind in ['e2', 'e3', 'e4', 'e5'] -%}
        coalesce(kinds.{{ kinds[kind] }}, true){{ ' or ' if not loop.last }}
        {%- endfor %} as may_be_offnet
    from kinds
)

select
    {{ as_of() }} as as_of_date,
    counted.subscriber_id,
    case
        when counted.held_kinds >= parameters.dual_min_types and counted.is_offnet then true
        when counted.held_kinds + counted.unknown_kinds >= parameters.dual_min_types and counted.may_be_offnet then null
        else false
    end as dual_handset,
    coalesce(
        counted.has_shared_device and counted.has_same_areas and not counted.is_offnet, false
    ) as is_dual_onnet,
    round(
        1
        {%- for kind, column in kinds.items() %}
        {{ '-' if loop.first else '*' }}
        (
            1
            - case
                when counted.{{ column }} then cast(parameters.dual_weight_{{ kind }} as double)
                else 0
            end
        )
        {%- endfor %}, 6
    ) as score,
    {% for column in kinds.values() -%}
    counted.{{ column }},
    {% endfor -%}
    counted.shared_device_on,
    counted.offnet_top_on,
    counted.circle_overlap_on,
    counted.forward_on,
    counted.complementary_use_on,
    counted.same_areas_on,
    greatest(
        counted.shared_device_on,
        counted.offnet_top_on,
        counted.circle_overlap_on,
        counted.forward_on,
        counted.complementary_use_on,
        counted.same_areas_on
    ) as last_evidence_on
from counted
cross join parameters
