{{ config(materialized='table', tags=['monthly']) }}

-- Churn as known on the last day before the month that the run learns for.
{{ churn_spells('select ' ~ days_after(learning_month(), -1) ~ ' as as_of_date') }}
