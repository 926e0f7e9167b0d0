"""Extra expectations on the feeds of churn: exits that can serve as labels."""

from __future__ import annotations

from expectations.expectation import Extras, groups_where, names_its_subscriber, rows_where

EXTRAS: Extras = {
    "churn_events": (
        names_its_subscriber(),
        groups_where(
            "count(*) > 1",
            'subscriber_id, CAST("at" AS DATE)',
            name="one_exit_a_day",
            severity="warning",
            description="A subscriber leaves once a day.",
            description_zh="同一用户一天内只有一次离网",
            among='subscriber_id IS NOT NULL AND "at" IS NOT NULL',
            place="min(dt) AS dt, min(source_file) AS source_file, min(source_line) AS source_line",
        ),
        rows_where(
            "kind IN ('PORT_OUT', 'CLOSED') AND stated_cause = 'REMOVED'",
            name="removed_is_the_operators",
            severity="warning",
            description="Who left of their own will was not removed.",
            description_zh="主动离网的原因不是运营商剔除",
        ),
    ),
}
