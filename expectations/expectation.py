"""One expectation, as a declaration.

Here: the type and the two ways to write one. Not here: the suites (`feeds.py`, `scores.py`,
`lists.py`), and how an expectation is judged (`orchestration/quality.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning"]

# What the SQL of an expectation may show of an unexpected row: where it lies, how many there are.
# Values of the data never leave the batch: they would end up in logs and in check metadata.
PLACES = frozenset({"dt", "source_file", "source_line", "row_number", "column_name", "rows"})

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Expectation:
    """A statement about a batch that an SQL query can refute.

    `rows_sql` selects the rows that must not exist, from `{batch}` and from further relations by
    their plain names; its columns are among `PLACES`. Braces other than `{batch}` are written once.
    `critical`: everything downstream would be wrong, so nothing downstream runs.
    `warning`: rows to ask the source about.
    """

    name: str
    severity: Severity
    description: str
    description_zh: str
    rows_sql: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} can't be the name of an asset check")
        if "{batch}" not in self.rows_sql:
            raise ValueError(f"{self.name}: the SQL does not read {{batch}}")

    def sql(self, relation: str = "batch") -> str:
        """The query as plain SQL over a relation of that name."""
        return self.rows_sql.replace("{batch}", relation)


def rows_where(
    violated: str,
    *,
    name: str,
    severity: Severity,
    description: str,
    description_zh: str,
    place: str = "dt, source_file, source_line",
) -> Expectation:
    """Unexpected are the rows for which `violated`, an SQL predicate, is true (NULL is not)."""
    return Expectation(
        name,
        severity,
        description,
        description_zh,
        f"SELECT {place} FROM {{batch}} WHERE {violated}",
    )


def groups_where(
    violated: str,
    by: str,
    *,
    name: str,
    severity: Severity,
    description: str,
    description_zh: str,
    place: str = "dt, min(source_file) AS source_file, min(source_line) AS source_line",
    among: str = "true",
) -> Expectation:
    """Unexpected are the groups for which `violated`, an SQL aggregate predicate, is true.

    `by` is a list of SQL expressions, `among` limits the rows that are grouped.
    """
    return Expectation(
        name,
        severity,
        description,
        description_zh,
        f"SELECT {place}, count(*) AS rows FROM {{batch}} "
        f"WHERE {among} GROUP BY {by} HAVING {violated}",
    )


def delivered(column: str) -> str:
    """SQL predicate: the release of this row held the column.

    An operator that has no such column leaves it unknown everywhere, which is no fault of a row.
    """
    return f"dt NOT IN (SELECT dt FROM missing_columns WHERE column_name = '{column}')"


def names_its_subscriber() -> Expectation:
    """For feeds about a subscriber whose key does not hold the subscriber."""
    return rows_where(
        "subscriber_id IS NULL",
        name="names_its_subscriber",
        severity="warning",
        description="Every row says which subscriber it is about.",
        description_zh="每行都指明用户",
    )


# A source of the extras of one dbt source: feed name -> expectations.
Extras = Mapping[str, tuple[Expectation, ...]]
