"""One day of `usage_daily` through the landing engine, against DuckDB reading and rewriting it.

`python benchmarks/ingestion.py --rows 1000000 [--gx]`

Every measurement runs in a process of its own, for its own peak memory. DuckDB alone checks
nothing and counts nothing; the ratio is what types, rules, duplicates, conservation and order cost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median

import duckdb
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from orchestration.contracts import Feed
from orchestration.lake import Lake
from orchestration.landing.ingest import Keys, ingest
from orchestration.landing.problems import load_reasons
from orchestration.settings import DBT_PROJECT_DIR, Settings

FEED = "usage_daily"
DAYS = {"parquet": date(2025, 3, 1), "csv": date(2025, 3, 2)}
MAX_RATIO = 5.0
MAX_PEAK_MB = 2048


@dataclass(frozen=True)
class Task:
    """What a measuring process needs to know."""

    feed: Feed
    folder: Path
    file_format: str
    memory_limit: str
    threads: int

    @property
    def dt(self) -> date:
        return DAYS[self.file_format]

    @property
    def file(self) -> Path:
        return self.folder / "landing" / FEED / f"{FEED}_{self.dt:%Y%m%d}.{self.file_format}"

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "home")


@dataclass(frozen=True)
class Measured:
    seconds: float
    peak_mb: int


def generate(task: Task, rows: int) -> None:
    """A day of usage of all subscribers, every column of the contract filled."""
    expressions = []
    for position, column in enumerate(task.feed.columns):
        if column.name == "subscriber_id":
            value = "printf('S%09d', i)"
        elif column.data_type == "date":
            value = f"date '{task.dt}'"
        elif column.data_type == "varchar":
            value = "printf('%08d', hash(i) % 5000)"
        elif column.data_type == "bigint":
            value = f"(hash(i + {position}) % 100)::bigint"
        else:
            value = f"((hash(i * 31 + {position}) % 1000000) / 1000.0)::{column.data_type}"
        expressions.append(f"{value} as {column.name}")
    task.file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"copy (select {', '.join(expressions)} from range({rows}) t(i))"
            f" to '{task.file}' (format {task.file_format})"
        )


def rewrite(task: Task) -> None:
    """DuckDB alone: the same file to Parquet."""
    reader = "read_parquet" if task.file_format == "parquet" else "read_csv"
    config = {"threads": task.threads, "memory_limit": task.memory_limit}
    with duckdb.connect(config=config) as connection:
        connection.execute("set enable_progress_bar = false")
        target = task.folder / "rewritten.parquet"
        connection.execute(f"copy (from {reader}('{task.file}')) to '{target}' (format parquet)")


def land(task: Task) -> None:
    """The landing engine: checked, counted, written."""
    (receipt,) = ingest(
        task.feed,
        [task.dt],
        task.folder / "landing",
        task.lake,
        Keys(token=b"t" * 32, vault=b"v" * 32),
        "Asia/Shanghai",
        load_reasons(DBT_PROJECT_DIR / "seeds"),
        task.memory_limit,
        task.threads,
    )
    assert receipt.is_conserved
    assert receipt.kept == receipt.records


def judge(task: Task) -> None:
    """Great Expectations on the partition that `land` wrote."""
    from orchestration.quality import judge_feed

    judge_feed(task.feed, [task.dt], task.lake)


def _measure(
    work: Callable[[Task], None], task: Task, results: multiprocessing.Queue[Measured]
) -> None:
    began = time.perf_counter()
    work(task)
    seconds = time.perf_counter() - began
    results.put(Measured(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    results.close()
    results.join_thread()
    os._exit(0)  # Nothing is left to do but a noisy farewell of the libraries.


def measure(work: Callable[[Task], None], task: Task, repeat: int) -> Measured:
    """Median seconds and highest peak of `repeat` fresh processes."""
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(repeat):
        results = context.Queue()
        process = context.Process(target=_measure, args=(work, task, results))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{work.__name__} failed")
        runs.append(results.get())
    return Measured(median(run.seconds for run in runs), max(run.peak_mb for run in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--gx", action="store_true", help="also time Great Expectations")
    options = parser.parse_args()
    # Only here: the measuring processes import this file too, and need no Dagster.
    from orchestration.installation import Installation

    folder = Path(tempfile.mkdtemp(prefix="ingestion-"))
    try:
        feed = Installation(
            Settings(home=folder / "project", secret_key=SecretStr("benchmark"))
        ).feeds[FEED]
        report = {}
        for file_format in DAYS:
            task = Task(feed, folder, file_format, options.memory_limit, options.threads)
            generate(task, options.rows)
            report[file_format] = _compare(task, options.repeat, with_gx=options.gx)
    finally:
        shutil.rmtree(folder)
    _print(report, options)


def _compare(task: Task, repeat: int, *, with_gx: bool) -> dict[str, object]:
    alone = measure(rewrite, task, repeat)
    ours = measure(land, task, repeat)
    figures: dict[str, object] = {
        "file_mb": round(task.file.stat().st_size / 1e6),
        "duckdb": asdict(alone),
        "landing": asdict(ours),
        "ratio": round(ours.seconds / alone.seconds, 2),
        "is_within_targets": ours.seconds <= MAX_RATIO * alone.seconds
        and ours.peak_mb < MAX_PEAK_MB,
    }
    if with_gx:
        figures["great_expectations"] = asdict(measure(judge, task, 1))
    return figures


def _print(report: dict[str, dict[str, object]], options: argparse.Namespace) -> None:
    print(f"one day of {FEED}, {options.rows:,} rows, {options.threads} threads")
    print(f"{'format':<10}{'duckdb s':>10}{'landing s':>11}{'ratio':>8}{'peak MB':>9}{'gx s':>7}")
    for file_format, figures in report.items():
        alone, ours = figures["duckdb"], figures["landing"]
        gx = figures.get("great_expectations")
        assert isinstance(alone, dict)
        assert isinstance(ours, dict)
        gx_seconds = f"{gx['seconds']:.1f}" if isinstance(gx, dict) else "-"
        print(
            f"{file_format:<10}{alone['seconds']:>10.2f}{ours['seconds']:>11.2f}"
            f"{figures['ratio']:>8}{ours['peak_mb']:>9}{gx_seconds:>7}"
        )
    print(json.dumps({"rows": options.rows, "threads": options.threads} | report))


if __name__ == "__main__":
    main()
