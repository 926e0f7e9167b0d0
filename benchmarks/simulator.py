"""How fast the synthetic operator is, and whether its time and memory grow as its size does.

`python benchmarks/simulator.py [--sizes 1000000x90 4000000x15 …] [--outcome-days 0] [--keep FOLDER]`

For each size: seconds, rows, bytes, the peak memory of all its processes together, and the ratio
to what DuckDB needs to read and rewrite the same landing files, file by file, on as many threads
as there are processors. The last lines compare the sizes: seconds a million subscriber-days.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from orchestration.simulator import simulate

OPENS = date(2025, 1, 1)
SEED = 7
REWRITTEN_DAYS = 5  # of the end of the range, for the reference
MAX_SECONDS, MAX_PEAK_GB = 300, 6.0  # for 1M subscribers and 90 days, on two processors
_SAMPLE_SECONDS = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measured:
    """One size."""

    subscribers: int
    days: int
    outcome_days: int
    seconds: float
    first_day_seconds: float  # full snapshots of everybody
    rows: int
    gigabytes: float
    peak_gigabytes: float
    ratio_to_rewriting: float

    @property
    def seconds_a_million_subscriber_days(self) -> float:
        """Without the opening day, which grows with the subscribers and not with the days."""
        return (self.seconds - self.first_day_seconds) / (
            self.subscribers * (self.days - 1) / 1_000_000
        )


class PeakMemory:
    """Resident memory of this process and all below it, sampled; what is shared counts twice."""

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self.bytes = max(self.bytes, sum(_resident(pid) for pid in _family(os.getpid())))


def _family(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
            except OSError:  # it has just ended
                continue
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def measure(subscribers: int, days: int, outcome_days: int, folder: Path) -> Measured:
    """Simulate one size into the folder, then let DuckDB rewrite the last days of it."""
    shutil.rmtree(folder, ignore_errors=True)
    landing, last = folder / "landing", OPENS + timedelta(days=days - 1)
    began = time.perf_counter()
    opened: dict[int, float] = {}  # region -> seconds of its opening day
    regions_side_by_side = len(os.sched_getaffinity(0))
    started: dict[int, float] = {}

    def on_day(day: date, region: int, regions: int) -> None:
        now = time.perf_counter()
        if day == OPENS:
            # A region starts when a processor is free for it.
            ended = sorted(started.values())
            waits = region >= regions_side_by_side
            opened[region] = now - (ended[region - regions_side_by_side] if waits else began)
        if day == last:
            started[region] = now
        if not sys.stderr.isatty():
            return
        line = f"  region {region + 1} of {regions}: {day}"
        print(f"\r{line:<40}", end="", file=sys.stderr)

    with PeakMemory() as peak:
        summary = simulate(
            subscribers,
            OPENS,
            last,
            SEED,
            landing,
            folder / "truth",
            on_day=on_day,
            outcome_days=outcome_days,
        )
    seconds = time.perf_counter() - began
    if sys.stderr.isatty():
        print(f"\r{'':<40}\r", end="", file=sys.stderr)
    first_day = sum(opened.values()) / min(len(opened), regions_side_by_side)
    rewritten = min(REWRITTEN_DAYS, days - 1)
    a_day = (seconds - first_day) / (days - 1)
    return Measured(
        subscribers,
        days,
        outcome_days,
        round(seconds, 1),
        round(first_day, 1),
        sum(summary.rows.values()),
        round(sum(path.stat().st_size for path in landing.rglob("*.*")) / 1e9, 2),
        round(peak.bytes / 1e9, 2),
        round(a_day * rewritten / rewrite(landing, last, rewritten, folder / "rewritten"), 1),
    )


def rewrite(landing: Path, last: date, days: int, target: Path) -> float:
    """Seconds that DuckDB takes to read and rewrite all files of the last days."""
    target.mkdir()
    stamps = [f"{last - timedelta(days=n):%Y%m%d}" for n in range(days)]
    files = sorted(path for stamp in stamps for path in landing.glob(f"*/*_{stamp}*"))
    began = time.perf_counter()
    with duckdb.connect(config={"threads": len(os.sched_getaffinity(0))}) as connection:
        for number, path in enumerate(files):
            if path.suffix == ".parquet":
                source, form = f"read_parquet('{path}')", "format parquet, compression zstd"
            else:
                source = f"read_csv('{path}', all_varchar = true, header = true)"
                form = "format csv, header"
            connection.execute(
                f"copy (select * from {source}) to '{target}/{number}{path.suffix}' ({form})"
            )
    return time.perf_counter() - began


def main() -> None:
    """Measure each size and say how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["1000000x90", "4000000x15"])
    parser.add_argument("--outcome-days", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="leave the landing files here")
    arguments = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory(dir=arguments.keep) as temporary:
        for size in arguments.sizes:
            subscribers, days = map(int, size.split("x"))
            folder = (arguments.keep or Path(temporary)) / f"{subscribers}x{days}"
            found = measure(subscribers, days, arguments.outcome_days, folder)
            measured.append(found)
            print(
                f"{subscribers:>10,} × {days} days: {found.seconds:.0f} s "
                f"(opening day {found.first_day_seconds:.0f} s), {found.rows:,} rows, "
                f"{found.gigabytes} GB, peak {found.peak_gigabytes} GB, "
                f"{found.ratio_to_rewriting} × rewriting the files, "
                f"{found.seconds_a_million_subscriber_days:.2f} s a million subscriber-days"
            )
            if not arguments.keep:
                shutil.rmtree(folder)
    if len(measured) > 1:
        first, last = measured[0], measured[-1]
        growth = last.seconds_a_million_subscriber_days / first.seconds_a_million_subscriber_days
        print(
            f"{last.subscribers / first.subscribers:.1f} times the subscribers: "
            f"{growth:.2f} times the seconds a subscriber-day, "
            f"{last.peak_gigabytes / first.peak_gigabytes:.2f} times the memory"
        )
    print(json.dumps([asdict(each) for each in measured]))


if __name__ == "__main__":
    main()
