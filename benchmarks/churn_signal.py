"""How much of who will leave the synthetic operator's feeds give away, and how many leave.

`python benchmarks/churn_signal.py HOME [--train 3] [--recharge-days 60]`

HOME holds `landing/` and `truth/` of a simulated operator of at least seven months, simulated with
outcome days. Features are windows over the delivered files, as of month ends; boosted trees learn
on earlier month ends and are tested on the last whose outcome is known. Beside their AUC stands
that of the truth's own chances: what an all-knowing observer would say. Departures are the
truth's, between 7 and 37 days ahead. The rates are monthly: voluntary departures by the truth, and
prepaid lines whose last top-up grew older than so many days, as recharge-based reports count.
"""

from __future__ import annotations

import argparse
import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

LEAD, HORIZON = 7, 30
WINDOWS = (3, 7, 14, 30, 60)  # days
EARLIER = ((7, 14), (14, 21), (21, 28), (30, 120))  # days before
VOLUNTARY = ("PORT_OUT", "CLOSED", "SILENT")
_MEASURES = {
    "voice_out_minutes": "vo",
    "voice_in_minutes": "vi",
    "voice_offnet_minutes": "off",
    "data_mb": "mb",
    "sms_out": "sms",
    "poor_coverage_minutes": "poor",
    "dropped_calls": "dropped",
}


class Feeds:
    """The delivered files and the truth of one operator, as tables."""

    def __init__(self, home: Path) -> None:
        self.sql = duckdb.connect(config={"threads": 2, "memory_limit": "6GB"})
        landing, truth = home / "landing", home / "truth"

        def rows(feed: str) -> str:
            return (
                f"(select *, strptime(regexp_extract(filename, '_(\\d{{8}})', 1), '%Y%m%d')::date"
                f" as dt from read_csv('{landing}/{feed}/*.csv', all_varchar = true,"
                " union_by_name = true, filename = true))"
            )

        measures = ", ".join(f"{long}::float as {short}" for long, short in _MEASURES.items())
        tables = {
            "lines": "select subscriber_id, payment_mode, activated_at::date as activated_on,"
            f" status, status_at::date as status_on, dt from {rows('crm_subscribers')}"
            " where line_class = 'VOICE' and service_type = 'MOBILE'",
            "rivals": 'select subscriber_id, "at"::date as day, kind'
            f" from {rows('usage_competitor_contacts')}",
            "complaints": 'select subscriber_id, "at"::date as day, category'
            f" from {rows('care_complaints')} where step = 'OPENED'",
            "visits": 'select subscriber_id, "at"::date as day, reason'
            f" from {rows('care_interactions')}",
            "payments": "select subscriber_id, paid_at::date as day, amount_cny::float as cny,"
            f" payment_kind from {rows('billing_payments')}",
            "contracts": "select subscriber_id, max(contract_end_date)::date as ends_on"
            f" from {rows('billing_subscriptions')} where product_kind = 'DEVICE_CONTRACT'"
            " group by all",
            "exits": "select subscriber_id, left_on, exit, cause from"
            f" (select * from read_parquet('{truth}/exits/*.parquet') union all by name"
            f" select * from read_parquet('{truth}/outlook/*.parquet'))",
            "chances": f"select * from read_parquet('{truth}/hazards/*/*.parquet',"
            " hive_partitioning = false)",
        }
        for name, query in tables.items():
            self.sql.execute(f"create table {name} as {query}")
        self.sql.execute(
            f"create view usage as select subscriber_id, usage_date as day, {measures}"
            f" from read_parquet('{landing}/usage_daily/*.parquet')"
        )
        self.sql.execute(
            "create view balances as select subscriber_id, balance_cny::float as balance,"
            " valid_until, strptime(regexp_extract(filename, '_(\\d{8})', 1), '%Y%m%d')::date as dt"
            f" from read_parquet('{landing}/billing_balances/*.parquet', filename = true)"
        )

    def month_ends(self) -> list[date]:
        found = self.sql.execute("select distinct as_of_date from chances order by 1").fetchall()
        return [day for (day,) in found]

    def as_of(self, day: date) -> pd.DataFrame:
        """One row a line worth a forecast, with features, label `leaves` and `chance`."""
        d = f"date '{day}'"
        sums = [
            f"coalesce(sum({m}) filter (day > {d} - {w}), 0) / {w} as {m}_{w}"
            for m in _MEASURES.values()
            for w in WINDOWS
        ] + [
            f"coalesce(sum({m}) filter (day <= {d} - {least} and day > {d} - {most}), 0)"
            f" / {most - least} as {m}_before_{least}"
            for m in ("vo", "vi", "off", "mb")
            for least, most in EARLIER
        ]
        counted = [
            ("rivals", "kind", ("HOTLINE_OUT", "HOTLINE_IN", "PORTABILITY_QUERY")),
            ("complaints", "category", ("BILLING", "NETWORK", "SERVICE")),
            ("visits", "reason", ("CANCEL_REQUEST", "PORT_OUT_CODE", "PLAN_QUERY")),
        ]
        counts = [
            f"{table}_now as (select subscriber_id, max(day) - {d} as {table}_last, "
            + ", ".join(
                f"count(*) filter ({column} = '{code}' and day > {d} - {w}) as {code}_{w}"
                for code in codes
                for w in (14, 30, 90)
            )
            + f" from {table} where day <= {d} and day > {d} - 90 group by all)"
            for table, column, codes in counted
        ]
        frame = self.sql.execute(
            f"with used as (select subscriber_id, {d} - max(day) as idle, {', '.join(sums)}"
            f" from usage where day <= {d} and day > {d} - 120 group by all),"
            " line as (select subscriber_id, arg_max(payment_mode, dt) = 'PREPAID' as is_prepaid,"
            f" {d} - arg_max(activated_on, dt) as tenure, arg_max(status, dt) as status,"
            f" {d} - arg_max(status_on, dt) as status_days from lines where dt <= {d} group by all),"
            f" paid as (select subscriber_id, {d} - max(day) as paid_days,"
            f" sum(cny) filter (day > {d} - 30) as paid_30, sum(cny) as paid_90 from payments"
            f" where day <= {d} and day > {d} - 90 group by all), {', '.join(counts)}"
            " select line.*, used.* exclude (subscriber_id), paid.* exclude (subscriber_id),"
            f" balance, valid_until - {d} as valid_days, ends_on - {d} as contract_days,"
            + "".join(f" {table}_now.* exclude (subscriber_id)," for table, *_ in counted)
            + f" coalesce(left_on - {d} between {LEAD + 1} and {LEAD + HORIZON}, false)"
            " and coalesce(exit in ('PORT_OUT', 'CLOSED', 'SILENT', 'UNPAID'), false) as leaves,"
            f" (leaves_within_{LEAD + HORIZON}_days - leaves_within_{LEAD}_days)"
            f" / greatest(1e-9, 1 - leaves_within_{LEAD}_days) as chance"
            " from line join chances using (subscriber_id)"
            " left join used using (subscriber_id) left join paid using (subscriber_id)"
            f" left join balances on balances.subscriber_id = line.subscriber_id and dt = {d}"
            " left join contracts on contracts.subscriber_id = line.subscriber_id"
            + "".join(
                f" left join {table}_now on {table}_now.subscriber_id = line.subscriber_id"
                for table, *_ in counted
            )
            + " left join exits on exits.subscriber_id = line.subscriber_id"
            f" where as_of_date = {d} and status in ('ACTIVE', 'ONE_WAY_SUSPENDED')"
            f" and (not is_prepaid or idle < 14) and coalesce(left_on - {d} > {LEAD}, true)"
        ).df()
        for measure in ("vo", "vi", "mb"):
            usual = frame[f"{measure}_before_30"] + 1e-3
            for window in WINDOWS:
                frame[f"{measure}_ratio_{window}"] = frame[f"{measure}_{window}"] / usual
        return frame

    def rates(self, recharge_days: int) -> pd.DataFrame:
        """Percent of those alive at each month end who are gone within the next month."""
        voluntary = ", ".join(f"'{kind}'" for kind in VOLUNTARY)
        return self.sql.execute(
            "with mode as (select subscriber_id, arg_max(payment_mode, dt) as payment_mode from lines"
            " group by all), topups as (select subscriber_id, list(day) as days from payments"
            " where payment_kind = 'TOPUP' group by all), alive as (select subscriber_id, as_of_date,"
            " payment_mode, left_on <= last_day(as_of_date + 1) as leaves, exit, exits.cause,"
            " coalesce(as_of_date - list_max(list_filter(days, lambda x: x <= as_of_date)), 9999)"
            " as recharged, coalesce(last_day(as_of_date + 1)"
            " - list_max(list_filter(days, lambda x: x <= last_day(as_of_date + 1))), 9999)"
            " as recharged_later from chances join mode using (subscriber_id)"
            " left join exits using (subscriber_id) left join topups using (subscriber_id))"
            " select as_of_date as month_end, payment_mode, count(*) as alive,"
            f" 100 * avg((coalesce(leaves, false) and exit in ({voluntary})"
            " and cause is distinct from 'LIFE_EVENT')::int) as voluntary_percent,"
            f" 100 * avg((recharged_later > {recharge_days})::int)"
            f" filter (payment_mode = 'PREPAID' and recharged <= {recharge_days})"
            " as recharge_based_percent from alive group by all order by all"
        ).df()


