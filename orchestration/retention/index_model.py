"""A month's model of the churn index: train, judge, keep, score, and give reasons (O16, O18).

Here: rows of the feature store to a model with its card, and back to probabilities for three
horizons with reasons. Not here: label, population and features (SQL), how it is learned
(`hazard.py`, `churn_learner.py`), and what is done about a score (`selection.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import catboost
import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn

from orchestration.retention import churn_learner, hazard, measures
from orchestration.retention.encoding import encode
from orchestration.retention.hazard import Hazard
from orchestration.retention.policy import FeatureSpec, Label, LearnerPolicy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Kind = Literal["BLEND", "BASE_RATE"]

# Horizon -> intervals after the lead (of 30 days: 30, 90 and 180 days).
HORIZONS: Mapping[str, int] = {"near": 1, "mid": 3, "far": 6}
INTERVALS = max(HORIZONS.values())
REASONS = ("reason_1", "reason_2", "reason_3")
LABEL_DEFINITION = (
    "left_in = k if churn_date in (as_of_date + lead + (k - 1) intervals, as_of_date + lead + k "
    "intervals], 0 if in none observed; of subscribers alive and in the population at as_of_date"
)


@dataclass(frozen=True)
class Observation:
    """How the rows were observed: days from the as-of date to the first interval, days of an
    interval, and days after an interval's end from which its outcome is final."""

    lead_days: int
    interval_days: int
    maturity_days: int


@dataclass(frozen=True)
class IndexModel:
    """A trained month. `card` is its plain description; `version` hashes all of its content.

    `reasons_from`: the probability of the near horizon from which on a score gets reasons.
    """

    month: date
    features: tuple[FeatureSpec, ...]
    hazard: Hazard
    reasons_from: float
    min_reason_contribution: float
    card: Mapping[str, Any]

    @property
    def kind(self) -> Kind:
        return self.hazard.near.kind

    @property
    def columns(self) -> tuple[str, ...]:
        """What it needs to score: columns that could tell nothing apart in training are not."""
        return self.hazard.near.encoding.columns

    @property
    def version(self) -> str:
        return str(self.card["version"])


