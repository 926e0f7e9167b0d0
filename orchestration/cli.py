"""The command line: `retention simulate | import | run | status | dev | demo | demo-real`.

Here: options, and what is printed. It only starts what Dagster defines (`runs.py`), the simulator
and the importers.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from orchestration.settings import PROJECT_ROOT, Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Retention Loop: find opportunities, set strategy, act, evaluate.",
)
importers = typer.Typer(no_args_is_help=True, help="Turn a public data set into landing files.")
app.add_typer(importers, name="import")

# Dagster calls two parameters that we use beta; a newcomer need not read that at every command.
warnings.filterwarnings("ignore", message=".*(beta|preview|BackfillPolicies).*")

console = Console(file=sys.stdout, highlight=False)
errors = Console(stderr=True, highlight=False)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


def fail(message: str) -> NoReturn:
    """Say what is wrong and stop."""
    errors.print(f"[bold red]error[/]: {message}", markup=True, soft_wrap=True)
    raise typer.Exit(1)


def read_settings() -> Settings:
    try:
        return Settings.from_environment()
    except (ValueError, ValidationError) as error:
        fail(str(error))


@contextmanager
def progress(title: str) -> Iterator[ProgressLine]:
    """A line that shows the step under way; plain lines where there is no terminal."""
    line = ProgressLine(title)
    started = datetime.now()
    with console.status(title) as status:
        line.update = lambda text: status.update(f"{title}: {text}")
        yield line
    seconds = (datetime.now() - started).total_seconds()
    console.print(f"[green]✓[/] {title} [dim]({seconds:.0f} s)[/]")


class ProgressLine:
    """Callable with the name of a step."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.update = lambda _text: None

    def __call__(self, step: str) -> None:
        self.update(step.replace("__", "/"))


@contextmanager
def failing_clearly() -> Iterator[None]:
    """What a user can mend ends the command with its message alone, not with a traceback."""
    from orchestration.runs import RunFailed

    try:
        yield
    except (RunFailed, ValueError) as error:
        fail(str(error))


@app.command()
def simulate(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"])],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"])],
    subscribers: Annotated[int, typer.Option(min=1)] = 3000,
    seed: int = 7,
    dirt: Annotated[
        str, typer.Option(help="light, heavy or kind=amount,…: known faults, listed in the truth.")
    ] = "",
    outcome_days: Annotated[
        int, typer.Option(min=0, help="Days lived on after the last one, for the truth alone.")
    ] = 187,
) -> None:
    """Write the feeds of a synthetic operator into the landing zone; extend it by a later range."""
    from orchestration.demo import simulate_days

    settings = read_settings()
    with failing_clearly(), progress(f"Simulating {first:%Y-%m-%d} to {last:%Y-%m-%d}") as line:
        summary = simulate_days(
            settings, subscribers, first.date(), last.date(), seed, line, outcome_days, dirt
        )
    console.print(
        f"{sum(summary.rows.values()):,} rows in {summary.files:,} files under {settings.landing_zone}"
    )


@importers.command("megaline")
def import_megaline_command(directory: Path) -> None:
    """Megaline: calls, sessions and messages of 500 subscribers in 2018."""
    from orchestration.demo import describe_import, import_data_set

    settings = read_settings()
    console.print(describe_import(import_data_set("megaline", directory, settings)))


@importers.command("exacaster")
def import_exacaster_command(directory: Path) -> None:
    """Exacaster: a prepaid operator's monthly panel of 2013."""
    from orchestration.demo import describe_import, import_data_set

    settings = read_settings()
    console.print(describe_import(import_data_set("exacaster", directory, settings)))


@app.command()
def run(
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"])] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"])] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"])] = None,
) -> None:
    """Run one day through the loop, or load a range in one run and then its last day.

    A list serves the day after its date, so a range publishes the list of its last day only.
    """
    from orchestration.runs import Runner

    if (day is None) == (first is None) or (first is None) != (last is None):
        fail("give either --date D, or --from D and --to D")
    settings = read_settings()
    target = (day or last or datetime.max).date()
    start = (first or day or datetime.max).date()
    if start > target:
        fail(f"--from {start} is after --to {target}")
    if start < settings.start_date:
        fail(
            f"{start} is before the first day of the clocks, RETENTION_START_DATE={settings.start_date}"
        )
    if target >= settings.today():
        fail(f"{target} has not ended yet in {settings.timezone}")
    with failing_clearly():
        with progress("Preparing") as line:
            runner = Runner(settings, line)
        if start < target:
            with progress(f"Loading {start} to {target - timedelta(days=1)} in one run") as line:
                runner.progress = line
                runner.load(start, target - timedelta(days=1))
        with progress(f"The loop of {target}") as line:
            runner.progress = line
            runner.day(target)
    show_day(settings, target)


@app.command()
def status() -> None:
    """What arrived, what is in quarantine, which models and lists there are."""
    from orchestration.status import feed_status, loop_status, quarantine_status, stray_files

    settings = read_settings()
    for title, table in (
        ("Feeds", feed_status(settings)),
        ("Quarantine", quarantine_status(settings)),
        ("Files in the landing zone that are not loaded", stray_files(settings)),
        ("The loop", loop_status(settings)),
    ):
        print_table(title, table)


@app.command()
def dev(port: int = 3000) -> None:
    """Open the Dagster UI on localhost, with schedules and sensors."""
    from orchestration.runs import prepare_dagster_home

    settings = read_settings()
    prepare_dagster_home(settings)
    os.environ["RETENTION_HOME"] = str(settings.home)
    dagster = Path(sys.executable).with_name("dagster")
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    os.execv(dagster, [str(dagster), "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)])  # noqa: S606


@app.command()
def demo() -> None:
    """The whole loop on a small synthetic operator that answers our lists."""
    from orchestration.demo import run_demo

    with failing_clearly():
        run_demo(read_settings(), progress, console)


@app.command("demo-real")
def demo_real(data: Path) -> None:
    """Ingestion to list on two public data sets, each in a home of its own."""
    from orchestration.demo import run_demo_on_real_data

    with failing_clearly():
        run_demo_on_real_data(read_settings(), data, progress, console)


def print_table(title: str, rows: list[dict[str, object]]) -> None:
    """Rows of equal keys as a table; an empty list says so."""
    if not rows:
        console.print(f"[bold]{title}[/]: none\n")
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(
            name.replace("_", " "), justify="right" if numeric else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(
            *(
                f"{v:,}" if isinstance(v, int) else str(v) if v is not None else ""
                for v in row.values()
            )
        )
    console.print(table)
    console.print()


def show_day(settings: Settings, day: date) -> None:
    """What the loop made of one day, and where it lies."""
    from orchestration.status import day_summary

    print_table(f"The loop of {day}", day_summary(settings, day))


if __name__ == "__main__":
    app()
