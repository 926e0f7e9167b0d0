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
_MONTH = rf"(?:\d{{4}}[-/]\d{{2}}|\d{{6}}|{_DATE})"
_TRUE, _FALSE = ("true", "1", "y", "t", "yes"), ("false", "0", "n", "f", "no")
_BLANKS = r"[\s\x{3000}\x{00a0}]*"
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
# A double holds money exactly enough if it is this close to two decimals.
_DOUBLE_TOLERANCE = "1e-6"
_EXACT_DOUBLE = "9007199254740992"


@dataclass(frozen=True)
class Parse:
    """`value`: SQL over the delivered field; `is_wrong`: SQL over the field and the value, or None.

    `is_wrong` holds the placeholders {field} and {value}, and is true or false, never NULL.
    """

    value: str
    is_wrong: str | None


def is_blank(text: str) -> str:
    """SQL: the text is empty or white space only (also full-width); NULL for NULL."""
    return f"regexp_full_match({text}, '{_BLANKS}')"


def from_text(column: Column, field: str, timezone: str) -> Parse:
    """A text field. Text stays as it is, empty is NULL; other types are trimmed, blank is NULL."""
    if column.data_type == "varchar":
        return Parse(f"nullif({field}, '')", None)
    form, value = _text_form(column, field, timezone)
    return Parse(
        value,
        "case when {field} is null or {field} = '' then false"
        f" when regexp_full_match({{field}}, '\\s*{form}\\s*') then {{value}} is null"
        " else not regexp_full_match({field}, '\\s*') end",
    )


def from_parquet(column: Column, source_type: str, field: str, timezone: str) -> Parse | None:
    """A Parquet field of a DuckDB type; None if such a type cannot hold the declared one."""
    source = source_type.upper()
    if source == "NULL":
        return Parse(f"null::{column.data_type}", None)
    if source == "VARCHAR":
        return from_text(column, field, timezone)
    is_lost = "{field} is not null and {value} is null"
    if source == "BLOB":
        if column.data_type == "varchar":
            return Parse(f"nullif(try(decode({field})), '')", is_lost + " and octet_length({field}) > 0")
        return None
    if source == "FLOAT":
        # The shortest text of a float is what was meant; as a double 12.34 is 12.3400002.
        is_number = column.data_type in ("bigint", "varchar") or column.data_type.startswith("decimal")
        return from_parquet(column, "DOUBLE", f"({field}::varchar::double)", timezone) if is_number else None
    is_integer = _INTEGERS.fullmatch(source) is not None
    is_decimal = source.startswith("DECIMAL")
    is_time = source.startswith("TIMESTAMP")
    if column.data_type == "varchar":
        if is_integer or is_time or source in ("DATE", "BOOLEAN") or source.endswith(",0)"):
            return Parse(f"{field}::varchar", None)
        if source == "DOUBLE":
            return Parse(f"try_cast({field} as bigint)::varchar", _is_inexact_integer())
        return Parse(f"{field}::varchar", None) if is_decimal else None
    if column.data_type == "bigint":
        if is_integer:
            return Parse(f"try_cast({field} as bigint)", is_lost)
        if is_decimal:
            changed = "{field} is not null and {value} is distinct from {field}"
            return Parse(f"try_cast({field} as bigint)", changed)
        return Parse(f"try_cast({field} as bigint)", _is_inexact_integer()) if source == "DOUBLE" else None
    if column.data_type.startswith("decimal"):
        value = f"try_cast({field} as {column.data_type})"
        if is_integer or ((is_decimal or source == "DOUBLE") and column.is_rounded):
            return Parse(value, is_lost)
        if is_decimal:
            return Parse(value, is_lost + " or coalesce({value} <> {field}, false)")
        if source == "DOUBLE":
            far = f"coalesce(abs({{field}} - {{value}}::double) > {_DOUBLE_TOLERANCE}, false)"
            return Parse(value, f"({is_lost}) or {far}")
        return None
    if column.data_type == "boolean":
        if source == "BOOLEAN":
            return Parse(field, None)
        return from_text(column, f"({field}::varchar)", timezone) if is_integer else None
    return _time_from_parquet(column, source, field, timezone, is_integer=is_integer)


