{#
    Select lists of the indicators of use. What the rules divide is use on known ACTIVE days: the sums of
    `states` or `last_months` without what `inactive` holds, over `active_days` without the days on which
    the measure is not known.
#}

{# What lines used on days on which they were not ACTIVE, in each of the last three closed months. #}
{% macro inactive_month_columns() -%}
    {%- set columns = [] -%}
    {%- for name in ['voice_minutes', 'data_mb', 'sms_out', 'voice_unknown_days', 'data_unknown_days'] -%}
        {%- for back in [1, 2, 3] -%}
            {%- do columns.append(
                'sum(case when usage_date between ' ~ month_first(back) ~ ' and ' ~ month_last(back)
                ~ ' then ' ~ name ~ ' end) as ' ~ name ~ '_m' ~ back
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# Means of the last three closed months, of lines with enough known ACTIVE days in each. #}
{% macro month_means() -%}
    {%- set columns = [] -%}
    {%- for name, unknown in [
        ('voice_minutes', 'voice_unknown_days'), ('data_mb', 'data_unknown_days'), ('sms_out', none)
    ] -%}
        {%- set days, sums = [], [] -%}
        {%- for back in [1, 2, 3] -%}
            {%- set correction = ' - coalesce(last_months.COLUMN, 0) + coalesce(inactive.COLUMN, 0)' -%}
            {%- do days.append(
                'active_days.active_days_m' ~ back
                ~ (correction.replace('COLUMN', unknown ~ '_m' ~ back) if unknown else '')
            ) -%}
            {%- do sums.append(
                'coalesce(last_months.COLUMN, 0) - coalesce(inactive.COLUMN, 0)'.replace('COLUMN', name ~ '_m' ~ back)
            ) -%}
        {%- endfor -%}
        {%- do columns.append(
            'case when least(' ~ days | join(', ') ~ ') >= parameters.fit_min_known_days then cast('
            ~ sums | join(' + ') ~ ' as double) / 3 end as ' ~ name ~ '_avg_3m'
        ) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# What lines used on days on which they were not ACTIVE, by window. #}
{% macro inactive_window_columns() -%}
    {%- set columns = [] -%}
    {%- for name in [
        'voice_minutes', 'data_mb', 'sms_out', 'calls', 'call_days', 'data_days',
        'voice_unknown_days', 'data_unknown_days', 'sms_unknown_days', 'calls_unknown_days'
    ] -%}
        {%- for window in [7, 30, 60, 120, 'mtd'] -%}
            {%- do columns.append(
                'sum(case when usage_date >= ' ~ window_from(window) ~ ' then ' ~ name ~ ' end) as '
                ~ name ~ '_' ~ window_name(window)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# Sum over known ACTIVE days, and their number, of each measure and window of which a rate is taken. #}
{% macro rated_sums() -%}
    {%- set columns = [] -%}
    {%- for name, unknown, windows in [
        ('voice_minutes', 'voice_unknown_days', [7, 30, 60, 120, 'mtd']),
        ('data_mb', 'data_unknown_days', [7, 30, 60, 120, 'mtd']),
        ('sms_out', 'sms_unknown_days', [30, 120]),
        ('calls', 'calls_unknown_days', [30, 120]),
        ('call_days', 'calls_unknown_days', [30, 120]),
        ('data_days', 'data_unknown_days', [30, 120]),
    ] -%}
        {%- for window in windows -%}
            {%- set suffix = '_' ~ window_name(window) -%}
            {%- set days = 'active_days.active_days' ~ suffix -%}
            {%- do columns.append(
                'cast(coalesce(states.COLUMN, 0) - coalesce(inactive.COLUMN, 0) as double) as COLUMN'
                .replace('COLUMN', name ~ suffix)
            ) -%}
            {%- do columns.append(
                ('active_days.active_days_30d + active_days.active_days_prior90' if window == 120 else days)
                ~ ' - coalesce(states.COLUMN, 0) + coalesce(inactive.COLUMN, 0)'.replace('COLUMN', unknown ~ suffix)
                ~ ' as ' ~ name ~ '_days' ~ suffix
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{# How many months in a row fell, by use a known day, of the three newest against the month before. #}
{% macro decline_months() -%}
    {%- set columns = [] -%}
    {%- for name in ['voice_minutes', 'data_mb'] -%}
        {%- set falls = [] -%}
        {%- for back in [1, 2, 3] -%}
            {%- do falls.append(
                'coalesce(last_months.' ~ name ~ '_m' ~ back ~ ', 0) * month_days.known_days_m' ~ (back + 1)
                ~ ' < coalesce(last_months.' ~ name ~ '_m' ~ (back + 1) ~ ', 0) * month_days.known_days_m' ~ back
            ) -%}
        {%- endfor -%}
        {%- do columns.append(
            'case when month_days.known_days_m1 = 0 or month_days.known_days_m2 = 0 then null'
            ~ ' when not (' ~ falls[0] ~ ') then 0'
            ~ ' when month_days.known_days_m3 = 0 or not (' ~ falls[1] ~ ') then 1'
            ~ ' when month_days.known_days_m4 = 0 or not (' ~ falls[2] ~ ') then 2'
            ~ ' else 3 end as ' ~ name ~ '_decline_months'
        ) -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}
