"""What a delivered file is: format, encoding, delimiter, header, size, before any row is read.

Here: one pass over each file that finds out how to read it and counts its lines. Not here:
cutting it into records (`records.py`), typing values (`values.py`).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Feed
from orchestration.landing.problems import FileRejectedError, Problem

BLOCK_BYTES = 1 << 20
# A header longer than this is no header; so is a line with more text than fits in memory easily.
HEADER_BYTES = 1 << 20
DELIMITERS = (",", "|", "\t", "^")
BAD_CHARACTER = "\ufffd"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The errors of reading a file that is damaged or cut short.
READ_ERRORS = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Stamp:
    """Size and time of a file: both stay the same while nobody writes to it."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Delivery:
    """A file that can be read. `header` are the names as delivered, trimmed."""

    path: Path
    stamp: Stamp
    sha256: str
    file_format: Literal["csv", "parquet"]
    header: tuple[str, ...]
    physical_lines: int
    header_lines: int = 0
    blank_lines_before_header: int = 0
    body_offset: int = 0
    """Bytes of the file's text in UTF-8 (without byte order mark) before the first record."""
    encoding: str = ""
    bom_bytes: int = 0
    has_bad_bytes: bool = False
    delimiter: str = ""
    types: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def positions(self) -> dict[str, int]:
        """Lower-case column name -> index in the header."""
        return {name.lower(): index for index, name in enumerate(self.header) if name}

    def check_unchanged(self) -> None:
        """Raises FileRejectedError if the file is no longer the one that was looked at."""
        if not self.path.exists() or Stamp.of(self.path) != self.stamp:
            raise FileRejectedError(Problem(self.name, "changed while it was being read"))


def probe(path: Path, feed: Feed) -> Delivery:
    """Look at a file. Raises FileRejectedError, naming file, line and column, if it is no good."""
    try:
        stamp = Stamp.of(path)
        if stamp.size == 0:
            raise FileRejectedError(Problem(path.name, "is empty (0 bytes): a failed delivery"))
        delivery = (
            _probe_parquet(path, stamp)
            if path.suffix == ".parquet"
            else _probe_text(path, stamp, feed)
        )
        _check_header(delivery, feed)
        delivery.check_unchanged()
    except READ_ERRORS as error:
        raise FileRejectedError(Problem(path.name, read_failure(error))) from None
    return delivery


def read_failure(error: BaseException) -> str:
    """In words, why reading failed."""
    if isinstance(error, EOFError):
        return "is cut short: the gzip data ends too early"
    if isinstance(error, (gzip.BadGzipFile, zlib.error)):
        return "is damaged: not valid gzip data, or the checksum does not match"
    if isinstance(error, FileNotFoundError):
        return "disappeared while it was being read"
    return f"cannot be read ({type(error).__name__})"


