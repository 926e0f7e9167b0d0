"""The suite of a feed: what its contract says, and what only this feed can promise.

Here: the expectations that every feed has, derived from its contract. Not here: the extras of a
feed (`billing.py`, `crm.py`, … by dbt source), the row rules themselves
(`orchestration/landing/rules.py`: one SQL text serves quarantine and suite).

A feed's batch is one or more days of its raw partitions with `dt`; beside it lie two relations:
`receipts (dt date, kept bigint)`, one row a day of the batch, `kept` NULL where no receipt exists,
and `missing_columns (dt date, column_name varchar)`: contract columns that a delivery lacked.
"""

from __future__ import annotations

from expectations import (
    billing,
    care,
    channel,
    churn,
    crm,
    device,
    field,
    market,
    org,
    service,
    usage,
)
from expectations.expectation import Expectation, Extras, groups_where, rows_where
from orchestration.contracts import Feed
from orchestration.landing.rules import row_rules

ROW_COUNT = "row_count_matches_receipt"
COLUMNS = "columns_match_contract"

EXTRAS: Extras = {
    feed: expectations
    for source in (
        billing, care, channel, churn, crm, device, field, market, org, service, usage
    )
    for feed, expectations in source.EXTRAS.items()
}  # fmt: skip

# Reason of a row rule -> name and words of the one expectation for all rules of that reason.
_BY_REASON = {
    "UNKNOWN_CODE": (
        "codes_are_known",
        "Every code is in its code table.",
        "每个代码都在码表中",
    ),
    "OUT_OF_RANGE": (
        "values_in_range",
        "Every value lies in its column's range.",
        "每个数值都在允许范围内",
    ),
    "FUTURE_EVENT": (
        "events_not_after_release",
        "No event is dated after the day of its release.",
        "事件时间不晚于文件日期",
    ),
}


def feed_suite(feed: Feed) -> tuple[Expectation, ...]:
    """All expectations of one feed; names are unique within it."""
    suite = (
        _columns_match_contract(feed),
        _row_count_matches_receipt(),
        _key_is_complete(feed),
        _key_is_unique(feed),
        *_row_rules_hold(feed),
        *EXTRAS.get(feed.name, ()),
    )
    names = [expectation.name for expectation in suite]
    if len(set(names)) < len(names):
        raise ValueError(f"{feed.name}: two expectations of one name among {', '.join(names)}")
    return suite


def _columns_match_contract(feed: Feed) -> Expectation:
    declared = ", ".join(
        f"('{name}', '{data_type}')"
        for name, data_type in {**feed.raw_columns, "dt": "date"}.items()
    )
    return Expectation(
        COLUMNS,
        "critical",
        "The raw partition has the contract's columns with the contract's types.",
        "原始分区的列名与类型符合契约",
        "SELECT column_name FROM (DESCRIBE SELECT * FROM {batch}) AS found "
        f"FULL JOIN (VALUES {declared}) AS declared (column_name, data_type) USING (column_name) "
        "WHERE upper(found.column_type) IS DISTINCT FROM upper(declared.data_type)",
    )


def _row_count_matches_receipt() -> Expectation:
    return Expectation(
        ROW_COUNT,
        "critical",
        "Each day has a receipt, and as many rows as the receipt says were kept.",
        "每天都有回执,且行数等于回执的保留行数",
        "SELECT dt, coalesce(found.rows, 0) AS rows "
        "FROM (SELECT dt, count(*) AS rows FROM {batch} GROUP BY dt) AS found "
        "FULL JOIN receipts USING (dt) "
        "WHERE receipts.kept IS DISTINCT FROM coalesce(found.rows, 0)",
    )


def _key_columns(feed: Feed) -> tuple[str, ...]:
    """The key as raw holds it, quoted: a personal key column is there as its token."""
    return tuple(
        f'"{name}"' for column in feed.required_columns for name in feed.column(column).raw_columns
    )


def _key_is_complete(feed: Feed) -> Expectation:
    return rows_where(
        " OR ".join(f"{column} IS NULL" for column in _key_columns(feed)),
        name="key_is_complete",
        severity="critical",
        description=f"No part of the key is missing: {', '.join(feed.key)}.",
        description_zh="主键各列均不为空",
    )


def _key_is_unique(feed: Feed) -> Expectation:
    return groups_where(
        "count(*) > 1",
        ", ".join(("dt", *_key_columns(feed))),
        name="key_is_unique",
        severity="critical",
        description=f"A key occurs once in a release: {', '.join(feed.key)}.",
        description_zh="同一文件日期内主键唯一",
    )


def _row_rules_hold(feed: Feed) -> tuple[Expectation, ...]:
    violated: dict[str, list[str]] = {}
    for rule in row_rules(feed):
        violated.setdefault(rule.reason, []).append(f"({rule.violated})")
    return tuple(
        rows_where(
            " OR ".join(predicates),
            name=_BY_REASON[reason][0],
            severity="critical",
            description=_BY_REASON[reason][1],
            description_zh=_BY_REASON[reason][2],
        )
        for reason, predicates in violated.items()
    )
