-- noqa: disable=LT02
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set previous = newest_date_before(400) %}
{%- set levels = ['branch', 'city', 'province', 'hq'] %}

-- In and out by organisation and month: churners against lines added, gross, and net of number changes,
-- each side of which leaves its own month. Lines removed by the operator and lines never used are in
-- neither. A month is provisional until the links of its last day are final; then it stays as it was.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

number_changes as (
    select
        old_subscriber_id,
        new_subscriber_id,
        old_ended_on
    from {{ ref('reentry_links') }}
    where as_of_date = {{ as_of() }} and link_kind = 'NUMBER_CHANGE'
),

churners as (
    select
        churn.org_id,
        cast(date_trunc('month', churn.churn_date) as date) as month,
        count(*) as churners,
        sum({{ one_if('number_changes.old_subscriber_id is not null') }}) as changed_churners
    from {{ ref('int_churn') }} as churn
    left join number_changes
        on
            churn.subscriber_id = number_changes.old_subscriber_id
            and churn.churn_date = number_changes.old_ended_on
    where
        churn.as_of_date = {{ as_of() }}
        and not coalesce(churn.is_operator_removed, false)
        and churn.churn_date > {{ days_after(as_of(), -245) }}
    group by churn.org_id, cast(date_trunc('month', churn.churn_date) as date)
),

removed as (
    select distinct subscriber_id
    from {{ ref('int_churn') }}
    where as_of_date = {{ as_of() }} and is_operator_removed
),

-- Use or a payment: who ever gave a sign of life.
first_signs as (
    select subscriber_id
    from {{ ref('int_silences') }}
    where as_of_date = {{ as_of() }} and active_before is null
),

first_known as (
    select min(known_on) as first_known_on from {{ ref('int_known_days') }}
),

adds as (
    select
        lines.org_id,
        cast(date_trunc('month', lines.activated_on) as date) as month,
        count(*) as adds,
        sum({{ one_if('number_changes.new_subscriber_id is not null') }}) as changed_adds
    from {{ ref('int_new_lines') }} as lines
    cross join first_known
    left join first_signs on lines.subscriber_id = first_signs.subscriber_id
    left join removed on lines.subscriber_id = removed.subscriber_id
    left join number_changes on lines.subscriber_id = number_changes.new_subscriber_id
    where
        removed.subscriber_id is null
        and lines.activated_on > {{ days_after(as_of(), -245) }}
        and (first_signs.subscriber_id is not null or lines.activated_on < first_known.first_known_on)
    group by lines.org_id, cast(date_trunc('month', lines.activated_on) as date)
),

months as (
    select
        org_id,
        month,
        churners,
        changed_churners,
        0 as adds,
        0 as changed_adds
    from churners
    union all
    select
        org_id,
        month,
        0 as churners,
        0 as changed_churners,
        adds,
        changed_adds
    from adds
),

-- Every unit with those above it; a branch that nobody knows stands for itself.
units as (
    {%- for level in levels %}
    select
        months.*,
        {%- if level == 'branch' %}
        coalesce(months.org_id, 'UNKNOWN') as unit_id,
        'BRANCH' as org_level
        {%- else %}
        org.{{ level }}_id as unit_id,
        '{{ level | upper }}' as org_level
        {%- endif %}
    from months
    {%- if level != 'branch' %}
    inner join {{ ref('dim_org') }} as org
        on months.org_id = org.org_id and {{ is_visible('org', as_of()) }}
    where org.{{ level }}_id is not null
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

summed as (
    select
        unit_id,
        org_level,
        month,
        sum(churners) as churners,
        sum(changed_churners) as changed_churners,
        sum(adds) as adds,
        sum(changed_adds) as changed_adds
    from units
    group by unit_id, org_level, month
),

frozen as (
    select
        summed.*,
        cast(
            date_trunc('month', {{ days_after(
                "cast(date_trunc('month', " ~ days_after(
                    days_after("cast(date_trunc('month', " ~ days_after('summed.month', 31) ~ ") as date)", -1),
                    'parameters.reentry_link_days'
                ) ~ ") as date)", 92
            ) }}) as date
        ) as frozen_from
    from summed
    cross join parameters
    -- months that began before the lines and ends that are looked at are not whole
    where summed.month > {{ days_after(as_of(), -245) }}
)

select
    {{ as_of() }} as as_of_date,
    frozen.unit_id as org_id,
    frozen.org_level,
    frozen.month,
    cast(frozen.churners as bigint) as gross_churners,
    cast(frozen.adds as bigint) as gross_adds,
    cast(frozen.churners as double) / nullif(frozen.adds, 0) as gross_ratio,
    cast(frozen.churners - frozen.changed_churners as bigint) as net_churners,
    cast(frozen.adds - frozen.changed_adds as bigint) as net_adds,
    cast(frozen.churners - frozen.changed_churners as double) / nullif(frozen.adds - frozen.changed_adds, 0)
        as net_ratio,
    frozen.frozen_from,
    frozen.frozen_from > {{ as_of() }} as is_provisional
from frozen
{%- if previous %}
where frozen.frozen_from > cast('{{ previous }}' as date)
union all
select
    {{ as_of() }} as as_of_date,
    org_id,
    org_level,
    month,
    gross_churners,
    gross_adds,
    gross_ratio,
    net_churners,
    net_adds,
    net_ratio,
    frozen_from,
    false as is_provisional
from {{ this }}
where as_of_date = cast('{{ previous }}' as date) and not is_provisional
{%- endif %}
