"""The chance of leaving within one, three and six intervals (O16, O17)."""

import json

import numpy as np
import pandas as pd
import pytest

from orchestration.retention import hazard
from orchestration.retention.measures import auc, expected_calibration_error

COUNT, INTERVALS = 6000, 6
RANDOM = np.random.default_rng(8)
SOON, LASTING = RANDOM.normal(size=COUNT), RANDOM.normal(size=COUNT)
# `soon` tells of the first interval only, `lasting` of all.
HAZARD = 1 / (
    1 + np.exp(-(-3 + LASTING[:, None] + np.outer(SOON, [1.5] + [0] * 5) + np.arange(6) / 10))
)
LEFT = RANDOM.random((COUNT, INTERVALS)) < HAZARD
LEFT_IN = np.where(LEFT.any(axis=1), LEFT.argmax(axis=1) + 1, 0)
ROWS = pd.DataFrame({"soon": SOON, "lasting": LASTING})
TRAIN, TEST = slice(0, 4000), slice(4000, COUNT)


@pytest.fixture(scope="module")
def settings(quick_learner):
    return quick_learner


@pytest.fixture(scope="module")
def fitted(settings):
    observed = np.full(4000, INTERVALS)
    return hazard.fit_hazard(ROWS[TRAIN], list(ROWS), LEFT_IN[TRAIN], observed, INTERVALS, settings)


def test_o16_horizons_rank_and_are_calibrated(fitted):
    chance = hazard.within(hazard.log_odds(fitted.hazard, ROWS[TEST]), [1, 3, 6])
    truth = 1 - np.cumprod(1 - HAZARD[TEST], axis=1)[:, [0, 2, 5]]
    for position, intervals in enumerate([1, 3, 6]):
        label = ((LEFT_IN[TEST] > 0) & (LEFT_IN[TEST] <= intervals)).astype(float)
        assert auc(label, chance[:, position]) > auc(label, truth[:, position]) - 0.02
        noise = expected_calibration_error(label, truth[:, position])
        assert expected_calibration_error(label, chance[:, position]) < noise + 0.015


def test_o16_a_longer_horizon_is_never_less_likely(fitted):
    chance = hazard.within(hazard.log_odds(fitted.hazard, ROWS), range(1, 7))
    assert (np.diff(chance, axis=1) > 0).all()
    assert (chance > 0).all()
    assert (chance < 1).all()


def test_what_tells_of_the_first_interval_fades(fitted):
    two = pd.DataFrame({"soon": [-2.0, 2.0], "lasting": [0.0, 0.0]})
    gap = np.diff(hazard.log_odds(fitted.hazard, two), axis=0)[0]
    assert gap[0] > 3
    assert abs(gap[3]) < 1


def test_who_was_lost_sight_of_counts_until_then(settings):
    """Half the rows were seen for two intervals only: the hazards are those of all."""
    observed = np.where(np.arange(4000) % 2, INTERVALS, 2)
    left_in = np.where(LEFT_IN[TRAIN] <= observed, LEFT_IN[TRAIN], 0)
    some = hazard.fit_hazard(ROWS[TRAIN], list(ROWS), left_in, observed, INTERVALS, settings)
    chance = hazard.within(hazard.log_odds(some.hazard, ROWS[TEST]), [6])[:, 0]
    assert chance.mean() == pytest.approx((LEFT_IN[TEST] > 0).mean(), abs=0.03)


def test_o16_newer_dates_that_show_less_do_not_look_safer(settings):
    """A column tells the date apart and nothing else: what it tells is no risk."""
    is_new = np.arange(4000) % 2 == 1
    shown = np.where(is_new, 2, INTERVALS)
    left_in = np.where(LEFT_IN[TRAIN] <= shown, LEFT_IN[TRAIN], 0)
    rows = ROWS[TRAIN].assign(date=is_new.astype(float))
    some = hazard.fit_hazard(
        rows, list(rows), left_in, shown, INTERVALS, settings, shown=shown
    ).hazard
    test = ROWS[TEST].assign(date=1.0)
    chance = hazard.within(hazard.log_odds(some, test), [6])[:, 0]
    assert chance.mean() == pytest.approx((LEFT_IN[TEST] > 0).mean(), abs=0.03)
    # Looked at up to the second interval only, where that is what most departures are known of.
    assert hazard._depth(left_in, np.full(4000, 2), INTERVALS) == 2
    assert hazard._depth(left_in, shown, INTERVALS) == INTERVALS


def test_beyond_what_was_observed_the_last_hazard_goes_on(settings):
    left_in = np.where(LEFT_IN[TRAIN] <= 2, LEFT_IN[TRAIN], 0)
    short = hazard.fit_hazard(
        ROWS[TRAIN], list(ROWS), left_in, np.full(4000, 2), INTERVALS, settings
    ).hazard
    assert short.observed == 2
    log_odds = hazard.log_odds(short, ROWS[TEST])
    assert (log_odds[:, 2:] == log_odds[:, [1]]).all()
    assert (log_odds[:, 0] != log_odds[:, 1]).any()


def test_held_out_log_odds_are_of_every_row_here(fitted):
    assert fitted.held_out.shape == (4000, INTERVALS)
    label = (LEFT_IN[TRAIN] == 1).astype(float)
    assert auc(label, fitted.held_out[:, 0]) > 0.75
    assert not np.isnan(fitted.held_out).any()


def test_what_is_kept_scores_the_same(fitted):
    plain = json.loads(json.dumps(hazard.to_plain(fitted.hazard)))
    same = hazard.log_odds(hazard.from_plain(plain), ROWS[TEST])
    assert (same == hazard.log_odds(fitted.hazard, ROWS[TEST])).all()


def test_leaving_unseen_is_refused(settings):
    with pytest.raises(ValueError, match="not observed"):
        hazard.fit_hazard(ROWS[:9], list(ROWS), np.full(9, 3), np.full(9, 2), INTERVALS, settings)
