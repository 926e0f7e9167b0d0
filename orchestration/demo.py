"""The demonstrations: a synthetic operator that answers our lists, and two public data sets.

Here: in which order things are started, and what is printed. Not here: what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from orchestration.cli import print_table, show_day
from orchestration.lake import Lake
from orchestration.retention.effects import ALL_CYCLES
from orchestration.settings import Settings
from orchestration.status import feed_status, loop_status, quarantine_status
from orchestration.terminal import Progress

ProgressBlock = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class DemoPlan:
    """How big the synthetic demonstration is. Sized so that it ends within minutes on two cores."""

    subscribers: int = 3000
    seed: int = 7
    opens: date = date(2025, 4, 1)
    first_list: date = date(2025, 10, 25)
    cycles: int = 3
    evaluated_in: date = date(2025, 12, 1)


def simulate_days(
    settings: Settings,
    subscribers: int,
    first: date,
    last: date,
    seed: int,
    on_day: Callable[[str], None] | None = None,
    outcome_days: int = 0,
    dirt: str = "",
) -> Any:
    """Write the synthetic operator's feeds of these days; it answers the lists published so far."""
    from orchestration.simulator import simulate

    def told(day: date, region: int, regions: int) -> None:
        if on_day:
            on_day(f"{day}" if regions == 1 else f"region {region + 1} of {regions}, {day}")

    return simulate(
        subscribers=subscribers,
        first=first,
        last=last,
        seed=seed,
        landing=settings.landing_zone,
        truth=settings.home / "truth",
        published=settings.home / "published",
        on_day=told,
        outcome_days=outcome_days,
        dirt=dirt,
    )


def import_data_set(name: str, directory: Path, settings: Settings) -> Any:
    """Turn a public data set into landing files. Raises ValueError for a fault of its files."""
    from orchestration.importers import import_exacaster, import_megaline

    importer = {"megaline": import_megaline, "exacaster": import_exacaster}[name]
    return importer(directory, settings.landing_zone)


def describe_import(summary: Any) -> str:
    """What an import wrote, what it set aside and what the operator does not have."""
    lines = [
        f"{rows:,} rows of {feed} in {summary.files[feed]:,} files"
        for feed, rows in summary.rows.items()
    ]
    lines += [
        f"set aside: {count.rows:,} {count.what} ({count.source_file})"
        for count in summary.set_aside
    ]
    lines += [
        f"as it is: {count.rows:,} {count.what} ({count.source_file})" for count in summary.observed
    ]
    return "\n".join([*lines, *summary.notes])


def run_demo(settings: Settings, progress: ProgressBlock, console: Console) -> None:
    """History in bulk, daily cycles whose lists are answered, and the effect that is measured."""
    plan = DemoPlan()
    home = settings.home
    console.print(
        f"A synthetic operator with {plan.subscribers:,} subscribers, seed {plan.seed}, under {home}"
    )
    from orchestration.runs import Runner

    eve = plan.first_list - timedelta(days=1)
    with progress("Simulating the history") as line:
        simulate_days(settings, plan.subscribers, plan.opens, eve, plan.seed, line)
    with progress("Preparing Dagster and dbt") as line:
        runner = Runner(settings, line)
    with progress(f"Loading {plan.opens} to {eve} in one run") as line:
        runner.progress = line
        runner.load(plan.opens, eve)
    for day in (plan.first_list + timedelta(days=n) for n in range(plan.cycles)):
        with progress(f"{day}: the field answers yesterday's list, and the loop turns") as line:
            simulate_days(settings, plan.subscribers, day, day, plan.seed)
            runner.progress = line
            runner.day(day)
    after = plan.first_list + timedelta(days=plan.cycles)
    last = plan.evaluated_in - timedelta(days=1)
    with progress(f"{after} to {last}: the field works the lists, time passes") as line:
        simulate_days(settings, plan.subscribers, after, last, plan.seed, line)
        runner.progress = line
        runner.load(after, last)
    with progress(f"Evaluating for {plan.evaluated_in:%B %Y}") as line:
        runner.progress = line
        runner.month(plan.evaluated_in)

    console.print()
    print_table("What arrived", feed_status(settings))
    print_table("Quarantine", quarantine_status(settings))
    show_day(settings, plan.first_list + timedelta(days=plan.cycles - 1))
    print_table("The loop so far", loop_status(settings))
    print_table("What the lists changed", effect_rows(settings, plan.evaluated_in))
    console.print(
        f"Look at  [bold]{home}/published[/]            the lists of each branch (CSV opens in Excel)\n"
        f"         [bold]{home}/lake[/]                 raw feeds, quarantine, decisions, effects (Parquet)\n"
        f"         [bold]{home}/warehouse.duckdb[/]     the marts\n"
        "         [bold]make dev[/]                     the asset graph in the Dagster UI\n"
        "         [bold].venv/bin/retention status[/]   what arrived, quarantine, models and lists"
    )


