"""Reading a public data set's CSV files, strictly.

Here: finding the files, naming what is missing, and parsing columns so that every error names
file, column and line, never a value (some of the values are people's names). Not here: what the
columns mean (the importer of the data set).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

HEADER_LINES = 1


class SourceError(ValueError):
    """A data set's file that cannot be imported; the message names file, column and line."""


def locate(source: Path, folder: str, files: Sequence[str]) -> Path:
    """The folder that holds `files`: `source` itself or its subfolder `folder`.

    Raises SourceError naming every file that is missing.
    """
    candidates = [source, source / folder]
    found = max(candidates, key=lambda path: sum((path / name).is_file() for name in files))
    missing = [name for name in files if not (found / name).is_file()]
    if missing:
        raise SourceError(
            f"{', '.join(missing)}: no such file in {' or '.join(str(path) for path in candidates)}"
        )
    return found


def read_text(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of a CSV file (UTF-8, comma), verbatim as text; "" where a cell is empty.

    The index counts the rows from 0, so that `index + 2` is the line in the file. Columns that are
    not named are ignored. Raises SourceError for a missing column, a line with too many or too few
    fields, and bytes that are not UTF-8.
    """
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        header = [name.strip() for name in file.readline().rstrip("\r\n").split(",")]
    missing = [name for name in columns if name not in header]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise SourceError(f"{path.name}: line 1: column {names} is missing")
    broken: list[pa_csv.InvalidRow] = []

    def remember(row: pa_csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    try:
        table = pa_csv.read_csv(
            path,
            # Line numbers of broken rows are only known when one thread reads.
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=header, skip_rows=HEADER_LINES
            ),
            parse_options=pa_csv.ParseOptions(
                ignore_empty_lines=False, invalid_row_handler=remember
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                include_columns=list(columns),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        # The reader's own message may quote the line, and with it a name.
        raise SourceError(f"{path.name}: not a CSV file in UTF-8 with commas") from error
    if broken:
        first = broken[0]
        raise SourceError(
            f"{path.name}: line {first.number}: {first.actual_columns} fields where the header has "
            f"{first.expected_columns} ({len(broken)} such lines)"
        )
    rows: pd.DataFrame = table.to_pandas()
    return rows


def dates(text: pd.Series, file: str, optional: bool = False) -> pd.Series:
    """Dates written MM/DD/YYYY or YYYY-MM-DD; NaT for an empty cell of an optional column."""
    text = text.str.strip()
    parsed = pd.to_datetime(text, format="%m/%d/%Y", errors="coerce")
    parsed = parsed.fillna(pd.to_datetime(text, format="%Y-%m-%d", errors="coerce"))
    refuse(parsed.isna() & ~((text == "") & optional), text, file, "is not a date")
    return parsed


def integers(text: pd.Series, file: str) -> pd.Series:
    """Whole numbers as int64."""
    number = pd.to_numeric(text, errors="coerce").astype("float64")
    # NaN and infinity leave a remainder that is not zero.
    refuse(number % 1 != 0, text, file, "is not a whole number")
    return number.astype("int64")


def hundredths(text: pd.Series, file: str) -> pd.Series:
    """Numbers with up to two decimals as int64 hundredths, so that sums are exact."""
    scaled = pd.to_numeric(text, errors="coerce").astype("float64") * 100
    # NaN and infinity are not close to anything.
    exact = (scaled - scaled.round()).abs() <= 1e-6
    refuse(~exact, text, file, "is not a number with up to two decimals")
    return scaled.round().astype("int64")


def at_least_zero(number: pd.Series, file: str) -> pd.Series:
    """The numbers themselves; raises SourceError where one is negative."""
    refuse(number < 0, number, file, "is negative")
    return number


def refuse(bad: pd.Series, column: pd.Series, file: str, problem: str) -> None:
    """Raise SourceError for the first row where `bad` holds; `column` gives name and index."""
    if bad.any():
        line = int(bad.index.to_numpy()[bad.to_numpy()][0]) + HEADER_LINES + 1
        raise SourceError(
            f"{file}: line {line}: column '{column.name}' {problem} ({int(bad.sum())} such rows)"
        )
