"""Identifiers and draws that depend on nothing but their inputs.

Here: keyed hashes over whole columns, in DuckDB. Not here: what the draws decide (`assignment.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

_BLOCK_BYTES = 64  # of SHA-256, see RFC 2104
_HEX_DIGITS = 20  # 80 bits: at 1e10 identifiers, a collision has a chance of about 4e-5
_DRAW_BITS = 52  # what a double holds exactly
_DTYPES = {pa.string(): "str", pa.uint64(): "uint64"}


def identifiers(prefix: str, *parts: pd.Series) -> pd.Series:
    """`<prefix>_` and 20 lower hex digits of SHA-256 over each row's parts.

    Parts are text columns of one length; a null counts as its own value. The parts are framed by
    their lengths, so that ("a", "bc") and ("ab", "c") differ. Keeps the index.
    """
    table = pa.table({f"part_{i}": _text(part, is_nullable=True) for i, part in enumerate(parts)})
    framed = " || ".join(
        f"coalesce(length({name})::varchar || ':' || {name}, '-')" for name in table.column_names
    )
    sql = f"select ? || substr(sha256(? || {framed}), 1, {_HEX_DIGITS}) as id from hashed"
    return _hash(table, sql, [f"{prefix}_", f"{prefix}\n"], parts[0])


def keyed_digests(values: pd.Series, key: bytes, context: str) -> pd.Series:
    """HMAC-SHA256 (RFC 2104) of `context`, a newline and each value, in hex. Keeps the index.

    Raises ValueError for a null value.
    """
    return _keyed(values, key, context, "digest")


def uniform_draws(values: pd.Series, key: bytes, context: str) -> npt.NDArray[np.float64]:
    """One number in [0, 1) a value: the same value, key and context draw the same number."""
    leading = f"('0x' || substr(digest, 1, {_DRAW_BITS // 4}))::ubigint"
    draws = _keyed(values, key, context, leading).to_numpy(dtype=np.uint64)
    return draws.astype(np.float64) / float(2**_DRAW_BITS)


def _keyed(values: pd.Series, key: bytes, context: str, expression: str) -> pd.Series:
    """An SQL expression over each value's `digest`."""
    block = hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key
    block = block.ljust(_BLOCK_BYTES, b"\0")
    inner = bytes(byte ^ 0x36 for byte in block) + f"{context}\n".encode()
    outer = bytes(byte ^ 0x5C for byte in block)
    table = pa.table({"value": _text(values, is_nullable=False)})
    digests = "select sha256(? || unhex(sha256(? || encode(value)))) as digest from hashed"
    return _hash(table, f"select {expression} as it from ({digests})", [outer, inner], values)


def _text(values: pd.Series, *, is_nullable: bool) -> pa.Array:
    array = pa.array(values, from_pandas=True).cast(pa.string())
    if not is_nullable and array.null_count:
        raise ValueError(f"{values.name}: {array.null_count} values are null")
    return array


def _hash(table: pa.Table, sql: str, parameters: Sequence[object], like: pd.Series) -> pd.Series:
    """Run one hashing query over a table; rows stay in order."""
    with duckdb.connect() as connection:
        connection.register("hashed", table)
        column = connection.sql(sql, params=list(parameters)).to_arrow_table().column(0)
    return pd.Series(column.to_pandas().to_numpy(), index=like.index, dtype=_DTYPES[column.type])
