"""Text of a CSV file to Arrow record batches, one list of fields a record; no row is ever lost.

Here: lines, quotes, fields, on whole blocks with numpy. Not here: what a field means
(`values.py`), which encoding and delimiter (`probe.py`).

A record is a physical line. A value over several lines is accepted only if Python's strict
`csv.reader` reads exactly one record of as many fields as the header from those lines, so that a
stray quotation mark costs one row. Quoting is well-formed if a quotation mark opens only at the
start of a field, closes only at its end and is doubled inside.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# A record over several lines is at most this long (the limit of Python's csv for one field).
MULTILINE_BYTES = 128 * 1024
# A longer line is not text; it would have to fit into memory as a whole.
LINE_BYTES = 64 * 1024 * 1024

DEFECTS = ("BROKEN_QUOTING", "FIELD_COUNT", "BAD_ENCODING")
_BROKEN_QUOTING, _FIELD_COUNT, _BAD_ENCODING = 1, 2, 3
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34

_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

SCHEMA = pa.schema(
    [
        ("_line", pa.int64()),
        ("_lines", pa.int32()),
        ("_defect", pa.int8()),
        ("_fields", pa.list_(pa.string())),
        ("_text", pa.string()),
    ]
)


class LineTooLongError(Exception):
    """A line is longer than LINE_BYTES."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True)
class Split:
    """Records of a block: `consumed` bytes with `lines` physical lines, `blank` of them empty."""

    batch: pa.RecordBatch
    consumed: int
    lines: int
    blank: int


@dataclass
class Tally:
    """What a stream of records has counted so far."""

    records: int = 0
    blank_lines: int = 0


def read_records(
    blocks: Iterator[bytes],
    delimiter: str,
    n_fields: int,
    first_line: int,
    *,
    marks_bad_bytes: bool = False,
    wanted: npt.NDArray[np.int64] | None = None,
    tally: Tally | None = None,
) -> Iterator[pa.RecordBatch]:
    """Cut UTF-8 text into records of SCHEMA.

    `_line` is the physical line (the text begins with line `first_line`), `_lines` how many lines
    the record takes, `_defect` the index + 1 into DEFECTS or NULL, `_fields` the values without
    quotes (NULL for a defect). With `marks_bad_bytes`, a record with U+FFFD has a defect. With
    `wanted` (line numbers) only those records come, with `_text`, else `_text` is NULL.
    Raises LineTooLongError.
    """
    tally = tally if tally is not None else Tally()
    line = first_line
    rest = b""
    for block in blocks:
        text = rest + block if rest else block
        cut = text.rfind(b"\n") + 1
        if cut:
            split = split_block(
                text[:cut], delimiter, n_fields, line, marks_bad_bytes, False, wanted
            )
            yield from _counted(split, tally)
            line += split.lines
            rest = text[split.consumed :]
        else:
            rest = text
        if len(rest) > LINE_BYTES:
            raise LineTooLongError(line)
    if rest:
        text = rest if rest.endswith(b"\n") else rest + b"\n"
        yield from _counted(
            split_block(text, delimiter, n_fields, line, marks_bad_bytes, True, wanted), tally
        )


def _counted(split: Split, tally: Tally) -> Iterator[pa.RecordBatch]:
    tally.records += split.batch.num_rows
    tally.blank_lines += split.blank
    yield split.batch


def split_block(
    text: bytes,
    delimiter: str,
    n_fields: int,
    first_line: int,
    marks_bad_bytes: bool = False,
    is_last: bool = True,
    wanted: npt.NDArray[np.int64] | None = None,
) -> Split:
    """Cut a block of whole lines into records (see `read_records`).

    Unless `is_last`, a value whose closing quotation mark may still come is left unconsumed.
    """
    consumed, multiline = len(text), None
    if b'"' not in text:
        text = text.replace(b"\r\n", b"\n") if b"\r" in text else text
        bytes_ = np.frombuffer(text, np.uint8)
        cuts = _plain_cuts(bytes_, ord(delimiter))
    else:
        multiline = _find_multiline(text, delimiter, n_fields, is_last)
        consumed = multiline.consumed
        text = text[:consumed]
        bytes_ = np.frombuffer(text, np.uint8)
        cuts = _quoted_cuts(bytes_, ord(delimiter), multiline)
    defects = np.where(cuts.counts == n_fields, 0, _FIELD_COUNT).astype(np.int8)
    defects[cuts.is_misquoted] = _BROKEN_QUOTING
    if marks_bad_bytes:
        defects[_bad_bytes(bytes_, cuts)] = _BAD_ENCODING
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array(first_line + cuts.first),
            pa.array((cuts.last - cuts.first + 1).astype(np.int32)),
            pa.array(defects, mask=defects == 0),
            _field_lists(bytes_, cuts, defects != 0),
            pa.nulls(len(defects), pa.string()),
        ],
        schema=SCHEMA,
    )
    return Split(
        batch if wanted is None else _select(batch, text, cuts, wanted),
        consumed,
        cuts.n_lines,
        cuts.n_blank,
    )


