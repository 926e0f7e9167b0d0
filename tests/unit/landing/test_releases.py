"""Which files are releases."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from orchestration.landing.releases import scan


def put(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()


def test_parts_of_a_date_make_one_release_in_order(tmp_path: Path) -> None:
    put(
        tmp_path / "usage_daily",
        "usage_daily_20250301_02.csv",
        "usage_daily_20250301_01.csv.gz",
        "usage_daily_20250228.parquet",
    )
    folder = scan(tmp_path, "usage_daily")
    assert list(folder.releases) == [date(2025, 2, 28), date(2025, 3, 1)]
    names = [path.name for path in folder.releases[date(2025, 3, 1)].files]
    assert names == ["usage_daily_20250301_01.csv.gz", "usage_daily_20250301_02.csv"]
    assert folder.unrecognised == folder.unfinished == ()


def test_files_being_written_are_left_alone(tmp_path: Path) -> None:
    names = [
        ".usage_daily_20250301.csv",
        "usage_daily_20250301.csv.filepart",
        "usage_daily_20250301.csv.part",
        "usage_daily_20250301.csv.tmp",
        "usage_daily_20250301.csv.writing",
    ]
    put(tmp_path / "usage_daily", *names)
    folder = scan(tmp_path, "usage_daily")
    assert [path.name for path in folder.unfinished] == names
    assert not folder.releases
    assert not folder.unrecognised


def test_everything_else_is_unrecognised(tmp_path: Path) -> None:
    names = [
        "usage_20250301.csv",
        "usage_daily_2025-03-01.csv",
        "usage_daily_20250230.csv",
        "usage_daily_20250301.txt",
        "usage_daily_20250301_1.csv",
        "usage_daily_２０２５０３０１.csv",
        "usage_monthly_20250301.csv",
    ]
    put(tmp_path / "usage_daily", *names)
    folder = scan(tmp_path, "usage_daily")
    assert sorted(path.name for path in folder.unrecognised) == sorted(names)
    assert not folder.releases


def test_an_absent_feed_has_no_releases(tmp_path: Path) -> None:
    assert not scan(tmp_path, "usage_daily").releases
