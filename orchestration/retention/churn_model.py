"""The monthly churn model: train, judge, keep, score, and give reasons (O16, O18).

Here: one fitted pipeline with its columns, metrics and calibration. Not here: the label, the
population and the features (SQL), and what is done about a score (`selection.py`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from orchestration.retention.measures import auc, brier, expected_calibration_error, lift
from orchestration.retention.policy import FeatureSpec, Label, ModelPolicy

Floats = npt.NDArray[np.float64]
Kind = Literal["LOGISTIC", "BASE_RATE"]
Validation = Literal["TIME_ORDERED", "FOLDS", "NONE"]

LABEL_DEFINITION = (
    "is_churn = churn_date in (as_of_date + lead_days, as_of_date + lead_days + horizon_days], "
    "of subscribers alive and in the population at as_of_date"
)
REASONS = ("reason_1", "reason_2", "reason_3")
# A probability of exactly 0 or 1 has no log-odds and claims a certainty that no model has.
_MARGIN = 1e-6
_BLOCK_ROWS = 100_000  # scoring memory does not grow with the rows


@dataclass(frozen=True)
class ChurnModel:
    """A trained month. `card` is its plain description; `version` hashes all of its content."""

    kind: Kind
    month: date
    columns: tuple[str, ...]
    features: tuple[FeatureSpec, ...]
    pipeline: Pipeline | None
    calibration: tuple[float, float] | None  # slope, intercept on the log-odds
    base_rates: Mapping[str, float]  # payment mode -> churn rate; "" = any other
    min_reason_contribution: float
    card: Mapping[str, Any]

    @property
    def version(self) -> str:
        return str(self.card["version"])


def train(
    rows: pd.DataFrame,
    features: Sequence[FeatureSpec],
    policy: ModelPolicy,
    month: date,
    label_parameters: Mapping[str, object] | None = None,
) -> ChurnModel:
    """Fit the month's model on matured rows, and measure it on rows it had not seen.

    `rows`: one a subscriber_id x as_of_date, with payment_mode, is_churn (0/1) and a column a
    feature (number or boolean; null = unknown). Their order does not matter.
    `label_parameters`: what the label was made with (lead_days, horizon_days, ...), for the card.

    The newest as-of dates are held out, the model is fitted on older ones and measured, then fitted
    again on everything. With too few dates it is measured across folds of subscribers, and says so.
    With fewer than `min_churners` churners (or nobody who stayed) everybody gets the smoothed base
    rate of the payment mode.
    Raises ValueError for a missing column, a label other than 0/1 or a row that comes twice.
    """
    names = [feature.name for feature in features]
    _check_training_rows(rows, names)
    rows = _in_order(rows.assign(as_of_date=pd.to_datetime(rows["as_of_date"])))
    offered = len(rows)
    rows = _sample(rows, policy.max_training_rows)
    label = rows["is_churn"].to_numpy(dtype=np.float64)
    dropped = _unusable(rows, names)
    columns = tuple(name for name in names if name not in dropped)
    base_rates = _base_rates(rows, policy)
    churners = int(label.sum())
    has_model = bool(columns) and min(churners, len(rows) - churners) >= policy.min_churners

    with threadpool_limits(limits=1):
        if has_model:
            judged = _validate(rows, columns, policy)
            pipeline = _fit(_matrix(rows, columns), label, policy)
        else:
            judged, pipeline = _Judged("NONE", {}, None, (), ()), None
    card: dict[str, Any] = {
        "kind": "LOGISTIC" if has_model else "BASE_RATE",
        "month": f"{month:%Y-%m}",
        "label": LABEL_DEFINITION,
        "label_parameters": dict(label_parameters or {}),
        "columns": list(columns),
        "dropped_columns": dropped,
        "as_of_dates": _dates(rows),
        "rows": len(rows),
        "rows_offered": offered,
        "churners": churners,
        "base_rate": churners / len(rows) if len(rows) else None,
        "base_rates": base_rates,
        "validation": judged.validation,
        "validation_train_dates": list(judged.train_dates),
        "validation_holdout_dates": list(judged.holdout_dates),
        "metrics": judged.metrics,
        "calibration": list(judged.calibration) if judged.calibration else None,
        "coefficients": _coefficients(pipeline, columns),
        "policy": asdict(policy),
        "libraries": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
    }
    kept = tuple(feature for feature in features if feature.name in columns)
    model = ChurnModel(
        kind="LOGISTIC" if has_model else "BASE_RATE",
        month=month,
        columns=columns,
        features=kept,
        pipeline=pipeline,
        calibration=judged.calibration,
        base_rates=base_rates,
        min_reason_contribution=policy.min_reason_contribution,
        card=card,
    )
    content = _json(card).encode() + _json([asdict(feature) for feature in kept]).encode()
    card["version"] = hashlib.sha256(content + _pipeline_bytes(pipeline)).hexdigest()[:12]
    return model


def score(model: ChurnModel, rows: pd.DataFrame) -> pd.DataFrame:
    """subscriber_id, churn_probability in (0, 1), reason_1..reason_3, in the order of `rows`.

    `rows`: one a subscriber, with payment_mode and the model's columns. A reason is a feature that
    raises this subscriber's risk above that of the usual value (a positive contribution of at least
    the policy's size, on the side that its words describe), the largest first; null where there is
    none. Features that share their words count once, with the largest.
    A row scores the same alone as in any batch. Raises ValueError for a missing column or a
    subscriber that comes twice.
    """
    needed = ["subscriber_id", "payment_mode", *model.columns]
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise ValueError(f"rows to score lack {', '.join(missing)}")
    if rows["subscriber_id"].duplicated().any():
        raise ValueError("rows to score: subscriber_id is not unique")
    result = pd.DataFrame({"subscriber_id": rows["subscriber_id"].to_numpy()}).astype("str")
    if model.pipeline is None:
        rates = rows["payment_mode"].map(dict(model.base_rates)).fillna(model.base_rates[""])
        result["churn_probability"] = rates.to_numpy(dtype=np.float64)
        for name in REASONS:
            result[name] = pd.Series(None, index=result.index, dtype="str")
        return result
    probability = np.empty(len(rows))
    reasons = np.full((len(rows), len(REASONS)), None, dtype=object)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        shares = contributions(model, rows.iloc[block])
        log_odds = _calibrated(_log_odds(model.pipeline, shares), model.calibration)
        probability[block] = _probability(log_odds)
        reasons[block] = _reasons(model, shares[:, : len(model.columns)])
    result["churn_probability"] = probability
    for position, name in enumerate(REASONS):
        result[name] = pd.Series(reasons[:, position], dtype="str")
    return result


def contributions(model: ChurnModel, rows: pd.DataFrame) -> Floats:
    """Log-odds that each value adds over its usual (median) value, a column a pipeline column.

    First the model's columns in order, then the indicators of unknown values. An unknown value
    counts as the usual one, so its own contribution is 0 and what not knowing adds is apart.
    """
    if model.pipeline is None:
        raise ValueError("a base-rate model has no contributions")
    return _contributions(model.pipeline, _matrix(rows, model.columns))


def save(model: ChurnModel, folder: Path) -> None:
    """Write `model.joblib` and `card.json` into `folder`, made if absent: the same bytes always."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.joblib").write_bytes(to_bytes(model))
    (folder / "card.json").write_text(_json(model.card, indent=2) + "\n", encoding="utf-8")