def train(
    rows: pd.DataFrame,
    features: Sequence[FeatureSpec],
    policy: LearnerPolicy,
    month: date,
    observation: Observation,
    rows_offered: int | None = None,
) -> IndexModel:
    """Fit the month's model, and measure it on rows that it had not seen.

    `rows`: one a subscriber_id x as_of_date, with left_in (interval from 1 in which the subscriber
    left, 0 = none observed), observed (intervals known to the end, that of leaving included) and a
    column a feature (number or boolean; null = unknown). Their order does not matter.
    `rows_offered`: how many there were, where `rows` are a random sample of them; for the card.

    Metrics come by horizon, twice: across folds of subscribers, and (TIME_ORDERED) on the newest
    dates that show the longest horizon, by a model that knew what was known on the first of them.
    A horizon that no row shows has none. Raises ValueError for a missing column or a row that comes
    twice.
    """
    names = [feature.name for feature in features]
    _check(rows, [*names, "as_of_date", "left_in", "observed"], ["subscriber_id", "as_of_date"])
    rows = rows.assign(as_of_date=pd.to_datetime(rows["as_of_date"]))
    rows = rows.sort_values(["as_of_date", "subscriber_id"], kind="stable", ignore_index=True)
    offered = len(rows) if rows_offered is None else rows_offered
    rows = rows[rows["observed"] > 0].reset_index(drop=True)
    fitted = _fit(rows, names, policy)
    model_hazard, held_out = fitted.hazard, fitted.held_out
    chance = churn_learner.probability(held_out[~np.isnan(held_out[:, 0]), 0])
    reasons_from = float(np.quantile(chance, 1 - policy.reasons_share)) if len(chance) else 1.0
    kept = tuple(
        feature for feature in features if feature.name in model_hazard.near.encoding.columns
    )
    card: dict[str, Any] = {
        "kind": model_hazard.near.kind,
        "month": f"{month:%Y-%m}",
        "label": LABEL_DEFINITION,
        "observation": asdict(observation),
        "horizons": dict(HORIZONS),
        "is_extrapolated_from": model_hazard.observed + 1,
        "columns": [feature.name for feature in kept],
        "dropped_columns": sorted(set(names) - {feature.name for feature in kept}),
        "as_of_dates": _dates(rows),
        "rows": len(rows),
        "rows_offered": offered,
        "churners": int((rows["left_in"] > 0).sum()),
        "metrics": {
            "FOLDS": _measured(rows, held_out),
            "TIME_ORDERED": _time_ordered(rows, names, policy, observation),
        },
        "choices": {
            "near": model_hazard.near.choices,
            "far": None if model_hazard.far is None else model_hazard.far.choices,
        },
        "reasons_from": reasons_from,
        "policy": asdict(policy),
        "libraries": {
            "catboost": catboost.__version__,
            "lightgbm": lightgbm.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    model = IndexModel(
        month, kept, model_hazard, reasons_from, policy.min_reason_contribution, card
    )
    card["version"] = hashlib.sha256(_json(_plain(model)).encode()).hexdigest()[:12]
    return model


def score(model: IndexModel, rows: pd.DataFrame) -> pd.DataFrame:
    """subscriber_id, churn_probability_near, _mid and _far, reason_1..3, in the order of `rows`.

    Probabilities lie in (0, 1) and never fall from a horizon to the next. A reason is a feature
    that raises this subscriber's near risk above the average subscriber's, by at least the policy's
    size and from the side of the usual value that its words describe; null where there is none, and
    below `reasons_from`. What points to a cause comes first, as it leads to a remedy; then what only
    shows that somebody is leaving; the largest first in each. Features that share their words count
    once.
    A row scores the same alone as in any batch. Raises ValueError for a missing column or a
    subscriber that comes twice.
    """
    _check(rows, list(model.columns), ["subscriber_id"])
    chance = hazard.within(hazard.log_odds(model.hazard, rows), list(HORIZONS.values()))
    reasons = np.full((len(rows), len(REASONS)), None, dtype=object)
    is_high = chance[:, 0] >= model.reasons_from
    if model.kind == "BLEND" and is_high.any():
        reasons[is_high] = _reasons(model, rows[is_high])
    result = pd.DataFrame({"subscriber_id": rows["subscriber_id"].to_numpy()}).astype("str")
    for position, horizon in enumerate(HORIZONS):
        result[f"churn_probability_{horizon}"] = chance[:, position]
    for position, name in enumerate(REASONS):
        result[name] = pd.Series(reasons[:, position], dtype="str")
    return result


def save(model: IndexModel, folder: Path) -> None:
    """Write `model.json` and `card.json` into `folder`, made if absent: the same bytes always."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(_json(_plain(model)) + "\n", encoding="utf-8")
    card = json.dumps(model.card, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "card.json").write_text(card + "\n", encoding="utf-8")


def load(folder: Path) -> IndexModel:
    """Read what `save` wrote. Raises ValueError where model and card are not of one training."""
    plain = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    card = plain["card"]
    if json.loads((folder / "card.json").read_text(encoding="utf-8")) != card:
        raise ValueError(f"{folder}: model.json and card.json do not belong together")
    return IndexModel(
        month=date.fromisoformat(f"{card['month']}-01"),
        features=tuple(_feature(feature) for feature in plain["features"]),
        hazard=hazard.from_plain(plain["hazard"]),
        reasons_from=card["reasons_from"],
        min_reason_contribution=card["policy"]["min_reason_contribution"],
        card=card,
    )


# --- Fitting and judging -------------------------------------------------------------------------


def _fit(rows: pd.DataFrame, names: Sequence[str], policy: LearnerPolicy) -> hazard.FittedHazard:
    return hazard.fit_hazard(
        rows,
        names,
        rows["left_in"].to_numpy(dtype=np.int64),
        rows["observed"].to_numpy(dtype=np.int64),
        INTERVALS,
        policy,
        rows["subscriber_id"].to_numpy(dtype=object),
        _shown(rows).to_numpy(dtype=np.int64),
    )


def _measured(rows: pd.DataFrame, log_odds: Floats) -> dict[str, dict[str, Any]]:
    """Horizon -> measures over the rows that show it to the end and have log-odds."""
    left_in, observed = rows["left_in"].to_numpy(), rows["observed"].to_numpy()
    result: dict[str, dict[str, Any]] = {}
    for horizon, intervals in HORIZONS.items():
        has_left = (left_in > 0) & (left_in <= intervals)
        is_shown = (has_left | (observed >= intervals)) & ~np.isnan(log_odds[:, :intervals]).any(
            axis=1
        )
        # Who left early is known earlier than who stayed; count only rows of a date that shows all.
        is_whole = _date_shows(rows, intervals) & is_shown
        if not is_whole.any():
            continue
        label = has_left[is_whole].astype(np.float64)
        chance = hazard.within(log_odds[is_whole], [intervals])[:, 0]
        result[horizon] = {
            "auc": measures.auc(label, chance),
            "average_precision": measures.average_precision(label, chance),
            "top_decile_lift": measures.lift(label, chance),
            "brier": measures.brier(label, chance),
            "ece": measures.expected_calibration_error(label, chance),
            "base_rate": float(label.mean()),
            "rows": len(label),
            "churners": int(label.sum()),
        }
    return result


def _shown(rows: pd.DataFrame) -> pd.Series:
    """How many intervals are final for everybody of a row's as-of date and way of paying.

    Outcomes of prepaid and postpaid are final at different times (`payment_mode`, where the rows
    tell it).
    """
    alike = ["as_of_date", *(name for name in ("payment_mode",) if name in rows.columns)]
    return rows.groupby(alike, dropna=False)["observed"].transform("max")


def _date_shows(rows: pd.DataFrame, intervals: int) -> npt.NDArray[np.bool_]:
    """Rows of as-of dates that show so many intervals of prepaid and of postpaid alike."""
    return (_shown(rows).groupby(rows["as_of_date"]).transform("min") >= intervals).to_numpy()


def _time_ordered(
    rows: pd.DataFrame, names: Sequence[str], policy: LearnerPolicy, observation: Observation
) -> dict[str, Any]:
    """Measures on the newest dates, by a model of what was known before; {} with too few dates."""
    for intervals in sorted(HORIZONS.values(), reverse=True):
        dates = np.sort(rows.loc[_date_shows(rows, intervals), "as_of_date"].unique())
        if not len(dates):
            continue
        newest = dates[-policy.holdout_dates :]
        past = known_at(rows, pd.Timestamp(newest[0]), observation)
        churners = int((past["left_in"] == 1).sum())
        if min(churners, len(past) - churners) < policy.min_churners:
            continue
        held = rows[rows["as_of_date"].isin(newest)]
        fitted = _fit(past, names, policy)
        return {
            "train_dates": _dates(past),
            "holdout_dates": _dates(held),
            **_measured(held, hazard.log_odds(fitted.hazard, held)),
        }
    return {}


def known_at(rows: pd.DataFrame, day: pd.Timestamp, observation: Observation) -> pd.DataFrame:
    """The rows as they stood on `day`: intervals whose outcome was final by then, and no other."""
    days = (day - rows["as_of_date"]).dt.days - observation.lead_days - observation.maturity_days
    final = np.floor_divide(days, observation.interval_days).clip(lower=0)
    observed = np.minimum(rows["observed"], final)
    left_in = rows["left_in"].where(rows["left_in"] <= observed, 0)
    past = rows.assign(observed=observed, left_in=left_in)
    return past[observed > 0].reset_index(drop=True)


# --- Reasons -------------------------------------------------------------------------------------


def _reasons(model: IndexModel, rows: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Names of the features that raise each row's risk, causes first; None fills up."""
    near = model.hazard.near
    shares = churn_learner.contributions(near, rows)
    values = encode(near.encoding, rows)
    position_of = {name: position for position, name in enumerate(near.encoding.columns)}
    groups: dict[str, list[int]] = {}
    points: dict[str, bool] = {}
    for feature in model.features:
        position = position_of[feature.name]
        value, usual = values[:, position], near.usual[position]
        is_true = ~np.isnan(value)
        if feature.reason_when == "HIGH":
            is_true &= value > usual
        elif feature.reason_when == "LOW":
            is_true &= value < usual
        shares[~is_true, position] = -np.inf
        groups.setdefault(feature.reason.en, []).append(position)
        points[feature.reason.en] = points.get(feature.reason.en, False) or bool(feature.cause)
    names = np.asarray(near.encoding.columns, dtype=object)
    best = np.column_stack([shares[:, members].max(axis=1) for members in groups.values()])
    name = np.column_stack(
        [names[members][shares[:, members].argmax(axis=1)] for members in groups.values()]
    )
    is_reason = (best > 0) & (best >= model.min_reason_contribution)
    name[~is_reason] = None
    # Place in turn: no reason, a cause before a symptom, the larger before the smaller.
    is_symptom = ~np.fromiter(points.values(), dtype=np.bool_)
    order = np.lexsort((-best, np.broadcast_to(is_symptom, best.shape), ~is_reason), axis=1)
    named = np.take_along_axis(name, order[:, : len(REASONS)], axis=1)
    result = np.full((len(rows), len(REASONS)), None, dtype=object)
    result[:, : named.shape[1]] = named
    return result


# --- Rows and text -------------------------------------------------------------------------------


def _check(rows: pd.DataFrame, columns: Sequence[str], key: Sequence[str]) -> None:
    missing = [name for name in (*key, *columns) if name not in rows.columns]
    if missing:
        raise ValueError(f"rows lack {', '.join(missing)}")
    if rows.duplicated(list(key)).any():
        raise ValueError(f"rows: {', '.join(key)} is not unique")


def _dates(rows: pd.DataFrame) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in sorted(rows["as_of_date"].unique())]


def _plain(model: IndexModel) -> dict[str, Any]:
    return {
        "features": [asdict(feature) for feature in model.features],
        "hazard": hazard.to_plain(model.hazard),
        "card": dict(model.card),
    }


def _json(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _feature(plain: Mapping[str, Any]) -> FeatureSpec:
    words = {name: Label(**plain[name]) for name in ("label", "reason")}
    return FeatureSpec(**{**plain, **words})
