"""The signals of real operators against queries written by hand over their landing files.

`python benchmarks/signals_on_real_data.py DATA [--operators megaline exacaster] [--home FOLDER]`

DATA holds both data sets (docs/real-data.md). Each is imported and loaded by the platform up to each
of its dates. A signal that has a query must fire for exactly the subscribers that the query names; every
other must fire for nobody and say which feeds or columns it lacks. The queries know their operator:
Megaline has one plan a line for life, no packs, no instalments; the Exacaster panel has three months of
bills, and nobody's days.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.homes import settings_in

# What every query may use, as of $day: who is in the network, as last told, and what was billed.
LINES = """
with newest as (
    select subscriber_id, activated_at, status, status_reason from crm_subscribers
    qualify row_number() over (partition by subscriber_id order by dt desc) = 1
),
lines as (
    select *, cast(activated_at as date) as activated_on from newest where status <> 'DEACTIVATED'
),
bills as (
    select i.subscriber_id, cast(i.total_cny as decimal(18, 2)) as total,
        date_diff('month', cast(i.month || '-01' as date), newest.month) + 1 as m,
        coalesce(cast(i.month || '-01' as date) > l.activated_on, true) as is_full,
        newest.released_on
    from billing_invoices as i join lines as l using (subscriber_id),
        (select max(cast(month || '-01' as date)) as month, max(dt) as released_on from billing_invoices) as newest
),
bill_means as (
    select subscriber_id, any_value(released_on) as released_on,
        max(total) filter (where m = 1) as m1, max(total) filter (where m = 2) as m2,
        sum(total) filter (where m between 2 and 4) as sum_2_4,
        sum(total) filter (where m between 3 and 8) as sum_3_8,
        count(distinct m) filter (where m <= 4 and is_full) as full_4,
        count(distinct m) filter (where m <= 8 and is_full) as full_8
    from bills group by 1
)
"""
# Of an operator with days of use: by day and by month, and the calendar months before the day's.
USE = """,
plans as (
    select s.subscriber_id, p.voice_minutes, p.data_mb, p.sms_count
    from billing_subscriptions as s join billing_plans as p on p.plan_id = s.product_id
    group by all
),
months as (
    select subscriber_id, m, date_trunc('month', $day) - to_months(m) as month
    from lines, (select unnest(range(1, 7)) as m)
),
used as (
    select months.subscriber_id, months.m, months.month,
        months.month >= any_value(lines.activated_on) as is_full,
        coalesce(sum(voice_out_minutes), 0) as minutes,
        coalesce(sum(data_mb), 0) as mb, coalesce(sum(sms_out), 0) as sms
    from months join lines using (subscriber_id)
    left join usage_daily as u
        on u.subscriber_id = months.subscriber_id and date_trunc('month', u.usage_date) = months.month
    group by 1, 2, 3
),
to_date as (
    select lines.subscriber_id, coalesce(sum(voice_out_minutes), 0) as minutes,
        coalesce(sum(data_mb), 0) as mb, coalesce(sum(sms_out), 0) as sms,
        coalesce(sum(voice_out_minutes) filter (where usage_date < $day), 0) as minutes_before,
        coalesce(sum(data_mb) filter (where usage_date < $day), 0) as mb_before,
        coalesce(sum(sms_out) filter (where usage_date < $day), 0) as sms_before
    from lines left join usage_daily as u
        on u.subscriber_id = lines.subscriber_id and usage_date >= date_trunc('month', $day)
    group by 1
)
"""
# The month's data so far against three months' mean: the first day on which it holds.
ANOMALY = """
        select subscriber_id from (
            select r.subscriber_id, min(r.day) as first_on
            from (
                select l.subscriber_id, d.day,
                    date_diff('day', date_trunc('month', $day), d.day) + 1 as elapsed,
                    sum(coalesce(u.data_mb, 0)) over (partition by l.subscriber_id order by d.day) as mb
                from lines as l
                cross join (select unnest(generate_series(date_trunc('month', $day), $day, interval 1 day)) as day) as d
                left join usage_daily as u on u.subscriber_id = l.subscriber_id and u.usage_date = d.day
            ) as r
            join (
                select subscriber_id, sum(mb) / 3 as base from used where m <= 3
                group by 1 having count(*) filter (where is_full) = 3 and sum(mb) / 3 >= 300
            ) as b using (subscriber_id)
            where elapsed >= 7 and mb {} * base * elapsed / day(last_day($day))
            group by 1
        ) where first_on = $day
