"""What can be wrong with a delivery, and with a row.

Here: the error of a failed delivery and the labels of quarantine reasons. Not here: finding the
problems.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.landing.receipts import Receipt


@dataclass(frozen=True)
class Label:
    """A code in words."""

    en: str
    zh: str


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be taken in. Never holds a field's value."""

    file: str
    what: str
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line is not None else ""
        column = f"column '{self.column}': " if self.column is not None else ""
        return f"{self.file}: {line}{column}{self.what}"


class FileRejectedError(Exception):
    """One file cannot be taken in; becomes part of a LandingError."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class LandingError(Exception):
    """Some deliveries failed: one line a problem.

    Raised after all good dates of the range were written (`receipts`); the dates of the failed
    files keep the partitions that they had.
    """

    def __init__(self, problems: Sequence[Problem], receipts: Sequence[Receipt] = ()) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
        self.receipts = tuple(receipts)


def load_reasons(seeds: Path) -> Mapping[str, Label]:
    """Quarantine reason -> its labels, from the code tables among the seeds."""
    with (seeds / "codes" / "quarantine_reasons.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["reason"]: Label(row["label_en"], row["label_zh"]) for row in csv.DictReader(file)
        }
