"""Extra expectations on the feeds of usage: parts within their whole, days within their period."""

from __future__ import annotations

from expectations.expectation import (
    Expectation,
    Extras,
    groups_where,
    names_its_subscriber,
    rows_where,
)

_APPS = ("video", "social", "messaging", "music", "game", "other")
# Parts and whole are each rounded at the door to 0.001 MB and 0.01 minutes: seven, or three,
# rounding errors of half a unit may add up.
_MB_SLACK = "0.004"
_MINUTES_SLACK = "0.02"


def _sum(columns: tuple[str, ...]) -> str:
    """The known part of a sum: what is unknown adds nothing, and the rest must still fit."""
    return " + ".join(f"coalesce({column}, 0)" for column in columns)


def _data_within_total() -> Expectation:
    groups = (
        tuple(f"data_mb_{app}" for app in _APPS),
        ("data_mb_4g", "data_mb_5g"),
        ("data_mb_night",),
        ("data_mb_roaming",),
        ("data_mb_tethering",),
        ("data_mb_background",),
    )
    return rows_where(
        " OR ".join(f"{_sum(group)} > data_mb + {_MB_SLACK}" for group in groups),
        name="data_parts_within_total",
        severity="warning",
        description="The parts of the data volume do not exceed it.",
        description_zh="各类流量之和不超过总流量",
    )


def _voice_within_total() -> Expectation:
    parts = ("voice_offnet_minutes", "voice_competitor_minutes", "voice_night_minutes")
    total = f"voice_out_minutes + voice_in_minutes + {_MINUTES_SLACK}"
    return rows_where(
        f"greatest({', '.join(parts)}) > {total}",
        name="voice_parts_within_total",
        severity="warning",
        description="The parts of the voice minutes do not exceed calls made and received.",
        description_zh="各类通话时长不超过主被叫总时长",
    )


EXTRAS: Extras = {
    "usage_daily": (
        _data_within_total(),
        _voice_within_total(),
        rows_where(
            "voice_out_minutes > 1440 OR voice_in_minutes > 1440",
            name="minutes_fit_a_day",
            severity="warning",
            description="Nobody talks for more than 24 hours a day.",
            description_zh="单日通话时长不超过二十四小时",
        ),
    ),
    "usage_monthly": (
        _data_within_total(),
        _voice_within_total(),
        rows_where(
            "active_days > day(last_day(month))",
            name="days_fit_the_month",
            severity="warning",
            description="A month has no more active days than days.",
            description_zh="活跃天数不超过当月天数",
        ),
    ),
    "usage_competitor_contacts": (
        names_its_subscriber(),
        rows_where(
            "forward_type IS NOT NULL AND kind NOT IN ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF')",
            name="forward_type_only_on_forwarding",
            severity="warning",
            description="Only a call forwarding has a type of forwarding.",
            description_zh="只有呼叫转移才有转移类型",
        ),
    ),
    "usage_call_circle": (
        groups_where(
            "count(*) > 20",
            "dt, subscriber_id, month",
            name="at_most_top_twenty",
            severity="warning",
            description="A call circle holds the top 20 numbers.",
            description_zh="通话圈最多二十个号码",
        ),
    ),
    "usage_areas": (
        rows_where(
            "days > day(last_day(month))",
            name="days_fit_the_month",
            severity="warning",
            description="A month has no more days at a place than days.",
            description_zh="停留天数不超过当月天数",
        ),
    ),
}
