"""One day of the loop on a synthetic operator: how much of it is SQL, Python and orchestration.

`python benchmarks/daily_run.py --subscribers 20000 --history-days 120 [--home FOLDER]`

The history is simulated and loaded in bulk, and its month is learnt, before anything is measured.
The day is run in a fresh process, as `retention run --date` would. Functions are wrapped where they
are called; time in a wrapped function belongs to the innermost one, and what is inside none is
orchestration. With --home the folder is kept, and the next call measures the day after.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.homes import settings_in

STARTED = time.perf_counter()

OPENS = date(2025, 1, 1)
SEED = 7
SQL, PYTHON, ORCHESTRATION = "SQL", "Python", "orchestration"
STEPS_SHOWN = 10

# What is wrapped: kind, name in the report, where the callers look it up.
FUNCTIONS = (
    (PYTHON, "landing: ingest", "orchestration.defs.ingestion.feeds", "ingest"),
    (PYTHON, "Great Expectations", "orchestration.defs.ingestion.feeds", "judge_feed"),
    (PYTHON, "Great Expectations", "orchestration.defs.step1_find.churn", "judge"),
    (PYTHON, "Great Expectations", "orchestration.defs.step3_act.publishing", "judge"),
    (PYTHON, "churn model: load, score", "orchestration.retention.index_model", "load"),
    (PYTHON, "churn model: load, score", "orchestration.retention.index_model", "score"),
    (PYTHON, "decisions", "orchestration.defs.step2_strategy.decisions", "decide"),
    (PYTHON, "lists", "orchestration.retention.lists", "dispatches"),
    (PYTHON, "lists", "orchestration.retention.lists", "work_orders"),
    (PYTHON, "lists", "orchestration.defs.step3_act.publishing", "publish"),
    (PYTHON, "lists", "orchestration.defs.step3_act.publishing", "list_relations"),
)
METHODS = (
    (SQL, "views over the lake", "orchestration.warehouse", "Warehouse", "register"),
    (SQL, "warehouse queries", "orchestration.warehouse", "Warehouse", "table"),
    (PYTHON, "lake: write tables", "orchestration.lake", "Lake", "write_table"),
    (
        ORCHESTRATION,
        "event log",
        "orchestration.event_log",
        "BatchingSqliteEventLogStorage",
        "store_event_batch",
    ),
    (
        ORCHESTRATION,
        "event log",
        "orchestration.event_log",
        "BatchingSqliteEventLogStorage",
        "store_event",
    ),
)


class Meter:
    """Seconds by (kind, name), each moment counted once: for the innermost section open.

    One thread alone is metered, the one that made the meter.
    """

    def __init__(self, began: float) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._open: list[tuple[str, str]] = [(ORCHESTRATION, "Dagster: everything else")]
        self._since = began
        self._thread = threading.get_ident()

    @contextmanager
    def section(self, kind: str, name: str) -> Iterator[None]:
        if threading.get_ident() != self._thread:
            yield
            return
        self.close()
        self._open.append((kind, name))
        try:
            yield
        finally:
            self.close()
            self._open.pop()

    def close(self) -> None:
        """Book the time since the last change on the section open now."""
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def move(self, seconds: float, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Book on `target` what was found to be its part of `source`."""
        self.seconds[source] -= seconds
        self.seconds[target] += seconds

    def wrap(self, owner: Any, attribute: str, kind: str, name: str) -> None:
        """Replace a function or method by one that is metered."""
        original: Callable[..., Any] = getattr(owner, attribute)

        @wraps(original)
        def metered(*args: Any, **kwargs: Any) -> Any:
            with self.section(kind, name):
                return original(*args, **kwargs)

        setattr(owner, attribute, metered)

    def wrap_context(self, owner: Any, attribute: str, kind: str, name: str) -> None:
        """The same for a context manager: opening, the body, and closing."""
        original: Callable[..., Any] = getattr(owner, attribute)

        @contextmanager
        def metered(*args: Any, **kwargs: Any) -> Iterator[Any]:
            # Inside another section of its kind it is a part of that one.
            inner = self._open[-1] if self._open[-1][0] == kind else (kind, name)
            with self.section(*inner), original(*args, **kwargs) as value:
                yield value

        setattr(owner, attribute, metered)


