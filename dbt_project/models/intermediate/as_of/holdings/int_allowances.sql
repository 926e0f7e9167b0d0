{{ config(materialized='table') }}
{%- set months = [1, 2, 3, 4, 5, 6] %}
{%- set resources = {'voice': 'voice_minutes', 'data': 'data_mb', 'sms': 'sms_count'} %}
{%- set held_on = 'started_on <= DAY and ended_on > DAY' %}
{%- set types = {'voice': 'decimal(18, 2)', 'data': 'decimal(18, 3)', 'sms': 'bigint'} %}

-- The plan of each base line at the date and in the closed months m1 (the newest) to m6, and what it
-- grants with the packs held: until the date (`_mtd`) and in each month. A month's plan is null unless
-- it was held all month. An allowance is null where the plan has no limit, or nothing to limit.
with
lines as (
    select subscriber_id from {{ ref('int_lines') }}
),

plan_holdings as (
    select
        subscriber_id,
        coalesce(product_id, '') as plan_id,
        started_at,
        started_on,
        coalesce(ended_on, {{ end_of_time() }}) as ended_on,
        subscription_id
    from {{ ref('int_holdings') }}
    where product_kind = 'PLAN' and coalesce(ended_on > {{ month_first(6) }}, true)
),

-- Most lines had one plan all along, and nothing is to be chosen.
holders as (
    select
        subscriber_id,
        count(*) as holdings,
        min(plan_id) as plan_id,
        min(started_on) as started_on,
        min(ended_on) as ended_on
    from plan_holdings
    group by subscriber_id
),

in_turn as (
    select
        plan_holdings.subscriber_id,
        plan_holdings.plan_id,
        plan_holdings.started_on,
        plan_holdings.ended_on,
        row_number() over (
            partition by plan_holdings.subscriber_id order by plan_holdings.started_at, plan_holdings.subscription_id
        ) as plan_number
    from plan_holdings
    inner join holders on plan_holdings.subscriber_id = holders.subscriber_id
    where holders.holdings > 1
),

held as (
    {%- for is_one in [true, false] %}
    {%- set newest = 'case when CONDITION then plan_id end' if is_one
        else 'max_by(plan_id, case when CONDITION then plan_number end)' %}
    {%- set any = '' if is_one else 'bool_or' %}
    select
        {{ newest.replace('CONDITION', held_on.replace('DAY', as_of())) }} as plan_id,
        {{ '' if is_one else 'max' }}(
            case when {{ held_on.replace('DAY', as_of()) }} then started_on end
        ) as plan_started_on,
        {{ any }}(
            (started_on > {{ month_first() }} and started_on <= {{ as_of() }})
            or (ended_on > {{ month_first() }} and ended_on <= {{ as_of() }})
        ) as has_changed_mtd,
        {%- for month in months %}
        {{ newest.replace('CONDITION', held_on.replace('DAY', month_first(month))) }} as first_plan_id_m{{ month }},
        {{ newest.replace('CONDITION', held_on.replace('DAY', month_last(month))) }} as last_plan_id_m{{ month }},
        {{ any }}(
            started_on > {{ month_first(month) }} and started_on <= {{ month_last(month) }}
        ) as has_started_m{{ month }},
        {%- endfor %}
        subscriber_id
    {%- if is_one %}
    from holders
    where holdings = 1
    union all
    {%- else %}
    from in_turn
    group by subscriber_id
    {%- endif %}
    {%- endfor %}
),

packs as (
    select
        {%- for resource, amount in resources.items() %}
        sum(case when coalesce(ended_on >= {{ month_first() }}, true) then {{ amount }} end) as {{ resource }}_mtd,
        {%- for month in months %}
        sum(
            case
                when started_on <= {{ month_last(month) }} and coalesce(ended_on >= {{ month_first(month) }}, true)
                    then {{ amount }}
            end
        ) as {{ resource }}_m{{ month }},
        {%- endfor %}
        {%- endfor %}
        bool_or(started_on > {{ month_first() }}) as has_changed_mtd,
        subscriber_id
    from {{ ref('int_holdings') }}
    where
        product_kind in ('VAS', 'DATA_PACK', 'BUNDLE')
        and started_on <= {{ as_of() }}
        and coalesce(ended_on >= {{ month_first(6) }}, true)
        and (voice_minutes > 0 or data_mb > 0 or sms_count > 0)
    group by subscriber_id
),

plan_versions as (
    select
        plan_id,
        valid_from as stated_from,
        case
            when lag(valid_from) over versions is null then cast('0001-01-01' as date) else valid_from
        end as valid_from,
        coalesce(lead(valid_from) over versions, {{ end_of_time() }}) as replaced_on,
        monthly_fee_cny,
        voice_minutes,
        data_mb,
        sms_count,
        overage_mode,
        network_generation,
        on_sale_to
    from {{ ref('dim_plans') }} as plans
    where {{ is_visible('plans', as_of()) }}
    window versions as (partition by plan_id order by valid_from)
)

select
    {{ as_of() }} as as_of_date,
    nullif(held.plan_id, '') as plan_id,
    case when held.plan_id <> '' then held.plan_started_on end as plan_started_on,
    plans.plan_id is not null as is_plan_known,
    plans.monthly_fee_cny,
    plans.network_generation as plan_generation,
    plans.on_sale_to,
    -- whether the allowances of the running month may have changed in it
    coalesce(held.has_changed_mtd, false)
    or coalesce(packs.has_changed_mtd, false)
    or coalesce(plans.stated_from > {{ month_first() }}, false) as has_changed_mtd,
    {%- for resource, amount in resources.items() %}
    case
        when plans.{{ amount }} > 0
            then cast(plans.{{ amount }} + coalesce(packs.{{ resource }}_mtd, 0) as {{ types[resource] }})
    end as {{ resource }}_allowance_mtd,
    {%- endfor %}
    {%- for month in months %}
    plans_m{{ month }}.plan_id as plan_id_m{{ month }},
    coalesce(plans_m{{ month }}.overage_mode = 'THROTTLE', false) as is_throttled_m{{ month }},
    {%- for resource, amount in resources.items() %}
    case
        when plans_m{{ month }}.{{ amount }} > 0
            then
                cast(
                    plans_m{{ month }}.{{ amount }} + coalesce(packs.{{ resource }}_m{{ month }}, 0)
                    as {{ types[resource] }}
                )
    end as {{ resource }}_allowance_m{{ month }},
    {%- endfor %}
    cast(coalesce(packs.data_m{{ month }}, 0) as decimal(18, 3)) as pack_data_mb_m{{ month }},
    {%- endfor %}
    lines.subscriber_id
from lines
left join held on lines.subscriber_id = held.subscriber_id
left join packs on lines.subscriber_id = packs.subscriber_id
left join plan_versions as plans
    on
        held.plan_id = plans.plan_id
        and plans.valid_from <= {{ as_of() }}
        and plans.replaced_on > {{ as_of() }}
{%- for month in months %}
left join plan_versions as plans_m{{ month }}
    on
        held.first_plan_id_m{{ month }} = plans_m{{ month }}.plan_id
        and held.last_plan_id_m{{ month }} = plans_m{{ month }}.plan_id
        and not held.has_started_m{{ month }}
        and plans_m{{ month }}.valid_from <= {{ month_first(month) }}
        and plans_m{{ month }}.replaced_on > {{ month_first(month) }}
{%- endfor %}
