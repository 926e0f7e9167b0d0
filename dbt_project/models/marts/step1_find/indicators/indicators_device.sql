{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    on_schema_change='fail',
    keeps='index_dates'
) }}

with
feeds as (
    select
        coalesce(bool_or(feed = 'usage_devices' and has_arrived), false) as has_sightings,
        coalesce(bool_or(feed = 'device_models' and has_arrived), false) as has_models
    from {{ ref('int_feed_arrivals') }}
),

device_models as (
    select
        devices.tac,
        devices.brand,
        devices.device_class,
        devices.is_dual_sim,
        devices.released_on,
        {{ generation_number('devices.network_generation') }} as generation,
        bands.band_rank
    from {{ ref('dim_devices') }} as devices
    left join {{ ref('device_price_bands') }} as bands on devices.price_band = bands.price_band
    where {{ is_visible('devices', as_of()) }}
),

sightings as (
    select
        sightings.subscriber_id,
        sightings.imei_token,
        sightings.tac,
        sightings.occurred_at
    from {{ ref('fct_device_sightings') }} as sightings
    where {{ is_visible('sightings', as_of()) }}
),

-- Most lines were only ever seen in one device: nothing to put in order.
sighted as (
    select
        subscriber_id,
        min(imei_token) = max(imei_token) and count(imei_token) = count(*) as is_in_one_device,
        min(imei_token) as imei_token,
        min_by(tac, occurred_at) as tac,
        min(occurred_at) as first_seen_at
    from sightings
    group by subscriber_id
),

-- A sighting in another device than the one before begins the time with that device.
in_turn as (
    select
        sightings.subscriber_id,
        sightings.imei_token,
        sightings.tac,
        sightings.occurred_at,
        lag(sightings.imei_token) over (
            partition by sightings.subscriber_id order by sightings.occurred_at, sightings.imei_token
        ) as previous_imei_token
    from sightings
    inner join sighted on sightings.subscriber_id = sighted.subscriber_id
    where not coalesce(sighted.is_in_one_device, false)
),

device_starts as (
    select
        subscriber_id,
        imei_token,
        tac,
        cast(occurred_at as date) as started_on,
        previous_imei_token is not null as is_change,
        row_number() over (partition by subscriber_id order by occurred_at desc, imei_token desc) as starts_back
    from in_turn
    where previous_imei_token is null or previous_imei_token <> imei_token
    union all
    select
        subscriber_id,
        imei_token,
        tac,
        cast(first_seen_at as date) as started_on,
        false as is_change,
        1 as starts_back
    from sighted
    where is_in_one_device
),

devices_in_turn as (
    select
        beginnings.subscriber_id,
        max(case when beginnings.starts_back = 1 then beginnings.imei_token end) as imei_token,
        max(beginnings.started_on) as last_started_on,
        count(*) as device_count,
        {{ days_between('min(beginnings.started_on)', 'max(beginnings.started_on)') }} as days_between_starts,
        count(
            case when beginnings.is_change and beginnings.started_on > {{ days_after(as_of(), -365) }} then 1 end
        ) as changes_12m,
        max(case when beginnings.starts_back = 1 then models.generation end) as generation,
        max(case when beginnings.starts_back = 2 then models.generation end) as previous_generation,
        max(case when beginnings.starts_back = 1 then models.band_rank end) as band_rank,
        max(case when beginnings.starts_back = 2 then models.band_rank end) as previous_band_rank,
        max(case when beginnings.starts_back = 1 then models.brand end) as brand,
        max(case when beginnings.starts_back = 2 then models.brand end) as previous_brand
    from device_starts as beginnings
    left join device_models as models on beginnings.tac = models.tac
    group by beginnings.subscriber_id
),

recent_sightings as (
    select distinct
        subscriber_id,
        imei_token
    from sightings
    where cast(occurred_at as date) > {{ days_after(as_of(), -90) }}
),

devices_seen as (
    select
        subscriber_id,
        count(*) as devices
    from recent_sightings
    group by subscriber_id
),

other_users as (
    select
        devices_in_turn.subscriber_id,
        count(*) as subscribers
    from devices_in_turn
    inner join recent_sightings
        on
            devices_in_turn.imei_token = recent_sightings.imei_token
            and devices_in_turn.subscriber_id <> recent_sightings.subscriber_id
    group by devices_in_turn.subscriber_id
),

-- SIM cards of whoever had more than one.
sim_changers as (
    select subscriber_id
    from {{ ref('dim_subscribers') }}
    where visible_from <= {{ as_of() }}
    group by subscriber_id
    having min(imsi_token) <> max(imsi_token)
),

