{{ config(materialized='table') }}

-- Signals of money of each base line as of the date: O05, O07, O23, O29. Null is unknown. Means are
-- compared as sums, so that "at most 50%" holds exactly.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

balances as (
    select subscriber_id, balance_cny from {{ ref('fct_balances') }} where balance_date = {{ as_of() }}
),

complaint_days as (
    select
        coalesce(
            min(case when feed_days.is_arrived then feed_days.dt end) is null
            or count(
                case
                    when
                        not feed_days.is_arrived
                        and {{ days_between('feed_days.dt', as_of()) }} < parameters.bill_shock_complaint_days
                        and feed_days.dt > arrivals.first_arrived_on
                        then 1
                end
            ) > 0,
            true
        ) as is_unproven
    from {{ ref('int_feed_arrivals') }} as arrivals
    cross join parameters
    inner join {{ ref('fct_feed_days') }} as feed_days
        on arrivals.feed = feed_days.feed and feed_days.dt <= {{ as_of() }}
    where arrivals.feed = 'care_complaints'
),

billing_complaints as (
    select complaints.subscriber_id
    from {{ ref('fct_complaints') }} as complaints
    cross join parameters
    where
        {{ is_visible('complaints', as_of()) }}
        and complaints.category = 'BILLING'
        and {{ days_between('cast(complaints.opened_at as date)', as_of()) }} >= 0
        and {{ days_between('cast(complaints.opened_at as date)', as_of()) }} < parameters.bill_shock_complaint_days
    group by complaints.subscriber_id
),

amounts as (
    select
        *,
        spend_cny_m2 + spend_cny_m3 + spend_cny_m4 as spend_cny_m2_m4,
        spend_cny_m3 + spend_cny_m4 + spend_cny_m5 + spend_cny_m6 + spend_cny_m7 + spend_cny_m8 as spend_cny_m3_m8,
        spend_cny_m1 - one_off_cny_m1 as regular_cny_m1,
        spend_cny_m2 + spend_cny_m3 + spend_cny_m4 - one_off_cny_m2 - one_off_cny_m3 - one_off_cny_m4
            as regular_cny_m2_m4,
        {{ days_between('released_on_m1', as_of()) }} as invoice_age_days
    from {{ ref('int_invoice_months') }}
),

legs as (
    select
        lines.subscriber_id,
        lines.is_active,
        usage_ratios.is_usage_collapsed,
        case
            when not amounts.is_full_m1_m4 then null
            when amounts.invoice_age_days > parameters.collapse_spend_valid_days then false
            else
                amounts.spend_cny_m2_m4 >= 3 * parameters.collapse_min_base_cny
                and 3 * amounts.spend_cny_m1 <= parameters.collapse_ratio * amounts.spend_cny_m2_m4
        end as is_spend_collapsed,
        lines.is_prepaid
        and lines.status in ('ACTIVE', 'ONE_WAY_SUSPENDED')
        and not coalesce(lines.is_autopay, false) as has_balance_to_watch,
        case when lines.is_prepaid then balances.balance_cny end as balance_cny,
        charges.charged_cny_30d,
        charges.charge_days_30d,
        balances.balance_cny < parameters.low_balance_cny as is_balance_low,
        coalesce(
            charges.charged_cny_30d > 0
            and charges.charge_days_30d * balances.balance_cny < parameters.low_balance_days * charges.charged_cny_30d,
            false
        ) as lasts_few_days,
        case
            when not amounts.is_full_m1_m8 then null
            when amounts.spend_cny_m3_m8 < 6 * parameters.decline_min_base_cny then false
            else
                6 * amounts.spend_cny_m1 <= parameters.decline_ratio * amounts.spend_cny_m3_m8
                and 6 * amounts.spend_cny_m2 <= parameters.decline_ratio * amounts.spend_cny_m3_m8
        end as arpu_decline,
        case
            when not amounts.is_full_m1_m4 or amounts.regular_cny_m2_m4 <= 0 then null
            when amounts.invoice_age_days >= parameters.bill_shock_shown_days then false
            else
                3 * amounts.regular_cny_m1 > parameters.bill_shock_ratio * amounts.regular_cny_m2_m4
                and 3 * amounts.regular_cny_m1 - amounts.regular_cny_m2_m4 >= 3 * parameters.bill_shock_min_rise_cny
        end as is_bill_shock,
        case
            when billing_complaints.subscriber_id is not null then true
            when not coalesce(complaint_days.is_unproven, true) then false
        end as has_billing_complaint,
        amounts.spend_cny_m1,
        amounts.spend_cny_m2,
        amounts.spend_cny_m3_m8
    from {{ ref('int_lines') }} as lines
    cross join parameters
    cross join complaint_days
    left join amounts on lines.subscriber_id = amounts.subscriber_id
    left join balances on lines.subscriber_id = balances.subscriber_id
    left join {{ ref('int_balance_windows') }} as charges on lines.subscriber_id = charges.subscriber_id
    left join {{ ref('int_usage_ratios') }} as usage_ratios on lines.subscriber_id = usage_ratios.subscriber_id
    left join billing_complaints on lines.subscriber_id = billing_complaints.subscriber_id
)

select
    subscriber_id,
    is_active and (is_usage_collapsed or is_spend_collapsed) as hr3_collapse,
    case
        when is_active and is_usage_collapsed and is_spend_collapsed then 'USAGE;SPEND'
        when is_active and is_usage_collapsed then 'USAGE'
        when is_active and is_spend_collapsed then 'SPEND'
    end as hr3_leg,
    has_balance_to_watch and (is_balance_low or lasts_few_days) as hr5_low_balance,
    case
        when has_balance_to_watch and is_balance_low and lasts_few_days then 'BALANCE;DAYS'
        when has_balance_to_watch and is_balance_low then 'BALANCE'
        when has_balance_to_watch and lasts_few_days then 'DAYS'
    end as hr5_legs,
    balance_cny,
    case
        when charged_cny_30d > 0
            then cast(balance_cny as double) * charge_days_30d / cast(charged_cny_30d as double)
    end as balance_days_left,
    arpu_decline,
    spend_cny_m1 as arpu_cny_m1,
    spend_cny_m2 as arpu_cny_m2,
    cast(spend_cny_m3_m8 as double) / 6 as arpu_cny_m3_m8,
    is_bill_shock or has_billing_complaint as bill_shock,
    case
        when is_bill_shock and has_billing_complaint then 'BILL;COMPLAINT'
        when is_bill_shock then 'BILL'
        when has_billing_complaint then 'COMPLAINT'
    end as bill_shock_legs
from legs
