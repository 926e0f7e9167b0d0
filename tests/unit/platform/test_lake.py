"""Files take their place whole or not at all, and the same rows give the same bytes."""

from __future__ import annotations

import os
import stat
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home")


def files_of(lake: Lake) -> dict[str, bytes]:
    paths = [path for path in sorted(lake.home.rglob("*")) if path.is_file()]
    return {str(path.relative_to(lake.home)): path.read_bytes() for path in paths}


def test_asking_for_paths_creates_nothing(lake: Lake) -> None:
    day, month = date(2025, 3, 1), date(2025, 3, 1)
    paths = [
        lake.raw("a", day),
        lake.quarantine("a", day),
        lake.receipt("a", day),
        lake.vault("a", day),
        lake.vault_quarantine("a", day),
        lake.loop_day("decisions", day),
        lake.loop_month("effects", month),
        lake.model("churn", month),
        lake.published(day),
        lake.warehouse,
    ]
    assert len(set(paths)) == len(paths)
    assert not lake.home.exists()
    assert lake.raw("a", day).parts[-4:] == ("raw", "a", "dt=2025-03-01", "part.parquet")
    assert lake.loop_month("effects", month).parts[-2:] == ("month=2025-03", "part.parquet")


def test_the_vault_and_the_published_lists_lie_outside_the_lake(lake: Lake) -> None:
    """Whoever is given the lake is not given personal data with it."""
    day = date(2025, 3, 1)
    for path in (lake.vault("a", day), lake.vault_quarantine("a", day), lake.published(day)):
        assert not path.is_relative_to(lake.root)


def test_a_failed_write_leaves_what_was_there(lake: Lake) -> None:
    path = lake.raw("a", date(2025, 3, 1))
    lake.write_table(pa.table({"x": [1]}), path)
    before = files_of(lake)
    with pytest.raises(TypeError, match="bytes-like"), lake.replacing(path) as unfinished:
        unfinished.write_bytes("half of it")  # type: ignore[arg-type]
    assert files_of(lake) == before


def test_what_is_being_written_is_outside_every_globbed_folder(lake: Lake) -> None:
    path = lake.raw("a", date(2025, 3, 1))
    with lake.replacing(path) as unfinished:
        unfinished.write_bytes(b"half")
        assert not path.exists()
        assert not unfinished.is_relative_to(lake.root)
        assert unfinished.suffix != ".parquet"
        assert stat.S_IMODE(unfinished.parent.stat().st_mode) == 0o700
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_file_has_its_mode(lake: Lake, mode: int) -> None:
    path = lake.raw("a", date(2025, 3, 1))
    lake.write_table(pa.table({"x": [1]}), path, mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_same_rows_give_the_same_bytes(lake: Lake) -> None:
    """D01: a day that is run twice leaves the same files."""
    one, two = (lake.raw("a", date(2025, 3, day)) for day in (1, 2))
    frame = pd.DataFrame({"x": [1, 2], "word": ["甲", None]})
    lake.write_frame(frame, one)
    lake.write_frame(frame.set_index(pd.Index([7, 3])), two)
    assert one.read_bytes() == two.read_bytes()
    assert pq.read_schema(one).metadata is None


def test_a_folder_takes_its_place_whole(lake: Lake) -> None:
    path = lake.published(date(2025, 3, 1))
    with lake.replacing_folder(path, mode=0o700) as folder:
        (folder / "old").write_text("1")
        assert not path.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with lake.replacing_folder(path) as folder:
        (folder / "new").write_text("2")
        assert [each.name for each in path.iterdir()] == ["old"]
    assert [each.name for each in path.iterdir()] == ["new"]
    assert list(lake.workspace.iterdir()) == []


def test_a_folder_that_fails_leaves_what_was_there(lake: Lake) -> None:
    path = lake.published(date(2025, 3, 1))
    with lake.replacing_folder(path) as folder:
        (folder / "list").write_text("1")
    before = files_of(lake)
    with pytest.raises(FileNotFoundError), lake.replacing_folder(path) as folder:
        (folder / "branch" / "list").write_text("2")
    assert files_of(lake) == before


def test_sweeping_removes_what_a_killed_run_left_and_nothing_of_one_under_way(lake: Lake) -> None:
    left = [lake.workspace / "x.writing", lake.workspace / "y.spill"]
    left[0].write_text("13812345678")
    left[1].mkdir()
    two_days_ago = time.time() - 2 * 86_400
    for leftover in left:
        os.utime(leftover, (two_days_ago, two_days_ago))
    under_way = lake.workspace / "z.writing"
    under_way.write_text("half")
    kept = lake.raw("a", date(2025, 3, 1))
    lake.write_table(pa.table({"x": [1]}), kept)
    lake.sweep()
    assert set(files_of(lake)) == {str(path.relative_to(lake.home)) for path in (kept, under_way)}
    assert not left[1].exists()
