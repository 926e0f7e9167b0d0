{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'month']
) }}

with
usage_months as (
    {{ versions(
        ref('stg_usage__monthly'),
        key=['subscriber_id', 'month'],
        columns=[
            'subscriber_id',
            'month',
            'voice_out_minutes',
            'voice_in_minutes',
            'voice_offnet_minutes',
            'voice_competitor_minutes',
            'voice_night_minutes',
            'calls_out',
            'calls_in',
            'sms_out',
            'data_mb',
            'data_mb_video',
            'data_mb_social',
            'data_mb_messaging',
            'data_mb_music',
            'data_mb_game',
            'data_mb_other',
            'data_mb_night',
            'data_mb_roaming',
            'data_mb_tethering',
            'data_mb_background',
            'data_mb_4g',
            'data_mb_5g',
            'data_sessions',
            'failed_data_sessions',
            'slow_data_mb',
            'poor_coverage_minutes',
            'roaming_minutes',
            'counterparties',
            'dropped_calls',
            'failed_calls',
            'tac',
            'active_days',
            'topup_count',
            'topup_cny',
            'balance_end_cny',
        ]
    ) }}
)

select
    usage_months.subscriber_id,
    usage_months.month,
    usage_months.voice_out_minutes,
    usage_months.voice_in_minutes,
    usage_months.voice_offnet_minutes,
    usage_months.voice_competitor_minutes,
    usage_months.voice_night_minutes,
    usage_months.calls_out,
    usage_months.calls_in,
    usage_months.sms_out,
    usage_months.data_mb,
    usage_months.data_mb_video,
    usage_months.data_mb_social,
    usage_months.data_mb_messaging,
    usage_months.data_mb_music,
    usage_months.data_mb_game,
    usage_months.data_mb_other,
    usage_months.data_mb_night,
    usage_months.data_mb_roaming,
    usage_months.data_mb_tethering,
    usage_months.data_mb_background,
    usage_months.data_mb_4g,
    usage_months.data_mb_5g,
    usage_months.data_sessions,
    usage_months.failed_data_sessions,
    usage_months.slow_data_mb,
    usage_months.poor_coverage_minutes,
    usage_months.roaming_minutes,
    usage_months.counterparties,
    usage_months.dropped_calls,
    usage_months.failed_calls,
    usage_months.tac,
    usage_months.active_days,
    usage_months.topup_count,
    usage_months.topup_cny,
    usage_months.balance_end_cny,
    case
        when usage_months.voice_out_minutes is null and usage_months.voice_in_minutes is null then null
        else
            cast(
                coalesce(usage_months.voice_out_minutes, 0)
                + coalesce(usage_months.voice_in_minutes, 0)
                as decimal(18, 2)
            )
    end as voice_minutes,
    usage_months.visible_from,
    usage_months.visible_to
from usage_months
