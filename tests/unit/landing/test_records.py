"""Cutting text into records: equal to Python's csv on valid files, no line lost on any."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing.records import DEFECTS, Tally, read_records

DELIMITERS = st.sampled_from([",", "|", "\t", "^"])
# Characters that matter to the form, and some of one, two, three and four bytes in UTF-8.
ALPHABET = "a1 ,|\t^\"'\n\r\u00e9中\U0001f600\ufeff\0"
CELLS = st.text(ALPHABET, max_size=6)


def blocks(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Cut bytes into blocks of the given sizes, again and again."""
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        yield data[start : start + size]
        start, turn = start + size, turn + 1


def records(
    data: bytes, delimiter: str, n_fields: int, sizes: list[int], **options: Any
) -> tuple[list[dict[str, Any]], Tally]:
    tally = Tally()
    batches = read_records(blocks(data, sizes), delimiter, n_fields, 1, tally=tally, **options)
    return [row for batch in batches for row in batch.to_pylist()], tally


def physical_lines(data: bytes) -> int:
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))


@given(
    n_fields=st.integers(1, 5),
    data=st.data(),
    delimiter=DELIMITERS,
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=4),
    ends_open=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_valid_csv_reads_like_pythons(
    n_fields: int,
    data: st.DataObject,
    delimiter: str,
    newline: str,
    quoting: Any,
    sizes: list[int],
    ends_open: bool,
) -> None:
    """Any table that Python's csv writes comes back equal, whatever the blocks (D01)."""
    rows = data.draw(st.lists(st.lists(CELLS, min_size=n_fields, max_size=n_fields), max_size=12))
    if any("\r" in cell for row in rows for cell in row):
        quoting = (
            csv.QUOTE_ALL
        )  # Python's reader ends a record at a bare \r, its writer may not quote it
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows(rows)
    written = text.getvalue().removesuffix(newline) if ends_open else text.getvalue()
    expected = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter, strict=True))
    found, tally = records(written.encode(), delimiter, n_fields, sizes)
    assert [row["_fields"] for row in found] == [row for row in expected if row]
    assert all(row["_defect"] is None for row in found)
    lines = sum(row["_lines"] for row in found) + tally.blank_lines
    assert lines == physical_lines(written.encode())


@given(
    text=st.text(ALPHABET, max_size=80),
    n_fields=st.integers(1, 4),
    delimiter=DELIMITERS,
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3),
)
@settings(max_examples=500, deadline=None)
def test_no_line_is_lost(text: str, n_fields: int, delimiter: str, sizes: list[int]) -> None:
    """On any text lines are conserved, records are whole, and blocks make no difference (D01)."""
    data = text.encode()
    found, tally = records(data, delimiter, n_fields, sizes)
    assert tally.records == len(found)
    assert sum(row["_lines"] for row in found) + tally.blank_lines == physical_lines(data)
    assert all((row["_fields"] is None) != (row["_defect"] is None) for row in found)
    assert all(len(row["_fields"]) == n_fields for row in found if row["_fields"] is not None)
    ends = [row["_line"] + row["_lines"] for row in found]
    assert all(row["_line"] >= end for row, end in zip(found[1:], ends, strict=False))
    whole, _ = records(data, delimiter, n_fields, [len(data) + 1])
    assert found == whole


@given(text=st.text(ALPHABET, max_size=80), delimiter=DELIMITERS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_wanted_records_come_with_their_text(
    text: str, delimiter: str, data: st.DataObject
) -> None:
    """The second pass finds the same records, and their text is the file's."""
    everything, _ = records(text.encode(), delimiter, 2, [16])
    lines = [row["_line"] for row in everything]
    chosen = sorted(data.draw(st.sets(st.sampled_from(lines)))) if lines else []
    found, _ = records(text.encode(), delimiter, 2, [16], wanted=np.array(chosen, np.int64))
    originals = text.split("\n")
    assert [row["_line"] for row in found] == chosen
    for row in found:
        first = row["_line"] - 1
        expected = "\n".join(originals[first : first + row["_lines"]])
        assert row["_text"].rstrip("\r\n") == expected.rstrip("\r\n")


def test_a_stray_quotation_mark_costs_one_row() -> None:
    lines = [f"S{i},{i}" for i in range(1000)]
    lines[500] = 'S500,"500'
    found, _ = records("\n".join(lines).encode(), ",", 2, [4096])
    assert len(found) == 1000
    broken = [row for row in found if row["_defect"] is not None]
    assert [(row["_line"], row["_lines"]) for row in broken] == [(501, 1)]
    assert DEFECTS[broken[0]["_defect"] - 1] == "BROKEN_QUOTING"


def test_two_stray_quotation_marks_cost_two_rows() -> None:
    found, _ = records(b'a,"b\nc,d\ne,"f\ng,h\n', ",", 2, [64])
    assert [row["_defect"] for row in found] == [1, None, 1, None]


def test_a_value_over_several_lines_is_one_record() -> None:
    found, _ = records(b'a,"x\r\ny\n\nz"\r\nb,c\r\n', ",", 2, [3])
    assert [(row["_line"], row["_lines"], row["_fields"]) for row in found] == [
        (1, 4, ["a", "x\r\ny\n\nz"]),
        (5, 1, ["b", "c"]),
    ]


def test_kinds_of_broken_records() -> None:
    text = 'a"b,c\n"a" b,c\na,b,c\na\n   \na,"b""c"\n'
    found, _ = records(text.encode(), ",", 2, [64])
    assert [row["_defect"] for row in found] == [1, 1, 2, 2, 2, None]
    assert found[-1]["_fields"] == ["a", 'b"c']


def test_marked_bytes_are_a_defect() -> None:
    found, _ = records("a,b\nc,\ufffd\n".encode(), ",", 2, [64], marks_bad_bytes=True)
    assert [row["_defect"] for row in found] == [None, 3]
