"""What a row's values must satisfy beyond their type, as SQL predicates.

Here: codes, ranges, event times; one text for the quarantine and for the Great Expectations
suites. Not here: types (`values.py`), keys and duplicates (`ingest.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.contracts import Column, Feed


@dataclass(frozen=True)
class RowRule:
    """One rule: `violated` is a SQL predicate over the raw partition's columns and `dt` (DATE).

    It is true for a bad row and NULL for an unknown value: NULL never violates.
    """

    column: str
    reason: str
    violated: str


def row_rules(feed: Feed) -> tuple[RowRule, ...]:
    """The rules of a feed's contract, in the order of its columns.

    Reasons: UNKNOWN_CODE (not in the code set), OUT_OF_RANGE (below min, above max),
    FUTURE_EVENT (an event at or after 00:00 of the day after the release date).
    """
    return tuple(
        rule for column in feed.columns if column.personal is None for rule in _column_rules(column)
    )


def _column_rules(column: Column) -> list[RowRule]:
    name = f'"{column.name}"'
    rules = []
    if column.codes:
        codes = ", ".join("'" + code.replace("'", "''") + "'" for code in sorted(column.codes))
        rules.append(RowRule(column.name, "UNKNOWN_CODE", f"{name} not in ({codes})"))
    bounds = []
    if column.minimum is not None:
        bounds.append(f"{name} < {column.minimum}")
    if column.maximum is not None:
        bounds.append(f"{name} > {column.maximum}")
    if bounds:
        rules.append(RowRule(column.name, "OUT_OF_RANGE", " or ".join(bounds)))
    if column.is_event_time:
        is_date = column.data_type == "date"
        limit = f"{name} > dt" if is_date else f"{name} >= dt + interval 1 day"
        rules.append(RowRule(column.name, "FUTURE_EVENT", limit))
    return rules
