"""A logistic regression whose every column has a curve of its own.

Here: curves over quantiles, unknown values, levels, and the sum of them all. Not here: what columns
do to each other (`boosters.py`).

A numeric column enters as its normal score (the standard normal quantile of its rank, which bounds
long tails) and as hinges at inner quantiles, whose bend the penalty keeps small. The fitted curve is
linear between the quantiles, so the model keeps it as values at knots: a column's contribution to
the log-odds is one interpolation, the same for a row alone as within any batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]

_HINGES = (0.1, 0.25, 0.5, 0.75, 0.9)  # ranks at which a curve may bend
_KNOTS = 33  # quantiles between which ranks are interpolated


@dataclass(frozen=True)
class Curve:
    """Log-odds of a numeric column over its knots; flat outside; `unknown` where it is unknown."""

    knots: Floats
    log_odds: Floats
    unknown: float


@dataclass(frozen=True)
class Additive:
    """`log_odds` of a row: intercept + its curves + the weights of the indicators that it has."""

    intercept: float
    curves: tuple[Curve, ...]
    weights: Floats


def fit_additive(
    numbers: Floats, indicators: Floats, label: Floats, penalties: Sequence[float]
) -> list[Additive]:
    """Fit on rows x numeric columns (NaN = unknown), rows x indicators (0/1) and labels (0/1).

    One model a penalty: of the squared coefficients of columns scaled to variance 1 (L2), as 1 / C
    of scikit-learn. From the largest down, a fit starts where the last one ended.
    """
    scales = [_scale(column) for column in numbers.T]
    bases = [basis(column) for basis, column in zip(scales, numbers.T, strict=True)]
    design = np.hstack([*bases, indicators])
    del bases
    spread = design.std(axis=0)
    spread[spread == 0] = 1.0
    # Scaled but not shifted: columns keep their zeros, and only the intercept moves.
    design /= spread
    regression = LogisticRegression(solver="lbfgs", max_iter=500, tol=1e-5, warm_start=True)
    models = {}
    for penalty in sorted(set(penalties), reverse=True):
        regression.set_params(C=1 / penalty).fit(design, label.astype(np.int64))
        coefficients = regression.coef_[0] / spread
        models[penalty] = _additive(float(regression.intercept_[0]), scales, coefficients)
    return [models[penalty] for penalty in penalties]


def contributions(model: Additive, numbers: Floats, indicators: Floats) -> Floats:
    """rows x (numeric columns + indicators): what each adds to the log-odds."""
    shares = np.empty((len(numbers), numbers.shape[1] + indicators.shape[1]))
    for position, curve in enumerate(model.curves):
        shares[:, position] = _along(curve, numbers[:, position])
    shares[:, numbers.shape[1] :] = indicators * model.weights
    return shares


def log_odds(model: Additive, numbers: Floats, indicators: Floats) -> Floats:
    """Column by column: a matrix product would round differently by the number of rows."""
    total = np.full(len(numbers), model.intercept)
    for position, curve in enumerate(model.curves):
        total += _along(curve, numbers[:, position])
    for position, weight in enumerate(model.weights):
        total += indicators[:, position] * weight
    return total


def _along(curve: Curve, column: Floats) -> Floats:
    value = np.interp(column, curve.knots, curve.log_odds)
    value[np.isnan(value)] = curve.unknown
    return value


def _additive(intercept: float, scales: Sequence[_Scale], coefficients: Floats) -> Additive:
    curves, start = [], 0
    for basis in scales:
        part = coefficients[start : start + basis.width]
        start += basis.width
        curves.append(Curve(basis.knots, basis(basis.knots) @ part, float(part[-1])))
    return Additive(intercept, tuple(curves), coefficients[start:])


@dataclass(frozen=True)
class _Scale:
    """The basis of one numeric column: normal score, hinges, unknown."""

    knots: Floats  # distinct values
    ranks: Floats  # of the knots, in (0, 1)
    hinges: Floats  # ranks

    @property
    def width(self) -> int:
        return len(self.hinges) + 2

    def __call__(self, column: Floats) -> Floats:
        is_unknown = np.isnan(column)
        rank = np.interp(column, self.knots, self.ranks)
        score = np.interp(rank, self.ranks, ndtri(self.ranks))
        bends = np.maximum(rank[:, np.newaxis] - self.hinges, 0)
        basis = np.column_stack([score, bends, np.zeros(len(column))])
        basis[is_unknown] = 0
        basis[is_unknown, -1] = 1
        return basis


def _scale(column: Floats) -> _Scale:
    known = np.sort(column[~np.isnan(column)])
    at = np.unique(np.quantile(known, np.linspace(0, 1, _KNOTS), method="nearest"))
    # The middle of the ranks that equal values share, as a plotting position (Hazen).
    low, high = np.searchsorted(known, at, "left"), np.searchsorted(known, at, "right")
    ranks = (low + high) / 2 / len(known)
    hinges = np.asarray([rank for rank in _HINGES if ranks[0] < rank < ranks[-1]])
    # Knots lie also where a curve may bend, so that interpolation is exact.
    bends = np.interp(hinges, ranks, at)
    knots, first = np.unique(np.concatenate([at, bends]), return_index=True)
    return _Scale(knots, np.concatenate([ranks, hinges])[first], hinges)