def covered(intervals: list[tuple[float, float]]) -> float:
    """The seconds in which at least one of the intervals runs: threads overlap."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


class DbtMeter:
    """When dbt's nodes ran, and when its threads waited for DuckDB, over all builds."""

    NODES = (SQL, "dbt nodes")
    OVERHEAD = (ORCHESTRATION, "dbt: everything else")

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.node_seconds = 0.0
        self.nodes = 0
        self.queries: list[tuple[float, float]] = []

    def attach(self) -> None:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        from orchestration.dbt_session import DbtSession

        for attribute in ("build", "parse"):
            self.meter.wrap(DbtSession, attribute, *self.OVERHEAD)
        invoke, query = DbtSession._invoke, DuckDBConnectionManager.add_query

        @wraps(invoke)
        def metered_invoke(*args: Any, **kwargs: Any) -> Any:
            answer = invoke(*args, **kwargs)
            self.book(answer.result)
            return answer

        @wraps(query)
        def metered_query(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return query(*args, **kwargs)
            finally:
                self.queries.append((began, time.perf_counter()))

        # The private method, because only dbt's own result says when a node ran.
        setattr(DbtSession, "_invoke", metered_invoke)  # noqa: B010
        setattr(DuckDBConnectionManager, "add_query", metered_query)  # noqa: B010

    def book(self, result: Any) -> None:
        """The wall time of the nodes is SQL; the rest of the build stays overhead."""
        ran = [
            (timing.started_at.timestamp(), timing.completed_at.timestamp())
            for node in getattr(result, "results", ())
            for timing in node.timing
            if timing.name == "execute" and timing.started_at and timing.completed_at
        ]
        self.nodes += len(ran)
        self.node_seconds += sum(end - start for start, end in ran)
        self.meter.move(covered(ran), self.OVERHEAD, self.NODES)


def attach(meter: Meter) -> None:
    """Wrap everything that is listed above."""
    for kind, name, module, attribute in FUNCTIONS:
        meter.wrap(importlib.import_module(module), attribute, kind, name)
    for kind, name, module, owner, attribute in METHODS:
        meter.wrap(getattr(importlib.import_module(module), owner), attribute, kind, name)
    warehouse = importlib.import_module("orchestration.warehouse").Warehouse
    meter.wrap_context(warehouse, "connect", SQL, "warehouse queries")


def prepare(home: Path, subscribers: int, history_days: int) -> date:
    """History simulated, loaded and learnt from; returns the day to measure, which has its files."""
    from orchestration.demo import simulate_days
    from orchestration.runs import Runner

    settings = settings_in(home, OPENS)
    eve = OPENS + timedelta(days=history_days - 1)
    measured = len(list((home / "lake" / "loop" / "decisions").glob("dt=*")))
    day = eve + timedelta(days=1 + measured)
    began = time.perf_counter()
    if not any((settings.landing_zone / "usage_daily").glob(f"*{day:%Y%m%d}*")):
        # From its opening, for the simulator goes on only where an operator stands.
        first = day if (home / "truth" / "operator.json").exists() else OPENS
        simulate_days(settings, subscribers, first, day, SEED)
        report(f"simulated {first} to {day}", began)
    runner = Runner(settings, lambda _: None)
    if not (home / "lake" / "receipts").exists():
        began = time.perf_counter()
        runner.load(OPENS, eve)
        report(f"loaded {OPENS} to {eve} in one run", began)
    if not runner.lake.model("churn", day.replace(day=1)).exists():
        began = time.perf_counter()
        runner.month(day.replace(day=1))
        report(f"learnt for {day:%Y-%m}", began)
    return day


def report(what: str, began: float) -> None:
    print(f"{what}: {time.perf_counter() - began:.0f} s", flush=True)


def measure(home: Path, day: date) -> dict[str, Any]:
    """The day in this process, from its first line on."""
    meter = Meter(STARTED)
    dbt_meter = DbtMeter(meter)
    with meter.section(ORCHESTRATION, "imports"):
        from orchestration import runs

        # Imports what it wraps, and with it Dagster, dbt, pandas and scikit-learn.
        attach(meter)
        dbt_meter.attach()
    with meter.section(ORCHESTRATION, "imports: Great Expectations"):
        # Would be imported by the first judgement of the day, whose time is to be judging alone.
        importlib.import_module("great_expectations")
        importlib.import_module("duckdb_engine")
    with meter.section(ORCHESTRATION, "definitions"):
        runner = runs.Runner(settings_in(home, OPENS), lambda _: None)
    run = runner.day(day)
    meter.close()
    wall = time.perf_counter() - STARTED
    return {
        "wall": wall,
        "parts": [
            {"kind": kind, "name": name, "seconds": seconds}
            for (kind, name), seconds in sorted(meter.seconds.items())
        ],
        "dbt": {
            "nodes": dbt_meter.nodes,
            "node_seconds": dbt_meter.node_seconds,
            "duckdb_seconds": covered(dbt_meter.queries),
        },
        "steps": slowest_steps(run.run_id),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def slowest_steps(run_id: str) -> list[dict[str, Any]]:
    """Dagster's own account of the run: its slowest steps, and the gaps between steps."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        stats = [
            (step.start_time, step.end_time, step.step_key)
            for step in instance.get_run_step_stats(run_id)
            if step.start_time is not None and step.end_time is not None
        ]
    spanned = max(end for _, end, _ in stats) - min(start for start, _, _ in stats)
    gaps = spanned - covered([(start, end) for start, end, _ in stats])
    slowest = sorted(((end - start, key) for start, end, key in stats), reverse=True)
    return [
        *({"step": key, "seconds": seconds} for seconds, key in slowest[:STEPS_SHOWN]),
        {
            "step": f"other steps ({len(slowest[STEPS_SHOWN:])})",
            "seconds": sum(seconds for seconds, _ in slowest[STEPS_SHOWN:]),
        },
        {"step": "gaps between the steps", "seconds": gaps},
    ]


def child(arguments: list[str], folder: Path) -> tuple[dict[str, Any], float]:
    """This file in a process of its own: what it found, and its wall time from start to exit."""
    answer = folder / "answer.json"
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *arguments, "--answer", str(answer)],
        check=True,
        env=os.environ | {"DAGSTER_DISABLE_TELEMETRY": "yes", "DO_NOT_TRACK": "1"},
    )
    return json.loads(answer.read_text(encoding="utf-8")), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscribers", type=int, default=20_000)
    parser.add_argument("--history-days", type=int, default=120)
    parser.add_argument(
        "--home", type=Path, help="kept and used again; default: a folder thrown away"
    )
    # How this file starts itself.
    parser.add_argument("--phase", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--day", type=date.fromisoformat, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase == "prepare":
        day = prepare(options.home, options.subscribers, options.history_days)
        options.answer.write_text(json.dumps({"day": str(day)}), encoding="utf-8")
    elif options.phase == "measure":
        options.answer.write_text(json.dumps(measure(options.home, options.day)), encoding="utf-8")
    else:
        run_phases(options)


def run_phases(options: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(prefix="daily-run-"))
    home = (options.home or folder / "home").resolve()
    size = ["--subscribers", str(options.subscribers), "--history-days", str(options.history_days)]
    try:
        prepared, _ = child(["--phase", "prepare", "--home", str(home), *size], folder)
        load_before = os.getloadavg()[0]
        figures, wall = child(
            ["--phase", "measure", "--home", str(home), "--day", prepared["day"]], folder
        )
    finally:
        shutil.rmtree(folder)
    figures["parts"].append(
        {"kind": ORCHESTRATION, "name": "process start and exit", "seconds": wall - figures["wall"]}
    )
    figures |= {
        "wall": wall,
        "day": prepared["day"],
        "subscribers": options.subscribers,
        "history_days": options.history_days,
        "cores": os.cpu_count(),
        "load_before": load_before,
        "measured_at": datetime.now().isoformat(timespec="seconds"),
    }
    show(figures)


def show(figures: dict[str, Any]) -> None:
    """The table for people, then one line of JSON."""
    wall = figures["wall"]
    print(
        f"\none day ({figures['day']}) after {figures['history_days']} days of"
        f" {figures['subscribers']:,} subscribers: {wall:.1f} s, {figures['peak_mb']:,} MB,"
        f" {figures['cores']} cores, load before {figures['load_before']:.1f}\n"
    )
    for kind in (SQL, PYTHON, ORCHESTRATION):
        parts = sorted(
            ((part["seconds"], part["name"]) for part in figures["parts"] if part["kind"] == kind),
            reverse=True,
        )
        total = sum(seconds for seconds, _ in parts)
        print(f"{kind:<34}{total:>8.1f} s{total / wall:>7.0%}")
        for seconds, name in parts:
            print(f"  {name:<32}{seconds:>8.1f} s{seconds / wall:>7.0%}")
    dbt = figures["dbt"]
    print(
        f"\ndbt: {dbt['nodes']} nodes, {dbt['node_seconds']:.1f} s over its threads;"
        f" {dbt['duckdb_seconds']:.1f} s of the wall in DuckDB\n"
    )
    for step in figures["steps"]:
        print(f"  {step['step']:<46}{step['seconds']:>8.1f} s")
    print(json.dumps(rounded(figures)))


def rounded(value: Any) -> Any:
    """The same with seconds to the hundredth."""
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
