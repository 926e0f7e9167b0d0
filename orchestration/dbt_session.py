"""dbt inside this process: imported once, parsed once, run as often as needed.

Here: parsing, building, a build's variables and failures, and letting go of the warehouse. Not here:
what is built for which dates (`defs/dbt.py`).

A dbt process costs 8 to 12 s before its first model (import, parse); a build in this process costs
none of that. dbt-duckdb keeps its connection to the warehouse, which would shut out every other
connection of this process, so it is closed after each build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PARTIAL_PARSE = "partial_parse.msgpack"


class DbtError(RuntimeError):
    """dbt did not accept the project, or did not run at all."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one node of a build."""

    unique_id: str
    status: str
    message: str
    seconds: float
    failures: int | None

    @property
    def is_good(self) -> bool:
        return self.status in {"success", "pass", "warn", "no-op"}


def failures(results: Iterable[NodeResult]) -> list[str]:
    """One line for each node that failed, in the order given."""
    return [f"{node.unique_id}: {node.message}" for node in results if not node.is_good]


def variables(
    first: date, last: date, month: date | None = None, overrides: Mapping[str, str] | None = None
) -> str:
    """dbt's `--vars` for the release dates `first`..`last` (inclusive).

    `month` is the month that is learnt for, on the MONTHS clock; `overrides` replaces parameters
    of the churn definition.
    """
    values: dict[str, Any] = {"from_date": str(first), "to_date": str(last)}
    if month:
        values["month"] = str(month)
    if overrides:
        values["churn_definition_overrides"] = dict(overrides)
    return json.dumps(values)


@dataclass
class DbtSession:
    """One dbt project and the folder for its artefacts and log."""

    project: Path
    target: Path
    _manifest: Manifest | None = field(default=None, repr=False)

    def parse(self, target: Path | None = None) -> Manifest:
        """Parse the project; writes `manifest.json` into the target. Raises DbtError."""
        result = self._invoke(["parse"], target or self.target, None)
        self._manifest = result.result
        return self._manifest

    def build(self, selection: Sequence[str], variables: str) -> list[NodeResult]:
        """Run `dbt build`; one result a node, in order of execution.

        `selection`: command-line arguments such as `--select …`; `variables`: JSON. Nodes that
        fail are results, not errors; DbtError means that nothing was run.
        """
        manifest = self._manifest or self.parse()
        # dbt writes compiled code into the nodes: each build gets a manifest of its own.
        arguments = ["build", *selection, "--vars", variables]
        try:
            result = self._invoke(arguments, self.target, manifest.deepcopy())
        finally:
            self.let_go()
        return [
            NodeResult(
                unique_id=node.node.unique_id,
                status=str(node.status),
                message=node.message or "",
                seconds=node.execution_time,
                failures=node.failures,
            )
            for node in result.result.results
        ]

    def _invoke(self, arguments: list[str], target: Path, manifest: Manifest | None) -> Any:
        from dbt.cli.main import dbtRunner

        target.mkdir(parents=True, exist_ok=True)
        where: Mapping[str, Path] = {
            "--project-dir": self.project,
            "--profiles-dir": self.project,
            "--target-path": target,
            "--log-path": target,
        }
        options = [part for name, path in where.items() for part in (name, str(path))]
        result = dbtRunner(manifest=manifest).invoke(
            [*arguments, *options, "--quiet", "--no-send-anonymous-usage-stats"]
        )
        if result.exception is not None or result.result is None:
            raise DbtError(f"dbt {arguments[0]} failed: {result.exception}")
        return result

    @staticmethod
    def let_go() -> None:
        """Close the connection that dbt-duckdb keeps."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        environment = DuckDBConnectionManager._ENV
        if environment is not None:
            environment.close()
        DuckDBConnectionManager.close_all_connections()
