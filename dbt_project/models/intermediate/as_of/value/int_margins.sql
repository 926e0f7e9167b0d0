{{ config(materialized='table') }}

-- What each line earns a month, and what it cost once. Revenue is what is invoiced without device
-- instalments; where a prepaid line has no invoices, what it tops up. Months that did not come are
-- not zero: means are over the months that did.
with
parameters as (
    select * from {{ ref('int_value_parameters') }}
),

arrivals as (
    {{ feeds_arrived(['channel_commissions', 'billing_subscriptions']) }}
),

-- Top-ups of 90 days need a feed that is as old.
payment_feed as (
    select coalesce(max(first_arrived_on) <= {{ days_after(as_of(), -89) }}, false) as is_old_enough
    from {{ ref('int_feed_arrivals') }}
    where feed = 'billing_payments'
),

released_months as (
    select
        invoices.month,
        12 * extract(year from invoices.month) + extract(month from invoices.month) as month_number
    from {{ ref('fct_invoices') }} as invoices
    where {{ is_visible('invoices', as_of()) }} and invoices.month > {{ days_after(as_of(), -400) }}
    group by invoices.month
),

months as (
    select
        month,
        max(month_number) over () - month_number + 1 as months_back
    from released_months
),

-- A charge that is not itemised has the margin of the rest.
invoiced as (
    select
        invoices.subscriber_id,
        count(*) as revenue_months,
        sum(invoices.total_cny - coalesce(invoices.device_instalment_cny, 0)) as revenue_cny,
        sum(
            coalesce(invoices.voice_overage_cny, 0)
            + coalesce(invoices.data_overage_cny, 0)
            + coalesce(invoices.sms_overage_cny, 0)
        ) as overage_cny,
        sum(coalesce(invoices.roaming_cny, 0)) as roaming_cny,
        sum(coalesce(invoices.vas_cny, 0)) as vas_cny
    from {{ ref('fct_invoices') }} as invoices
    inner join months on invoices.month = months.month
    cross join parameters
    where
        {{ is_visible('invoices', as_of()) }}
        and invoices.month > {{ days_after(as_of(), -400) }}
        and months.months_back <= parameters.margin_months
        and invoices.total_cny is not null
    group by invoices.subscriber_id
),

monthly_topups as (
    select usage.subscriber_id, count(*) as revenue_months, sum(usage.topup_cny) as revenue_cny
    from {{ ref('fct_usage_monthly') }} as usage
    cross join parameters
    where
        {{ is_visible('usage', as_of()) }}
        and usage.topup_cny is not null
        and usage.month >= {{ months_after(month_first(), '-parameters.margin_months') }}
    group by usage.subscriber_id
),

payments as (
    select subscriber_id, payment_amount_90d_cny, arrears_cny
    from {{ ref('indicators_spend_payment') }}
    where as_of_date = {{ as_of() }}
),

commissions as (
    select commissions.subscriber_id, sum(commissions.amount_cny) as commission_cny
    from {{ ref('fct_commissions') }} as commissions
    where
        {{ is_visible('commissions', as_of()) }}
        and commissions.earned_on > {{ days_after(as_of(), -365) }}
        and commissions.earned_on <= {{ as_of() }}
        and commissions.subscriber_id is not null
    group by commissions.subscriber_id
),

subsidies as (
    select subscriber_id, sum(subsidy_cny) as subsidy_cny
    from {{ ref('int_holdings') }}
    where started_on > {{ days_after(as_of(), -365) }} and started_on <= {{ as_of() }}
    group by subscriber_id
),

revenues as (
    select
        lines.subscriber_id,
        case
            when invoiced.revenue_months >= parameters.margin_min_months then 'INVOICES'
            when invoiced.subscriber_id is not null or not lines.is_prepaid then null
            when
                payment_feed.is_old_enough
                and {{ days_between('lines.activated_on', as_of()) }} >= 89
                and payments.payment_amount_90d_cny is not null
                then 'PAYMENTS'
            when monthly_topups.revenue_months >= parameters.margin_min_months then 'MONTHLY_TOPUPS'
        end as margin_basis,
        invoiced.revenue_months as invoice_months,
        cast(invoiced.revenue_cny as double) / invoiced.revenue_months as invoiced_month_cny,
        cast(
            invoiced.revenue_cny * parameters.margin_default_share
            + invoiced.overage_cny * (parameters.margin_overage_share - parameters.margin_default_share)
            + invoiced.roaming_cny * (parameters.margin_roaming_share - parameters.margin_default_share)
            + invoiced.vas_cny * (parameters.margin_vas_share - parameters.margin_default_share) as double
        ) / invoiced.revenue_months as invoiced_margin_month_cny,
        cast(payments.payment_amount_90d_cny as double) / 3 as paid_month_cny,
        monthly_topups.revenue_months as topup_months,
        cast(monthly_topups.revenue_cny as double) / monthly_topups.revenue_months as topup_month_cny,
        cast(parameters.margin_default_share as double) as margin_default_share,
        case
            when arrivals.has_channel_commissions or arrivals.has_billing_subscriptions
                then coalesce(commissions.commission_cny, 0) + coalesce(subsidies.subsidy_cny, 0)
        end as acquisition_cost_cny,
        payments.arrears_cny,
        arrivals.has_channel_commissions,
        arrivals.has_billing_subscriptions
    from {{ ref('int_lines') }} as lines
    cross join parameters
    cross join arrivals
    cross join payment_feed
    left join invoiced on lines.subscriber_id = invoiced.subscriber_id
    left join monthly_topups on lines.subscriber_id = monthly_topups.subscriber_id
    left join payments on lines.subscriber_id = payments.subscriber_id
    left join commissions on lines.subscriber_id = commissions.subscriber_id
    left join subsidies on lines.subscriber_id = subsidies.subscriber_id
)

select
    subscriber_id,
    margin_basis,
    cast(
        case margin_basis
            when 'INVOICES' then invoice_months
            when 'PAYMENTS' then 3
            when 'MONTHLY_TOPUPS' then topup_months
        end as integer
    ) as margin_months,
    case margin_basis
        when 'INVOICES' then invoiced_month_cny
        when 'PAYMENTS' then paid_month_cny
        when 'MONTHLY_TOPUPS' then topup_month_cny
    end as revenue_month_cny,
    case margin_basis
        when 'INVOICES' then invoiced_margin_month_cny
        when 'PAYMENTS' then paid_month_cny * margin_default_share
        when 'MONTHLY_TOPUPS' then topup_month_cny * margin_default_share
    end as margin_month_cny,
    cast(acquisition_cost_cny as double) as acquisition_cost_12m_cny,
    cast(arrears_cny as double) as arrears_cny,
    nullif(
        concat_ws(
            ';',
            case when arrears_cny is null then 'ARREARS' end,
            case when not has_channel_commissions then 'COMMISSION' end,
            case when not has_billing_subscriptions then 'SUBSIDY' end
        ),
        ''
    ) as unknown_costs
from revenues
