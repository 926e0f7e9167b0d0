{{ config(materialized='table') }}
{%- set resources = ['voice', 'data', 'sms'] %}
{%- set measures = {'voice': 'voice_out_minutes', 'data': 'data_mb', 'sms': 'sms_out'} %}
{%- set amounts = {'voice': 'voice_minutes', 'data': 'data_mb', 'sms': 'sms_count'} %}

-- O34: lines that come over a level of an allowance on the date for the first time in the month, and
-- of which resources.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- Only who is over a level today can have come over it today.
near_limit as (
    select
        {%- for resource in resources %}
        used.{{ resource }}_mtd,
        plans.{{ resource }}_allowance_mtd,
        {%- for level in ['warn', 'full'] %}
        coalesce(
            used.{{ resource }}_mtd >= parameters.over_plan_{{ level }} * plans.{{ resource }}_allowance_mtd, false
        ) as is_{{ level }}_{{ resource }},
        {%- endfor %}
        {%- endfor %}
        plans.subscriber_id,
        plans.has_changed_mtd
    from {{ ref('int_allowances') }} as plans
    cross join parameters
    inner join {{ ref('int_plan_use') }} as used on plans.subscriber_id = used.subscriber_id
    where
        plans.is_plan_known
        and (
            {%- for resource in resources %}
            {{ 'or ' if not loop.first }}used.{{ resource }}_mtd
            >= least(parameters.over_plan_warn, parameters.over_plan_full) * plans.{{ resource }}_allowance_mtd
            {%- endfor %}
        )
),

-- While the allowance is the same, who was over it on a day of the month was so yesterday.
used_today as (
    select
        usage.subscriber_id,
        usage.voice_out_minutes,
        usage.data_mb,
        usage.sms_out
    from {{ ref('fct_usage_daily') }} as usage
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    where usage.usage_date = {{ as_of() }} and {{ is_visible('usage', as_of()) }}
),

past_steady as (
    select
        {%- for resource in resources %}
        {%- for level in ['warn', 'full'] %}
        near_limit.{{ resource }}_mtd - coalesce(used_today.{{ measures[resource] }}, 0)
        >= parameters.over_plan_{{ level }} * near_limit.{{ resource }}_allowance_mtd as was_{{ level }}_{{ resource }},
        {%- endfor %}
        {%- endfor %}
        near_limit.subscriber_id
    from near_limit
    cross join parameters
    left join used_today on near_limit.subscriber_id = used_today.subscriber_id
    where not near_limit.has_changed_mtd
),

-- Of the others each day of the month is looked at, with the plan and the packs of that day.
days_to_date as (
    {{ days_to_date() }}
),

past_days as (
    select
        near_limit.subscriber_id,
        days_to_date.dt
    from near_limit
    cross join days_to_date
    where near_limit.has_changed_mtd and days_to_date.dt < {{ as_of() }}
),

holdings as (
    select holdings.*
    from {{ ref('int_holdings') }} as holdings
    inner join near_limit on holdings.subscriber_id = near_limit.subscriber_id
    where near_limit.has_changed_mtd and coalesce(holdings.ended_on >= {{ month_first() }}, true)
),

plan_holdings as (
    select
        subscriber_id,
        product_id,
        started_on,
        ended_on,
        row_number() over (partition by subscriber_id order by started_at, subscription_id) as plan_number
    from holdings
    where product_kind = 'PLAN'
),

plan_versions as (
    select
        plan_id,
        case
            when lag(valid_from) over versions is null then cast('0001-01-01' as date) else valid_from
        end as valid_from,
        coalesce(lead(valid_from) over versions, {{ end_of_time() }}) as replaced_on,
        voice_minutes,
        data_mb,
        sms_count
    from {{ ref('dim_plans') }} as plans
    where {{ is_visible('plans', as_of()) }}
    window versions as (partition by plan_id order by valid_from)
),

past_plans as (
    select
        past_days.subscriber_id,
        past_days.dt,
        max_by(coalesce(plan_holdings.product_id, ''), plan_holdings.plan_number) as plan_id
    from past_days
    inner join plan_holdings
        on
            past_days.subscriber_id = plan_holdings.subscriber_id
            and past_days.dt >= plan_holdings.started_on
            and coalesce(past_days.dt < plan_holdings.ended_on, true)
    group by past_days.subscriber_id, past_days.dt
),

