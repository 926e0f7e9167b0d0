"""The same seed gives the same bytes, in one go or day by day, in any chunking."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.simulator import OperatorMismatchError, RegionFailedError, operator, simulate
from orchestration.simulator.randomness import BLOCK_SLOTS, Draws, Stream, scramble
from tests.unit.simulator.conftest import FIRST, LAST, SEED, SUBSCRIBERS, Delivered

CUTS = (date(2025, 1, 31), date(2025, 2, 14), date(2025, 2, 15), date(2025, 3, 1))


def truth_files(world: Delivered) -> dict[str, bytes]:
    """The truth tables, without the states that only save time."""
    return {
        str(path.relative_to(world.truth)): path.read_bytes()
        for path in sorted(world.truth.rglob("*.parquet"))
    }


def test_same_seed_gives_the_same_bytes(delivered: Delivered, tmp_path: Path) -> None:
    again = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    days: list[date] = []
    summary = simulate(
        SUBSCRIBERS,
        FIRST,
        LAST,
        SEED,
        again.landing,
        again.truth,
        again.published,
        lambda day, _region, _regions: days.append(day),
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
    assert truth_files(parts) == truth_files(delivered)


def test_a_day_lived_again_gives_the_same_bytes(delivered: Delivered, tmp_path: Path) -> None:
    world = Delivered(tmp_path / "landing", tmp_path / "truth", delivered.published)
    middle = date(2025, 2, 20)
    simulate(SUBSCRIBERS, FIRST, middle, SEED, world.landing, world.truth, world.published)
    shutil.rmtree(world.truth / "state")  # only a short cut: all of it can be lived again
    simulate(
        SUBSCRIBERS, FIRST, date(2025, 2, 12), SEED, world.landing, world.truth, world.published
    )
    simulate(SUBSCRIBERS, date(2025, 2, 3), LAST, SEED, world.landing, world.truth, world.published)
    assert world.files() == delivered.files()


@pytest.fixture
def two_regions(monkeypatch: pytest.MonkeyPatch) -> int:
    """Operators of this size are cut into two regions."""
    monkeypatch.setattr(operator, "_ONE_REGION_BELOW", 100)
    return 120


def test_regions_are_parts_of_each_day_and_of_the_truth(two_regions: int, tmp_path: Path) -> None:
    world = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    told: set[tuple[date, int, int]] = set()
    days = [FIRST + timedelta(days=n) for n in range(35)]
    simulate(
        two_regions,
        days[0],
        days[-1],
        SEED,
        world.landing,
        world.truth,
        on_day=lambda day, region, regions: told.add((day, region, regions)),
    )
    assert told == {(day, region, 2) for day in days for region in (0, 1)}
    names = {path.name for path in (world.landing / "usage_daily").iterdir()}
    assert names == {
        f"usage_daily_{day:%Y%m%d}_{part:02d}.parquet" for day in days for part in (1, 2)
    }
    assert {path.name for path in (world.truth / "exits").iterdir()} == {"01.parquet", "02.parquet"}
    parts = Delivered(tmp_path / "parts", tmp_path / "parts_truth", tmp_path / "published")
    simulate(two_regions, days[0], days[9], SEED, parts.landing, parts.truth)
    simulate(two_regions, days[10], days[-1], SEED, parts.landing, parts.truth)
    assert parts.files() == world.files()
    assert truth_files(parts) == truth_files(world)
    assert not (world.landing / ".unfinished").exists()


def test_nobody_and_nothing_stands_in_two_regions(two_regions: int, tmp_path: Path) -> None:
    world = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    simulate(two_regions, FIRST, FIRST, SEED, world.landing, world.truth)
    with duckdb.connect() as sql:
        for feed, column in (
            ("crm_subscribers", "subscriber_id"),
            ("crm_subscribers", "msisdn"),
            ("crm_subscribers", "imsi"),
            ("usage_devices", "imei"),
            ("billing_subscriptions", "subscription_id"),
        ):
            shared = sql.execute(
                f"select {column} from {world.rows(feed)} group by all"
                " having count(distinct filename) > 1"
            ).fetchall()
            assert shared == [], column


def test_a_gap_is_told_by_a_region_too(two_regions: int, tmp_path: Path) -> None:
    landing, truth = tmp_path / "landing", tmp_path / "truth"
    simulate(two_regions, FIRST, FIRST, SEED, landing, truth)
    before = sorted(landing.rglob("*"))
    later = FIRST + timedelta(days=5)
    with pytest.raises(OperatorMismatchError, match="simulate from 2025-01-02 first"):
        simulate(two_regions, later, later, SEED, landing, truth)
    assert sorted(landing.rglob("*")) == before


def test_a_region_that_fails_releases_nothing(two_regions: int, tmp_path: Path) -> None:
    published = tmp_path / "published"
    path = published / f"dt={FIRST - timedelta(days=1)}" / "list.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"work_order_id": ["wo_1"]}), path)  # no subscriber_id
    with pytest.raises(ValueError, match=r"list\.parquet: .* needs the column subscriber_id"):
        simulate(
            two_regions, FIRST, FIRST, SEED, tmp_path / "landing", tmp_path / "truth", published
        )
    assert list((tmp_path / "landing").rglob("*")) == []


def test_how_the_story_goes_on_is_told_and_changes_no_file(
    delivered: Delivered, tmp_path: Path
) -> None:
    """Departures after the last day are those that a longer simulation finds, without lists."""
    days = 45
    alone = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    longer = Delivered(tmp_path / "longer", tmp_path / "longer_truth", tmp_path / "published")
    last = FIRST + timedelta(days=30)
    simulate(SUBSCRIBERS, FIRST, last, SEED, alone.landing, alone.truth, outcome_days=days)
    until = last + timedelta(days=days)
    simulate(SUBSCRIBERS, FIRST, until, SEED, longer.landing, longer.truth)
    stamp = f"{last:%Y%m%d}"
    assert alone.files() == {
        name: content
        for name, content in longer.files().items()
        if Path(name).stem.removeprefix(f"{Path(name).parent.name}_")[:8] <= stamp
    }
    with duckdb.connect() as sql:
        told = sql.execute(
            "select subscriber_id, left_on, exit, cause from"
            f" read_parquet('{alone.truth}/outlook/*.parquet') order by all"
        ).fetchall()
        found = sql.execute(
            "select subscriber_id, left_on, exit, cause from"
            f" read_parquet('{longer.truth}/exits/*.parquet') join"
            f" read_parquet('{alone.truth}/people/*.parquet') p using (subscriber_id)"
            f" where left_on > '{last}' order by all"
        ).fetchall()
    assert told == found
    assert len(told) > 10


def test_dirt_changes_files_and_nobody_s_life(two_regions: int, tmp_path: Path) -> None:
    last = FIRST + timedelta(days=9)
    clean = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    dirty = Delivered(tmp_path / "dirty", tmp_path / "dirty_truth", tmp_path / "published")
    simulate(two_regions, FIRST, last, SEED, clean.landing, clean.truth)
    simulate(two_regions, FIRST, last, SEED, dirty.landing, dirty.truth, dirt="heavy")
    assert dirty.files() != clean.files()
    told = {name for name in truth_files(dirty) if name.startswith("dirt/rows/")}
    assert {name.rpartition("_")[2] for name in told} >= {"01.parquet", "02.parquet"}
    lived = {name: kept for name, kept in truth_files(dirty).items() if not name.startswith("dirt")}
    assert lived == truth_files(clean)
    simulate(two_regions, FIRST, last, SEED, dirty.landing, dirty.truth)  # cleaned again
    assert dirty.files() == clean.files()
    assert truth_files(dirty) == truth_files(clean)


def test_a_region_that_breaks_says_where(
    two_regions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit('out of order')")
    broken.chmod(0o755)
    monkeypatch.setattr(operator.sys, "executable", str(broken))
    with pytest.raises(RegionFailedError, match=r"region 01 failed:\nout of order"):
        simulate(two_regions, FIRST, FIRST, SEED, tmp_path / "landing", tmp_path / "truth")
    assert list((tmp_path / "landing").rglob("*")) == []


def test_what_was_never_released_counts_for_nothing(tmp_path: Path) -> None:
    """Neither days nor an operator: after a failure the same days follow on, or another opens."""
    world = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    days = [FIRST + timedelta(days=n) for n in range(4)]

    def fail(day: date, _region: int, _regions: int) -> None:
        if day == days[-1]:
            raise KeyboardInterrupt

    def lives(size: int, first: date, last: date) -> None:
        simulate(size, first, last, SEED, world.landing, world.truth, on_day=fail)

    with pytest.raises(KeyboardInterrupt):
        lives(40, days[0], days[3])
    assert list(world.landing.rglob("*")) == []
    lives(50, days[0], days[1])
    with pytest.raises(KeyboardInterrupt):
        lives(50, days[2], days[3])
    with pytest.raises(OperatorMismatchError, match=f"simulate from {days[2]} first"):
        lives(50, days[3], days[3])
    simulate(50, days[2], days[3], SEED, world.landing, world.truth)
    other = Delivered(tmp_path / "other", tmp_path / "other_truth", tmp_path / "published")
    simulate(50, days[0], days[3], SEED, other.landing, other.truth)
    assert other.files() == world.files()


def test_large_operators_are_many_regions_of_bounded_size() -> None:
    assert operator.regions_of(9_999) == [9_999]
    assert operator.regions_of(20_001) == [10_000, 10_001]
    sizes = operator.regions_of(10_000_000)
    assert sum(sizes) == 10_000_000
    assert max(sizes) <= 250_000


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
    old = {name: kept[name] for name in ("seed", "subscribers", "opened_on")} | {"version": 1}
    (truth / "operator.json").write_text(json.dumps(old), encoding="utf-8")
    with pytest.raises(OperatorMismatchError, match="version is 1"):
        simulate(50, tomorrow, tomorrow, 3, landing, truth)
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
