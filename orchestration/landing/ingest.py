"""Landing files of one feed into raw partitions, quarantine, vault and receipts.

Here: the interface: which dates go through one pass, the DuckDB that they go through. Not here:
the pass itself (`passes.py`), what it leaves on disk (`partitions.py`).

Many small dates go through one pass; each date's partition depends on its files alone, so the
bytes are the same however the dates are grouped.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration.contracts import Feed
from orchestration.lake import Lake
from orchestration.landing.partitions import Partitions
from orchestration.landing.passes import Pass
from orchestration.landing.personal import bind_placeholder_names, bind_token_key
from orchestration.landing.problems import Label, LandingError, Problem
from orchestration.landing.receipts import Receipt
from orchestration.landing.releases import Release, scan

PASS_BYTES = 256 * 1024 * 1024
# How much longer text is than its gzip file, roughly: decides only how many dates make a pass.
_GZIP_RATIO = 6


@dataclass(frozen=True)
class Keys:
    """The token key and the vault key (32 bytes each)."""

    token: bytes = field(repr=False)
    vault: bytes = field(repr=False)


def ingest(
    feed: Feed,
    days: Sequence[date],
    landing: Path,
    lake: Lake,
    keys: Keys,
    timezone: str,
    reasons: Mapping[str, Label],
    memory_limit: str,
    threads: int,
    on_progress: Callable[[Receipt], None] | None = None,
    placeholder_names: Collection[str] = (),
) -> list[Receipt]:
    """Take in a feed's files of some release dates; one receipt a date, in order.

    Replaces what an earlier run wrote for these dates; a date without a file loses its partition
    and gets a receipt that says so. The same files give the same bytes.
    Raises LandingError after all good dates were written; a date with a file that cannot be taken
    in keeps what it had.
    """
    releases = scan(landing, feed.name).releases
    problems: list[Problem] = []
    receipts: list[Receipt] = []
    dates = sorted(set(days))
    with _session(
        feed, lake, keys, placeholder_names, reasons, memory_limit, threads
    ) as connection:
        for group in _passes([releases.get(dt) or Release(feed.name, dt, ()) for dt in dates]):
            intake = Pass(feed, timezone, connection)
            partitions = Partitions(feed, lake, keys.vault, connection)
            for receipt in partitions.write(intake.run(group)):
                receipts.append(receipt)
                if on_progress:
                    on_progress(receipt)
            problems += intake.problems
    if problems:
        raise LandingError(problems, receipts)
    return receipts


@contextmanager
def _session(
    feed: Feed,
    lake: Lake,
    keys: Keys,
    placeholder_names: Collection[str],
    reasons: Mapping[str, Label],
    memory_limit: str,
    threads: int,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private DuckDB in memory; it spills into a folder that only its owner can read."""
    spill = lake.workspace / f"{uuid.uuid4().hex}.spill"
    spill.mkdir(mode=0o700)
    try:
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "TimeZone": "UTC",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("set enable_progress_bar = false")
            connection.execute("create temp table reasons (reason varchar, en varchar, zh varchar)")
            labels = [[name, label.en, label.zh] for name, label in reasons.items()]
            if labels:
                connection.executemany("insert into reasons values ($1, $2, $3)", labels)
            bind_placeholder_names(connection, placeholder_names)
            if feed.has_personal_data:
                bind_token_key(connection, keys.token)
            try:
                yield connection
            except duckdb.Error as error:
                if not feed.has_personal_data:
                    raise
                # DuckDB's own message may quote a value.
                raise RuntimeError(f"{feed.name}: DuckDB failed ({type(error).__name__})") from None
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _passes(releases: Sequence[Release]) -> Iterator[list[Release]]:
    """Consecutive dates, as many as PASS_BYTES hold (at least one)."""
    group: list[Release] = []
    size = 0
    for release in releases:
        release_bytes = sum(map(_text_bytes, release.files))
        if group and size + release_bytes > PASS_BYTES:
            yield group
            group, size = [], 0
        group.append(release)
        size += release_bytes
    if group:
        yield group


def _text_bytes(path: Path) -> int:
    try:
        return path.stat().st_size * (_GZIP_RATIO if path.suffix == ".gz" else 1)
    except OSError:
        return 0
