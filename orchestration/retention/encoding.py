"""Columns of any table as the numbers that the learner's models read.

Here: which columns are numbers and which are names, levels, and what stands for unknown. Not here:
scales and bins, which belong to the model that wants them (`additive.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

# The code of a level that training has not seen, and that of an unknown one.
UNSEEN, UNKNOWN = 0, 1


@dataclass(frozen=True)
class Encoding:
    """The columns of a trained model, in the order in which a matrix has them.

    `numeric` come first, then `categorical`. `levels`: column -> its levels in the training rows,
    sorted; the n-th has the code n + 2. `shown`: column -> the codes frequent enough for a model
    that has no way of its own with rare levels.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    shown: Mapping[str, tuple[int, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.numeric + self.categorical


def learn_encoding(rows: pd.DataFrame, columns: Sequence[str], min_level_rows: int) -> Encoding:
    """What the columns hold, as far as these rows show; labels are not looked at.

    Numbers, booleans and text that is a number wherever it is not blank are numeric; any other text
    is categorical. Columns of one value, and names of which most come once (identifiers), are left
    out: they cannot tell rows apart, or tell each row from all others.
    """
    numeric, categorical = [], []
    levels: dict[str, tuple[str, ...]] = {}
    shown: dict[str, tuple[int, ...]] = {}
    for name in columns:
        numbers = _numbers(rows[name])
        if numbers is not None:
            known = numbers[~np.isnan(numbers)]
            # Where a value is known for some only, its absence still may not tell: it is about our
            # data. But a number that some have and others cannot have is told by the value itself.
            if len(known) and np.ptp(known) > 0:
                numeric.append(name)
            continue
        text = _text(rows[name])
        counts = text.value_counts().sort_index()
        if len(counts) + bool(text.isna().any()) < 2 or len(counts) > len(text) / 2:
            continue
        categorical.append(name)
        levels[name] = tuple(str(level) for level in counts.index)
        frequent = np.flatnonzero(counts.to_numpy() >= min_level_rows) + 2
        is_often_unknown = int(text.isna().sum()) >= min_level_rows
        shown[name] = (UNKNOWN,) * is_often_unknown + tuple(int(code) for code in frequent)
    return Encoding(tuple(numeric), tuple(categorical), levels, shown)


def encode(encoding: Encoding, rows: pd.DataFrame) -> Floats:
    """rows x columns: numbers as they are, unknown = NaN; categories as their codes.

    A value that is no number in a numeric column is unknown, and so is an infinite one. Raises
    ValueError for a missing column.
    """
    missing = [name for name in encoding.columns if name not in rows.columns]
    if missing:
        raise ValueError(f"rows lack {', '.join(missing)}")
    matrix = np.empty((len(rows), len(encoding.columns)))
    for position, name in enumerate(encoding.numeric):
        numbers = _numbers(rows[name])
        if numbers is None:
            numbers = _plain(pd.to_numeric(_text(rows[name]), errors="coerce"))
        matrix[:, position] = numbers
    for position, name in enumerate(encoding.categorical, len(encoding.numeric)):
        text = _text(rows[name])
        codes = pd.Categorical(text, categories=list(encoding.levels[name])).codes.astype(int) + 2
        codes[codes == 1] = UNSEEN
        codes[text.isna().to_numpy()] = UNKNOWN
        matrix[:, position] = codes
    return matrix


def indicators(encoding: Encoding, matrix: Floats) -> Floats:
    """rows x shown levels of all categorical columns: 1 where the row has the level, else 0."""
    parts = [
        (matrix[:, position, np.newaxis] == np.asarray(encoding.shown[name])).astype(np.float64)
        for position, name in enumerate(encoding.categorical, len(encoding.numeric))
    ]
    return np.hstack([np.empty((len(matrix), 0)), *parts])


def indicator_columns(encoding: Encoding) -> npt.NDArray[np.int64]:
    """The position of the column that each column of `indicators` is made from."""
    start = len(encoding.numeric)
    counts = [len(encoding.shown[name]) for name in encoding.categorical]
    return np.repeat(np.arange(start, start + len(counts)), counts).astype(np.int64)


def _numbers(values: pd.Series) -> Floats | None:
    """The values as doubles, unknown = NaN; None where they are names."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(values):
        days = (values - pd.Timestamp("1970-01-01", tz=values.dt.tz)) / pd.Timedelta(days=1)
        return _plain(days)
    if pd.api.types.is_numeric_dtype(values):
        return _plain(values)
    if not pd.api.types.is_string_dtype(values):
        # Booleans with nulls and decimals, as a database hands them over.
        try:
            return _plain(pd.to_numeric(values))
        except (TypeError, ValueError):
            values = values.astype("str")
    text = _text(values)
    numbers = pd.to_numeric(text, errors="coerce")
    if (numbers.isna() & text.notna()).any():
        return None
    return _plain(numbers)


def _plain(values: pd.Series) -> Floats:
    if values.dtype == np.float64:
        numbers = values.to_numpy()
    else:
        numbers = values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _text(values: pd.Series) -> pd.Series:
    """Names without blanks around; an empty one is unknown."""
    text = values.astype("str").str.strip()
    return text.mask(text == "")