def effect_rows(settings: Settings, month: date) -> list[dict[str, Any]]:
    """The measured effects, in the words of a summary."""
    path = Lake(settings.home).loop_month("effects", month)
    rows = []
    for effect in pq.read_table(path, partitioning=None).to_pylist():
        if effect["cycle"] == ALL_CYCLES:
            continue  # The demonstration has one cycle; all of them together say the same.
        known = effect["difference_pp"] is not None
        rows.append(
            {
                "outcome": effect["outcome"],
                "cycle": effect["cycle"],
                "against": effect["control_arm"].lower(),
                "treated": f"{effect['treated_churners']} of {effect['treated']}",
                "control": f"{effect['control_churners']} of {effect['control']}",
                "difference_pp": (
                    f"{effect['difference_pp']:+.2f} [{effect['lower_pp']:+.2f}, {effect['upper_pp']:+.2f}]"
                    if known
                    else "unknown"
                ),
                "needed_per_arm": effect["required_per_arm"],
                "verdict": effect["verdict"],
                "why": effect["reason"],
            }
        )
    return rows


@dataclass(frozen=True)
class PublicDataSet:
    """A public data set, the folder it lies in, and the day whose list is made."""

    name: str
    folder: str
    start: date
    list_day: date


PUBLIC_DATA_SETS = (
    PublicDataSet("megaline", "megaline", date(2018, 1, 1), date(2018, 12, 31)),
    # Its only outcomes are the exits of September 2013: mature for the model of November.
    PublicDataSet("exacaster", "exacaster_panel", date(2013, 6, 1), date(2013, 11, 1)),
)


def run_demo_on_real_data(
    settings: Settings, data: Path, progress: ProgressBlock, console: Console
) -> None:
    """Ingestion to list on each public data set, with what its operator lacks said."""
    from orchestration.runs import Runner

    for data_set in PUBLIC_DATA_SETS:
        home = settings.home / "real" / data_set.name
        own = settings.model_copy(
            update={
                "home": home,
                "landing": None,
                "start_date": data_set.start,
                "policy_overrides": DEMO_OVERRIDES | settings.policy_overrides,
            }
        )
        console.rule(f"[bold]{data_set.name}")
        with progress(f"Importing {data / data_set.folder}"):
            summary = import_data_set(data_set.name, data / data_set.folder, own)
        console.print(describe_import(summary))
        console.print(f"policy overrides: {own.policy_overrides}")
        with progress("Preparing Dagster and dbt") as line:
            runner = Runner(own, line)
        eve = data_set.list_day - timedelta(days=1)
        with progress(f"Loading {data_set.start} to {eve} in one run") as line:
            runner.progress = line
            runner.load(data_set.start, eve)
        with progress(f"The loop of {data_set.list_day}") as line:
            runner.progress = line
            runner.day(data_set.list_day)
        arrived = feed_status(own)
        print_table("What arrived", [row for row in arrived if row["days_arrived"]])
        absent = [row["feed"] for row in arrived if not row["days_arrived"]]
        console.print(f"Feeds that this operator does not have: {', '.join(absent)}\n")
        print_table("Quarantine", quarantine_status(own))
        show_day(own, data_set.list_day)
        print_table("The loop", loop_status(own))


# These operators deliver no consents, and their exits are told by events alone.
DEMO_OVERRIDES = {"consent_when_feed_absent": "ALLOW", "source": "EVENTS_ONLY"}
