"""What SQL lint needs of dbt's context beyond sqlfluff's own built-ins.

Here: stand-ins, so that models render without a warehouse and without parsing the project. Not
here: anything that dbt itself runs.
"""

from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

VARIABLES: dict[str, Any] = {
    "from_date": "2025-01-01",
    "to_date": "2025-01-31",
    "month": "2025-02-01",
    "churn_definition_overrides": {"source": "EVENTS_ONLY"},
    "signal_max_step": 45,
    "state_max_step": 7,
}


def var(name: str, default: Any = "") -> Any:
    """The value of a dbt variable."""
    return VARIABLES.get(name, default)


class Adapter:
    """dbt's `adapter`, for DuckDB."""

    @staticmethod
    @pass_context
    def dispatch(context: Context, macro: str) -> Callable[..., Any]:
        """The macro's DuckDB spelling, from this project."""
        found: Callable[..., Any] = context[f"duckdb__{macro}"]
        return found


adapter = Adapter()


def usage_measures() -> dict[str, tuple[str, str, list[int | str]]]:
    """A stand-in for the macro of this name: one of its measures, with every window."""
    return {"data_mb": ("usage.data_mb", "decimal(18, 3)", [7, 30, 60, 120, "mtd"])}


def usage_marks() -> dict[str, str]:
    """A stand-in for the macro of this name: one of its marks."""
    return {"last_tac_on": "usage.tac is not null"}


def usage_maxima() -> dict[str, tuple[str, str]]:
    """A stand-in for the macro of this name: one of its measures."""
    return {"data_mb_day_max": ("usage.data_mb", "decimal(18, 3)")}