@dataclass(frozen=True)
class _Cuts:
    """Where to cut a block. Arrays over records; `separators` over fields; `keep` over bytes."""

    n_lines: int
    n_blank: int
    first: _Ints
    last: _Ints
    starts: _Ints
    ends: _Ints
    counts: _Ints
    is_misquoted: _Flags
    separators: _Ints
    keep: _Flags
    offsets: npt.NDArray[np.int32]


def _plain_cuts(text: npt.NDArray[np.uint8], delimiter: int) -> _Cuts:
    """Without quotation marks: every delimiter and newline cuts."""
    separators_mask = text == delimiter
    separators_mask |= text == _NEWLINE
    separators = np.flatnonzero(separators_mask)
    last_fields = np.flatnonzero(text[separators] == _NEWLINE)
    ends = separators[last_fields]
    starts = np.concatenate(([0], ends[:-1] + 1))
    first = np.arange(len(ends))
    counts = np.diff(last_fields, prepend=-1)
    is_blank = starts == ends
    n_blank = int(is_blank.sum())
    n_lines = len(ends)
    keep = ~separators_mask
    if n_blank:
        is_field = np.ones(len(separators), bool)
        is_field[last_fields[is_blank]] = False
        separators = separators[is_field]
        offsets = np.cumsum(keep)[separators]
        first, starts, ends, counts = (x[~is_blank] for x in (first, starts, ends, counts))
    else:
        offsets = separators - np.arange(len(separators))
    return _Cuts(
        n_lines=n_lines,
        n_blank=n_blank,
        first=first,
        last=first,
        starts=starts,
        ends=ends,
        counts=counts,
        is_misquoted=np.zeros(len(first), bool),
        separators=separators,
        keep=keep,
        offsets=_from_zero(offsets),
    )


@dataclass(frozen=True)
class _Multiline:
    """Lines of a block, and which of them belong together."""

    consumed: int
    newlines: _Ints
    last_of: _Ints
    """For each line that starts a record, the record's last line."""
    is_swallowed: _Flags
    is_unbalanced: _Flags
    quotes: npt.NDArray[np.int32]
    """Quotation marks up to and with each byte."""


def _find_multiline(text: bytes, delimiter: str, n_fields: int, is_last: bool) -> _Multiline:
    bytes_ = np.frombuffer(text, np.uint8)
    newlines = np.flatnonzero(bytes_ == _NEWLINE)
    quotes = np.cumsum(bytes_ == _QUOTE, dtype=np.int32)
    starts = np.concatenate(([0], newlines[:-1] + 1))
    odd = np.flatnonzero(np.diff(quotes[newlines], prepend=0) & 1)
    joined_first: list[int] = []
    joined_last: list[int] = []
    unbalanced: list[int] = []
    consumed, n_lines = len(text), len(newlines)
    k = 0
    while k < len(odd):
        i = int(odd[k])
        start = int(starts[i])
        j = int(odd[k + 1]) if k + 1 < len(odd) else None
        if j is None and not is_last and len(text) - start <= MULTILINE_BYTES:
            consumed, n_lines = start, i
            break
        stop = start if j is None else int(newlines[j]) + 1
        if (
            j is not None
            and stop - start <= MULTILINE_BYTES
            and _is_one_record(text[start:stop], delimiter, n_fields)
        ):
            joined_first.append(i)
            joined_last.append(j)
            k += 2
        else:
            unbalanced.append(i)
            k += 1
    last_of = np.arange(n_lines)
    last_of[joined_first] = joined_last
    steps = np.zeros(n_lines + 1, np.int32)
    steps[np.array(joined_first, np.int64) + 1] += 1
    steps[np.array(joined_last, np.int64) + 1] -= 1
    is_unbalanced = np.zeros(n_lines, bool)
    is_unbalanced[unbalanced] = True
    return _Multiline(
        consumed, newlines[:n_lines], last_of, np.cumsum(steps[:n_lines]) > 0, is_unbalanced, quotes
    )


def _is_one_record(text: bytes, delimiter: str, n_fields: int) -> bool:
    lines = io.StringIO(text.decode("utf-8", "replace"), newline="")
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == n_fields


