{{ config(materialized='table') }}

-- O35: a device of an older generation than the network around it, on a line that uses as much data as
-- the top quarter of such devices. One row a base line; null is unknown. Generations go by their digit.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- The unit's own generation, else that of the nearest unit above it, else the one of everywhere else.
named as (
    select
        org_id,
        {{ generation_number('network_generation') }} as generation
    from {{ ref('network_generation_by_org') }}
),

elsewhere as (
    select max(generation) as generation from named where org_id is null
),

networks as (
    select
        units.org_id,
        coalesce(cities.generation, provinces.generation, head_offices.generation) as generation
    from {{ ref('dim_org') }} as units
    left join named as cities on units.city_id = cities.org_id
    left join named as provinces on units.province_id = provinces.org_id
    left join named as head_offices on units.hq_id = head_offices.org_id
    where {{ is_visible('units', as_of()) }}
),

device_models as (
    select
        tac,
        {{ generation_number('network_generation') }} as generation
    from {{ ref('dim_devices') }} as devices
    where {{ is_visible('devices', as_of()) }}
),

-- Data of the three closed months, of lines that were there before them and whose use is known.
measured as (
    select
        main_devices.subscriber_id,
        main_devices.tac,
        device_models.tac is not null as is_model_known,
        device_models.generation,
        coalesce(own_units.generation, networks.generation, elsewhere.generation) as network_generation,
        case
            when
                used.active_data_days_m1 >= parameters.fit_min_known_days
                and used.active_data_days_m2 >= parameters.fit_min_known_days
                and used.active_data_days_m3 >= parameters.fit_min_known_days
                and coalesce(base_lines.activated_on <= {{ month_first(3) }}, true)
                then cast(used.active_data_m1 + used.active_data_m2 + used.active_data_m3 as decimal(18, 3))
        end as data_mb_3m
    from {{ ref('int_main_devices') }} as main_devices
    cross join parameters
    cross join elsewhere
    inner join {{ ref('int_lines') }} as base_lines on main_devices.subscriber_id = base_lines.subscriber_id
    inner join {{ ref('int_plan_use') }} as used on main_devices.subscriber_id = used.subscriber_id
    left join device_models on main_devices.tac = device_models.tac
    left join named as own_units on base_lines.org_id = own_units.org_id
    left join networks on base_lines.org_id = networks.org_id
),

ranked as (
    select
        subscriber_id,
        generation,
        network_generation,
        data_mb_3m,
        row_number() over (partition by generation order by data_mb_3m) as place,
        rank() over (partition by generation order by data_mb_3m) as tied_place,
        count(*) over (partition by generation) as group_size
    from measured
    where generation is not null and data_mb_3m is not null
),

limits as (
    select
        ranked.generation,
        max(ranked.group_size) as group_size,
        {{ quantile_of_places('ranked.data_mb_3m', 'ranked.place', 'ranked.group_size', 'parameters.device_quantile') }}
            as data_mb_3m
    from ranked
    cross join parameters
    group by ranked.generation
),

-- Where a generation has too few devices, all that are older than the network stand for it.
thin_networks as (
    select distinct ranked.network_generation
    from ranked
    cross join parameters
    where ranked.generation < ranked.network_generation and ranked.group_size < parameters.device_min_group
),

pooled as (
    select
        thin_networks.network_generation,
        ranked.data_mb_3m,
        row_number() over (partition by thin_networks.network_generation order by ranked.data_mb_3m) as place,
        count(*) over (partition by thin_networks.network_generation) as group_size
    from thin_networks
    inner join ranked on thin_networks.network_generation > ranked.generation
),

pooled_limits as (
    select
        pooled.network_generation,
        {{ quantile_of_places('pooled.data_mb_3m', 'pooled.place', 'pooled.group_size', 'parameters.device_quantile') }}
            as data_mb_3m
    from pooled
    cross join parameters
    group by pooled.network_generation
),

findings as (
    select
        measured.*,
        case
            when limits.group_size >= parameters.device_min_group then limits.data_mb_3m
            else pooled_limits.data_mb_3m
        end as limit_mb_3m,
        case
            when ranked.group_size > 1 then cast(ranked.tied_place - 1 as double) / (ranked.group_size - 1)
        end as generation_percentile
    from measured
    cross join parameters
    left join limits on measured.generation = limits.generation
    left join pooled_limits on measured.network_generation = pooled_limits.network_generation
    left join ranked on measured.subscriber_id = ranked.subscriber_id
)

select
    {{ as_of() }} as as_of_date,
    subscriber_id,
    tac,
    is_model_known,
    generation as device_generation,
    network_generation,
    case
        when generation >= network_generation then false
        when generation < network_generation and data_mb_3m is not null then data_mb_3m >= limit_mb_3m
    end as device_mismatch,
    cast(data_mb_3m as double) / 3 as data_mb_avg_3m,
    case when generation < network_generation then cast(limit_mb_3m as double) / 3 end as data_mb_avg_limit,
    generation_percentile
from findings
