{{ config(materialized='table') }}
{%- set levels = ['HQ', 'PROVINCE', 'CITY', 'BRANCH'] %}

with
units as (
    {{ reference_versions(
        ref('stg_org__units'),
        feed='org_units',
        columns=['org_id', 'parent_org_id', 'org_level', 'name_zh', 'name_en']
    ) }}
),

-- A unit with every unit above it: four levels, so three steps up at most.
lineage as (
    select units.org_id, units.visible_from, units.org_id as ancestor_id from units
    union all
    select units.org_id, units.visible_from, units.parent_org_id as ancestor_id from units
    union all
    select units.org_id, units.visible_from, parents.parent_org_id as ancestor_id
    from units
    inner join units as parents
        on units.parent_org_id = parents.org_id and units.visible_from = parents.visible_from
    union all
    select units.org_id, units.visible_from, grandparents.parent_org_id as ancestor_id
    from units
    inner join units as parents
        on units.parent_org_id = parents.org_id and units.visible_from = parents.visible_from
    inner join units as grandparents
        on parents.parent_org_id = grandparents.org_id and parents.visible_from = grandparents.visible_from
),

flattened as (
    select
        {% for level in levels %}
        max(case when ancestors.org_level = '{{ level }}' then ancestors.org_id end) as {{ level | lower }}_id,
        max(case when ancestors.org_level = '{{ level }}' then ancestors.name_zh end) as {{ level | lower }}_name_zh,
        max(case when ancestors.org_level = '{{ level }}' then ancestors.name_en end) as {{ level | lower }}_name_en,
        {% endfor %}
        lineage.org_id,
        lineage.visible_from
    from lineage
    inner join units as ancestors
        on lineage.ancestor_id = ancestors.org_id and lineage.visible_from = ancestors.visible_from
    group by lineage.org_id, lineage.visible_from
)

select
    units.org_id,
    units.parent_org_id,
    units.org_level,
    units.name_zh,
    units.name_en,
    {% for level in levels %}
    flattened.{{ level | lower }}_id,
    flattened.{{ level | lower }}_name_zh,
    flattened.{{ level | lower }}_name_en,
    {% endfor %}
    units.visible_from,
    units.visible_to
from units
inner join flattened
    on units.org_id = flattened.org_id and units.visible_from = flattened.visible_from
