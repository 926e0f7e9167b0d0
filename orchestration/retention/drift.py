"""How far indicators have moved from one date to another: the population stability index.

Here: the index and its bins. Not here: what is compared with what, and from which value on it matters.

PSI = sum over bins of (share now - share then) * ln(share now / share then); the bins are tenths of
the values then, and unknown is a bin of its own. Below 0.1 is calm, above 0.25 a shift (the usual
reading in credit scoring, after Siddiqi 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

BINS = 10
# An empty bin counts as this share, or the index would be infinite.
LEAST_SHARE = 0.0001


def stability(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """indicator, psi: of each column that both frames have, the largest first; one row a line."""
    names = [name for name in then.columns if name in now.columns]
    found = pd.DataFrame(
        {
            "indicator": pd.Series(names, dtype="str"),
            "psi": [stability_index(then[name], now[name]) for name in names],
        }
    )
    return found.sort_values(["psi", "indicator"], ascending=[False, True], ignore_index=True)


def stability_index(then: pd.Series, now: pd.Series) -> float:
    """The index of one indicator; null is a value. 0 where either side has no row."""
    if then.empty or now.empty:
        return 0.0
    before, after = (side.astype("float64").to_numpy() for side in (then, now))
    known = before[~np.isnan(before)]
    cuts = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts)) if len(known) else np.empty(0)
    old, new = _shares(before, edges), _shares(after, edges)
    return float(np.sum((new - old) * np.log(new / old)))


def _shares(values: npt.NDArray[Any], edges: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Share of each bin, those of the unknown last; no share is zero."""
    is_unknown = np.isnan(values)
    places = np.searchsorted(edges, values[~is_unknown], side="left")
    counts = np.bincount(places, minlength=len(edges) + 1).astype("float64")
    counts = np.append(counts, is_unknown.sum())
    return np.asarray(np.maximum(counts / counts.sum(), LEAST_SHARE), dtype="float64")
