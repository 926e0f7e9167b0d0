"""The churn model (O16, O18): honest validation, exact scores, reasons that raise the risk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from orchestration.retention import churn_model
from orchestration.retention.churn_model import REASONS, contributions, score, train

MONTH = date(2025, 8, 1)
DATES = ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"]


@pytest.fixture(scope="module")
def rows(observe):
    return observe(1500, DATES)


@pytest.fixture(scope="module")
def model(rows, policy):
    return train(rows, policy.features, policy.model, MONTH, {"lead_days": 7, "horizon_days": 30})


@pytest.fixture(scope="module")
def fresh(observe):
    return observe(700, ["2025-05-31"], seed=99)


def test_o18_validation_is_ordered_in_time_with_the_gap_of_the_label(model):
    card = model.card
    assert card["validation"] == "TIME_ORDERED"
    assert card["validation_holdout_dates"] == ["2025-04-30"]
    # 37 days before 30 April is 24 March: the labels of 31 March were not known by then.
    assert card["validation_train_dates"] == ["2025-01-31", "2025-02-28"]
    assert card["as_of_dates"] == DATES  # refitted on everything


def test_o18_metrics_are_those_of_a_model_that_never_saw_the_held_out_date(rows, policy, model):
    older = rows[rows["as_of_date"] <= "2025-02-28"]
    newest = rows[rows["as_of_date"] == "2025-04-30"]
    earlier = replace(train(older, policy.features, policy.model, MONTH), calibration=None)
    probability = score(earlier, newest)["churn_probability"].to_numpy()
    label = newest["is_churn"].to_numpy()
    metrics = model.card["metrics"]
    assert metrics["auc"] == pytest.approx(roc_auc_score(label, probability), abs=1e-12)
    assert metrics["brier"] == pytest.approx(np.mean((probability - label) ** 2), abs=1e-12)
    assert metrics["base_rate"] == label.mean()
    assert metrics["auc"] > 0.7
    assert metrics["top_decile_lift"] > 2
    assert metrics["ece"] < 0.03


def test_scores_are_calibrated_on_fresh_rows(model, fresh):
    probability = score(model, fresh)["churn_probability"].to_numpy()
    assert model.calibration is not None
    assert abs(probability.mean() - fresh["is_churn"].mean()) < 0.03


def test_one_as_of_date_is_judged_across_subscribers_and_says_so(observe, policy):
    model = train(observe(1500, ["2025-04-30"]), policy.features, policy.model, MONTH)
    assert (model.kind, model.card["validation"]) == ("LOGISTIC", "FOLDS")
    assert model.calibration is None
    assert model.card["metrics"]["rows"] == 1500
    assert 0.65 < model.card["metrics"]["auc"] < 0.95


def test_history_shorter_than_the_gap_is_split_without_it(observe, policy):
    model = train(observe(1500, DATES[:2]), policy.features, policy.model, MONTH)
    assert model.card["validation"] == "TIME_ORDERED"
    assert model.card["validation_train_dates"] == ["2025-01-31"]


def test_folds_keep_a_subscriber_together_and_spread_churners(rows):
    fold = churn_model._folds(rows, 5)
    assert (pd.Series(fold).groupby(rows["subscriber_id"]).nunique() == 1).all()
    rates = rows.groupby(fold)["is_churn"].mean()
    assert rates.max() - rates.min() < 0.05


def test_empty_and_constant_columns_are_dropped_and_listed(model):
    assert model.card["dropped_columns"] == {
        "competitor_contacts_30d": "UNKNOWN",
        "poor_coverage_minutes_30d": "UNKNOWN",
        "allowance_used_ratio": "CONSTANT",
    }
    assert "competitor_contacts_30d" not in model.columns


def test_too_few_churners_give_the_base_rate_by_hand(policy):
    rows = pd.DataFrame(
        {
            "subscriber_id": [f"S{n}" for n in range(400)],
            "as_of_date": "2025-04-30",
            "payment_mode": ["PREPAID"] * 300 + ["POSTPAID"] * 100,
            "is_churn": [1] * 18 + [0] * 382,
            **{feature.name: np.arange(400.0) for feature in policy.features},
        }
    )
    model = train(rows, policy.features, policy.model, MONTH)
    assert (model.kind, model.card["validation"]) == ("BASE_RATE", "NONE")
    # overall (18 + 200 x 0.02) / (400 + 200); modes (18 + 200 overall) / 500 and (0 + ...) / 300
    overall = 22 / 600
    assert model.base_rates[""] == pytest.approx(overall)
    assert model.base_rates["PREPAID"] == pytest.approx((18 + 200 * overall) / 500)
    assert model.base_rates["POSTPAID"] == pytest.approx(200 * overall / 300)
    asked = rows.iloc[[0, 399]].assign(payment_mode=["POSTPAID", None])
    scored = score(model, asked)
    expected = [model.base_rates["POSTPAID"], overall]
    assert scored["churn_probability"].tolist() == pytest.approx(expected)
    assert scored[list(REASONS)].isna().all(axis=None)


def test_no_rows_at_all_give_the_assumed_rate(rows, policy):
    model = train(rows.iloc[:0], policy.features, policy.model, MONTH)
    assert model.kind == "BASE_RATE"
    scored = score(model, rows.iloc[:3])
    assert scored["churn_probability"].tolist() == [policy.model.prior_churn_rate] * 3
    assert model.card["base_rate"] is None


def test_training_twice_or_in_another_order_gives_the_same_bytes(
    rows, policy, model, fresh, tmp_path
):
    shuffled = rows.sample(frac=1, random_state=3)
    parameters = {"lead_days": 7, "horizon_days": 30}
    again = train(shuffled, policy.features, policy.model, MONTH, parameters)
    churn_model.save(model, tmp_path / "one")
    churn_model.save(again, tmp_path / "two")
    for file in ("model.joblib", "card.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    loaded = churn_model.load(tmp_path / "one")
    assert loaded.card == json.loads(json.dumps(model.card))
    pd.testing.assert_frame_equal(score(loaded, fresh), score(model, fresh), check_exact=True)
    assert replace(loaded, pipeline=None, card={}) == replace(model, pipeline=None, card={})


def test_another_process_trains_the_same_bytes(rows, policy, model, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    pd.to_pickle((policy.features, policy.model), tmp_path / "policy.pickle")
    program = (
        "import sys, hashlib, datetime, pandas as pd\n"
        "from orchestration.retention import churn_model\n"
        "rows = pd.read_parquet(sys.argv[1]); features, policy = pd.read_pickle(sys.argv[2])\n"
        "model = churn_model.train(rows, features, policy, datetime.date(2025, 8, 1),\n"
        "    {'lead_days': 7, 'horizon_days': 30})\n"
        "print(model.version, hashlib.sha256(churn_model.to_bytes(model)).hexdigest())\n"
    )
    arguments = [str(tmp_path / "rows.parquet"), str(tmp_path / "policy.pickle")]
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    digest = hashlib.sha256(churn_model.to_bytes(model)).hexdigest()
    assert result.stdout.split() == [model.version, digest]


def test_version_follows_the_content(rows, policy, model):
    other = train(rows.iloc[:-1], policy.features, policy.model, MONTH)
    stricter = replace(policy.model, l2_penalty=2.0)
    assert len({model.version, other.version}) == 2
    assert train(rows.iloc[:-1], policy.features, stricter, MONTH).version != other.version


def test_card_is_readable_and_sorted(model, tmp_path):
    churn_model.save(model, tmp_path)
    text = (tmp_path / "card.json").read_text(encoding="utf-8")
    card = json.loads(text)
    assert list(card) == sorted(card)
    assert card["rows"] == 6000
    assert card["churners"] == model.card["churners"] > 0
    assert card["label_parameters"] == {"lead_days": 7, "horizon_days": 30}
    assert "topups_30d_is_unknown" in card["coefficients"]


def test_card_of_another_training_is_refused(model, tmp_path):
    churn_model.save(model, tmp_path)
    card = dict(model.card, version="0" * 12)
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="do not belong together"):
        churn_model.load(tmp_path)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_o18_a_row_scores_the_same_alone_as_in_any_batch(model, fresh, data):
    size = data.draw(st.integers(1, 200))
    start = data.draw(st.integers(0, len(fresh) - size))
    batch = fresh.iloc[start : start + size].sample(frac=1, random_state=size)
    position = data.draw(st.integers(0, size - 1))
    together = score(model, batch).iloc[position]
    alone = score(model, batch.iloc[[position]]).iloc[0]
    assert together["churn_probability"].hex() == alone["churn_probability"].hex()
    for name in REASONS:
        assert together[name] == alone[name] or (pd.isna(together[name]) and pd.isna(alone[name]))


def test_blocks_do_not_change_scores(model, fresh, monkeypatch):
    whole = score(model, fresh)
    monkeypatch.setattr(churn_model, "_BLOCK_ROWS", 37)
    pd.testing.assert_frame_equal(score(model, fresh), whole, check_exact=True)


def test_scores_agree_with_the_pipeline_itself(model, fresh):
    plain = replace(model, calibration=None)
    expected = model.pipeline.predict_proba(fresh[list(model.columns)].to_numpy(dtype=float))[:, 1]
    assert score(plain, fresh)["churn_probability"].to_numpy() == pytest.approx(expected, rel=1e-9)


def test_o18_reasons_raise_the_risk_and_come_largest_first(model, fresh):
    """Every reason has a positive contribution on the side that its words describe."""
    scored = score(model, fresh)
    shares = pd.DataFrame(
        contributions(model, fresh)[:, : len(model.columns)], columns=list(model.columns)
    )
    usual = fresh["usage_ratio"].reset_index(drop=True) < 1.05
    sizes = np.full((len(fresh), 3), np.nan)
    for position, name in enumerate(REASONS):
        for feature in model.columns:
            is_named = (scored[name] == feature).fillna(False).to_numpy()
            sizes[is_named, position] = shares.loc[is_named, feature]
    named = ~np.isnan(sizes)
    assert named.any(axis=0)[:2].all()
    assert (sizes[named] >= model.min_reason_contribution).all()
    assert (np.diff(sizes, axis=1)[named[:, 1:]] <= 0).all()
    # words and value agree: "uses less than usual" is never said of one who uses more
    says_less = (scored[list(REASONS)] == "usage_ratio").any(axis=1)
    assert says_less.sum() > 100
    assert usual[says_less].all()


def test_o18_what_protects_is_never_a_reason(model, fresh):
    """Far more use than usual: the largest absolute factor protects, and is not named."""
    one = fresh.iloc[[0]].assign(
        usage_ratio=5.0, complaints_90d=1.0, is_contract_ending=False, topups_30d=np.nan
    )
    shares = dict(zip(model.columns, contributions(model, one)[0], strict=False))
    assert abs(shares["usage_ratio"]) > shares["complaints_90d"] > 0 > shares["usage_ratio"]
    assert shares["topups_30d"] == 0  # an unknown value is no reason
    assert score(model, one)[list(REASONS)].iloc[0].dropna().tolist() == ["complaints_90d"]


def test_o18_a_feature_on_the_other_side_of_its_words_is_no_reason(rows, policy, fresh):
    """The words say HIGH while a low value raises the risk: silence, not a false sentence."""
    features = [
        replace(feature, reason_when="HIGH") if feature.name == "usage_ratio" else feature
        for feature in policy.features
    ]
    scored = score(train(rows, features, policy.model, MONTH), fresh)
    assert not (scored[list(REASONS)] == "usage_ratio").any(axis=None)


def test_features_with_the_same_words_count_once(rows, policy, fresh):
    same = policy.features[0].reason
    features = [
        replace(feature, reason=same, reason_when="EITHER")
        if feature.name in ("usage_ratio", "complaints_90d")
        else feature
        for feature in policy.features
    ]
    scored = score(train(rows, features, policy.model, MONTH), fresh)
    both = [
        (scored[list(REASONS)] == name).any(axis=1) for name in ("usage_ratio", "complaints_90d")
    ]
    assert both[0].any()
    assert both[1].any()
    assert not (both[0] & both[1]).any()


def test_a_sample_keeps_to_the_keys(rows, policy):
    small = replace(policy.model, max_training_rows=1000)
    one = train(rows, policy.features, small, MONTH)
    two = train(rows.sample(frac=1, random_state=1), policy.features, small, MONTH)
    assert one.card["rows"] == 1000
    assert one.card["rows_offered"] == 6000
    assert one.version == two.version


def test_values_as_a_database_hands_them_over_score_the_same(model, fresh):
    """Booleans with nulls, decimals and nullable numbers are the numbers they stand for."""
    plain = fresh.assign(topups_30d=fresh["topups_30d"].round(2), is_contract_ending=np.nan)
    boxed = plain.assign(
        is_contract_ending=pd.Series([None] * len(plain), dtype=object).to_numpy(),
        topups_30d=[None if np.isnan(v) else Decimal(f"{v:.2f}") for v in plain["topups_30d"]],
        complaints_90d=plain["complaints_90d"].astype("Int64"),
    )
    pd.testing.assert_frame_equal(score(model, boxed), score(model, plain), check_exact=True)
    flags = fresh["is_contract_ending"].astype(object)
    pd.testing.assert_frame_equal(
        score(model, fresh.assign(is_contract_ending=flags)), score(model, fresh), check_exact=True
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda rows: rows.drop(columns="usage_ratio"), "lack usage_ratio"),
        (lambda rows: rows.assign(is_churn=2), "neither 0 nor 1"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "not unique"),
    ],
)
def test_bad_training_rows_are_refused(rows, policy, damage, message):
    with pytest.raises(ValueError, match=message):
        train(damage(rows), policy.features, policy.model, MONTH)


def test_bad_rows_to_score_are_refused(model, fresh):
    with pytest.raises(ValueError, match="lack usage_ratio"):
        score(model, fresh.drop(columns="usage_ratio"))
    with pytest.raises(ValueError, match="not unique"):
        score(model, pd.concat([fresh, fresh.iloc[:1]]))
