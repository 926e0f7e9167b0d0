"""The suites of what the loop itself hands on: scores, and lists that leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from quality_batches import DAY, Row, by_hand, relation

from expectations.lists import LIST_SUITE
from expectations.scores import score_suite
from orchestration.quality import judge, numbered

HORIZONS = ("churn_probability_near", "churn_probability_mid", "churn_probability_far")
SCORE = {
    "subscriber_id": "varchar",
    "churn_probability_near": "double",
    "churn_probability_mid": "double",
    "churn_probability_far": "double",
    "reason_1": "varchar",
    "model_month": "date",
    "model_version": "varchar",
}
GOOD_SCORES: Sequence[Row] = [
    {
        "subscriber_id": f"s{i}",
        "churn_probability_near": 0.1 * (i + 1),
        "churn_probability_mid": 0.1 * (i + 2),
        "churn_probability_far": 0.1 * (i + 3),
        "reason_1": "usage_ratio",
        "model_month": date(2025, 1, 1),
        "model_version": "v1",
    }
    for i in range(4)
]
LISTED = {
    "work_order_id": "varchar",
    "decision_id": "varchar",
    "subscriber_id": "varchar",
    "org_id": "varchar",
    "due_date": "date",
    "rank": "integer",
    "has_number": "boolean",
}
GOOD_LISTS: Sequence[Row] = [
    {
        "work_order_id": f"w{i}",
        "decision_id": f"d{i}",
        "subscriber_id": f"s{i}",
        "org_id": f"b{i % 2}",
        "due_date": DAY + timedelta(days=3),
        "rank": i // 2 + 1,
        "has_number": True,
    }
    for i in range(4)
]


def _changed(rows: Sequence[Row], at: int, **values: object) -> list[Row]:
    return [{**row, **values} if i == at else row for i, row in enumerate(rows)]


def _scores(rows: Sequence[Row]) -> dict[str, pa.Table]:
    people = [{"dt": DAY, "subscriber_id": row["subscriber_id"]} for row in GOOD_SCORES]
    return {
        "batch": numbered(relation(SCORE, rows), DAY),
        "population": relation({"dt": "date", "subscriber_id": "varchar"}, people),
        "models": relation(
            {"model_version": "varchar", "reasons_from": "double"},
            [{"model_version": "v1", "reasons_from": 0.1}],
        ),
    }


def _lists(rows: Sequence[Row], decisions: Sequence[Row] = ()) -> dict[str, pa.Table]:
    columns = {"decision_id": "varchar", "subscriber_id": "varchar", "arm": "varchar"}
    treated = [
        {"decision_id": f"d{i}", "subscriber_id": f"s{i}", "arm": "TREATMENT"} for i in range(4)
    ]
    return {
        "batch": numbered(relation(LISTED, rows), DAY),
        "decisions": relation(columns, [*treated, *decisions]),
        "manifest": relation(
            {"org_id": "varchar", "rows": "bigint"},
            [{"org_id": "b0", "rows": 2}, {"org_id": "b1", "rows": 2}],
        ),
    }


def _found(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_good_scores_and_lists_pass(tmp_path: Path) -> None:
    for suite, relations in (
        (score_suite(0.5), _scores(GOOD_SCORES)),
        (LIST_SUITE, _lists(GOOD_LISTS)),
    ):
        assert all(verdict.passed for verdict in judge(suite, relations, tmp_path))


@pytest.mark.parametrize(
    ("rows", "unexpected"),
    [
        *(
            (
                _changed(GOOD_SCORES, 1, reason_1=None, **dict.fromkeys(HORIZONS, value)),
                {"probability_between_0_and_1": 1},
            )
            for value in (0, 1, -0.1, 1.1, float("nan"), None)
        ),
        ([*GOOD_SCORES, GOOD_SCORES[0]], {"one_score_per_subscriber": 1}),
        (
            _changed(GOOD_SCORES, 1, subscriber_id=None),
            {"one_score_per_subscriber": 1, "population_is_scored": 2},
        ),
        (GOOD_SCORES[:3], {"population_is_scored": 1}),
        ([], {"population_is_scored": 4}),
        (_changed(GOOD_SCORES, 1, subscriber_id="stranger"), {"population_is_scored": 2}),
        (_changed(GOOD_SCORES, 1, model_version="v2"), {"one_model_a_day": 1}),
        (_changed(GOOD_SCORES, 1, model_version=None), {"one_model_a_day": 1}),
        (
            _changed(GOOD_SCORES, 1, model_month=date(2025, 2, 1)),
            {"model_not_from_the_future": 1},
        ),
        *(
            (_changed(GOOD_SCORES, 1, **{name: None}), {"probability_between_0_and_1": 1})
            for name in HORIZONS
        ),
        (
            _changed(GOOD_SCORES, 1, churn_probability_mid=0.1),
            {"later_horizons_are_no_less_likely": 1},
        ),
        (
            _changed(GOOD_SCORES, 1, churn_probability_far=0.1),
            {"later_horizons_are_no_less_likely": 1},
        ),
        (
            [{**row, "churn_probability_near": 0.2} for row in GOOD_SCORES],
            {"scores_tell_apart": 1},
        ),
        # The lowest score may have no reason, but must not have one below `reasons_from`.
        (
            _changed(GOOD_SCORES, 0, churn_probability_near=0.05),
            {"reasons_of_the_highest_only": 1},
        ),
        (_changed(GOOD_SCORES, 0, churn_probability_near=0.05, reason_1=None), {}),
        ([*GOOD_SCORES[:2], *({**row, "reason_1": None} for row in GOOD_SCORES[2:])], {}),
        (
            [*GOOD_SCORES[:1], *({**row, "reason_1": None} for row in GOOD_SCORES[1:])],
            {"scores_have_reasons": 1},
        ),
    ],
)
def test_scores(rows: Sequence[Row], unexpected: dict[str, int]) -> None:
    assert _found(by_hand(score_suite(0.5), _scores(rows))) == unexpected


@pytest.mark.parametrize(
    ("rows", "decisions", "unexpected"),
    [
        (
            _changed(GOOD_LISTS, 1, decision_id="c", subscriber_id="control"),
            [{"decision_id": "c", "subscriber_id": "control", "arm": "CAMPAIGN_CONTROL"}],
            {"only_treated_are_listed": 1, "no_control_is_listed": 1, "every_treated_is_listed": 1},
        ),
        (
            GOOD_LISTS,
            [{"decision_id": "x", "subscriber_id": "s1", "arm": "SUPPRESSED"}],
            {"no_control_is_listed": 1},
        ),
        (
            GOOD_LISTS,
            [{"decision_id": "x", "subscriber_id": "s9", "arm": "GLOBAL_CONTROL"}],
            {},
        ),
        (
            _changed(GOOD_LISTS, 1, subscriber_id="another"),
            [],
            {"only_treated_are_listed": 1},
        ),
        (
            _changed(GOOD_LISTS, 1, decision_id=None),
            [],
            {"only_treated_are_listed": 1, "every_treated_is_listed": 1},
        ),
        (_changed(GOOD_LISTS, 1, work_order_id="w0"), [], {"one_row_per_work_order": 1}),
        (_changed(GOOD_LISTS, 1, work_order_id=None), [], {"one_row_per_work_order": 1}),
        (
            _changed(GOOD_LISTS, 1, subscriber_id="s0", decision_id="d0"),
            [],
            {"subscriber_is_listed_once": 1, "every_treated_is_listed": 1},
        ),
        (
            _changed(GOOD_LISTS, 3, org_id="b2", rank=1),
            [],
            {"row_count_matches_manifest": 2},
        ),
        (
            [],
            [],
            {"row_count_matches_manifest": 2, "every_treated_is_listed": 1},
        ),
        (_changed(GOOD_LISTS, 1, due_date=DAY), [], {"due_after_the_day": 1}),
        (_changed(GOOD_LISTS, 1, due_date=None), [], {"due_after_the_day": 1}),
        (_changed(GOOD_LISTS, 1, has_number=False), [], {"number_is_present": 1}),
        (_changed(GOOD_LISTS, 1, has_number=None), [], {"number_is_present": 1}),
        (_changed(GOOD_LISTS, 3, rank=3), [], {"ranks_run_from_one": 1}),
        (_changed(GOOD_LISTS, 3, rank=1), [], {"ranks_run_from_one": 1}),
    ],
)
def test_lists(rows: Sequence[Row], decisions: Sequence[Row], unexpected: dict[str, int]) -> None:
    assert _found(by_hand(LIST_SUITE, _lists(rows, decisions))) == unexpected


def test_a_control_on_a_list_is_critical() -> None:
    severities = {expectation.name: expectation.severity for expectation in LIST_SUITE}
    assert severities["only_treated_are_listed"] == "critical"
    assert severities["no_control_is_listed"] == "critical"
    assert severities["row_count_matches_manifest"] == "critical"
