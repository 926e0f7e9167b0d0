"""The customer files: subscribers, customers, consents, and what changes in them by itself.

Here: `crm_subscribers`, `crm_customers`, `crm_consents`; new numbers, moves, VIP levels, points,
consents given and withdrawn. Not here: when a status changes (`standing.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator import identity
from orchestration.simulator.feeds import NO_VALUE, SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.people import LINE_CLASSES, People
from orchestration.simulator.randomness import Stream
from orchestration.simulator.today import Flags, Ints, Today, World
from orchestration.simulator.work_lists import CHANNELS

# Consents asked for at activation: class, channel, share (in 64ths) that agrees.
_ASKED = (("MARKETING", "CALL", 56), ("MARKETING", "SMS", 58), ("SERVICE", "CALL", 64))
_CHANGEABLE = (("MARKETING", "CALL"), ("MARKETING", "SMS"), ("MARKETING", "APP"))
_SOURCES = ("APP", "HALL", "CALL_CENTER", "SMS")
_INTERESTS = ("音乐", "视频", "游戏", "阅读", "运动", None)
_OCCUPATIONS = ("职员", "学生", "个体", "工人", "退休", "教师", None)
_INCOME_BANDS = ("LOW", "MID", "HIGH", None)
_ORG_CLASSES = ("INDIVIDUAL", "GROUP", "GOVERNMENT")
_GRADES = ("GOLD", "SILVER", "PLAIN")
_BARS = (None, "OUTGOING_BAR", "OUTGOING_BAR;INCOMING_BAR")
_BARS_AND_ROAMING = (
    "ROAMING_BAR",
    "OUTGOING_BAR;ROAMING_BAR",
    "OUTGOING_BAR;INCOMING_BAR;ROAMING_BAR",
)
_GOVERNMENT_IN_8 = 2  # of the firms
# Of a thousand customers; the name or the number is wrong, hardly ever both.
_PLACEHOLDERS_IN_1000, _BROKEN_IDS_IN_1000 = 3, 3
_MOST_VIP_LEVEL = 5
_POINTS_A_MONTH, _DAYS_A_MONTH = 300, 30
_MOST_NUMBER_CHANGES = 5
_GRADE_IN_50, _PORTED_IN_64, _ROAMING_BAR_IN_64 = 3, 9, 1
_SECTIONS = 4
_UNPROVEN_IN_64 = 2  # consents of which no proof was kept
_VIP_MANAGER = ROLES.index("VIP_MANAGER")

# Events of a day, one a line at most, with their daily chances.
_EVENTS = (
    ("NEW_NUMBER", 0.00006),
    ("MOVED", 0.00015),
    ("VIP_CHANGED", 0.00012),
    ("POINTS_SPENT", 0.00080),
    ("CONSENT_WITHDRAWN", 0.00025),
    ("CONSENT_GRANTED", 0.00020),
)
_EVENT_EDGES = np.array([chance for _, chance in _EVENTS]).cumsum()
_EVENT = {name: index for index, (name, _) in enumerate(_EVENTS)}


def customer_of(people: People, slots: Ints) -> Ints:
    """Slot of the first line of the customer who owns each of the lines."""
    return people.ties.customer_slot[slots]


def service_of(people: People, slots: Ints) -> tuple[pa.Array | str, pa.Array]:
    """Service type and line class of the lines (service types where people have them)."""
    types = getattr(people, "service_type", None)
    return (
        "MOBILE" if types is None else pa.array(np.asarray(types)[slots].tolist(), pa.string()),
        coded(people.line_class[slots], LINE_CLASSES),
    )


def org_class_of(world: World, customers: Ints) -> Ints:
    """Index into the classes of each customer: persons own few lines, firms and offices many."""
    is_government = identity.pick(world.people.keys[customers], 24, 8) < _GOVERNMENT_IN_8
    return np.where(world.people.ties.is_firm[customers], np.where(is_government, 2, 1), 0)


def live(today: Today) -> None:
    """What changes in the customer files today without anybody leaving."""
    state, people = today.state, today.world.people
    u = today.uniform(Stream.CUSTOMERS, "event")["event"]
    slots = np.flatnonzero((u < _EVENT_EDGES[-1]) & today.is_living & (state.status == cat.ACTIVE))
    events = np.searchsorted(_EVENT_EDGES, u[slots], side="right")
    owners = customer_of(people, slots)

    new_number = slots[events == _EVENT["NEW_NUMBER"]]
    new_number = new_number[state.number_version[new_number] < _MOST_NUMBER_CHANGES]
    state.number_version[new_number] += 1

    is_owner = owners == slots  # customers' events happen to their first line
    moved = slots[is_owner & (events == _EVENT["MOVED"])]
    state.address_version[moved] += 1
    promoted = slots[is_owner & (events == _EVENT["VIP_CHANGED"])]
    _change_vip(today, promoted)
    spent = slots[is_owner & (events == _EVENT["POINTS_SPENT"])]
    state.points_spent[spent] += points_balance(today, spent) // 2

    changed = np.concatenate([new_number, moved, promoted, spent])
    # Somebody's contact number is their first line's.
    deliver_customers(today, np.unique(changed))
    lines = np.zeros(people.slots, dtype=bool)
    lines[promoted] = True
    if len(promoted):  # their manager looks after all their lines
        lines = lines[people.ties.customer_slot]
    lines[new_number] = True
    deliver_subscribers(today, np.flatnonzero(lines & today.is_in_network))
    for name, is_granted in (("CONSENT_WITHDRAWN", False), ("CONSENT_GRANTED", True)):
        _change_consent(today, slots[events == _EVENT[name]], is_granted)


def vip_level(today: Today, customers: Ints) -> Ints:
    """VIP level of customers (slots of their first lines) at the end of the day."""
    first = np.maximum(0, identity.pick(today.world.people.keys[customers], 9, 40) - 36)
    return np.clip(first + today.state.vip_change[customers], 0, _MOST_VIP_LEVEL)


def points_balance(today: Today, customers: Ints) -> Ints:
    """Points: what there was at the start, so many a month since, less what was spent."""
    world = today.world
    since = np.maximum(world.people.activated_day[customers], world.opened_day)
    keys = world.people.keys[customers]
    months = (today.day - since) // _DAYS_A_MONTH
    first = identity.pick(keys, 13, 5000)
    monthly = identity.pick(keys, 25, _POINTS_A_MONTH)
    return np.maximum(0, first + months * monthly - today.state.points_spent[customers])


def deliver_subscribers(today: Today, slots: Ints) -> None:
    """The state of the lines at the end of the day."""
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots):
        return
    branch = people.branch[slots]
    activated = people.activated_day[slots] * SECONDS_A_DAY + people.activated_second[slots]
    status = state.status[slots].astype(np.int64)
    pick, keys = identity.pick, people.keys[slots]
    channels, agents = (won[slots] for won in today.world.acquired)
    bars = np.where(status == cat.ONE_WAY, 1, np.where(status == cat.TWO_WAY, 2, 0))
    is_barred_abroad = pick(keys, 27, 64) < _ROAMING_BAR_IN_64
    ported = pick(keys, 28, 64)
    service_type, line_class = service_of(people, slots)
    owners = customer_of(people, slots)
    is_vip = vip_level(today, owners) > 0
    managers = tree.staff_of(branch, np.full(len(slots), _VIP_MANAGER))
    today.outbox.add(
        "crm_subscribers",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "customer_id": _customer_ids(today, slots),
            "msisdn": identity.msisdn(keys, state.number_version[slots].astype(np.int64)),
            "imsi": identity.imsi(keys),
            "brand": coded(people.is_prepaid[slots].astype(np.int64), cat.BRANDS),
            "payment_mode": coded(
                people.is_prepaid[slots].astype(np.int64), ("POSTPAID", "PREPAID")
            ),
            "service_type": service_type,
            "line_class": line_class,
            "activated_at": activated,
            "first_registered_at": activated,
            "ported_in_from": coded(
                ported % len(cat.COMPETITORS), cat.COMPETITORS, ported >= _PORTED_IN_64
            ),
            "acquisition_channel_id": coded(channels, tree.channel_ids),
            "agent_id": coded(agents, tree.agent_ids, agents < 0),
            "org_id": coded(branch, tree.branch_ids),
            "section_id": joined(
                coded(branch, tree.branch_ids), "S", padded(1 + pick(keys, 29, _SECTIONS), 2)
            ),
            "number_grade": coded(
                np.minimum(pick(keys, 30, 50) // _GRADE_IN_50, len(_GRADES) - 1), _GRADES
            ),
            "is_autopay": people.is_autopay[slots],
            "service_bars": coded(
                bars + len(_BARS) * is_barred_abroad, (*_BARS, *_BARS_AND_ROAMING)
            ),
            "status": coded(status, cat.STATUSES),
            "status_reason": coded(state.reason[slots].astype(np.int64), cat.REASONS),
            "status_at": state.status_second[slots],
            "manager_id": coded(managers, today.world.staff_ids, ~is_vip),
        },
    )


def deliver_customers(today: Today, slots: Ints) -> None:
    """The customers of the slots that are their customer's first line."""
    state, people, tree = today.state, today.world.people, today.world.organisation
    slots = slots[customer_of(people, slots) == slots]
    if not len(slots):
        return
    gender, birthday, branch = people.gender[slots], people.birthday[slots], people.branch[slots]
    pick, keys = identity.pick, people.keys[slots]
    org_class = org_class_of(today.world, slots)
    is_person = org_class == 0
    is_nameless, is_broken = _is_badly_known(keys, is_person)
    today.outbox.add(
        "crm_customers",
        len(slots),
        {
            "customer_id": _customer_ids(today, slots),
            "name": _names(keys, org_class, is_nameless, coded(branch, tree.city_names)),
            "id_type": coded(is_person, ("BUSINESS_LICENCE", "ID_CARD")),
            "id_number": _id_numbers(keys, birthday, gender, is_person, is_broken),
            "birthday": np.where(is_person, birthday, NO_VALUE),
            "gender": coded(gender, ("F", "M"), ~is_person),
            "address": identity.addresses(
                keys, branch, tree.city_names, state.address_version[slots].astype(np.int64)
            ),
            "org_class": coded(org_class, _ORG_CLASSES),
            "vip_level": vip_level(today, slots),
            "interests": coded(pick(keys, 10, 6), _INTERESTS, ~is_person),
            "occupation": coded(pick(keys, 11, 7), _OCCUPATIONS, ~is_person),
            "income_band": coded(pick(keys, 12, 4), _INCOME_BANDS, ~is_person),
            "points_balance": points_balance(today, slots),
            "contact_phone": identity.msisdn(keys, state.number_version[slots].astype(np.int64)),
            "real_name_status": coded(is_nameless | is_broken, ("VERIFIED", "UNVERIFIED")),
            "credit_level": coded(pick(keys, 14, 3), ("A", "B", "C")),
            "preferred_channel": coded(pick(keys, 15, 3), ("CALL", "SMS", "APP")),
        },
    )


