"""How a spoilt text file looks: lines, quotes, bytes.

Here: what only the text of a file can show, and in which encoding it is delivered. Not here: which
rows (`dirt_rows.py`), Parquet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from orchestration.simulator.dirt_kinds import TEXT_KINDS, Kind
from orchestration.simulator.dirt_rows import Spot

_NEWLINE, _QUOTE = 10, 34
UTF8, GB18030, UTF16 = "utf-8", "gb18030", "utf-16-le"
_BOMS: Mapping[str, bytes] = {UTF16: b"\xff\xfe"}
# Bytes that are no character: FF begins none in UTF-8 and GB18030, DC00 is half of one in UTF-16.
_BAD_BYTES: Mapping[str, bytes] = {UTF8: b"\xff\xff", GB18030: b"\xff\xff", UTF16: b"\x00\xdc"}


def record_starts(text: bytes) -> npt.NDArray[np.int64]:
    """Where each record begins (the header is the first), and the end of the text.

    A newline ends a record after an even number of quotation marks.
    """
    characters = np.frombuffer(text, np.uint8)
    newlines = np.flatnonzero(characters == _NEWLINE)
    quotes = np.flatnonzero(characters == _QUOTE)
    if len(quotes):
        newlines = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return np.concatenate(([0], newlines + 1))


def lines_of(text: bytes, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The physical line, counted from 1, on which each record begins."""
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)
    return np.searchsorted(newlines, starts) + 1


def spoil_text(
    text: bytes,
    starts: npt.NDArray[np.int64],
    header: Sequence[str],
    key_column: str,
    delimiter: str,
    encoding: str,
    spots: Sequence[Spot],
) -> bytes:
    """The file's bytes: clean text but for the records of TEXT_KINDS, in the encoding."""
    pieces = [_BOMS.get(encoding, b"")]
    done = 0
    for spot in sorted(spots, key=lambda spot: spot.row):
        if spot.kind not in TEXT_KINDS:
            continue
        start, stop = int(starts[spot.row + 1]), int(starts[spot.row + 2])
        pieces.append(_encoded(text[done:start], encoding))
        record = text[start:stop].decode().removesuffix("\n")
        pieces += _spoilt(record, spot, header, key_column, delimiter, encoding)
        done = stop
    pieces.append(_encoded(text[done:], encoding))
    return b"".join(pieces)


def is_told_from_utf8(text: bytes, encoding: str) -> bool:
    """Whether the text in the encoding cannot be taken for UTF-8: some GB18030 can."""
    if encoding != GB18030:
        return encoding != UTF8
    try:
        _encoded(text, encoding).decode(UTF8)
    except UnicodeDecodeError:
        return True
    return False


def _encoded(text: bytes, encoding: str) -> bytes:
    return text if encoding == UTF8 else text.decode().encode(encoding)


def _spoilt(
    record: str, spot: Spot, header: Sequence[str], key_column: str, delimiter: str, encoding: str
) -> list[bytes]:
    (fields,) = csv.reader([record], delimiter=delimiter)
    if spot.kind is Kind.BAD_BYTES:
        return [record.encode(encoding), _BAD_BYTES[encoding], "\n".encode(encoding)]
    if spot.column is not None:
        fields[header.index(spot.column)] = str(spot.delivered)
    elif spot.kind is Kind.TOO_FEW_FIELDS:
        fields = fields[:-1]
    elif spot.kind is Kind.TOO_MANY_FIELDS:
        fields = [*fields, "0"]
    written = [_written(value, delimiter) for value in fields]
    key = header.index(key_column)
    if spot.kind is Kind.OPEN_QUOTE:
        written[key] = f'"{fields[key]}'
    elif spot.kind is Kind.STRAY_QUOTE:
        middle = (len(fields[key]) + 1) // 2
        written[key] = f'{fields[key][:middle]}"{fields[key][middle:]}'
    return [f"{delimiter.join(written)}\n".encode(encoding)]


def _written(value: str, delimiter: str) -> str:
    """One field, in quotation marks only if it needs them."""
    if not any(special in value for special in (delimiter, '"', "\n", "\r")):
        return value
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow([value])
    return text.getvalue()
