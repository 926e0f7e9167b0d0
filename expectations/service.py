"""Extra expectations on the feeds of service: failures with a scope and a course."""

from __future__ import annotations

from expectations.expectation import Extras, rows_where

EXTRAS: Extras = {
    "service_failures": (
        rows_where(
            "subscriber_id IS NULL AND org_id IS NULL",
            name="scope_is_named",
            severity="warning",
            description="A failure names a subscriber or a unit.",
            description_zh="故障指明用户或机构",
        ),
        rows_where(
            "ended_at < started_at",
            name="dates_in_order",
            severity="warning",
            description="A failure ends after it started.",
            description_zh="故障结束时间不早于开始时间",
        ),
    ),
}
