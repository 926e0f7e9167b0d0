"""Whether a subscriber leaves within one, three or six intervals, from one discrete-time hazard.

Here: the chance of leaving in each interval of those who are still there, and its cumulation. Not
here: what an interval is, and when an outcome is final (SQL), nor the models (`churn_learner.py`).

Two learners see a row: `near` whether it leaves in the first interval, `far` whether it does in any
later one that was observed. The hazard of an interval is a blend of both, fitted on rows that they
had not seen, among those at risk: what tells of the first month fades with time, and each interval
is calibrated by itself. So a row is scored twice, not once an interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestration.retention import churn_learner, splits
from orchestration.retention.blending import Blend, blended, fit_blend
from orchestration.retention.churn_learner import Learner
from orchestration.retention.policy import LearnerPolicy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Hazard:
    """`blends`: an interval each, over the log-odds of `near` and, from the second on, of `far`.

    `observed`: intervals with churners enough to fit; a later one has the last hazard carried on.
    """

    near: Learner
    far: Learner | None
    blends: tuple[Blend, ...]
    observed: int


@dataclass(frozen=True)
class FittedHazard:
    """A hazard, and rows x intervals of log-odds of rows that its learners had not seen (or NaN)."""

    hazard: Hazard
    held_out: Floats


def fit_hazard(
    rows: pd.DataFrame,
    columns: Sequence[str],
    left_in: Integers,
    observed: Integers,
    intervals: int,
    policy: LearnerPolicy,
    groups: npt.NDArray[np.generic] | None = None,
    shown: Integers | None = None,
) -> FittedHazard:
    """Learn from a row a subscriber and as-of date what happened in the intervals after it.

    `left_in`: the interval (from 1) in which it left, 0 = in none of those observed. `observed`: how
    many intervals are known to the end, that of leaving included; who was lost sight of counts up to
    then. `groups`: the subscriber, where one has several rows. `shown`: how many intervals are over
    and final for everybody of the row's date (None = the most that any row has), so that `far` sees
    rows of one exposure: else newer dates would look safer than older ones, only because less of
    what follows is known.
    Raises ValueError for a departure in an interval that was not observed.
    """
    if (left_in > observed).any() or (left_in < 0).any():
        raise ValueError("left in an interval that was not observed")
    has_left = (left_in > 0).astype(np.float64)
    fold = splits.folds(has_left, policy.folds, policy.seed, groups)

    def learn(is_known: npt.NDArray[np.bool_], label: Floats) -> churn_learner.Fitted:
        return churn_learner.fit(rows, columns, label, policy, fold, is_known)

    near = learn(observed >= 1, (left_in == 1).astype(np.float64))
    near_scores, far_scores = near.held_out, np.full(len(rows), np.nan)
    far = None
    if shown is None:
        shown = np.full(len(rows), observed.max(initial=0))
    depth = _depth(left_in, shown, intervals)
    is_later = (observed >= 2) & (left_in != 1) & (shown >= depth)
    later_label = ((left_in >= 2) & (left_in <= depth)).astype(np.float64)
    leavers = float(later_label[is_later].sum())
    if intervals > 1 and min(leavers, float(is_later.sum()) - leavers) >= policy.min_churners:
        fitted = learn(is_later, later_label)
        far = fitted.learner
        far_scores = _per_interval(fitted.held_out, intervals - 1)

    # The near score is calibrated where it was learned.
    blends = [Blend(0.0, (1.0,))]
    is_fitted = True
    reached = 1
    for interval in range(2, intervals + 1):
        at_risk = (observed >= interval) & ((left_in == 0) | (left_in >= interval))
        scores = np.column_stack([near_scores, far_scores])
        usable = at_risk & ~np.isnan(scores).any(axis=1)
        label = (left_in[usable] == interval).astype(np.float64)
        is_fitted = is_fitted and far is not None and label.sum() >= policy.min_churners
        if is_fitted:
            # Equal weights are no likelier than others: which score counts is up to the interval.
            blends.append(fit_blend(scores[usable], label, prior_rows=0))
            reached = interval
        else:
            blends.append(blends[-1])
    hazard = Hazard(near.learner, far, tuple(blends), reached)
    return FittedHazard(hazard, _of_intervals(hazard, near_scores, far_scores))


def log_odds(hazard: Hazard, rows: pd.DataFrame) -> Floats:
    """rows x intervals: of leaving in the interval for who is there at its beginning."""
    near = churn_learner.log_odds(hazard.near, rows)
    far = None
    if hazard.far is not None:
        later = len(hazard.blends) - 1
        far = _per_interval(churn_learner.log_odds(hazard.far, rows), later)
    return _of_intervals(hazard, near, far)


def within(log_odds: Floats, intervals: Sequence[int]) -> Floats:
    """rows x horizons: the chance of leaving within the first so many intervals, never falling.

    1 - product of (1 - hazard) (Singer & Willett 1993).
    """
    staying = np.cumprod(1 - churn_learner.probability(log_odds), axis=1)
    chance = 1 - staying[:, [count - 1 for count in intervals]]
    return np.clip(chance, churn_learner.MARGIN, 1 - churn_learner.MARGIN)


def _depth(left_in: Integers, shown: Integers, intervals: int) -> int:
    """Up to which interval `far` looks: where dates that show it tell of the most departures."""
    departures = [
        int(((left_in >= 2) & (left_in <= depth) & (shown >= depth)).sum())
        for depth in range(2, intervals + 1)
    ]
    return 2 + max(range(len(departures)), key=lambda at: (departures[at], at), default=0)


def _per_interval(log_odds: Floats, intervals: int) -> Floats:
    """Log-odds of leaving in one interval, of log-odds of leaving in so many of equal hazard."""
    staying = -np.logaddexp(0, log_odds) / intervals  # log of the chance to stay for one
    return np.asarray(np.log(-np.expm1(staying)) - staying, dtype=np.float64)


def _of_intervals(hazard: Hazard, near: Floats, far: Floats | None) -> Floats:
    columns = []
    for blend in hazard.blends:
        scores = [near] if len(blend.weights) == 1 or far is None else [near, far]
        columns.append(blended(blend, scores))
    return np.column_stack(columns)


def to_plain(hazard: Hazard) -> dict[str, Any]:
    """The hazard as values that JSON can hold."""
    return {
        "near": churn_learner.to_plain(hazard.near),
        "far": None if hazard.far is None else churn_learner.to_plain(hazard.far),
        "blends": [asdict(blend) for blend in hazard.blends],
        "observed": hazard.observed,
    }


def from_plain(plain: Mapping[str, Any]) -> Hazard:
    """What `to_plain` gave."""
    return Hazard(
        near=churn_learner.from_plain(plain["near"]),
        far=None if plain["far"] is None else churn_learner.from_plain(plain["far"]),
        blends=tuple(
            Blend(blend["intercept"], tuple(blend["weights"])) for blend in plain["blends"]
        ),
        observed=plain["observed"],
    )