def _quoted_cuts(text: npt.NDArray[np.uint8], delimiter: int, lines: _Multiline) -> _Cuts:
    """With quotation marks: a delimiter cuts after an even number of them in its record."""
    newlines, quotes = lines.newlines, lines.quotes
    line_starts = np.concatenate(([0], newlines[:-1] + 1)) if len(newlines) else newlines
    has_return = (newlines > line_starts) & (text[newlines - 1] == _RETURN)
    is_blank = ~lines.is_swallowed & (newlines - has_return == line_starts)
    first = np.flatnonzero(~lines.is_swallowed & ~is_blank)
    last = lines.last_of[first]
    starts, ends = line_starts[first], newlines[last]
    before = quotes[starts] - (text[starts] == _QUOTE)

    delimiters = np.flatnonzero(text == delimiter)
    per_record = np.diff(np.searchsorted(delimiters, ends), prepend=0)
    is_inside = (quotes[delimiters] - np.repeat(before, per_record)) & 1
    is_separator = np.zeros(len(text), bool)
    is_separator[delimiters[is_inside == 0]] = True
    is_separator[ends] = True
    separators = np.flatnonzero(is_separator)
    counts = np.diff(np.searchsorted(separators, ends), prepend=-1)

    marks = np.flatnonzero(text == _QUOTE)
    per_record = np.diff(np.searchsorted(marks, ends), prepend=0)
    is_opening = ((quotes[marks] - np.repeat(before, per_record)) & 1).astype(bool)
    # The block ends with a newline: the byte before its first one (index -1) is a newline too.
    previous, following = text[marks - 1], text[marks + 1]
    after_return = (following == _RETURN) & (text[np.minimum(marks + 2, len(text) - 1)] == _NEWLINE)
    is_doubled = previous == _QUOTE
    fits_before = is_doubled | (previous == delimiter) | (previous == _NEWLINE)
    fits_after = np.isin(following, (delimiter, _NEWLINE, _QUOTE)) | after_return
    misplaced = marks[~np.where(is_opening, fits_before, fits_after)]
    is_misquoted = lines.is_unbalanced[first]
    is_misquoted[np.searchsorted(ends, misplaced)] = True

    keep = ~is_separator
    keep[newlines[is_blank]] = False
    keep[(newlines - has_return)[is_blank]] = False
    keep[(ends - has_return[last])] = False
    keep[marks[~(is_opening & is_doubled)]] = False
    offsets = np.cumsum(keep, dtype=np.int32)[separators]
    return _Cuts(
        n_lines=len(newlines),
        n_blank=int(is_blank.sum()),
        first=first,
        last=last,
        starts=starts,
        ends=ends,
        counts=counts,
        is_misquoted=is_misquoted,
        separators=separators,
        keep=keep,
        offsets=_from_zero(offsets),
    )


def _from_zero(ends: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    offsets = np.empty(len(ends) + 1, np.int32)
    offsets[0] = 0
    offsets[1:] = ends
    return offsets


def _bad_bytes(text: npt.NDArray[np.uint8], cuts: _Cuts) -> _Ints:
    """Records that hold U+FFFD (EF BF BD)."""
    at = np.flatnonzero((text[:-2] == 0xEF) & (text[1:-1] == 0xBF) & (text[2:] == 0xBD))
    return np.searchsorted(cuts.ends, at)


def _field_lists(text: npt.NDArray[np.uint8], cuts: _Cuts, is_null: _Flags) -> pa.ListArray:
    fields = pa.StringArray.from_buffers(
        len(cuts.separators), pa.py_buffer(cuts.offsets), pa.py_buffer(text[cuts.keep])
    )
    offsets = _from_zero(np.cumsum(cuts.counts))
    return pa.ListArray.from_arrays(pa.array(offsets), fields, mask=pa.array(is_null))


def _select(
    batch: pa.RecordBatch, text: bytes, cuts: _Cuts, wanted: npt.NDArray[np.int64]
) -> pa.RecordBatch:
    """Only the records at the wanted lines, with their text."""
    chosen = np.flatnonzero(np.isin(batch["_line"].to_numpy(), wanted))
    bounds = _from_zero(cuts.ends + 1)
    bounds[:-1] = cuts.starts
    texts = pa.StringArray.from_buffers(len(cuts.starts), pa.py_buffer(bounds), pa.py_buffer(text))
    texts = pc.utf8_rtrim(texts.take(pa.array(chosen)), "\r\n")
    batch = batch.take(pa.array(chosen))
    return pa.RecordBatch.from_arrays([*batch.columns[:-1], texts], schema=SCHEMA)


def defect_name(column: str) -> str:
    """SQL: a `_defect` code as its reason."""
    names = ", ".join(f"'{name}'" for name in DEFECTS)
    return f"list_extract([{names}], {column})"
