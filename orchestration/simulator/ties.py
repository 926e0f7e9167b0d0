"""Who belongs with whom: lines of one person, of one family, of one firm.

Here: planted ties between slots as pure functions of the seed: firms and second lines, re-entries
(a person who gives up a line and comes back with a new number), cards washed by agents for their
commission, and innocent look-alikes. Not here: when a line is given up in fact (`life.py`), how a
tie shows in the feeds (`crm.py`, `usage.py`, `circles.py`), second handsets (`twins.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator.identity import SLOTS_A_REGION
from orchestration.simulator.organisation import Organisation
from orchestration.simulator.randomness import Draws, Floats, Stream, scramble

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODY = -1
NEVER = 1 << 30  # a day that does not come

# Firms: runs of lines that one customer owns.
_FIRM_RUN = 32  # slots
_FIRM_SHARE = 1 / 45  # of the runs
_FIRM_MOVES_A_DAY = 1 / 900  # a firm takes all its lines elsewhere
_SECOND_LINE_SHARE = 0.08
_SECOND_LINES_SINCE_DAYS = 90  # at least, before the opening

# Re-entries by who sells the new number: our own channels, or an honest agent.
_REENTRY_SHARE = 0.085
_REENTRY_SHARE_OF_AGENTS = 0.004
_YOUNGEST_PREDECESSOR_DAYS = 60
# Shares of the evidence that a re-entry leaves: same identity, same device, same call circle.
_EVIDENCE = (
    (0.20, (True, False, False)),
    (0.16, (False, True, False)),
    (0.17, (False, False, True)),
    (0.18, (True, True, False)),
    (0.10, (True, False, True)),
    (0.12, (True, True, True)),
    (0.05, (False, True, True)),
    (0.02, (False, False, False)),
)
_SAME_HOME = 0.8
_SAME_HOME_WITH_DEVICE_ONLY = 0.97  # who moves house mostly takes something else along
_PAST_UNKNOWN_DAYS = 90  # from the opening: circles and areas of the month before are missing
_SMALL_CIRCLES = 8  # one in so many people has a circle too small to be known by

# Agents who wash cards: one in so many, and the share of their activations.
_AGENTS_A_WASHER = 24
_WASHED_SHARE = 0.55
_WASHED_EVIDENCE = (
    (0.55, (True, False, False)),
    (0.40, (True, True, False)),
    (0.05, (False, True, False)),
)
_WASHED_LIFE_DAYS = (95, 60)  # least, and the spread on top

# Innocent look-alikes among the joiners.
HAND_ME_DOWN, NEW_LINE_ON_ID, SHOP_PHONE = 1, 2, 3
LOOKALIKES = ("NONE", "HAND_ME_DOWN", "NEW_LINE_ON_ID", "SHOP_PHONE")
_LOOKALIKE_SHARES = (0.003, 0.003, 0.05)
_GIVEN_AT_HOME = 2  # one in so many handsets goes to somebody of the same household


@dataclass(frozen=True)
class Ties:
    """By slot; a tie leads to an older slot."""

    customer_slot: Ints  # the line whose customer owns this one (itself for most)
    is_firm: Flags
    predecessor: Ints  # the line that the same person had before; NOBODY for most
    has_same_id: Flags  # evidence that the new line leaves of the old one
    has_same_device: Flags
    has_same_circle: Flags
    has_same_home: Flags
    is_washed: Flags  # a card that an agent has activated for the commission
    look_alike: Ints  # index into LOOKALIKES
    relative: Ints  # the line that a look-alike resembles
    gives_up_day: Ints  # when the old line is given up for the new one, or for a firm's move
    is_given_up_aloud: Flags  # closed at a counter; otherwise fallen silent
    successor: Ints  # of a line that is given up; NOBODY for a firm's and a washed card's end
    is_steady: Flags  # people of the opening base who seldom think of leaving

    @property
    def circle_slot(self) -> Ints:
        """The line whose friends this one calls."""
        return _oldest(np.where(self.has_same_circle, self.predecessor, NOBODY))

    @property
    def home_slot(self) -> Ints:
        """The line whose home and work this one has."""
        slots = np.arange(len(self.predecessor))
        given_at_home = scramble(slots * 3 + 1) % np.uint64(_GIVEN_AT_HOME) == 0
        at_home = (self.look_alike == HAND_ME_DOWN) & given_at_home
        at_home |= self.look_alike == NEW_LINE_ON_ID
        same = np.where(self.has_same_home, self.predecessor, NOBODY)
        return _oldest(np.where(at_home, self.relative, same))


def _oldest(older: Ints) -> Ints:
    """The end of each chain of ties; NOBODY is a slot's own end."""
    end = np.where(older == NOBODY, np.arange(len(older)), older)
    while (end[end] != end).any():
        end = end[end]
    return end


