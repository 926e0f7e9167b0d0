{# The base that every rule starts from: mobile lines of people. A class that is not delivered counts as the usual one. #}
{% macro is_base(alias) -%}
    coalesce({{ alias }}.service_type, 'MOBILE') = 'MOBILE' and coalesce({{ alias }}.line_class, 'VOICE') <> 'IOT'
{%- endmacro %}

{# A day of use: a call, a text message sent, or data. Minutes stand for calls where calls are not delivered. #}
{% macro is_activity_day(alias, min_activity_mb) -%}
    (
        coalesce({{ alias }}.calls_out, 0) + coalesce({{ alias }}.calls_in, 0) >= 1
        or coalesce({{ alias }}.sms_out, 0) >= 1
        or coalesce({{ alias }}.data_mb, 0) >= {{ min_activity_mb }}
        or (
            {{ alias }}.calls_out is null
            and {{ alias }}.calls_in is null
            and coalesce({{ alias }}.voice_out_minutes, 0) + coalesce({{ alias }}.voice_in_minutes, 0) > 0
        )
    )
{%- endmacro %}
