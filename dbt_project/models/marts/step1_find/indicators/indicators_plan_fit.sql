{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set months = [1, 2, 3, 4, 5, 6] %}
{%- set resources = ['voice', 'data', 'sms'] %}

-- Months of use are known where enough of their days came; invoices count back from the newest month
-- of which any is visible.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

feeds as (
    select coalesce(bool_or(feed = 'billing_subscriptions' and has_arrived), false) as has_holdings
    from {{ ref('int_feed_arrivals') }}
),

known as (
    select
        {%- for month in months %}
        count(
            case when known_days.known_on between {{ month_first(month) }} and {{ month_last(month) }} then 1 end
        ) >= max(parameters.fit_min_known_days) as is_m{{ month }}_known,
        {%- endfor %}
        count(case when known_days.known_on >= {{ month_first() }} then 1 end) as known_days_mtd,
        count(case when known_days.known_on > {{ days_after(as_of(), -30) }} then 1 end) as known_days_30d
    from {{ ref('int_known_days') }} as known_days
    cross join parameters
    where known_days.known_on >= {{ month_first(6) }}
),

use_of_allowance as (
    select
        {%- for month in months %}
        {%- for resource in resources %}
        case
            when known.is_m{{ month }}_known
                then cast(used.{{ resource }}_m{{ month }} as double) / plans.{{ resource }}_allowance_m{{ month }}
        end as {{ resource }}_m{{ month }},
        case
            when known.is_m{{ month }}_known
                then
                    used.{{ resource }}_m{{ month }} > parameters.fit_high * plans.{{ resource }}_allowance_m{{ month }}
        end as is_{{ resource }}_over_m{{ month }},
        case
            when known.is_m{{ month }}_known
                then
                    used.{{ resource }}_m{{ month }} < parameters.fit_low * plans.{{ resource }}_allowance_m{{ month }}
        end as is_{{ resource }}_under_m{{ month }},
        {%- endfor %}
        {%- endfor %}
        {%- for resource in resources %}
        case
            when known.known_days_mtd > 0
                then cast(used.{{ resource }}_mtd as double) / plans.{{ resource }}_allowance_mtd
        end as {{ resource }}_mtd,
        {%- endfor %}
        case
            when known.known_days_30d > 0 and plans.data_allowance_mtd is not null
                then
                    greatest(cast(plans.data_allowance_mtd - used.data_mtd as double), 0)
                    / nullif(cast(recent.data_mb_30d as double) / known.known_days_30d, 0)
        end as data_days_left,
        plans.subscriber_id
    from {{ ref('int_allowances') }} as plans
    cross join parameters
    cross join known
    inner join {{ ref('int_plan_use') }} as used on plans.subscriber_id = used.subscriber_id
    left join {{ ref('int_usage_state') }} as recent
        on plans.subscriber_id = recent.subscriber_id and recent.as_of_date = {{ as_of() }}
),

-- A month is over when any resource is, under when all that are limited are; it counts when one is.
month_flags as (
    select
        {%- for month in months %}
        case
            when coalesce(is_voice_over_m{{ month }}, is_data_over_m{{ month }}, is_sms_over_m{{ month }}) is not null
                then 1
            else 0
        end as known_m{{ month }},
        case
            when is_voice_over_m{{ month }} or is_data_over_m{{ month }} or is_sms_over_m{{ month }} then 1
            else 0
        end as over_m{{ month }},
        case
            when
                coalesce(is_voice_under_m{{ month }}, true)
                and coalesce(is_data_under_m{{ month }}, true)
                and coalesce(is_sms_under_m{{ month }}, true)
                then 1
            else 0
        end as under_m{{ month }},
        {%- endfor %}
        subscriber_id
    from use_of_allowance
),

month_counts as (
    select
        subscriber_id,
        known_m1 + known_m2 + known_m3 + known_m4 + known_m5 + known_m6 as months_known,
        over_m1 + over_m2 + over_m3 + over_m4 + over_m5 + over_m6 as months_over,
        known_m1 * under_m1
        + known_m2 * under_m2
        + known_m3 * under_m3
        + known_m4 * under_m4
        + known_m5 * under_m5
        + known_m6 * under_m6 as months_under
    from month_flags
),

