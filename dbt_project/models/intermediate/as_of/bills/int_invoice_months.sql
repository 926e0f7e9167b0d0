{{ config(materialized='table') }}
{%- set months = [1, 2, 3, 4, 5, 6, 7, 8] %}
{%- set widths = {4: 15, 6: 63, 8: 255} %}
{%- set amounts_of_3 = ['total', 'vas', 'overage', 'roaming', 'discount'] %}

-- The newest months of each line's invoices as known on the date: m1 is the newest month of which any
-- invoice is visible, m2 to m8 are the calendar months before it. Spend is without device instalments.
-- A month is full without activation or closure in it and with few days not ACTIVE. Months older than
-- a year are not looked for: where invoices stopped coming for so long, nothing is known.
with
parameters as (
    select invoice_max_partial_days from {{ ref('int_signal_parameters') }}
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
        cast(date_trunc('month', {{ days_after('month', 31) }}) as date) as next_month,
        max(month_number) over () - month_number + 1 as months_back
    from released_months
),

newest_months as (
    select * from months where months_back <= 8
),

first_month as (
    select min(newest_months.month) as first_month from newest_months
),

base_lines as (
    select subscriber_id, activated_on, is_active, presence_from from {{ ref('int_lines') }}
),

lines as (
    select
        base_lines.subscriber_id,
        base_lines.activated_on,
        coalesce(base_lines.is_active and base_lines.presence_from <= first_month.first_month, false) as is_steady
    from base_lines
    cross join first_month
),

-- Only lines that were not ACTIVE all the time have days to count.
interruptions as (
    select
        lines.subscriber_id,
        months.month,
        sum(
            case
                when standings.status = 'ACTIVE'
                    then {{ days_between(
                        'greatest(standings.standing_from, months.month)',
                        'least(coalesce(standings.standing_to, months.next_month), months.next_month)'
                    ) }}
                else 0
            end
        ) as active_days,
        -- closed at the end of its first or of its last day
        count(
            case
                when
                    standings.status = 'DEACTIVATED'
                    and (
                        standings.standing_from <= months.month
                        or coalesce(standings.standing_to, months.next_month) >= months.next_month
                    )
                    then 1
            end
        ) > 0 as is_closed
    from lines
    inner join {{ ref('int_standings') }} as standings on lines.subscriber_id = standings.subscriber_id
    inner join newest_months as months
        on
            standings.standing_from < months.next_month
            and (standings.standing_to is null or standings.standing_to > months.month)
    where not lines.is_steady
    group by lines.subscriber_id, months.month
),

invoices as (
    select
        lines.subscriber_id,
        months.months_back,
        cast(power(2, months.months_back - 1) as integer) as month_bit,
        released.month,
        released.visible_from,
        released.total_cny,
        released.total_cny - coalesce(released.device_instalment_cny, 0) as spend_cny,
        coalesce(released.adjustment_cny, 0) + coalesce(released.other_cny, 0) as one_off_cny,
        released.vas_cny,
        released.roaming_cny,
        abs(released.discount_cny) as discount_cny,
        case
            when
                coalesce(released.voice_overage_cny, released.data_overage_cny, released.sms_overage_cny) is not null
                then
                    coalesce(released.voice_overage_cny, 0)
                    + coalesce(released.data_overage_cny, 0)
                    + coalesce(released.sms_overage_cny, 0)
        end as overage_cny,
        released.total_cny is not null
        and (lines.activated_on is null or lines.activated_on < released.month)
        and (
            lines.is_steady
            or coalesce(
                not interruptions.is_closed
                and {{ days_between('months.month', 'months.next_month') }} - interruptions.active_days
                <= parameters.invoice_max_partial_days,
                false
            )
        ) as is_full
    from {{ ref('fct_invoices') }} as released
    cross join parameters
    inner join newest_months as months on released.month = months.month
    inner join lines on released.subscriber_id = lines.subscriber_id
    left join interruptions
        on released.subscriber_id = interruptions.subscriber_id and released.month = interruptions.month
    where {{ is_visible('released', as_of()) }} and released.month > {{ days_after(as_of(), -400) }}
),

pivoted as (
    select
        subscriber_id,
        {%- for m in months %}
        max(case when months_back = {{ m }} then spend_cny end) as spend_cny_m{{ m }},
        {%- endfor %}
        -- a bit for each full month: 1 for m1, 2 for m2, 4 for m3, …
        cast(sum(case when is_full then month_bit else 0 end) as integer) as full_months,
        {%- for m in [1, 2, 3, 4] %}
        max(case when months_back = {{ m }} then one_off_cny end) as one_off_cny_m{{ m }},
        {%- endfor %}
        {%- for amount in amounts_of_3 %}
        cast(sum(case when months_back <= 3 then {{ amount }}_cny end) as decimal(18, 2)) as {{ amount }}_cny_m1_m3,
        {%- endfor %}
        max(case when months_back = 1 then month end) as month_m1,
        max(case when months_back = 1 then visible_from end) as released_on_m1
    from invoices
    group by subscriber_id
)

select
    {%- for m in months %}
    pivoted.spend_cny_m{{ m }},
    coalesce(pivoted.full_months & {{ 2 ** (m - 1) }} > 0, false) as is_full_m{{ m }},
    {%- endfor %}
    {%- for width, bits in widths.items() %}
    coalesce(pivoted.full_months & {{ bits }} = {{ bits }}, false) as is_full_m1_m{{ width }},
    {%- endfor %}
    {%- for m in [1, 2, 3, 4] %}
    pivoted.one_off_cny_m{{ m }},
    {%- endfor %}
    {%- for amount in amounts_of_3 %}
    pivoted.{{ amount }}_cny_m1_m3,
    {%- endfor %}
    pivoted.month_m1,
    pivoted.released_on_m1,
    lines.subscriber_id
from lines
left join pivoted on lines.subscriber_id = pivoted.subscriber_id