def deliver_consents(today: Today, slots: Ints) -> None:
    """What was agreed at activation."""
    people = today.world.people
    at = people.activated_day[slots] * SECONDS_A_DAY + people.activated_second[slots]
    for index, (message_class, channel, share) in enumerate(_ASKED):
        granted = identity.pick(people.keys[slots], 16 + index, 64) < share
        unproven = identity.pick(people.keys[slots], 31, 64) < _UNPROVEN_IN_64
        numbers = today.world.numbers.take(pa.array(slots, mask=unproven))
        today.outbox.add(
            "crm_consents",
            len(slots),
            {
                "subscriber_id": today.ids(slots),
                "message_class": message_class,
                "channel": channel,
                "changed_at": at,
                "is_granted": granted,
                "source": "ACTIVATION",
                "proof_ref": joined("PA", numbers, f"-{index + 1}"),
            },
        )


def was_granted(
    today: Today, slots: Ints, message_class: str, channel: str
) -> npt.NDArray[np.bool_]:
    """Who agreed at activation."""
    for index, (asked_class, asked_channel, share) in enumerate(_ASKED):
        if (asked_class, asked_channel) == (message_class, channel):
            return identity.pick(today.world.people.keys[slots], 16 + index, 64) < share
    return np.zeros(len(slots), dtype=bool)