"""
OF_LINES_AND_BILLS = {
    "DOUBLE_SUSPENSION_7D": "select subscriber_id from lines where status = 'TWO_WAY_SUSPENDED'",
    "HR2_VOLUNTARY_SUSPENSION": """
        select subscriber_id from lines where status <> 'ACTIVE' and status_reason = 'CUSTOMER_REQUEST'
    """,
    "HR4_ARREARS_SUSPENSION": """
        select subscriber_id from lines where status <> 'ACTIVE' and status_reason = 'ARREARS'
    """,
    "BILL_SHOCK": """
        select subscriber_id from bill_means
        where full_4 = 4 and sum_2_4 > 0 and 3 * m1 > 1.5 * sum_2_4 and 3 * m1 - sum_2_4 >= 30
            and date_diff('day', released_on, $day) < 30
    """,
    "HR3_COLLAPSE": """
        select subscriber_id from bill_means
        where full_4 = 4 and sum_2_4 >= 60 and 3 * m1 <= 0.5 * sum_2_4
            and date_diff('day', released_on, $day) <= 45
    """,
    "ARPU_DECLINE": """
        select subscriber_id from bill_means
        where full_8 = 8 and sum_3_8 >= 120 and 6 * m1 <= 0.7 * sum_3_8 and 6 * m2 <= 0.7 * sum_3_8
    """,
}
OF_USE = {
    "PLAN_MISMATCH": """
        select subscriber_id from used join plans using (subscriber_id) where m <= 3
        group by 1 having count(*) filter (where is_full and (
            greatest(minutes / voice_minutes, mb / data_mb, sms / sms_count) > 1.1
            or greatest(minutes / voice_minutes, mb / data_mb, sms / sms_count) < 0.6)) = 3
    """,
    "OVER_PLAN_100": """
        select subscriber_id from to_date join plans using (subscriber_id)
        where (minutes >= voice_minutes and minutes_before < voice_minutes)
            or (mb >= data_mb and mb_before < data_mb) or (sms >= sms_count and sms_before < sms_count)
    """,
    "OVER_PLAN_80": """
        select subscriber_id from to_date join plans using (subscriber_id)
        where (minutes >= 0.8 * voice_minutes and minutes < voice_minutes and minutes_before < 0.8 * voice_minutes)
            or (mb >= 0.8 * data_mb and mb < data_mb and mb_before < 0.8 * data_mb)
            or (sms >= 0.8 * sms_count and sms < sms_count and sms_before < 0.8 * sms_count)
    """,
    "DATA_MISMATCH": """
        select subscriber_id from used join plans using (subscriber_id)
            join to_date using (subscriber_id)
        where m = 1 and ((is_full and used.mb > data_mb) or to_date.mb >= data_mb)
    """,
    "USAGE_SPIKE": ANOMALY.format(">= 1.5"),
    "USAGE_DROP": ANOMALY.format("<= 0.5"),
    "ZERO_CALL_5D": """
        select subscriber_id from lines left join usage_daily as u using (subscriber_id)
        where activated_on <= $day - 4 group by subscriber_id, activated_on
        having count(*) filter (where usage_date > $day - 5) = 0
            and ((activated_on <= $day - 5
                and max(calls_out) filter (where usage_date = $day - 5) >= 1) or activated_on = $day - 4)
    """,
}


@dataclass(frozen=True)
class RealOperator:
    """A data set: since when, as of which dates it is looked at, and what is asked of its files."""

    name: str
    first: date
    dates: tuple[date, ...]
    shared: str
    queries: Mapping[str, str]


OPERATORS = (
    RealOperator(
        "megaline",
        date(2018, 1, 1),
        (date(2018, 11, 15), date(2018, 12, 31)),
        LINES + USE,
        OF_LINES_AND_BILLS | OF_USE,
    ),
    RealOperator(
        "exacaster",
        date(2013, 6, 1),
        # the day after the last bills came, the eve of the exits, and their day
        (date(2013, 9, 2), date(2013, 9, 30), date(2013, 10, 1)),
        LINES,
        OF_LINES_AND_BILLS,
    ),
)


@dataclass(frozen=True)
class Coverage:
    """What the platform says of one signal."""

    evaluated: int
    unknown: int
    missing: str | None


def by_hand(operator: RealOperator, landing: Path, day: date) -> tuple[int, dict[str, set[str]]]:
    """How many lines there are, and signal -> subscribers, from the files released by the day."""
    connection = duckdb.connect()
    for folder in sorted(path for path in landing.iterdir() if path.is_dir()):
        connection.execute(
            f"create table {folder.name} as select *,"
            f" cast(strptime(regexp_extract(filename, '_(\\d{{8}})\\.csv', 1), '%Y%m%d') as date) as dt"
            f" from read_csv('{folder}/*.csv', union_by_name=true, filename=true, nullstr='')"
            f" where dt <= date '{day}'"
        )

    def asked(query: str) -> list[str]:
        sql = (operator.shared + query).replace("$day", f"date '{day}'")
        rows = connection.execute(sql).fetchall()
        return [str(row[0]) for row in rows]

    lines = len(asked("select subscriber_id from lines"))
    return lines, {code: set(asked(query)) for code, query in operator.queries.items()}


def by_platform(home: Path, day: date) -> tuple[dict[str, set[str]], dict[str, Coverage]]:
    """Signal -> subscribers; and signal -> coverage."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        fired: dict[str, set[str]] = {}
        for code, subscriber in connection.execute(
            "select code, subscriber_id from step1_find.signals where as_of_date = $day",
            {"day": day},
        ).fetchall():
            fired.setdefault(code, set()).add(subscriber)
        coverage = connection.execute(
            "select signal, sum(evaluated), sum(unknown), max(missing_feeds)"
            " from step1_find.signal_coverage where as_of_date = $day group by 1 order by 1",
            {"day": day},
        ).fetchall()
    return fired, {
        code: Coverage(int(evaluated), int(unknown), missing)
        for code, evaluated, unknown, missing in coverage
    }


