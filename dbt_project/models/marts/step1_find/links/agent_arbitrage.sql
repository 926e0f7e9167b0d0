{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set own_channels = "'OWN_HALL', 'ONLINE', 'APP', 'CALL_CENTER'" %}

-- Agents who may wash cards: the share of re-entries among their activations against that of their peers,
-- the other agents of their type and province (or, where these are too few, of the operator), and the
-- chance of so many by accident. Shares are compared as integers; the tail of the binomial distribution
-- comes from logarithms of factorials, which are running sums of logarithms.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

commissions as (
    select
        cohorts.agent_id,
        sum(commissions.amount_cny) as at_risk_cny
    from {{ ref('int_agent_cohorts') }} as cohorts
    inner join {{ ref('fct_commissions') }} as commissions
        on cohorts.subscriber_id = commissions.subscriber_id and cohorts.agent_id = commissions.agent_id
    where
        (cohorts.is_reentry or cohorts.is_gone)
        and commissions.kind in ('ACTIVATION', 'CLAWBACK')
        and commissions.visible_from > {{ days_after(as_of(), -181) }}
        and {{ is_visible('commissions', as_of()) }}
    group by cohorts.agent_id
),

cohorts as (
    select
        agent_id,
        count(*) as activations,
        sum({{ one_if('is_reentry') }}) as reentries,
        count(has_survived) as old_lines,
        sum({{ one_if('has_survived') }}) as survivors,
        count(is_used_at_first) as judged_lines,
        sum({{ one_if('not is_used_at_first') }}) as unused_lines
    from {{ ref('int_agent_cohorts') }}
    group by agent_id
),

-- Agents as they are on the date; those of our own channels are nobody's peers.
versions as (
    select
        agents.agent_id,
        agents.agent_type,
        agents.org_id,
        agents.channel_id,
        row_number() over (partition by agents.agent_id order by agents.valid_from desc) as version_no
    from {{ ref('dim_agents') }} as agents
    where
        {{ is_visible('agents', as_of()) }}
        and agents.valid_from <= {{ as_of() }}
        and (agents.valid_to is null or agents.valid_to >= {{ as_of() }})
),

agents as (
    select
        versions.agent_id,
        coalesce(versions.agent_type, '') as agent_type,
        versions.org_id,
        coalesce(org.province_id, '') as province_id
    from versions
    left join {{ ref('dim_channels') }} as channels
        on versions.channel_id = channels.channel_id and {{ is_visible('channels', as_of()) }}
    left join {{ ref('dim_org') }} as org
        on versions.org_id = org.org_id and {{ is_visible('org', as_of()) }}
    where versions.version_no = 1 and coalesce(channels.channel_type, '') not in ({{ own_channels }})
),

ranked as (
    select
        agents.agent_id,
        agents.agent_type,
        agents.province_id,
        cohorts.activations,
        cohorts.reentries,
        row_number() over (
            partition by agents.agent_type, agents.province_id
            order by cast(cohorts.reentries as double) / cohorts.activations, agents.agent_id
        ) as rank_near,
        row_number() over (
            order by cast(cohorts.reentries as double) / cohorts.activations, agents.agent_id
        ) as rank_all
    from agents
    inner join cohorts on agents.agent_id = cohorts.agent_id
    cross join parameters
    where cohorts.activations >= parameters.arbitrage_min_activations
),

near_sizes as (
    select
        agent_type,
        province_id,
        count(*) as size
    from ranked
    group by agent_type, province_id
),

whole_size as (
    select count(*) as size from ranked
),

sizes as (
    select
        agents.agent_id,
        agents.agent_type,
        agents.province_id,
        agents.org_id,
        own.rank_near,
        own.rank_all,
        coalesce(near.size, 0) - {{ one_if('own.agent_id is not null') }} as peers_near,
        coalesce(everyone.size, 0) - {{ one_if('own.agent_id is not null') }} as peers_all
    from agents
    left join ranked as own on agents.agent_id = own.agent_id
    left join near_sizes as near on agents.agent_type = near.agent_type and agents.province_id = near.province_id
    cross join whole_size as everyone
),

chosen as (
    select
        sizes.*,
        sizes.peers_near >= parameters.arbitrage_min_peers as is_near,
        case
            when sizes.peers_near >= parameters.arbitrage_min_peers then sizes.peers_near
            else sizes.peers_all
        end as peers
    from sizes
    cross join parameters
),

