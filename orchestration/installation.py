"""One installation: its settings, clocks, lake, warehouse, feeds and dbt project, wired once.

Here: how these parts are made from `Settings`. Not here: Dagster definitions (`defs/`).
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.contracts import Feed, load_codes, load_feeds, load_tolerances
from orchestration.dbt_session import PARTIAL_PARSE, DbtSession, NodeResult, variables
from orchestration.lake import Lake
from orchestration.partitions import Clocks
from orchestration.retention.policy import Policy, PolicyError, load_policy
from orchestration.settings import DBT_PROJECT_DIR, Settings
from orchestration.warehouse import LakeRelation, Warehouse

SEEDS = DBT_PROJECT_DIR / "seeds"
CHURN_SOURCES = ("EVENTS_AND_SILENCE", "EVENTS_ONLY")


@dataclass(frozen=True)
class Installation:
    """Everything that Dagster's definitions are built from."""

    settings: Settings

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.settings.home)

    @cached_property
    def warehouse(self) -> Warehouse:
        return Warehouse(
            path=self.lake.warehouse,
            spill=self.lake.workspace / "duckdb",
            memory_limit=self.settings.memory_limit,
            threads=self.settings.threads,
        )

    @cached_property
    def clocks(self) -> Clocks:
        return Clocks.starting(self.settings.start_date, self.settings.timezone)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The dbt manifest, parsed again when a file of the project is newer."""
        if not self._manifest_is_fresh():
            self._parse()
        manifest: Mapping[str, Any] = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        return manifest

    @property
    def manifest_path(self) -> Path:
        return self.settings.home / "dbt" / "manifest.json"

    @cached_property
    def feeds(self) -> Mapping[str, Feed]:
        return load_feeds(self.manifest, load_codes(SEEDS))

    @cached_property
    def policy(self) -> Policy:
        """The policy seeds as edited, with this installation's overrides."""
        definition = self._definition_parameters
        overrides = self.settings.policy_overrides
        settings = {name: value for name, value in overrides.items() if name not in definition}
        return load_policy(SEEDS, settings, self.definition_overrides)

    @property
    def definition_overrides(self) -> Mapping[str, str]:
        """The overrides that replace parameters of `churn_definition`, which dbt reads."""
        definition = self._definition_parameters
        overrides = self.settings.policy_overrides
        chosen = {name: value for name, value in overrides.items() if name in definition}
        if chosen.get("source", CHURN_SOURCES[0]) not in CHURN_SOURCES:
            raise PolicyError(f"overrides: source {chosen['source']!r} is none of {CHURN_SOURCES}")
        return chosen

    @cached_property
    def _definition_parameters(self) -> frozenset[str]:
        with (SEEDS / "policy" / "churn_definition.csv").open(encoding="utf-8", newline="") as file:
            return frozenset(row["parameter"] for row in csv.DictReader(file))

    @cached_property
    def tolerances(self) -> Mapping[str, float]:
        return load_tolerances(SEEDS, self.feeds)

    @cached_property
    def relations(self) -> tuple[LakeRelation, ...]:
        """Every dbt source as a relation over its folder in the lake."""
        return tuple(self._relation(node) for node in self.manifest["sources"].values())

    def _relation(self, node: Mapping[str, Any]) -> LakeRelation:
        name = node["name"]
        columns = {spec["name"]: spec["data_type"] for spec in node["columns"].values()}
        if name in self.feeds:
            folder = self.lake.root / "raw" / name
            return LakeRelation("raw", name, folder, self.feeds[name].raw_columns, {"dt": "date"})
        if name == "receipts":
            folder = self.lake.root / "receipts"
            partitions = {"feed": "varchar", "dt": "date"}
        else:
            folder = self.lake.root / "loop" / name
            partitions = {"dt": "date"}
        declared = {key: value for key, value in columns.items() if key not in partitions}
        return LakeRelation(node["schema"], name, folder, declared, partitions)

    @contextmanager
    def exported(self) -> Iterator[None]:
        """This installation's settings in the environment, for a child process such as dbt."""
        values = {
            "RETENTION_HOME": str(self.settings.home),
            "RETENTION_THREADS": str(self.settings.threads),
            "RETENTION_MEMORY_LIMIT": self.settings.memory_limit,
            "RETENTION_DBT_TARGET": self.settings.dbt_target,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def _manifest_is_fresh(self) -> bool:
        if not self.manifest_path.exists():
            return False
        parsed_at = self.manifest_path.stat().st_mtime
        return all(
            path.stat().st_mtime < parsed_at
            for path in DBT_PROJECT_DIR.rglob("*")
            if path.suffix in {".sql", ".yml", ".csv"} and "target" not in path.parts
        )

    @cached_property
    def dbt(self) -> DbtSession:
        return DbtSession(project=DBT_PROJECT_DIR, target=self.settings.home / "dbt" / "target")

    def build(
        self, selection: Sequence[str], first: date, last: date, month: date | None = None
    ) -> list[NodeResult]:
        """Run `dbt build` for the release dates `first`..`last`; `month` is the one learnt for.

        Nodes that fail are results (`dbt_session.failures`), not errors.
        """
        with self.exported():
            return self.dbt.build(
                selection, variables(first, last, month, self.definition_overrides)
            )

    def _parse(self) -> None:
        """Parse into a folder of its own and swap the manifest in, so that readers never see half."""
        folder = self.manifest_path.parent
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix="parse-", dir=folder))
        try:
            with self.exported():
                self.dbt.parse(target)
            (target / "manifest.json").replace(self.manifest_path)
            # What a later process needs to parse in a second.
            if (target / PARTIAL_PARSE).exists():
                self.dbt.target.mkdir(parents=True, exist_ok=True)
                (target / PARTIAL_PARSE).replace(self.dbt.target / PARTIAL_PARSE)
        finally:
            shutil.rmtree(target, ignore_errors=True)
