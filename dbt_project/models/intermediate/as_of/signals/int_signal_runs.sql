{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='all',
    on_schema_change='fail'
) }}
{%- set previous = newest_kept_date() %}

-- Unbroken runs of STATE signals: those that fire, and those that ended too lately to fire as new.
-- Each date builds on the newest one before it. An unknown day, or a day that nobody looked at,
-- neither extends a run nor breaks it.
with
parameters as (
    select signal_rearm_days from {{ ref('int_signal_parameters') }}
),

codes as (
    select
        code,
        rearms
    from {{ ref('signal_codes') }}
    where kind = 'STATE'
),

firing as (
    select hits.subscriber_id, hits.code
    from {{ ref('int_signal_hits') }} as hits
    inner join codes on hits.code = codes.code
),

earlier as (
    {% if previous -%}
    select
        subscriber_id,
        code,
        first_seen,
        run_days,
        clear_days,
        last_fired_on,
        last_known_on
    from {{ this }}
    where as_of_date = cast('{{ previous }}' as date)
    {%- else -%}
    select
        subscriber_id,
        code,
        {{ as_of() }} as first_seen,
        0 as run_days,
        0 as clear_days,
        {{ as_of() }} as last_fired_on,
        {{ as_of() }} as last_known_on
    from firing
    where false
    {%- endif %}
),

said as (
    select
        coalesce(firing.subscriber_id, earlier.subscriber_id) as subscriber_id,
        coalesce(firing.code, earlier.code) as code,
        firing.code is not null as is_firing,
        earlier.first_seen,
        earlier.run_days,
        earlier.clear_days,
        earlier.last_fired_on,
        earlier.last_known_on
    from firing
    full join earlier on firing.subscriber_id = earlier.subscriber_id and firing.code = earlier.code
),

judged as (
    select
        said.subscriber_id,
        said.code,
        said.is_firing,
        said.first_seen,
        said.run_days,
        said.clear_days,
        said.last_fired_on,
        said.last_known_on,
        base.subscriber_id is not null as is_in_base,
        case
            when said.is_firing then true
            when base.subscriber_id is null then false
            else not coalesce({{ is_listed('said.code', 'base.unknown_signals') }}, false)
        end as is_known,
        case when codes.rearms then parameters.signal_rearm_days else 1 end as clear_days_to_end
    from said
    inner join codes on said.code = codes.code
    cross join parameters
    left join {{ ref('int_signal_values') }} as base on said.subscriber_id = base.subscriber_id
    -- a removed line has no signals any more
    where base.subscriber_id is not null or not said.is_firing
),

runs as (
    select
        subscriber_id,
        code,
        is_firing,
        is_in_base,
        clear_days_to_end,
        case
            when is_firing and coalesce(clear_days >= clear_days_to_end, true) then {{ as_of() }}
            else first_seen
        end as first_seen,
        case
            when is_firing and coalesce(clear_days >= clear_days_to_end, true) then 1
            when is_firing then run_days + 1
            else run_days
        end as run_days,
        case
            when is_firing then 0
            when is_known then clear_days + 1
            else clear_days
        end as clear_days,
        case when is_firing then {{ as_of() }} else last_fired_on end as last_fired_on,
        case when is_known then {{ as_of() }} else last_known_on end as last_known_on
    from judged
)

select
    {{ as_of() }} as as_of_date,
    subscriber_id,
    code,
    is_firing,
    first_seen,
    cast(run_days as integer) as run_days,
    cast(clear_days as integer) as clear_days,
    last_fired_on,
    last_known_on
from runs
where
    -- lines out of the network are waited for, but not for ever
    (is_in_base or last_known_on > {{ days_after(as_of(), -var('signal_max_step')) }})
    and clear_days < clear_days_to_end
