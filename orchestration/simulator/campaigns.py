"""Another system's marketing: campaigns that know nothing of our lists.

Here: a share of the consenting subscribers contacted each week. Not here: our own contacts
(`field.py`). They happen the same whether or not a list was ever published, count for weariness
and do little else.
"""

from __future__ import annotations

import numpy as np

from orchestration.simulator import catalogue as cat
from orchestration.simulator import crm, fatigue, field, responses
from orchestration.simulator.feeds import coded, joined
from orchestration.simulator.randomness import Stream, scramble
from orchestration.simulator.responses import OUTCOMES, Contacts
from orchestration.simulator.today import Flags, Ints, Today
from orchestration.simulator.work_lists import CALL, CHANNELS, SMS

WEEKLY_SHARE = 0.04  # of those who agreed to marketing
_BY_CALL = 0.2
WEIGHT = 0.1  # of what an action of our own with the same content does
EFFECT_DAYS = 14
_FAMILY = cat.FAMILY["POINTS"]


def run(today: Today) -> None:
    """Contact those whose turn it is and deliver the contacts."""
    state, people, day = today.state, today.world.people, today.day
    # Everybody has a weekday; the campaigns run all week.
    its_day = np.flatnonzero(today.is_living & (_weekday(np.arange(people.slots)) == day % 7))
    u = today.uniform(Stream.CAMPAIGNS, "chosen", "channel", "reach", "mood", "busy", "at")
    slots = its_day[u["chosen"][its_day] < WEEKLY_SHARE]
    channels = np.where(u["channel"][slots] < _BY_CALL, CALL, SMS)
    may = _may(today, slots, channels)
    slots, channels = slots[may], channels[may]
    if not len(slots):
        return
    count = len(slots)
    contacts = Contacts(
        slots=slots,
        families=np.full(count, _FAMILY),
        channels=channels,
        is_marketing=np.ones(count, dtype=np.int64),
        is_last_attempt=np.ones(count, dtype=bool),  # nobody calls back
        causes=responses.current_cause(today, slots),
        recent=fatigue.recent_contacts(state, slots, day),
    )
    outcomes = responses.outcomes(today, contacts, u)
    # Nothing is agreed on: whoever would accept has listened.
    listened = np.where(channels == SMS, responses.DELIVERED, responses.REACHED)
    outcomes = np.where(outcomes == responses.ACCEPTED, listened, outcomes)
    _feel(today, contacts, outcomes)
    seconds = today.at(u["at"], 9.0, 20.0)[slots]
    field.opt_out(today, slots, channels, seconds, outcomes == responses.OPT_OUT)
    year, week, _ = today.date.isocalendar()
    talked = (channels == CALL) & np.isin(outcomes, responses.TALKS)
    today.outbox.add(
        "field_contacts",
        count,
        {
            "contact_id": joined("FM-", today.event_ids("M", slots)),
            "subscriber_id": today.ids(slots),
            "at": seconds,
            "channel": coded(channels, CHANNELS),
            "message_class": "MARKETING",
            "outcome": coded(outcomes, OUTCOMES),
            "template_code": coded(channels, ("MK-CALL", "MK-SMS")),
            "campaign_code": f"MK{year}W{week:02d}",
            "concession_cny": 0,
            "minutes": np.where(talked, 60, 0),
        },
    )


def _weekday(slots: Ints) -> Ints:
    return (scramble(slots * 8 + 5) % np.uint64(7)).astype(np.int64)


def _may(today: Today, slots: Ints, channels: Ints) -> Flags:
    """Who agreed to marketing by the channel and has not taken that back."""
    granted = np.where(
        channels == CALL,
        crm.was_granted(today, slots, "MARKETING", "CALL"),
        crm.was_granted(today, slots, "MARKETING", "SMS"),
    )
    return granted & ((today.state.opted_out[slots] >> channels) & 1 == 0)


def _feel(today: Today, contacts: Contacts, outcomes: Ints) -> None:
    """A small effect; it never shortens or prolongs that of a contact of ours."""
    state, day, slots = today.state, today.day, contacts.slots
    effect = responses.effects(today.world.people, contacts, outcomes, WEIGHT)
    is_under = state.remedy_until[slots] >= day
    before = np.where(is_under, state.remedy_factor[slots], 1.0)
    after = np.clip(before * effect, responses.LEAST_FACTOR, responses.MOST_FACTOR)
    touched = effect != 1
    state.remedy_factor[slots[touched]] = after[touched]
    until = np.where(is_under, state.remedy_until[slots], day + EFFECT_DAYS)
    state.remedy_until[slots[touched]] = until[touched]
    through = np.isin(outcomes, responses.GETS_THROUGH)
    fatigue.remember_contact(state, slots[through], day)
