"""What the churn index learns with."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orchestration.retention import churn_learner, splits
from orchestration.retention.measures import auc, expected_calibration_error

RANDOM = np.random.default_rng(3)
COUNT = 6000
PLANS = RANDOM.choice(["A", "B", "C"], COUNT)
USE, CALLS = RANDOM.lognormal(0, 1, COUNT), RANDOM.poisson(1, COUNT).astype(float)
# An interaction that no sum of curves can have, and a plan that matters.
TRUE = -1.5 + 1.3 * np.log(USE) * np.where(CALLS > 0, 1, -1) - 1.5 * (PLANS == "B")
LABEL = (RANDOM.random(COUNT) < 1 / (1 + np.exp(-TRUE))).astype(float)
ROWS = pd.DataFrame({"use": USE, "calls": CALLS, "plan": PLANS, "noise": RANDOM.normal(size=COUNT)})
ROWS.loc[::17, "use"] = np.nan
COLUMNS = list(ROWS)
TRAIN, TEST = slice(0, 2000), slice(2000, COUNT)


@pytest.fixture(scope="module")
def settings(quick_learner):
    return replace(quick_learner, bagged_rows=4000)


@pytest.fixture(scope="module")
def fitted(settings):
    return _fit(settings)


def _fit(settings, rows=ROWS[TRAIN], label=LABEL[TRAIN]):
    fold = splits.folds(label, settings.folds, settings.seed)
    return churn_learner.fit(rows, COLUMNS, label, settings, fold)


def test_it_comes_near_the_truth_and_can_be_taken_literally(fitted):
    log_odds = churn_learner.log_odds(fitted.learner, ROWS[TEST])
    # The truth knows the use of everybody, of which a part is unknown here.
    assert auc(LABEL[TEST], log_odds) > auc(LABEL[TEST], TRUE[TEST]) - 0.05
    chance = churn_learner.probability(log_odds)
    noise = expected_calibration_error(LABEL[TEST], churn_learner.probability(TRUE[TEST]))
    assert expected_calibration_error(LABEL[TEST], chance) < noise + 0.02


def test_held_out_scores_are_of_models_that_had_not_seen_the_row(fitted, settings):
    """With labels that are noise, held-out rows rank like noise; rows learned from would not."""
    noise = np.random.default_rng(1).permutation(LABEL[TRAIN])
    learned = _fit(settings, label=noise)
    assert abs(auc(noise, learned.held_out) - 0.5) < 0.05
    assert auc(LABEL[TRAIN], fitted.held_out) == pytest.approx(
        auc(LABEL[TEST], churn_learner.log_odds(fitted.learner, ROWS[TEST])), abs=0.04
    )


def test_rows_without_a_label_are_scored_and_not_learned_from(settings):
    """Whatever stands where no label is known, the model is the same, and they get their score."""
    is_known = np.arange(2000) % 4 > 0
    fold = splits.folds(LABEL[TRAIN], settings.folds, settings.seed)

    def fit(label):
        return churn_learner.fit(ROWS[TRAIN], COLUMNS, label, settings, fold, is_known)

    one, two = fit(LABEL[TRAIN]), fit(np.where(is_known, LABEL[TRAIN], 1.0))
    assert churn_learner.to_plain(one.learner) == churn_learner.to_plain(two.learner)
    assert auc(LABEL[TRAIN][~is_known], one.held_out[~is_known]) > 0.72


def test_a_row_alone_is_the_same_to_the_last_bit(fitted, monkeypatch):
    together = churn_learner.log_odds(fitted.learner, ROWS[TEST])
    shares = churn_learner.contributions(fitted.learner, ROWS[TEST])
    for row in range(0, len(together), 23):
        one = ROWS[TEST].iloc[[row]]
        assert churn_learner.log_odds(fitted.learner, one)[0] == together[row]
        assert (churn_learner.contributions(fitted.learner, one)[0] == shares[row]).all()
    monkeypatch.setattr(churn_learner, "_BLOCK_ROWS", 37)
    assert (churn_learner.log_odds(fitted.learner, ROWS[TEST]) == together).all()


def test_contributions_add_up_to_the_score_above_the_average_row(fitted):
    rest = churn_learner.log_odds(fitted.learner, ROWS[TEST]) - churn_learner.contributions(
        fitted.learner, ROWS[TEST]
    ).sum(axis=1)
    assert np.ptp(rest) < 1e-6
    shares = churn_learner.contributions(fitted.learner, ROWS[TEST])
    plan = fitted.learner.encoding.columns.index("plan")
    is_b = (ROWS[TEST]["plan"] == "B").to_numpy()
    assert shares[is_b, plan].max() < 0 < shares[~is_b, plan].min()


def test_training_twice_gives_the_same_bytes(fitted, settings):
    one, two = (json.dumps(churn_learner.to_plain(f.learner)) for f in (fitted, _fit(settings)))
    assert one == two


def test_another_process_trains_the_same_bytes(fitted, settings, tmp_path):
    pd.to_pickle((ROWS[TRAIN], COLUMNS, LABEL[TRAIN], settings), tmp_path / "given.pickle")
    program = (
        "import sys, json, hashlib, pandas as pd\n"
        "from orchestration.retention import churn_learner, splits\n"
        "rows, columns, label, settings = pd.read_pickle(sys.argv[1])\n"
        "fold = splits.folds(label, settings.folds, settings.seed)\n"
        "learner = churn_learner.fit(rows, columns, label, settings, fold).learner\n"
        "text = json.dumps(churn_learner.to_plain(learner))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "given.pickle")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    text = json.dumps(churn_learner.to_plain(fitted.learner))
    assert result.stdout.strip() == hashlib.sha256(text.encode()).hexdigest()


def test_what_is_kept_scores_the_same(fitted):
    plain = json.loads(json.dumps(churn_learner.to_plain(fitted.learner)))
    loaded = churn_learner.from_plain(plain)
    same = churn_learner.log_odds(loaded, ROWS[TEST])
    assert (same == churn_learner.log_odds(fitted.learner, ROWS[TEST])).all()
    assert json.loads(json.dumps(churn_learner.to_plain(loaded))) == plain


def test_few_churners_give_the_base_rate(settings):
    label = np.zeros(2000)
    label[:20] = 1
    learned = _fit(settings, label=label).learner
    assert learned.kind == "BASE_RATE"
    chance = churn_learner.probability(churn_learner.log_odds(learned, ROWS[TEST]))
    weight, rate = settings.prior_weight_rows, settings.prior_churn_rate
    assert chance == pytest.approx((20 + weight * rate) / (2000 + weight))
    assert not churn_learner.contributions(learned, ROWS[TEST]).any()
    plain = json.loads(json.dumps(churn_learner.to_plain(learned)))
    loaded = churn_learner.from_plain(plain)
    assert (churn_learner.log_odds(loaded, ROWS[TEST]) == learned.blend.intercept).all()


def test_a_table_of_names_alone_can_be_learned(settings):
    fold = splits.folds(LABEL, settings.folds, settings.seed)
    learned = churn_learner.fit(ROWS, ["plan"], LABEL, settings, fold).learner
    by_plan = pd.Series(churn_learner.log_odds(learned, ROWS)).groupby(PLANS).mean()
    assert by_plan["B"] < min(by_plan["A"], by_plan["C"]) - 0.8


def test_enough_held_out_churners_end_the_folds(settings):
    learned = _fit(replace(settings, held_out_churners=50))
    held = ~np.isnan(learned.held_out)
    assert held.sum() == pytest.approx(2000 / 3, abs=1)
    assert learned.learner.choices["held_out_rows"] == held.sum()


def test_a_missing_column_is_named(fitted):
    with pytest.raises(ValueError, match="rows lack use"):
        churn_learner.log_odds(fitted.learner, ROWS.drop(columns="use"))
