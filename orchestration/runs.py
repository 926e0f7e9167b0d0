"""Starting what Dagster defines, in this process, on the installation's own instance.

Here: the Dagster home, one run at a time, and its progress on the terminal. Not here: the command
line's options (`cli.py`) and what a run does (`defs/`).
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import DagsterRun

from orchestration.defs.automation import DAILY_LOOP, LOAD_FEEDS, MONTHLY_LEARNING, range_tags
from orchestration.lake import Lake
from orchestration.settings import Settings
from orchestration.terminal import TERMINAL_LOGGER, Progress, progress_of_steps

DAGSTER_CONFIG = Path(__file__).with_name("dagster.yaml")
EVENT_BATCH_SIZE = 500


class RunFailed(RuntimeError):
    """A run ended red; the message names the steps and why."""


def prepare_dagster_home(settings: Settings) -> Path:
    """The instance's folder under the home, with this project's configuration (no telemetry)."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    text = DAGSTER_CONFIG.read_text(encoding="utf-8").replace("{dagster_home}", str(home))
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_EVENT_BATCH_SIZE"] = str(EVENT_BATCH_SIZE)
    return home


class Runner:
    """Starts jobs of one installation and waits for them."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        from orchestration.definitions import build_defs

        self.settings = settings
        self.lake = Lake(settings.home)
        self.progress = progress
        self.lake.sweep()
        prepare_dagster_home(settings)
        self.defs = build_defs(settings)

    def load(self, first: date, last: date) -> DagsterRun:
        """Feeds and marts of a range of days, in one run."""
        return self._run(LOAD_FEEDS, tags=range_tags(first, last))

    def day(self, day: date) -> DagsterRun:
        """The daily loop of one day, after the learning of its month where that is missing."""
        month = day.replace(day=1)
        if not self.lake.model("churn", month).exists():
            self.month(month)
        return self._run(DAILY_LOOP, partition_key=day.isoformat())

    def month(self, month: date) -> DagsterRun:
        """The learning of one month."""
        return self._run(MONTHLY_LEARNING, partition_key=month.isoformat())

    def _run(self, job_name: str, **options: Any) -> DagsterRun:
        job = self.defs.resolve_job_def(job_name)
        with (
            dg.DagsterInstance.get() as instance,
            progress_of_steps(self.progress),
            # dbt's lines belong into Dagster's log of the step, not between ours.
            contextlib.redirect_stdout(io.StringIO()),
        ):
            result = job.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {TERMINAL_LOGGER: {}}},
                **options,
            )
        if not result.success:
            raise RunFailed("\n".join(failures(result)) or f"{job_name} failed")
        return result.dagster_run


def failures(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """One line for each failed step and each failed check, in the order of the run."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            metadata = event.step_failure_data.user_failure_data
            why = (metadata.description if metadata else None) or (error.message if error else "")
            yield f"{event.step_key}: {(why or '').strip()}"
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
                yield f"{check.asset_key.to_user_string()}: check {check.check_name} failed: {check.description or ''}"
