"""The progress of a run on the terminal.

Here: a Dagster logger that hands the start of each step to a callback. Not here: what is printed
(`cli.py`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

TERMINAL_LOGGER = "terminal"

Progress = Callable[[str], None]

_TERMINAL = logging.Logger(TERMINAL_LOGGER)


@contextmanager
def progress_of_steps(progress: Progress) -> Iterator[None]:
    """Call `progress` with the name of every step that starts, while the block runs."""
    handler = _StepStarts(progress)
    _TERMINAL.addHandler(handler)
    try:
        yield
    finally:
        _TERMINAL.removeHandler(handler)


class _StepStarts(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is not None and event.event_type_value == "STEP_START":
            self.progress(event.step_key)


_TERMINAL = logging.Logger("terminal")


@dg.logger(None, description="Hands the start of each step to the command line's progress.")
def terminal_logger(_: dg.InitLoggerContext) -> logging.Logger:
    return _TERMINAL
