{{ config(materialized='table') }}

-- Every base line in the network as of the date: does it get an index, and if not, why.
with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

churned as (
    select distinct churn.subscriber_id
    from {{ ref('int_churn') }} as churn
    cross join definition
    where
        churn.as_of_date = {{ as_of() }}
        and (
            churn.returned_on is null
            or {{ days_after('churn.returned_on', 'definition.revival_wait_days') }} > {{ as_of() }}
        )
),

numbered_days as (
    select
        known_on,
        max(day_number) over () - day_number + 1 as days_back
    from {{ ref('int_known_days') }}
),

daily_basis as (
    select
        min(numbered_days.known_on) as first_known_on,
        min(case when numbered_days.days_back <= definition.prepaid_activity_days then numbered_days.known_on end)
            as recent_from
    from numbered_days
    cross join definition
),

last_signs as (
    select subscriber_id, active_before as last_active_on
    from {{ ref('int_silences') }}
    where as_of_date = {{ as_of() }} and active_after is null
),

-- Operators with monthly usage only: the newest visible month speaks.
months as (
    select
        usage.subscriber_id,
        usage.month,
        (
            {{ is_activity_day('usage', 'definition.min_activity_mb') }}
            or coalesce(usage.active_days, 0) >= 1
            or coalesce(usage.topup_count, 0) >= 1
            or coalesce(usage.topup_cny, 0) > 0
        ) as is_active
    from {{ ref('fct_usage_monthly') }} as usage
    cross join definition
    where {{ is_visible('usage', as_of()) }}
),

monthly_basis as (
    select min(month) as first_month, max(month) as newest_month
    from months
),

last_months as (
    select subscriber_id, max(month) as last_active_month
    from months
    where is_active
    group by subscriber_id
),

judged as (
    select
        base_lines.as_of_date,
        base_lines.subscriber_id,
        base_lines.customer_id,
        base_lines.org_id,
        base_lines.payment_mode,
        base_lines.activated_on,
        base_lines.status,
        base_lines.is_autopay,
        base_lines.vip_level,
        base_lines.birth_year,
        last_signs.last_active_on,
        case
            when churned.subscriber_id is not null then 'CONFIRMED_CHURNED'
            when base_lines.is_held then 'OPERATOR_HOLD'
            when base_lines.status = 'TWO_WAY_SUSPENDED' then 'SUSPENDED'
            when daily_basis.first_known_on is not null
                then
                    case
                        when
                            last_signs.last_active_on is null
                            and base_lines.activated_on >= daily_basis.first_known_on
                            then 'NOT_USED_YET'
                        when
                            base_lines.is_prepaid
                            and (
                                last_signs.last_active_on is null
                                or last_signs.last_active_on < daily_basis.recent_from
                            )
                            then 'ALREADY_SILENT'
                    end
            when monthly_basis.first_month is not null
                then
                    case
                        when
                            last_months.last_active_month is null
                            and base_lines.activated_on >= monthly_basis.first_month
                            then 'NOT_USED_YET'
                        when
                            base_lines.is_prepaid
                            and (
                                last_months.last_active_month is null
                                or last_months.last_active_month < monthly_basis.newest_month
                            )
                            then 'ALREADY_SILENT'
                    end
        end as no_index_reason
    from {{ ref('int_lines') }} as base_lines
    cross join daily_basis
    cross join monthly_basis
    left join churned on base_lines.subscriber_id = churned.subscriber_id
    left join last_signs on base_lines.subscriber_id = last_signs.subscriber_id
    left join last_months on base_lines.subscriber_id = last_months.subscriber_id
)

select
    *,
    no_index_reason is null as in_population
from judged