def main() -> None:
    """Print rates and both AUCs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--train", type=int, default=3, help="month ends to learn from")
    parser.add_argument("--recharge-days", type=int, default=60)
    arguments = parser.parse_args()
    feeds = Feeds(arguments.home)
    ends = feeds.month_ends()
    first = ends[0] + timedelta(days=55)  # the windows of 60 days are full from then on
    usable = [day for day in ends if day >= first]
    if len(usable) < arguments.train + 1:
        raise SystemExit(f"{arguments.home} has too few months: simulate longer")
    rates = feeds.rates(arguments.recharge_days)
    rates = rates[
        (rates.month_end >= pd.Timestamp(first)) & (rates.month_end < pd.Timestamp(ends[-1]))
    ]
    print(rates.to_string(index=False, float_format="%.2f"))
    learn = pd.concat([feeds.as_of(day) for day in usable[-arguments.train - 1 : -1]])
    test = feeds.as_of(usable[-1])
    for frame in (learn, test):
        frame["status"] = (frame["status"] == "ACTIVE").astype(int)
    features = [c for c in learn if c not in ("subscriber_id", "leaves", "chance")]
    model = HistGradientBoostingClassifier(
        max_iter=250,
        learning_rate=0.05,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=2,
        random_state=0,
    ).fit(learn[features], learn["leaves"])
    score = model.predict_proba(test[features])[:, 1]
    found = {
        "tested_on": str(usable[-1]),
        "lines": len(test),
        "share_leaving": round(float(test["leaves"].mean()), 4),
        "auc": round(float(roc_auc_score(test["leaves"], score)), 4),
        "auc_all_knowing": round(float(roc_auc_score(test["leaves"], test["chance"])), 4),
    }
    for name, flags in (("prepaid", test["is_prepaid"]), ("postpaid", ~test["is_prepaid"])):
        found[f"auc_{name}"] = round(
            float(roc_auc_score(test["leaves"][flags], score[flags.to_numpy()])), 4
        )
    for name, value in found.items():
        print(f"{name:>16}  {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
