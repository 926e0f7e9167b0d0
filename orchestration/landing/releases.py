"""Which files lie in the landing zone, by feed and release date.

Here: the naming rule of landing files. Not here: what is inside them (`probe.py`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

UNFINISHED_SUFFIXES = frozenset({".tmp", ".part", ".filepart", ".writing"})


@dataclass(frozen=True)
class Release:
    """All parts that a feed released with one date, sorted by name."""

    feed: str
    dt: date
    files: tuple[Path, ...]


@dataclass(frozen=True)
class LandingFolder:
    """One feed's folder: its releases by date, and the files that are none."""

    releases: Mapping[date, Release]
    unrecognised: tuple[Path, ...]
    unfinished: tuple[Path, ...]


def scan(landing: Path, feed: str) -> LandingFolder:
    """Sort the files of `<landing>/<feed>/` into releases, unfinished and unrecognised ones.

    A release file is named `<feed>_<YYYYMMDD>[_NN].{csv,csv.gz,parquet}`. Names that end in an
    unfinished suffix or start with a dot are deliveries under way and are left alone. Everything
    else, also a date that does not exist, is unrecognised. A folder that does not exist is empty.
    """
    folder = landing / feed
    pattern = re.compile(
        rf"{re.escape(feed)}_(\d{{8}})(?:_\d{{2,}})?\.(?:csv|csv\.gz|parquet)", re.A
    )
    parts: defaultdict[date, list[Path]] = defaultdict(list)
    unrecognised: list[Path] = []
    unfinished: list[Path] = []
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in entries:
        if path.suffix in UNFINISHED_SUFFIXES or path.name.startswith("."):
            unfinished.append(path)
            continue
        match = pattern.fullmatch(path.name)
        dt = _date(match[1]) if match and path.is_file() else None
        if dt is None:
            unrecognised.append(path)
        else:
            parts[dt].append(path)
    releases = {dt: Release(feed, dt, tuple(parts[dt])) for dt in sorted(parts)}
    return LandingFolder(releases, tuple(unrecognised), tuple(unfinished))


def _date(digits: str) -> date | None:
    try:
        return datetime.strptime(digits, "%Y%m%d").date()
    except ValueError:
        return None