def withdraw_consent(
    today: Today, slots: Ints, channel: str, seconds: Ints, source: str = "OPT_OUT"
) -> None:
    today.state.opted_out[slots] |= 1 << CHANNELS.index(channel)
    today.outbox.add(
        "crm_consents",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "message_class": "MARKETING",
            "channel": channel,
            "changed_at": seconds,
            "is_granted": False,
            "source": source,
            "proof_ref": today.event_ids("PW", slots),
        },
    )


def _change_consent(today: Today, slots: Ints, is_granted: bool) -> None:
    """People change their minds in the app, in a hall, on the phone."""
    u = today.world.draws.few(Stream.CUSTOMERS, today.day, slots, ("at", "which", "source"))
    which = (u["which"] * len(_CHANGEABLE)).astype(np.int64)
    source = (u["source"] * len(_SOURCES)).astype(np.int64)
    for index, (message_class, channel) in enumerate(_CHANGEABLE):
        changed = slots[(which == index) & (message_class == "MARKETING")]
        bit = np.int8(1 << CHANNELS.index(channel))
        if is_granted:
            today.state.opted_out[changed] &= ~bit
        else:
            today.state.opted_out[changed] |= bit
    today.outbox.add(
        "crm_consents",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "message_class": coded(which, [message_class for message_class, _ in _CHANGEABLE]),
            "channel": coded(which, [channel for _, channel in _CHANGEABLE]),
            "changed_at": today.at(u["at"], 8.0, 20.0),
            "is_granted": is_granted,
            "source": coded(source, _SOURCES),
            "proof_ref": today.event_ids("PC", slots),
        },
    )


