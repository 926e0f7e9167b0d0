"""Where every dataset lies under `RETENTION_HOME`, and atomic writes.

Here: paths and the one way to put a file in its place. Not here: what the files hold.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Lake:
    """The folders of one home. Paths only; nothing is created until something is written."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def workspace(self) -> Path:
        """Unfinished files and spill: same filesystem, outside every globbed folder, mode 0700."""
        path = self.home / "tmp"
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def raw(self, feed: str, dt: date) -> Path:
        return self.root / "raw" / feed / f"dt={dt}" / "part.parquet"

    def quarantine(self, feed: str, dt: date) -> Path:
        return self.root / "quarantine" / feed / f"dt={dt}" / "part.parquet"

    def receipt(self, feed: str, dt: date) -> Path:
        return self.root / "receipts" / f"feed={feed}" / f"dt={dt}" / "part.parquet"

    def vault(self, feed: str, dt: date) -> Path:
        return self.home / "vault" / feed / f"dt={dt}" / "part.parquet"

    def vault_quarantine(self, feed: str, dt: date) -> Path:
        return self.home / "vault" / feed / f"dt={dt}" / "quarantine.parquet"

    def loop_day(self, asset: str, dt: date) -> Path:
        return self.root / "loop" / asset / f"dt={dt}" / "part.parquet"

    def loop_month(self, asset: str, month: date) -> Path:
        return self.root / "loop" / asset / f"month={month:%Y-%m}" / "part.parquet"

    def model(self, name: str, month: date) -> Path:
        return self.home / "models" / name / f"month={month:%Y-%m}"

    def published(self, dt: date) -> Path:
        return self.home / "published" / f"dt={dt}"

    @contextmanager
    def replacing(self, path: Path, mode: int = 0o644) -> Iterator[Path]:
        """Yield an unfinished file's path; on success it takes `path`'s place in one step.

        On an error nothing is left behind and `path` stays as it was. The unfinished name does
        not end in `.parquet`, so that no glob reads it.
        """
        unfinished = self.workspace / f"{uuid.uuid4().hex}.writing"
        try:
            yield unfinished
            unfinished.chmod(mode)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def write_table(self, table: pa.Table, path: Path, mode: int = 0o644) -> None:
        """Write an Arrow table as Parquet, atomically; the same table gives the same bytes."""
        with self.replacing(path, mode) as unfinished:
            pq.write_table(table, unfinished, compression="zstd")

    def sweep(self) -> None:
        """Remove what a killed process left unfinished. Call only when no run is under way."""
        for leftover in self.workspace.glob("*.writing"):
            leftover.unlink(missing_ok=True)
