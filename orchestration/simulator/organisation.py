"""The operator's tree of units with its staff and channels.

Here: HQ > province > city > branch by the size of the operator, staff and capacities, halls and
agents. Not here: files (`reference.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_PROVINCES = (("云州省", "Yunzhou"), ("江岭省", "Jiangling"))
_CITIES = (
    ("青河市", "Qinghe"),
    ("临山市", "Linshan"),
    ("海宁港市", "Haininggang"),
    ("玉泉市", "Yuquan"),
)
_BRANCHES = (
    ("城东支局", "East Branch"),
    ("城西支局", "West Branch"),
    ("新区支局", "New District Branch"),
)
_SMALL, _LARGE = 2_000, 10_000

ROLES = (
    "ACCOUNT_MANAGER",
    "VIP_MANAGER",
    "LINE_TECHNICIAN",
    "SALES_REP",
    "OUTSOURCED_HALL_MANAGER",
    "CALL_AGENT",
)
_ROLE_CALLS = (25, 15, 10, 15, 10, 60)
_ROLE_VISITS = (6, 4, 8, 2, 2, 0)


@dataclass(frozen=True)
class Unit:
    org_id: str
    parent_org_id: str | None
    level: str
    name_zh: str
    name_en: str


@dataclass(frozen=True)
class Member:
    staff_id: str
    org_id: str
    branch: int
    role: int
    employment: str
    calls: int
    visits: int


@dataclass(frozen=True)
class Agent:
    agent_id: str
    branch: int


@dataclass(frozen=True)
class Organisation:
    """Units, branches (by index), staff in the order of their ids."""

    units: tuple[Unit, ...]
    branch_ids: tuple[str, ...]
    city_names: tuple[str, ...]
    staff: tuple[Member, ...]

    @property
    def branches(self) -> int:
        return len(self.branch_ids)

    @property
    def agents(self) -> tuple[Agent, ...]:
        return tuple(Agent(self.agent(b), b) for b in range(self.branches))

    def seller_of(self, branches, u):  # type: ignore[no-untyped-def]
        agent = np.where(u < 0.45, branches, -1)
        return np.where(u < 0.45, branches + self.branches, branches), agent

    def hall(self, branch: int) -> str:
        return f"CH{branch + 1:03d}H"

    def agent_channel(self, branch: int) -> str:
        return f"CH{branch + 1:03d}A"

    def agent(self, branch: int) -> str:
        return f"AG{branch + 1:03d}"

    def staff_of(
        self, branches: npt.NDArray[np.integer], roles: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int64]:
        """Index of a member of staff of each branch and role (any of the branch for role -1)."""
        table = np.zeros((self.branches, len(ROLES)), dtype=np.int64)
        for index in range(len(self.staff) - 1, -1, -1):
            member = self.staff[index]
            table[member.branch, member.role] = index
        return table[branches, np.where(roles < 0, 0, roles)]


def organisation(subscribers: int, region: int = 0, regions: int = 1) -> Organisation:
    """The tree of an operator of this size; the same for the same size."""
    provinces = 1 if subscribers < _LARGE else 2
    cities = 2 if subscribers < _SMALL else 3 if subscribers < _LARGE else 4
    units = [Unit("HQ", None, "HQ", "云通集团总部", "Yuntong Headquarters")]
    branch_ids: list[str] = []
    city_names: list[str] = []
    staff: list[Member] = []
    for province in range(provinces):
        zh, en = _PROVINCES[province]
        units.append(Unit(f"P{province + 1}", "HQ", "PROVINCE", f"{zh}公司", f"{en} Province"))
    for city in range(cities):
        zh, en = _CITIES[city]
        parent = f"P{city % provinces + 1}"
        city_id = f"{parent}C{city + 1}"
        units.append(Unit(city_id, parent, "CITY", f"{zh}分公司", f"{en} City"))
        for number, (branch_zh, branch_en) in enumerate(_BRANCHES, start=1):
            branch_id = f"{city_id}B{number}"
            units.append(
                Unit(branch_id, city_id, "BRANCH", f"{zh[:-1]}{branch_zh}", f"{en} {branch_en}")
            )
            for role in range(len(ROLES)):
                staff.append(
                    Member(
                        staff_id=f"ST{len(staff) + 1:04d}",
                        org_id=branch_id,
                        branch=len(branch_ids),
                        role=role,
                        employment="DISPATCHED" if role >= 4 else "LONG_CONTRACT",
                        calls=_ROLE_CALLS[role],
                        visits=_ROLE_VISITS[role],
                    )
                )
            branch_ids.append(branch_id)
            city_names.append(f"{_PROVINCES[city % provinces][0]}{zh}")
    return Organisation(tuple(units), tuple(branch_ids), tuple(city_names), tuple(staff))
