{{ config(materialized='table') }}

{{ churn_spells("select as_of_date from " ~ ref('int_as_of_dates')) }}
