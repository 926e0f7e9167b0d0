"""What people remember of being contacted.

Here: the contacts of the last weeks that got through, whoever made them. Not here: what they do to
people (`responses.py`), complaints about them (`complaints.py`).
"""

from __future__ import annotations

from orchestration.simulator.state import State
from orchestration.simulator.today import Ints

FATIGUE_DAYS = 30


def recent_contacts(state: State, slots: Ints, day: int) -> Ints:
    """Contacts that got through in the last `FATIGUE_DAYS`, as many as are remembered."""
    return (state.contact_days[slots] > day - FATIGUE_DAYS).sum(axis=1)


def days_since_contact(state: State, slots: Ints, day: int) -> Ints:
    """Days since the newest contact that got through; many where there was none."""
    return day - state.contact_days[slots, 0].astype(int)


def remember_contact(state: State, slots: Ints, day: int) -> None:
    """Each slot once."""
    state.contact_days[slots, 1:] = state.contact_days[slots, :-1]
    state.contact_days[slots, 0] = day
