{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='state'
) }}
{%- set previous = newest_date_before(90) %}

-- Evidence of a second handset in circles of the months that are remembered: one off-net number holds
-- much of the minutes (E2), or the circle of an off-net number, as far as we see it, overlaps the own
-- one (E3). A month is looked at when rows of it came, and kept until then.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

months as (
    select
        releases.month,
        releases.released_on,
        releases.changed_on
    from {{ ref('int_month_releases') }} as releases
    cross join parameters
    where
        releases.as_of_date = {{ as_of() }}
        and releases.feed = 'usage_call_circle'
        and {{ days_between('releases.released_on', as_of()) }} < parameters.dual_memory_days
),

changed as (
    select * from months
    {%- if previous %}
    where changed_on > cast('{{ previous }}' as date)
    {%- endif %}
),

told_members as (
    select
        circle.subscriber_id,
        circle.month,
        circle.counterparty_msisdn_token as token,
        circle.is_onnet,
        cast(coalesce(circle.minutes_out, 0) + coalesce(circle.minutes_in, 0) as decimal(18, 2)) as minutes
    from {{ ref('fct_call_circle') }} as circle
    inner join changed on circle.month = changed.month
    where
        {{ is_visible('circle', as_of()) }}
        and not coalesce(circle.counterparty_is_short_code, false)
),

told_numbers as (
    select
        subscribers.subscriber_id,
        subscribers.msisdn_token as token
    from {{ ref('dim_subscribers') }} as subscribers
    where
        {{ is_visible('subscribers', as_of()) }}
        and subscribers.msisdn_token is not null
        -- on most days no circles came, and nobody's number is looked for
        and exists (select 1 from changed)
),

all_tokens as (
    select token from told_members
    union
    select token from told_numbers
),

-- Short numbers in the place of tokens: all that follows handles many of them.
tokens as (
    select
        token,
        row_number() over (order by token) as token_no
    from all_tokens
),

members as (
    select
        told_members.subscriber_id,
        told_members.month,
        tokens.token_no,
        told_members.is_onnet,
        told_members.minutes
    from told_members
    left join tokens on told_members.token = tokens.token
),

numbers as (
    select
        told_numbers.subscriber_id,
        tokens.token_no as own_no
    from told_numbers
    inner join tokens on told_numbers.token = tokens.token
),

circles as (
    select
        subscriber_id,
        month,
        count(*) as size,
        cast(sum(minutes) as decimal(18, 2)) as minutes,
        max(case when not is_onnet then minutes end) as top_offnet_minutes
    from members
    group by subscriber_id, month
),

concentrated as (
    select
        circles.subscriber_id,
        circles.month
    from circles
    cross join parameters
    where
        circles.size >= parameters.dual_min_members
        and circles.minutes > 0
        and circles.top_offnet_minutes >= parameters.dual_top_share * circles.minutes
),

-- What we see of the circle of an off-net number: those of us who have it in theirs. A number with
-- more of them than any own circle can overlap enough is left out before anything is joined to it.
neighbours as (
    select distinct
        members.month,
        members.token_no,
        numbers.own_no as neighbour_no
    from members
    inner join numbers on members.subscriber_id = numbers.subscriber_id
    where not members.is_onnet
),

largest as (
    select max(size) as size from circles
),

seen as (
    select
        neighbours.month,
        neighbours.token_no,
        count(*) as size,
        parameters.dual_jaccard * greatest(count(*) - 1, parameters.dual_min_members) as least_common,
        row_number() over (order by neighbours.month, neighbours.token_no) as seen_no
    from neighbours
    cross join parameters
    cross join largest
    group by neighbours.month, neighbours.token_no, parameters.dual_min_members, parameters.dual_jaccard, largest.size
    having
        count(*) >= parameters.dual_min_members
        and (count(*) - 1) * parameters.dual_jaccard <= largest.size
),

-- What is counted is many rows, and few of them have enough in common.
shared as (
    {%- for chunk in subscriber_chunks('members') %}
    {{ 'union all' if not loop.first }}
    select
        members.subscriber_id,
        seen.seen_no,
        count(*) as common
    from seen
    inner join neighbours on seen.month = neighbours.month and seen.token_no = neighbours.token_no
    inner join members
        on
            neighbours.month = members.month
            and neighbours.neighbour_no = members.token_no
            and seen.token_no <> members.token_no
    left join numbers on members.subscriber_id = numbers.subscriber_id
    where
        (numbers.own_no is null or numbers.own_no <> neighbours.neighbour_no)
        and {{ chunk }}
    group by members.subscriber_id, seen.seen_no
    having count(*) >= (select min(needed.least_common) from seen as needed)
    {%- endfor %}
),

likely as (
    select
        shared.subscriber_id,
        seen.month,
        seen.token_no,
        seen.size as seen_size,
        shared.common
    from shared
    inner join seen on shared.seen_no = seen.seen_no and shared.common >= seen.least_common
),

-- Neither the owner nor the number itself is a member of what is compared.
compared as (
    select
        likely.subscriber_id,
        likely.month,
        likely.common,
        likely.seen_size - {{ one_if('own_seen.neighbour_no is not null') }} as seen_size,
        circles.size - {{ one_if('own_member.token_no is not null') }} as own_size
    from likely
    inner join circles on likely.subscriber_id = circles.subscriber_id and likely.month = circles.month
    left join numbers on likely.subscriber_id = numbers.subscriber_id
    left join neighbours as own_seen
        on
            likely.month = own_seen.month
            and likely.token_no = own_seen.token_no
            and numbers.own_no = own_seen.neighbour_no
    left join members as own_member
        on
            likely.subscriber_id = own_member.subscriber_id
            and likely.month = own_member.month
            and likely.token_no = own_member.token_no
),

overlapping as (
    select distinct
        compared.subscriber_id,
        compared.month
    from compared
    cross join parameters
    where
        least(compared.seen_size, compared.own_size) >= parameters.dual_min_members
        and compared.common >= parameters.dual_jaccard * (compared.seen_size + compared.own_size - compared.common)
),

evidence as (
    select
        subscriber_id,
        month,
        true as is_concentrated,
        false as is_overlapping
    from concentrated
    union all
    select
        subscriber_id,
        month,
        false as is_concentrated,
        true as is_overlapping
    from overlapping
    {%- if previous %}
    union all
    select
        kept.subscriber_id,
        kept.month,
        kept.is_concentrated,
        kept.is_overlapping
    from {{ this }} as kept
    inner join months on kept.month = months.month
    where
        kept.as_of_date = cast('{{ previous }}' as date)
        and months.changed_on <= cast('{{ previous }}' as date)
    {%- endif %}
)

select
    {{ as_of() }} as as_of_date,
    evidence.subscriber_id,
    evidence.month,
    months.released_on,
    bool_or(evidence.is_concentrated) as is_concentrated,
    bool_or(evidence.is_overlapping) as is_overlapping
from evidence
inner join months on evidence.month = months.month
group by evidence.subscriber_id, evidence.month, months.released_on
