"""D07, D08: indicators that say nothing, or say what another one says, go; and it is told why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.screening import ScreenLimits, factor_loadings, screen

LIMITS = ScreenLimits(max_null_share=0.30, max_top_share=0.95, max_correlation=0.9)


def reasons(values, order=(), limits=LIMITS):
    found = screen(pd.DataFrame(values), order, limits).indicators
    return dict(zip(found["indicator"], found["drop_reason"], strict=True))


@pytest.mark.parametrize(("nulls", "reason"), [(30, None), (31, "NULL_SHARE")])
def test_d07_null_share_at_the_limit_stays(nulls, reason):
    values = np.r_[np.full(nulls, np.nan), np.arange(100.0 - nulls)]
    found = reasons({"a": values})["a"]
    assert found == reason if reason else pd.isna(found)


@pytest.mark.parametrize(
    ("same", "reason"), [(95, None), (96, "TOP_SHARE"), (100, "ZERO_VARIANCE")]
)
def test_d07_share_of_the_commonest_value(same, reason):
    found = reasons({"a": np.r_[np.zeros(same), np.arange(1.0, 101 - same)]})["a"]
    assert found == reason if reason else pd.isna(found)


def test_d07_all_unknown_and_booleans():
    found = reasons({"never": [None] * 4, "flag": [True, False, None, True]})
    assert found["never"] == "NULL_SHARE"
    assert pd.isna(found["flag"])


def test_d08_of_a_pair_the_first_by_business_order_stays():
    random = np.random.default_rng(1)
    base = random.normal(size=500)
    values = {
        "copy": base * 3 + 1,
        "opposite": -base,
        "own": base,
        "other": random.normal(size=500),
        "alone": random.normal(size=500),
    }
    found = screen(pd.DataFrame(values), ["own", "other"], LIMITS)
    kept = found.indicators.set_index("indicator")
    assert kept.loc[kept["is_kept"]].index.tolist() == ["own", "other", "alone"]
    assert kept.loc["copy", ["drop_reason", "dropped_for"]].tolist() == ["CORRELATED", "own"]
    assert kept.loc["opposite", "dropped_for"] == "own"
    assert set(found.correlations["correlation"].round(6)) == {1.0, -1.0}
    assert len(found.correlations) == 3
    assert set(found.loadings["indicator"]) == {"own", "other", "alone"}


def test_d08_a_dropped_indicator_drops_no_other():
    """A chain: b is like a, c is like b but not like a; c stays."""
    random = np.random.default_rng(2)
    a, noise, more = random.normal(size=(3, 4000))
    b = a + 0.4 * noise
    c = b + 0.4 * more
    limits = ScreenLimits(0.3, 0.95, 0.9)
    found = screen(pd.DataFrame({"a": a, "b": b, "c": c}), ["a", "b", "c"], limits).indicators
    assert found.loc[found["is_kept"], "indicator"].tolist() == ["a", "c"]


def test_d08_loadings_tell_what_goes_together():
    matrix = pd.DataFrame(
        [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]], index=list("abc"), columns=list("abc")
    )
    found = factor_loadings(matrix, 5)
    first = found[found["factor"] == 1].set_index("indicator")
    assert first["loading"].round(3).tolist() == [0.949, 0.949, 0.0]
    assert first["explained_share"].iloc[0] == pytest.approx(0.6)
    assert factor_loadings(pd.DataFrame(), 5).empty


def test_nothing_to_screen_is_refused():
    with pytest.raises(ValueError, match="no row"):
        screen(pd.DataFrame({"a": []}), [], LIMITS)
