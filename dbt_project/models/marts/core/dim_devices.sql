{{ config(materialized='table') }}

with
devices as (
    {{ reference_versions(
        ref('stg_device__models'),
        feed='device_models',
        columns=[
            'tac',
            'brand',
            'model',
            'device_class',
            'network_generation',
            'is_dual_sim',
            'price_band',
            'released_on',
        ]
    ) }}
)

select
    devices.tac,
    devices.brand,
    devices.model,
    devices.device_class,
    devices.network_generation,
    devices.is_dual_sim,
    devices.price_band,
    devices.released_on,
    devices.visible_from,
    devices.visible_to
from devices
