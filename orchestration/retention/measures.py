"""How good probabilities of churn are: how they rank, and how far they can be taken literally.

Here: measures of one set of probabilities against what happened. Not here: measures in money
(`profit.py`), and on which rows a model is judged.

Every measure takes `label` (0 or 1, a row a subscriber) and `probability` of the same length, and
none depends on the order of the rows: equal probabilities share what they are owed. None stands
for what these rows cannot tell.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

Floats = npt.NDArray[np.float64]


def auc(label: Floats, probability: Floats) -> float | None:
    """Area under the ROC curve; ties count half. None unless both classes are there."""
    if len(np.unique(label)) < 2:
        return None
    return float(roc_auc_score(label, probability))


def average_precision(label: Floats, probability: Floats) -> float | None:
    """Mean precision over the churners as the threshold falls, no interpolation. None without any.

    Equal probabilities fall under one threshold.
    """
    if not np.any(label):
        return None
    return float(average_precision_score(label, probability))


def lift(label: Floats, probability: Floats, share: float = 0.1) -> float | None:
    """Churn rate among the `share` of rows with the highest probability over the rate of all.

    The share is ceil(share x n) rows. Where its border falls among equal probabilities, these count
    with their mean. None without churners.
    """
    if not np.any(label):
        return None
    # A product such as 0.1 x 30 is a little more than whole.
    size = math.ceil(round(share * len(label), 9))
    border = np.sort(probability)[-size]
    above, tied = probability > border, probability == border
    found = label[above].sum() + (size - above.sum()) * label[tied].mean()
    return float(found / size / label.mean())


def brier(label: Floats, probability: Floats) -> float | None:
    """Mean squared error of the probability (Brier 1950). None without rows."""
    return float(np.mean((probability - label) ** 2)) if len(label) else None


def calibration_noise(base_rate: float, rows: int, bins: int = 10) -> float:
    """At most the expected calibration error that chance alone gives to perfect probabilities.

    sqrt(2 / pi x bins x r (1 - r) / rows): the mean absolute error of a bin's share of churners
    (normal), largest where all bins have the rate r.
    """
    return math.sqrt(2 / math.pi * bins * base_rate * (1 - base_rate) / rows)


def expected_calibration_error(label: Floats, probability: Floats, bins: int = 10) -> float | None:
    """Mean of |mean probability - churn rate| over bins of equal count (Naeini et al. 2015).

    Every bin holds n / bins rows by probability; where its border falls among equal probabilities,
    or within a row, these count in part with their mean. None without rows.
    """
    rows = len(label)
    if not rows:
        return None
    values, group = np.unique(probability, return_inverse=True)
    counts = np.bincount(group)
    churners = np.bincount(group, weights=label)
    # The gap summed from the lowest probability on is a line within each group of equal ones.
    gap = np.concatenate([[0.0], np.cumsum(values * counts - churners)])
    place = np.concatenate([[0.0], np.cumsum(counts)])
    borders = np.interp(np.linspace(0, rows, bins + 1), place, gap)
    return float(np.abs(np.diff(borders)).sum() / rows)
