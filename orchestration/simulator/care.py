"""A day of what customers say to us and where else they look.

Here: the order of the day. Not here: complaints (`complaints.py`), calls and visits
(`interactions.py`), contacts with competitors (`rivals.py`), what our own people ask (`field.py`).
"""

from __future__ import annotations

import numpy as np

from orchestration.simulator import complaints, interactions, rivals
from orchestration.simulator.life import Turns
from orchestration.simulator.network import is_line_faulty, levels
from orchestration.simulator.people import IOT, VOICE
from orchestration.simulator.randomness import Stream
from orchestration.simulator.today import Today

_NOTHING = np.float32(1)  # a draw at which nothing happens


def live(today: Today, turns: Turns) -> None:
    """Contacts with competitors, complaints and visits of the day."""
    people = today.world.people
    u = today.uniform(Stream.CARE, "rival", "complain", "visit")
    # Meters and cards that nobody uses have nobody to speak for them; only voice lines forward.
    is_silent = (people.line_class == IOT) | people.ties.is_washed
    calls = np.where(people.line_class == VOICE, u["rival"], _NOTHING)
    u = {name: np.where(is_silent, _NOTHING, values) for name, values in u.items()}
    outage, wrong_bills = levels(today)
    faulty = is_line_faulty(today)
    rivals.live(today, np.where(is_silent, _NOTHING, calls))
    rivals.forward_to_second_handsets(today)
    complaints.step(today)
    complaints.open_new(today, u["complain"], outage, wrong_bills, faulty)
    interactions.live(today, turns, u["visit"], outage, faulty)
