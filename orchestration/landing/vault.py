"""The vault: clear personal values, encrypted on disk.

Here: writing and reading encrypted Parquet (AES-GCM, footer and all columns under one key). Not
here: what goes into it (`ingest.py`), tokens (`personal.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from orchestration.lake import Lake

MODE = 0o600
ROW_GROUP_ROWS = 122_880


def read_vault(path: Path, key: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The clear rows of a vault file. Raises OSError for a wrong key."""
    with _open(path, key) as file:
        return file.read(columns=list(columns) if columns is not None else None)


def write_vault(lake: Lake, path: Path, key: bytes, rows: pa.RecordBatchReader) -> None:
    """Write rows in their order, mode 0600, atomically.

    Encryption makes different bytes each time, so a file that already holds the same rows stays.
    """
    with lake.replacing(path, MODE) as unfinished:
        unfinished.touch(MODE)
        properties = pe.create_encryption_properties(key)
        with pq.ParquetWriter(
            unfinished, rows.schema, compression="zstd", encryption_properties=properties
        ) as writer:
            for group in _row_groups(rows):
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        if path.exists() and _holds_same(path, unfinished, key):
            shutil.copyfile(path, unfinished)


def _row_groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Groups of the same size whatever the batches, so that two files can be compared by group."""
    waiting = pa.Table.from_batches([], rows.schema)
    for batch in rows:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while waiting.num_rows >= ROW_GROUP_ROWS:
            yield waiting.slice(0, ROW_GROUP_ROWS)
            waiting = waiting.slice(ROW_GROUP_ROWS)
    if waiting.num_rows:
        yield waiting


def _holds_same(one: Path, other: Path, key: bytes) -> bool:
    try:
        with _open(one, key) as a, _open(other, key) as b:
            return (
                a.schema_arrow == b.schema_arrow
                and a.num_row_groups == b.num_row_groups
                and all(
                    a.read_row_group(i).equals(b.read_row_group(i)) for i in range(a.num_row_groups)
                )
            )
    except (OSError, pa.ArrowException):
        # Written under another key, or damaged: the new file replaces it.
        return False


def _open(path: Path, key: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(path, decryption_properties=pe.create_decryption_properties(key))
