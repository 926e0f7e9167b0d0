"""Extra expectations on the feeds of org: a tree with one root, agents with terms."""

from __future__ import annotations

from expectations.expectation import Expectation, Extras, rows_where

EXTRAS: Extras = {
    "org_units": (
        Expectation(
            "parents_exist",
            "critical",
            "Every unit but the headquarters has a parent in the same release.",
            "除总部外每个机构都有上级,且上级在同一文件中",
            "SELECT unit.dt, unit.source_file, unit.source_line FROM {batch} AS unit LEFT JOIN "
            "{batch} AS parent ON parent.dt = unit.dt AND parent.org_id = unit.parent_org_id "
            "WHERE parent.org_id IS NULL AND (unit.parent_org_id IS NOT NULL OR unit.org_level "
            "<> 'HQ')",
        ),
        Expectation(
            "parent_lies_above",
            "critical",
            "HQ, province, city, branch: a unit lies below its parent, so the tree has no cycle.",
            "机构层级低于其上级,不成环",
            "SELECT unit.dt, unit.source_file, unit.source_line FROM {batch} AS unit JOIN "
            "{batch} AS parent ON parent.dt = unit.dt AND parent.org_id = unit.parent_org_id "
            "WHERE unit.org_id = parent.org_id OR CASE unit.org_level WHEN 'HQ' THEN 0 WHEN "
            "'PROVINCE' THEN 1 WHEN 'CITY' THEN 2 WHEN 'BRANCH' THEN 3 END <= CASE "
            "parent.org_level WHEN 'HQ' THEN 0 WHEN 'PROVINCE' THEN 1 WHEN 'CITY' THEN 2 WHEN "
            "'BRANCH' THEN 3 END",
        ),
        Expectation(
            "one_headquarters",
            "critical",
            "A release has one headquarters.",
            "同一文件中只有一个总部",
            "SELECT dt, count(*) FILTER (WHERE org_level = 'HQ') AS rows FROM {batch} GROUP BY "
            "dt HAVING count(*) FILTER (WHERE org_level = 'HQ') <> 1",
        ),
    ),
    "org_staff": (
        rows_where(
            "org_id IS NULL AND channel_id IS NULL",
            name="staff_has_a_place",
            severity="warning",
            description="Every member of staff belongs to a branch or a channel.",
            description_zh="每名员工有所属机构或渠道",
        ),
    ),
    "org_agents": (
        rows_where(
            "valid_to < valid_from",
            name="dates_in_order",
            severity="warning",
            description="An agent's term ends after it begins.",
            description_zh="代理商有效期的结束日期不早于开始日期",
        ),
    ),
}
