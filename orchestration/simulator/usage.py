"""What subscribers do on the network each day.

Here: `usage_daily`. Not here: devices (`devices.py`), whom they call (`circles.py`), what it costs
(`money.py`). Minutes are hundredths, data is KB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestration.simulator import catalogue as cat
from orchestration.simulator import devices, network
from orchestration.simulator.data_habits import (
    APP_BURST,
    BACKGROUND,
    BACKGROUND_PART,
    MORE_VIDEO,
    TETHERED_PART,
    TETHERING,
)
from orchestration.simulator.randomness import Floats, Stream
from orchestration.simulator.state import PLAN, THINKING
from orchestration.simulator.today import Flags, Ints, Today

_ROAMING_SHARE, _DATA_ABROAD, _VOICE_ABROAD = 0.01, 0.7, 0.6  # days abroad, parts used there
_TETHERING_SHARE, _TETHERED_PART = 0.05, 0.2  # of the days, and of their data
_OFFNET_DRIFT = 0.06
_LEAST_DATA_KB = 1_000  # a day on which less is used counts as one without data
# Log factors of dropped calls, failed sessions and poor minutes.
_COVERAGE_HARM, _OUTAGE_HARM = 0.8, 2.0
# Calls and messages go up and down with what people have to talk about, which data use does not
# show: how much of that is left the next day, and its daily step, postpaid and prepaid.
TALK_MOOD_MEMORY = 0.97
TALK_MOOD_STEP = (0.06, 0.2)


def _whole(values: npt.NDArray) -> Ints:
    return values.astype(np.float64).astype(np.int64)


def use(today: Today) -> None:
    """Live the day on the network."""
    state, people, day = today.state, today.world.people, today.day
    z = today.normal(
        Stream.USAGE_LEVEL, "mood", "calls", "incoming", "talk", "data", "app", "talk_mood"
    )
    u = today.uniform(
        Stream.USAGE_SHAPE,
        "calls",
        "incoming",
        "sms",
        "quiet",
        "night",
        "offnet",
        "failed",
        "dropped",
        "sessions",
        "rare",
        "split",
        "poor",
    )
    # Nothing moves for who has not joined yet: a later call starts them afresh.
    mood = 0.93 * state.mood + 0.09 * z["mood"]
    talk_step = np.where(people.is_prepaid, TALK_MOOD_STEP[1], TALK_MOOD_STEP[0])
    talk_mood = TALK_MOOD_MEMORY * state.talk_mood + talk_step * z["talk_mood"]
    state.mood[:] = np.where(today.is_present, mood, state.mood)
    state.talk_mood[:] = np.where(today.is_present, talk_mood, state.talk_mood)
    # Who is leaving does not pick up a line that is suspended for money again.
    put_aside = (state.stage >= THINKING) & np.isin(state.reason, (cat.ARREARS, cat.EXPIRED))
    who = np.flatnonzero(today.is_living & (state.status <= cat.ONE_WAY) & ~put_aside)
    zs = {name: values[who] for name, values in z.items()}
    us = {name: values[who] for name, values in u.items()}

    is_weekend = today.date.weekday() >= 5
    level = state.mood[who] - state.decline[who]
    if is_weekend:
        level = level + people.weekend[who]
    factor = np.exp(level)
    factor *= np.where(state.absent_until[who] >= day, state.absent_level[who], 1.0)
    habits, data_habits = today.world.habits, today.world.data_habits
    factor *= habits.use_factor(day, who)
    may_call: Flags = state.status[who] == cat.ACTIVE

    talk_factor = factor * np.exp(state.talk_mood[who]) * habits.voice_factor(day, who)
    calls_mean = people.calls_a_day[who] * talk_factor
    out_kept, data_kept = people.twins.use_factors(day, who)
    calls_out = _whole(
        calls_mean * out_kept * np.exp(0.45 * zs["calls"] - 0.1) * may_call + us["calls"]
    )
    calls_out = np.where(may_call & (calls_mean > 0), calls_out, 0)
    calls_in = _whole(
        np.where(
            calls_mean > 0,
            calls_mean * people.incoming[who] * np.exp(0.45 * zs["incoming"] - 0.1)
            + us["incoming"],
            0,
        )
    )
    per_call = 100 * people.minutes_a_call[who] * np.exp(0.35 * zs["talk"] - 0.06)
    voice_out = np.maximum(_whole(calls_out * per_call), calls_out * 5)
    voice_in = np.maximum(_whole(calls_in * per_call * 0.9), calls_in * 5)
    messages_mean = people.messages_a_day[who] * factor * np.exp(state.talk_mood[who]) * out_kept
    texts = (messages_mean + us["sms"]) * habits.sms_factor(day, who)
    sms_out = np.where(may_call & (messages_mean > 0), _whole(texts), 0)

    data_kept = data_kept * data_habits.data_factor(day, who)
    data_kb, slow_kb = _data(today, who, zs, us, factor * data_kept, may_call)
    roaming = (us["rare"] < _ROAMING_SHARE) | data_habits.is_abroad(day, who, us["rare"])
    used = _Used(
        who=who,
        u=us,
        app_z=zs["app"],
        voice_out=voice_out,
        voice_in=voice_in,
        calls_out=calls_out,
        calls_in=calls_in,
        sms_out=sms_out,
        data_kb=data_kb,
        slow_kb=slow_kb,
        roaming_kb=np.where(roaming, _whole(data_kb * _DATA_ABROAD), 0),
        roaming_voice=np.where(roaming, _whole((voice_out + voice_in) * _VOICE_ABROAD), 0),
    )
    is_active = (calls_out + calls_in + sms_out > 0) | (data_kb >= _LEAST_DATA_KB)
    state.used_day[who[is_active]] = day
    state.month_voice_out[who] += voice_out
    state.month_voice_in[who] += voice_in
    state.month_data_kb[who] += data_kb
    state.month_sms[who] += sms_out
    state.month_roaming_kb[who] += used.roaming_kb
    state.month_roaming_voice[who] += used.roaming_voice
    if not today.outbox.is_closed:
        _deliver(today, used)


@dataclass(frozen=True)
class _Used:
    """What a day's users used, with the draws that split it further; by user."""

    who: Ints
    u: Mapping[str, Floats]
    app_z: Floats
    voice_out: Ints
    voice_in: Ints
    calls_out: Ints
    calls_in: Ints
    sms_out: Ints
    data_kb: Ints
    slow_kb: Ints
    roaming_kb: Ints
    roaming_voice: Ints