-- The two middle peers (one twice when their number is odd), by place among all; the agent itself is
-- skipped.
places as (
    select
        chosen.*,
        case when chosen.is_near then chosen.rank_near else chosen.rank_all end as own_rank,
        floor((chosen.peers + 1) / 2) as lower_place,
        floor(chosen.peers / 2) + 1 as upper_place
    from chosen
    where chosen.peers > 0
),

middles as (
    select
        places.*,
        places.lower_place + {{ one_if('places.lower_place >= places.own_rank') }} as lower_rank,
        places.upper_place + {{ one_if('places.upper_place >= places.own_rank') }} as upper_rank
    from places
),

-- The median as a fraction.
medians as (
    {%- for is_near in [true, false] %}
    {%- set rank = 'rank_near' if is_near else 'rank_all' %}
    select
        middles.agent_id,
        middles.peers,
        cast(
            lower_peers.reentries * upper_peers.activations + upper_peers.reentries * lower_peers.activations as bigint
        ) as median_part,
        cast(2 * lower_peers.activations * upper_peers.activations as bigint) as median_whole
    from middles
    inner join ranked as lower_peers
        on
            middles.lower_rank = lower_peers.{{ rank }}
            {%- if is_near %}
            and middles.agent_type = lower_peers.agent_type
            and middles.province_id = lower_peers.province_id
            {%- endif %}
    inner join ranked as upper_peers
        on
            middles.upper_rank = upper_peers.{{ rank }}
            {%- if is_near %}
            and middles.agent_type = upper_peers.agent_type
            and middles.province_id = upper_peers.province_id
            {%- endif %}
    where {{ '' if is_near else 'not ' }}middles.is_near
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

tested as (
    select
        cohorts.agent_id,
        cohorts.activations,
        cohorts.reentries,
        medians.peers,
        medians.median_part,
        medians.median_whole,
        greatest(
            cast(medians.median_part as double) / medians.median_whole,
            cast(parameters.arbitrage_floor_median as double)
        ) as chance
    from cohorts
    inner join medians on cohorts.agent_id = medians.agent_id
    cross join parameters
),

-- 1, 2, 3, … as far as the largest cohort, with the logarithm of the factorial.
numbered as (
    select distinct cast(row_number() over (partition by agent_id order by subscriber_id) as bigint) as n
    from {{ ref('int_agent_cohorts') }}
),

factorials as (
    select
        n,
        sum(ln(cast(n as double))) over (order by n rows between unbounded preceding and current row) as ln_factorial
    from numbered
    union all
    select
        cast(0 as bigint) as n,
        cast(0 as double) as ln_factorial
),

tails as (
    select
        tested.agent_id,
        sum(
            exp(
                whole.ln_factorial
                - part.ln_factorial
                - rest.ln_factorial
                + part.n * ln(tested.chance)
                + rest.n * ln(1 - tested.chance)
            )
        ) as p_value
    from tested
    inner join factorials as part on tested.reentries <= part.n and tested.activations >= part.n
    inner join factorials as rest on tested.activations - part.n = rest.n
    inner join factorials as whole on tested.activations = whole.n
    where tested.reentries > 0 and tested.chance < 1
    group by tested.agent_id
)

select
    {{ as_of() }} as as_of_date,
    cohorts.agent_id,
    agents.org_id,
    nullif(agents.province_id, '') as province_id,
    nullif(agents.agent_type, '') as agent_type,
    cohorts.activations,
    cast(cohorts.reentries as bigint) as reentries,
    cast(cohorts.reentries as double) / cohorts.activations as reentry_share,
    cast(cohorts.survivors as double) / nullif(cohorts.old_lines, 0) as survival_share_90d,
    cast(cohorts.unused_lines as double) / nullif(cohorts.judged_lines, 0) as zero_use_share,
    cast(coalesce(commissions.at_risk_cny, 0) as decimal(18, 2)) as commission_at_risk_cny,
    cast(tested.peers as bigint) as peers,
    cast(tested.median_part as double) / tested.median_whole as peer_median_share,
    case
        when tested.agent_id is not null then round(least(coalesce(tails.p_value, 1), 1), 12)
    end as p_value,
    case
        when cohorts.activations < parameters.arbitrage_min_activations then false
        when tested.agent_id is not null
            then
                cohorts.reentries * tested.median_whole
                > parameters.arbitrage_peer_ratio * tested.median_part * cohorts.activations
                and coalesce(tails.p_value, 1) < cast(parameters.arbitrage_alpha as double)
    end as is_alert
from cohorts
cross join parameters
left join agents on cohorts.agent_id = agents.agent_id
left join tested on cohorts.agent_id = tested.agent_id
left join tails on cohorts.agent_id = tails.agent_id
left join commissions on cohorts.agent_id = commissions.agent_id
