"""Names and literals in SQL text.

Here: quoting. Not here: any statement.
"""

from __future__ import annotations

from datetime import date


def name_sql(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(text: str) -> str:
    """A text literal."""
    return "'" + text.replace("'", "''") + "'"


def date_sql(day: date) -> str:
    """A date literal."""
    return f"date '{day}'"
