"""The suite of the lists, before they leave the building.

The batch is every branch's list of one day (`dt`, `row_number` beside the list's own columns).
Beside it lie `decisions (decision_id, subscriber_id, arm)`, all decisions of that day, and
`manifest (org_id varchar, rows bigint)`, one row a branch's list.
Not here: numbers and names, which are no part of the batch (`has_number` says what matters).
"""

from __future__ import annotations

from expectations.expectation import Expectation, groups_where, rows_where

_ROW = "dt, row_number"
_FIRST_ROW = "min(dt) AS dt, min(row_number) AS row_number"

LIST_SUITE: tuple[Expectation, ...] = (
    Expectation(
        "only_treated_are_listed",
        "critical",
        "Every row carries out a decision to treat this subscriber: no control, nobody suppressed.",
        "名单只含处理组用户,不含对照组与被抑制用户",
        "SELECT list.dt, list.row_number FROM {batch} AS list LEFT JOIN decisions "
        "ON decisions.decision_id = list.decision_id "
        "AND decisions.subscriber_id = list.subscriber_id AND decisions.arm = 'TREATMENT' "
        "WHERE decisions.decision_id IS NULL",
    ),
    Expectation(
        "no_control_is_listed",
        "critical",
        "No subscriber of a list is in a control group or suppressed that day, under any decision.",
        "名单用户当天没有任何对照或抑制决策",
        "SELECT dt, row_number FROM {batch} WHERE subscriber_id IN "
        "(SELECT subscriber_id FROM decisions WHERE arm <> 'TREATMENT')",
    ),
    Expectation(
        "every_treated_is_listed",
        "warning",
        "Every decision to treat is on a list.",
        "每个处理决策都在名单上",
        "SELECT count(*) AS rows FROM decisions WHERE arm = 'TREATMENT' AND decision_id NOT IN "
        "(SELECT decision_id FROM {batch} WHERE decision_id IS NOT NULL) HAVING count(*) > 0",
    ),
    groups_where(
        "count(*) > 1 OR work_order_id IS NULL",
        "work_order_id",
        name="one_row_per_work_order",
        severity="critical",
        description="A work order is on one row.",
        description_zh="每个工单一行",
        place=_FIRST_ROW,
    ),
    groups_where(
        "count(*) > 1 OR subscriber_id IS NULL",
        "dt, subscriber_id",
        name="subscriber_is_listed_once",
        severity="critical",
        description="A subscriber is on one list of a day.",
        description_zh="同一用户当天只出现在一份名单上",
        place=_FIRST_ROW,
    ),
    Expectation(
        "row_count_matches_manifest",
        "critical",
        "Each branch's list has as many rows as the manifest says, and no list is missing.",
        "各营业部名单行数与清单一致",
        "SELECT coalesce(found.rows, 0) AS rows "
        "FROM (SELECT org_id, count(*) AS rows FROM {batch} GROUP BY org_id) AS found "
        "FULL JOIN manifest USING (org_id) "
        "WHERE manifest.rows IS DISTINCT FROM coalesce(found.rows, 0)",
    ),
    rows_where(
        "due_date IS NULL OR due_date <= dt",
        name="due_after_the_day",
        severity="critical",
        description="Work on a list is due after the list's day.",
        description_zh="工单期限晚于名单日期",
        place=_ROW,
    ),
    rows_where(
        "has_number IS NOT TRUE",
        name="number_is_present",
        severity="warning",
        description="Every row has a number to call.",
        description_zh="每行都有联系号码",
        place=_ROW,
    ),
    groups_where(
        "min(rank) <> 1 OR max(rank) <> count(*) OR count(DISTINCT rank) <> count(*)",
        "dt, org_id",
        name="ranks_run_from_one",
        severity="warning",
        description="The rows of a list are ranked from one, without gaps.",
        description_zh="名单内排序从一连续编号",
        place=_FIRST_ROW,
    ),
)
