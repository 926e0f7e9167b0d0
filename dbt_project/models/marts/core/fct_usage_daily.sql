{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['subscriber_id', 'usage_date']
) }}

with
definition as (
    select * from {{ ref('int_churn_definition') }}
),

usage_days as (
    {{ versions(
        ref('stg_usage__daily'),
        key=['subscriber_id', 'usage_date'],
        dated_by='usage_date',
        columns=[
            'subscriber_id',
            'usage_date',
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
        ]
    ) }}
)

select
    usage_days.subscriber_id,
    usage_days.usage_date,
    usage_days.voice_out_minutes,
    usage_days.voice_in_minutes,
    usage_days.voice_offnet_minutes,
    usage_days.voice_competitor_minutes,
    usage_days.voice_night_minutes,
    usage_days.calls_out,
    usage_days.calls_in,
    usage_days.sms_out,
    usage_days.data_mb,
    usage_days.data_mb_video,
    usage_days.data_mb_social,
    usage_days.data_mb_messaging,
    usage_days.data_mb_music,
    usage_days.data_mb_game,
    usage_days.data_mb_other,
    usage_days.data_mb_night,
    usage_days.data_mb_roaming,
    usage_days.data_mb_tethering,
    usage_days.data_mb_background,
    usage_days.data_mb_4g,
    usage_days.data_mb_5g,
    usage_days.data_sessions,
    usage_days.failed_data_sessions,
    usage_days.slow_data_mb,
    usage_days.poor_coverage_minutes,
    usage_days.roaming_minutes,
    usage_days.counterparties,
    usage_days.dropped_calls,
    usage_days.failed_calls,
    usage_days.tac,
    case
        when usage_days.voice_out_minutes is null and usage_days.voice_in_minutes is null then null
        else
            cast(
                coalesce(usage_days.voice_out_minutes, 0)
                + coalesce(usage_days.voice_in_minutes, 0)
                as decimal(18, 2)
            )
    end as voice_minutes,
    {{ is_activity_day('usage_days', 'definition.min_activity_mb') }} as is_activity_day,
    usage_days.visible_from,
    usage_days.visible_to
from usage_days
cross join definition
