{#
    CTEs `lines` (base lines as of each of `as_of_dates`) and `spans`: the status of each line over
    time as known on that date, for lines that were ever out of service.

    A span holds from `span_from` to `span_to` (exclusive, null while open). `span_class`: ACTIVE;
    LAPSED (arrears, expired or no reason: what may end in churn), VOLUNTARY (the customer's
    request), HELD (by the operator, or a lost SIM), OTHER; LEFT once deactivated. A status that is
    not delivered counts as active.
#}
{% macro status_span_ctes() %}
    lines as (
        select
            as_of_dates.as_of_date,
            subscribers.subscriber_id,
            subscribers.customer_id,
            subscribers.org_id,
            subscribers.payment_mode
        from as_of_dates
        inner join {{ ref('dim_subscribers') }} as subscribers
            on {{ is_visible('subscribers', 'as_of_dates.as_of_date') }}
        where {{ is_base('subscribers') }}
    ),

    -- Only lines that were ever out of service have status spans to look at.
    troubled as (
        select distinct subscriber_id from {{ ref('dim_subscribers') }} where status <> 'ACTIVE'
    ),

    statuses as (
        select
            lines.as_of_date,
            lines.subscriber_id,
            subscribers.visible_from,
            coalesce(least(cast(subscribers.status_at as date), subscribers.visible_from), subscribers.visible_from)
                as span_from,
            subscribers.status_reason,
            case
                when coalesce(subscribers.status, 'ACTIVE') = 'ACTIVE' then 'ACTIVE'
                when subscribers.status = 'DEACTIVATED' then 'LEFT'
                when subscribers.status_reason in ('OPERATOR', 'FRAUD', 'REAL_NAME', 'LOST_SIM') then 'HELD'
                when subscribers.status_reason = 'CUSTOMER_REQUEST' then 'VOLUNTARY'
                when lines.payment_mode = 'PREPAID' then 'LAPSED'
                when subscribers.status_reason = 'ARREARS' then 'LAPSED'
                else 'OTHER'
            end as span_class
        from lines
        inner join troubled on lines.subscriber_id = troubled.subscriber_id
        inner join {{ ref('dim_subscribers') }} as subscribers
            on
                lines.subscriber_id = subscribers.subscriber_id
                and subscribers.visible_from <= lines.as_of_date
    ),

    -- A row holds from its start until the earliest start that a later row claims.
    claimed as (
        select
            *,
            min(span_from) over (
                partition by as_of_date, subscriber_id order by visible_from
                rows between 1 following and unbounded following
            ) as span_to
        from statuses
    ),

    spans as (
        select
            *,
            lag(span_class) over (partition by as_of_date, subscriber_id order by span_from) as previous_class
        from claimed
        where span_to is null or span_from < span_to
    )
{% endmacro %}
