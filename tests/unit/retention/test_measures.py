"""Measures of probabilities: by hand, in any order of the rows, and none where none can be told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.retention.measures import (
    auc,
    average_precision,
    brier,
    calibration_noise,
    expected_calibration_error,
    lift,
)

LABEL = np.array([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
PROBABILITY = np.array([0.9, 0.8, 0.1, 0.1, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1])


def test_measures_by_hand():
    # 2 churners x 8 others are 16 pairs, of which only (0.7, 0.8) is in the wrong order
    assert auc(LABEL, PROBABILITY) == 15 / 16
    assert average_precision(LABEL, PROBABILITY) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert lift(LABEL, PROBABILITY) == pytest.approx(5)
    assert lift(LABEL, PROBABILITY, share=0.3) == pytest.approx((2 / 3) / 0.2)
    assert brier(LABEL, PROBABILITY) == pytest.approx((0.01 + 0.64 + 0.09 + 0.07) / 10)


def test_bins_of_the_calibration_error_are_of_equal_count():
    # five of the seven 0.1 below; two of them with the rest above: 2.6 expected, 2 left
    error = expected_calibration_error(LABEL, PROBABILITY, bins=2)
    assert error == pytest.approx((0.5 + 0.6) / 10)


def test_what_lies_across_a_border_counts_in_part():
    # 3 rows in 2 bins: 1.5 rows each, the middle row half in either
    label, probability = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.4, 0.9])
    error = expected_calibration_error(label, probability, bins=2)
    assert error == pytest.approx((abs(0.2 - 0.3) + abs(-0.3 - 0.1)) / 3)
    # the top 20% are one of five rows, which is drawn from three equal ones, one of them a churner
    label, probability = np.array([1.0, 0, 0, 1, 0]), np.array([0.9, 0.9, 0.9, 0.1, 0.1])
    assert lift(label, probability, share=0.2) == pytest.approx((1 / 3) / (2 / 5))


def test_a_share_of_rows_is_not_one_row_more_by_rounding():
    label = np.zeros(30)
    label[:3] = 1.0
    assert lift(label, np.linspace(1, 0, 30), share=0.1) == pytest.approx(10)


def test_measures_without_two_classes_or_rows():
    ones, half = np.ones(5), np.full(5, 0.5)
    assert auc(ones, half) is None
    assert average_precision(np.zeros(5), half) is None
    assert lift(np.zeros(5), half) is None
    assert brier(ones[:0], half[:0]) is None
    assert lift(ones[:0], half[:0]) is None
    assert expected_calibration_error(ones[:0], half[:0]) is None
    assert expected_calibration_error(ones, half) == pytest.approx(0.5)
    assert auc(np.array([0.0, 1.0]), np.array([0.3, 0.3])) == 0.5


@settings(max_examples=100, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=1),
    order=st.randoms(use_true_random=False),
)
def test_measures_do_not_depend_on_the_order_of_rows(pairs, order):
    shuffled = list(pairs)
    order.shuffle(shuffled)

    def measured(items):
        label = np.array([float(churned) for churned, _ in items])
        probability = np.array([p for _, p in items])
        return [
            auc(label, probability),
            average_precision(label, probability),
            lift(label, probability),
            brier(label, probability),
            expected_calibration_error(label, probability, 4),
        ]

    one, two = measured(pairs), measured(shuffled)
    for value, again in zip(one, two, strict=True):
        assert again == (None if value is None else pytest.approx(value, abs=1e-12))
    assert 0 <= one[-1] <= 1
    assert one[2] is None or 0 <= one[2] <= len(pairs)


def test_probabilities_that_are_true_have_a_small_calibration_error():
    random = np.random.default_rng(3)
    true = random.beta(1, 9, 50_000)
    label = (random.random(50_000) < true).astype(float)
    assert expected_calibration_error(label, true) < 0.005
    assert expected_calibration_error(label, true**0.5) > 0.1


@pytest.mark.parametrize(("rows", "rate"), [(1_000, 0.05), (20_000, 0.02)])
def test_chance_alone_gives_no_more_calibration_error_than_that(rows, rate):
    """Perfect probabilities, drawn 60 times: their mean error is the bound where all are alike."""
    random = np.random.default_rng(5)
    alike, spread = [], []
    for _ in range(60):
        # All but alike: equal ones would share one bin.
        true = rate + random.uniform(-1e-6, 1e-6, rows)
        alike.append(expected_calibration_error((random.random(rows) < true).astype(float), true))
        true = rate * random.gamma(1, 1, rows).clip(0, 10)
        spread.append(expected_calibration_error((random.random(rows) < true).astype(float), true))
    noise = calibration_noise(rate, rows)
    assert np.mean(alike) == pytest.approx(noise, rel=0.1)
    assert np.mean(spread) < noise
