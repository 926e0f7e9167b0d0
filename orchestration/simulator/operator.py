"""The synthetic operator: its regions lived side by side, its files released together.

Here: what identifies an operator, how it is cut into regions, who lives them, and moving finished
files into the landing zone. Not here: a region's days (`region.py`), the platform (nothing of it is
imported).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from orchestration.simulator import tariffs, worker
from orchestration.simulator.dirt_kinds import DirtPlan
from orchestration.simulator.feeds import (
    DAILY_FEEDS,
    FIELD_FEEDS,
    MONTHLY_FEEDS,
    REFERENCE_FEEDS,
)
from orchestration.simulator.organisation import organisation
from orchestration.simulator.reference import plan_table, reference_tables
from orchestration.simulator.region import Region, live
from orchestration.simulator.today import EPOCH, day_number

# Raised whenever the same seed would give another world: old states are then of no use.
_VERSION = 2
_ONE_REGION_BELOW = 10_000  # subscribers; two regions use two processors
_LARGEST_REGION = 250_000  # subscribers; bounds the memory of a process
_STAGING = ".unfinished"  # within the landing zone, so that releasing a file is one rename

OnDay = Callable[[date, int, int], None]


class OperatorMismatchError(ValueError):
    """The truth folder belongs to another operator, or the days do not follow on."""


class RegionFailedError(RuntimeError):
    """A region's process ended with an error; nothing was released."""


@dataclass(frozen=True)
class SimulationSummary:
    """What a call delivered."""

    days: int
    files: int
    rows: Mapping[str, int]


@dataclass(frozen=True)
class _Operator:
    """What must not change between calls; kept in `<truth>/operator.json`."""

    version: int
    seed: int
    subscribers: int
    opened_on: str


