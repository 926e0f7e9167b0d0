select
    subscriber_id,
    churn_probability_near,
    churn_probability_mid,
    churn_probability_far,
    reason_1,
    reason_2,
    reason_3,
    model_month,
    model_version,
    dt as as_of_date
from {{ source('loop', 'churn_scores') }}
