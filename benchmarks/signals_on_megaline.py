"""The signals of a real operator against queries written by hand over its landing files.

`python benchmarks/signals_on_megaline.py DATA [--date 2018-11-15 …] [--home FOLDER]`

DATA holds the Megaline files (docs/real-data.md). They are imported, loaded by the platform up to each
date, and every signal that has anything to go by must fire for exactly the subscribers that the
query names; the others must fire for nobody and are listed with the feeds that they lack. The
queries know this operator: one plan a line for life, nobody suspended, no packs, no instalments.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

DATES = ("2018-11-15", "2018-12-31")

# What every query may use, as of $day: the lines in the network, their use by day and by month,
# their invoices, and the three calendar months before the day's (m = 1, 2, 3).
SHARED = """
with lines as (
    select subscriber_id, max(cast(activated_at as date)) as activated_on
    from crm_subscribers group by 1
    having count(*) filter (where status = 'DEACTIVATED') = 0
),
plans as (
    select s.subscriber_id, p.voice_minutes, p.data_mb, p.sms_count
    from billing_subscriptions as s join billing_plans as p on p.plan_id = s.product_id
    group by all
),
days as (select l.*, u.* exclude (subscriber_id) from lines l join usage_daily u using (subscriber_id)),
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
),
bills as (
    select i.subscriber_id, cast(i.total_cny as decimal(18, 2)) as total,
        date_diff('month', cast(i.month || '-01' as date), newest.month) + 1 as m,
        cast(i.month || '-01' as date) > l.activated_on as is_full,
        newest.released_on
    from billing_invoices as i join lines as l using (subscriber_id),
        (select max(cast(month || '-01' as date)) as month, max(dt) as released_on from billing_invoices) as newest
),
bill_means as (
    select subscriber_id, any_value(released_on) as released_on,
        max(total) filter (where m = 1) as m1, max(total) filter (where m = 2) as m2,
        avg(total) filter (where m between 2 and 4) as before_1,
        avg(total) filter (where m between 3 and 8) as before_2,
        count(*) filter (where m <= 4 and is_full) as full_4,
        count(*) filter (where m <= 8 and is_full) as full_8
    from bills group by 1
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
QUERIES = {
    "PLAN_MISMATCH": """
        select subscriber_id from used join plans using (subscriber_id) where m <= 3
        group by 1 having count(*) filter (where is_full and (
            greatest(minutes / voice_minutes, mb / data_mb, sms / sms_count) > 1.1
            or greatest(minutes / voice_minutes, mb / data_mb, sms / sms_count) < 0.6)) = 3
    """,
    "BILL_SHOCK": """
        select subscriber_id from bill_means
        where full_4 = 4 and before_1 > 0 and m1 > 1.5 * before_1 and m1 - before_1 >= 10
            and date_diff('day', released_on, $day) < 30
    """,
    "HR3_COLLAPSE": """
        select subscriber_id from bill_means
        where full_4 = 4 and before_1 >= 20 and m1 <= 0.5 * before_1
            and date_diff('day', released_on, $day) < 45
    """,
    "ARPU_DECLINE": """
        select subscriber_id from bill_means
        where full_8 = 8 and before_2 >= 20 and m1 <= 0.7 * before_2 and m2 <= 0.7 * before_2
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


def by_hand(landing: Path, day: date) -> dict[str, set[str]]:
    """Signal -> subscribers, from the files released by the day."""
    connection = duckdb.connect()
    for folder in sorted(path for path in landing.iterdir() if path.is_dir()):
        connection.execute(
            f"create view {folder.name} as select *,"
            f" cast(strptime(regexp_extract(filename, '_(\\d{{8}})\\.csv', 1), '%Y%m%d') as date) as dt"
            f" from read_csv('{folder}/*.csv', union_by_name=true, filename=true, nullstr='')"
            f" where dt <= date '{day}'"
        )
    return {
        code: {str(row[0]) for row in connection.execute(SHARED + query, {"day": day}).fetchall()}
        for code, query in QUERIES.items()
    }


def by_platform(home: Path, day: date) -> tuple[dict[str, set[str]], dict[str, tuple[int, int]]]:
    """Signal -> subscribers; and signal -> (evaluated, unknown)."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        fired: dict[str, set[str]] = {}
        for code, subscriber in connection.execute(
            "select code, subscriber_id from step1_find.signals where as_of_date = $day",
            {"day": day},
        ).fetchall():
            fired.setdefault(code, set()).add(subscriber)
        coverage = connection.execute(
            "select signal, sum(evaluated), sum(unknown) from step1_find.signal_coverage"
            " where as_of_date = $day group by 1 order by 1",
            {"day": day},
        ).fetchall()
    return fired, {code: (int(evaluated), int(unknown)) for code, evaluated, unknown in coverage}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--date", nargs="*", default=DATES)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    home = given.home or Path(tempfile.mkdtemp(prefix="megaline-"))
    os.environ |= {"RETENTION_HOME": str(home), "RETENTION_START_DATE": "2018-01-01"}

    from orchestration.importers import megaline
    from orchestration.runs import Runner
    from orchestration.settings import Settings

    settings = Settings.from_environment()
    megaline.import_megaline(given.data, settings.landing_zone)
    runner = Runner(settings, lambda *_: None)
    first, wrong = date(2018, 1, 1), 0
    for text in sorted(given.date):
        day = date.fromisoformat(text)
        runner.load(first, day)
        expected, (fired, coverage) = by_hand(settings.landing_zone, day), by_platform(home, day)
        print(f"\n{day}: signal, by hand, by the platform, in one only; lines looked at, unknown")
        for code in sorted(coverage):
            hand, found = expected.get(code, set()), fired.get(code, set())
            wrong += len(hand ^ found)
            print(f"  {code:28}{len(hand):6}{len(found):6}{len(hand ^ found):6}  {coverage[code]}")
    print("\nall equal" if not wrong else f"\n{wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
