{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

-- Churn as of the date: one row per line and absence, from nothing but rows visible on the date.
--
-- A spell starts on `churn_date` (service stopped mattering) and is confirmed on `confirmed_at` (the
-- first date on which the rule is met and known). It ends with `returned_on`, when the line is back;
-- then the next one has the next `spell_no`. What is met while a churn stands belongs to its spell.
with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

lines as (
    select
        subscriber_id,
        customer_id,
        org_id,
        payment_mode
    from {{ ref('dim_subscribers') }} as subscribers
    where {{ is_visible('subscribers', as_of()) }} and {{ is_base('subscribers') }}
),

-- What is met while the line has not come back from an earlier churn is part of that one.
ordered as (
    select
        *,
        max(coalesce(returned_on, {{ end_of_time() }})) over (
            partition by subscriber_id order by met_on, case_order, churn_date, churn_case
            rows between unbounded preceding and 1 preceding
        ) as away_until,
        row_number() over (partition by subscriber_id order by met_on, case_order, churn_date, churn_case)
            as candidate_no
    from {{ ref('int_churn_candidates') }}
),

numbered as (
    select
        *,
        sum(case when away_until is null or met_on >= away_until then 1 else 0 end) over (
            partition by subscriber_id order by candidate_no rows between unbounded preceding and current row
        ) as spell_no
    from ordered
),

judged as (
    select
        *,
        max(stated_cause) over (partition by subscriber_id, spell_no) as spell_cause,
        max(competitor) over (partition by subscriber_id, spell_no) as spell_competitor,
        row_number() over (partition by subscriber_id, spell_no order by candidate_no) as place_in_spell
    from numbered
),

spells as (
    select
        judged.subscriber_id,
        lines.customer_id,
        lines.org_id,
        lines.payment_mode,
        judged.spell_no,
        judged.churn_case,
        case
            when judged.away_until <= judged.met_on then greatest(judged.churn_date, judged.away_until)
            else judged.churn_date
        end as churn_date,
        judged.confirmed_at,
        judged.returned_on,
        judged.spell_cause as stated_cause,
        judged.spell_competitor as competitor,
        coalesce(judged.spell_cause = 'LIFE_EVENT' and judged.spell_competitor is null, false) as is_natural_churn
    from judged
    inner join lines on judged.subscriber_id = lines.subscriber_id
    where judged.place_in_spell = 1
),

-- Many lines of one firm at once: one decision.
firm_days as (
    select spells.customer_id, spells.churn_date, count(*) as line_count
    from spells
    inner join {{ ref('dim_customers') }} as customers
        on spells.customer_id = customers.customer_id and {{ is_visible('customers', as_of()) }}
    where customers.org_class in ('GROUP', 'GOVERNMENT')
    group by spells.customer_id, spells.churn_date
),

bulk_starts as (
    select first_days.customer_id, first_days.churn_date, definition.bulk_exit_days
    from firm_days as first_days
    cross join definition
    inner join firm_days as next_days
        on
            first_days.customer_id = next_days.customer_id
            and first_days.churn_date <= next_days.churn_date
            and next_days.churn_date < {{ days_after('first_days.churn_date', 'definition.bulk_exit_days') }}
    group by first_days.customer_id, first_days.churn_date, definition.bulk_exit_days, definition.bulk_exit_lines
    having sum(next_days.line_count) >= definition.bulk_exit_lines
),

bulk_exits as (
    select distinct spells.subscriber_id, spells.spell_no
    from spells
    inner join bulk_starts
        on
            spells.customer_id = bulk_starts.customer_id
            and spells.churn_date >= bulk_starts.churn_date
            and spells.churn_date < {{ days_after('bulk_starts.churn_date', 'bulk_starts.bulk_exit_days') }}
)

select
    {{ as_of() }} as as_of_date,
    spells.subscriber_id,
    spells.customer_id,
    spells.org_id,
    spells.payment_mode,
    cast(spells.spell_no as integer) as spell_no,
    spells.churn_case,
    case when spells.is_natural_churn then 'CENSORED' else cases.role end as role,
    spells.churn_date,
    spells.confirmed_at,
    spells.returned_on,
    spells.returned_on is not null as is_revived,
    cases.is_voluntary and not spells.is_natural_churn as is_voluntary,
    cases.is_arrears_exit,
    cases.is_operator_removed,
    spells.is_natural_churn,
    bulk_exits.subscriber_id is not null as is_bulk_exit,
    spells.stated_cause,
    spells.competitor
from spells
inner join {{ ref('churn_cases') }} as cases on spells.churn_case = cases.churn_case
left join bulk_exits on spells.subscriber_id = bulk_exits.subscriber_id and spells.spell_no = bulk_exits.spell_no
