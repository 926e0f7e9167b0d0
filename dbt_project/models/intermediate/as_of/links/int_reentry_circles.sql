-- depends_on: {{ ref('dim_subscribers') }}
{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = newest_date_before(400) %}
{%- set kept_on = "cast('" ~ previous ~ "' as date)" %}

-- O30 CIRCLE: pairs of an old and a new line whose circles are much the same, in the old one's last full
-- month and the new one's first. All pairs are looked at when circles came since the last date kept;
-- else those of lines whose end or activation was told since then.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

olds as (
    select subscriber_id, ended_on, circle_month
    from {{ ref('int_ended_lines') }}
    where as_of_date = {{ as_of() }}
),

released as (
    select month, changed_on
    from {{ ref('int_month_releases') }}
    where as_of_date = {{ as_of() }} and feed = 'usage_call_circle'
),

news as (
    select
        lines.subscriber_id,
        lines.activated_on,
        lines.circle_month
    from {{ ref('int_new_lines') }} as lines
    inner join released on lines.circle_month = released.month
    cross join parameters
    where lines.activated_on >= (select {{ days_after('min(ended_on)', -90) }} from olds)
),
{% if previous %}
former_news as (
    select
        subscribers.subscriber_id,
        cast(subscribers.activated_at as date) as activated_on
    from {{ ref('dim_subscribers') }} as subscribers
    inner join news on subscribers.subscriber_id = news.subscriber_id
    where {{ is_visible('subscribers', kept_on) }}
),

fresh_news as (
    select news.subscriber_id
    from news
    left join former_news
        on news.subscriber_id = former_news.subscriber_id and news.activated_on = former_news.activated_on
    where former_news.subscriber_id is null
),

fresh_olds as (
    select olds.subscriber_id
    from olds
    left join {{ ref('int_ended_lines') }} as former
        on
            olds.subscriber_id = former.subscriber_id
            and former.as_of_date = {{ kept_on }}
            and olds.ended_on = former.ended_on
    where former.subscriber_id is null
),

-- One row: what is looked at.
scope as (
    select
        coalesce((select max(changed_on) from released) > {{ kept_on }}, false) as is_all,
        (select count(*) from fresh_news) > 0 as has_fresh_news,
        (select count(*) from fresh_olds) > 0 as has_fresh_olds
),

scoped_olds as (
    select olds.*, fresh_olds.subscriber_id is not null as is_fresh
    from olds
    cross join scope
    left join fresh_olds on olds.subscriber_id = fresh_olds.subscriber_id
    where scope.is_all or scope.has_fresh_news or fresh_olds.subscriber_id is not null
),

scoped_news as (
    select news.*, fresh_news.subscriber_id is not null as is_fresh
    from news
    cross join scope
    left join fresh_news on news.subscriber_id = fresh_news.subscriber_id
    where scope.is_all or scope.has_fresh_olds or fresh_news.subscriber_id is not null
),
{% else %}
scope as (
    select true as is_all
),

scoped_olds as (
    select olds.*, true as is_fresh from olds
),

scoped_news as (
    select news.*, true as is_fresh from news
),
{% endif %}
sides as (
    select
        'OLD' as side,
        subscriber_id,
        circle_month,
        ended_on as turned_on,
        is_fresh
    from scoped_olds
    union all
    select
        'NEW' as side,
        subscriber_id,
        circle_month,
        activated_on as turned_on,
        is_fresh
    from scoped_news
),

members as (
    select
        sides.side,
        sides.subscriber_id,
        sides.turned_on,
        sides.is_fresh,
        circle.counterparty_msisdn_token as token,
        count(*) over (partition by sides.side, sides.subscriber_id) as size
    from {{ ref('fct_call_circle') }} as circle
    inner join sides
        on circle.subscriber_id = sides.subscriber_id and circle.month = sides.circle_month
    where
        {{ is_visible('circle', as_of()) }}
        and not coalesce(circle.counterparty_is_short_code, false)
),

popularity as (
    select token, count(*) as circles from members group by token
),

-- Circles that are the same to the share j have one of the rarest n - ceil(j n) + 1 members of each in
-- common: pairs are made by those alone, so that a number that everybody calls makes none.
ranked as (
    select
        members.*,
        row_number() over (
            partition by members.side, members.subscriber_id
            order by popularity.circles, members.token
        ) as rarity
    from members
    inner join popularity
        on members.token = popularity.token
    cross join parameters
    where members.size >= parameters.reentry_min_members
),

rare as (
    select ranked.*
    from ranked
    cross join parameters
    where ranked.rarity <= ranked.size - ceil(ranked.size * parameters.reentry_jaccard) + 1
),

pairs as (
    select distinct
        olds.subscriber_id as old_subscriber_id,
        news.subscriber_id as new_subscriber_id
    from rare as olds
    inner join rare as news
        on olds.token = news.token and olds.subscriber_id <> news.subscriber_id
    cross join parameters
    cross join scope
    where
        olds.side = 'OLD'
        and news.side = 'NEW'
        and (scope.is_all or olds.is_fresh or news.is_fresh)
        and {{ days_between('olds.turned_on', 'news.turned_on') }}
        between -parameters.reentry_link_days and parameters.reentry_link_days
),

common as (
    select
        pairs.old_subscriber_id,
        pairs.new_subscriber_id,
        olds.size as old_size,
        news.size as new_size,
        count(*) as common
    from pairs
    inner join ranked as olds on pairs.old_subscriber_id = olds.subscriber_id and olds.side = 'OLD'
    inner join ranked as news
        on
            pairs.new_subscriber_id = news.subscriber_id
            and news.side = 'NEW'
            and olds.token = news.token
    group by
        pairs.old_subscriber_id,
        pairs.new_subscriber_id,
        olds.size,
        news.size
),

found as (
    select
        common.old_subscriber_id,
        common.new_subscriber_id
    from common
    cross join parameters
    where common.common >= parameters.reentry_jaccard * (common.old_size + common.new_size - common.common)
    {%- if previous %}
    union
    select
        kept.old_subscriber_id,
        kept.new_subscriber_id
    from {{ this }} as kept
    cross join scope
    inner join olds on kept.old_subscriber_id = olds.subscriber_id
    left join fresh_olds on kept.old_subscriber_id = fresh_olds.subscriber_id
    left join fresh_news on kept.new_subscriber_id = fresh_news.subscriber_id
    where
        kept.as_of_date = {{ kept_on }}
        and not scope.is_all
        and fresh_olds.subscriber_id is null
        and fresh_news.subscriber_id is null
    {%- endif %}
)

select
    {{ as_of() }} as as_of_date,
    old_subscriber_id,
    new_subscriber_id
from found
