{#
    The additive measures of a day of use: name -> SQL (of `usage`, and of the one row `parameters`),
    type, and the windows over which the running state holds their sum: so many days, or the month to
    date. A measure that is null on a day counts nothing; where rules divide by the days on which it
    is known, the days on which it is not are a measure as well.
#}
{% macro usage_measures() %}
    {%- set minutes, mb, count = 'decimal(18, 2)', 'decimal(18, 3)', 'integer' -%}
    {%- set has_voice = 'usage.voice_out_minutes is not null and usage.voice_in_minutes is not null' -%}
    {%- set calls = '(coalesce(usage.calls_out, 0) + coalesce(usage.calls_in, 0))' -%}
    {%- set both = 'case when ' ~ has_voice ~ ' then usage.voice_out_minutes + usage.voice_in_minutes end' -%}
    {%- set bad_calls = '(coalesce(usage.dropped_calls, 0) + coalesce(usage.failed_calls, 0))' -%}
    {%- set weekend = "extract(isodow from usage.usage_date) >= 6" -%}
    {%- set number = days_between("cast('1970-01-01' as date)", 'usage.usage_date') -%}
    {%- set hundredths = 'cast(100 * usage.data_mb as bigint)' -%}
    {%- set measures = {
        'days_seen': ('1', count, [120]),
        'use_days': (one_if('usage.is_activity_day'), count, [7, 30, 120]),
        'voice_minutes': (both, minutes, [7, 30, 60, 120, 'mtd']),
        'voice_unknown_days': (one_if('not (' ~ has_voice ~ ')'), count, [7, 30, 60, 120, 'mtd']),
        'voice_out_minutes': ('usage.voice_out_minutes', minutes, [30, 120, 'mtd']),
        'voice_out_unknown_days': (one_if('usage.voice_out_minutes is null'), count, [30, 120, 'mtd']),
        'voice_in_minutes': ('usage.voice_in_minutes', minutes, [30, 120]),
        'voice_in_unknown_days': (one_if('usage.voice_in_minutes is null'), count, [30, 120]),
        'voice_offnet_minutes': ('usage.voice_offnet_minutes', minutes, [30, 120]),
        'voice_competitor_minutes':
            ('case when ' ~ has_voice ~ ' then usage.voice_competitor_minutes end', minutes, [30, 120]),
        'voice_competitor_unknown_days': (
            one_if('not (' ~ has_voice ~ ' and usage.voice_competitor_minutes is not null)'), count, [30, 120]
        ),
        'voice_out_known_minutes':
            ('case when ' ~ has_voice ~ ' then usage.voice_out_minutes end', minutes, [30, 120]),
        'voice_night_minutes': ('case when ' ~ has_voice ~ ' then usage.voice_night_minutes end', minutes, [30, 120]),
        'voice_weekend_minutes': ('case when ' ~ weekend ~ ' and ' ~ has_voice
            ~ ' then usage.voice_out_minutes + usage.voice_in_minutes end', minutes, [30]),
        'voice_roaming_minutes': ('case when ' ~ has_voice ~ ' then usage.roaming_minutes end', minutes, [30]),
        'voice_moment': (number ~ ' * (' ~ both ~ ')', minutes, [30]),
        'voice_square': (
            'case when ' ~ has_voice ~ ' then cast(100 * (usage.voice_out_minutes + usage.voice_in_minutes) as bigint)'
            ~ ' * cast(100 * (usage.voice_out_minutes + usage.voice_in_minutes) as bigint) end', 'bigint', [30]
        ),
        'voice_unknown_moment': ('case when not (' ~ has_voice ~ ') then ' ~ number ~ ' else 0 end', 'bigint', [30]),
        'voice_unknown_square':
            ('case when not (' ~ has_voice ~ ') then ' ~ number ~ ' * ' ~ number ~ ' else 0 end', 'bigint', [30]),
        'calls': (calls, count, [30, 120]),
        'calls_unknown_days': (
            one_if(calls ~ ' = 0 and (usage.calls_out is null or usage.calls_in is null)'), count, [30, 120]
        ),
        'calls_out': ('usage.calls_out', count, [30, 120]),
        'call_days': (one_if(calls ~ ' >= 1'), count, [30, 120]),
        'counterparties': ('usage.counterparties', count, [30, 120]),
        'sms_out': ('usage.sms_out', count, [30, 120, 'mtd']),
        'sms_unknown_days': (one_if('usage.sms_out is null'), count, [30, 120]),
        'data_mb': ('usage.data_mb', mb, [7, 30, 60, 120, 'mtd']),
        'data_unknown_days': (one_if('usage.data_mb is null'), count, [7, 30, 60, 120, 'mtd']),
        'data_days': (one_if('usage.data_mb >= parameters.min_activity_mb'), count, [30, 120]),
        'data_moment': (number ~ ' * usage.data_mb', mb, [30]),
        'data_square': (hundredths ~ ' * ' ~ hundredths, 'bigint', [30]),
        'data_unknown_moment': ('case when usage.data_mb is null then ' ~ number ~ ' else 0 end', 'bigint', [30]),
        'data_unknown_square':
            ('case when usage.data_mb is null then ' ~ number ~ ' * ' ~ number ~ ' else 0 end', 'bigint', [30]),
        'data_mb_weekend': ('case when ' ~ weekend ~ ' then usage.data_mb end', mb, [30]),
        'data_mb_night': ('usage.data_mb_night', mb, [30]),
        'data_mb_video': ('usage.data_mb_video', mb, [30, 120, 'mtd']),
        'data_mb_social': ('usage.data_mb_social', mb, [30, 'mtd']),
        'data_mb_messaging': ('usage.data_mb_messaging', mb, [30, 120, 'mtd']),
        'data_mb_messaging_unknown_days': (one_if('usage.data_mb_messaging is null'), count, [30, 120]),
        'data_mb_music': ('usage.data_mb_music', mb, [30, 'mtd']),
        'data_mb_game': ('usage.data_mb_game', mb, [30, 'mtd']),
        'data_mb_other': ('usage.data_mb_other', mb, ['mtd']),
        'data_mb_roaming': ('usage.data_mb_roaming', mb, [30, 'mtd']),
        'data_mb_tethering': ('usage.data_mb_tethering', mb, [30, 'mtd']),
        'data_mb_background': ('usage.data_mb_background', mb, [30, 'mtd']),
        'app_unknown_days': (one_if(
            'usage.data_mb > 0 and (usage.data_mb_video is null or usage.data_mb_social is null'
            ~ ' or usage.data_mb_messaging is null or usage.data_mb_music is null'
            ~ ' or usage.data_mb_game is null or usage.data_mb_other is null)'
        ), count, ['mtd']),
        'roaming_unknown_days':
            (one_if('usage.data_mb > 0 and usage.data_mb_roaming is null'), count, ['mtd']),
        'tethering_unknown_days':
            (one_if('usage.data_mb > 0 and usage.data_mb_tethering is null'), count, ['mtd']),
        'background_unknown_days':
            (one_if('usage.data_mb > 0 and usage.data_mb_background is null'), count, ['mtd']),
        'data_mb_4g': ('usage.data_mb_4g', mb, [30]),
        'data_mb_5g': ('usage.data_mb_5g', mb, [30]),
        'data_sessions': ('usage.data_sessions', count, [30, 120]),
        'failed_data_sessions': ('usage.failed_data_sessions', count, [30, 120]),
        'failed_data_days': (
            one_if('usage.failed_data_sessions > parameters.bad_session_share * usage.data_sessions'), count, [30]
        ),
        'slow_data_mb': ('usage.slow_data_mb', mb, [30, 120, 'mtd']),
        'slow_data_days': (one_if('2 * usage.slow_data_mb > usage.data_mb'), count, [30]),
        'poor_coverage_minutes': ('usage.poor_coverage_minutes', minutes, [30, 120]),
        'poor_coverage_days': (
            one_if('usage.poor_coverage_minutes >= parameters.poor_coverage_day_minutes'), count, [30]
        ),
        'dropped_calls': ('usage.dropped_calls', count, [7, 30, 120]),
        'failed_calls': ('usage.failed_calls', count, [7, 30, 120]),
        'bad_call_days': (one_if(bad_calls ~ ' >= 1'), count, [30]),
    } -%}
    {{ return(measures) }}
{% endmacro %}

{# What the running state tells of the last time: name -> SQL of a day on which it happens. #}
{% macro usage_marks() %}
    {{ return({
        'last_use_on': 'usage.is_activity_day',
        'last_call_on': 'coalesce(usage.calls_out, 0) + coalesce(usage.calls_in, 0) >= 1',
        'last_data_on': 'usage.data_mb > 0',
        'last_data_day_on': 'usage.data_mb >= parameters.min_activity_mb',
        'last_tac_on': 'usage.tac is not null',
    }) }}
{% endmacro %}

{# The measures of which a closed month keeps its highest day. #}
{% macro usage_maxima() %}
    {%- set voice = 'usage.voice_out_minutes + usage.voice_in_minutes' -%}
    {{ return({
        'voice_minutes_day_max': (voice, 'decimal(18, 2)'),
        'data_mb_day_max': ('usage.data_mb', 'decimal(18, 3)'),
        'dropped_calls_day_max': ('usage.dropped_calls', 'integer'),
        'poor_coverage_minutes_day_max': ('usage.poor_coverage_minutes', 'decimal(18, 2)'),
    }) }}
{% endmacro %}
