"""The running state of use is what a computation from scratch gives (D06, D09)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np

from tests.dbt.conftest import TinyWarehouse

FIRST = date(2025, 1, 1)
BULK = date(2025, 5, 27)
SUBSCRIBERS = 15
# As-of days after the bulk: one by one, two at once, over a month's end.
STEPS = (1, 2, 3, 5, 6, 8)
AGAIN = 6
CORE = ("fct_usage_daily", "fct_feed_days")
AS_OF = (
    "int_known_days",
    "int_usage_state",
    "int_usage_month_closes",
    "int_usage_month_corrections",
    "int_usage_months",
)
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
STATE = "intermediate.int_usage_state"

# Window -> its first day as SQL of the as-of date `d`.
WINDOWS = {
    "7d": "d - 6",
    "30d": "d - 29",
    "60d": "d - 59",
    "120d": "d - 119",
    "mtd": "cast(date_trunc('month', d) as date)",
}
# Measure -> (its value on a day, its windows).
MEASURES = {
    "voice_minutes": ("voice_out_minutes + voice_in_minutes", ("7d", "30d", "60d", "120d", "mtd")),
    "voice_unknown_days": (
        "case when voice_out_minutes is null or voice_in_minutes is null then 1 end",
        ("7d", "30d", "60d", "120d", "mtd"),
    ),
    "voice_out_minutes": ("voice_out_minutes", ("30d", "120d", "mtd")),
    "data_mb": ("data_mb", ("7d", "30d", "60d", "120d", "mtd")),
    "calls": ("coalesce(calls_out, 0) + coalesce(calls_in, 0)", ("30d", "120d")),
    "call_days": (
        "case when coalesce(calls_out, 0) + coalesce(calls_in, 0) > 0 then 1 end",
        ("30d", "120d"),
    ),
    "data_square": ("cast(100 * data_mb as bigint) * cast(100 * data_mb as bigint)", ("30d",)),
    "data_moment": ("date_diff('day', date '1970-01-01', usage_date) * data_mb", ("30d",)),
    "days_seen": ("1", ("120d",)),
}
MARKS = {
    "last_call_on": "coalesce(calls_out, 0) + coalesce(calls_in, 0) > 0",
    "last_data_on": "data_mb > 0",
    "last_data_day_on": "data_mb >= 1",
    "last_tac_on": "tac is not null",
}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def rows_of(rng: np.random.Generator, dt: date) -> list[Mapping[str, Any]]:
    """Use of the day, late rows of days before, corrections of them; values may be unknown."""
    found = {}
    for i in range(SUBSCRIBERS):
        # The last three lines fall silent, one after the other.
        if i >= SUBSCRIBERS - 3 and (dt - FIRST).days > 15 + 10 * (i - SUBSCRIBERS + 3):
            continue
        for back in (0, *rng.integers(1, 40, size=int(rng.random() < 0.3))):
            usage_date = max(dt - timedelta(days=int(back)), FIRST)
            if rng.random() < 0.6:
                found[i, usage_date] = {
                    "subscriber_id": f"s{i}",
                    "usage_date": usage_date,
                    "voice_out_minutes": None
                    if rng.random() < 0.1
                    else float(rng.integers(999)) / 100,
                    "voice_in_minutes": None
                    if rng.random() < 0.1
                    else float(rng.integers(999)) / 100,
                    "calls_out": int(rng.integers(3)),
                    "calls_in": int(rng.integers(2)),
                    "data_mb": None if rng.random() < 0.1 else float(rng.integers(3)) * 0.625,
                    "tac": None if rng.random() < 0.3 else f"t{rng.integers(9)}",
                }
    return list(found.values())


def plain(as_of: date) -> str:
    """The state as of a day, straight from the delivered rows."""
    sums = ", ".join(
        f"coalesce(sum(case when usage_date >= {WINDOWS[window]} then {sql} end), 0)"
        for sql, windows in MEASURES.values()
        for window in windows
    )
    marks = ", ".join(f"max(case when {sql} then usage_date end)" for sql in MARKS.values())
    return f"""
        with newest as (
            select *, date '{as_of}' as d from raw.usage_daily where dt <= date '{as_of}'
            qualify row_number() over (partition by subscriber_id, usage_date order by dt desc) = 1
        )
        select subscriber_id, {sums}, {marks}, max_by(tac, usage_date) filter (where tac is not null)
        from newest
        where usage_date > d - 120 and usage_date in (
            select dt from raw.receipts where feed = 'usage_daily' and arrived
        )
        group by subscriber_id
    """


def kept(as_of: date) -> str:
    columns = ", ".join(
        f"{name}_{window}" for name, (_, windows) in MEASURES.items() for window in windows
    )
    return (
        f"select subscriber_id, {columns}, {', '.join(MARKS)}, last_tac from {STATE}"
        f" where as_of_date = date '{as_of}'"
    )


def plain_months(as_of: date) -> str:
    return f"""
        with newest as (
            select *, cast(date_trunc('month', usage_date) as date) as month
            from raw.usage_daily where dt <= date '{as_of}'
            qualify row_number() over (partition by subscriber_id, usage_date order by dt desc) = 1
        )
        select
            subscriber_id, month, coalesce(sum(data_mb), 0),
            coalesce(sum(voice_out_minutes + voice_in_minutes), 0)
        from newest
        where month < date_trunc('month', date '{as_of}') and usage_date in (
            select dt from raw.receipts where feed = 'usage_daily' and arrived
        )
        group by subscriber_id, month
    """


MONTHS = "select subscriber_id, month, data_mb, voice_minutes from intermediate.int_usage_months"


def assert_same(warehouse: TinyWarehouse, one: str, other: str) -> None:
    assert warehouse.query(f"(({one}) except ({other})) union all (({other}) except ({one}))") == []


def test_a_carried_state_equals_a_computation_from_scratch(
    make_warehouse: Callable[[str], TinyWarehouse],
) -> None:
    """D06: late, corrected and withdrawn rows, missing files, a month's end, days left out."""
    warehouse = make_warehouse("usage_state")
    rng = np.random.default_rng(11)

    def arrive(days: range) -> None:
        with warehouse.deliveries() as deliver:
            for number in days:
                is_missing = number > 0 and rng.random() < 0.1
                deliver(
                    "usage_daily", day(number), None if is_missing else rows_of(rng, day(number))
                )

    def look(number: int, *arguments: str) -> None:
        warehouse.dbt("run", day(number), day(number), "--select", *AS_OF, *arguments)
        assert_same(warehouse, kept(day(number)), plain(day(number)))
        assert_same(warehouse, MONTHS, plain_months(day(number)))

    bulk = (BULK - FIRST).days
    arrive(range(bulk + 1))
    parents = ("+int_usage_state", "+int_usage_months")
    warehouse.dbt("build", FIRST, BULK, "--select", *parents, *NO_TESTS)
    assert_same(warehouse, kept(BULK), plain(BULK))

    last = bulk
    for step in STEPS:
        now = bulk + step
        arrive(range(last + 1, now + 1))
        warehouse.dbt("run", day(last + 1), day(now), "--select", *CORE)
        look(now)
        last = now

    # A file comes again with other rows: its day and those after it are run again.
    again = bulk + AGAIN
    arrive(range(again, again + 1))
    warehouse.dbt("run", day(again), day(again), "--select", *CORE)
    look(again)
    look(last)

    warehouse.snapshot((STATE,), "carried")
    carried = f"select * from kept_carried.intermediate_int_usage_state where as_of_date = date '{day(last)}'"
    look(last, "--full-refresh")
    assert_same(warehouse, carried, f"select * from {STATE}")
