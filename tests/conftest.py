"""What every test may ask for: the feeds' contracts and an installation in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import Feed
from orchestration.dbt_session import DbtSession
from orchestration.installation import Installation
from orchestration.settings import Settings

DAGSTER_VARIABLES = ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE")


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> None:
    """Tests do not depend on what the developer's shell exports."""
    for name in [name for name in os.environ if name.startswith("RETENTION_")]:
        del os.environ[name]
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation whose manifest is parsed once a session."""
    home = tmp_path_factory.mktemp("project")
    return Installation(Settings(home=home, secret_key="test"))


@pytest.fixture(scope="session")
def manifest(project: Installation) -> Mapping[str, Any]:
    return project.manifest


@pytest.fixture(scope="session")
def feeds(project: Installation) -> Mapping[str, Feed]:
    return project.feeds


@pytest.fixture
def make_settings(tmp_path: Path, project: Installation) -> Callable[..., Settings]:
    """Settings for a fresh home that starts with the session's parsed manifest."""

    def make(name: str = "home", **values: Any) -> Settings:
        home = tmp_path / name
        target = home / "dbt" / "manifest.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        _ = project.manifest
        if not target.exists():
            target.write_bytes(project.manifest_path.read_bytes())
        defaults = {"secret_key": "test", "start_date": date(2025, 1, 1), "threads": 2}
        return Settings(home=home, **(defaults | values))

    return make


@pytest.fixture(scope="session")
def parsed_once(project: Installation) -> Iterator[None]:
    """Every dbt session of the process takes the project's parse, which differs in nothing.

    A test that asks for this starts its own runs; the parse itself is proven by those that do not.
    """
    _ = project.manifest
    shared = project.dbt._manifest or project.dbt.parse()

    def parsed(self: DbtSession, target: Path | None = None) -> Any:
        if target is not None:
            (target / "manifest.json").write_bytes(project.manifest_path.read_bytes())
        return shared

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtSession, "parse", parsed)
        yield


@pytest.fixture
def dagster_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What starting a run exports is gone after the test."""
    for name in DAGSTER_VARIABLES:
        # Setting it first is what makes monkeypatch take it away in the end.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
