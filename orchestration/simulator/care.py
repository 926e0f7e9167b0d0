"""A day of what customers say to us and where else they look.

Here: the order of the day. Not here: complaints (`complaints.py`), calls and visits
(`interactions.py`), contacts with competitors (`rivals.py`), what our own people ask (`field.py`).
"""

from __future__ import annotations

from orchestration.simulator import complaints, interactions, rivals
from orchestration.simulator.life import Turns
from orchestration.simulator.network import is_line_faulty, levels
from orchestration.simulator.randomness import Stream
from orchestration.simulator.today import Today


def live(today: Today, turns: Turns) -> None:
    """Contacts with competitors, complaints and visits of the day."""
    u = today.uniform(Stream.CARE, "rival", "complain", "visit")
    outage, wrong_bills = levels(today)
    faulty = is_line_faulty(today)
    rivals.live(today, u["rival"])
    complaints.step(today)
    complaints.open_new(today, u["complain"], outage, wrong_bills, faulty)
    interactions.live(today, turns, u["visit"], outage, faulty)
