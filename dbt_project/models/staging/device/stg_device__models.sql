select
    tac,
    brand,
    model,
    device_class,
    network_generation,
    is_dual_sim,
    price_band,
    released_on,
    dt as visible_from
from {{ source('device', 'device_models') }}
