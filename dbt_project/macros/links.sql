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

{#
    The newest month of circles that is out by `as_of()`, with the date on which its rows last changed:
    a select of one row, or of none when what is kept in this model was made after that.
#}
{% macro circle_month_to_read() %}
    select releases.month
    from {{ ref('int_month_releases') }} as releases
    inner join (
        select max(month) as month
        from {{ ref('int_month_releases') }}
        where as_of_date = {{ as_of() }} and feed = 'usage_call_circle'
    ) as newest
        on releases.month = newest.month
    where
        releases.as_of_date = {{ as_of() }}
        and releases.feed = 'usage_call_circle'
        {%- if is_incremental() %}
        and not exists (
            select 1
            from {{ this }} as kept
            where
                kept.month = releases.month
                and kept.as_of_date >= releases.changed_on
                and kept.as_of_date < {{ from_date() }}
        )
        {%- endif %}
{% endmacro %}

{# The rows of a relation that is read by month of circles: those of the newest month, as last made. #}
{% macro newest_circles(relation) %}
    select kept.*
    from {{ relation }} as kept
    inner join (
        select max(as_of_date) as as_of_date
        from {{ relation }}
        where as_of_date <= {{ as_of() }}
    ) as newest
        on kept.as_of_date = newest.as_of_date
{% endmacro %}
