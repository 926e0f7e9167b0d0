"""The suite of the churn scores, before anything decides by them.

The batch is the scores of one or more days (`dt`, `row_number` beside their own columns). Beside it
liess `population (dt date, subscriber_id varchar)`, everyone who was to be scored.
Not here: whether the model is good enough to act on (asset checks beside the model).
"""

from __future__ import annotations

from expectations.expectation import Expectation, groups_where, rows_where

_ROW = "dt, row_number"
_FIRST_ROW = "dt, min(row_number) AS row_number"

_SCORES: tuple[Expectation, ...] = (
    rows_where(
        # NaN is larger than every number, and not NULL.
        "churn_probability IS NULL OR NOT (churn_probability > 0 AND churn_probability < 1)",
        name="probability_between_0_and_1",
        severity="critical",
        description="Every probability is a number above 0 and below 1.",
        description_zh="流失概率大于零且小于一",
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
        "count(*) > 1 AND min(churn_probability) = max(churn_probability)",
        "dt",
        name="scores_tell_apart",
        severity="warning",
        description="Not everyone has the same probability.",
        description_zh="评分有区分度",
        place=_FIRST_ROW,
    ),
)


def score_suite(max_share_without_reason: float) -> tuple[Expectation, ...]:
    """The suite; the share (policy) is that of scores without a reason, above which it warns."""
    reasons = groups_where(
        f"count(*) - count(reason_1) > count(*) * {max_share_without_reason}",
        "dt",
        name="scores_have_reasons",
        severity="warning",
        description="No more scores than tolerated lack a reason that raises the risk.",
        description_zh="无风险原因的评分占比不超过上限",
        place=_FIRST_ROW,
    )
    return (*_SCORES, reasons)
