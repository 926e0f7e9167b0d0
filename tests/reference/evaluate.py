"""All signals of a date: who fires what, who does not, and of whom it is not known.

Here: the list of rules by code, and their answer for everyone of the base. Not here: rules.

A removed or deactivated line has no signals. STATE signals say what holds at D and EVENT signals
what is first met at D; `first_seen` and the re-arming after `signal_rearm_days` belong to a
history of days, not to one date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.reference import bills, complaints, fit, holdings, rivals, suspension, traffic
from tests.reference.arbitrage import Agent, agents
from tests.reference.book import Book, Line
from tests.reference.churn import Departure, departures
from tests.reference.decline_causes import decline_causes
from tests.reference.dual_handset import DualHandset, dual_handsets
from tests.reference.finding import Finding, fired
from tests.reference.inout import InOut, Place, inout
from tests.reference.parameters import DEFAULTS, Parameters
from tests.reference.reentry import Link, links

Key = tuple[str, str]

RULES: Mapping[str, Callable[[Book, Line], Finding]] = {
    "ZERO_CALL_5D": traffic.zero_call,
    "DOUBLE_SUSPENSION_7D": suspension.double_suspension,
    "HR1_COMPLAINT": complaints.hr1_complaint,
    "HR2_VOLUNTARY_SUSPENSION": suspension.hr2_voluntary,
    "HR3_COLLAPSE": bills.hr3_collapse,
    "HR4_ARREARS_SUSPENSION": suspension.hr4_arrears,
    "HR5_LOW_BALANCE": bills.hr5_low_balance,
    "HR6_CONTRACT_EXPIRING": holdings.hr6_contract,
    "HR7_FORWARD_TO_COMPETITOR": rivals.hr7_forward,
    "HR8_COMPETITOR_HOTLINE": rivals.hr8_hotline,
    "DUAL_SIM_EXPOSURE": rivals.dual_sim_exposure,
    "VAS_CHURN": holdings.vas_churn,
    "INTEGRITY_RISK": holdings.integrity_risk,
    "BILL_SHOCK": bills.bill_shock,
    "PLAN_MISMATCH": fit.plan_mismatch,
    "USAGE_SPIKE": fit.usage_spike,
    "USAGE_DROP": fit.usage_drop,
    "OVER_PLAN_80": fit.over_plan_80,
    "OVER_PLAN_100": fit.over_plan_100,
    "DEVICE_MISMATCH": fit.device_mismatch,
    "DATA_MISMATCH": fit.data_mismatch,
    "PORT_INTENT": rivals.port_intent,
}
# These need more than the line itself.
CODES = (*RULES, "DUAL_HANDSET", "ARPU_DECLINE", "DEAL_HUNTER")


@dataclass
class Reference:
    """Everything that the rules say as of a date."""

    book: Book

    @classmethod
    def as_of(cls, landing: Path, day: date, p: Parameters = DEFAULTS) -> Reference:
        return cls(Book.as_of(landing, day, p))

    @cached_property
    def departures(self) -> dict[str, Departure]:
        return departures(self.book)

    @cached_property
    def links(self) -> list[Link]:
        return links(self.book, self.departures)

    @cached_property
    def agents(self) -> dict[str, Agent]:
        return agents(self.book, self.departures, self.links)

    @cached_property
    def inout(self) -> dict[Place, InOut]:
        return inout(self.book, self.departures, self.links)

    @cached_property
    def dual_handsets(self) -> dict[str, DualHandset]:
        return dual_handsets(self.book)

    def finding(self, line: Line, code: str) -> Finding:
        if code == "DUAL_HANDSET":
            dual = self.dual_handsets[line.subscriber_id]
            types = sorted(name for name, holds in dual.types.items() if holds)
            return Finding(dual.is_flagged, {"types": types, "score": dual.score})
        if code == "DEAL_HUNTER":
            return holdings.deal_hunter(self.book, line, self.links)
        if code == "ARPU_DECLINE":
            found = bills.arpu_decline(self.book, line)
            if not found.is_true:
                return found
            is_dual = bool(self.dual_handsets[line.subscriber_id].is_flagged)
            causes = decline_causes(self.book, line, is_dual)
            return fired(**found.evidence, cause=causes[0], causes=causes)
        return RULES[code](self.book, line)

    @cached_property
    def findings(self) -> dict[Key, Finding]:
        """(subscriber_id, code) -> finding, for the whole base."""
        return {
            (name, code): self.finding(line, code)
            for name, line in self.book.base.items()
            for code in CODES
        }

    def evaluate(self) -> dict[Key, bool | None]:
        """True, False, or None for unknown."""
        return {key: finding.is_true for key, finding in self.findings.items()}

    def signals(self) -> dict[Key, Mapping[str, Any]]:
        """What fires, with its evidence."""
        return {key: finding.evidence for key, finding in self.findings.items() if finding.is_true}
