{#
    Generic test: no two rows share the values of `columns`, and none of them is null.
    `of_this_run` names a date column: then only rows of the run's dates are looked at, for facts
    whose history is long and whose key holds that date.
#}
{% test unique_key(model, columns, of_this_run=none) %}
    select {{ columns | join(', ') }}, count(*) as row_count
    from {{ model }}
    {% if of_this_run %}where {{ is_of_this_run(of_this_run) }}{% endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}

{# Generic test: every value of `column` is a key of `parent` (in any version). #}
{% test is_known(model, column_name, parent, key, of_this_run=none) %}
    select child.{{ column_name }}, count(*) as row_count
    from {{ model }} as child
    where
        child.{{ column_name }} is not null
        and not exists (select 1 from {{ parent }} as parent where parent.{{ key }} = child.{{ column_name }})
        {% if of_this_run %}and {{ is_of_this_run('child.' ~ of_this_run) }}{% endif %}
    group by child.{{ column_name }}
{% endtest %}

{# Generic test: no row for which `violated` is true. #}
{% test never(model, violated) %}
    select * from {{ model }} where {{ violated }}
{% endtest %}
