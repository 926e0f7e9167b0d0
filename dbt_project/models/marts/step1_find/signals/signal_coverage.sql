{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='all',
    on_schema_change='fail'
) }}
{%- set signals = signal_findings() %}

with
-- Feeds that a signal needs and that never came, or did not come on a day of the signal's window; and
-- columns that a feed does not hold.
lacking as (
    select
        inputs.signal,
        case
            when
                not coalesce(arrivals.has_arrived, false)
                {%- for window in [7, 30, 60, 90, 120, 180, 365] %}
                or (inputs.window_days = {{ window }} and arrivals.missing_{{ window }}d > 0)
                {%- endfor %}
                then inputs.feed
            when undelivered.feed is not null then concat(inputs.feed, '.', inputs.feed_column)
        end as missing
    from {{ ref('signal_inputs') }} as inputs
    left join {{ ref('int_feed_arrivals') }} as arrivals on inputs.feed = arrivals.feed
    left join {{ ref('int_undelivered_columns') }} as undelivered
        on inputs.feed = undelivered.feed and inputs.feed_column = undelivered.feed_column
),

missing as (
    select
        lacking.signal,
        string_agg(distinct lacking.missing, ';' order by lacking.missing) as missing_feeds
    from lacking
    where lacking.missing is not null
    group by lacking.signal
),

counts as (
    select
        coalesce(org_id, 'UNASSIGNED') as org_id,
        {% for signal in signals -%}
        count({{ signal.code | lower }}) as evaluated_{{ signal.code | lower }},
        count(case when {{ signal.code | lower }} then 1 end) as fired_{{ signal.code | lower }},
        {% endfor -%}
        count(*) as base_lines
    from {{ ref('int_signal_values') }}
    group by coalesce(org_id, 'UNASSIGNED')
),

by_signal as (
    {% for signal in signals -%}
    select
        '{{ signal.code }}' as code,
        org_id,
        evaluated_{{ signal.code | lower }} as evaluated,
        fired_{{ signal.code | lower }} as fired,
        base_lines - evaluated_{{ signal.code | lower }} as not_evaluated
    from counts
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    {{ as_of() }} as as_of_date,
    by_signal.code as signal, -- noqa: RF04
    by_signal.org_id,
    by_signal.evaluated,
    by_signal.fired,
    by_signal.not_evaluated as unknown, -- noqa: RF04
    missing.missing_feeds
from by_signal
left join missing on by_signal.code = missing.signal
