"""Fixtures of the reference's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.reference.handmade import Landing

Make = Callable[..., Landing]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A fresh landing zone; several in one test do not mix."""
    count = 0

    def fresh(first: str, last: str, daily: Iterable[str] = ()) -> Landing:
        nonlocal count
        count += 1
        return Landing(tmp_path / str(count), first, last, daily)

    return fresh
