{{ config(materialized='table') }}

-- O30 DEVICE: an old line in its last days and a new one in its first were in the same device, and the
-- device is not one of a shop.
with
parameters as (
    select * from {{ ref('int_signal_parameters') }}
),

-- A device that saw so many SIMs is a shop's or a tester's, whenever one looks: left out before pairs.
devices as (
    select imei_token
    from {{ ref('int_device_spells') }}
    group by imei_token
    having count(distinct subscriber_id) <= 50
),

spells as (
    select spells.*
    from {{ ref('int_device_spells') }} as spells
    inner join devices on spells.imei_token = devices.imei_token
),

olds as (
    select
        ended.subscriber_id,
        ended.ended_on,
        spells.imei_token
    from {{ ref('int_ended_lines') }} as ended
    inner join spells on ended.subscriber_id = spells.subscriber_id
    cross join parameters
    where
        ended.as_of_date = {{ as_of() }}
        and spells.spell_from <= ended.ended_on
        and {{ days_between('spells.spell_to', 'ended.ended_on') }} < parameters.reentry_device_days
),

news as (
    select
        lines.subscriber_id,
        lines.activated_on,
        spells.imei_token,
        least({{ days_after('lines.activated_on', 'parameters.reentry_device_days - 1') }}, {{ as_of() }})
            as looked_until
    from {{ ref('int_new_lines') }} as lines
    inner join spells on lines.subscriber_id = spells.subscriber_id
    cross join parameters
    where
        spells.spell_to >= lines.activated_on
        and spells.spell_from <= least(
            {{ days_after('lines.activated_on', 'parameters.reentry_device_days - 1') }}, {{ as_of() }}
        )
),

pairs as (
    select distinct
        olds.subscriber_id as old_subscriber_id,
        news.subscriber_id as new_subscriber_id,
        news.imei_token,
        news.looked_until
    from olds
    inner join news on olds.imei_token = news.imei_token and olds.subscriber_id <> news.subscriber_id
    cross join parameters
    where
        {{ days_between('olds.ended_on', 'news.activated_on') }}
        between -parameters.reentry_link_days and parameters.reentry_link_days
),

held as (
    select
        pairs.old_subscriber_id,
        pairs.new_subscriber_id,
        pairs.imei_token
    from pairs
    inner join spells
        on
            pairs.imei_token = spells.imei_token
            and pairs.looked_until >= spells.spell_from
    cross join parameters
    where {{ days_between('spells.spell_to', 'pairs.looked_until') }} < parameters.shared_device_days
    group by
        pairs.old_subscriber_id,
        pairs.new_subscriber_id,
        pairs.imei_token,
        parameters.shared_device_max_lines
    having count(distinct spells.subscriber_id) <= parameters.shared_device_max_lines
)

select distinct old_subscriber_id, new_subscriber_id from held
