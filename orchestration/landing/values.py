"""SQL that turns a delivered value into its declared type, and says when it is none.

Here: the accepted forms of dates, numbers, booleans, text, from CSV text and from Parquet types.
Not here: ranges and codes (`rules.py`), personal data (`personal.py`).

The text is matched against the form first: a cast alone takes `1.5` as the integer 2, `1_000` as
1000, rounds decimals and reads a timestamp as a date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestration.contracts import Column

_DATE = r"(?:\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{8})"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_OFFSET = r"(?:Z|[+-]\d{2}(?::?\d{2})?)"
_COMPACT = r"\d{8}(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
_TIMESTAMP = rf"(?:{_DATE}|(?:{_DATE}[T ]{_TIME}|{_COMPACT}){_OFFSET}?)"
_MONTH = rf"(?:\d{{4}}[-/]\d{{2}}|\d{{6}}|{_DATE})"
_TRUE, _FALSE = ("true", "1", "y", "t", "yes"), ("false", "0", "n", "f", "no")
_BLANKS = r"[\s\x{3000}\x{00a0}]*"
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
# A double holds money exactly enough if it is this close to the declared decimals.
_DOUBLE_TOLERANCE = "1e-6"
# Integers up to here are exact in a double.
_EXACT_DOUBLE = "9007199254740992"


@dataclass(frozen=True)
class Parse:
    """`value`: SQL over the delivered field. `is_wrong`: SQL over the field and the column that
    holds the value: true or false, never NULL (None: nothing can be wrong)."""

    value: str
    is_wrong: str | None = None


def is_blank(text: str) -> str:
    """SQL: the text is empty or white space only (also full-width); NULL for NULL."""
    return f"regexp_full_match({text}, '{_BLANKS}')"


def from_text(column: Column, field: str, value: str, timezone: str) -> Parse:
    """A text field; `value` names the column that will hold its value.

    Text stays as it is, empty is NULL; other types are trimmed, blank is NULL.
    """
    if column.data_type == "varchar":
        return Parse(f"nullif({field}, '')")
    is_absent = f"{field} is null or {field} = ''"
    is_filled = rf"not regexp_full_match({field}, '\s*')"
    if column.is_rounded:
        # Rounded at the door: the cast reads what may be written here, but for one form (1_000).
        return Parse(
            f"try_cast({field} as {column.data_type})",
            f"case when {is_absent} then false when {value} is null then {is_filled}"
            f" else contains({field}, '_') end",
        )
    form, parsed = _text_form(column, field, timezone)
    return Parse(
        parsed,
        rf"case when {is_absent} then false when regexp_full_match({field}, '\s*{form}\s*')"
        f" then {value} is null else {is_filled} end",
    )


def from_parquet(
    column: Column, source_type: str, field: str, value: str, timezone: str
) -> Parse | None:
    """A Parquet field of a DuckDB type; None if such a type cannot hold the declared one."""
    source = source_type.upper().strip('"')
    if source == "NULL":
        return Parse(f"null::{column.data_type}")
    if source == "VARCHAR":
        return from_text(column, field, value, timezone)
    if column.data_type == "varchar":
        return _text_from_parquet(source, field, value)
    if column.data_type == "bigint":
        return _integer_from_parquet(source, field, value)
    if column.data_type.startswith("decimal"):
        return _decimal_from_parquet(column, source, field, value)
    if column.data_type == "boolean" and source == "BOOLEAN":
        return Parse(field)
    if _INTEGERS.fullmatch(source):
        # 1 and 0, 20250131, 202501: read as if written as text.
        return from_text(column, f"({field}::varchar)", value, timezone)
    return (
        None
        if column.data_type == "boolean"
        else _time_from_parquet(column, source, field, value, timezone)
    )


def _is_lost(field: str, value: str) -> str:
    return f"({field} is not null and {value} is null)"


def _is_changed(field: str, value: str) -> str:
    return f"({field} is not null and {value} is distinct from {field})"


def _is_inexact_integer(field: str) -> str:
    is_exact = f"isfinite({field}) and {field} = trunc({field}) and abs({field}) <= {_EXACT_DOUBLE}"
    return f"({field} is not null and not ({is_exact}))"


def _text_from_parquet(source: str, field: str, value: str) -> Parse | None:
    if source == "BLOB":
        is_wrong = f"({_is_lost(field, value)} and octet_length({field}) > 0)"
        return Parse(f"nullif(try(decode({field})), '')", is_wrong)
    if source in ("FLOAT", "DOUBLE"):
        # An identifier that passed through a data frame with gaps: 13800000000.0.
        return Parse(f"try_cast({field} as bigint)::varchar", _is_inexact_integer(field))
    is_plain = _INTEGERS.fullmatch(source) or source.startswith(("DECIMAL", "TIMESTAMP"))
    return Parse(f"{field}::varchar") if is_plain or source in ("DATE", "BOOLEAN") else None


def _integer_from_parquet(source: str, field: str, value: str) -> Parse | None:
    parsed = f"try_cast({field} as bigint)"
    if _INTEGERS.fullmatch(source):
        return Parse(parsed, _is_lost(field, value))
    if source.startswith("DECIMAL"):
        return Parse(parsed, _is_changed(field, value))
    return Parse(parsed, _is_inexact_integer(field)) if source in ("FLOAT", "DOUBLE") else None


def _decimal_from_parquet(column: Column, source: str, field: str, value: str) -> Parse | None:
    if source == "FLOAT":
        # The shortest text of a float is what was meant; as a double 12.34 is 12.3400002.
        field = f"({field}::varchar::double)"
    parsed = f"try_cast({field} as {column.data_type})"
    is_float = source in ("FLOAT", "DOUBLE")
    is_lost = _is_lost(field, value)
    if _INTEGERS.fullmatch(source) or (
        (is_float or source.startswith("DECIMAL")) and column.is_rounded
    ):
        return Parse(parsed, is_lost)
    if source.startswith("DECIMAL"):
        return Parse(parsed, _is_changed(field, value))
    if is_float:
        is_far = f"coalesce(abs({field} - {value}::double) > {_DOUBLE_TOLERANCE}, false)"
        return Parse(parsed, f"({is_lost} or {is_far})")
    return None


def _time_from_parquet(
    column: Column, source: str, field: str, value: str, timezone: str
) -> Parse | None:
    if source != "DATE" and not source.startswith("TIMESTAMP"):
        return None
    local = f"({field} at time zone '{timezone}')" if source.endswith("TIME ZONE") else field
    local = f"(case when isfinite({local}) then {local} end)"
    day = f"try_cast({local} as date)"
    if column.data_type == "timestamp":
        parsed = f"try_cast({local} as timestamp)"
    elif column.is_month:
        parsed = f"cast(date_trunc('month', {day}) as date)"
    elif source == "DATE":
        parsed = day
    else:
        parsed = f"case when {local} = date_trunc('day', {local}) then {day} end"
    return Parse(parsed, _is_lost(field, value))


def _text_form(column: Column, field: str, timezone: str) -> tuple[str, str]:
    """Regular expression and value of a text that is not declared as text."""
    text = f"trim({field}, ' \t\r\n\f\v')"
    if column.data_type == "bigint":
        return r"[+-]?\d+", f"try_cast({field} as bigint)"
    if decimal := _DECIMAL.fullmatch(column.data_type):
        scale = int(decimal[2])
        # Zeros after the scale change nothing; any other digit would be lost.
        form = rf"[+-]?(?:\d+(?:\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*)"
        return form, f"try_cast({field} as {column.data_type})"
    if column.data_type == "boolean":
        lower = f"lower({text})"
        parsed = f"case when {lower} in {_TRUE} then true when {lower} in {_FALSE} then false end"
        return f"(?i:{'|'.join(_TRUE + _FALSE)})", parsed
    if column.data_type == "date" and column.is_month:
        month = f"replace({text}, '/', '-')"
        iso = (
            f"case length({text}) when 6 then {text}[1:4] || '-' || {text}[5:6] || '-01'"
            f" when 7 then {month} || '-01' when 8 then {_dashed(text)} else {month} end"
        )
        return _MONTH, f"cast(date_trunc('month', try_cast({iso} as date)) as date)"
    if column.data_type == "date":
        iso = f"case when length({text}) = 8 then {_dashed(text)} else {text} end"
        return _DATE, f"try_cast({iso} as date)"
    if column.data_type == "timestamp":
        compact_time = f"{text}[9:10] || ':' || {text}[11:12] || ':' || {text}[13:]"
        iso = (
            rf"case when not regexp_matches({text}, '^\d{{8}}') then {text}"
            rf" when regexp_matches({text}, '^\d{{14}}')"
            f" then {_dashed(text)} || ' ' || {compact_time}"
            f" else {_dashed(text)} || {text}[9:] end"
        )
        has_offset = rf"regexp_matches({text}, '(:\d{{2}}(\.\d+)?|^\d{{14}}){_OFFSET}$')"
        parsed = (
            f"case when {has_offset} then try_cast({iso} as timestamptz) at time zone '{timezone}'"
            f" else try_cast({iso} as timestamp) end"
        )
        return _TIMESTAMP, parsed
    raise ValueError(f"{column.name}: no way to read type {column.data_type!r}")


def _dashed(text: str) -> str:
    return f"({text}[1:4] || '-' || {text}[5:6] || '-' || {text}[7:8])"
