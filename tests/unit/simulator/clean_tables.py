"""The tables behind an operator's clean landing files, read back typed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from orchestration.simulator.feeds import SCHEMAS


def clean_tables(landing: Path, feed: str) -> Iterator[tuple[date, pa.Table]]:
    """Each file's date and rows, in the order of dates."""
    schema = SCHEMAS[feed]
    for path in sorted((landing / feed).iterdir()):
        day = datetime.strptime(path.stem[-8:], "%Y%m%d").date()
        if path.suffix == ".parquet":
            yield day, pq.ParquetFile(path).read().cast(schema)
            continue
        options = pacsv.ConvertOptions(
            column_types=schema, strings_can_be_null=True, null_values=[""]
        )
        parse = pacsv.ParseOptions(newlines_in_values=True)
        yield (
            day,
            pacsv.read_csv(path, convert_options=options, parse_options=parse).cast(schema),
        )