def _time_from_parquet(
    column: Column, source: str, field: str, timezone: str, *, is_integer: bool
) -> Parse | None:
    if is_integer:
        return from_text(column, f"({field}::varchar)", timezone)
    if source == "TIMESTAMP WITH TIME ZONE":
        field = f"({field} at time zone '{timezone}')"
    elif source != "DATE" and not source.startswith("TIMESTAMP"):
        return None
    finite = f"case when isfinite({field}) then {field} end" if source == "DATE" else field
    is_lost = "{field} is not null and {value} is null"
    if column.data_type == "timestamp":
        return Parse(f"try_cast({finite} as timestamp)", is_lost)
    day = f"try_cast({finite} as date)"
    if column.is_month:
        return Parse(f"cast(date_trunc('month', {day}) as date)", is_lost)
    if source == "DATE":
        return Parse(day, is_lost)
    return Parse(
        f"case when {field} = date_trunc('day', {field}) then {day} end",
        is_lost,
    )


def _is_inexact_integer() -> str:
    return (
        "{field} is not null and not coalesce(isfinite({field}) and {field} = trunc({field})"
        f" and abs({{field}}) <= {_EXACT_DOUBLE}, false)"
    )


def _text_form(column: Column, field: str, timezone: str) -> tuple[str, str]:
    """Regular expression and value of a text that is not declared as text."""
    text = f"trim({field}, ' \t\r\n\f\v')"
    if column.data_type == "bigint":
        return r"[+-]?\d+", f"try_cast({field} as bigint)"
    if decimal := _DECIMAL.fullmatch(column.data_type):
        scale = int(decimal[2])
        value = f"try_cast({field} as {column.data_type})"
        if column.is_rounded:
            return r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", value
        # Zeros after the scale change nothing; any other digit would be lost.
        return rf"[+-]?(?:\d+(?:\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*)", value
    if column.data_type == "boolean":
        lower = f"lower({text})"
        value = f"case when {lower} in {_TRUE} then true when {lower} in {_FALSE} then false end"
        return f"(?i:{'|'.join(_TRUE + _FALSE)})", value
    if column.data_type == "date":
        if column.is_month:
            month = f"replace({text}, '/', '-')"
            iso = (
                f"case length({text}) when 6 then {text}[1:4] || '-' || {text}[5:6] || '-01'"
                f" when 7 then {month} || '-01' when 8 then {_dashed(text)} else {month} end"
            )
            return _MONTH, f"cast(date_trunc('month', try_cast({iso} as date)) as date)"
        iso = f"case when length({text}) = 8 then {_dashed(text)} else {text} end"
        return _DATE, f"try_cast({iso} as date)"
    if column.data_type == "timestamp":
        iso = (
            f"case when not regexp_matches({text}, '^\\d{{8}}') then {text}"
            f" when regexp_matches({text}, '^\\d{{14}}') then {_dashed(text)} || ' ' || {text}[9:10]"
            f" || ':' || {text}[11:12] || ':' || {text}[13:]"
            f" else {_dashed(text)} || {text}[9:] end"
        )
        has_offset = f"regexp_matches({text}, '(:\\d{{2}}(\\.\\d+)?|^\\d{{14}}){_OFFSET}$')"
        value = (
            f"case when {has_offset} then try_cast({iso} as timestamptz) at time zone '{timezone}'"
            f" else try_cast({iso} as timestamp) end"
        )
        date_only = rf"{_DATE}"
        with_time = rf"(?:{_DATE}[T ]{_TIME}|{_COMPACT}){_OFFSET}?"
        return f"(?:{date_only}|{with_time})", value
    raise ValueError(f"{column.name}: no way to read type {column.data_type!r}")


def _dashed(text: str) -> str:
    return f"({text}[1:4] || '-' || {text}[5:6] || '-' || {text}[7:8])"
