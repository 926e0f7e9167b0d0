"""Writing landing files and telling what was written.

Here: file names, the form of the values, atomic writes, and the summary of an import. Not here:
what a data set means (its importer), reading data sets (`source_files.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Count:
    """How many rows of a data set's file something holds for."""

    source_file: str
    rows: int
    what: str


@dataclass(frozen=True)
class ImportSummary:
    """What an import wrote.

    `files` and `rows` are per feed (a header-only file counts as a file with no rows).
    `set_aside` counts rows or values that were **not** delivered, `observed` what was delivered
    as it stands although it is peculiar; `notes` say what the operator does not have.
    """

    operator: str
    first_dt: date
    last_dt: date
    files: Mapping[str, int]
    rows: Mapping[str, int]
    set_aside: tuple[Count, ...]
    observed: tuple[Count, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Delivery:
    """The files of one feed, before they are written.

    `rows` has one column `dt` (release date) and the feed's columns in order, as text or numbers;
    None, NaN and NaT are empty cells. One file is written for each of `releases`, header-only
    where no row has that `dt`. `key` orders the rows inside a file.
    """

    feed: str
    rows: pd.DataFrame
    releases: pd.DatetimeIndex
    key: tuple[str, ...]


def decimals(hundredths: pd.Series) -> pd.Series:
    """Integer hundredths as text with two decimals: -305 gives "-3.05"."""
    whole, rest = hundredths.abs() // 100, hundredths.abs() % 100
    sign = pd.Series("", index=hundredths.index).mask(hundredths < 0, "-")
    return sign + whole.astype("str") + "." + rest.astype("str").str.zfill(2)


def iso_dates(moments: pd.Series) -> pd.Series:
    """Dates as YYYY-MM-DD, NaT as an empty cell."""
    text: pd.Series = moments.dt.strftime("%Y-%m-%d")
    return text


def iso_months(moments: pd.Series) -> pd.Series:
    """Months as YYYY-MM."""
    text: pd.Series = moments.dt.strftime("%Y-%m")
    return text


def deliver(
    operator: str,
    deliveries: Sequence[Delivery],
    landing: Path,
    set_aside: Sequence[Count],
    observed: Sequence[Count],
    notes: Sequence[str],
) -> ImportSummary:
    """Write every delivery into the landing zone and sum up; counts of nothing are left out."""
    for delivery in deliveries:
        _write(delivery, landing)
    releases = [release for delivery in deliveries for release in delivery.releases]
    return ImportSummary(
        operator=operator,
        first_dt=min(releases).date(),
        last_dt=max(releases).date(),
        files={delivery.feed: len(delivery.releases) for delivery in deliveries},
        rows={delivery.feed: len(delivery.rows) for delivery in deliveries},
        set_aside=tuple(count for count in set_aside if count.rows),
        observed=tuple(count for count in observed if count.rows),
        notes=tuple(notes),
    )


def _write(delivery: Delivery, landing: Path) -> None:
    unreleased = ~delivery.rows["dt"].isin(delivery.releases)
    if unreleased.any():
        raise AssertionError(f"{delivery.feed}: {unreleased.sum()} rows outside the releases")
    folder = landing / delivery.feed
    folder.mkdir(parents=True, exist_ok=True)
    ordered = delivery.rows.sort_values(["dt", *delivery.key], kind="stable")
    values = ordered.drop(columns="dt")
    starts = ordered["dt"].searchsorted(delivery.releases, side="left")
    ends = ordered["dt"].searchsorted(delivery.releases, side="right")
    for release, start, end in zip(delivery.releases, starts, ends, strict=True):
        path = folder / f"{delivery.feed}_{release:%Y%m%d}.csv"
        unfinished = path.with_name(path.name + ".tmp")
        values.iloc[start:end].to_csv(
            unfinished, index=False, encoding="utf-8", lineterminator="\n"
        )
        unfinished.replace(path)
