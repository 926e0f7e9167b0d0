{{ config(materialized='table') }}
{%- set months = [1, 2, 3] %}
{%- set parts = ['roaming', 'tethering', 'background'] %}
{#- Of two apps with the same amount the one that comes later in the alphabet is the top. #}
{%- set apps = ['video', 'social', 'other', 'music', 'messaging', 'game'] %}
{%- set names = {
    'is_roaming': 'ROAMING',
    'is_tethering': 'TETHERING',
    'is_background': 'BACKGROUND',
    'is_app_burst': 'APP_BURST',
    'is_plan_small': 'PLAN_SMALL',
} %}

-- O36: whose data is over the allowance, and why. One row a base line; null is unknown.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- Months of which each day's usage came.
known as (
    select
        {%- for month in months %}
        count(case when known_on between {{ month_first(month) }} and {{ month_last(month) }} then 1 end)
        = {{ days_between(month_first(month), month_first(month - 1)) }} as is_m{{ month }}_whole,
        {%- endfor %}
        count(case when known_on >= {{ month_first() }} then 1 end)
        = {{ days_between(month_first(), as_of()) }} + 1 as is_mtd_whole
    from {{ ref('int_known_days') }}
    where known_on >= {{ month_first(3) }}
),

-- Over in the running month from the whole allowance on, over in a closed month beyond it. A
-- month of which a day is missing is unknown, unless what came of the running one is enough.
data_legs as (
    select
        {%- for month in months %}
        case
            when plans.plan_id_m{{ month }} is not null and known.is_m{{ month }}_whole
                then coalesce(used.data_m{{ month }} > plans.data_allowance_m{{ month }}, false)
        end as is_over_m{{ month }},
        {%- endfor %}
        case
            when not plans.is_plan_known then null
            when plans.data_allowance_mtd is null then false
            when used.data_mtd >= plans.data_allowance_mtd then true
            when known.is_mtd_whole then false
        end as is_over_mtd,
        plans.subscriber_id
    from {{ ref('int_allowances') }} as plans
    cross join known
    inner join {{ ref('int_plan_use') }} as used on plans.subscriber_id = used.subscriber_id
),

over_lines as (
    select
        *,
        coalesce(is_over_mtd, false) as is_now
    from data_legs
    where is_over_mtd or is_over_m1
),

-- The month to explain is the running one where that is over, else m1.
closed_months as (
    select
        months.*,
        over_lines.is_now,
        not over_lines.is_now and months.month = {{ month_first(1) }} as is_explained,
        case
            when over_lines.is_now then months.month >= {{ month_first(3) }}
            else months.month < {{ month_first(1) }}
        end as is_before
    from {{ ref('int_usage_months') }} as months
    inner join over_lines on months.subscriber_id = over_lines.subscriber_id
    where
        months.month >= {{ month_first(4) }}
        and months.month < {{ month_first() }}
        and {{ is_visible('months', as_of()) }}
),

closed_parts as (
    select
        {%- for app in apps %}
        sum(case when is_before then data_mb_{{ app }} end) as {{ app }}_before,
        sum(case when is_explained then data_mb_{{ app }} end) as {{ app }},
        {%- endfor %}
        {%- for part in parts %}
        sum(case when is_explained then data_mb_{{ part }} end) as {{ part }},
        sum(case when is_explained then {{ part }}_unknown_days end) as {{ part }}_unknown_days,
        {%- endfor %}
        sum(case when is_explained then app_unknown_days end) as app_unknown_days,
        sum(case when is_explained then data_mb end) as whole,
        subscriber_id
    from closed_months
    group by subscriber_id
),

explained as (
    select
        {%- for app in apps %}
        case when over_lines.is_now then recent.data_mb_{{ app }}_mtd else closed.{{ app }} end
            as {{ app }},
        coalesce(closed.{{ app }}_before, 0) as {{ app }}_before,
        {%- endfor %}
        {%- for part in parts %}
        case when over_lines.is_now then recent.data_mb_{{ part }}_mtd else closed.{{ part }} end
            as {{ part }},
        case
            when over_lines.is_now then recent.{{ part }}_unknown_days_mtd else closed.{{ part }}_unknown_days
        end as {{ part }}_unknown_days,
        {%- endfor %}
        case when over_lines.is_now then recent.app_unknown_days_mtd else closed.app_unknown_days end
            as app_unknown_days,
        case when over_lines.is_now then recent.data_mb_mtd else closed.whole end as whole,
        over_lines.subscriber_id,
        over_lines.is_over_m1,
        over_lines.is_over_m2,
        over_lines.is_over_m3
    from over_lines
    left join closed_parts as closed on over_lines.subscriber_id = closed.subscriber_id
    left join {{ ref('int_usage_state') }} as recent
        on over_lines.subscriber_id = recent.subscriber_id and recent.as_of_date = {{ as_of() }}
),

top_apps as (
    select
        *,
        greatest({{ apps | join(', ') }}) as top_app,
        case greatest({{ apps | join(', ') }})
            {%- for app in apps %}
            when {{ app }} then {{ app }}_before
            {%- endfor %}
        end as top_app_before
    from explained
),

causes as (
    select
        {%- for part in parts %}
        case
            when top_apps.{{ part }}_unknown_days = 0
                then top_apps.{{ part }} >= parameters.data_cause_share * top_apps.whole
        end as is_{{ part }},
        {%- endfor %}
        case
            when top_apps.app_unknown_days = 0
                then
                    top_apps.top_app >= parameters.data_burst_share * top_apps.whole
                    and 3 * top_apps.top_app >= parameters.data_burst_ratio * top_apps.top_app_before
        end as is_app_burst,
        case
            when
                case when top_apps.is_over_m1 then 1 else 0 end
                + case when top_apps.is_over_m2 then 1 else 0 end
                + case when top_apps.is_over_m3 then 1 else 0 end
                >= parameters.data_small_months
                then true
            when
                case when coalesce(top_apps.is_over_m1, true) then 1 else 0 end
                + case when coalesce(top_apps.is_over_m2, true) then 1 else 0 end
                + case when coalesce(top_apps.is_over_m3, true) then 1 else 0 end
                < parameters.data_small_months
                then false
        end as is_plan_small,
        top_apps.subscriber_id
    from top_apps
    cross join parameters
)

select
    data_legs.subscriber_id,
    data_legs.is_over_mtd,
    data_legs.is_over_m1,
    case
        {%- for column, name in names.items() %}
        when causes.{{ column }} then '{{ name }}'
        {%- endfor %}
        when causes.subscriber_id is not null then 'UNKNOWN'
    end as cause,
    nullif(
        concat_ws(
            ';'
            {%- for column, name in names.items() %},
            case when causes.{{ column }} then '{{ name }}' end
            {%- endfor %}
        ),
        ''
    ) as causes,
    nullif(
        concat_ws(
            ';'
            {%- for column, name in names.items() %},
            case when causes.subscriber_id is not null and causes.{{ column }} is null then '{{ name }}' end
            {%- endfor %}
        ),
        ''
    ) as unknown_causes
from data_legs
left join causes on data_legs.subscriber_id = causes.subscriber_id