def to_bytes(model: ChurnModel) -> bytes:
    """The model as joblib writes it: the pipeline as an object, all the rest as JSON text.

    Text, because pickled strings differ in bytes by which of them happen to be one object.
    """
    plain = {
        "calibration": model.calibration,
        "base_rates": model.base_rates,
        "min_reason_contribution": model.min_reason_contribution,
        "features": [asdict(feature) for feature in model.features],
        "card": model.card,
    }
    buffer = io.BytesIO()
    joblib.dump((model.pipeline, _json(plain)), buffer)
    return buffer.getvalue()


def load(folder: Path) -> ChurnModel:
    """Read what `save` wrote. Raises ValueError where model and card are not of one training.

    joblib files can run code: load only from the installation's own model folder.
    """
    pipeline, text = joblib.load(folder / "model.joblib")
    plain = json.loads(text)
    card = plain["card"]
    if json.loads((folder / "card.json").read_text(encoding="utf-8")) != card:
        raise ValueError(f"{folder}: model.joblib and card.json do not belong together")
    return ChurnModel(
        kind=card["kind"],
        month=date.fromisoformat(f"{card['month']}-01"),
        columns=tuple(card["columns"]),
        features=tuple(_feature(feature) for feature in plain["features"]),
        pipeline=pipeline,
        calibration=tuple(plain["calibration"]) if plain["calibration"] else None,
        base_rates=plain["base_rates"],
        min_reason_contribution=plain["min_reason_contribution"],
        card=card,
    )


