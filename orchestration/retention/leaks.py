"""What tells of the future: features and rows that a model must not learn from.

Here: four searches over rows, each of which returns what it found. Not here: what becomes of a
finding (an asset check), and the limits (policy).

A leak makes a model look better than it will be. The searches, from the surest to the vaguest: a
feature that was known only after its as-of date; rows of events after the subscriber left; a column
that alone ranks churners too well; a model that is much better among rows of all dates than on dates
newer than those it learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from orchestration.retention.measures import auc
from orchestration.retention.policy import LeakPolicy

Floats = npt.NDArray[np.float64]
Kind = Literal["KNOWN_LATER", "AFTER_CHURN", "PREDICTS_ALONE", "BETTER_THAN_LATER"]
# Rows to learn from, their label, rows to predict -> their probabilities.
Predict = Callable[[pd.DataFrame, Floats, pd.DataFrame], Floats]

_SEED = 42


@dataclass(frozen=True)
class Leak:
    """One finding. `value` in the unit of its kind, and the `limit` that it exceeds.

    KNOWN_LATER and AFTER_CHURN: rows; PREDICTS_ALONE: AUC of the column; BETTER_THAN_LATER: AUC
    lost from random folds to newer dates.
    """

    kind: Kind
    name: str
    value: float
    limit: float


def known_later(
    rows: pd.DataFrame, as_of: str, feature_dates: Mapping[str, str | date]
) -> list[Leak]:
    """Features that were known only after the row's as-of date, in their order.

    `rows`: a column of dates named `as_of` and, a feature, either the column with the date when its
    value was known (null = nothing was known, which is no leak) or one date for all rows. A null
    feature may be told of whenever: nothing was. Raises KeyError for a column that is not there.
    """
    day = pd.to_datetime(rows[as_of])
    found = []
    for name, source in feature_dates.items():
        known = pd.to_datetime(rows[source]) if isinstance(source, str) else pd.Timestamp(source)
        later = int((rows[name].notna() & (known > day)).sum())
        if later:
            found.append(Leak("KNOWN_LATER", name, later, 0))
    return found


def after_churn(
    events: Mapping[str, pd.DataFrame],
    churn_dates: pd.Series,
    subscriber: str,
    policy: LeakPolicy,
) -> list[Leak]:
    """Tables with rows dated after their subscriber had left, in their order.

    `events`: table -> rows with the column `subscriber` and one other, the event's date or time.
    `churn_dates`: the date of churn by subscriber, null or absent = has not left. The day of churn
    and the policy's days of grace after it (a final bill) are the subscriber's own.
    """
    found = []
    for name, rows in events.items():
        (at,) = [column for column in rows.columns if column != subscriber]
        left = pd.to_datetime(rows[subscriber].map(churn_dates)).dt.normalize()
        days = (pd.to_datetime(rows[at]).dt.normalize() - left).dt.days
        late = int((days > policy.leak_grace_days).sum())
        if late:
            found.append(Leak("AFTER_CHURN", name, late, 0))
    return found


def predicts_alone(
    rows: pd.DataFrame, label: Floats, features: Sequence[str], policy: LeakPolicy
) -> list[Leak]:
    """Columns whose value, or absence, ranks churners better than the limit, the best first."""
    found = []
    for name in features:
        power = power_alone(rows[name], label, policy)
        if power is not None and power > policy.leak_auc_alone:
            found.append(Leak("PREDICTS_ALONE", name, power, policy.leak_auc_alone))
    return sorted(found, key=lambda leak: (-leak.value, leak.name))


def power_alone(values: pd.Series, label: Floats, policy: LeakPolicy) -> float | None:
    """The best AUC that one column gives, 0.5 to 1; None with too few churners or stayers.

    Numbers, booleans and dates: their order in either direction, the unknown at either end. Any
    column: the churn rate of its values (numbers by bins of equal count, unknown a value of its
    own), each row judged by the other folds, so that an identifier tells nothing. Text is never a
    number here.
    """
    churners = label.sum()
    if min(churners, len(label) - churners) < policy.leak_min_churners:
        return None
    numbers = _numbers(values)
    if numbers is None:
        codes, _ = pd.factorize(values, use_na_sentinel=True)
        return max(0.5, _power_of_groups(codes, label, policy))
    powers = [_power_of_groups(_bins(numbers, policy.leak_bins), label, policy)]
    for end in (-np.inf, np.inf):
        rank = np.where(np.isnan(numbers), end, numbers)
        # AUC wants finite scores; only their order counts.
        _, order = np.unique(rank, return_inverse=True)
        ranked = auc(label, order.astype(np.float64)) or 0.5
        powers += [ranked, 1 - ranked]
    return max(powers)


def better_than_later(
    rows: pd.DataFrame, label: Floats, as_of: str, predict: Predict, policy: LeakPolicy
) -> Leak | None:
    """Whether random folds promise more than newer dates keep; None where not, or not to be told.

    The newest as-of date is predicted twice: across random folds of all rows, and from the older
    dates alone. `rows` has the column `as_of` and what `predict` uses; `predict` learns afresh from
    the rows that it is given.
    """
    gap = validation_gap(rows, label, as_of, predict, policy)
    if gap is None or gap <= policy.leak_validation_gap:
        return None
    return Leak("BETTER_THAN_LATER", as_of, gap, policy.leak_validation_gap)


def validation_gap(
    rows: pd.DataFrame, label: Floats, as_of: str, predict: Predict, policy: LeakPolicy
) -> float | None:
    """AUC on the newest as-of date across random folds minus that from older dates alone.

    None with one date only, or with too few churners or stayers on either side.
    """
    day = pd.to_datetime(rows[as_of]).to_numpy()
    is_newest = day == day.max() if len(day) else np.zeros(0, dtype=bool)
    for side in (label[is_newest], label[~is_newest]):
        if min(side.sum(), len(side) - side.sum()) < policy.leak_min_churners:
            return None
    random = np.empty(len(rows))
    folds = StratifiedKFold(policy.leak_folds, shuffle=True, random_state=_SEED)
    for learn, judge in folds.split(np.zeros(len(rows)), label):
        random[judge] = predict(rows.iloc[learn], label[learn], rows.iloc[judge])
    later = predict(rows[~is_newest], label[~is_newest], rows[is_newest])
    newest = label[is_newest]
    return (auc(newest, random[is_newest]) or 0.5) - (auc(newest, later) or 0.5)


def _numbers(values: pd.Series) -> Floats | None:
    """The column as doubles, unknown = NaN; None for text and categories."""
    if pd.api.types.is_datetime64_any_dtype(values):
        instants = values.to_numpy().astype("datetime64[ns]").astype(np.int64)
        numbers: Floats = instants.astype(np.float64)
        numbers[values.isna().to_numpy()] = np.nan
        return numbers
    if pd.api.types.is_numeric_dtype(values):  # booleans too
        return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
    return None


def _bins(numbers: Floats, bins: int) -> npt.NDArray[np.int64]:
    """A bin of about equal count a row; -1 = unknown."""
    is_known = ~np.isnan(numbers)
    codes = np.full(len(numbers), -1, dtype=np.int64)
    if is_known.any():
        known = numbers[is_known]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
        codes[is_known] = np.searchsorted(edges, known, side="left")
    return codes


def _power_of_groups(codes: npt.NDArray[np.int64], label: Floats, policy: LeakPolicy) -> float:
    """AUC of the churn rate of each row's group in the other folds; -1 is a group too.

    A group that the other folds do not know has the rate of all, and weighs one row towards it.
    """
    groups = codes + 1
    size = int(groups.max()) + 1
    overall = float(label.mean())
    rate = np.empty(len(label))
    folds = StratifiedKFold(policy.leak_folds, shuffle=True, random_state=_SEED)
    for learn, judge in folds.split(np.zeros(len(label)), label):
        counts = np.bincount(groups[learn], minlength=size)
        churners = np.bincount(groups[learn], weights=label[learn], minlength=size)
        rate[judge] = ((churners + overall) / (counts + 1))[groups[judge]]
    return auc(label, rate) or 0.5
