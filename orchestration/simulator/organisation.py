"""A region's tree of units with its staff, sales channels and agents.

Here: province > city > branch by the size of the region, staff and capacities, channels and agents,
and who sells which share. Not here: files and the headquarters above all regions (`reference.py`),
what is sold and earned (`channels.py`). Everything is a function of the region's number and size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator.randomness import scramble

Ints = npt.NDArray[np.int64]

# Names are put together of two parts, so that no two provinces or cities share one.
_PROVINCE_FIRST = (
    ("云", "Yun"),
    ("江", "Jiang"),
    ("宁", "Ning"),
    ("平", "Ping"),
    ("清", "Qing"),
    ("临", "Lin"),
    ("瑞", "Rui"),
    ("玉", "Yu"),
)
_PROVINCE_SECOND = (
    ("州", "zhou"),
    ("岭", "ling"),
    ("川", "chuan"),
    ("原", "yuan"),
    ("泽", "ze"),
    ("湾", "wan"),
    ("泉", "quan"),
    ("峡", "xia"),
)
_CITY_FIRST = (
    ("青", "Qing"),
    ("临", "Lin"),
    ("海", "Hai"),
    ("玉", "Yu"),
    ("安", "An"),
    ("丰", "Feng"),
    ("南", "Nan"),
    ("东", "Dong"),
    ("北", "Bei"),
    ("秀", "Xiu"),
    ("锦", "Jin"),
    ("虹", "Hong"),
    ("碧", "Bi"),
    ("雅", "Ya"),
    ("广", "Guang"),
    ("新", "Xin"),
)
_CITY_SECOND = (
    ("河", "he"),
    ("山", "shan"),
    ("港", "gang"),
    ("泉", "quan"),
    ("溪", "xi"),
    ("桥", "qiao"),
    ("湖", "hu"),
    ("关", "guan"),
    ("垣", "yuan"),
    ("坞", "wu"),
    ("塘", "tang"),
    ("渡", "du"),
    ("崖", "ya"),
    ("屏", "ping"),
    ("梁", "liang"),
    ("岸", "an"),
)
_BRANCHES = (
    ("城东支局", "East Branch"),
    ("城西支局", "West Branch"),
    ("新区支局", "New District Branch"),
    ("城南支局", "South Branch"),
    ("城北支局", "North Branch"),
    ("开发区支局", "Development Zone Branch"),
    ("高新区支局", "Hi-tech Zone Branch"),
    ("滨江支局", "Riverside Branch"),
)
MOST_REGIONS = len(_PROVINCE_FIRST) * len(_PROVINCE_SECOND)
_SMALL, _LARGE = 2_000, 10_000  # subscribers of a region with one city more
_CITIES = (2, 3, 4)
_FEWEST_BRANCHES = 3  # of a city
_SUBSCRIBERS_A_BRANCH = 15_000
SECTIONS = 4  # of a branch

ROLES = (
    "ACCOUNT_MANAGER",
    "VIP_MANAGER",
    "LINE_TECHNICIAN",
    "SALES_REP",
    "OUTSOURCED_HALL_MANAGER",
    "CALL_AGENT",
)
_ROLE_CALLS = (25, 15, 10, 15, 10, 60)  # a member and day
_ROLE_VISITS = (6, 4, 8, 2, 2, 0)
_ROLE_SUBSCRIBERS = (3_000, 10_000, 8_000, 4_000, 15_000, 3_000)  # of the branch, a member
_ROLE_HAS_SECTION = (True, False, True, True, False, False)
_LONG, _SHORT, _DISPATCHED = "LONG_CONTRACT", "SHORT_CONTRACT", "DISPATCHED"
_ROLE_EMPLOYMENT = (  # of the first, second, … member in turn
    (_LONG, _LONG, _SHORT),
    (_LONG,),
    (_LONG, _SHORT),
    (_SHORT, _LONG, _DISPATCHED),
    (_DISPATCHED,),
    (_DISPATCHED, _DISPATCHED, _SHORT),
)

CHANNEL_TYPES = (
    "OWN_HALL",
    "PARTNER_HALL",
    "OUTSOURCED_HALL",
    "ONLINE",
    "APP",
    "CALL_CENTER",
    "AGENT",
)
OWN_HALL, PARTNER_HALL, OUTSOURCED_HALL, ONLINE, APP, CALL_CENTER, AGENT = range(7)
# What each kind sells of all activations.
SALES_SHARES = (0.22, 0.12, 0.04, 0.09, 0.06, 0.02, 0.45)
AGENT_TYPES = ("STREET", "STORE", "CHAIN")
_AGENT_ACTIVATIONS, _AGENT_DAYS = 60, 180  # of an agent
_AGENTS_A_CHANNEL = 3
_MOVED_ONE_IN = 12  # agents who came from another channel, not long before the opening
_MOVED_WITHIN_DAYS = (20, 160)
_NOWHERE = -1  # branch of a channel that serves the whole province; no former channel


@dataclass(frozen=True)
class Unit:
    org_id: str
    parent_org_id: str | None
    level: str
    name_zh: str
    name_en: str


@dataclass(frozen=True)
class Member:
    """A member of staff; `section` 0 means the whole branch."""

    staff_id: str
    org_id: str
    branch: int
    role: int
    employment: str
    calls: int
    visits: int
    section: int

    @property
    def section_id(self) -> str | None:
        return section_id(self.org_id, self.section) if self.section else None


@dataclass(frozen=True)
class Channel:
    """Where subscribers are won and served; branch -1 serves the whole province."""

    channel_id: str
    branch: int
    org_id: str
    kind: int  # index into CHANNEL_TYPES

    @property
    def channel_type(self) -> str:
        return CHANNEL_TYPES[self.kind]


@dataclass(frozen=True)
class Agent:
    """Who sells for commission; a few sold at another channel until some days before the opening."""

    agent_id: str
    branch: int
    channel: int  # index into the region's channels
    agent_type: str
    former_channel: int = _NOWHERE
    moved_days_before_opening: int = 0


@dataclass(frozen=True)
class Organisation:
    """A region: its units, branches by index, staff and agents branch by branch."""

    region: int
    subscribers: int  # for which it is built
    units: tuple[Unit, ...]
    city_ids: tuple[str, ...]
    branch_ids: tuple[str, ...]
    branch_city: tuple[int, ...]  # index of each branch's city
    city_names: tuple[str, ...]  # of each branch, province and city
    staff: tuple[Member, ...]
    channels: tuple[Channel, ...]
    agents: tuple[Agent, ...]

    @property
    def province_id(self) -> str:
        return province_id(self.region)

    @property
    def branches(self) -> int:
        return len(self.branch_ids)

    @property
    def subscribers_a_branch(self) -> float:
        return self.subscribers / self.branches

    def hall(self, branch: int) -> str:
        """The own hall of a branch."""
        return self.channels[branch].channel_id

    @cached_property
    def channel_ids(self) -> list[str]:
        return [channel.channel_id for channel in self.channels]

    @cached_property
    def agent_ids(self) -> list[str]:
        return [agent.agent_id for agent in self.agents]

    @cached_property
    def agent_channels(self) -> Ints:
        return np.array([agent.channel for agent in self.agents], dtype=np.int64)

    @cached_property
    def outlets(self) -> Ints:
        """(branch, kind but AGENT) -> the channel that serves the branch."""
        table = np.full((self.branches, AGENT), _NOWHERE, dtype=np.int64)
        city_of = np.array(self.branch_city)
        for index, channel in enumerate(self.channels):
            if channel.kind == AGENT:
                continue
            served: slice | npt.NDArray[np.bool_] | int = channel.branch
            if channel.branch == _NOWHERE:
                served = slice(None)
            elif channel.kind == OUTSOURCED_HALL:
                served = city_of == self.branch_city[channel.branch]
            table[served, channel.kind] = index
        return table

    @cached_property
    def sales_shares(self) -> npt.NDArray[np.float64]:
        """What each channel sells of the region's activations."""
        shares = np.zeros(len(self.channels))
        for kind in range(AGENT):
            np.add.at(shares, self.outlets[:, kind], SALES_SHARES[kind] / self.branches)
        count = self._agents_of[1]
        an_agent = SALES_SHARES[AGENT] / self.branches / count[[a.branch for a in self.agents]]
        np.add.at(shares, self.agent_channels, an_agent)
        return shares

    def seller_of(self, branches: Ints, u: npt.NDArray[np.floating]) -> tuple[Ints, Ints]:
        """Channel and agent (-1: none) that win a subscriber of each branch, from uniform draws."""
        u = u.astype(np.float64)
        share = SALES_SHARES[AGENT]
        edges = share + np.cumsum(SALES_SHARES[:AGENT])
        kind = np.minimum(np.searchsorted(edges, u, side="right"), AGENT - 1)
        first, count = self._agents_of
        nth = np.minimum((u / share * count[branches]).astype(np.int64), count[branches] - 1)
        agent = np.where(u < share, first[branches] + nth, _NOWHERE)
        channel = np.where(u < share, self.agent_channels[agent], self.outlets[branches, kind])
        return channel, agent

    @cached_property
    def _agents_of(self) -> tuple[Ints, Ints]:
        """First agent of each branch and their number."""
        count = np.bincount([agent.branch for agent in self.agents], minlength=self.branches)
        return (np.cumsum(count) - count).astype(np.int64), count.astype(np.int64)

    @cached_property
    def _staff_of(self) -> tuple[Ints, Ints]:
        """First member of each branch and role and their number, (branches, roles)."""
        cells = [member.branch * len(ROLES) + member.role for member in self.staff]
        count = np.bincount(cells, minlength=self.branches * len(ROLES)).astype(np.int64)
        shape = (self.branches, len(ROLES))
        return (np.cumsum(count) - count).reshape(shape), count.reshape(shape)

    def staff_of(
        self,
        branches: npt.NDArray[np.integer],
        roles: npt.NDArray[np.integer],
        spread: npt.NDArray[np.integer] | None = None,
    ) -> Ints:
        """Index of a member of staff of each branch and role (an account manager for role -1).

        Equal values of `spread` (say slots) meet the same member, different ones are spread over
        the members of the role; without it everything goes to the first.
        """
        first, count = self._staff_of
        roles = np.where(roles < 0, 0, roles)
        chosen = first[branches, roles]
        if spread is None:
            return chosen
        turn = scramble(spread) % count[branches, roles].astype(np.uint64)
        return chosen + turn.astype(np.int64)


