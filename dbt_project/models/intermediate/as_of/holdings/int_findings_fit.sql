{{ config(materialized='table') }}
{%- set months = [1, 2, 3] %}

-- Signals of use against the plan: O32, O34, O36. One row a base line; null is unknown.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

feeds as (
    select
        coalesce(bool_or(feed = 'billing_subscriptions' and has_arrived), false)
        and coalesce(bool_or(feed = 'billing_plans' and has_arrived), false) as has_plans
    from {{ ref('int_feed_arrivals') }}
),

known as (
    select count(*) = {{ days_between(month_first(), as_of()) }} + 1 as is_mtd_whole
    from {{ ref('int_known_days') }}
    where known_on >= {{ month_first() }}
),

-- O32. How a month fits: null where it does not count. On a plan that slows data down its use never
-- exceeds the allowance, and being slowed says that it would have.
fits as (
    select
        {%- for month in months %}
        case
            when used.active_days_m{{ month }} < parameters.fit_min_known_days then null
            when
                plans.voice_allowance_m{{ month }} is null
                and plans.data_allowance_m{{ month }} is null
                and plans.sms_allowance_m{{ month }} is null
                then null
            when
                used.active_voice_m{{ month }} > parameters.fit_high * plans.voice_allowance_m{{ month }}
                or used.active_sms_m{{ month }} > parameters.fit_high * plans.sms_allowance_m{{ month }}
                or (
                    case
                        when plans.is_throttled_m{{ month }}
                            then used.is_slowed_m{{ month }} and plans.data_allowance_m{{ month }} is not null
                        else used.active_data_m{{ month }} > parameters.fit_high * plans.data_allowance_m{{ month }}
                    end
                )
                then 'OVER'
            when
                (
                    plans.voice_allowance_m{{ month }} is null
                    or used.active_voice_m{{ month }} < parameters.fit_low * plans.voice_allowance_m{{ month }}
                )
                and (
                    plans.data_allowance_m{{ month }} is null
                    or used.active_data_m{{ month }} < parameters.fit_low * plans.data_allowance_m{{ month }}
                )
                and (
                    plans.sms_allowance_m{{ month }} is null
                    or used.active_sms_m{{ month }} < parameters.fit_low * plans.sms_allowance_m{{ month }}
                )
                then 'UNDER'
            else 'FIT'
        end as fit_m{{ month }},
        {%- endfor %}
        plans.subscriber_id,
        plans.plan_id
    from {{ ref('int_allowances') }} as plans
    cross join parameters
    inner join {{ ref('int_plan_use') }} as used on plans.subscriber_id = used.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    fits.subscriber_id,
    fits.fit_m1,
    fits.fit_m2,
    fits.fit_m3,
    case
        when fits.fit_m1 = 'FIT' or fits.fit_m2 = 'FIT' or fits.fit_m3 = 'FIT' then false
        when fits.fit_m1 is not null and fits.fit_m2 is not null and fits.fit_m3 is not null then true
    end as plan_mismatch,
    case
        when fits.fit_m1 = 'FIT' or fits.fit_m2 = 'FIT' or fits.fit_m3 = 'FIT' then null
        when fits.fit_m1 = fits.fit_m2 and fits.fit_m1 = fits.fit_m3 then fits.fit_m1
        when fits.fit_m1 is not null and fits.fit_m2 is not null and fits.fit_m3 is not null then 'MIXED'
    end as mismatch_direction,
    {%- for code in ['over_plan_80', 'over_plan_100'] %}
    case
        when not feeds.has_plans or fits.plan_id is null then null
        when over_plan.{{ code }}_resources is not null then true
        when known.is_mtd_whole then false
    end as {{ code }},
    case
        when feeds.has_plans and fits.plan_id is not null then over_plan.{{ code }}_resources
    end as {{ code }}_resources,
    {%- endfor %}
    case
        when data_overuse.is_over_mtd or data_overuse.is_over_m1 then true
        when not data_overuse.is_over_mtd and not data_overuse.is_over_m1 then false
    end as data_mismatch,
    data_overuse.cause as data_mismatch_cause,
    data_overuse.causes as data_mismatch_causes,
    data_overuse.unknown_causes as data_mismatch_unknown_causes
from fits
cross join feeds
cross join known
inner join {{ ref('int_data_overuse') }} as data_overuse on fits.subscriber_id = data_overuse.subscriber_id
left join {{ ref('int_over_plan') }} as over_plan on fits.subscriber_id = over_plan.subscriber_id
