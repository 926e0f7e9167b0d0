"""How far two samples of a measure are apart when their units differ.

Here: arithmetic on arrays. Not here: where the samples come from (`realism.py`), drawing
(`realism_plot.py`).

Two operators of different decades, currencies and tariffs have no scale in common. What can be
compared is the shape: the logarithm of the positive values after dividing by their median.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def log_shape(values: Floats) -> Floats:
    """Sorted natural logarithms of the positive values relative to their median."""
    positive = np.sort(values[values > 0])
    if not len(positive):
        return positive
    return np.log(positive / np.median(positive))


def kolmogorov_smirnov(one: Floats, other: Floats) -> float:
    """Largest difference of the distribution functions."""
    points = np.concatenate([one, other])
    return float(np.abs(_share_up_to(one, points) - _share_up_to(other, points)).max())


def wasserstein(one: Floats, other: Floats) -> float:
    """Area between the distribution functions: the mean distance that values must be moved."""
    points = np.sort(np.concatenate([one, other]))
    gaps = np.abs(_share_up_to(one, points[:-1]) - _share_up_to(other, points[:-1]))
    return float((gaps * np.diff(points)).sum())


def _share_up_to(values: Floats, points: Floats) -> Floats:
    return np.searchsorted(np.sort(values), points, side="right") / len(values)


def gini(values: Floats) -> float:
    """Inequality of values that are at least zero: 0 if all are equal, near 1 if one has all."""
    ordered = np.sort(values)
    total = ordered.sum()
    if not total:
        return float("nan")
    n = len(ordered)
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * ordered).sum() / (n * total))


def to_median(values: Floats, share: float) -> float:
    """A quantile of the positive values as a multiple of their median."""
    positive = values[values > 0]
    return float(np.quantile(positive, share) / np.median(positive))


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share their mean rank."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group]


def spearman(one: Floats, other: Floats) -> float:
    """Correlation of the ranks; pairs with an unknown value are left out."""
    known = ~(np.isnan(one) | np.isnan(other))
    one, other = ranks(one[known]), ranks(other[known])
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def separation(of: Floats, over: Floats) -> float:
    """Chance that a value of the first sample exceeds one of the second, ties half (the AUC)."""
    position = ranks(np.concatenate([of, over]))[: len(of)].sum()
    return float((position - len(of) * (len(of) + 1) / 2) / (len(of) * len(over)))
