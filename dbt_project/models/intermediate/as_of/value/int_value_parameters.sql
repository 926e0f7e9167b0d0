{{ config(materialized='table') }}
{%- set integers = ['margin_months', 'margin_min_months', 'attitude_days', 'repeat_days'] -%}
{%- set decimals = [
    'discount_rate',
    'volume_voice_cny_per_minute',
    'volume_data_cny_per_mb',
    'volume_sms_cny',
] -%}

with
parameters as (
    select
        {%- for parameter in integers %}
        cast(max(case when parameter = '{{ parameter }}' then value end) as integer) as {{ parameter }},
        {%- endfor %}
        {%- for parameter in decimals %}
        cast(max(case when parameter = '{{ parameter }}' then value end) as decimal(9, 4)) as {{ parameter }},
        {%- endfor %}
        cast(max(case when parameter = 'margin_default_share' then value end) as decimal(9, 4)) as margin_default_share
    from {{ ref('value_parameters') }}
),

shares as (
    select
        max(case when charge_kind = 'OVERAGE' then margin_share end) as margin_overage_share,
        max(case when charge_kind = 'ROAMING' then margin_share end) as margin_roaming_share,
        max(case when charge_kind = 'VAS' then margin_share end) as margin_vas_share
    from {{ ref('margin_shares') }}
)

select
    parameters.*,
    coalesce(shares.margin_overage_share, parameters.margin_default_share) as margin_overage_share,
    coalesce(shares.margin_roaming_share, parameters.margin_default_share) as margin_roaming_share,
    coalesce(shares.margin_vas_share, parameters.margin_default_share) as margin_vas_share
from parameters
cross join shares