released as (
    select
        invoices.subscriber_id,
        invoices.data_overage_cny,
        invoices.voice_overage_cny,
        invoices.plan_fee_cny,
        invoices.total_cny,
        12 * extract(year from invoices.month) + extract(month from invoices.month) as month_number
    from {{ ref('fct_invoices') }} as invoices
    where {{ is_visible('invoices', as_of()) }} and invoices.month >= {{ month_first(7) }}
),

newest as (
    select
        max(month_number) as month_number,
        12 * extract(year from {{ as_of() }}) + extract(month from {{ as_of() }}) - max(month_number) as months_back
    from released
),

billed as (
    select
        released.subscriber_id,
        cast(sum(released.data_overage_cny) as double) / 3 as data_overage_cny,
        cast(sum(released.voice_overage_cny) as double) / 3 as voice_overage_cny,
        count(released.data_overage_cny) as data_overage_months,
        count(released.voice_overage_cny) as voice_overage_months,
        cast(sum(released.plan_fee_cny) as double) as plan_fee_cny,
        count(released.plan_fee_cny) as plan_fee_months,
        cast(sum(released.total_cny) as double) as total_cny,
        count(released.total_cny) as total_months
    from released
    cross join newest
    where released.month_number > newest.month_number - 3
    group by released.subscriber_id
),

-- Use in the months of those invoices.
billed_use as (
    select
        used.subscriber_id,
        case
            {%- for back in [1, 2, 3] %}
            when
                newest.months_back = {{ back }}
                and known.is_m{{ back }}_known
                and known.is_m{{ back + 1 }}_known
                and known.is_m{{ back + 2 }}_known
                then cast(used.data_m{{ back }} + used.data_m{{ back + 1 }} + used.data_m{{ back + 2 }} as double)
            {%- endfor %}
        end as data_mb,
        case
            {%- for back in [1, 2, 3] %}
            when
                newest.months_back = {{ back }}
                and known.is_m{{ back }}_known
                and known.is_m{{ back + 1 }}_known
                and known.is_m{{ back + 2 }}_known
                then cast(used.voice_m{{ back }} + used.voice_m{{ back + 1 }} + used.voice_m{{ back + 2 }} as double)
            {%- endfor %}
        end as voice_minutes
    from {{ ref('int_plan_use') }} as used
    cross join newest
    cross join known
),

-- Changes of plan in a year, each with the fees of both plans on its day.
plan_starts as (
    select
        subscriber_id,
        product_id,
        started_on,
        lag(product_id) over (
            partition by subscriber_id order by started_at, subscription_id
        ) as previous_plan_id
    from {{ ref('int_holdings') }}
    where product_kind = 'PLAN' and started_on <= {{ as_of() }}
),

plan_versions as (
    select
        plan_id,
        monthly_fee_cny,
        case
            when lag(valid_from) over versions is null then cast('0001-01-01' as date) else valid_from
        end as valid_from,
        coalesce(lead(valid_from) over versions, {{ end_of_time() }}) as replaced_on
    from {{ ref('dim_plans') }} as plans
    where {{ is_visible('plans', as_of()) }}
    window versions as (partition by plan_id order by valid_from)
),

plan_changes as (
    select
        plan_starts.subscriber_id,
        count(*) as changes,
        count(case when newer.monthly_fee_cny < older.monthly_fee_cny then 1 end) as downgrades,
        count(case when newer.monthly_fee_cny > older.monthly_fee_cny then 1 end) as upgrades
    from plan_starts
    left join plan_versions as newer
        on
            plan_starts.product_id = newer.plan_id
            and plan_starts.started_on >= newer.valid_from
            and plan_starts.started_on < newer.replaced_on
    left join plan_versions as older
        on
            plan_starts.previous_plan_id = older.plan_id
            and plan_starts.started_on >= older.valid_from
            and plan_starts.started_on < older.replaced_on
    where
        plan_starts.started_on > {{ days_after(as_of(), -365) }}
        and plan_starts.previous_plan_id <> plan_starts.product_id
    group by plan_starts.subscriber_id
),

