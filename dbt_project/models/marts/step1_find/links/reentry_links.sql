{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}
{%- set previous = newest_date_before(400) %}
{%- set rounds = [1, 2, 3, 4, 5, 6, 7, 8] %}

-- Who left and came back as another subscriber: one-to-one, the best score first, then the smaller gap,
-- then the ids. That is a greedy choice; here in rounds, for a pair that is the best of both its sides
-- is chosen by it in any case. Each round decides all such pairs at once, so that the number of rounds
-- that is needed is the length of the longest chain of pairs each of which yields to the next.
with
{%- if previous %}
kept as (  -- noqa: ST03
    select * from {{ this }} where as_of_date = cast('{{ previous }}' as date) and is_frozen
),
{% endif %}
ranked as (
    select
        candidates.*,
        row_number() over (
            order by
                candidates.score desc,
                candidates.gap_days asc,
                candidates.old_subscriber_id asc,
                candidates.new_subscriber_id asc
        ) as place
    from {{ ref('int_reentry_candidates') }} as candidates
),

left_0 as (
    select
        ranked.place,
        ranked.old_subscriber_id,
        ranked.new_subscriber_id
    from ranked
    {%- if previous %}
    where
        not exists (select 1 from kept where kept.old_subscriber_id = ranked.old_subscriber_id)
        and not exists (select 1 from kept where kept.new_subscriber_id = ranked.new_subscriber_id)
    {%- endif %}
),
{%- for round in rounds %}

placed_{{ round }} as (
    select
        *,
        min(place) over (partition by old_subscriber_id) as best_of_old,
        min(place) over (partition by new_subscriber_id) as best_of_new
    from left_{{ round - 1 }}
),

chosen_{{ round }} as (
    select place, old_subscriber_id, new_subscriber_id
    from placed_{{ round }}
    where place = best_of_old and place = best_of_new
),

left_{{ round }} as (
    select placed.place, placed.old_subscriber_id, placed.new_subscriber_id
    from placed_{{ round }} as placed
    left join chosen_{{ round }} as of_old on placed.old_subscriber_id = of_old.old_subscriber_id
    left join chosen_{{ round }} as of_new on placed.new_subscriber_id = of_new.new_subscriber_id
    where of_old.place is null and of_new.place is null
),
{%- endfor %}

chosen as (
    {%- for round in rounds %}
    select place from chosen_{{ round }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    {{ as_of() }} as as_of_date,
    ranked.old_subscriber_id,
    ranked.new_subscriber_id,
    case when ranked.is_port_out then 'RETURN' else 'NUMBER_CHANGE' end as link_kind,
    ranked.old_ended_on,
    ranked.new_activated_on,
    ranked.gap_days,
    cast(ranked.score as double) as score,
    ranked.has_id as has_same_id,
    ranked.has_device as has_same_device,
    ranked.has_circle as has_same_circle,
    ranked.has_area as has_same_area,
    ranked.frozen_from,
    ranked.frozen_from <= {{ as_of() }} as is_frozen,
    ranked.frozen_from > {{ as_of() }} as is_provisional
from ranked
inner join chosen on ranked.place = chosen.place
{%- if previous %}
union all
select
    {{ as_of() }} as as_of_date,
    old_subscriber_id,
    new_subscriber_id,
    link_kind,
    old_ended_on,
    new_activated_on,
    gap_days,
    score,
    has_same_id,
    has_same_device,
    has_same_circle,
    has_same_area,
    frozen_from,
    true as is_frozen,
    false as is_provisional
from kept
{%- endif %}
