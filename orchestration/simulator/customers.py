"""Who owns which line, and what kind of line it is.

Here: pure functions of the people. Not here: files (`crm.py`), names and numbers (`identity.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from orchestration.simulator.people import Flags, Ints, People

_FIRM_LINES = 5  # a customer with as many lines in the opening base is no person


def customer_of(people: People, slots: Ints) -> Ints:
    """Slot of the first line of the customer who owns each of the lines."""
    owners = getattr(people, "customer_slot", None)
    if owners is not None:
        return np.asarray(owners[slots], dtype=np.int64)
    return slots - people.is_second_line[slots]


def is_firm(people: People, subscribers: int) -> Flags:
    """By slot: whether the customer whose first line it is owns many lines.

    Only the opening base counts, so that later joiners change nobody's class.
    """
    base = np.arange(min(subscribers, people.slots))
    lines = np.bincount(customer_of(people, base), minlength=people.slots)
    return lines >= _FIRM_LINES


def service_of(people: People, slots: Ints) -> tuple[pa.Array | str, pa.Array | str]:
    """Service type and line class of the lines (texts by slot, where people have them)."""
    types, classes = getattr(people, "service_type", None), getattr(people, "line_class", None)
    return (
        "MOBILE" if types is None else pa.array(np.asarray(types)[slots].tolist(), pa.string()),
        "VOICE" if classes is None else pa.array(np.asarray(classes)[slots].tolist(), pa.string()),
    )
