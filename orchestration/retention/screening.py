"""Which indicators are worth keeping: usable ones, and one of each pair that says the same.

Here: null share, share of the commonest value, variance, rank correlation, factor loadings, and why
an indicator was dropped (D07, D08). Not here: indicators themselves (dbt) and where results go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

NULL_SHARE = "NULL_SHARE"
TOP_SHARE = "TOP_SHARE"
ZERO_VARIANCE = "ZERO_VARIANCE"
CORRELATED = "CORRELATED"
# A pair known on fewer lines than this says nothing of correlation.
MIN_PAIR_ROWS = 30


@dataclass(frozen=True)
class ScreenLimits:
    """Policy of the screen: shares and correlation above which an indicator is dropped."""

    max_null_share: float
    max_top_share: float
    max_correlation: float


@dataclass(frozen=True)
class Screen:
    """What the screen found.

    `indicators`: indicator, null_share, top_share, variance, is_kept, drop_reason, dropped_for.
    `correlations`: indicator, other, correlation (Spearman) of pairs above the limit, in either
    direction of sign. `loadings`: indicator, factor (1 = the first), loading, explained_share.
    """

    indicators: pd.DataFrame
    correlations: pd.DataFrame
    loadings: pd.DataFrame


def screen(
    values: pd.DataFrame, order: Sequence[str], limits: ScreenLimits, factors: int = 10
) -> Screen:
    """Screen the columns of `values` (numbers or booleans, null = unknown; one row a line).

    `order`: business order, the indicator that comes first stays when two say the same; columns
    that it does not name come last, in their own order. Raises ValueError without any row.
    """
    if values.empty:
        raise ValueError("values: no row to screen")
    numbers = values.astype("float64")
    names = [name for name in order if name in numbers.columns]
    names += [name for name in numbers.columns if name not in set(names)]
    indicators = usability(numbers[names], limits)
    usable = indicators.loc[indicators["drop_reason"].isna(), "indicator"].tolist()
    matrix = rank_correlations(numbers[usable])
    dropped = redundant(matrix, limits.max_correlation)
    indicators["dropped_for"] = indicators["indicator"].map(dropped).astype("str")
    is_redundant = indicators["dropped_for"].notna()
    indicators["drop_reason"] = indicators["drop_reason"].mask(is_redundant, CORRELATED)
    indicators["is_kept"] = indicators["drop_reason"].isna()
    kept = indicators.loc[indicators["is_kept"], "indicator"].tolist()
    return Screen(
        indicators,
        pairs_above(matrix, limits.max_correlation),
        factor_loadings(matrix.loc[kept, kept], factors),
    )


def usability(numbers: pd.DataFrame, limits: ScreenLimits) -> pd.DataFrame:
    """Null share, share of the commonest value among the known, variance; and the first reason."""
    rows = []
    for name in numbers.columns:
        known = numbers[name].dropna().to_numpy()
        null_share = (len(numbers) - len(known)) / len(numbers)
        counts = np.unique(known, return_counts=True)[1]
        top_share = float(counts.max() / len(known)) if len(known) else None
        variance = float(known.var()) if len(known) else None
        reason = None
        if null_share > limits.max_null_share:
            reason = NULL_SHARE
        elif len(counts) <= 1:
            reason = ZERO_VARIANCE
        elif top_share is not None and top_share > limits.max_top_share:
            reason = TOP_SHARE
        rows.append((name, null_share, top_share, variance, reason))
    found = pd.DataFrame(
        rows, columns=["indicator", "null_share", "top_share", "variance", "drop_reason"]
    )
    return found.astype({"indicator": "str", "drop_reason": "str"})


def rank_correlations(numbers: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho of each pair over the lines on which both are known; 0 where too few are."""
    ranks = numbers.rank()
    matrix = ranks.corr(min_periods=MIN_PAIR_ROWS).fillna(0.0)
    values = matrix.to_numpy(copy=True)
    np.fill_diagonal(values, 1.0)
    return pd.DataFrame(values, index=matrix.index, columns=matrix.columns)


def redundant(matrix: pd.DataFrame, limit: float) -> dict[str, str]:
    """Dropped indicator -> the kept one before it that says the same (|rho| above the limit)."""
    kept: list[str] = []
    dropped: dict[str, str] = {}
    strength = matrix.abs()
    for name in matrix.columns:
        rivals = strength.loc[name, kept]
        if len(kept) and rivals.max() > limit:
            dropped[name] = str(rivals.idxmax())
        else:
            kept.append(name)
    return dropped


def pairs_above(matrix: pd.DataFrame, limit: float) -> pd.DataFrame:
    """The pairs with |rho| above the limit, strongest first."""
    names = matrix.columns.to_numpy()
    left, right = np.triu_indices(len(names), k=1)
    rho = matrix.to_numpy()[left, right]
    is_above = np.abs(rho) > limit
    found = pd.DataFrame(
        {
            "indicator": names[left[is_above]],
            "other": names[right[is_above]],
            "correlation": rho[is_above],
        }
    ).astype({"indicator": "str", "other": "str", "correlation": "float64"})
    by_strength = found["correlation"].abs().sort_values(ascending=False, kind="stable")
    return found.loc[by_strength.index].reset_index(drop=True)


def factor_loadings(matrix: pd.DataFrame, factors: int) -> pd.DataFrame:
    """Loadings of the first principal factors of a correlation matrix: eigenvector times the root
    of its eigenvalue, turned so that the largest loading is positive (Kaiser: eigenvalue > 1)."""
    columns = ["indicator", "factor", "loading", "explained_share"]
    if matrix.empty:
        return pd.DataFrame(columns=columns)
    weights, vectors = np.linalg.eigh(matrix.to_numpy())
    rows = []
    for place, at in enumerate(np.argsort(-weights, kind="stable")[:factors], start=1):
        if weights[at] <= 1 and place > 1:
            break
        loading = vectors[:, at] * np.sqrt(max(weights[at], 0.0))
        if loading[np.abs(loading).argmax()] < 0:
            loading = -loading
        rows += [
            (name, place, float(value), float(weights[at] / len(matrix)))
            for name, value in zip(matrix.columns, loading, strict=True)
        ]
    return pd.DataFrame(rows, columns=columns)