def _deliver(today: Today, used: _Used) -> None:
    """One row for everybody who used something, with all its parts."""
    state, people = today.state, today.world.people
    who, us, data_kb = used.who, used.u, used.data_kb
    calls_out, calls_in = used.calls_out, used.calls_in
    voice = used.voice_out + used.voice_in
    # Who thinks of leaving talks a little more to the other side.
    drift = np.where(state.stage[who] >= THINKING, _OFFNET_DRIFT, 0.0)
    offnet_share = np.clip(people.offnet_share[who] + 0.3 * (us["offnet"] - 0.5) + drift, 0, 1)
    offnet = _whole(voice * offnet_share)
    outage = network.outage_level(today)[people.branch[who]]
    poor = np.exp(_COVERAGE_HARM * people.poor_coverage[who] + _OUTAGE_HARM * outage)
    failed_calls = _whole(calls_out * 0.02 * poor + us["failed"] * (calls_out > 0) * 0.999)
    dropped = _whole(calls_out * 0.012 * poor + us["dropped"] * (calls_out > 0) * 0.999)
    sessions = np.where(data_kb > 0, 1 + _whole(data_kb / 9_000 * (0.6 + 0.8 * us["sessions"])), 0)
    failed_sessions = _whole(sessions * 0.015 * poor * (0.5 + us["sessions"]))
    smart = cat.DEVICE_IS_SMART[state.device[who]]
    is_5g = cat.DEVICE_IS_5G[state.device[who]] & cat.PLAN_IS_5G[state.holding[who, PLAN]]
    on_5g = _whole(data_kb * np.where(is_5g, (0.35 + 0.4 * us["split"]) / (0.5 + 0.5 * poor), 0))
    on_5g = np.minimum(on_5g, data_kb)
    messaging = today.world.habits.messaging_factor(today.day, who)
    habits, day = today.world.data_habits, today.day
    burst = np.where(habits.on(APP_BURST, day, who), MORE_VIDEO, 1.0)
    apps = _apps(people.video_share[who] * burst, used.app_z, messaging, data_kb)
    tethers = np.where(us["rare"] > 1 - _TETHERING_SHARE, _TETHERED_PART, 0.0)
    tethers = np.where(habits.on(TETHERING, day, who), TETHERED_PART, tethers)
    background = 0.03 + 0.08 * us["split"]
    background = np.where(habits.on(BACKGROUND, day, who), BACKGROUND_PART, background)

    is_used = (calls_out > 0) | (calls_in > 0) | (used.sms_out > 0) | (data_kb > 0)
    rows = {
        "voice_out_minutes": used.voice_out,
        "voice_in_minutes": used.voice_in,
        "voice_offnet_minutes": offnet,
        "voice_competitor_minutes": _whole(offnet * 0.8),
        "voice_night_minutes": _whole(voice * 0.12 * us["night"]),
        "calls_out": calls_out,
        "calls_in": calls_in,
        "sms_out": used.sms_out,
        "data_mb": data_kb,
        **apps,
        "data_mb_night": _whole(data_kb * 0.3 * us["night"]),
        "data_mb_roaming": used.roaming_kb,
        "data_mb_tethering": _whole(data_kb * tethers),
        "data_mb_background": _whole(data_kb * background),
        "data_mb_4g": np.where(smart, data_kb - on_5g, 0),
        "data_mb_5g": on_5g,
        "data_sessions": sessions,
        "failed_data_sessions": failed_sessions,
        "slow_data_mb": np.minimum(data_kb, used.slow_kb),
        "poor_coverage_minutes": _whole(250 * poor * (0.3 + 1.4 * us["poor"])),
        "roaming_minutes": used.roaming_voice,
        "counterparties": np.minimum(calls_out + calls_in, 1 + (calls_out + calls_in) * 6 // 10),
        "dropped_calls": dropped,
        "failed_calls": failed_calls,
    }
    columns = {name: values[is_used] for name, values in rows.items()}
    columns["counterparties"] = np.minimum(
        columns["counterparties"], columns["calls_out"] + columns["calls_in"]
    )
    slots = who[is_used]
    today.outbox.add(
        "usage_daily",
        len(slots),
        {
            "subscriber_id": today.ids(slots),
            "usage_date": np.full(len(slots), today.day),
            **columns,
            "tac": devices.tacs(today, slots),
        },
    )


def _data(
    today: Today,
    who: Ints,
    z: Mapping[str, Floats],
    u: Mapping[str, Floats],
    factor: Floats,
    may: Flags,
) -> tuple[Ints, Ints]:
    """Data of the day and the slow part of it, KB, by what the plan still allows."""
    state, people = today.state, today.world.people
    base = people.data_kb_a_day[who]
    plan = state.holding[who, PLAN]
    allowance = cat.PLAN_DATA_KB[plan] + state.month_pack_kb[who]
    is_over = state.month_data_kb[who] >= allowance
    restraint = np.where(
        is_over,
        np.where(cat.PLAN_STOPS[plan], 0.0, np.where(cat.PLAN_THROTTLES[plan], 0.3, 0.5)),
        1.0,
    )
    quiet = u["quiet"] < np.where(base < 25_000, 0.45, 0.03)
    kb = _whole(base * factor * np.exp(0.6 * z["data"] - 0.18) * restraint)
    kb = np.where(may & ~quiet, kb, 0)
    slow_share = np.clip(0.02 * np.exp(0.7 * people.poor_coverage[who]) * (0.5 + u["poor"]), 0, 1)
    # A plan that throttles counts as slow what it has slowed down, and nothing else.
    slow_share = np.where(cat.PLAN_THROTTLES[plan], np.where(is_over, 0.9, 0.0), slow_share)
    return kb, _whole(kb * slow_share)


def _apps(video_share: Floats, z: Floats, more_messages: Floats, data_kb: Ints) -> dict[str, Ints]:
    """Split the data by kind of application; the parts add up to the whole."""
    video = video_share * np.exp(0.3 * z)
    messaging = 0.12 * more_messages
    weights = {"video": video, "social": 0.22, "messaging": messaging, "music": 0.06, "game": 0.05}
    whole = video + 0.22 + messaging + 0.06 + 0.05 + 0.1
    parts = {
        f"data_mb_{name}": _whole(data_kb * (weight / whole)) for name, weight in weights.items()
    }
    parts["data_mb_other"] = data_kb - np.sum(list(parts.values()), axis=0)
    return parts
