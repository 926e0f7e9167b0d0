"""Which rows a model learns from and which it is judged by.

Here: duplicates, folds, and the cut in time. Not here: models and measures. Every split depends on
the rows and a seed alone; rows with the same id are never on both sides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def without_duplicates(rows: pd.DataFrame) -> pd.DataFrame:
    """The first of the rows that are equal in everything: a copy on both sides of a split tells."""
    return rows.drop_duplicates(ignore_index=True)


def folds(
    label: Floats, count: int, seed: int, groups: npt.NDArray[np.generic] | None = None
) -> Integers:
    """A fold (0 ... count - 1) a row, with equal shares of churners; a group stays in one fold.

    `groups`: what rows belong to, such as the subscriber of several months; None = each row alone.
    Fewer churners or stayers than folds cannot be shared out: groups then go by their order.
    """
    if groups is None:
        belongs: Integers = np.arange(len(label), dtype=np.int64)
    else:
        belongs = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    # A group is one of churners with one churner in it.
    has_churner = np.zeros(int(belongs.max(initial=-1)) + 1)
    np.maximum.at(has_churner, belongs, label)
    fold = np.arange(len(has_churner), dtype=np.int64) % count
    if len(label) and np.unique(has_churner, return_counts=True)[1].min() >= count:
        parts = StratifiedKFold(count, shuffle=True, random_state=seed)
        for part, (_, out) in enumerate(parts.split(has_churner[:, np.newaxis], has_churner)):
            fold[out] = part
    return fold[belongs]


def folds_in_time(times: pd.Series, count: int) -> Integers:
    """A fold (0 ... at most count - 1) a row, of times that lie together: months beside months.

    For rows whose outcomes do not overlap: a model that is to foretell a month that it has not seen
    is chosen on months that it has not seen. Few times give as few folds.
    """
    _, rank = np.unique(times.to_numpy(), return_inverse=True)
    distinct = int(rank.max()) + 1
    return np.asarray(rank * min(count, distinct) // distinct, dtype=np.int64)


def until(times: pd.Series, last: str) -> Booleans:
    """Whether each row is of `last` or before: what is learned from; the others judge.

    Times are numbers, dates or text; `last` is read as the same. Raises ValueError where nothing
    lies on one side.
    """
    if pd.api.types.is_numeric_dtype(times):
        is_early = times <= float(last)
    elif pd.api.types.is_datetime64_any_dtype(times):
        is_early = times <= pd.Timestamp(last)
    else:
        is_early = times.astype("str") <= last
    result = is_early.to_numpy(dtype=np.bool_)
    if result.all() or not result.any():
        raise ValueError(
            f"no rows on one side of {last!r}: times go from {times.min()} to {times.max()}"
        )
    return result
