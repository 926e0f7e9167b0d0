"""The customer files: subscribers, customers, consents.

Here: `crm_subscribers`, `crm_customers`, `crm_consents`. Not here: when a status changes
(`standing.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import identity
from orchestration.simulator.feeds import SECONDS_A_DAY, coded, joined, padded
from orchestration.simulator.today import Ints, Today

# Consents asked for at activation: class, channel, share (in 64ths) that agrees.
_ASKED = (("MARKETING", "CALL", 56), ("MARKETING", "SMS", 58), ("SERVICE", "CALL", 64))
_INTERESTS = ("音乐", "视频", "游戏", "阅读", "运动", None)
_OCCUPATIONS = ("职员", "学生", "个体", "工人", "退休", "教师", None)
_INCOME_BANDS = ("LOW", "MID", "HIGH", None)


def deliver_subscribers(today: Today, slots: Ints) -> None:
    """The state of the lines at the end of the day."""
    state, people, tree = today.state, today.world.people, today.world.organisation
    if not len(slots):
        return
    branch = people.branch[slots]
    activated = people.activated_day[slots] * SECONDS_A_DAY + people.activated_second[slots]
    status = state.status[slots].astype(np.int64)
    by_agent = slots % 3 == 0
    halls = [tree.hall(b) for b in range(tree.branches)]
    agents = [tree.agent(b) for b in range(tree.branches)]
    channels = [tree.agent_channel(b) for b in range(tree.branches)]
    bars = np.where(status == cat.ONE_WAY, 1, np.where(status == cat.TWO_WAY, 2, 0))
    ported = slots % 17
    today.outbox.add(
        "crm_subscribers",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "customer_id": _customer_ids(today, slots),
            "msisdn": identity.msisdn(slots),
            "imsi": identity.imsi(slots),
            "brand": coded(people.is_prepaid[slots].astype(np.int64), cat.BRANDS),
            "payment_mode": coded(
                people.is_prepaid[slots].astype(np.int64), ("POSTPAID", "PREPAID")
            ),
            "service_type": "MOBILE",
            "line_class": "VOICE",
            "activated_at": activated,
            "first_registered_at": activated,
            "ported_in_from": coded(np.minimum(ported, 2), cat.COMPETITORS, ported > 2),
            "acquisition_channel_id": coded(branch + by_agent * tree.branches, halls + channels),
            "agent_id": coded(branch, agents, ~by_agent),
            "org_id": coded(branch, tree.branch_ids),
            "section_id": joined(
                coded(branch, tree.branch_ids), "S", padded((slots % 4 + 1).astype(np.int64), 2)
            ),
            "number_grade": coded(np.minimum(slots % 50, 2), ("GOLD", "SILVER", "PLAIN")),
            "is_autopay": people.is_autopay[slots],
            "service_bars": coded(bars, (None, "OUTGOING_BAR", "OUTGOING_BAR;INCOMING_BAR")),
            "status": coded(status, cat.STATUSES),
            "status_reason": coded(state.reason[slots].astype(np.int64), cat.REASONS),
            "status_at": state.status_second[slots],
        },
    )


def deliver_customers(today: Today, slots: Ints) -> None:
    """The customers of the slots that are their customer's first line."""
    people, tree = today.world.people, today.world.organisation
    slots = slots[people.ties.customer_slot[slots] == slots]
    if not len(slots):
        return
    gender, birthday = people.gender[slots], people.birthday[slots]
    pick = identity.pick
    today.outbox.add(
        "crm_customers",
        len(slots),
        {
            "customer_id": _customer_ids(today, slots),
            "name": identity.names(slots),
            "id_type": "ID_CARD",
            "id_number": identity.id_numbers(slots, birthday, gender),
            "birthday": birthday,
            "gender": coded(gender, ("F", "M")),
            "address": identity.addresses(slots, people.branch[slots], tree.city_names),
            "org_class": "INDIVIDUAL",
            "vip_level": np.maximum(0, pick(slots, 9, 40) - 36),
            "interests": coded(pick(slots, 10, 6), _INTERESTS),
            "occupation": coded(pick(slots, 11, 7), _OCCUPATIONS),
            "income_band": coded(pick(slots, 12, 4), _INCOME_BANDS),
            "points_balance": pick(slots, 13, 5000),
            "contact_phone": identity.msisdn(slots),
            "real_name_status": "VERIFIED",
            "credit_level": coded(pick(slots, 14, 3), ("A", "B", "C")),
            "preferred_channel": coded(pick(slots, 15, 3), ("CALL", "SMS", "APP")),
        },
    )


def deliver_consents(today: Today, slots: Ints) -> None:
    """What was agreed at activation."""
    people = today.world.people
    at = people.activated_day[slots] * SECONDS_A_DAY + people.activated_second[slots]
    for index, (message_class, channel, share) in enumerate(_ASKED):
        granted = identity.pick(slots, 16 + index, 64) < share
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
            },
        )


def was_granted(slots: Ints, message_class: str, channel: str) -> npt.NDArray[np.bool_]:
    """Who agreed at activation."""
    for index, (asked_class, asked_channel, share) in enumerate(_ASKED):
        if (asked_class, asked_channel) == (message_class, channel):
            return identity.pick(slots, 16 + index, 64) < share
    return np.zeros(len(slots), dtype=bool)


def withdraw_consent(today: Today, slots: Ints, channel: str, seconds: Ints) -> None:
    today.outbox.add(
        "crm_consents",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "message_class": "MARKETING",
            "channel": channel,
            "changed_at": seconds,
            "is_granted": False,
            "source": "OPT_OUT",
        },
    )


def _customer_ids(today: Today, slots: Ints) -> pa.Array:
    owner = today.world.people.ties.customer_slot[slots]
    return joined("C", today.world.numbers.take(pa.array(owner)))
