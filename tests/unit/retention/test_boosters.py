"""Boosted trees of both kinds: what columns do together, told the same way each time."""

import re

import numpy as np
import pytest

from orchestration.retention.boosters import (
    BoosterSettings,
    HeldOut,
    LeafBooster,
    LevelBooster,
    fit_leaf_booster,
    fit_level_booster,
)
from orchestration.retention.measures import auc

RANDOM = np.random.default_rng(11)
COUNT = 3000
NUMBERS = RANDOM.normal(size=(COUNT, 3))
NUMBERS[:300, 0] = np.nan
LEVEL = RANDOM.integers(0, 40, COUNT).astype(float)  # more levels than are asked for one by one
OF_LEVEL = RANDOM.normal(size=40)
SIGNS = np.sign(np.nan_to_num(NUMBERS[:, 0]) * NUMBERS[:, 1])  # no column tells of it alone
TRUE = -1 + 1.5 * SIGNS + np.where(np.isnan(NUMBERS[:, 0]), 2, 0)
LABEL = (RANDOM.random(COUNT) < 1 / (1 + np.exp(-TRUE))).astype(float)
WITH_LEVEL = np.column_stack([NUMBERS, LEVEL])
LEVEL_LABEL = (
    RANDOM.random(COUNT) < 1 / (1 + np.exp(-(TRUE + OF_LEVEL[LEVEL.astype(int)])))
).astype(float)
TREES = 80


def settings(size: int, patience: int = 20) -> BoosterSettings:
    return BoosterSettings(size, 0.1, 1.0, 1.0, 1, patience)


def leaf(watched: HeldOut | None = None, trees: int = TREES, patience: int = 20) -> LeafBooster:
    return fit_leaf_booster(NUMBERS, LABEL, trees, settings(7, patience), 3, watched)


def level(watched: HeldOut | None = None, trees: int = TREES, patience: int = 20) -> LevelBooster:
    return fit_level_booster(WITH_LEVEL, [3], LEVEL_LABEL, trees, settings(3, patience), 3, watched)


@pytest.fixture(scope="module", params=["leaf", "level"])
def fitted(request):
    """A booster, what it was learned from, the true log-odds, and how to make it again."""
    if request.param == "leaf":
        return leaf(), NUMBERS, LABEL, TRUE, leaf
    return level(), WITH_LEVEL, LEVEL_LABEL, TRUE + OF_LEVEL[LEVEL.astype(int)], level


def test_finds_what_two_columns_do_together_and_what_an_unknown_value_tells(fitted):
    booster, design, label, true, _ = fitted
    found = booster.log_odds(design)
    assert auc(label, found) > auc(label, true) - 0.03
    unknown = np.isnan(design[:, 0])
    assert found[unknown].mean() > found[~unknown].mean() + 1


def test_a_category_of_many_levels_is_used():
    found = level().log_odds(WITH_LEVEL)
    by_level = np.array([found[code == LEVEL].mean() for code in range(40)])
    assert np.corrcoef(by_level, OF_LEVEL)[0, 1] > 0.6


def test_contributions_add_up_to_the_log_odds(fitted):
    booster, design, *_ = fitted
    shares = booster.contributions(design)
    assert shares.shape == (COUNT, design.shape[1] + 1)
    assert shares.sum(axis=1) == pytest.approx(booster.log_odds(design), abs=1e-5)
    assert np.ptp(shares[:, -1]) == 0


def test_a_row_alone_is_the_same_to_the_last_bit(fitted):
    booster, design, *_ = fitted
    together = booster.log_odds(design)
    alone = [booster.log_odds(design[row : row + 1])[0] for row in range(0, COUNT, 101)]
    assert alone == together[::101].tolist()


def test_the_same_training_gives_the_same_bytes_without_its_moment(fitted):
    booster, *_, again = fitted
    content = again().content
    assert content == booster.content
    assert not re.search(rb"\d{4}-\d\d-\d\dT\d\d:", content)


def test_bytes_are_the_model(fitted):
    booster, design, *_ = fitted
    kept = (
        LeafBooster(booster.content, 1)
        if isinstance(booster, LeafBooster)
        else LevelBooster(booster.content, booster.categorical, 1)
    )
    assert kept.log_odds(design).tolist() == booster.log_odds(design).tolist()


def test_so_many_trees_are_the_first_so_many(fitted):
    booster, design, label, *_ = fitted
    all_trees = booster.log_odds(design).tolist()
    assert booster.log_odds(design, TREES).tolist() == all_trees
    assert booster.log_odds(design, 10 * TREES).tolist() == all_trees
    few = booster.log_odds(design, 5)
    assert few.tolist() != all_trees
    assert auc(label, few) < auc(label, all_trees)


@pytest.mark.parametrize(("fit", "design", "label"), [
    (leaf, NUMBERS, LABEL), (level, WITH_LEVEL, LEVEL_LABEL),
])  # fmt: skip
def test_a_watched_booster_stops_where_more_trees_do_not_help(fit, design, label):
    """The judges' labels are drawn at random: nothing helps there, so few trees are made."""
    noise = HeldOut(design[:500], RANDOM.permutation(label[:500]))
    stopped = fit(noise, trees=1000, patience=5)
    early, late = (stopped.log_odds(design, trees) for trees in (300, 1000))
    assert early.tolist() == late.tolist()
