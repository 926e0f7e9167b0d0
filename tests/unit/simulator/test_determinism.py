"""The same seed gives the same bytes, in one go or day by day, in any chunking."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.simulator import OperatorMismatchError, simulate
from orchestration.simulator.randomness import BLOCK_SLOTS, Draws, Stream, scramble
from tests.unit.simulator.conftest import FIRST, LAST, SEED, SUBSCRIBERS, Delivered

CUTS = (date(2025, 1, 31), date(2025, 2, 14), date(2025, 2, 15), date(2025, 3, 1))


def test_same_seed_gives_the_same_bytes(delivered: Delivered, tmp_path: Path) -> None:
    again = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    days: list[date] = []
    summary = simulate(
        SUBSCRIBERS, FIRST, LAST, SEED, again.landing, again.truth, again.published, days.append
    )
    assert again.files() == delivered.files()
    assert days == [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    assert summary.days == len(days)
    assert summary.files == len(again.files())


def test_another_seed_gives_another_world(delivered: Delivered, tmp_path: Path) -> None:
    other = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    simulate(SUBSCRIBERS, FIRST, FIRST, SEED + 1, other.landing, other.truth)
    name = "crm_subscribers/crm_subscribers_20250101.csv"
    assert other.files()[name] != delivered.files()[name]


def test_extending_equals_one_go_and_never_rewrites(delivered: Delivered, tmp_path: Path) -> None:
    parts = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    first = FIRST
    for last in (*CUTS, LAST):
        before = {path: path.stat().st_mtime_ns for path in parts.landing.rglob("*.*")}
        simulate(SUBSCRIBERS, first, last, SEED, parts.landing, parts.truth, parts.published)
        assert all(path.stat().st_mtime_ns == at for path, at in before.items())
        first = last + timedelta(days=1)
    assert parts.files() == delivered.files()
    for name in ("exits.parquet", "potential_outcomes.parquet"):
        assert (parts.truth / name).read_bytes() == (delivered.truth / name).read_bytes()
    hazards = sorted(path.relative_to(parts.truth) for path in parts.truth.glob("hazards/*/*"))
    assert len(hazards) == 2
    for path in hazards:
        assert (parts.truth / path).read_bytes() == (delivered.truth / path).read_bytes()


def test_a_day_lived_again_gives_the_same_bytes(delivered: Delivered, tmp_path: Path) -> None:
    world = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    middle = date(2025, 2, 20)
    simulate(SUBSCRIBERS, FIRST, middle, SEED, world.landing, world.truth, world.published)
    for state in (world.truth / "state").glob("*.npz"):
        state.unlink()  # only a short cut: everything can be lived again from the opening
    (world.truth / "state").rmdir()
    simulate(
        SUBSCRIBERS, FIRST, date(2025, 2, 12), SEED, world.landing, world.truth, world.published
    )
    simulate(SUBSCRIBERS, date(2025, 2, 3), LAST, SEED, world.landing, world.truth, world.published)
    assert world.files() == delivered.files()


def test_other_parameters_are_refused(tmp_path: Path) -> None:
    landing, truth = tmp_path / "landing", tmp_path / "truth"
    simulate(50, FIRST, FIRST, 3, landing, truth)
    tomorrow = FIRST + timedelta(days=1)
    kept = json.loads((truth / "operator.json").read_text(encoding="utf-8"))
    assert (kept["seed"], kept["subscribers"], kept["opened_on"]) == (3, 50, "2025-01-01")
    with pytest.raises(OperatorMismatchError, match="seed is 3, asked for 4"):
        simulate(50, tomorrow, tomorrow, 4, landing, truth)
    with pytest.raises(OperatorMismatchError, match="subscribers is 50, asked for 60"):
        simulate(60, tomorrow, tomorrow, 3, landing, truth)
    with pytest.raises(OperatorMismatchError, match="opened_on is '2025-01-01'"):
        simulate(50, tomorrow, tomorrow, 3, landing, truth, opened_on=tomorrow)
    with pytest.raises(OperatorMismatchError, match="simulate from 2025-01-02 first"):
        simulate(50, FIRST + timedelta(days=5), FIRST + timedelta(days=6), 3, landing, truth)
    with pytest.raises(OperatorMismatchError, match="opened on 2025-01-01"):
        simulate(50, FIRST - timedelta(days=1), FIRST, 3, landing, truth)
    with pytest.raises(ValueError, match="at least one subscriber"):
        simulate(0, FIRST, FIRST, 3, tmp_path / "other", tmp_path / "other")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    fewer=st.integers(1, BLOCK_SLOTS + 50),
    more=st.integers(0, 3_000),
    is_normal=st.booleans(),
)
def test_draws_do_not_depend_on_how_many_there_are(
    seed: int, fewer: int, more: int, is_normal: bool
) -> None:
    draw = Draws(seed).normal if is_normal else Draws(seed).uniform
    few = draw(Stream.LIFE, 20_000, fewer, ("a", "b", "c"))
    many = draw(Stream.LIFE, 20_000, fewer + more, ("a", "b", "c"))
    for name, values in few.items():
        assert np.array_equal(values, many[name][:fewer])


def test_scramble_keeps_numbers_apart() -> None:
    assert len(np.unique(scramble(np.arange(100_000)))) == 100_000
