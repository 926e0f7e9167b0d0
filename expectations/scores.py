"""The suite of the churn scores, before anything decides by them.

The batch is the scores of one or more days (`dt`, `row_number` beside their own columns). Beside it
lie `population (dt date, subscriber_id varchar)`, everyone who was to be scored, and
`models (model_version varchar, reasons_from double)`: the near probability from which on a score
gets reasons.
Not here: whether the model is good enough to act on (asset checks beside the model).
"""

from __future__ import annotations

from expectations.expectation import Expectation, groups_where, rows_where

_ROW = "dt, row_number"
_FIRST_ROW = "dt, min(row_number) AS row_number"

_HORIZONS = ("churn_probability_near", "churn_probability_mid", "churn_probability_far")
_IS_PROBABILITY = " AND ".join(f"coalesce({name} > 0 AND {name} < 1, false)" for name in _HORIZONS)

_SCORES: tuple[Expectation, ...] = (
    rows_where(
        # NaN is larger than every number, and not NULL.
        f"NOT ({_IS_PROBABILITY})",
        name="probability_between_0_and_1",
        severity="critical",
        description="Every probability is a number above 0 and below 1.",
        description_zh="流失概率大于零且小于一",
        place=_ROW,
    ),
    rows_where(
        "churn_probability_near > churn_probability_mid "
        "OR churn_probability_mid > churn_probability_far",
        name="later_horizons_are_no_less_likely",
        severity="critical",
        description="Who leaves within a horizon leaves within every longer one.",
        description_zh="较长预测期的流失概率不低于较短预测期",
        place=_ROW,
    ),
    groups_where(
        "count(*) > 1 OR subscriber_id IS NULL",
        "dt, subscriber_id",
        name="one_score_per_subscriber",
        severity="critical",
        description="A subscriber has one score a day.",
        description_zh="每个用户每天一个评分",
        place=_FIRST_ROW,
    ),
    Expectation(
        "population_is_scored",
        "critical",
        "Everyone in the population has a score, and nobody else.",
        "评分用户与目标人群完全一致",
        "SELECT coalesce(score.dt, population.dt) AS dt, score.row_number "
        "FROM {batch} AS score FULL JOIN population "
        "ON population.dt = score.dt AND population.subscriber_id = score.subscriber_id "
        "WHERE score.subscriber_id IS NULL OR population.subscriber_id IS NULL",
    ),
    groups_where(
        "count(DISTINCT model_version) <> 1 OR count(model_version) < count(*)",
        "dt",
        name="one_model_a_day",
        severity="critical",
        description="One named model scored the day.",
        description_zh="同一天由同一个模型评分",
        place=_FIRST_ROW,
    ),
    rows_where(
        "model_month IS NULL OR model_month > date_trunc('month', dt)",
        name="model_not_from_the_future",
        severity="critical",
        description="The model is of the month it scores or of an earlier one.",
        description_zh="模型月份不晚于评分月份",
        place=_ROW,
    ),
    groups_where(
        "count(*) > 1 AND min(churn_probability_near) = max(churn_probability_near)",
        "dt",
        name="scores_tell_apart",
        severity="warning",
        description="Not everyone has the same probability.",
        description_zh="评分有区分度",
        place=_FIRST_ROW,
    ),
)


def score_suite(max_share_without_reason: float) -> tuple[Expectation, ...]:
    """The suite; the share (policy) is that of the highest scores without a reason, above which it
    warns."""
    highest = "score.churn_probability_near >= models.reasons_from"
    only_highest = Expectation(
        "reasons_of_the_highest_only",
        "critical",
        "Reasons come with the highest scores alone, as the model's card says.",
        "仅高风险评分给出原因",
        "SELECT score.dt, score.row_number FROM {batch} AS score "
        f"JOIN models USING (model_version) WHERE score.reason_1 IS NOT NULL AND NOT ({highest})",
    )
    reasons = Expectation(
        "scores_have_reasons",
        "warning",
        "No more of the highest scores than tolerated lack a reason that raises the risk.",
        "高风险评分无原因占比不超过上限",
        "SELECT score.dt, min(score.row_number) AS row_number FROM {batch} AS score "
        f"JOIN models USING (model_version) WHERE {highest} GROUP BY score.dt "
        "HAVING count(*) - count(score.reason_1) > count(*) * " + str(max_share_without_reason),
    )
    return (*_SCORES, only_highest, reasons)
