"""What a rule says of a subscriber.

Here: true with evidence, false, or unknown. Not here: rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """`is_true` None is unknown."""

    is_true: bool | None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def fired(**evidence: Any) -> Finding:
    return Finding(True, evidence)


def absent() -> Finding:
    return Finding(False)


def unknown() -> Finding:
    return Finding(None)
