"""A landing zone and a lake of one's own, to deliver files to and to look at what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.contracts import Feed
from orchestration.lake import Lake
from orchestration.landing.ingest import Keys, ingest
from orchestration.landing.problems import LandingError, load_reasons
from orchestration.landing.receipts import Receipt
from orchestration.settings import DBT_PROJECT_DIR

DAY = date(2025, 3, 1)
KEYS = Keys(token=b"t" * 32, vault=b"v" * 32)
REASONS = load_reasons(DBT_PROJECT_DIR / "seeds")


@dataclass
class Door:
    """The landing engine on folders below `root`."""

    root: Path
    feeds: Mapping[str, Feed]
    threads: int = 2
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake(self.root / "home")

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    def deliver(self, name: str, content: str | bytes | pa.Table) -> Path:
        """Put a file into its feed's folder; the feed is the name up to the date."""
        feed = next(f for f in sorted(self.feeds, key=len, reverse=True) if name.startswith(f))
        path = self.landing / feed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, feed: str, days: Sequence[date] = (DAY,), **options: Any) -> list[Receipt]:
        defaults: dict[str, Any] = {"timezone": "Asia/Shanghai", "memory_limit": "1GB"}
        return ingest(
            self.feeds[feed],
            days,
            self.landing,
            self.lake,
            KEYS,
            reasons=REASONS,
            threads=self.threads,
            **(defaults | options),
        )

    def failure(self, feed: str, days: Sequence[date] = (DAY,)) -> LandingError:
        with pytest.raises(LandingError) as caught:
            self.ingest(feed, days)
        return caught.value

    def raw(self, feed: str, dt: date = DAY) -> list[dict[str, Any]]:
        return self._rows(self.lake.raw(feed, dt))

    def quarantine(self, feed: str, dt: date = DAY) -> list[dict[str, Any]]:
        path = self.lake.quarantine(feed, dt)
        return self._rows(path) if path.exists() else []

    def reasons(self, feed: str, dt: date = DAY) -> list[tuple[int, str | None, str]]:
        """Line, column, reason of each quarantined row."""
        rows = self.quarantine(feed, dt)
        return [(row["source_line"], row["column_name"], row["reason"]) for row in rows]

    def digests(self) -> dict[str, str]:
        """Every file below the home -> the hash of its bytes."""
        files = sorted(path for path in self.lake.home.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.lake.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    @staticmethod
    def _rows(path: Path) -> list[dict[str, Any]]:
        relation = duckdb.sql(f"select * from read_parquet('{path}', hive_partitioning = false)")
        return relation.to_arrow_table().to_pylist()


@pytest.fixture
def door(tmp_path: Path, feeds: Mapping[str, Feed]) -> Door:
    return Door(tmp_path, feeds)
