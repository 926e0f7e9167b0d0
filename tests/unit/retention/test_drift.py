"""The stability index: nothing for the same, known values, unknown as a value of its own."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.drift import stability, stability_index


def test_the_same_has_no_drift_whatever_the_size():
    values = pd.Series(np.arange(1000.0))
    assert stability_index(values, values.sample(frac=1, random_state=1)) == 0
    assert stability_index(values, pd.concat([values, values])) == pytest.approx(0, abs=1e-9)


def test_the_index_is_the_sum_over_bins():
    then = pd.Series([0.0] * 50 + [1.0] * 50)
    now = pd.Series([0.0] * 80 + [1.0] * 20)
    expected = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    assert stability_index(then, now) == pytest.approx(expected)


def test_becoming_unknown_is_drift():
    then = pd.Series(np.arange(100.0))
    now = then.mask(then < 50)
    assert stability_index(then, now) > 0.25


def test_a_value_never_seen_before_is_finite():
    assert math.isfinite(stability_index(pd.Series([0.0] * 10), pd.Series([5.0] * 10)))
    assert stability_index(pd.Series([None] * 3), pd.Series([1.0, 2.0])) > 0
    assert stability_index(pd.Series([], dtype=float), pd.Series([1.0])) == 0


def test_indicators_come_largest_first():
    then = pd.DataFrame({"calm": np.arange(100.0), "moved": np.arange(100.0), "gone": 1.0})
    now = pd.DataFrame({"calm": np.arange(100.0), "moved": np.arange(100.0) + 50})
    found = stability(then, now)
    assert found["indicator"].tolist() == ["moved", "calm"]
    assert found["psi"].iloc[1] == 0
