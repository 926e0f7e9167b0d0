"""What the card says is what was measured, in both languages (O18)."""

import re

import pytest

from orchestration.retention.model_card import in_words, judged
from orchestration.retention.policy import Label

MEASURED = {
    "auc": 0.8123,
    "average_precision": 0.31,
    "top_decile_lift": 4.2,
    "brier": 0.04,
    "ece": 0.0071,
    "base_rate": 0.051,
    "rows": 12_345,
    "churners": 630,
}
CARD = {
    "kind": "BLEND",
    "month": "2025-08",
    "version": "0123456789ab",
    "observation": {"lead_days": 7, "interval_days": 30, "maturity_days": 90},
    "horizons": {"near": 1, "mid": 3, "far": 6},
    "is_extrapolated_from": 4,
    "columns": ["usage_ratio"],
    "dropped_columns": ["topups_30d"],
    "as_of_dates": ["2024-12-31", "2025-01-31"],
    "rows": 20_000,
    "rows_offered": 50_000,
    "churners": 1_700,
    "metrics": {"FOLDS": {"near": MEASURED | {"auc": 0.9}, "mid": MEASURED}, "TIME_ORDERED": {}},
    "reasons_from": 0.113,
    "policy": {"reasons_share": 0.1},
}
FEATURES = {
    "usage_ratio": Label("Usage ratio", "用量比"),
    "topups_30d": Label("Top-ups", "充值次数"),
}
KINDS = {"BLEND": Label("Blend", "融合模型"), "BASE_RATE": Label("Base rate", "基准离网率")}


def test_horizons_come_near_to_far_however_the_card_holds_them():
    far_first = CARD | {"horizons": {"far": 6, "mid": 3, "near": 1}}
    words = in_words(far_first, FEATURES, KINDS)
    assert "near 30, mid 90, far 180" in words.en
    assert "近期 30, 中期 90, 远期 180" in words.zh


def test_both_languages_tell_the_same_figures():
    words = in_words(CARD, FEATURES, KINDS)
    for figure in (
        "2025-08",
        "0123456789ab",
        "20,000",
        "50,000",
        "1,700",
        "0.8123",
        "12,345",
        "11.30%",
    ):
        assert figure in words.en
        assert figure in words.zh
    figures = [
        sorted(re.findall(r"[0-9]+(?:[.,-][0-9]+)*%?", text)) for text in (words.en, words.zh)
    ]
    assert figures[0] == figures[1]


def test_each_language_has_its_own_words():
    words = in_words(CARD, FEATURES, KINDS)
    assert not re.search("[\u4e00-\u9fff]", words.en)
    assert "Usage ratio" in words.en
    assert "用量比" in words.zh
    assert "Usage" not in words.zh
    assert "left out:\nTop-ups" in words.en


def test_what_was_not_measured_or_seen_is_said():
    words = in_words(CARD, FEATURES, KINDS).en
    assert "Not measured: too few dates or churners." in words
    assert "beyond 90 days" in words
    whole = in_words(CARD | {"is_extrapolated_from": 7}, FEATURES, KINDS).en
    assert "beyond" not in whole


def test_a_base_rate_says_that_it_tells_nobody_apart():
    card = CARD | {"kind": "BASE_RATE", "columns": [], "as_of_dates": [], "rows": 0}
    words = in_words(card, FEATURES, KINDS)
    assert "Everybody has the same chance" in words.en
    assert "所有用户概率相同" in words.zh


@pytest.mark.parametrize(
    ("metrics", "way"),
    [
        ({"FOLDS": {"near": MEASURED}, "TIME_ORDERED": {"near": MEASURED}}, "TIME_ORDERED"),
        ({"FOLDS": {"near": MEASURED}, "TIME_ORDERED": {}}, "FOLDS"),
        (
            {"FOLDS": {"near": MEASURED}, "TIME_ORDERED": {"near": MEASURED | {"auc": None}}},
            "FOLDS",
        ),
        ({"FOLDS": {"mid": MEASURED}, "TIME_ORDERED": {}}, None),
    ],
)
def test_newer_dates_judge_before_folds(metrics, way):
    found = judged(CARD | {"metrics": metrics})
    assert (found and found.way) == way
    assert judged(CARD | {"metrics": metrics, "kind": "BASE_RATE"}) is None