def _feature(plain: Mapping[str, Any]) -> FeatureSpec:
    words = {name: Label(**plain[name]) for name in ("label", "reason")}
    return FeatureSpec(**{**plain, **words})


def _measures(label: Floats, probability: Floats, bins: int) -> dict[str, Any]:
    return {
        "auc": auc(label, probability),
        "top_decile_lift": lift(label, probability),
        "brier": brier(label, probability),
        "ece": expected_calibration_error(label, probability, bins),
        "base_rate": float(label.mean()),
        "rows": len(label),
        "churners": int(label.sum()),
    }


# --- Validation ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judged:
    """What validation found."""

    validation: Validation
    metrics: Mapping[str, Any]
    calibration: tuple[float, float] | None
    train_dates: tuple[str, ...]
    holdout_dates: tuple[str, ...]


def _validate(rows: pd.DataFrame, columns: Sequence[str], policy: ModelPolicy) -> _Judged:
    split = _time_split(rows, policy)
    if split is None:
        return _validate_across_folds(rows, columns, policy)
    is_train, is_holdout = split
    label = rows["is_churn"].to_numpy(dtype=np.float64)
    matrix = _matrix(rows, columns)
    pipeline = _fit(matrix[is_train], label[is_train], policy)
    log_odds = _log_odds(pipeline, _contributions(pipeline, matrix[is_holdout]))
    held = label[is_holdout]
    metrics = _measures(held, _probability(log_odds), policy.ece_bins)
    calibration = None
    if min(held.sum(), len(held) - held.sum()) >= policy.min_calibration_churners:
        calibration = _calibrate(log_odds, held)
    if calibration is not None:
        # Measured across two halves, so that no row helps to calibrate itself.
        half = _folds(rows[is_holdout], 2)
        checked = np.empty(len(held))
        for part in (0, 1):
            fitted = _calibrate(log_odds[half != part], held[half != part])
            checked[half == part] = _probability(_calibrated(log_odds[half == part], fitted))
        metrics |= {
            "brier_calibrated": brier(held, checked),
            "ece_calibrated": expected_calibration_error(held, checked, policy.ece_bins),
        }
    return _Judged(
        "TIME_ORDERED",
        metrics,
        calibration,
        tuple(_dates(rows[is_train])),
        tuple(_dates(rows[is_holdout])),
    )