sim_versions as (
    select
        versions.subscriber_id,
        versions.visible_from,
        versions.imsi_token,
        lag(versions.imsi_token) over (
            partition by versions.subscriber_id order by versions.visible_from
        ) as previous_imsi_token
    from {{ ref('dim_subscribers') }} as versions
    inner join sim_changers as changed on versions.subscriber_id = changed.subscriber_id
    where versions.visible_from <= {{ as_of() }} and versions.imsi_token is not null
),

sim_changes as (
    select
        subscriber_id,
        count(*) as changes
    from sim_versions
    where visible_from > {{ days_after(as_of(), -365) }} and previous_imsi_token <> imsi_token
    group by subscriber_id
),

contracts as (
    select
        subscriber_id,
        max_by(device_tac, started_at) as device_tac,
        max_by(subsidy_cny, started_at) as subsidy_cny,
        max(contract_end_date) as contract_end_date
    from {{ ref('int_holdings') }}
    where product_kind = 'DEVICE_CONTRACT' and is_open
    group by subscriber_id
),

recent_use as (
    select
        subscriber_id,
        cast(data_mb_5g_30d as double) as data_mb_5g_30d,
        cast(data_mb_30d as double) as data_mb_30d,
        max(data_mb_5g_30d) over () > 0 as has_5g
    from {{ ref('int_usage_state') }}
    where as_of_date = {{ as_of() }}
)

select
    {{ as_of() }} as as_of_date,
    devices.subscriber_id,
    devices.device_generation,
    devices.network_generation - devices.device_generation as device_generation_gap,
    models.band_rank as device_price_band,
    {{ days_between('models.released_on', as_of()) }} as device_model_age_days,
    {{ days_between('devices_in_turn.last_started_on', as_of()) }} as device_tenure_days,
    case when devices_in_turn.subscriber_id is not null then devices_in_turn.changes_12m end as device_changes_12m,
    case
        when devices_in_turn.device_count >= 2
            then
                cast(devices_in_turn.days_between_starts as double)
                / (devices_in_turn.device_count - 1)
    end as device_interval_mean_days,
    case
        when devices_in_turn.device_count >= 2
            then
                cast({{ days_between('devices_in_turn.last_started_on', as_of()) }} as double)
                * (devices_in_turn.device_count - 1)
                / nullif(devices_in_turn.days_between_starts, 0)
    end as device_cycle_position_ratio,
    devices_in_turn.generation - devices_in_turn.previous_generation as device_generation_change,
    devices_in_turn.band_rank - devices_in_turn.previous_band_rank as device_price_band_change,
    devices_in_turn.brand <> devices_in_turn.previous_brand as is_device_brand_changed,
    models.is_dual_sim as is_dual_sim_device,
    models.device_class = 'FEATURE_PHONE' as is_feature_phone,
    case when feeds.has_models and devices.tac is not null then not devices.is_model_known end as is_device_unknown,
    case when feeds.has_sightings then coalesce(devices_seen.devices, 0) end as devices_seen_90d,
    case
        when devices_in_turn.imei_token is not null then coalesce(other_users.subscribers, 0)
    end as shared_device_subscribers_90d,
    case when base_lines.imsi_token is not null then coalesce(sim_changes.changes, 0) end as sim_changes_12m,
    devices.generation_percentile as data_mb_generation_percentile,
    case when recent_use.has_5g then recent_use.data_mb_5g_30d / nullif(recent_use.data_mb_30d, 0) end
        as data_share_5g_30d,
    devices.device_generation > {{ generation_number('plans.plan_generation') }} as is_device_ahead_of_plan,
    contracts.device_tac = devices.tac as is_contract_device_in_use,
    case
        when contracts.contract_end_date >= {{ as_of() }}
            then {{ days_between(as_of(), 'contracts.contract_end_date') }}
    end as device_contract_days_left,
    cast(contracts.subsidy_cny as double) as device_subsidy_cny
from {{ ref('int_findings_devices') }} as devices
cross join feeds
inner join {{ ref('int_lines') }} as base_lines on devices.subscriber_id = base_lines.subscriber_id
inner join {{ ref('int_allowances') }} as plans on devices.subscriber_id = plans.subscriber_id
left join device_models as models on devices.tac = models.tac
left join devices_in_turn on devices.subscriber_id = devices_in_turn.subscriber_id
left join devices_seen on devices.subscriber_id = devices_seen.subscriber_id
left join other_users on devices.subscriber_id = other_users.subscriber_id
left join sim_changes on devices.subscriber_id = sim_changes.subscriber_id
left join contracts on devices.subscriber_id = contracts.subscriber_id
left join recent_use on devices.subscriber_id = recent_use.subscriber_id