def regions_of(subscribers: int) -> list[int]:
    """Subscribers of each region: equal parts, none larger than a process should hold."""
    count = 1 if subscribers < _ONE_REGION_BELOW else max(2, -(-subscribers // _LARGEST_REGION))
    return [subscribers * (n + 1) // count - subscribers * n // count for n in range(count)]


def simulate(
    subscribers: int,
    first: date,
    last: date,
    seed: int,
    landing: Path,
    truth: Path,
    published: Path | None = None,
    on_day: OnDay | None = None,
    opened_on: date | None = None,
    outcome_days: int = 0,
    dirt: str = "",
) -> SimulationSummary:
    """Live the days `first`..`last` and deliver their landing files.

    The first call opens the operator on `opened_on` (default `first`) with full snapshots; later
    calls go on from any day up to the one after the last simulated. Days before `first` are never
    rewritten. The same seed, size, opening and published lists give the same bytes, in one call or
    many, on any number of processors. Lists are read from
    `<published>/dt=<day before>/**/list.parquet`. `outcome_days` more are lived without files for
    the truth. `dirt` says what is to be wrong with the files (see `DirtPlan.parse`); nobody's life
    depends on it. Files appear in the landing zone when all of them are finished.

    `on_day` is called with the day, the region's number and the number of regions. Raises
    OperatorMismatchError for parameters that differ from those of `truth` and for a gap between
    the days, ValueError for impossible parameters and for a list that cannot be read,
    RegionFailedError if a process fails.
    """
    DirtPlan.parse(dirt)
    if subscribers < 1 or last < first:
        raise ValueError("simulate needs at least one subscriber and first <= last")
    operator = _open(truth, seed, subscribers, first, opened_on)
    opening = date.fromisoformat(operator.opened_on)
    _keep(truth, operator, through=first - timedelta(days=1))  # until all is released
    staging = landing / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    sizes = regions_of(subscribers)
    regions = [
        Region(number, len(sizes), size, seed, opening, staging, truth, published, dirt)
        for number, size in enumerate(sizes)
    ]
    try:
        rows = _live_all(regions, first, last, outcome_days, on_day)
        rows.update(_write_reference(regions, first, last))
        files = _release(staging, landing, first, last)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _keep(truth, operator, through=last)
    return SimulationSummary(days=(last - first).days + 1, files=files, rows=dict(rows))


def _live_all(
    regions: list[Region], first: date, last: date, outcome_days: int, on_day: OnDay | None
) -> Counter[str]:
    def told(region: Region) -> Callable[[date], None]:
        return lambda day: on_day(day, region.number, region.regions) if on_day else None

    if len(regions) == 1:
        return live(regions[0], first, last, outcome_days, told(regions[0]))
    rows: Counter[str] = Counter()
    lock = threading.Lock()
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    with ThreadPoolExecutor(processors or 1) as pool:
        lived = [
            pool.submit(_in_a_process, region, first, last, outcome_days, told(region), lock)
            for region in regions
        ]
        try:
            for region in lived:
                rows.update(region.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what has not begun need not
            raise
    return rows


def _in_a_process(
    region: Region,
    first: date,
    last: date,
    outcome_days: int,
    on_day: Callable[[date], None],
    lock: threading.Lock,
) -> Counter[str]:
    """Live one region in a process of its own, which tells its days line by line."""
    job = {"region": asdict(region), "first": first, "last": last, "outcome_days": outcome_days}
    command = [sys.executable, "-m", worker.__name__, json.dumps(job, default=str)]
    log = region.staging / f"{region.name}.log"
    rows: Counter[str] = Counter()
    wrong = None
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        for line in process.stdout or ():
            said = json.loads(line)
            if "day" in said:
                with lock:
                    on_day(date.fromisoformat(said["day"]))
            wrong = said.get("wrong", wrong)
            rows.update(said.get("rows", {}))
    if process.returncode != 0:
        complaint = log.read_text(encoding="utf-8").strip().splitlines()[-20:]
        raise RegionFailedError("\n".join([f"region {region.name} failed:", *complaint]))
    if wrong is not None:
        raise ValueError(wrong)
    return rows


def _write_reference(regions: list[Region], first: date, last: date) -> Counter[str]:
    """The reference feeds of the whole operator, on the opening day; plans when they change."""
    opening = regions[0].opened_on
    rows: Counter[str] = Counter()
    if first <= opening <= last:
        trees = [organisation(r.subscribers, r.number, r.regions) for r in regions]
        for feed, table in reference_tables(trees, day_number(opening)).items():
            regions[0].deliver(feed, opening, table, part=None)
            rows[feed] += len(table)
    for changed in tariffs.changes(day_number(opening)):
        if day_number(first) <= changed <= day_number(last):
            plans = plan_table(day_number(opening), changed)
            changed_on = EPOCH + timedelta(days=changed)
            regions[0].deliver("billing_plans", changed_on, plans, part=None)
            rows["billing_plans"] += len(plans)
    return rows


def _release(staging: Path, landing: Path, first: date, last: date) -> int:
    """Move the finished files into the landing zone, day by day, and withdraw what they replace."""
    finished = {path.relative_to(staging) for path in staging.glob("*/*")}
    every = (*REFERENCE_FEEDS, *DAILY_FEEDS, *MONTHLY_FEEDS, *FIELD_FEEDS)
    days = {f"{first + timedelta(days=n):%Y%m%d}" for n in range((last - first).days + 1)}
    for feed in every:
        folder = landing / feed
        for old in folder.iterdir() if folder.is_dir() else ():
            stamp = old.name.removeprefix(f"{feed}_")[:8]
            if stamp in days and old.relative_to(landing) not in finished:
                old.unlink()
    for path in sorted(finished, key=lambda path: (_stamp(path), path)):
        (landing / path.parent).mkdir(parents=True, exist_ok=True)
        (staging / path).replace(landing / path)
    return len(finished)


def _stamp(path: Path) -> str:
    return path.name.removeprefix(f"{path.parent.name}_")[:8]


def _open(
    truth: Path, seed: int, subscribers: int, first: date, opened_on: date | None
) -> _Operator:
    """The operator of the truth folder, or a new one. Raises OperatorMismatchError."""
    path = truth / "operator.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    opening = date.fromisoformat(kept.get("opened_on", (opened_on or first).isoformat()))
    eve = opening - timedelta(days=1)
    # Earlier versions did not note it; they are refused below.
    through = date.fromisoformat(kept.get("through", kept.get("opened_on", eve.isoformat())))
    if through <= eve:  # it never delivered anything: whatever was begun is begun anew
        shutil.rmtree(truth / "state", ignore_errors=True)
        opening = opened_on or first
        through = opening - timedelta(days=1)
        kept = {}
    operator = _Operator(_VERSION, seed, subscribers, (opened_on or opening).isoformat())
    differing = [
        f"{name} is {kept[name]!r}, asked for {wanted!r}"
        for name, wanted in asdict(operator).items()
        if name in kept and kept[name] != wanted
    ]
    if differing:
        raise OperatorMismatchError(f"{path} is another operator: {'; '.join(differing)}")
    if first < opening:
        raise OperatorMismatchError(f"the operator opened on {opening}, after {first}")
    if first > through + timedelta(days=1):
        missing = through + timedelta(days=1)
        raise OperatorMismatchError(f"{first} does not follow on: simulate from {missing} first")
    return operator


def _keep(truth: Path, operator: _Operator, through: date) -> None:
    """Note who the operator is and through which day its files have been released."""
    truth.mkdir(parents=True, exist_ok=True)
    noted = asdict(operator) | {"through": through.isoformat()}
    unfinished = truth / "operator.json.tmp"
    unfinished.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(truth / "operator.json")
