"""The distances of the realism report, on samples whose distances are known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks import realism
from benchmarks.realism_distances import (
    gini,
    kolmogorov_smirnov,
    log_shape,
    ranks,
    separation,
    spearman,
    to_median,
    wasserstein,
)
from benchmarks.realism_plot import Curve, draw


def test_shape_forgets_the_unit_and_leaves_zeros_out() -> None:
    minutes = np.array([0.0, 10.0, 20.0, 40.0, -3.0])
    shape = log_shape(minutes)
    assert shape == pytest.approx([-np.log(2), 0.0, np.log(2)])
    assert log_shape(minutes * 60) == pytest.approx(shape)
    assert len(log_shape(np.zeros(3))) == 0


def test_distances_of_a_shifted_sample_are_its_shift() -> None:
    sample = np.arange(100.0)
    assert wasserstein(sample, sample + 7) == pytest.approx(7)
    assert kolmogorov_smirnov(sample, sample + 7) == pytest.approx(0.07)
    assert wasserstein(sample, sample) == 0
    assert kolmogorov_smirnov(sample, sample + 1000) == 1


def test_distances_do_not_need_samples_of_one_size() -> None:
    # One half of the mass moves by 4.
    assert wasserstein(np.array([0.0]), np.array([0.0, 4.0])) == pytest.approx(2)
    assert kolmogorov_smirnov(np.array([0.0]), np.array([0.0, 4.0])) == pytest.approx(0.5)


def test_gini_of_equals_of_one_owner_and_of_two_halves() -> None:
    assert gini(np.full(10, 3.0)) == pytest.approx(0)
    assert gini(np.array([0.0] * 99 + [5.0])) == pytest.approx(0.99)
    # Mean difference of all pairs over twice the mean: (0+2+2+0)/4 / (2*2).
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)


def test_quantiles_are_multiples_of_the_positive_median() -> None:
    values = np.array([0.0] * 50 + [1.0, 2.0, 3.0, 4.0, 50.0])
    assert to_median(values, 1.0) == pytest.approx(50 / 3)
    assert to_median(values, 0.5) == pytest.approx(1)


def test_ties_share_their_mean_rank() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 0.0])) == pytest.approx([3.5, 2, 3.5, 1])


def test_spearman_sees_order_only_and_leaves_unknown_pairs_out() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    assert spearman(values, np.exp(values * 3)) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == pytest.approx(0.5)
    assert np.isnan(spearman(values, np.ones(5)))


def test_separation_is_the_share_of_pairs_won_with_ties_half() -> None:
    # Of the six pairs, (2,1), (3,1), (3,2) are won and (2,2) is a tie.
    assert separation(np.array([2.0, 3.0]), np.array([1.0, 2.0, 9.0])) == pytest.approx(3.5 / 6)


def test_months_leave_room_to_see_who_left() -> None:
    months = realism.panel_months(date(2025, 1, 10), date(2025, 10, 1))
    # July's last day and 60 days are in the files, August's are not.
    assert months == [date(2025, 4, 1), date(2025, 5, 1), date(2025, 6, 1)]
    # Too short to see that: the newest full months.
    short = realism.panel_months(date(2025, 1, 1), date(2025, 4, 30))
    assert short == [date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)]
    with pytest.raises(SystemExit, match="3 full months"):
        realism.panel_months(date(2025, 1, 2), date(2025, 3, 31))


def test_a_zero_again_is_a_zero_after_a_zero_of_the_same_line() -> None:
    panel = pd.DataFrame(
        {
            "line": ["a", "a", "a", "b", "b", "c"],
            "month": [1, 2, 3, 1, 3, 2],
            "sms_out": [0, 0, 5, 0, 0, 0],
        }
    )
    # Only a's months follow on: 0 to 0, 0 to 5. b's month 2 is not there.
    assert realism.zero_again(panel, "sms_out") == pytest.approx(0.5)


def test_leavers_are_told_from_stayers_by_their_last_month() -> None:
    rows = [
        (line, month, minutes, left)
        for line, left, months in (
            ("a", 1, (80, 120, 20)),
            ("b", 0, (10, 30, 30)),
            ("c", 0, (0, 0, 5)),
        )
        for month, minutes in enumerate(months, start=1)
    ]
    panel = pd.DataFrame(rows, columns=["line", "month", "voice_out_minutes", "has_left"])
    found = realism.before_leaving(panel)
    assert found is not None
    assert found["left"] == {
        "lines": 1,
        "no_minutes_last": 0.0,
        "no_minutes_before": 0.0,
        "ratio_quartiles": [0.2, 0.2, 0.2],
    }
    assert found["stayed"] == {
        "lines": 2,
        "no_minutes_last": 0.0,
        "no_minutes_before": 0.5,
        "ratio_quartiles": [1.5, 1.5, 1.5],
    }
    assert found["separation_by_ratio"] == 1
    assert found["separation_by_level"] == 0.5
    assert realism.before_leaving(panel.assign(has_left=None)) is None


def test_the_plot_has_a_chart_for_every_measure_and_both_curves() -> None:
    sample = np.linspace(-2, 2, 50)
    curves = [Curve(f"Measure {n}", n % 2 == 0, sample, sample + 1, (0.25, 0.5)) for n in range(5)]
    picture = draw(curves)
    assert picture.count("<polyline") == 2 * len(curves)
    assert all(f"Measure {n}<" in picture for n in range(5))
    assert "zero: 25% real, 50% simulated" in picture