def has_small_circle(keys: Ints) -> Flags:
    """Who calls two or three people only."""
    return (scramble(keys) >> np.uint64(20)) % np.uint64(_SMALL_CIRCLES) == 0


def washers(organisation: Organisation, draws: Draws) -> Flags:
    """Agents who wash cards: about one in 24, at least one where there are eight or more."""
    agents = len(organisation.agents)
    chance = draws.uniform(Stream.TIES, 1, agents, ("washer",))["washer"]
    count = max(agents // _AGENTS_A_WASHER, 1 if agents >= 8 else 0)
    flags = np.zeros(agents, dtype=bool)
    flags[np.argsort(chance, kind="stable")[:count]] = True
    return flags


def ties(
    draws: Draws,
    organisation: Organisation,
    activated_day: Ints,
    branch: Ints,
    is_prepaid: Flags,
    sold_by_agent: Ints,
    is_voice: Flags,
    is_steady: Flags,
    base: int,
    opened_day: int,
) -> Ties:
    """Ties of all slots; `base` of them are there at the opening.

    Later slots never change what earlier ones are, except the day on which a line is given up,
    which lies at most 45 days before its successor's first day.
    """
    n = len(activated_day)
    slots = np.arange(n)
    u = draws.uniform(
        Stream.TIES,
        0,
        n,
        (
            "second",
            "reentry",
            "who",
            "gap",
            "gap_kind",
            "evidence",
            "home",
            "aloud",
            "look",
            "life",
        ),
    )
    customer, is_firm, firm_day = _owners(draws, u["second"], activated_day, base, opened_day)
    is_joiner = slots >= base
    by_washer = (sold_by_agent >= 0) & washers(organisation, draws)[np.maximum(sold_by_agent, 0)]
    share = np.where(sold_by_agent < 0, _REENTRY_SHARE, _REENTRY_SHARE_OF_AGENTS)
    share = np.where(by_washer, _WASHED_SHARE, share)
    comes_back = is_joiner & is_voice & (u["reentry"] < share)
    is_single = (customer == slots) & ~is_firm & is_voice
    older = _older_slots(activated_day, base)
    predecessor = _predecessors(
        comes_back, by_washer, u["who"], older, branch, is_prepaid & is_single, is_single
    )
    returns = predecessor != NOBODY
    washed = returns & by_washer
    same_id, same_device, same_circle = _evidence(u["evidence"], washed)
    # Nobody is known by a circle of two or three: such a person shows the same papers instead.
    own_keys = slots + draws.region * SLOTS_A_REGION
    too_few = same_circle & has_small_circle(
        own_keys[_oldest(np.where(same_circle, predecessor, NOBODY))]
    )
    same_id |= too_few
    same_circle &= ~too_few
    # Of the time before the opening no circle and no area is known.
    same_id |= (activated_day < opened_day + _PAST_UNKNOWN_DAYS) & (same_device | same_circle)
    at_home = np.where(
        same_device & ~same_id & ~same_circle, _SAME_HOME_WITH_DEVICE_ONLY, _SAME_HOME
    )
    gives_up, aloud, successor = _departures(
        u, activated_day, is_prepaid, predecessor, washed, opened_day
    )
    gives_up = np.minimum(gives_up, firm_day)
    is_steady = is_steady & ~is_joiner & ~is_firm & is_voice
    look_alike, relative = _look_alikes(u, is_joiner & ~returns, sold_by_agent, is_steady)
    is_same_owner = returns & same_id
    customer = np.where(is_same_owner, customer[np.maximum(predecessor, 0)], customer)
    customer = np.where(look_alike == NEW_LINE_ON_ID, customer[np.maximum(relative, 0)], customer)
    while (customer[customer] != customer).any():  # who comes back twice is still the first one
        customer = customer[customer]
    return Ties(
        customer_slot=customer,
        is_firm=is_firm,
        predecessor=predecessor,
        has_same_id=is_same_owner,
        has_same_device=returns & same_device,
        has_same_circle=returns & same_circle,
        has_same_home=returns & (u["home"] < at_home),
        is_washed=washed,
        look_alike=look_alike,
        relative=relative,
        gives_up_day=gives_up,
        is_given_up_aloud=aloud | (firm_day < NEVER),
        successor=successor,
        is_steady=is_steady,
    )


def _owners(
    draws: Draws, second: Floats, activated_day: Ints, base: int, opened_day: int
) -> tuple[Ints, Flags, Ints]:
    """Owner of each line, whether it is a firm, and the day on which the firm leaves."""
    n = len(activated_day)
    slots = np.arange(n)
    customer = slots.copy()
    runs = -(-n // _FIRM_RUN)
    u = draws.uniform(Stream.TIES, 2, runs, ("firm", "moves"))
    run = slots // _FIRM_RUN
    is_whole = (run + 1) * _FIRM_RUN <= base
    is_firm = is_whole & (u["firm"][run] < _FIRM_SHARE) & (run > 0)
    customer[is_firm] = run[is_firm] * _FIRM_RUN
    waiting = (-np.log1p(-u["moves"].astype(np.float64)) / _FIRM_MOVES_A_DAY).astype(np.int64)
    spread = (scramble(slots * 3 + 2) % np.uint64(5)).astype(np.int64)
    leaves = np.where(is_firm, opened_day + 30 + waiting[run] + spread, NEVER)
    is_old = activated_day <= opened_day - _SECOND_LINES_SINCE_DAYS
    is_second = (second < _SECOND_LINE_SHARE) & is_old & ~is_firm & (slots < base)
    is_second[:1] = False
    is_second[1:] &= ~is_second[:-1] & is_old[:-1] & ~is_firm[:-1]
    customer[is_second] = slots[is_second] - 1
    return customer, is_firm, leaves


def _older_slots(activated_day: Ints, base: int) -> Ints:
    """How many slots were there long enough when each one came; all of the opening base count."""
    since = np.where(np.arange(len(activated_day)) < base, np.iinfo(np.int64).min, activated_day)
    return np.searchsorted(since, activated_day - _YOUNGEST_PREDECESSOR_DAYS, side="right")


def _predecessors(
    comes_back: Flags,
    by_washer: Flags,
    u: Floats,
    older: Ints,
    branch: Ints,
    is_washable: Flags,
    is_single: Flags,
) -> Ints:
    """The old line of each returning slot; the first to claim a line gets it."""
    n = len(older)
    predecessor = np.full(n, NOBODY, dtype=np.int64)
    whoever = np.flatnonzero(comes_back & ~by_washer)
    choice = (u[whoever].astype(np.float64) * older[whoever]).astype(np.int64)
    keep = is_single[choice]
    predecessor[whoever[keep]] = choice[keep]
    # Agents wash the prepaid cards of their own branch.
    washable = np.flatnonzero(is_washable)
    order = washable[np.lexsort((washable, branch[washable]))]
    start = np.searchsorted(branch[order], np.arange(branch.max() + 2))
    washing = np.flatnonzero(comes_back & by_washer)
    at = branch[washing]
    key = branch[order] * np.int64(n) + order
    end = np.searchsorted(key, at * np.int64(n) + older[washing])
    count = end - start[at]
    chosen = start[at] + (u[washing].astype(np.float64) * np.maximum(count, 1)).astype(np.int64)
    possible = count > 0
    predecessor[washing[possible]] = order[chosen[possible]]
    claims = np.flatnonzero(predecessor != NOBODY)
    first = np.zeros(len(claims), dtype=bool)
    first[np.unique(predecessor[claims], return_index=True)[1]] = True
    predecessor[claims[~first]] = NOBODY
    return predecessor


def _evidence(u: Floats, washed: Flags) -> tuple[Flags, Flags, Flags]:
    found = []
    for column in range(3):
        flags = np.zeros(len(u), dtype=bool)
        for table, rows in ((_EVIDENCE, ~washed), (_WASHED_EVIDENCE, washed)):
            edges = np.cumsum([share for share, _ in table])
            kinds = np.array([evidence[column] for _, evidence in table])
            index = np.minimum(np.searchsorted(edges, u, side="right"), len(table) - 1)
            flags = np.where(rows, kinds[index], flags)
        found.append(flags)
    return found[0], found[1], found[2]


def _departures(
    u: Mapping[str, Floats],
    activated_day: Ints,
    is_prepaid: Flags,
    predecessor: Ints,
    washed: Flags,
    opened_day: int,
) -> tuple[Ints, Flags, Ints]:
    """When, how and for whom the old lines are given up."""
    n = len(activated_day)
    gives_up = np.full(n, NEVER, dtype=np.int64)
    successor = np.full(n, NOBODY, dtype=np.int64)
    aloud = np.zeros(n, dtype=bool)
    new = np.flatnonzero(predecessor != NOBODY)
    old = predecessor[new]
    within = u["gap"][new].astype(np.float64)
    kind = u["gap_kind"][new]
    # Most give up the old line just after the new one; some long before, some long after.
    gap = np.select(
        [washed[new] | (kind < 0.6), kind < 0.85],
        [-3 + within * 28, -45 + within * 41],
        26 + within * 54,
    ).astype(np.int64)
    day = activated_day[new] + gap
    lives = (day > opened_day + 1) & (day > activated_day[old] + 30)
    gives_up[old[lives]] = day[lives]
    successor[old] = new
    aloud[old] = ~is_prepaid[old] | (u["aloud"][new] < 0.5)
    # A washed card that nobody washes again is thrown away once the commission is safe.
    least, spread = _WASHED_LIFE_DAYS
    ends = activated_day + least + (u["life"].astype(np.float64) * spread).astype(np.int64)
    gives_up = np.where(washed, np.minimum(gives_up, ends), gives_up)
    return gives_up, aloud, successor


def _look_alikes(
    u: Mapping[str, Floats],
    can_be: Flags,
    sold_by_agent: Ints,
    is_steady: Flags,
) -> tuple[Ints, Ints]:
    """Joiners who share a device or a name with another line and are somebody else.

    The other lines are those of steady people: a household's first line stays.
    """
    kind = np.searchsorted(np.cumsum(_LOOKALIKE_SHARES), u["look"], side="right") + 1
    kind = np.where(can_be & (kind < len(LOOKALIKES)), kind, 0)
    kind = np.where((kind == SHOP_PHONE) & (sold_by_agent >= 0), 0, kind)
    steady = np.flatnonzero(is_steady)
    has_relative = (kind == HAND_ME_DOWN) | (kind == NEW_LINE_ON_ID)
    if not len(steady):
        return np.where(has_relative, 0, kind).astype(np.int64), np.full(len(kind), NOBODY)
    relative = steady[(u["who"].astype(np.float64) * len(steady)).astype(np.int64)]
    return kind.astype(np.int64), np.where(has_relative, relative, NOBODY)
