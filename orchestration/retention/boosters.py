"""Boosted trees: what columns do together.

Here: LightGBM and CatBoost behind one shape: fit with a number of trees, log-odds, contributions,
bytes. Not here: how many trees (found on held-out rows by `churn_learner.py`), and how the models
are blended.

Both run on a fixed number of threads and write no files; rows, settings and seed decide every bit
of a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import catboost
import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

# Categories of up to so many levels are asked for one by one; others count by their churners.
_ONE_HOT_LEVELS = 10
# What CatBoost writes into a model about the moment of its making.
_MOMENT = ("train_finish_time", "model_guid")


@dataclass(frozen=True)
class BoosterSettings:
    """What a booster needs beside rows; `size` is leaves for LightGBM, depth for CatBoost."""

    size: int
    learning_rate: float
    column_share: float
    l2_penalty: float
    threads: int
    patience: int


@dataclass(frozen=True)
class HeldOut:
    """Rows that a booster is watched on: `patience` trees without a gain there, and it stops."""

    design: Floats
    label: Floats


class Booster(Protocol):
    """Fitted trees. `trees`: only the first so many, or all where there are fewer."""

    @property
    def content(self) -> bytes:
        """The model as its library writes it; the same training gives the same bytes."""

    def log_odds(self, design: Floats, trees: int | None = None) -> Floats:
        """Of each row of `design`, the same alone as in any batch."""

    def contributions(self, design: Floats) -> Floats:
        """rows x (columns + 1): Shapley values of the log-odds (Lundberg et al. 2020), base last."""


@dataclass(frozen=True)
class LeafBooster:
    """LightGBM: trees that grow leaf by leaf, on numbers and indicators (NaN = unknown)."""

    content: bytes
    threads: int

    @cached_property
    def model(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.content.decode())

    def log_odds(self, design: Floats, trees: int | None = None) -> Floats:
        result = self.model.predict(
            design, raw_score=True, num_iteration=trees or -1, num_threads=self.threads
        )
        return np.asarray(result, dtype=np.float64)

    def contributions(self, design: Floats) -> Floats:
        result = self.model.predict(design, pred_contrib=True, num_threads=self.threads)
        return np.asarray(result, dtype=np.float64)


def fit_leaf_booster(
    design: Floats,
    label: Floats,
    trees: int,
    settings: BoosterSettings,
    seed: int,
    watched: HeldOut | None = None,
) -> LeafBooster:
    """`design`: rows x columns, NaN = unknown; `label`: 0 or 1. At most `trees` trees."""
    parameters = {
        "objective": "binary",
        "num_leaves": settings.size,
        "learning_rate": settings.learning_rate,
        "feature_fraction": settings.column_share,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": settings.l2_penalty,
        "max_bin": 127,
        "seed": seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(design, label, params={"verbosity": -1})
    if watched is None:
        model = lightgbm.train(parameters, data, trees)
    else:
        judge = lightgbm.Dataset(watched.design, watched.label, reference=data)
        stop = lightgbm.early_stopping(settings.patience, verbose=False)
        model = lightgbm.train(parameters, data, trees, valid_sets=[judge], callbacks=[stop])
    # All trees, not only those up to the best: the best number is that of all folds together.
    content = model.model_to_string(num_iteration=-1)
    return LeafBooster(content.encode(), settings.threads)


@dataclass(frozen=True)
class LevelBooster:
    """CatBoost: trees that ask one question a level, on numbers (NaN = unknown) and categories.

    A category counts by the churners among the rows before it in a random order, so that no row
    tells of itself: rare levels need no special care (Prokhorenkova et al. 2018).
    """

    content: bytes
    categorical: tuple[int, ...]
    threads: int

    @cached_property
    def model(self) -> catboost.CatBoost:
        return catboost.CatBoost().load_model(blob=self.content)

    def log_odds(self, design: Floats, trees: int | None = None) -> Floats:
        result = self.model.predict(
            _pool(design, self.categorical),
            prediction_type="RawFormulaVal",
            ntree_end=min(trees or self.model.tree_count_, self.model.tree_count_),
            thread_count=self.threads,
        )
        return np.asarray(result, dtype=np.float64)

    def contributions(self, design: Floats) -> Floats:
        result = self.model.get_feature_importance(
            _pool(design, self.categorical), type="ShapValues", thread_count=self.threads
        )
        return np.asarray(result, dtype=np.float64)


def fit_level_booster(
    design: Floats,
    categorical: Sequence[int],
    label: Floats,
    trees: int,
    settings: BoosterSettings,
    seed: int,
    watched: HeldOut | None = None,
) -> LevelBooster:
    """`design`: rows x columns, codes in the positions `categorical`; `label`: 0 or 1."""
    model = catboost.CatBoost(
        {
            "loss_function": "Logloss",
            "iterations": trees,
            "depth": settings.size,
            "learning_rate": settings.learning_rate,
            "rsm": settings.column_share,
            "l2_leaf_reg": settings.l2_penalty,
            "border_count": 128,
            "one_hot_max_size": _ONE_HOT_LEVELS,
            "max_ctr_complexity": 1,
            "od_type": "Iter",
            "od_wait": settings.patience,
            "use_best_model": False,
            "random_seed": seed,
            "thread_count": settings.threads,
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
    )
    judge = None if watched is None else _pool(watched.design, categorical, watched.label)
    model.fit(_pool(design, categorical, label), eval_set=judge)
    about = model.get_metadata()
    for name in _MOMENT:
        about[name] = ""
    return LevelBooster(bytes(model._serialize_model()), tuple(categorical), settings.threads)


def _pool(design: Floats, categorical: Sequence[int], label: Floats | None = None) -> catboost.Pool:
    if not categorical:
        return catboost.Pool(design.astype(np.float32), label)
    columns = {
        position: values.astype(np.int64 if position in categorical else np.float32)
        for position, values in enumerate(design.T)
    }
    return catboost.Pool(pd.DataFrame(columns), label, cat_features=list(categorical))
