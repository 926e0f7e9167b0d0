"""Extra expectations on the feeds of field: feedback that can be joined to the list it answers."""

from __future__ import annotations

from expectations.expectation import Extras, delivered, names_its_subscriber, rows_where

EXTRAS: Extras = {
    "field_contacts": (
        names_its_subscriber(),
        rows_where(
            f"channel IN ('CALL', 'DOOR_VISIT') AND staff_id IS NULL AND {delivered('staff_id')}",
            name="personal_contact_names_staff",
            severity="warning",
            description="A call or a visit names who made it.",
            description_zh="电话或上门联系注明人员",
        ),
        rows_where(
            "concession_cny > 0 AND outcome IN ('NO_ANSWER', 'WRONG_NUMBER', 'NOT_HOME', "
            "'UNDELIVERED')",
            name="concession_reached_someone",
            severity="warning",
            description="A concession was given to someone who was reached.",
            description_zh="只有联系上的用户才有让利",
        ),
    ),
    "field_retention_log": (
        rows_where(
            "greatest(no_answer, saved, revived, refused) > visits + calls",
            name="results_within_work",
            severity="warning",
            description="No result was reached more often than calls and visits were made.",
            description_zh="各项结果数不超过电话与上门总数",
        ),
        rows_where(
            "submitted_at < log_date",
            name="submitted_after_day",
            severity="warning",
            description="A log is handed in on its day or later.",
            description_zh="日志提交时间不早于日志日期",
        ),
    ),
    "field_work_order_events": (
        rows_where(
            "work_order_id IS NULL",
            name="names_its_work_order",
            severity="warning",
            description="Every event says which work order it is about.",
            description_zh="每个事件指明工单",
        ),
        rows_where(
            f"state = 'DROPPED' AND drop_reason IS NULL AND {delivered('drop_reason')}",
            name="dropped_has_reason",
            severity="warning",
            description="A dropped work order says why.",
            description_zh="退单注明原因",
        ),
    ),
}
