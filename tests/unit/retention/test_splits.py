"""Who learns and who judges."""

import numpy as np
import pandas as pd
import pytest

from orchestration.retention import splits


def test_copies_go_before_any_split():
    rows = pd.DataFrame({"a": [1, 1, 1], "b": ["x", "x", "y"]})
    assert len(splits.without_duplicates(rows)) == 2


def test_folds_have_equal_shares_of_churners_and_stay_the_same():
    label = (np.arange(1000) % 7 == 0).astype(float)
    fold = splits.folds(label, 5, 42)
    assert np.bincount(fold).tolist() == [200] * 5
    shares = [label[fold == part].sum() for part in range(5)]
    assert max(shares) - min(shares) <= 1
    assert (fold == splits.folds(label, 5, 42)).all()
    assert (fold != splits.folds(label, 5, 43)).any()


def test_fewer_churners_than_folds_go_by_order():
    assert splits.folds(np.zeros(0), 5, 42).tolist() == []
    assert splits.folds(np.array([1.0, 0, 0, 0, 0, 0]), 3, 42).tolist() == [0, 1, 2, 0, 1, 2]
    groups = np.array(["b", "a", "b", "c"])
    assert splits.folds(np.array([1.0, 0, 0, 0]), 2, 42, groups).tolist() == [1, 0, 1, 0]


def test_the_months_of_a_subscriber_stay_together():
    groups = np.repeat(np.arange(200), 3)
    label = (np.arange(600) % 11 == 0).astype(float)
    fold = splits.folds(label, 4, 1, groups)
    assert (pd.Series(fold).groupby(groups).nunique() == 1).all()
    is_churner = pd.Series(label).groupby(groups).max().to_numpy()
    shares = np.bincount(fold[::3], weights=is_churner)
    assert shares.max() - shares.min() <= 1


def test_folds_in_time_are_times_side_by_side():
    months = pd.Series(["2025-03", "2025-01", "2025-02", "2025-01"])
    assert splits.folds_in_time(months, 5).tolist() == [2, 0, 1, 0]
    many = splits.folds_in_time(pd.Series(range(12)), 3)
    assert many.tolist() == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("times", "last", "before"),
    [
        (pd.Series([1, 2, 3]), "2", "0"),
        (
            pd.Series(pd.to_datetime(["2025-01-01", "2025-02-01", "2025-03-01"])),
            "2025-02-15",
            "2024-12-31",
        ),
        (pd.Series(["2025-01", "2025-02", "2025-03"]), "2025-02", "2024-12"),
    ],
)
def test_what_came_until_then_is_learned_from(times, last, before):
    assert splits.until(times, last).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="no rows on one side"):
        splits.until(times, before)
