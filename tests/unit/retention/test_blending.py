"""Weights of models, from rows that they had not seen."""

import numpy as np
import pytest

from orchestration.retention.blending import blended, fit_blend
from orchestration.retention.measures import expected_calibration_error

RANDOM = np.random.default_rng(11)
COUNT = 20_000
TRUE = RANDOM.normal(-2, 1.5, COUNT)
LABEL = (RANDOM.random(COUNT) < 1 / (1 + np.exp(-TRUE))).astype(float)
NOISE = RANDOM.normal(size=COUNT)


def test_noise_and_what_speaks_against_get_no_weight():
    blend = fit_blend(np.column_stack([TRUE, NOISE, NOISE[::-1] - TRUE]), LABEL, 0)
    assert blend.weights[0] == pytest.approx(1, abs=0.06)
    assert blend.weights[1] == pytest.approx(0, abs=0.05)
    assert blend.weights[2] == 0


def test_models_that_are_too_sure_are_calibrated():
    sure = np.column_stack([3 * TRUE + 2, 2 * TRUE - 1])
    blend = fit_blend(sure, LABEL, 500)
    chance = 1 / (1 + np.exp(-blended(blend, list(sure.T))))
    assert expected_calibration_error(LABEL, chance) < 0.006
    assert expected_calibration_error(LABEL, 1 / (1 + np.exp(-sure[:, 0]))) > 0.05


def test_with_few_rows_weights_stay_nearly_equal():
    alike = np.column_stack([TRUE + NOISE / 5, TRUE - NOISE / 5])
    few = fit_blend(alike[:200], LABEL[:200], 500).weights
    free = fit_blend(alike[:200], LABEL[:200], 0).weights
    assert abs(few[0] - few[1]) < abs(free[0] - free[1])
    assert abs(few[0] - few[1]) < 0.2


def test_no_single_row_runs_away():
    wild = TRUE.copy()
    wild[0] = 1e6
    blend = fit_blend(wild[:, None], LABEL, 0)
    assert np.isfinite(blended(blend, [wild])).all()
    assert blend.weights[0] == pytest.approx(1, abs=0.1)
