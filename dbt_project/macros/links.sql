{#
    The newest date before `as_of()` of which a memory is kept in this model, at most `days` back, as
    an ISO string; none when there is none, and then it is made from scratch. For memories that may
    rest longer than a running state, because what they hold changes only where new rows came since.
#}
{% macro previous_memory_date(days) %}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set found = run_query(
        'select max(as_of_date) from ' ~ this ~ ' where as_of_date < ' ~ as_of()
        ~ ' and as_of_date >= ' ~ days_after(as_of(), -days)
    ) -%}
    {%- set day = found.columns[0].values()[0] -%}
    {{ return(day.isoformat()[:10] if day else none) }}
{% endmacro %}

{# 1 where the condition is true, else 0. #}
{% macro one_if(condition) -%}
    case when {{ condition }} then 1 else 0 end
{%- endmacro %}

{#
    Complementary use of the one row `alias` (O14 E5): calls go out no more while they still come in, or
    data stops while voice goes on; null when it cannot be told. The row has the sum and the number of
    days of `voice`, `out`, `in` and `data`, each `_30d` and `_base`.
#}
{% macro is_complementary(alias, parameters='parameters') -%}
    {%- set voice = has_usage_base(alias, 'voice', parameters) -%}
    {%- set calls -%}
        {{ has_usage_base(alias, 'out', parameters) }}
        and {{ has_usage_base(alias, 'in', parameters) }}
        and {{ alias }}.out_base > 0
        and {{ alias }}.in_base > 0
    {%- endset -%}
    {%- set data -%}
        {{ has_usage_base(alias, 'data', parameters) }}
        and 30 * {{ alias }}.data_base >= {{ parameters }}.usage_min_base_mb * {{ alias }}.data_days_base
    {%- endset -%}
    case
        when
            not ({{ voice }})
            or 30 * {{ alias }}.voice_base < {{ parameters }}.usage_min_base_minutes * {{ alias }}.voice_days_base
            then null
        when
            {{ calls }}
            and not {{ is_above(alias, 'out', parameters ~ '.dual_low') }}
            and {{ is_at_least(alias, 'in', parameters ~ '.dual_high') }}
            then true
        when
            {{ data }}
            and not {{ is_above(alias, 'data', parameters ~ '.dual_low') }}
            and {{ is_at_least(alias, 'voice', parameters ~ '.dual_high') }}
            then true
        when ({{ calls }}) or ({{ data }}) then false
    end
{%- endmacro %}

{% macro has_usage_base(alias, name, parameters) -%}
    {{ alias }}.{{ name }}_days_30d >= {{ parameters }}.usage_min_recent_days
    and {{ alias }}.{{ name }}_days_base >= {{ parameters }}.usage_min_base_days
{%- endmacro %}

{# The rate of the last 30 days against that of the base, without a division. #}
{% macro is_above(alias, name, share) -%}
    {{ alias }}.{{ name }}_30d * {{ alias }}.{{ name }}_days_base
    > {{ share }} * {{ alias }}.{{ name }}_base * {{ alias }}.{{ name }}_days_30d
{%- endmacro %}

{% macro is_at_least(alias, name, share) -%}
    {{ alias }}.{{ name }}_30d * {{ alias }}.{{ name }}_days_base
    >= {{ share }} * {{ alias }}.{{ name }}_base * {{ alias }}.{{ name }}_days_30d
{%- endmacro %}
