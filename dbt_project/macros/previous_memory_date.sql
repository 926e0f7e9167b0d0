{#
    The newest date before `as_of()` of which a memory is kept in this model, at most `days` back, as
    an ISO string; none when there is none, and then it is made from scratch. For memories that may
    rest longer than a running state, because what they hold changes only where new rows came since.
#}
{% macro previous_memory_date(days) %}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set found = run_query(
        'select max(as_of_date) from ' ~ this ~ ' where as_of_date < ' ~ from_date()
        ~ ' and as_of_date >= ' ~ days_after(as_of(), -days)
    ) -%}
    {%- set day = found.columns[0].values()[0] -%}
    {{ return(day.isoformat()[:10] if day else none) }}
{% endmacro %}
