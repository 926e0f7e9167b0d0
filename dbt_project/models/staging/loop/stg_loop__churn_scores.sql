select
    subscriber_id,
    churn_probability,
    reason_1,
    reason_2,
    reason_3,
    model_month,
    model_version,
    dt as as_of_date
from {{ source('loop', 'churn_scores') }}