def compare(operator: RealOperator, home: Path, day: date) -> int:
    """Print both sides of every signal; the number of faults."""
    lines, expected = by_hand(operator, home / "landing", day)
    fired, coverage = by_platform(home, day)
    print(f"\n{operator.name} as of {day}, {lines} lines")
    print(f"  {'signal':28}{'by hand':>8}{'fired':>8}{'differ':>8}{'unknown':>9}  missing")
    faults = 0
    for code, said in coverage.items():
        wrong = expected.get(code, set()) ^ fired.get(code, set())
        is_silent = code not in expected and said.missing is None
        faults += len(wrong) + is_silent + (said.evaluated + said.unknown != lines)
        hand = str(len(expected[code])) if code in expected else "–"
        print(
            f"  {code:28}{hand:>8}{len(fired.get(code, set())):>8}{len(wrong):>8}"
            f"{said.unknown:>9}  {'does not say' if is_silent else said.missing or ''}"
        )
    return faults + len(expected.keys() - coverage.keys())


def measured(operator: RealOperator, data: Path, home: Path) -> int:
    """Import and load the operator up to each date; the number of faults."""
    from orchestration.demo import import_data_set
    from orchestration.runs import Runner

    settings = settings_in(home, operator.first)
    import_data_set(operator.name, data, settings)
    runner = Runner(settings, lambda _: None)
    faults, first = 0, operator.first
    for day in operator.dates:
        runner.load(first, day)
        first = day + timedelta(days=1)
        faults += compare(operator, home, day)
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    names = [operator.name for operator in OPERATORS]
    parser.add_argument("--operators", nargs="+", choices=names, default=names)
    parser.add_argument("--home", type=Path, help="kept; default: thrown away")
    options = parser.parse_args()
    folder = options.home or Path(tempfile.mkdtemp(prefix="signals-on-real-data-"))
    try:
        faults = sum(
            measured(operator, options.data, (folder / operator.name).resolve())
            for operator in OPERATORS
            if operator.name in options.operators
        )
    finally:
        if not options.home:
            shutil.rmtree(folder)
    print("\nall equal" if not faults else f"\n{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