def open_binary(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def text_blocks(delivery: Delivery, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The file's text in UTF-8 without byte order mark, in blocks cut anywhere."""
    is_plain = delivery.encoding == "utf-8" and not delivery.has_bad_bytes
    decoder = codecs.getincrementaldecoder(delivery.encoding)(
        "replace" if delivery.has_bad_bytes else "strict"
    )
    with open_binary(delivery.path) as file:
        file.read(delivery.bom_bytes)
        while block := file.read(block_bytes):
            yield block if is_plain else decoder.decode(block).encode("utf-8")
        if not is_plain and (tail := decoder.decode(b"", final=True)):
            yield tail.encode("utf-8")


def _probe_text(path: Path, stamp: Stamp, feed: Feed) -> Delivery:
    with open_binary(path) as file:
        head = file.read(HEADER_BYTES)
    if not head:
        raise FileRejectedError(
            Problem(path.name, "is empty (0 bytes decompressed): a failed delivery")
        )
    bom_bytes, candidates = _encodings(head)
    encoding, scan = _decode(path, bom_bytes, candidates)
    header_line, text, blank_lines, offset = _header_line(path, scan.head)
    delimiter, names = _split_header(path, text, header_line, feed)
    with path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    return Delivery(
        path=path,
        stamp=stamp,
        sha256=sha256,
        file_format="csv",
        header=names,
        physical_lines=scan.lines,
        header_lines=1,
        blank_lines_before_header=blank_lines,
        body_offset=offset,
        encoding=encoding,
        bom_bytes=bom_bytes,
        has_bad_bytes=scan.bad_lines > 0,
        delimiter=delimiter,
    )


def _encodings(head: bytes) -> tuple[int, tuple[str, ...]]:
    """Length of the byte order mark, and the encodings to try in order."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return len(bom), (encoding,)
    sample = head[:4096]
    # Header names are ASCII: in UTF-16 every other byte of them is NUL.
    nuls_even, nuls_odd = sample[::2].count(0), sample[1::2].count(0)
    if nuls_odd > len(sample) // 8 and nuls_odd > 4 * nuls_even:
        return 0, ("utf-16-le",)
    if nuls_even > len(sample) // 8 and nuls_even > 4 * nuls_odd:
        return 0, ("utf-16-be",)
    return 0, ("utf-8", "gb18030")


@dataclass(frozen=True)
class _Scan:
    lines: int
    bad_lines: int
    head: str


def _decode(path: Path, bom_bytes: int, candidates: tuple[str, ...]) -> tuple[str, _Scan]:
    """The first encoding that fits the whole file, else the one with the fewest bad lines."""
    for encoding in candidates:
        try:
            return encoding, _scan(path, bom_bytes, encoding, "strict")
        except UnicodeDecodeError:
            continue
    scans = [(encoding, _scan(path, bom_bytes, encoding, "replace")) for encoding in candidates]
    return min(scans, key=lambda item: item[1].bad_lines)


def _scan(path: Path, bom_bytes: int, encoding: str, errors: str) -> _Scan:
    """Decode the whole file once: count its lines, keep its beginning."""
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    newlines = bad_lines = 0
    head: list[str] = []
    head_length = 0
    last = ""
    is_last_line_bad = False
    with open_binary(path) as file:
        file.read(bom_bytes)
        is_over = False
        while not is_over:
            block = file.read(BLOCK_BYTES)
            is_over = not block
            text = decoder.decode(block, final=is_over)
            if not text:
                continue
            newlines += text.count("\n")
            if head_length < HEADER_BYTES:
                head.append(text)
                head_length += len(text)
            if errors == "replace":
                bad = [BAD_CHARACTER in line for line in text.split("\n")]
                bad_lines += sum(bad) - (bad[0] and is_last_line_bad)
                is_last_line_bad = bad[-1] or (len(bad) == 1 and is_last_line_bad)
            last = text[-1]
    return _Scan(newlines + (last not in ("\n", "")), bad_lines, "".join(head)[:HEADER_BYTES])


def _header_line(path: Path, head: str) -> tuple[int, str, int, int]:
    """Line number, text, blank lines before it, and UTF-8 bytes up to its end."""
    start = line = 0
    while start < len(head):
        line += 1
        end = head.find("\n", start)
        if end < 0 and len(head) >= HEADER_BYTES:
            break
        stop = len(head) if end < 0 else end
        text = head[start:stop].removesuffix("\r")
        if text:
            return line, text, line - 1, len(head[: stop + 1].encode("utf-8"))
        start = stop + 1
    raise FileRejectedError(Problem(path.name, "is no CSV: no header line", line=max(line, 1)))


def _split_header(path: Path, text: str, line: int, feed: Feed) -> tuple[str, tuple[str, ...]]:
    """The delimiter under which most names are the contract's, and the names."""
    known = {column.name for column in feed.columns} | {"dt"}
    best: tuple[int, int, str, tuple[str, ...]] | None = None
    for delimiter in DELIMITERS:
        try:
            rows = list(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        names = tuple(name.strip() for name in rows[0]) if len(rows) == 1 else ()
        matched = len(known & {name.lower() for name in names})
        if matched and (best is None or (matched, len(names)) > best[:2]):
            best = (matched, len(names), delimiter, names)
    if best is None:
        what = f"is no CSV of {feed.name}: no name in the header is a column of the contract"
        raise FileRejectedError(Problem(path.name, what, line=line))
    return best[2], best[3]


def _probe_parquet(path: Path, stamp: Stamp) -> Delivery:
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        # Arrow's own message may quote the file's content.
        what = f"is no readable Parquet file ({type(error).__name__})"
        raise FileRejectedError(Problem(path.name, what)) from None
    with path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    return Delivery(
        path=path,
        stamp=stamp,
        sha256=sha256,
        file_format="parquet",
        header=tuple(schema.names),
        physical_lines=rows,
        types=tuple(str(field.type) for field in schema),
    )


def _check_header(delivery: Delivery, feed: Feed) -> None:
    line = (delivery.blank_lines_before_header + 1) if delivery.file_format == "csv" else None
    names = [name.strip().lower() for name in delivery.header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    missing = [name for name in feed.required_columns if name not in names]
    problems = [Problem(delivery.name, "is twice in the header", line, name) for name in twice]
    problems += [
        Problem(delivery.name, "required column is missing", line, name) for name in missing
    ]
    if problems:
        raise FileRejectedError(*problems)
