"""SQL from delivered fields to typed rows of a feed, with every check on a row.

Here: putting the parts together (`values.py`, `personal.py`, `rules.py`), keys, the row's own
`dt`. Not here: running it (`ingest.py`).

The selects are nested, one step each: DuckDB evaluates an expression again wherever it is
repeated, but a column of an inner select only once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestration.contracts import PROVENANCE, Column, Feed
from orchestration.landing.personal import (
    clear,
    derived_columns,
    normal,
    normalised_columns,
)
from orchestration.landing.records import defect_name
from orchestration.landing.rules import row_rules
from orchestration.landing.values import Parse, from_parquet, from_text, is_blank

# Columns of a delivery before its fields are looked at: number of the file in this pass, release
# date, first line, number of lines, defect of the record's form, raw text (second pass only).
POSITION = ("_file", "dt", "_line", "_lines", "_defect", "_text")
KEPT, QUARANTINED, DUPLICATE = 0, 1, 2


@dataclass(frozen=True)
class Layout:
    """What files of the same form share, by lower-case column name: the SQL of the field, and for
    Parquet its type in DuckDB's words and its name as delivered."""

    fields: Mapping[str, str]
    types: Mapping[str, str] | None = None
    delivered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One way in which a row can be bad: `is_bad` is SQL over the innermost selects' columns."""

    column: str
    reason: str
    is_bad: str


def raw_columns(feed: Feed) -> tuple[str, ...]:
    """Columns of a raw partition without where the row came from."""
    return tuple(name for name in feed.raw_columns if name not in PROVENANCE)


def key_columns(feed: Feed) -> tuple[str, ...]:
    """The key as it is named in raw: a personal key column by its token."""
    return tuple(
        f"{name}_token" if feed.column(name).personal else name for name in feed.required_columns
    )


def content_columns(feed: Feed) -> tuple[str, ...]:
    """The delivered columns: two rows are the same if they agree in all of them."""
    return tuple(clear(column.name) if column.personal else column.name for column in feed.columns)


def stored_columns(feed: Feed) -> Mapping[str, str]:
    """Name -> type of the rows that a pass holds before they are written."""
    types = {"_file": "integer", "dt": "date", "_line": "bigint", "_lines": "integer"}
    types["_state"] = "tinyint"
    types |= {name: feed.raw_columns[name] for name in raw_columns(feed)}
    return types | {
        clear(column.name): column.data_type for column in feed.columns if column.personal
    }


def unreadable_columns(feed: Feed, layout: Layout, timezone: str) -> Mapping[str, str]:
    """Delivered columns whose Parquet type cannot hold the declared one -> that type."""
    columns = _delivered(feed, layout)
    return {
        column.name: (layout.types or {})[column.name]
        for column in columns
        if _parse(column, layout, "field", "value", timezone) is None
    }


def load_sql(feed: Feed, layout: Layout, source: str, timezone: str) -> str:
    """SELECT of `stored_columns` over a source with `POSITION` and the layout's fields."""
    inner, checks = _checked(feed, layout, source, timezone)
    is_bad = " or ".join(["_defect is not null", *(f"({check.is_bad})" for check in checks)])
    state = f"case when {is_bad} then {QUARANTINED} else {KEPT} end as _state"
    columns = [state if name == "_state" else f'"{name}"' for name in stored_columns(feed)]
    return f"select {', '.join(columns)} from ({inner})"


def problems_sql(feed: Feed, layout: Layout, source: str, timezone: str) -> str:
    """SELECT of `POSITION` and `_problems` (list of "column:REASON" or "REASON") of bad rows.

    A bad row that passes every check is one of several with its key.
    """
    inner, checks = _checked(feed, layout, source, timezone)
    found = ", ".join(
        f"case when {check.is_bad} then '{check.column}:{check.reason}' end" for check in checks
    )
    return f"""
        select {", ".join(POSITION)}, case
            when _defect is not null then [{defect_name("_defect")}]
            when len(_found) = 0 then ['CONFLICTING_DUPLICATE']
            else _found end as _problems
        from (
            select *, list_filter([{found}], lambda x: x is not null) as _found from ({inner})
        )"""


def _checked(
    feed: Feed, layout: Layout, source: str, timezone: str
) -> tuple[str, tuple[Check, ...]]:
    delivered = _delivered(feed, layout)
    checks: list[Check] = []
    fields = {f"_field_{column.name}": layout.fields[column.name] for column in delivered}
    values: dict[str, str] = {}
    for column in feed.columns:
        name = clear(column.name) if column.personal else column.name
        source_field = f'"_field_{column.name}"'
        parse = (
            _parse(column, layout, source_field, f'"{name}"', timezone)
            if column in delivered
            else None
        )
        values[name] = parse.value if parse else f"null::{column.data_type}"
        if column.name in feed.key:
            checks.append(
                Check(column.name, "MISSING_KEY", _is_key_missing(column, name, source_field))
            )
        if parse and parse.is_wrong:
            checks.append(Check(column.name, "WRONG_TYPE", parse.is_wrong))
        checks += [
            Check(rule.column, rule.reason, rule.violated)
            for rule in row_rules(replace(feed, columns=(column,), key=()))
        ]
    if "dt" in layout.fields and "dt" not in {column.name for column in feed.columns}:
        own_dt = Column("dt", "date")
        fields["_field_dt"] = layout.fields["dt"]
        parse = _parse(own_dt, layout, "_field_dt", "_own_dt", timezone)
        if parse:
            values["_own_dt"] = parse.value
            is_wrong = f"_own_dt <> dt or ({parse.is_wrong or 'false'})"
            checks.append(Check("dt", "WRONG_DATE", is_wrong))
    sql = f"select {', '.join([*POSITION, *_named(fields)])} from {source}"
    for columns in (
        values,
        normalised_columns(feed),
        derived_columns(feed, {column.name for column in delivered}),
    ):
        if columns:
            sql = f"select *, {', '.join(_named(columns))} from ({sql})"
    return sql, tuple(checks)


def _is_key_missing(column: Column, name: str, field: str) -> str:
    if column.personal:
        return f'"{normal(column.name)}" is null'
    if column.data_type == "varchar":
        value = f'"{name}"'
        return f"{value} is null or {is_blank(value)}"
    # A key that is there but of the wrong type is WRONG_TYPE alone.
    is_absent = f"{field} is null or {is_blank(f'{field}::varchar')}"
    return f'"{name}" is null and ({is_absent})'


def _delivered(feed: Feed, layout: Layout) -> tuple[Column, ...]:
    return tuple(column for column in feed.columns if column.name in layout.fields)


def _parse(
    column: Column, layout: Layout, source_field: str, value: str, timezone: str
) -> Parse | None:
    if layout.types is None:
        return from_text(column, source_field, value, timezone)
    return from_parquet(column, layout.types[column.name], source_field, value, timezone)


def _named(columns: Mapping[str, str]) -> list[str]:
    return [f'{expression} as "{name}"' for name, expression in columns.items()]
