"""Extra expectations on the feeds of care: complaints whose steps can be followed."""

from __future__ import annotations

from expectations.expectation import (
    Expectation,
    Extras,
    delivered,
    names_its_subscriber,
    rows_where,
)

EXTRAS: Extras = {
    "care_complaints": (
        rows_where(
            f"step = 'OPENED' AND category IS NULL AND {delivered('category')}",
            name="opened_has_category",
            severity="warning",
            description="An opened complaint has a category.",
            description_zh="新建投诉有类别",
        ),
        rows_where(
            "step = 'OPENED' AND subscriber_id IS NULL",
            name="opened_names_subscriber",
            severity="warning",
            description="An opened complaint says whose it is.",
            description_zh="新建投诉指明用户",
        ),
        rows_where(
            "step = 'OPENED' AND due_at < \"at\"",
            name="due_after_opening",
            severity="warning",
            description="A complaint is due after it was opened.",
            description_zh="投诉处理时限晚于受理时间",
        ),
        Expectation(
            "no_step_before_opening",
            "warning",
            "No step of a complaint comes before its opening.",
            "投诉的后续步骤不早于受理",
            'SELECT dt, source_file, source_line FROM (SELECT dt, source_file, source_line, "at", '
            "min(\"at\") FILTER (WHERE step = 'OPENED') OVER (PARTITION BY complaint_id) "
            'AS opened_at FROM {batch}) AS step WHERE "at" < opened_at',
        ),
    ),
    "care_interactions": (names_its_subscriber(),),
}
