"""What the churn index learns with: one configuration for every table, blended and calibrated.

Here: from rows with a label to probabilities, contributions of columns, and bytes. Not here: the
label, the horizons (`hazard.py`), words for reasons and the month's card (`index_model.py`).

Three kinds of model see the same rows: curves that add up (`additive.py`), small trees (LightGBM)
and trees that know categories (CatBoost). How many trees, and how much each model counts, is found
on folds within the training rows; then each model is fitted once more on all of them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from orchestration.retention import additive
from orchestration.retention.additive import Additive, Curve, fit_additive
from orchestration.retention.blending import Blend, blended, fit_blend
from orchestration.retention.boosters import (
    BoosterSettings,
    HeldOut,
    LeafBooster,
    LevelBooster,
    fit_leaf_booster,
    fit_level_booster,
)
from orchestration.retention.encoding import (
    Encoding,
    encode,
    indicator_columns,
    indicators,
    learn_encoding,
)
from orchestration.retention.policy import LearnerPolicy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Kind = Literal["BLEND", "BASE_RATE"]

# A probability of exactly 0 or 1 has no log-odds and claims a certainty that no model has.
MARGIN = 1e-6
_BLOCK_ROWS = 100_000  # scoring memory does not grow with the rows
# Numbers of trees to choose from: so many, evenly on a log scale from the first on.
_TREE_STEPS, _FIRST_STEP = 24, 20
# Times `additive_l2`: wide tables of few churners want more.
_PENALTY_FACTORS = (1.0, 4.0, 16.0)


@dataclass(frozen=True)
class Learner:
    """A fitted model. `kind` BASE_RATE: the blend's intercept is all there is.

    `usual`: of each column of the encoding, the median of a number (NaN for a category).
    `centre`: the mean contribution of each column of the additive model in training, so that
    contributions of all models count from the average row. `choices`: what was found inside the
    training rows, for the card.
    """

    kind: Kind
    encoding: Encoding
    usual: Floats
    additive: Additive
    centre: Floats
    leaf: tuple[LeafBooster, ...]
    level: tuple[LevelBooster, ...]
    blend: Blend
    choices: Mapping[str, Any]


@dataclass(frozen=True)
class Fitted:
    """A learner, and its log-odds for training rows as of models that had not seen the row.

    `held_out`: NaN for rows that were never held out.
    """

    learner: Learner
    held_out: Floats


def fit(
    rows: pd.DataFrame,
    columns: Sequence[str],
    label: Floats,
    policy: LearnerPolicy,
    fold: Integers,
    is_known: Booleans | None = None,
) -> Fitted:
    """Learn the label (0 or 1, a row of `rows` each) from `columns`.

    `fold`: of each row, as `splits.folds` gives them; a fold is held out to choose on. `is_known`:
    rows with a label (None = all); the others are only scored, by models without their fold. With
    fewer than `min_churners` churners, or stayers, every row gets the rate of all, drawn to the
    assumed rate. The order of the rows matters: give them in a fixed one.
    """
    if is_known is None:
        is_known = np.ones(len(label), dtype=np.bool_)
    encoding = learn_encoding(rows[is_known], columns, policy.min_level_rows)
    count, churners = int(is_known.sum()), float(label[is_known].sum())
    if not encoding.columns or min(churners, count - churners) < policy.min_churners:
        return _base_rate(encoding, label, is_known, policy)
    with threadpool_limits(limits=policy.threads):
        return _fit_blend(encoding, encode(encoding, rows), label, policy, fold, is_known)


def log_odds(learner: Learner, rows: pd.DataFrame) -> Floats:
    """Of each row, the same alone as in any batch. Raises ValueError for a missing column."""
    result = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        result[block] = _log_odds(learner, encode(learner.encoding, rows.iloc[block]))
    return result


def probability(log_odds: Floats) -> Floats:
    """Within (0, 1), both left out."""
    return np.clip(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))), MARGIN, 1 - MARGIN)


def contributions(learner: Learner, rows: pd.DataFrame) -> Floats:
    """rows x columns of the encoding: log-odds that each column adds above the average row.

    Shapley values of the trees and the curves' own values, weighted as the models are blended.
    """
    matrix = encode(learner.encoding, rows)
    total = np.zeros(matrix.shape)
    if learner.kind == "BASE_RATE" or not len(matrix):
        return total
    numbers, marks = _split(learner.encoding, matrix)
    design = np.hstack([numbers, marks])
    source = _design_columns(learner.encoding)
    weights = learner.blend.weights
    shares = additive.contributions(learner.additive, numbers, marks)
    for position, column in enumerate(source):
        total[:, column] += weights[0] * shares[:, position]
    total -= weights[0] * learner.centre
    for leaf in learner.leaf:
        shares = leaf.contributions(design)
        for position, column in enumerate(source):
            total[:, column] += weights[1] / len(learner.leaf) * shares[:, position]
    for level in learner.level:
        total += weights[2] / len(learner.level) * level.contributions(matrix)[:, :-1]
    return total


# --- Fitting -------------------------------------------------------------------------------------


def _fit_blend(
    encoding: Encoding,
    matrix: Floats,
    label: Floats,
    policy: LearnerPolicy,
    fold: Integers,
    is_known: Booleans,
) -> Fitted:
    numbers, marks = _split(encoding, matrix)
    design = np.hstack([numbers, marks])
    categorical = range(len(encoding.numeric), len(encoding.columns))
    leaf_settings = BoosterSettings(
        policy.leaf_booster_leaves,
        policy.leaf_booster_rate,
        policy.column_share,
        policy.leaf_booster_l2,
        policy.threads,
        policy.patience_trees,
    )
    level_settings = BoosterSettings(
        policy.level_booster_depth,
        policy.level_booster_rate,
        policy.column_share,
        policy.level_booster_l2,
        policy.threads,
        policy.patience_trees,
    )

    def fit_curves(part: npt.NDArray[Any], factors: Sequence[float]) -> list[Additive]:
        penalties = [policy.additive_l2 * factor for factor in factors]
        return fit_additive(numbers[part], marks[part], label[part], penalties)

    def fit_leaf(
        part: npt.NDArray[Any], trees: int, seed: int, watched: HeldOut | None = None
    ) -> LeafBooster:
        return fit_leaf_booster(design[part], label[part], trees, leaf_settings, seed, watched)

    def fit_level(
        part: npt.NDArray[Any], trees: int, seed: int, watched: HeldOut | None = None
    ) -> LevelBooster:
        return fit_level_booster(
            matrix[part], categorical, label[part], trees, level_settings, seed, watched
        )

    steps = np.unique(np.geomspace(_FIRST_STEP, policy.max_trees, _TREE_STEPS).astype(int))
    curve_scores = np.full((len(label), len(_PENALTY_FACTORS)), np.nan)
    leaf_scores = np.full((len(label), len(steps)), np.nan)
    level_scores = leaf_scores.copy()
    is_held = np.zeros(len(label), dtype=np.bool_)
    for part in np.unique(fold):
        out, rest = np.flatnonzero(fold == part), np.flatnonzero((fold != part) & is_known)
        judge = out[is_known[out]]
        for position, curves in enumerate(fit_curves(rest, _PENALTY_FACTORS)):
            curve_scores[out, position] = additive.log_odds(curves, numbers[out], marks[out])
        watched = HeldOut(design[judge], label[judge])
        leaf = fit_leaf(rest, policy.max_trees, policy.seed, watched)
        leaf_scores[out] = _staged(leaf.log_odds, design[out], steps)
        watched = HeldOut(matrix[judge], label[judge])
        level = fit_level(rest, policy.max_trees, policy.seed, watched)
        level_scores[out] = _staged(level.log_odds, matrix[out], steps)
        is_held[out] = True
        # Once enough churners were held out, more folds only cost time.
        if label[is_held & is_known].sum() >= policy.held_out_churners:
            break
    is_seen = is_held & is_known
    factor_at = _likeliest(curve_scores[is_seen], label[is_seen])
    leaf_at = _likeliest(leaf_scores[is_seen], label[is_seen])
    level_at = _likeliest(level_scores[is_seen], label[is_seen])
    scores = np.column_stack(
        [curve_scores[:, factor_at], leaf_scores[:, leaf_at], level_scores[:, level_at]]
    )
    blend = fit_blend(scores[is_seen], label[is_seen], policy.blend_prior_rows)
    held_out = blended(blend, list(scores.T))
    leaf_trees, level_trees = int(steps[leaf_at]), int(steps[level_at])

    everything = np.flatnonzero(is_known)
    bags = int(np.clip(-(-policy.bagged_rows // len(everything)), 1, policy.max_bags))
    [curves] = fit_curves(everything, [_PENALTY_FACTORS[factor_at]])
    centre = np.zeros(len(encoding.columns))
    shares = additive.contributions(curves, numbers[everything], marks[everything]).mean(axis=0)
    np.add.at(centre, _design_columns(encoding), shares)
    seeds = [policy.seed + bag for bag in range(bags)]
    learner = Learner(
        kind="BLEND",
        encoding=encoding,
        usual=_usual(encoding, matrix[everything]),
        additive=curves,
        centre=centre,
        leaf=tuple(fit_leaf(everything, leaf_trees, seed) for seed in seeds),
        level=tuple(fit_level(everything, level_trees, seed) for seed in seeds),
        blend=blend,
        choices={
            "additive_l2": policy.additive_l2 * _PENALTY_FACTORS[factor_at],
            "leaf_trees": leaf_trees,
            "level_trees": level_trees,
            "bags": bags,
            "held_out_rows": int(is_seen.sum()),
            "weights": dict(zip(("additive", "leaf", "level"), blend.weights, strict=True)),
        },
    )
    return Fitted(learner, held_out)


def _base_rate(
    encoding: Encoding, label: Floats, is_known: Booleans, policy: LearnerPolicy
) -> Fitted:
    """(churners + w p) / (rows + w): the mean of a beta posterior with w prior rows of rate p."""
    weight = policy.prior_weight_rows
    churners, count = float(label[is_known].sum()), int(is_known.sum())
    rate = (churners + weight * policy.prior_churn_rate) / (count + weight)
    intercept = float(np.log(rate / (1 - rate)))
    none: Floats = np.empty(0)
    learner = Learner(
        kind="BASE_RATE",
        encoding=encoding,
        usual=np.full(len(encoding.columns), np.nan),
        additive=Additive(0.0, (), none),
        centre=np.zeros(len(encoding.columns)),
        leaf=(),
        level=(),
        blend=Blend(intercept, ()),
        choices={},
    )
    return Fitted(learner, np.full(len(label), intercept))


def _log_odds(learner: Learner, matrix: Floats) -> Floats:
    if learner.kind == "BASE_RATE":
        return np.full(len(matrix), learner.blend.intercept)
    numbers, marks = _split(learner.encoding, matrix)
    design = np.hstack([numbers, marks])
    scores = [
        additive.log_odds(learner.additive, numbers, marks),
        _mean([booster.log_odds(design) for booster in learner.leaf]),
        _mean([booster.log_odds(matrix) for booster in learner.level]),
    ]
    return blended(learner.blend, scores)


def _mean(scores: Sequence[Floats]) -> Floats:
    total = np.zeros(len(scores[0]))
    for score in scores:
        total += score
    return total / len(scores)


def _staged(score: Callable[[Floats, int], Floats], design: Floats, steps: Integers) -> Floats:
    """rows x steps: log-odds by so many trees, or by all where it stopped before."""
    return np.column_stack([score(design, int(trees)) for trees in steps])


def _likeliest(scores: Floats, label: Floats) -> int:
    """The column of log-odds under which the labels are likeliest."""
    loss = np.logaddexp(0, scores).mean(axis=0) - (scores * label[:, np.newaxis]).mean(axis=0)
    return int(np.argmin(loss))


def _split(encoding: Encoding, matrix: Floats) -> tuple[Floats, Floats]:
    return matrix[:, : len(encoding.numeric)], indicators(encoding, matrix)


def _design_columns(encoding: Encoding) -> Integers:
    """The column of the encoding behind each column of numbers and indicators."""
    return np.concatenate([np.arange(len(encoding.numeric)), indicator_columns(encoding)])


def _usual(encoding: Encoding, matrix: Floats) -> Floats:
    usual = np.full(len(encoding.columns), np.nan)
    count = len(encoding.numeric)
    if count:
        usual[:count] = np.nanmedian(matrix[:, :count], axis=0)
    return usual


# --- Keeping -------------------------------------------------------------------------------------


def to_plain(learner: Learner) -> dict[str, Any]:
    """The learner as values that JSON can hold; the same training gives the same ones."""
    return {
        "kind": learner.kind,
        "encoding": asdict(learner.encoding),
        "usual": [None if np.isnan(value) else value for value in learner.usual.tolist()],
        "additive": {
            "intercept": learner.additive.intercept,
            "curves": [
                [curve.knots.tolist(), curve.log_odds.tolist(), curve.unknown]
                for curve in learner.additive.curves
            ],
            "weights": learner.additive.weights.tolist(),
        },
        "centre": learner.centre.tolist(),
        "leaf": [_text(booster.content) for booster in learner.leaf],
        "level": [_text(booster.content) for booster in learner.level],
        "threads": next((booster.threads for booster in learner.leaf), 1),
        "blend": asdict(learner.blend),
        "choices": dict(learner.choices),
    }


def from_plain(plain: Mapping[str, Any]) -> Learner:
    """What `to_plain` gave, as a learner that scores the same to the last bit."""
    encoding = Encoding(
        numeric=tuple(plain["encoding"]["numeric"]),
        categorical=tuple(plain["encoding"]["categorical"]),
        levels={name: tuple(levels) for name, levels in plain["encoding"]["levels"].items()},
        shown={name: tuple(codes) for name, codes in plain["encoding"]["shown"].items()},
    )
    curves = tuple(
        Curve(np.asarray(knots, dtype=float), np.asarray(values, dtype=float), unknown)
        for knots, values, unknown in plain["additive"]["curves"]
    )
    weights = np.asarray(plain["additive"]["weights"], dtype=float)
    categorical = tuple(range(len(encoding.numeric), len(encoding.columns)))
    threads = plain["threads"]
    return Learner(
        kind=plain["kind"],
        encoding=encoding,
        usual=np.asarray(plain["usual"], dtype=float),
        additive=Additive(plain["additive"]["intercept"], curves, weights),
        centre=np.asarray(plain["centre"], dtype=float),
        leaf=tuple(LeafBooster(_bytes(text), threads) for text in plain["leaf"]),
        level=tuple(LevelBooster(_bytes(text), categorical, threads) for text in plain["level"]),
        blend=Blend(plain["blend"]["intercept"], tuple(plain["blend"]["weights"])),
        choices=plain["choices"],
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