def province_id(region: int) -> str:
    return f"P{region + 1}"


def section_id(branch_id: str, section: int) -> str:
    return f"{branch_id}S{section:02d}"


def organisation(subscribers: int, region: int = 0, regions: int = 1) -> Organisation:
    """The subtree of one region that opens with `subscribers` of its own.

    Raises ValueError for a region that is not one of `regions`, or more regions than there are
    names.
    """
    if not 0 <= region < regions <= MOST_REGIONS:
        raise ValueError(f"region {region} of {regions}: there are at most {MOST_REGIONS}")
    cities = _CITIES[(subscribers >= _SMALL) + (subscribers >= _LARGE)]
    a_city = max(_FEWEST_BRANCHES, round(subscribers / cities / _SUBSCRIBERS_A_BRANCH))
    province = province_id(region)
    province_zh, province_en = _province_name(region)
    units = [Unit(province, "HQ", "PROVINCE", f"{province_zh}公司", f"{province_en} Province")]
    city_ids: list[str] = []
    branch_ids: list[str] = []
    for city in range(cities):
        zh, en = _city_name(region * _CITIES[-1] + city)
        city_id = f"{province}C{city + 1}"
        units.append(Unit(city_id, province, "CITY", f"{zh}市分公司", f"{en} City"))
        for number in range(a_city):
            branch_zh, branch_en = _branch_name(number)
            branch_id = f"{city_id}B{number + 1}"
            name = f"{zh}{branch_zh}", f"{en} {branch_en}"
            units.append(Unit(branch_id, city_id, "BRANCH", *name))
            branch_ids.append(branch_id)
        city_ids.append(city_id)
    branch_city = tuple(index // a_city for index in range(len(branch_ids)))
    a_branch = subscribers / len(branch_ids)
    agents_a_branch = _agents_a_branch(a_branch)
    channels = _channels(region, branch_ids, branch_city, city_ids, agents_a_branch)
    return Organisation(
        region=region,
        subscribers=subscribers,
        units=tuple(units),
        city_ids=tuple(city_ids),
        branch_ids=tuple(branch_ids),
        branch_city=branch_city,
        city_names=tuple(
            f"{province_zh}{_city_name(region * _CITIES[-1] + city)[0]}市" for city in branch_city
        ),
        staff=_staff(region, branch_ids, a_branch),
        channels=channels,
        agents=_agents(region, channels, len(branch_ids), agents_a_branch),
    )


def _province_name(region: int) -> tuple[str, str]:
    zh, en = _compound(region, _PROVINCE_FIRST, _PROVINCE_SECOND)
    return f"{zh}省", en


def _city_name(number: int) -> tuple[str, str]:
    return _compound(number, _CITY_FIRST, _CITY_SECOND)


def _compound(
    number: int, first: tuple[tuple[str, str], ...], second: tuple[tuple[str, str], ...]
) -> tuple[str, str]:
    """Every first part with every second part, neighbours with nothing in common."""
    place = number % len(first)
    head, tail = first[place], second[(place + number // len(first)) % len(second)]
    return head[0] + tail[0], head[1] + tail[1]


def _branch_name(number: int) -> tuple[str, str]:
    if number < len(_BRANCHES):
        return _BRANCHES[number]
    return f"第{number + 1}支局", f"Branch No. {number + 1}"


def _staff(region: int, branch_ids: list[str], subscribers_a_branch: float) -> tuple[Member, ...]:
    staff: list[Member] = []
    for branch, branch_id in enumerate(branch_ids):
        for role in range(len(ROLES)):
            for number in range(max(1, math.ceil(subscribers_a_branch / _ROLE_SUBSCRIBERS[role]))):
                kinds = _ROLE_EMPLOYMENT[role]
                section = number % SECTIONS + 1 if _ROLE_HAS_SECTION[role] else 0
                staff.append(
                    Member(
                        staff_id=f"ST{region + 1:02d}{len(staff) + 1:05d}",
                        org_id=branch_id,
                        branch=branch,
                        role=role,
                        employment=kinds[(branch + number) % len(kinds)],
                        calls=_ROLE_CALLS[role],
                        visits=_ROLE_VISITS[role],
                        section=section,
                    )
                )
    return tuple(staff)


def _agents_a_branch(subscribers_a_branch: float) -> int:
    activations = subscribers_a_branch * cat.PLANNED_JOINERS_A_DAY * _AGENT_DAYS
    return max(1, round(activations * SALES_SHARES[AGENT] / _AGENT_ACTIVATIONS))


def _channels(
    region: int,
    branch_ids: list[str],
    branch_city: tuple[int, ...],
    city_ids: list[str],
    agents_a_branch: int,
) -> tuple[Channel, ...]:
    """The own halls in the order of the branches, then the other kinds, the agents' last."""
    everywhere = range(len(branch_ids))
    first_of_city = [branch_city.index(city) for city in range(len(city_ids))]
    points = math.ceil(agents_a_branch / _AGENTS_A_CHANNEL)
    places = (
        [(OWN_HALL, branch) for branch in everywhere]
        + [(PARTNER_HALL, branch) for branch in everywhere]
        + [(OUTSOURCED_HALL, branch) for branch in first_of_city]
        + [(kind, _NOWHERE) for kind in (ONLINE, APP, CALL_CENTER)]
        + [(AGENT, branch) for branch in everywhere for _ in range(points)]
    )
    return tuple(
        Channel(
            channel_id=f"CH{region + 1:02d}{number:04d}",
            branch=branch,
            org_id=province_id(region) if branch == _NOWHERE else branch_ids[branch],
            kind=kind,
        )
        for number, (kind, branch) in enumerate(places, start=1)
    )


def _agents(
    region: int, channels: tuple[Channel, ...], branches: int, agents_a_branch: int
) -> tuple[Agent, ...]:
    """The agents of each branch, a few at each of its points."""
    first_point = next(i for i, channel in enumerate(channels) if channel.kind == AGENT)
    points = len(channels) - first_point
    agents: list[Agent] = []
    for branch in range(branches):
        for nth in range(agents_a_branch):
            number = len(agents)
            point = branch * (points // branches) + nth // _AGENTS_A_CHANNEL
            mixed = int(scramble(np.array([number + region * 100_003]))[0] >> np.uint64(20))
            has_moved = mixed % _MOVED_ONE_IN == 0 and points > 1
            soonest, longest = _MOVED_WITHIN_DAYS
            agents.append(
                Agent(
                    agent_id=f"AG{region + 1:02d}{number + 1:05d}",
                    branch=branch,
                    channel=first_point + point,
                    agent_type=AGENT_TYPES[mixed // 7 % len(AGENT_TYPES)],
                    former_channel=first_point + (point + 1) % points if has_moved else _NOWHERE,
                    moved_days_before_opening=soonest + mixed // 64 % (longest - soonest)
                    if has_moved
                    else 0,
                )
            )
    return tuple(agents)
