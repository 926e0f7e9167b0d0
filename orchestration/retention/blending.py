"""One log-odds from those of several models.

Here: the weights, chosen on predictions for rows that the models had not seen. Not here: the
models, and who holds which rows out (`churn_learner.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]

# A model alone on a row can be surer than any evidence allows.
_LIMIT = 15.0


@dataclass(frozen=True)
class Blend:
    """`log_odds` = intercept + sum of weight x log-odds of each model; no weight is negative.

    Weights need not sum to 1: their sum is what the models together are too sure or too unsure by,
    so the blend is calibrated where it was learned (Platt 1999, of several scores).
    """

    intercept: float
    weights: tuple[float, ...]


def fit_blend(scores: Floats, label: Floats, prior_rows: float) -> Blend:
    """The stacking of Breiman (1996): logistic regression on held-out log-odds, weights >= 0.

    `scores`: rows x models. `prior_rows`: the strength with which equal weights are preferred, as
    so many rows; with few churners the differences of weights are noise.
    """
    models = scores.shape[1]
    clipped = np.clip(scores, -_LIMIT, _LIMIT)
    # Differences of weights count in the spread of the scores; how large they are together is free.
    spread = float(clipped.mean(axis=1).std()) or 1.0
    # What a row tells about a weight is its variance: little where churners are few.
    strength = prior_rows * float(label.var()) * spread**2 / len(label)

    def loss(at: Floats) -> tuple[float, Floats]:
        value = at[0] + clipped @ at[1:]
        away = at[1:] - at[1:].mean()
        gap = 1 / (1 + np.exp(-value)) - label
        total = float(np.mean(np.logaddexp(0, value) - label * value))
        total += strength * float(away @ away) / 2
        slope = clipped.T @ gap / len(label) + strength * away
        return total, np.concatenate([[gap.mean()], slope])

    start = np.concatenate([[0.0], np.full(models, 1 / models)])
    bounds = [(None, None)] + [(0.0, None)] * models
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Blend(float(found.x[0]), tuple(float(weight) for weight in found.x[1:]))


def blended(blend: Blend, scores: Sequence[Floats]) -> Floats:
    """The log-odds of each row from those of each model, added model by model in order."""
    total = np.full(len(scores[0]), blend.intercept)
    for weight, score in zip(blend.weights, scores, strict=True):
        total += weight * np.clip(score, -_LIMIT, _LIMIT)
    return total