data_packs as (
    select
        subscriber_id,
        count(*) as packs
    from {{ ref('int_holdings') }}
    where
        product_kind = 'DATA_PACK'
        and started_on > {{ days_after(as_of(), -90) }}
        and started_on <= {{ as_of() }}
    group by subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    plans.subscriber_id,
    cast(plans.monthly_fee_cny as double) as plan_fee_cny,
    ratios.voice_m1 as voice_allowance_use_last_month,
    ratios.data_m1 as data_allowance_use_last_month,
    ratios.sms_m1 as sms_allowance_use_last_month,
    (ratios.voice_m1 + ratios.voice_m2 + ratios.voice_m3) / 3 as voice_allowance_use_avg_3m,
    (ratios.data_m1 + ratios.data_m2 + ratios.data_m3) / 3 as data_allowance_use_avg_3m,
    ratios.voice_mtd as voice_allowance_use_mtd,
    ratios.data_mtd as data_allowance_use_mtd,
    ratios.data_days_left as data_allowance_days_left,
    case
        when fits.fit_m1 is null then null
        when fits.fit_m1 = 'FIT' then 0
        when coalesce(fits.fit_m2, 'FIT') = 'FIT' then 1
        when coalesce(fits.fit_m3, 'FIT') = 'FIT' then 2
        else 3
    end as plan_mismatch_months,
    case when month_counts.months_known >= 3 then month_counts.months_over end as over_plan_months_6m,
    case when month_counts.months_known >= 3 then month_counts.months_under end as under_plan_months_6m,
    case when billed.data_overage_months = 3 then billed.data_overage_cny end as data_overage_avg_3m_cny,
    case when billed.voice_overage_months = 3 then billed.voice_overage_cny end as voice_overage_avg_3m_cny,
    case
        when billed.plan_fee_months = 3 and billed.total_months = 3
            then billed.plan_fee_cny / nullif(billed.total_cny, 0)
    end as plan_fee_share_3m,
    case
        when billed.total_months = 3 then billed.total_cny / nullif(billed_use.data_mb / 1024, 0)
    end as price_per_gb_3m_cny,
    case
        when billed.total_months = 3 then billed.total_cny / nullif(billed_use.voice_minutes, 0)
    end as price_per_minute_3m_cny,
    {{ days_between('plans.plan_started_on', as_of()) }} as plan_age_days,
    case when feeds.has_holdings then coalesce(plan_changes.changes, 0) end as plan_changes_12m,
    case when feeds.has_holdings then coalesce(plan_changes.downgrades, 0) end as plan_downgrades_12m,
    case when feeds.has_holdings then coalesce(plan_changes.upgrades, 0) end as plan_upgrades_12m,
    case when plans.is_plan_known then coalesce(plans.on_sale_to < {{ as_of() }}, false) end as is_plan_off_sale,
    case when feeds.has_holdings then coalesce(data_packs.packs, 0) end as data_packs_90d,
    cast(plans.pack_data_mb_m1 + plans.pack_data_mb_m2 + plans.pack_data_mb_m3 as double)
    / (plans.data_allowance_m1 + plans.data_allowance_m2 + plans.data_allowance_m3) as data_pack_share_3m,
    devices.network_generation - {{ generation_number('plans.plan_generation') }} as plan_generation_gap
from {{ ref('int_allowances') }} as plans
cross join feeds
inner join use_of_allowance as ratios on plans.subscriber_id = ratios.subscriber_id
inner join month_counts on plans.subscriber_id = month_counts.subscriber_id
inner join {{ ref('int_findings_fit') }} as fits on plans.subscriber_id = fits.subscriber_id
inner join {{ ref('int_findings_devices') }} as devices on plans.subscriber_id = devices.subscriber_id
left join billed on plans.subscriber_id = billed.subscriber_id
left join billed_use on plans.subscriber_id = billed_use.subscriber_id
left join plan_changes on plans.subscriber_id = plan_changes.subscriber_id
left join data_packs on plans.subscriber_id = data_packs.subscriber_id