def _change_vip(today: Today, customers: Ints) -> None:
    """A level up, or down for who has one."""
    state = today.state
    u = today.world.draws.few(Stream.CUSTOMERS, today.day, customers, ("down",))["down"]
    level = vip_level(today, customers)
    down = (level == _MOST_VIP_LEVEL) | ((level > 0) & (u < 0.5))
    state.vip_change[customers] += np.where(down, -1, 1).astype(np.int8)


def _is_badly_known(keys: Ints, is_person: Flags) -> tuple[Flags, Flags]:
    """Who has a placeholder for a name, and whose identity number is wrong."""
    place = identity.pick(keys, 32, 1000)
    nameless = is_person & (place < _PLACEHOLDERS_IN_1000)
    broken = is_person & (place >= 1000 - _BROKEN_IDS_IN_1000)
    return nameless, broken


def _names(slots: Ints, org_class: Ints, is_nameless: Flags, towns: pa.Array) -> pa.Array:
    firms = identity.firm_names(slots, org_class == 2, towns)
    persons = pc.if_else(
        pa.array(is_nameless), identity.placeholder_names(slots), identity.names(slots)
    )
    return pc.if_else(pa.array(org_class == 0), persons, firms)


def _id_numbers(
    slots: Ints, birthdays: Ints, genders: Ints, is_person: Flags, is_broken: Flags
) -> pa.Array:
    numbers = identity.id_numbers(slots, birthdays, genders)
    numbers = pc.if_else(pa.array(is_broken), identity.broken_id_numbers(numbers), numbers)
    return pc.if_else(pa.array(is_person), numbers, identity.licence_numbers(slots))


def _customer_ids(today: Today, slots: Ints) -> pa.Array:
    owner = customer_of(today.world.people, slots)
    return joined("C", today.world.numbers.take(pa.array(owner)))
