-- depends_on: {{ ref('int_activity_taken_back') }}
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = previous_state_date() -%}
{%- set previous_day = "cast('" ~ previous ~ "' as date)" if previous else none -%}
{%- set told_since = previous_day or "cast('0001-01-01' as date)" -%}
{#- A correction may take activity away, or a status be told, so many days later; what lies before stands. -#}
{%- set correction_days = 120 -%}
{%- set is_paid_alive -%}
payments.amount_cny > 0
        and coalesce(payments.payment_kind, 'TOPUP') <> 'REVERSAL'
        and not coalesce(payments.payment_kind = 'BILL' and cast(payments.paid_at as date) > exits.exit_on, false)
{%- endset %}

-- Signs of life of each line (use, and payments but for bills after its exit), as the silences between
-- them: `active_before` and `active_after` are two active days with none between. Kept are the time
-- before the first (no `active_before`), the time since the last (no `active_after`), silences that are
-- long enough for churn, and those that touch a mark (int_service_marks). A day is carried forward from
-- the newest earlier one: only lines whose silences change are looked at again, so that a day costs the
-- same however long history is.
with
definition as (
    select silent_days_prepaid from {{ ref('int_churn_definition') }}
),

marks as (
    select * from {{ ref('int_service_marks') }}
),

-- Who left still pays the last bills.
exits as (
    select subscriber_id, min(cast(occurred_at as date)) as exit_on
    from {{ ref('fct_churn_events') }} as events
    where {{ is_visible('events', as_of()) }} and kind is not null
    group by subscriber_id
),

-- What is told of active days: all of it, or since the state that is carried forward.
news as (
    select
        usage.subscriber_id,
        usage.usage_date as active_on
    from {{ ref('fct_usage_daily') }} as usage
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    where
        usage.is_activity_day
        and {{ is_visible('usage', as_of()) }}
        and usage.usage_date <= {{ as_of() }}
        and usage.visible_from > {{ told_since }}
    union
    select
        payments.subscriber_id,
        cast(payments.paid_at as date) as active_on
    from {{ ref('fct_payments') }} as payments
    left join exits on payments.subscriber_id = exits.subscriber_id
    where
        {{ is_paid_alive }}
        and {{ is_visible('payments', as_of()) }}
        and cast(payments.paid_at as date) <= {{ as_of() }}
        and payments.subscriber_id is not null
        and payments.visible_from > {{ told_since }}
),

{% if not previous %}
-- A silence of n days covers a whole aligned block of (n + 1) / 2 days: first and last active day of
-- each block keep every long silence, in a fraction of the rows.
blocks as (
    select
        news.subscriber_id,
        min(news.active_on) as first_on,
        max(news.active_on) as last_on
    from news
    cross join definition
    group by
        news.subscriber_id,
        floor(
            {{ days_between("cast('1970-01-01' as date)", 'news.active_on') }}
            / floor((definition.silent_days_prepaid + 1) / 2)
        )
),

neighbours as (
    select
        subscriber_id,
        lag(last_on) over lives as active_before,
        first_on as active_after,
        last_on,
        row_number() over (partition by subscriber_id order by first_on desc) as is_last
    from blocks
    window lives as (partition by subscriber_id order by first_on)
),

around_marks as (
    select
        marks.subscriber_id,
        marks.mark_on,
        max(case when news.active_on < marks.mark_on then news.active_on end) as before_on,
        max(case when news.active_on <= marks.mark_on then news.active_on end) as upto_on,
        min(case when news.active_on >= marks.mark_on then news.active_on end) as from_on,
        min(case when news.active_on > marks.mark_on then news.active_on end) as after_on
    from marks
    inner join news on marks.subscriber_id = news.subscriber_id
    group by marks.subscriber_id, marks.mark_on
),

silences as (
    select
        neighbours.subscriber_id,
        neighbours.active_before,
        neighbours.active_after
    from neighbours
    cross join definition
    where
        neighbours.active_before is null
        or {{ days_between('neighbours.active_before', 'neighbours.active_after') }} > definition.silent_days_prepaid
    union
    select subscriber_id, last_on as active_before, cast(null as date) as active_after
    from neighbours
    where is_last = 1
    union
    select subscriber_id, before_on as active_before, from_on as active_after from around_marks
    union
    select subscriber_id, upto_on as active_before, after_on as active_after from around_marks
)
{% else %}
carried as (
    select subscriber_id, active_before, active_after from {{ this }} where as_of_date = {{ previous_day }}
),

firsts as (
    select subscriber_id, active_after as first_on from carried where active_before is null
),

lasts as (
    select subscriber_id, active_before as last_on from carried where active_after is null
),

told as (
    select
        subscriber_id,
        min(active_on) as first_told_on,
        max(active_on) as last_told_on
    from news
    group by subscriber_id
),

-- Active days of the state that a correction may have taken away: looked at again.
taken as (
    select
        subscriber_id,
        active_on as place_on
    from {{ ref('int_activity_taken_back') }}
    where
        active_on <= {{ previous_day }}
        and told_from <= {{ previous_day }}
        and told_until > {{ previous_day }}
),

-- Marks that the carried silences do not answer: the one that ends at or after the mark and the one
-- that begins at or before it.
unanswered as (
    select marks.subscriber_id, marks.mark_on as place_on
    from marks
    inner join carried on marks.subscriber_id = carried.subscriber_id
    where marks.mark_on > {{ days_after(as_of(), -correction_days) }}
    group by marks.subscriber_id, marks.mark_on
    having
        count(
            case
                when
                    (carried.active_before is null or carried.active_before < marks.mark_on)
                    and (carried.active_after is null or carried.active_after >= marks.mark_on)
                    then 1
            end
        ) = 0
        or count(
            case
                when
                    (carried.active_before is null or carried.active_before <= marks.mark_on)
                    and (carried.active_after is null or carried.active_after > marks.mark_on)
                    then 1
            end
        ) = 0
),

places as (
    select * from taken
    union
    select * from unanswered
),

changed as (
    select subscriber_id from places
    union
    select told.subscriber_id
    from told
    cross join definition
    left join lasts on told.subscriber_id = lasts.subscriber_id
    where
        lasts.last_on is null
        or told.first_told_on < lasts.last_on
        or {{ days_between('lasts.last_on', 'told.first_told_on') }} > definition.silent_days_prepaid
        or {{ days_between('told.first_told_on', 'told.last_told_on') }} > definition.silent_days_prepaid
    union
    select told.subscriber_id
    from told
    inner join lasts on told.subscriber_id = lasts.subscriber_id
    inner join marks on told.subscriber_id = marks.subscriber_id and lasts.last_on <= marks.mark_on
),

-- What no kept silence tells lies within the days of a short one.
looked_up as (
    select places.subscriber_id, usage.usage_date as active_on
    from places
    cross join definition
    inner join {{ ref('fct_usage_daily') }} as usage
        on
            places.subscriber_id = usage.subscriber_id
            and usage.usage_date >= {{ days_after('places.place_on', '-definition.silent_days_prepaid - 1') }}
            and usage.usage_date <= {{ days_after('places.place_on', 'definition.silent_days_prepaid + 1') }}
    inner join {{ ref('int_known_days') }} as known_days on usage.usage_date = known_days.known_on
    where
        usage.is_activity_day
        and {{ is_visible('usage', as_of()) }}
        and usage.usage_date > {{ days_after(as_of(), -2 * correction_days) }}
        and usage.usage_date <= {{ as_of() }}
    union
    select places.subscriber_id, cast(payments.paid_at as date) as active_on
    from places
    cross join definition
    inner join {{ ref('fct_payments') }} as payments
        on
            places.subscriber_id = payments.subscriber_id
            and cast(payments.paid_at as date)
            >= {{ days_after('places.place_on', '-definition.silent_days_prepaid - 1') }}
            and cast(payments.paid_at as date)
            <= {{ days_after('places.place_on', 'definition.silent_days_prepaid + 1') }}
    left join exits on payments.subscriber_id = exits.subscriber_id
    where
        {{ is_paid_alive }}
        and {{ is_visible('payments', as_of()) }}
        and payments.visible_from > {{ days_after(as_of(), -2 * correction_days) }}
        and cast(payments.paid_at as date) <= {{ as_of() }}
),

bounds as (
    select carried.subscriber_id, carried.active_before as active_on
    from carried
    inner join changed on carried.subscriber_id = changed.subscriber_id
    where carried.active_before is not null
    union
    select carried.subscriber_id, carried.active_after as active_on
    from carried
    inner join changed on carried.subscriber_id = changed.subscriber_id
    where carried.active_after is not null
),

points as (
    select bounds.subscriber_id, bounds.active_on
    from bounds
    left join taken on bounds.subscriber_id = taken.subscriber_id and bounds.active_on = taken.place_on
    where taken.subscriber_id is null
    union
    select news.subscriber_id, news.active_on
    from news
    inner join changed on news.subscriber_id = changed.subscriber_id
    union
    select subscriber_id, active_on from looked_up
),

neighbours as (
    select
        subscriber_id,
        lag(active_on) over (partition by subscriber_id order by active_on) as active_before,
        active_on as active_after
    from points
    union all
    select subscriber_id, max(active_on) as active_before, cast(null as date) as active_after
    from points
    group by subscriber_id
),

-- Two points with none between are really neighbours where all that lies between them is known.
judged as (
    select
        neighbours.subscriber_id,
        neighbours.active_before,
        neighbours.active_after,
        {{ days_between('neighbours.active_before', 'neighbours.active_after') }} > definition.silent_days_prepaid
            as is_long,
        (
            lasts.last_on is null
            or neighbours.active_before >= lasts.last_on
            or neighbours.active_after <= firsts.first_on
            or exists (
                select 1
                from carried
                where
                    carried.subscriber_id = neighbours.subscriber_id
                    and carried.active_before <= neighbours.active_before
                    and carried.active_after >= neighbours.active_after
            )
            or exists (
                select 1
                from places
                where
                    places.subscriber_id = neighbours.subscriber_id
                    and places.place_on >= neighbours.active_before
                    and places.place_on <= neighbours.active_after
            )
        ) as is_known
    from neighbours
    cross join definition
    left join firsts on neighbours.subscriber_id = firsts.subscriber_id
    left join lasts on neighbours.subscriber_id = lasts.subscriber_id
),

silences as (
    select
        judged.subscriber_id,
        judged.active_before,
        judged.active_after
    from judged
    where
        judged.active_before is null
        or judged.active_after is null
        or (
            judged.is_known
            and (
                judged.is_long
                or exists (
                    select 1
                    from marks
                    where
                        marks.subscriber_id = judged.subscriber_id
                        and marks.mark_on >= judged.active_before
                        and marks.mark_on <= judged.active_after
                )
            )
        )
    union all
    select
        carried.subscriber_id,
        case
            when carried.active_after is null then greatest(carried.active_before, told.last_told_on)
            else carried.active_before
        end as active_before,
        carried.active_after
    from carried
    left join changed on carried.subscriber_id = changed.subscriber_id
    left join told on carried.subscriber_id = told.subscriber_id
    where changed.subscriber_id is null
)
{% endif %}
select
    subscriber_id,
    {{ as_of() }} as as_of_date,
    active_before,
    active_after
from silences
