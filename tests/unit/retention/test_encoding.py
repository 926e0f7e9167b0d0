"""Columns of any table as numbers."""

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.encoding import (
    UNKNOWN,
    UNSEEN,
    encode,
    indicator_columns,
    indicators,
    learn_encoding,
)

ROWS = pd.DataFrame(
    {
        "charge": ["1.5", " ", "3", "4"] * 5,
        "plan": ["A", "B", " A ", ""] * 5,
        "city": [f"city {n % 9}" for n in range(20)],
        "is_on": pd.Series([True, None, False, True] * 5, dtype=object),
        "customer": [f"C{n}" for n in range(20)],
        "one": 7,
        "spend": [1.0, np.inf, np.nan, 2.0] * 5,
    }
)
COLUMNS = list(ROWS)


def test_text_that_holds_numbers_is_numbers_and_names_are_categories():
    encoding = learn_encoding(ROWS, COLUMNS, 5)
    assert encoding.numeric == ("charge", "is_on", "spend")
    assert encoding.categorical == ("plan", "city")
    matrix = encode(encoding, ROWS)
    assert matrix[0, :3].tolist() == [1.5, 1.0, 1.0]
    assert np.isnan(matrix[1, :3]).all()  # blank, null and infinite are unknown
    assert matrix[:4, 3].tolist() == [2, 3, 2, UNKNOWN]


def test_identifiers_and_constants_cannot_tell_and_are_left_out():
    encoding = learn_encoding(ROWS, COLUMNS, 5)
    assert not {"customer", "one"} & set(encoding.columns)


def test_only_frequent_levels_have_an_indicator():
    encoding = learn_encoding(ROWS, COLUMNS, 5)
    assert encoding.shown == {"plan": (UNKNOWN, 2, 3), "city": ()}
    marks = indicators(encoding, encode(encoding, ROWS))
    assert marks[:4].tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert indicator_columns(encoding).tolist() == [3, 3, 3]


def test_what_training_has_not_seen_is_neither_a_level_nor_an_error():
    encoding = learn_encoding(ROWS, COLUMNS, 5)
    odd = ROWS.iloc[:1].assign(plan="C", charge="much")
    matrix = encode(encoding, odd)
    assert matrix[0, 3] == UNSEEN
    assert np.isnan(matrix[0, 0])
    assert not indicators(encoding, matrix).any()


def test_a_missing_column_is_named():
    encoding = learn_encoding(ROWS, COLUMNS, 5)
    with pytest.raises(ValueError, match="rows lack plan"):
        encode(encoding, ROWS.drop(columns="plan"))


def test_dates_and_database_types_are_the_numbers_they_stand_for():
    rows = pd.DataFrame(
        {
            "day": pd.to_datetime(["1970-01-03", None, "1970-01-02"]),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["x", "y", "x"]),
        }
    )
    encoding = learn_encoding(rows.iloc[[0, 1, 2, 0]], list(rows), 1)
    assert encoding.categorical == ("kind",)
    matrix = encode(encoding, rows)
    assert matrix[[0, 2]].tolist() == [[2, 1, 2], [1, 3, 2]]
    assert np.isnan(matrix[1, :2]).all()
