"""Personal data at the door: keyed tokens, and the facts that later steps need.

Here: normalising identifiers, tokens, derived facts, as SQL. Not here: where the clear values go
(`vault.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import duckdb

from orchestration.contracts import TOKEN_CLASSES, Feed
from orchestration.landing.values import is_blank

SHORT_CODE_DIGITS = 6  # numbers of at most so many digits are services, no persons
_BLOCK_BYTES = 64  # of SHA-256
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHECK_DIGITS = "10X98765432"


def clear(column: str) -> str:
    """The column with the value as delivered, inside the landing engine."""
    return f"_clear_{column}"


def normal(column: str) -> str:
    """The column with the normalised value, inside the landing engine."""
    return f"_normal_{column}"


def bind_token_key(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Hand the token key to a connection, as the two pads of HMAC-SHA256; it enters no SQL text."""
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    if len(padded) != _BLOCK_BYTES:
        raise ValueError("the token key has more than 64 bytes")
    for name, byte in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
        connection.execute(f"set variable {name} = $1", [bytes(b ^ byte for b in padded)])


def token(normalised: str) -> str:
    """SQL: HMAC-SHA256 of the value in hex (RFC 2104); NULL for NULL."""
    inner = f"unhex(sha256(getvariable('inner_pad') || encode({normalised})))"
    return f"sha256(getvariable('outer_pad') || {inner})"


def normalised(personal: str, value: str) -> str:
    """SQL: the one way of writing an identifier, so that it matches across feeds.

    Phone: digits, without 00, 86 or +86 before 11 digits. IMEI: its first 14 digits (the 15th is a
    check digit, a 16-digit IMEISV has none). IMSI, ICCID: digits. ID number: upper case, trimmed.
    Area: trimmed. NULL if nothing is left.
    """
    digits = f"regexp_replace({value}, '[^0-9]', '', 'g')"
    forms = {
        "phone": rf"regexp_replace({digits}, '^(?:00)?(?:86)?(\d{{11}})$', '\1')",
        "imei": f"{digits}[1:14]",
        "imsi": digits,
        "iccid": digits,
        "id_number": f"upper(trim({value}))",
        "area": f"trim({value})",
    }
    return f"nullif({forms[personal]}, '')"


def normalised_columns(feed: Feed) -> dict[str, str]:
    """Name -> SQL over the clear values, for every class with tokens."""
    return {
        normal(column.name): normalised(column.personal, clear(column.name))
        for column in feed.columns
        if column.personal in TOKEN_CLASSES and column.personal is not None
    }


def derived_columns(feed: Feed, delivered: Collection[str]) -> dict[str, str]:
    """Name -> SQL over clear and normalised values, for what personal columns leave in raw.

    Facts: birth_year from the birthday, else from a valid 18-digit Chinese ID number;
    id_number_is_valid by the check digit of GB 11643 (NULL for a number without 18 characters,
    which cannot be judged); name_is_placeholder; has_address (NULL if the file has no such column);
    whether a number is a short code, where the contract asks for it.
    """
    by_class = {column.personal: column for column in feed.columns if column.personal}
    columns: dict[str, str] = {}
    for column in feed.columns:
        if column.personal in TOKEN_CLASSES:
            columns[f"{column.name}_token"] = token(normal(column.name))
        if column.derives_short_code:
            columns[column.short_code_fact] = (
                f"length({normal(column.name)}) <= {SHORT_CODE_DIGITS}"
            )
        if column.personal == "birthday":
            from_id = "null"
            if "id_number" in by_class:
                number = normal(by_class["id_number"].name)
                from_id = f"case when {is_valid_id_number(number)} then {number}[7:10]::bigint end"
            columns["birth_year"] = f"coalesce(year({clear(column.name)}), {from_id})"
        elif column.personal == "id_number":
            columns["id_number_is_valid"] = is_valid_id_number(normal(column.name))
        elif column.personal == "name":
            columns["name_is_placeholder"] = is_placeholder(clear(column.name))
        elif column.personal == "address":
            value = clear(column.name)
            known = f"{value} is not null and not {is_blank(value)}"
            columns["has_address"] = known if column.name in delivered else "null::boolean"
    return columns


def is_valid_id_number(number: str) -> str:
    """SQL: a birthday and the right check digit (GB 11643); NULL without 18 characters."""
    total = " + ".join(
        f"(ascii({number}[{i}:{i}]) - 48) * {weight}" for i, weight in enumerate(_WEIGHTS, start=1)
    )
    birthday = (
        f"try_cast({number}[7:10] || '-' || {number}[11:12] || '-' || {number}[13:14] as date)"
    )
    check = f"'{_CHECK_DIGITS}'[1 + ({total}) % 11]"
    return (
        f"case when {number} is null or length({number}) <> 18 then null"
        f" when not regexp_full_match({number}, '\\d{{17}}[0-9X]') then false"
        f" else {birthday} is not null and {number}[18:18] = {check} end"
    )


def is_placeholder(name: str) -> str:
    """SQL: digits only, one character repeated, or among the names of `bind_placeholder_names`."""
    text = f"trim({name})"
    return (
        f"case when {name} is null or {is_blank(name)} then null else"
        f" regexp_full_match({text}, '[0-9]+') or replace({text}, {text}[1:1], '') = ''"
        f" or list_contains(getvariable('placeholder_names'), lower({text})) end"
    )


def bind_placeholder_names(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Hand the policy's placeholder names to a connection."""
    values = sorted({name.strip().lower() for name in names})
    connection.execute("set variable placeholder_names = $1::varchar[]", [values])


def load_placeholder_names(seeds: Path) -> frozenset[str]:
    """Names that stand for "no name known", from the policy seeds."""
    with (seeds / "policy" / "placeholder_names.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["name"] for row in csv.DictReader(file))
