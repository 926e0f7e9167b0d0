{{ config(materialized='table') }}

with
plans as (
    {{ reference_versions(
        ref('stg_billing__plans'),
        feed='billing_plans',
        columns=[
            'plan_id',
            'valid_from',
            'valid_to',
            'name_zh',
            'name_en',
            'brand',
            'payment_mode',
            'monthly_fee_cny',
            'voice_minutes',
            'data_mb',
            'sms_count',
            'overage_voice_cny_per_min',
            'overage_data_cny_per_mb',
            'overage_sms_cny',
            'overage_mode',
            'bandwidth_mbps',
            'access_technology',
            'network_generation',
            'early_exit_fee_cny',
            'org_id',
            'on_sale_from',
            'on_sale_to',
        ]
    ) }}
)

select
    plans.plan_id,
    plans.valid_from,
    plans.valid_to,
    plans.name_zh,
    plans.name_en,
    plans.brand,
    plans.payment_mode,
    plans.monthly_fee_cny,
    plans.voice_minutes,
    plans.data_mb,
    plans.sms_count,
    plans.overage_voice_cny_per_min,
    plans.overage_data_cny_per_mb,
    plans.overage_sms_cny,
    plans.overage_mode,
    plans.bandwidth_mbps,
    plans.access_technology,
    plans.network_generation,
    plans.early_exit_fee_cny,
    plans.org_id,
    plans.on_sale_from,
    plans.on_sale_to,
    plans.visible_from,
    plans.visible_to
from plans
