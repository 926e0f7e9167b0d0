"""The only reader of the environment.

Here: every `RETENTION_*` variable, its default and its validation. Not here: paths inside the
home (`lake.py`) and policy (dbt seeds).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "RETENTION_"
PROJECT_ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"


class Settings(BaseSettings):
    """What an installation decides. Every field is read from `RETENTION_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(default=Path("data"), description="Where all runtime data lies.")
    landing: Path | None = Field(
        default=None, description="The landing zone; default `<home>/landing`."
    )
    timezone: str = Field(
        default="Asia/Shanghai", description="The operator's timezone: business dates are its days."
    )
    start_date: date = Field(
        default=date(2025, 1, 1), description="The first day of the DAYS and MONTHS clocks."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Root of the token key and the vault key; a development key is made without it.",
    )
    settle_seconds: int = Field(
        default=60, ge=0, description="A landing file younger than this may still be growing."
    )
    policy_overrides: dict[str, str] = Field(
        default_factory=dict,
        description="Settings of the policy seeds that this installation replaces, as JSON; they "
        "stand with every day's decisions.",
    )
    dbt_target: str = Field(default="duckdb", description="The dbt target of `profiles.yml`.")
    memory_limit: str = Field(default="4GB", description="DuckDB's memory limit.")
    threads: int = Field(
        default=os.cpu_count() or 2, ge=1, description="DuckDB's and dbt's threads."
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read and validate the environment.

        Raises ValueError for a `RETENTION_*` variable that no field knows: a misspelt name must
        not silently mean the default.
        """
        known = {PREFIX + name.upper() for name in cls.model_fields}
        unknown = sorted(
            name for name in os.environ if name.startswith(PREFIX) and name not in known
        )
        if unknown:
            raise ValueError(
                f"unknown environment variable {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        return cls()

    @field_validator("home", "landing")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        resolved = path.expanduser().resolve()
        # Engines read folders by patterns, and a path cannot say that its own characters are none.
        if any(character in str(resolved) for character in "*?[]"):
            raise ValueError(f"{resolved}: a path must not hold any of * ? [ ]")
        return resolved

    @field_validator("secret_key")
    @classmethod
    def _secret_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not key.get_secret_value().strip():
            raise ValueError("is empty: set a secret, or leave it unset for a development key")
        return key

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown timezone {name!r}") from error
        return name

    @property
    def landing_zone(self) -> Path:
        """The folder with one folder a feed."""
        return self.landing or self.home / "landing"

    def today(self) -> date:
        """The business date now, in the operator's timezone."""
        return datetime.now(ZoneInfo(self.timezone)).date()

    def key(self, purpose: str) -> bytes:
        """The 32-byte key for one purpose ("token", "vault", "arms"), derived from the root secret.

        Without `RETENTION_SECRET_KEY` a development key is made once, kept in the home with
        mode 0600, and a warning goes to standard error.
        """
        return hmac.new(self._root_secret(), purpose.encode(), hashlib.sha256).digest()

    def _root_secret(self) -> bytes:
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        path = self.home / "development.key"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f"development.key.{os.getpid()}")
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            # Of two processes that make one at the same time, the first one's stays, whole.
            with suppress(FileExistsError):
                path.hardlink_to(made)
            made.unlink()
            sys.stderr.write(
                f"warning: {PREFIX}SECRET_KEY is not set; made a development key in {path}\n"
            )
        return path.read_text().strip().encode()
