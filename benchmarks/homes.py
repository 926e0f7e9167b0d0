"""Installations that benchmarks make for themselves.

Here: an installation in a folder. Not here: what is done in it. Imports are inside, for some
benchmarks count them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.installation import Installation
    from orchestration.settings import Settings


def settings_in(home: Path, first: date) -> Settings:
    """Settings whose data lie in `home` and whose clocks start on `first`."""
    from pydantic import SecretStr

    from orchestration.settings import Settings

    return Settings(home=home, start_date=first, secret_key=SecretStr("benchmark"))


def installation_in(home: Path, first: date) -> Installation:
    """The installation of `settings_in`."""
    from orchestration.installation import Installation

    return Installation(settings_in(home, first))