def _time_split(
    rows: pd.DataFrame, policy: ModelPolicy
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Older rows to train on, newest to judge by; None where either side has too few churners.

    The gap keeps the training labels to what was known on the first held-out date. A history too
    short for the gap is split without it: the card's dates show which it was.
    """
    dates = rows["as_of_date"]
    newest = np.sort(dates.unique())[-policy.holdout_dates :]
    is_holdout = dates.isin(newest).to_numpy()
    for gap_days in (policy.validation_gap_days, 1):
        border = pd.Timestamp(newest[0]) - pd.Timedelta(days=gap_days)
        is_train = (dates <= border).to_numpy()
        label = rows["is_churn"].to_numpy()
        churners = int(label[is_train].sum())
        has_train = min(churners, int(is_train.sum()) - churners) >= policy.min_churners
        if has_train and len(np.unique(label[is_holdout])) == 2:
            return is_train, is_holdout
    return None


def _validate_across_folds(
    rows: pd.DataFrame, columns: Sequence[str], policy: ModelPolicy
) -> _Judged:
    label = rows["is_churn"].to_numpy(dtype=np.float64)
    matrix = _matrix(rows, columns)
    fold = _folds(rows, policy.folds)
    probability = np.empty(len(rows))
    for part in range(policy.folds):
        is_out = fold == part
        pipeline = _fit(matrix[~is_out], label[~is_out], policy)
        probability[is_out] = _probability(
            _log_odds(pipeline, _contributions(pipeline, matrix[is_out]))
        )
    metrics = _measures(label, probability, policy.ece_bins)
    return _Judged("FOLDS", metrics, None, (), tuple(_dates(rows)))


def _folds(rows: pd.DataFrame, count: int) -> npt.NDArray[np.int64]:
    """A fold a row: all rows of a subscriber in one, churners spread evenly over the folds."""
    subscribers = rows.groupby("subscriber_id", sort=True)["is_churn"].max().to_frame()
    subscribers["draw"] = _fixed_draw(subscribers.index.to_series())
    ordered = subscribers.sort_values(["is_churn", "draw"], kind="stable")
    fold = pd.Series(np.arange(len(ordered)) % count, index=ordered.index)
    return rows["subscriber_id"].map(fold).to_numpy(dtype=np.int64)


# --- Fitting -------------------------------------------------------------------------------------


def _fit(matrix: Floats, label: Floats, policy: ModelPolicy) -> Pipeline:
    """Impute, scale, bend, fit. Every step works a column at a time, so contributions add up.

    Spend and usage have long tails: arcsinh of the robustly scaled value is linear around the
    median and logarithmic far out, and keeps the order.
    """
    pipeline = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True)),
            ("scale", RobustScaler()),
            ("bend", FunctionTransformer(np.arcsinh)),
            ("standardise", StandardScaler()),
            (
                "regress",
                LogisticRegression(
                    C=1 / policy.l2_penalty, solver="lbfgs", max_iter=policy.max_iterations
                ),
            ),
        ]
    )
    # A column can be empty on the older dates alone; it then counts as unknown throughout.
    pipeline.set_params(impute__keep_empty_features=True)
    return pipeline.fit(matrix, label.astype(np.int64))


def _contributions(pipeline: Pipeline, matrix: Floats) -> Floats:
    usual = pipeline[:-1].transform(pipeline["impute"].statistics_[np.newaxis, :])
    shares: Floats = (pipeline[:-1].transform(matrix) - usual) * pipeline["regress"].coef_[0]
    return shares


def _log_odds(pipeline: Pipeline, shares: Floats) -> Floats:
    """Sum of the contributions over the log-odds of the usual subscriber, column by column.

    A matrix product would round differently by the number of rows.
    """
    usual = pipeline[:-1].transform(pipeline["impute"].statistics_[np.newaxis, :])[0]
    coefficients = pipeline["regress"].coef_[0]
    start = float(pipeline["regress"].intercept_[0])
    for value, coefficient in zip(usual, coefficients, strict=True):
        start += float(value) * float(coefficient)
    total = np.full(len(shares), start)
    for column in range(shares.shape[1]):
        total += shares[:, column]
    return total


def _probability(log_odds: Floats) -> Floats:
    return np.clip(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))), _MARGIN, 1 - _MARGIN)


def _calibrate(log_odds: Floats, label: Floats) -> tuple[float, float] | None:
    """Slope and intercept on the log-odds (Platt 1999); None where the order would turn round."""
    regression = LogisticRegression(C=np.inf, solver="lbfgs", max_iter=1000)
    regression.fit(log_odds[:, np.newaxis], label.astype(np.int64))
    slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    return (slope, intercept) if slope > 0 else None


def _calibrated(log_odds: Floats, calibration: tuple[float, float] | None) -> Floats:
    return log_odds if calibration is None else calibration[0] * log_odds + calibration[1]


def _reasons(model: ChurnModel, shares: Floats) -> npt.NDArray[np.object_]:
    """Names of the features that raise each row's risk, largest first; None fills up."""
    regress = model.pipeline["regress"]  # type: ignore[index]
    coefficients = regress.coef_[0][: len(model.columns)]
    groups: dict[str, list[int]] = {}
    for position, feature in enumerate(model.features):
        # A positive contribution comes from a high value exactly where the coefficient is positive.
        side = "HIGH" if coefficients[position] > 0 else "LOW"
        if feature.reason_when in (side, "EITHER"):
            groups.setdefault(feature.reason.en, []).append(position)
    reasons = np.full((len(shares), len(REASONS)), None, dtype=object)
    if not groups:
        return reasons
    best = np.column_stack([shares[:, members].max(axis=1) for members in groups.values()])
    name = np.column_stack(
        [
            np.asarray(model.columns, dtype=object)[members][shares[:, members].argmax(axis=1)]
            for members in groups.values()
        ]
    )
    order = np.argsort(-best, axis=1, kind="stable")[:, : len(REASONS)]
    size = np.take_along_axis(best, order, axis=1)
    is_reason = (size > 0) & (size >= model.min_reason_contribution)
    named = np.take_along_axis(name, order, axis=1)
    named[~is_reason] = None
    reasons[:, : named.shape[1]] = named
    return reasons


# --- Rows ----------------------------------------------------------------------------------------


def _check_training_rows(rows: pd.DataFrame, names: Sequence[str]) -> None:
    needed = ["subscriber_id", "as_of_date", "payment_mode", "is_churn", *names]
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise ValueError(f"training rows lack {', '.join(missing)}")
    if not rows["is_churn"].isin([0, 1]).all():
        raise ValueError("training rows: is_churn is neither 0 nor 1")
    if rows.duplicated(["subscriber_id", "as_of_date"]).any():
        raise ValueError("training rows: subscriber_id, as_of_date is not unique")


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["as_of_date", "subscriber_id"], kind="stable", ignore_index=True)


