"""Segments of subscribers inside each brand, by how they use it, and whether they last (O45).

Here: the number of segments, the segments, their profile, and the agreement of two months. Not here:
who is segmented and by what (SQL, `segment_rows`), and bands that a person has drawn (O46).

Use and spend have long tails and other units: of each column the inverse hyperbolic sine is taken,
logarithmic far out, and standardised inside the brand. Segments are k-means clusters of these; the
number of them is where the mean silhouette is highest (Rousseeuw 1987). Two months agree by the
adjusted Rand index (Hubert & Arabie 1985).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from orchestration.retention.policy import SegmentPolicy

Floats = npt.NDArray[np.float64]

_SEED = 42
_STARTS = 10
# A column that most of a brand's lines lack tells of the feed, not of the line.
_MIN_KNOWN_SHARE = 0.5
_BLOCK_LINES = 200_000


@dataclass(frozen=True)
class Segments:
    """What was found.

    `members`: subscriber_id, brand, segment_id (`<brand>-<number>`, 1 = the highest mean of the
    first column), by subscriber. `profile`: brand, segment_id, lines, share, and the mean of each
    column, a row a segment. `brands`: brand, lines, segments, silhouette (null with one segment).
    """

    members: pd.DataFrame
    profile: pd.DataFrame
    brands: pd.DataFrame


def segment(rows: pd.DataFrame, columns: Sequence[str], policy: SegmentPolicy) -> Segments:
    """Segments of each brand's lines. The order of `rows` does not matter, and twice is the same.

    `rows`: one a subscriber_id, with brand and `columns` (numbers, null = unknown). A null counts as
    the brand's median. A brand with too few lines, or with no column that is known and differs, is
    one segment. Raises ValueError for a subscriber that comes twice.
    """
    if rows["subscriber_id"].duplicated().any():
        raise ValueError("rows to segment: subscriber_id is not unique")
    ordered = rows.sort_values("subscriber_id", kind="stable", ignore_index=True)
    members, profiles, brands = [], [], []
    for brand, lines in ordered.groupby("brand", sort=True):
        with threadpool_limits(limits=1):
            place, silhouette = _places(lines, columns, policy)
        place = _by_size_of(lines[columns[0]], place)
        names = np.array([f"{brand}-{number + 1}" for number in range(int(place.max()) + 1)])
        found = lines[["subscriber_id", "brand"]].assign(segment_id=names[place])
        members.append(found)
        means = lines[list(columns)].astype("Float64").groupby(found["segment_id"].to_numpy())
        profile = means.mean().astype("float64")
        counts = found["segment_id"].value_counts()
        profile.insert(0, "brand", brand)
        profile.insert(1, "lines", counts.reindex(profile.index))
        profile.insert(2, "share", profile["lines"] / len(lines))
        profiles.append(profile.rename_axis("segment_id").reset_index())
        brands.append((brand, len(lines), len(names), silhouette))
    return Segments(
        members=_joined(members, ["subscriber_id", "brand", "segment_id"]).sort_values(
            "subscriber_id", kind="stable", ignore_index=True
        ),
        profile=_joined(profiles, ["segment_id", "brand", "lines", "share", *columns]),
        brands=pd.DataFrame(brands, columns=["brand", "lines", "segments", "silhouette"]),
    )


def agreement(earlier: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """brand, lines, agreement: the adjusted Rand index of lines that both months have, by brand.

    1: the same lines are together in both; 0: no more than by chance. Names of segments do not
    matter. `earlier`, `later`: subscriber_id, brand, segment_id. A line that changed its brand is
    left out. One segment in both months is full agreement.
    """
    both = earlier.merge(later, on=["subscriber_id", "brand"], suffixes=("_earlier", "_later"))
    found = [
        (
            brand,
            len(lines),
            float(adjusted_rand_score(lines["segment_id_earlier"], lines["segment_id_later"])),
        )
        for brand, lines in both.groupby("brand", sort=True)
    ]
    return pd.DataFrame(found, columns=["brand", "lines", "agreement"])


def _places(
    lines: pd.DataFrame, columns: Sequence[str], policy: SegmentPolicy
) -> tuple[npt.NDArray[np.int64], float | None]:
    """A segment's number a line of one brand, and the silhouette."""
    points = _scaled(lines, columns)
    one: npt.NDArray[np.int64] = np.zeros(len(lines), dtype=np.int64)
    if len(lines) < policy.segment_min_lines or not points.shape[1]:
        return one, None
    draw = np.argsort(_fixed_draw(lines["subscriber_id"]), kind="stable")
    fitted = points[np.sort(draw[: policy.segment_fit_lines])]
    judged = points[np.sort(draw[: policy.segment_judged_lines])]
    best: tuple[float, Floats] | None = None
    for count in range(2, policy.segment_max_count + 1):
        if len(np.unique(fitted, axis=0)) < count:
            break
        centres = KMeans(count, n_init=_STARTS, random_state=_SEED).fit(fitted).cluster_centers_
        together = _nearest(judged, centres)
        sizes = np.bincount(_nearest(fitted, centres), minlength=count)
        if sizes.min() < policy.segment_min_share * len(fitted) or len(np.unique(together)) < 2:
            continue
        silhouette = float(silhouette_score(judged, together))
        # Differences below this are rounding; the fewer segments win.
        if best is None or silhouette > best[0] + 1e-9:
            best = silhouette, centres
    if best is None:
        return one, None
    return _nearest(points, best[1]), best[0]


def _scaled(lines: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """Columns that are known and differ, bent and standardised; unknown is the median."""
    kept = []
    for name in columns:
        values = lines[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(values)
        if known.mean() < _MIN_KNOWN_SHARE or np.ptp(values[known]) == 0:
            continue
        values[~known] = np.median(values[known])
        bent = np.arcsinh(values)
        kept.append((bent - bent.mean()) / bent.std())
    return np.column_stack(kept) if kept else np.empty((len(lines), 0))


def _nearest(points: Floats, centres: Floats) -> npt.NDArray[np.int64]:
    """The nearest centre of each line, block by block."""
    place = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), _BLOCK_LINES):
        block = points[start : start + _BLOCK_LINES]
        distances = np.zeros((len(block), len(centres)))
        for column in range(points.shape[1]):
            distances += (block[:, column, np.newaxis] - centres[np.newaxis, :, column]) ** 2
        place[start : start + len(block)] = distances.argmin(axis=1)
    return place


def _by_size_of(values: pd.Series, place: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same segments, numbered from the highest mean of `values` down."""
    numbers = pd.Series(values.to_numpy()).astype("Float64")
    means = numbers.groupby(place).mean().fillna(-np.inf)
    order = means.sort_values(ascending=False, kind="stable").index.to_numpy()
    number = np.empty(int(place.max()) + 1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[place]


def _joined(frames: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def _fixed_draw(subscribers: pd.Series) -> npt.NDArray[np.uint64]:
    """A number a subscriber that looks random and is the same everywhere and always."""
    return pd.util.hash_array(subscribers.to_numpy(dtype=object), categorize=False)
