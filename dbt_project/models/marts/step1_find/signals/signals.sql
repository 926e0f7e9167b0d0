{{ config(
    materialized='incremental',
    incremental_strategy='as_of',
    keeps='all',
    on_schema_change='fail'
) }}

with
runs as (
    select * from {{ ref('int_signal_runs') }}
    where as_of_date = {{ as_of() }} and is_firing
),

words as (
    select * from {{ ref('signal_words') }}
),

fired as (
    select
        hits.subscriber_id,
        base.org_id,
        hits.code,
        codes.kind,
        coalesce(hits.severity, codes.severity) as severity,
        case when hits.code = 'HR3_COLLAPSE' and hits.words = 'SPEND' then 'SPEND_FALL' else codes.evidence_family end
            as evidence_family,
        codes.is_weak,
        codes.sort_order,
        codes.evidence_en,
        codes.evidence_zh,
        hits.value_1,
        hits.value_2,
        nullif(split_part(hits.words, ';', 1), '') as word_1,
        nullif(split_part(hits.words, ';', 2), '') as word_2,
        nullif(split_part(hits.words, ';', 3), '') as word_3
    from {{ ref('int_signal_hits') }} as hits
    inner join {{ ref('int_signal_values') }} as base on hits.subscriber_id = base.subscriber_id
    inner join {{ ref('signal_codes') }} as codes on hits.code = codes.code
),

worded as (
    select
        fired.*,
        nullif(
            concat_ws(
                ', ',
                coalesce(first_word.label_en, fired.word_1),
                coalesce(second_word.label_en, fired.word_2),
                coalesce(third_word.label_en, fired.word_3)
            ),
            ''
        ) as words_en,
        nullif(
            concat_ws(
                '、',
                coalesce(first_word.label_zh, fired.word_1),
                coalesce(second_word.label_zh, fired.word_2),
                coalesce(third_word.label_zh, fired.word_3)
            ),
            ''
        ) as words_zh
    from fired
    left join words as first_word on fired.word_1 = first_word.code
    left join words as second_word on fired.word_2 = second_word.code
    left join words as third_word on fired.word_3 = third_word.code
)

select
    {{ as_of() }} as as_of_date,
    worded.subscriber_id,
    worded.org_id,
    worded.code,
    worded.kind,
    worded.severity,
    worded.evidence_family,
    worded.is_weak,
    coalesce(runs.first_seen, {{ as_of() }}) as first_seen,
    coalesce(runs.run_days, 1) as run_days,
    coalesce(runs.first_seen, {{ as_of() }}) = {{ as_of() }} as is_new,
    replace(
        replace(worded.evidence_en, '{1}', coalesce(worded.words_en, worded.value_1, '–')),
        '{2}',
        coalesce(worded.value_2, '–')
    ) as evidence_en,
    replace(
        replace(worded.evidence_zh, '{1}', coalesce(worded.words_zh, worded.value_1, '–')),
        '{2}',
        coalesce(worded.value_2, '–')
    ) as evidence_zh
from worded
left join runs on worded.subscriber_id = runs.subscriber_id and worded.code = runs.code