def _fixed_draw(values: pd.Series) -> npt.NDArray[np.uint64]:
    """A number a value that looks random and is the same everywhere and always."""
    return pd.util.hash_array(values.to_numpy(dtype=object), categorize=False)


def _sample(rows: pd.DataFrame, size: int) -> pd.DataFrame:
    """All rows, or a uniform sample of `size` that depends on the keys alone."""
    if len(rows) <= size:
        return rows
    draw = _fixed_draw(rows["as_of_date"].dt.strftime("%Y%m%d") + rows["subscriber_id"])
    chosen = np.sort(np.argsort(draw, kind="stable")[:size])
    return rows.iloc[chosen].reset_index(drop=True)


def _matrix(rows: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """The columns as doubles, unknown = NaN; an infinite value is unknown too."""
    matrix = np.empty((len(rows), len(columns)))
    for position, name in enumerate(columns):
        values = pd.to_numeric(rows[name]).astype("Float64")
        matrix[:, position] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def _unusable(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Columns that cannot tell subscribers apart -> why."""
    dropped: dict[str, str] = {}
    for name in names:
        values = _matrix(rows, [name])[:, 0]
        is_known = ~np.isnan(values)
        if not is_known.any():
            dropped[name] = "UNKNOWN"
        elif np.ptp(values[is_known]) == 0:
            # Where it is known for some only, its absence could still tell; but absence is about
            # our data, not about the subscriber.
            dropped[name] = "CONSTANT"
    return dropped


def _base_rates(rows: pd.DataFrame, policy: ModelPolicy) -> dict[str, float]:
    """Churn rate a payment mode, drawn to the rate of all, drawn to the assumed rate.

    (churners + w p) / (rows + w): the mean of a beta posterior with w prior rows of rate p.
    """
    weight = policy.prior_weight_rows

    def smoothed(churners: float, count: float, rate: float) -> float:
        return float((churners + weight * rate) / (count + weight))

    overall = smoothed(rows["is_churn"].sum(), len(rows), policy.prior_churn_rate)
    modes = rows.groupby("payment_mode", sort=True)["is_churn"].agg(["sum", "count"])
    rates = {
        str(mode): smoothed(churners, count, overall)
        for mode, churners, count in zip(modes.index, modes["sum"], modes["count"], strict=True)
    }
    return {"": overall} | rates


def _coefficients(pipeline: Pipeline | None, columns: Sequence[str]) -> dict[str, float]:
    """Column (or `<column>_is_unknown`) -> log-odds a standard deviation."""
    if pipeline is None:
        return {}
    unknown = [f"{columns[i]}_is_unknown" for i in pipeline["impute"].indicator_.features_]
    values = pipeline["regress"].coef_[0].tolist()
    return dict(zip([*columns, *unknown], values, strict=True))


def _dates(rows: pd.DataFrame) -> list[str]:
    return sorted(rows["as_of_date"].dt.strftime("%Y-%m-%d").unique().tolist())


def _pipeline_bytes(pipeline: Pipeline | None) -> bytes:
    if pipeline is None:
        return b""
    parts = [
        pipeline["impute"].statistics_,
        pipeline["impute"].indicator_.features_.astype(np.int64),
        pipeline["scale"].center_,
        pipeline["scale"].scale_,
        pipeline["standardise"].mean_,
        pipeline["standardise"].scale_,
        pipeline["regress"].coef_,
        pipeline["regress"].intercept_,
    ]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)
