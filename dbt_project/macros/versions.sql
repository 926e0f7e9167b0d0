{#
    All versions of the keys that the release dates of this run touch, each with `visible_to`.

    staging  relation with the delivered rows: one per key and `visible_from`
    key      columns that name a thing; a later release of the same key replaces the row
    columns  the staging columns to keep, the key among them, without `visible_from`
    dated_by a key column that never lies after the release date, if there is one: then a key
             that is dated within this run cannot have an older version, and history is not searched

    On the first build: all of staging. Afterwards the run's own release dates come from staging
    and every other version of a touched key from the model itself, so that a run reads no more
    raw partitions than its own. A key is touched when it lies in the run's partitions now or did
    so when they were last read: rows that vanish from a partition give their place back.
    Use with `incremental_strategy='versions'` and the same columns as `unique_key`.
#}
{% macro versions(staging, key, columns, dated_by=none) %}
    with
{%- if is_incremental() %}
    touched as (
        select {{ key | join(', ') }} from {{ staging }} where {{ is_of_this_run('visible_from') }}
        union
        select {{ key | join(', ') }} from {{ this }} where {{ is_of_this_run('visible_from') }}
    ),
{% endif %}
    known as (
        select
            {{ columns | join(',\n            ') }},
            visible_from
        from {{ staging }}
{%- if is_incremental() %}
        where {{ is_of_this_run('visible_from') }}
        union all
        select
            {% for column in columns %}history.{{ column }},
            {% endfor %}history.visible_from
        from {{ this }} as history
        inner join touched on {{ same_key('history', 'touched', key) }}
        where history.visible_from > {{ to_date() }}
        {%- if not dated_by %} or history.visible_from < {{ from_date() }}
        {%- else %}
        union all
        select
            {% for column in columns %}history.{{ column }},
            {% endfor %}history.visible_from
        from {{ this }} as history
        inner join touched on {{ same_key('history', 'touched', key) }}
        where
            history.visible_from < {{ from_date() }}
            and history.{{ dated_by }} < {{ from_date() }}
            and touched.{{ dated_by }} < {{ from_date() }}
        {%- endif %}
{%- endif %}
    ),

    successions as (
        select
            {{ key | join(',\n            ') }},
            visible_from,
            lead(visible_from) over (
                partition by {{ key | join(', ') }} order by visible_from
            ) as visible_to
        {# A first build reads the keys again: cheaper than to hold all of history in between. #}
        from {{ 'known' if is_incremental() else staging }}
    ),

    replaced as (
        select * from successions where visible_to is not null
    )

    select
        {% for column in columns %}known.{{ column }},
        {% endfor %}known.visible_from,
        coalesce(replaced.visible_to, {{ end_of_time() }}) as visible_to
    from known
    left join replaced
        on {{ same_key('known', 'replaced', key) }}
        and known.visible_from = replaced.visible_from
{% endmacro %}

{% macro same_key(left, right, key) -%}
    {% for column in key %}{{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#
    Incremental strategy of versioned models. The new rows hold the run's release dates and the
    other versions of their keys; both take the place of what the model had.
#}
{% macro get_incremental_versions_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set fresh = arg_dict['temp_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ target }} where {{ is_of_this_run('visible_from') }};
    delete from {{ target }}
    where exists (
        select 1
        from {{ fresh }} as fresh
        where
            (fresh.visible_from < {{ from_date() }} or fresh.visible_from > {{ to_date() }})
            and fresh.visible_from = {{ target }}.visible_from
            {%- for column in key %}
            and fresh.{{ column }} = {{ target }}.{{ column }}
            {%- endfor %}
    );
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ fresh }}
{% endmacro %}

{#
    Rows of a reference feed with `visible_to`: a new file replaces the whole feed, so every row
    ends with the next arrival, and a header-only file ends them all.

    staging  relation with the delivered rows; feed  its name in the receipts
    columns  the staging columns to keep, without `visible_from`
#}
{% macro reference_versions(staging, feed, columns) %}
    with arrivals as (
        select visible_from as dt from {{ staging }}
        union
        select dt from {{ ref('fct_feed_days') }} where feed = '{{ feed }}' and is_arrived
    ),

    spans as (
        select
            dt as visible_from,
            coalesce(lead(dt) over (order by dt), {{ end_of_time() }}) as visible_to
        from arrivals
    )

    select
        {% for column in columns %}delivered.{{ column }},
        {% endfor %}delivered.visible_from,
        spans.visible_to
    from {{ staging }} as delivered
    inner join spans on delivered.visible_from = spans.visible_from
{% endmacro %}
