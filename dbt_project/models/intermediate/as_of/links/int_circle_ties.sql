{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='all',
    post_hook="delete from {{ this }} where as_of_date <= {{ days_after(as_of(), -70) }}"
) }}

-- Who has which of our lines in the newest circle. Made anew when circles came, and kept until then; the
-- date is that on which it was made. A number that two lines had is that of the line activated last.
with
month_to_read as (
    {{ circle_month_to_read() }}
),

numbers as (
    select
        subscribers.subscriber_id,
        subscribers.msisdn_token,
        row_number() over (
            partition by subscribers.msisdn_token order by subscribers.activated_at desc, subscribers.subscriber_id asc
        ) as line_no
    from {{ ref('dim_subscribers') }} as subscribers
    where {{ is_visible('subscribers', as_of()) }} and subscribers.msisdn_token is not null
)

select
    {{ as_of() }} as as_of_date,
    circle.month,
    circle.subscriber_id,
    numbers.subscriber_id as member_id,
    cast(coalesce(circle.minutes_out, 0) + coalesce(circle.minutes_in, 0) as decimal(18, 2)) as minutes
from {{ ref('fct_call_circle') }} as circle
inner join month_to_read on circle.month = month_to_read.month
inner join numbers
    on circle.counterparty_msisdn_token = numbers.msisdn_token and numbers.line_no = 1
where
    {{ is_visible('circle', as_of()) }}
    and circle.is_onnet
    and circle.subscriber_id <> numbers.subscriber_id
