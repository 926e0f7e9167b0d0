"""Where every dataset lies under `RETENTION_HOME`, and atomic writes.

Here: paths and the one way to put a file in its place. Not here: what the files hold.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
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
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def write_table(self, table: pa.Table, path: Path, mode: int = 0o644) -> None:
        """Write an Arrow table as Parquet, atomically; the same table gives the same bytes."""
        with self.replacing(path, mode) as unfinished:
            pq.write_table(table, unfinished, compression="zstd")

    def write_batches(self, batches: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
        """Write tables of one schema after each other, as `write_table` writes one."""
        with (
            self.replacing(path) as unfinished,
            pq.ParquetWriter(unfinished, schema, compression="zstd") as writer,
        ):
            for batch in batches:
                writer.write_table(batch)

    def write_frame(self, frame: pd.DataFrame, path: Path) -> None:
        """Write a pandas frame as Parquet, atomically, without pandas' own metadata."""
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        self.write_table(table, path)

    @contextmanager
    def replacing_folder(self, path: Path, mode: int = 0o755) -> Iterator[Path]:
        """Yield an unfinished folder; on success it takes `path`'s place whole."""
        unfinished = self.workspace / f"{uuid.uuid4().hex}.writing"
        unfinished.mkdir(mode=mode)
        try:
            yield unfinished
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                unfinished.rename(path)
                return
            # A folder cannot be renamed over a full one: the old one steps aside first.
            replaced = path.rename(unfinished.with_suffix(".replaced"))
            try:
                unfinished.rename(path)
            except OSError:
                replaced.rename(path)
                raise
            shutil.rmtree(replaced, ignore_errors=True)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def sweep(self, older_than_seconds: float = 86_400) -> None:
        """Remove what killed processes left unfinished; spill may hold personal values in clear.

        What is younger may belong to a run that is under way.
        """
        limit = time.time() - older_than_seconds
        for leftover in self.workspace.iterdir():
            if leftover.stat().st_mtime > limit:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
