"""A logistic regression with a curve a column."""

import numpy as np
import pytest

from orchestration.retention import additive
from orchestration.retention.additive import fit_additive
from orchestration.retention.measures import auc

RANDOM = np.random.default_rng(5)
COUNT = 4000
LONG_TAIL = RANDOM.lognormal(0, 2, COUNT)
VALLEY = RANDOM.normal(size=COUNT)
MARK = (RANDOM.random(COUNT) < 0.3).astype(float)
TRUE = -2 + np.log(LONG_TAIL) / 2 + 1.5 * np.abs(VALLEY) + MARK
LABEL = (RANDOM.random(COUNT) < 1 / (1 + np.exp(-TRUE))).astype(float)
VALLEY[:400] = np.nan
NUMBERS = np.column_stack([LONG_TAIL, VALLEY])


@pytest.fixture(scope="module")
def model():
    [model] = fit_additive(NUMBERS, MARK[:, None], LABEL, [5.0])
    return model


def test_curves_find_long_tails_and_valleys(model):
    """No straight line ranks by |x|; the curve comes near the truth's own AUC."""
    found = auc(LABEL, additive.log_odds(model, NUMBERS, MARK[:, None]))
    assert found > auc(LABEL, TRUE) - 0.02
    shares = additive.contributions(model, np.array([[1, -2.0], [1, 0], [1, 2]]), np.zeros((3, 1)))
    assert min(shares[0, 1], shares[2, 1]) > shares[1, 1] + 1
    assert model.weights[0] == pytest.approx(1, abs=0.3)


def test_contributions_add_up_and_an_unknown_value_has_its_own(model):
    shares = additive.contributions(model, NUMBERS, MARK[:, None])
    total = additive.log_odds(model, NUMBERS, MARK[:, None])
    assert shares.sum(axis=1) + model.intercept == pytest.approx(total)
    assert set(shares[:400, 1]) == {model.curves[1].unknown}


def test_a_row_alone_is_the_same_to_the_last_bit(model):
    total = additive.log_odds(model, NUMBERS, MARK[:, None])
    for row in range(0, COUNT, 97):
        part = slice(row, row + 1)
        assert additive.log_odds(model, NUMBERS[part], MARK[part, None])[0] == total[row]


def test_values_beyond_training_are_as_the_last_ones(model):
    ends = np.array([[LONG_TAIL.max(), 0], [1e12, 0]])
    shares = additive.contributions(model, ends, np.zeros((2, 1)))
    assert shares[0, 0] == shares[1, 0]


def test_more_penalty_bends_less_and_models_come_in_the_order_asked_for():
    soft, hard, middle = fit_additive(NUMBERS, MARK[:, None], LABEL, [1.0, 1000.0, 30.0])
    bends = [np.ptp(model.curves[1].log_odds) for model in (hard, middle, soft)]
    assert bends == sorted(bends)
    assert bends[0] < bends[2] / 2


def test_where_a_fit_starts_does_not_matter():
    [alone] = fit_additive(NUMBERS, MARK[:, None], LABEL, [1.0])
    last = fit_additive(NUMBERS, MARK[:, None], LABEL, [1000.0, 30.0, 1.0])[-1]
    total = additive.log_odds(alone, NUMBERS, MARK[:, None])
    assert additive.log_odds(last, NUMBERS, MARK[:, None]) == pytest.approx(total, abs=2e-3)
