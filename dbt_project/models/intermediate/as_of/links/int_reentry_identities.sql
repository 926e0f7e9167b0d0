{{ config(materialized='table') }}

-- O30 ID: an old and a new line of one customer, or of customers with one ID number. Firms are no
-- persons, and an ID with too many lines says nothing.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

olds as (
    select subscriber_id, customer_id, ended_on
    from {{ ref('int_ended_lines') }}
    where as_of_date = {{ as_of() }} and customer_id is not null
),

old_customers as (
    select distinct customer_id from olds
),

customers as (
    select
        customers.customer_id,
        customers.id_number_token,
        coalesce(customers.org_class in ('GROUP', 'GOVERNMENT'), false) as is_firm
    from {{ ref('dim_customers') }} as customers
    where {{ is_visible('customers', as_of()) }}
),

old_numbers as (
    select distinct customers.id_number_token
    from customers
    inner join old_customers on customers.customer_id = old_customers.customer_id
    where not customers.is_firm and customers.id_number_token is not null
),

-- Who is meant by an identity: the customer, and whoever has the same number.
identities as (
    select
        old_customers.customer_id,
        concat('customer ', old_customers.customer_id) as identity
    from old_customers
    left join customers on old_customers.customer_id = customers.customer_id
    where not coalesce(customers.is_firm, false)
    union all
    select
        customers.customer_id,
        concat('number ', customers.id_number_token) as identity
    from customers
    inner join old_numbers on customers.id_number_token = old_numbers.id_number_token
    where not customers.is_firm
),

lines as (
    select
        subscribers.subscriber_id,
        identities.identity,
        count(*) over (partition by identities.identity) as line_count
    from {{ ref('dim_subscribers') }} as subscribers
    inner join identities on subscribers.customer_id = identities.customer_id
    where {{ is_visible('subscribers', as_of()) }} and {{ is_base('subscribers') }}
),

few as (
    select lines.subscriber_id, lines.identity
    from lines
    cross join parameters
    where lines.line_count <= parameters.reentry_max_lines_an_id
)

select distinct
    old_lines.subscriber_id as old_subscriber_id,
    new_lines.subscriber_id as new_subscriber_id
from few as old_lines
inner join olds on old_lines.subscriber_id = olds.subscriber_id
inner join few as new_lines on old_lines.identity = new_lines.identity
inner join {{ ref('int_new_lines') }} as news on new_lines.subscriber_id = news.subscriber_id
cross join parameters
where
    old_lines.subscriber_id <> new_lines.subscriber_id
    and {{ days_between('olds.ended_on', 'news.activated_on') }}
    between -parameters.reentry_link_days and parameters.reentry_link_days