past_packs as (
    select
        past_days.subscriber_id,
        past_days.dt,
        sum(packs.voice_minutes) as voice_amount,
        sum(packs.data_mb) as data_amount,
        sum(packs.sms_count) as sms_amount
    from past_days
    inner join holdings as packs
        on past_days.subscriber_id = packs.subscriber_id and past_days.dt >= packs.started_on
    where packs.product_kind in ('VAS', 'DATA_PACK', 'BUNDLE')
    group by past_days.subscriber_id, past_days.dt
),

used_this_month as (
    select
        usage.subscriber_id,
        usage.usage_date,
        usage.voice_out_minutes,
        usage.data_mb,
        usage.sms_out
    from {{ ref('fct_usage_daily') }} as usage
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    inner join near_limit on usage.subscriber_id = near_limit.subscriber_id
    where
        near_limit.has_changed_mtd
        and usage.usage_date >= {{ month_first() }}
        and usage.usage_date < {{ as_of() }}
        and {{ is_visible('usage', as_of()) }}
),

past_use as (
    select
        {%- for resource in resources %}
        sum(coalesce(used_this_month.{{ measures[resource] }}, 0)) over to_day as {{ resource }},
        {%- endfor %}
        past_days.subscriber_id,
        past_days.dt
    from past_days
    left join used_this_month
        on
            past_days.subscriber_id = used_this_month.subscriber_id
            and past_days.dt = used_this_month.usage_date
    window to_day as (
        partition by past_days.subscriber_id order by past_days.dt rows between unbounded preceding and current row
    )
),

past_changed as (
    select
        {%- for resource in resources %}
        {%- set amount = amounts[resource] %}
        {%- for level in ['warn', 'full'] %}
        bool_or(
            plan_versions.{{ amount }} > 0
            and past_use.{{ resource }}
            >= parameters.over_plan_{{ level }}
            * (plan_versions.{{ amount }} + coalesce(past_packs.{{ resource }}_amount, 0))
        ) as was_{{ level }}_{{ resource }},
        {%- endfor %}
        {%- endfor %}
        past_use.subscriber_id
    from past_use
    cross join parameters
    inner join past_plans on past_use.subscriber_id = past_plans.subscriber_id and past_use.dt = past_plans.dt
    inner join plan_versions
        on
            past_plans.plan_id = plan_versions.plan_id
            and past_plans.dt >= plan_versions.valid_from
            and past_plans.dt < plan_versions.replaced_on
    left join past_packs on past_use.subscriber_id = past_packs.subscriber_id and past_use.dt = past_packs.dt
    group by past_use.subscriber_id
),

reached as (
    select
        {%- for resource in resources %}
        {%- set was_warn = 'coalesce(steady.was_warn_' ~ resource ~ ', changed.was_warn_' ~ resource ~ ', false)' %}
        {%- set was_full = 'coalesce(steady.was_full_' ~ resource ~ ', changed.was_full_' ~ resource ~ ', false)' %}
        near_limit.is_warn_{{ resource }}
        and not near_limit.is_full_{{ resource }}
        and not {{ was_warn }}
        and not {{ was_full }} as reaches_warn_{{ resource }},
        near_limit.is_full_{{ resource }} and not {{ was_full }} as reaches_full_{{ resource }},
        {%- endfor %}
        near_limit.subscriber_id
    from near_limit
    left join past_steady as steady on near_limit.subscriber_id = steady.subscriber_id
    left join past_changed as changed on near_limit.subscriber_id = changed.subscriber_id
)

select
    {%- for code, level in {'over_plan_80': 'warn', 'over_plan_100': 'full'}.items() %}
    nullif(
        concat_ws(
            ';',
            case when reaches_{{ level }}_voice then 'VOICE' end,
            case when reaches_{{ level }}_data then 'DATA' end,
            case when reaches_{{ level }}_sms then 'SMS' end
        ),
        ''
    ) as {{ code }}_resources,
    {%- endfor %}
    subscriber_id
from reached
