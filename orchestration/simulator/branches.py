"""How branches differ from each other: which of them serve poorly, and draws by unit.

Here: pure functions of the seed and the units' ids, the same in whichever region a unit lies. Not
here: what follows from it (`people.py`, `complaints.py`, `network.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator.organisation import Organisation
from orchestration.simulator.randomness import Draws, Stream

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_POOR_SHARE = 1 / 8
_FEWEST_TO_DIFFER = 3  # with fewer branches there is nothing to compare with


def unit_keys(org_ids: Sequence[str]) -> Ints:
    """A number for each unit that depends on its id alone, to draw by."""
    return np.array([crc32(org_id.encode()) for org_id in org_ids], dtype=np.int64)


def poor_service_branches(organisation: Organisation, draws: Draws) -> Flags:
    """About one branch in eight serves poorly, one at least where there are three or more."""
    branches = organisation.branches
    is_poor = np.zeros(branches, dtype=bool)
    if branches < _FEWEST_TO_DIFFER:
        return is_poor
    u = draws.few(Stream.BRANCHES, 0, unit_keys(organisation.branch_ids), ("poor",))["poor"]
    count = max(1, round(branches * _POOR_SHARE))
    is_poor[np.argsort(u, kind="stable")[:count]] = True
    return is_poor


def poor_service_truth(organisation: Organisation, draws: Draws) -> Mapping[str, pa.Array]:
    """Columns of the truth table: every branch and whether it serves poorly."""
    return {
        "org_id": pa.array(organisation.branch_ids, pa.string()),
        "is_poor_service": pa.array(poor_service_branches(organisation, draws)),
    }
