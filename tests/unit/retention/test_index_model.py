"""A month's model of the churn index: card, horizons, reasons."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from orchestration.retention import churn_learner, index_model
from orchestration.retention.index_model import REASONS, Observation, score, train

MONTH = date(2025, 8, 1)
OBSERVATION = Observation(lead_days=7, interval_days=30, maturity_days=0)
DATES = ["2024-08-31", "2024-12-31", "2025-03-31", "2025-04-30"]
CHANCES = [f"churn_probability_{horizon}" for horizon in ("near", "mid", "far")]


@pytest.fixture(scope="module")
def settings(quick_learner):
    return quick_learner


@pytest.fixture(scope="module")
def rows(observe):
    """Churn by the features in one of six intervals; the newest date shows three of them."""
    rows = observe(1500, DATES, base=-3.2)
    random = np.random.default_rng(4)
    left_in = np.zeros(len(rows), dtype=int)
    shape = -3.2 - 1.5 * np.log(rows["usage_ratio"]) + rows["complaints_90d"]
    shape += 1.2 * rows["is_contract_ending"]
    for interval in range(6, 0, -1):
        left_in[random.random(len(rows)) < 1 / (1 + np.exp(-shape))] = interval
    observed = np.where(rows["as_of_date"] == pd.Timestamp(DATES[-1]), 3, 6)
    left_in = np.where(left_in <= observed, left_in, 0)
    return rows.drop(columns="is_churn").assign(left_in=left_in, observed=observed)


@pytest.fixture(scope="module")
def fresh(observe):
    return observe(600, ["2025-08-31"], seed=77)


@pytest.fixture(scope="module")
def model(rows, policy, settings):
    return train(rows, policy.features, settings, MONTH, OBSERVATION)


def test_o16_probabilities_for_three_horizons(model, fresh):
    scored = score(model, fresh)
    assert list(scored) == ["subscriber_id", *CHANCES, *REASONS]
    chance = scored[CHANCES].to_numpy()
    assert (np.diff(chance, axis=1) >= 0).all()
    assert ((chance > 0) & (chance < 1)).all()


def test_card_has_metrics_by_horizon_in_both_ways(model):
    folds, later = model.card["metrics"]["FOLDS"], model.card["metrics"]["TIME_ORDERED"]
    assert list(folds) == ["near", "mid", "far"]
    for horizon in folds.values():
        assert horizon["auc"] > 0.75
        assert horizon["ece"] < 0.05
    # judged where the far horizon is known, by a model of the dates before
    assert later["holdout_dates"] == ["2025-03-31"]
    assert later["train_dates"] == ["2024-08-31", "2024-12-31"]
    assert later["near"]["auc"] > 0.75
    # a date that shows three intervals only is not counted in the far horizon
    assert folds["far"]["rows"] == 4500
    assert folds["mid"]["rows"] == 6000
    assert model.card["is_extrapolated_from"] == 7


def test_what_was_not_known_on_a_day_is_not_used_on_it(rows):
    past = index_model.known_at(rows, pd.Timestamp("2025-03-31"), OBSERVATION)
    by_date = past.groupby("as_of_date")["observed"].max()
    # 2024-12-31 + 7 + 2 x 30 days is the 8th of March; + 3 x 30 is April
    assert by_date.to_dict() == {
        pd.Timestamp("2024-08-31"): 6,
        pd.Timestamp("2024-12-31"): 2,
    }
    assert (past["left_in"] <= past["observed"]).all()
    late = replace(OBSERVATION, maturity_days=60)
    past = index_model.known_at(rows, pd.Timestamp("2025-03-31"), late)
    assert past["as_of_date"].max() == pd.Timestamp("2024-08-31")


def test_training_twice_or_in_another_order_gives_the_same_bytes(
    rows, policy, settings, model, fresh, tmp_path
):
    shuffled = rows.sample(frac=1, random_state=3)
    again = train(shuffled, policy.features, settings, MONTH, OBSERVATION)
    index_model.save(model, tmp_path / "one")
    index_model.save(again, tmp_path / "two")
    for file in ("model.json", "card.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    loaded = index_model.load(tmp_path / "one")
    assert loaded.version == model.version
    pd.testing.assert_frame_equal(score(loaded, fresh), score(model, fresh), check_exact=True)


def test_o18_a_row_scores_the_same_alone_as_in_a_batch(model, fresh, monkeypatch):
    together = score(model, fresh)
    for row in range(0, len(fresh), 41):
        alone = score(model, fresh.iloc[[row]])
        expected = together.iloc[[row]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)
    monkeypatch.setattr(churn_learner, "_BLOCK_ROWS", 37)
    pd.testing.assert_frame_equal(score(model, fresh), together, check_exact=True)


def test_o18_reasons_are_true_of_the_subscriber_and_of_the_highest_only(model, fresh):
    scored = score(model, fresh)
    has_reason = scored["reason_1"].notna().to_numpy()
    assert 0.03 < has_reason.mean() < 0.3
    assert scored.loc[has_reason, CHANCES[0]].min() >= model.reasons_from
    named = scored[list(REASONS)]
    says_less = (named == "usage_ratio").any(axis=1).to_numpy()
    assert says_less.sum() > 20
    assert (fresh["usage_ratio"][says_less] < 1.1).all()
    says_complaint = (named == "complaints_90d").any(axis=1).to_numpy()
    assert says_complaint.any()
    assert (fresh["complaints_90d"][says_complaint] > 0).all()


def test_o18_what_protects_or_is_unknown_is_never_a_reason(model, fresh):
    one = fresh.iloc[[0]].assign(
        usage_ratio=5.0, complaints_90d=4.0, is_contract_ending=False, topups_30d=np.nan
    )
    everyone = replace(model, reasons_from=0.0)
    assert score(everyone, one)[list(REASONS)].iloc[0].dropna().tolist() == ["complaints_90d"]


def test_o18_words_that_speak_of_the_other_side_are_silent(rows, policy, settings, fresh):
    """The words say HIGH while a low value raises the risk: silence, not a false sentence."""
    features = [
        replace(feature, reason_when="HIGH") if feature.name == "usage_ratio" else feature
        for feature in policy.features
    ]
    scored = score(train(rows, features, settings, MONTH, OBSERVATION), fresh)
    says = (scored[list(REASONS)] == "usage_ratio").any(axis=1).to_numpy()
    assert (fresh["usage_ratio"][says] > 1).all()
    assert says.mean() < 0.02


def test_o18_what_points_to_a_cause_comes_before_symptoms(model, fresh):
    scored = score(replace(model, reasons_from=0.0), fresh)[list(REASONS)]
    causes = {feature.name for feature in model.features if feature.cause}
    points = scored.isin(causes)
    is_named = scored.notna()
    assert points["reason_1"].any()
    for first, second in pairwise(REASONS):
        assert (points[first] | ~points[second]).all()
        assert (is_named[first] | ~is_named[second]).all()
    # Without causes the largest comes first, and the same features are named.
    plain = tuple(replace(feature, cause="") for feature in model.features)
    largest = score(replace(model, features=plain, reasons_from=0.0), fresh)[list(REASONS)]
    few = is_named.sum(axis=1) < len(REASONS)
    assert few.any()
    for row in few[few].index:
        assert set(scored.loc[row].dropna()) == set(largest.loc[row].dropna())
    assert (largest["reason_1"] != scored["reason_1"]).any()


def test_features_with_the_same_words_count_once(model, fresh):
    words = model.features[0].reason
    features = tuple(
        replace(feature, reason=words, reason_when="EITHER") for feature in model.features
    )
    scored = score(replace(model, features=features, reasons_from=0.0), fresh)
    assert scored["reason_1"].notna().any()
    assert scored["reason_2"].isna().all()


def test_few_churners_give_the_base_rate_and_no_reasons(rows, policy, settings, fresh):
    calm = rows.assign(left_in=0)
    model = train(calm, policy.features, settings, MONTH, OBSERVATION)
    assert model.kind == "BASE_RATE"
    scored = score(model, fresh)
    assert scored[CHANCES[0]].nunique() == 1
    assert (scored[CHANCES[2]] > scored[CHANCES[0]]).all()
    assert scored[list(REASONS)].isna().all(axis=None)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_first_month_has_the_assumed_rate(rows, policy, settings, fresh, tmp_path, count):
    """Nothing, or next to nothing, was observed yet: (churners + 200 x 2%) / (rows + 200)."""
    few = rows.iloc[:count].assign(left_in=0)
    model = train(few, policy.features, settings, MONTH, OBSERVATION)
    assert (model.kind, model.card["rows"]) == ("BASE_RATE", count)
    index_model.save(model, tmp_path)
    scored = score(index_model.load(tmp_path), fresh)
    assert scored[CHANCES[0]].to_numpy() == pytest.approx(4 / (count + 200))
    assert len(score(model, fresh.iloc[:0])) == 0


def test_values_as_a_database_hands_them_over_score_the_same(model, fresh):
    """Booleans with nulls, decimals and nullable numbers are the numbers they stand for."""
    plain = fresh.assign(topups_30d=fresh["topups_30d"].round(2), is_contract_ending=np.nan)
    boxed = plain.assign(
        is_contract_ending=pd.Series([None] * len(plain), dtype=object).to_numpy(),
        topups_30d=[None if np.isnan(v) else Decimal(f"{v:.2f}") for v in plain["topups_30d"]],
        complaints_90d=plain["complaints_90d"].astype("Int64"),
    )
    pd.testing.assert_frame_equal(score(model, boxed), score(model, plain), check_exact=True)


def test_a_date_counts_when_each_payment_mode_shows_the_horizon(rows):
    """Else those who left early would count without those who stayed."""
    is_prepaid = rows["payment_mode"] == "PREPAID"
    late = rows.assign(
        observed=np.where(is_prepaid, rows["observed"], np.minimum(rows["observed"], 2))
    )
    late["left_in"] = late["left_in"].where(late["left_in"] <= late["observed"], 0)
    seen = np.full((len(late), 6), -3.0)
    assert list(index_model._measured(late, seen)) == ["near"]
    assert list(index_model._measured(late[is_prepaid], seen[is_prepaid])) == ["near", "mid", "far"]


def test_o18_the_card_tells_of_how_many_rows_it_is_a_sample(rows, policy, settings):
    quick = replace(settings, max_trees=20)
    model = train(rows, policy.features, quick, MONTH, OBSERVATION, rows_offered=90_000)
    assert (model.card["rows"], model.card["rows_offered"]) == (6000, 90_000)


def test_card_of_another_training_is_refused(model, tmp_path):
    index_model.save(model, tmp_path)
    card = dict(model.card, version="0" * 12)
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="do not belong together"):
        index_model.load(tmp_path)


def test_bad_rows_are_refused(rows, policy, settings, model, fresh):
    with pytest.raises(ValueError, match="lack usage_ratio"):
        score(model, fresh.drop(columns="usage_ratio"))
    with pytest.raises(ValueError, match="not unique"):
        score(model, pd.concat([fresh, fresh.iloc[:1]]))
    with pytest.raises(ValueError, match="lack observed"):
        train(rows.drop(columns="observed"), policy.features, settings, MONTH, OBSERVATION)
