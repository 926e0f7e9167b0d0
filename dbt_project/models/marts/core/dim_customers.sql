{{ config(
    materialized='incremental',
    incremental_strategy='versions',
    on_schema_change='fail',
    unique_key=['customer_id']
) }}

with
customers as (
    {{ versions(
        ref('stg_crm__customers'),
        key=['customer_id'],
        columns=[
            'customer_id',
            'name_is_placeholder',
            'id_type',
            'id_number_token',
            'id_number_is_valid',
            'birth_year',
            'gender',
            'has_address',
            'org_class',
            'vip_level',
            'interests',
            'occupation',
            'income_band',
            'points_balance',
            'contact_phone_token',
            'real_name_status',
            'credit_level',
            'preferred_channel',
        ]
    ) }}
)

select
    customers.customer_id,
    customers.name_is_placeholder,
    customers.id_type,
    customers.id_number_token,
    customers.id_number_is_valid,
    customers.birth_year,
    customers.gender,
    customers.has_address,
    customers.org_class,
    customers.vip_level,
    customers.interests,
    customers.occupation,
    customers.income_band,
    customers.points_balance,
    customers.contact_phone_token,
    customers.real_name_status,
    customers.credit_level,
    customers.preferred_channel,
    customers.visible_from,
    customers.visible_to
from customers
