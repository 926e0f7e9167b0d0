{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

-- What each line is billed, pays and holds. Null is unknown: also where the feed did not come at all in
-- the window.
with
arrivals as (
    select
        coalesce(
            max(case when feed = 'billing_balances' then last_arrived_on end) = {{ as_of() }}, false
        ) as is_balance_known,
        {%- for window in [90, 180] %}
        coalesce(
            max(case when feed = 'billing_payments' then last_arrived_on end) > {{ days_after(as_of(), -window) }},
            false
        ) as is_payment_known_{{ window }}d,
        {%- endfor %}
        coalesce(
            max(case when feed = 'billing_payments' then first_arrived_on end) <= {{ days_after(as_of(), -179) }}, false
        ) as is_payment_known_before,
        coalesce(
            max(case when feed = 'billing_adjustments' then last_arrived_on end) > {{ days_after(as_of(), -180) }},
            false
        ) as is_adjustment_known_180d
    from {{ ref('int_feed_arrivals') }}
),

balances as (
    select * from {{ ref('fct_balances') }} where balance_date = {{ as_of() }}
),

-- The charges of a whole month are those so far on its last day: of the months m2 to m4, which the
-- last 30 days do not meet.
months_charges as (
    select
        subscriber_id,
        sum(charged_mtd_cny) as charged_cny,
        sum(extract(day from balance_date)) as charged_days
    from {{ ref('fct_balances') }}
    where
        charged_mtd_cny is not null
        and balance_date in (
            {%- for back in [1, 2, 3] %}
            {{ days_after(month_first(back), -1) }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
    group by subscriber_id
    having count(*) = 3
),

payments as (
    select
        payments.subscriber_id,
        payments.amount_cny,
        payments.promo_id,
        payments.method,
        coalesce(payments.payment_kind <> 'REVERSAL', true) as is_payment,
        cast(payments.paid_at as date) as paid_on
    from {{ ref('fct_payments') }} as payments
    where
        {{ is_visible('payments', as_of()) }}
        -- paid_at is never after the release
        and payments.visible_from > {{ days_after(as_of(), -365) }}
        and payments.paid_at >= {{ days_after(as_of(), -364) }}
),

payment_windows as (
    select
        payments.subscriber_id,
        max(case when payments.is_payment then payments.paid_on end) as last_paid_on,
        min(case when payments.is_payment then payments.paid_on end) as first_paid_on,
        count(case when payments.is_payment then 1 end) as payments_365d,
        count(
            case when payments.is_payment and payments.paid_on > {{ days_after(as_of(), -180) }} then 1 end
        ) as payments_180d,
        count(
            case when payments.is_payment and payments.paid_on > {{ days_after(as_of(), -90) }} then 1 end
        ) as payments_90d,
        count(
            case
                when
                    payments.is_payment
                    and payments.promo_id is not null
                    and payments.paid_on > {{ days_after(as_of(), -180) }}
                    then 1
            end
        ) as promo_payments_180d,
        count(
            case
                when
                    payments.is_payment
                    and methods.is_digital is not null
                    and payments.paid_on > {{ days_after(as_of(), -180) }}
                    then 1
            end
        ) as known_methods_180d,
        count(
            case
                when
                    payments.is_payment and methods.is_digital and payments.paid_on > {{ days_after(as_of(), -180) }}
                    then 1
            end
        ) as digital_payments_180d,
        sum(case when payments.paid_on > {{ days_after(as_of(), -90) }} then payments.amount_cny else 0 end)
            as payment_amount_90d_cny,
        sum(
            case
                when
                    payments.paid_on > {{ days_after(as_of(), -180) }}
                    and payments.paid_on <= {{ days_after(as_of(), -90) }}
                    then payments.amount_cny
                else 0
            end
        ) as payment_amount_prior90d_cny
    from payments
    left join {{ ref('payment_methods') }} as methods on payments.method = methods.payment_method
    group by payments.subscriber_id
),

refunds as (
    select
        adjustments.subscriber_id,
        sum(adjustments.amount_cny) as refund_amount_180d_cny
    from {{ ref('fct_adjustments') }} as adjustments
    where
        {{ is_visible('adjustments', as_of()) }}
        and adjustments.visible_from > {{ days_after(as_of(), -180) }}
        and adjustments.occurred_at >= {{ days_after(as_of(), -179) }}
        and adjustments.kind in ('REFUND', 'CREDIT', 'GOODWILL')
    group by adjustments.subscriber_id
),

parameters as (
    select collapse_min_base_cny, decline_min_base_cny from {{ ref('int_signal_parameters') }}
),

-- Means and sums over months that came; trends only over months that are full.
spending as (
    select
        invoices.subscriber_id,
        invoices.spend_cny_m1,
        coalesce(invoices.spend_cny_m1, 0)
        + coalesce(invoices.spend_cny_m2, 0)
        + coalesce(invoices.spend_cny_m3, 0) as spend_cny_m1_m3,
        case when invoices.spend_cny_m1 is not null then 1 else 0 end
        + case when invoices.spend_cny_m2 is not null then 1 else 0 end
        + case when invoices.spend_cny_m3 is not null then 1 else 0 end as invoices_m1_m3,
        case
            when invoices.is_full_m1_m4 then invoices.spend_cny_m2 + invoices.spend_cny_m3 + invoices.spend_cny_m4
        end as spend_cny_m2_m4,
        case
            when invoices.is_full_m1_m8
                then
                    invoices.spend_cny_m3
                    + invoices.spend_cny_m4
                    + invoices.spend_cny_m5
                    + invoices.spend_cny_m6
                    + invoices.spend_cny_m7
                    + invoices.spend_cny_m8
        end as spend_cny_m3_m8,
        greatest(invoices.spend_cny_m1, invoices.spend_cny_m2) as spend_cny_highest_m1_m2,
        invoices.is_full_m1_m6,
        cast(
            invoices.spend_cny_m1
            + invoices.spend_cny_m2
            + invoices.spend_cny_m3
            + invoices.spend_cny_m4
            + invoices.spend_cny_m5
            + invoices.spend_cny_m6 as double
        ) / 6 as spend_mean_m1_m6,
        {%- for m in [1, 2, 3, 4, 5, 6] %}
        cast(invoices.spend_cny_m{{ m }} as double) as spend_m{{ m }},
        {%- endfor %}
        invoices.total_cny_m1_m3,
        invoices.vas_cny_m1_m3,
        invoices.overage_cny_m1_m3,
        invoices.discount_cny_m1_m3,
        invoices.roaming_cny_m1_m3
    from {{ ref('int_invoice_months') }} as invoices
),

paid as (
    select
        lines.subscriber_id,
        case when arrivals.is_payment_known_90d then coalesce(payments.payments_90d, 0) end as payments_90d,
        case
            when arrivals.is_payment_known_90d then coalesce(payments.payment_amount_90d_cny, 0)
        end as payment_amount_90d_cny,
        case
            when
                arrivals.is_payment_known_90d
                and arrivals.is_payment_known_before
                and payments.payment_amount_prior90d_cny > 0
                then cast(payments.payment_amount_90d_cny as double) / payments.payment_amount_prior90d_cny
        end as payment_amount_ratio_90d_prior90d,
        {{ days_between('payments.last_paid_on', as_of()) }} as payment_gap_days,
        case
            when payments.payments_365d >= 3
                then
                    cast({{ days_between('payments.first_paid_on', 'payments.last_paid_on') }} as double)
                    / (payments.payments_365d - 1)
        end as payment_interval_mean_days,
        cast(payments.digital_payments_180d as double) / nullif(payments.known_methods_180d, 0)
            as payment_digital_share_180d,
        cast(payments.promo_payments_180d as double) / nullif(payments.payments_180d, 0) as payment_promo_share_180d,
        case
            when arrivals.is_adjustment_known_180d then coalesce(refunds.refund_amount_180d_cny, 0)
        end as refund_amount_180d_cny
    from {{ ref('int_lines') }} as lines
    cross join arrivals
    left join payment_windows as payments on lines.subscriber_id = payments.subscriber_id
    left join refunds on lines.subscriber_id = refunds.subscriber_id
)

select
    lines.subscriber_id,
    lines.as_of_date,
    cast(spending.spend_cny_m1 as decimal(18, 2)) as arpu_last_month_cny,
    cast(spending.spend_cny_m1_m3 as double) / nullif(spending.invoices_m1_m3, 0) as arpu_avg_3m_cny,
    case
        when spending.spend_cny_m2_m4 > 0 and spending.spend_cny_m2_m4 >= 3 * parameters.collapse_min_base_cny
            then 3 * cast(spending.spend_cny_m1 as double) / cast(spending.spend_cny_m2_m4 as double)
    end as arpu_ratio_last_prior3m,
    case
        when spending.spend_cny_m3_m8 > 0 and spending.spend_cny_m3_m8 >= 6 * parameters.decline_min_base_cny
            then 6 * cast(spending.spend_cny_highest_m1_m2 as double) / cast(spending.spend_cny_m3_m8 as double)
    end as arpu_ratio_2m_prior6m,
    case
        when spending.is_full_m1_m6 and spending.spend_mean_m1_m6 > 0
            then
                sqrt(
                    (
                        {%- for m in [1, 2, 3, 4, 5, 6] %}
                        {{ '+ ' if not loop.first }}power(spending.spend_m{{ m }} - spending.spend_mean_m1_m6, 2)
                        {%- endfor %}
                    ) / 6
                ) / spending.spend_mean_m1_m6
    end as arpu_cv_6m,
    case
        when spending.total_cny_m1_m3 > 0 then cast(spending.vas_cny_m1_m3 as double) / spending.total_cny_m1_m3
    end as vas_share_3m,
    case
        when spending.total_cny_m1_m3 > 0 then cast(spending.overage_cny_m1_m3 as double) / spending.total_cny_m1_m3
    end as overage_share_3m,
    case
        when spending.total_cny_m1_m3 + spending.discount_cny_m1_m3 > 0
            then
                cast(spending.discount_cny_m1_m3 as double)
                / (spending.total_cny_m1_m3 + spending.discount_cny_m1_m3)
    end as discount_share_3m,
    spending.roaming_cny_m1_m3 as roaming_charge_3m_cny,
    case when lines.is_prepaid then balances.charged_mtd_cny end as charged_mtd_cny,
    case when lines.is_prepaid and charges.charge_days_30d > 0 then charges.charged_cny_30d end as charged_30d_cny,
    case
        when lines.is_prepaid and charges.charge_days_30d > 0 and months_charges.charged_cny > 0
            then
                (cast(charges.charged_cny_30d as double) / charges.charge_days_30d)
                / (cast(months_charges.charged_cny as double) / months_charges.charged_days)
    end as charged_ratio_30d_m2_m4,
    cast(paid.payments_90d as integer) as payments_90d,
    cast(paid.payment_amount_90d_cny as decimal(18, 2)) as payment_amount_90d_cny,
    paid.payment_amount_ratio_90d_prior90d,
    cast(paid.payment_gap_days as integer) as payment_gap_days,
    paid.payment_interval_mean_days,
    paid.payment_gap_days / nullif(paid.payment_interval_mean_days, 0) as payment_gap_to_interval_ratio,
    paid.payment_digital_share_180d,
    paid.payment_promo_share_180d,
    case when lines.is_prepaid then balances.balance_cny end as balance_cny,
    case
        when lines.is_prepaid and charges.charged_cny_30d > 0
            then
                cast(balances.balance_cny as double) * charges.charge_days_30d
                / cast(charges.charged_cny_30d as double)
    end as balance_days_left,
    case when lines.is_prepaid then charges.balance_min_cny_30d end as balance_min_30d_cny,
    case
        when lines.is_prepaid
            then cast({{ days_between(as_of(), 'balances.valid_until') }} as integer)
    end as balance_valid_days_left,
    -- everyone in arrears is in the snapshot
    case when arrivals.is_balance_known then coalesce(balances.arrears_cny, 0) end as arrears_cny,
    cast(
        case
            when not arrivals.is_balance_known then null
            when coalesce(balances.arrears_cny, 0) = 0 then 0
            else {{ days_between('balances.arrears_since', as_of()) }}
        end as integer
    ) as arrears_days,
    cast(paid.refund_amount_180d_cny as decimal(18, 2)) as refund_amount_180d_cny
from {{ ref('int_lines') }} as lines
cross join arrivals
cross join parameters
left join spending on lines.subscriber_id = spending.subscriber_id
left join balances on lines.subscriber_id = balances.subscriber_id
left join {{ ref('int_balance_windows') }} as charges on lines.subscriber_id = charges.subscriber_id
left join months_charges on lines.subscriber_id = months_charges.subscriber_id
left join paid on lines.subscriber_id = paid.subscriber_id
