-- noqa: disable=LT02
{{ config(materialized='table') }}
{%- set kinds = {
    'id': 'int_reentry_identities',
    'device': 'int_reentry_devices',
    'circle': 'int_reentry_circles',
} %}

-- O30: pairs of an old and a new line with what speaks for one person, and the score.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

told as (
    {%- for kind, relation in kinds.items() %}
    select
        old_subscriber_id,
        new_subscriber_id,
        {%- for name in kinds %}
        {{ 1 if name == kind else 0 }} as has_{{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref(relation) }}
    {%- if kind == 'circle' %}
    where as_of_date = {{ as_of() }}
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

pairs as (
    select
        told.old_subscriber_id,
        told.new_subscriber_id,
        {%- for name in kinds %}
        max(told.has_{{ name }}) = 1 as has_{{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from told
    group by told.old_subscriber_id, told.new_subscriber_id
),

dated as (
    select
        pairs.*,
        olds.ended_on as old_ended_on,
        news.activated_on as new_activated_on,
        olds.is_port_out,
        olds.frozen_from,
        olds.circle_month as old_month,
        news.circle_month as new_month,
        abs({{ days_between('olds.ended_on', 'news.activated_on') }}) as gap_days
    from pairs
    inner join {{ ref('int_ended_lines') }} as olds
        on pairs.old_subscriber_id = olds.subscriber_id and olds.as_of_date = {{ as_of() }}
    inner join {{ ref('int_new_lines') }} as news on pairs.new_subscriber_id = news.subscriber_id
    cross join parameters
    where
        abs({{ days_between('olds.ended_on', 'news.activated_on') }}) <= parameters.reentry_link_days
        and (olds.activated_on is null or olds.activated_on < news.activated_on)
),

dated_months as (
    select old_subscriber_id as subscriber_id, old_month as month from dated
    union
    select new_subscriber_id as subscriber_id, new_month as month from dated
),

homes as (
    select
        areas.subscriber_id,
        areas.month,
        areas.area_id_token
    from {{ ref('fct_areas') }} as areas
    inner join dated_months as wanted
        on areas.subscriber_id = wanted.subscriber_id and areas.month = wanted.month
    where areas.kind = 'HOME' and {{ is_visible('areas', as_of()) }}
),

evidence as (
    select
        dated.*,
        coalesce(old_homes.area_id_token = new_homes.area_id_token, false) as has_area
    from dated
    left join homes as old_homes
        on dated.old_subscriber_id = old_homes.subscriber_id and dated.old_month = old_homes.month
    left join homes as new_homes
        on dated.new_subscriber_id = new_homes.subscriber_id and dated.new_month = new_homes.month
),

scored as (
    select
        evidence.*,
        cast(
            1
            {%- for name in ['id', 'device', 'circle', 'area'] %}
            {{ '-' if loop.first else '*' }}
            cast(
                1 - case when evidence.has_{{ name }} then parameters.reentry_weight_{{ name }} else 0 end
                as decimal(5, 4)
            )
            {%- endfor %} as decimal(18, 16)
        ) as score
    from evidence
    cross join parameters
)

select
    scored.old_subscriber_id,
    scored.new_subscriber_id,
    scored.old_ended_on,
    scored.new_activated_on,
    scored.gap_days,
    scored.is_port_out,
    scored.frozen_from,
    scored.has_id,
    scored.has_device,
    scored.has_circle,
    scored.has_area,
    scored.score
from scored
cross join parameters
where scored.score >= parameters.reentry_min_score
