"""The simulator's prepaid lines against a real prepaid panel.

`python benchmarks/realism.py LANDING PANEL_DIR [--plot FILE.svg]`

LANDING: landing files of `retention simulate`, at least three full months, and for the part about
leavers a month and 60 days more. PANEL_DIR: the folder with the two Exacaster files (see
`docs/real-data.md`). How to read the result: `docs/simulator-realism.md`.

Here: both panels by plain SQL on the files, brought to the same columns and the same choice of
lines. Not here: the distances (`realism_distances.py`), drawing (`realism_plot.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.realism_distances import (
    Floats,
    gini,
    kolmogorov_smirnov,
    log_shape,
    separation,
    spearman,
    to_median,
    wasserstein,
)
from benchmarks.realism_plot import Curve, draw

MONTHS = 3
# Everybody in the real panel did something in the last ten days of its last month.
DAYS_OF_LAST_ACTION = 10
# Longer than any month without the action; what comes before the files is not known.
MOST_QUIET_DAYS = 31
# Without any sign of life for so long after the month: left in that month.
SILENT_DAYS = 60
MOST_TOPUPS_SHOWN = 4


@dataclass(frozen=True)
class Measure:
    """A column of both panels. `is_scaled`: its unit differs, so only the shape is compared;
    `is_target`: the real panel says something about a prepaid line of today."""

    name: str
    title: str
    is_scaled: bool = True
    is_target: bool = True

    @property
    def counts_zeros(self) -> bool:
        return self.is_target and self.is_scaled


MEASURES = (
    Measure("calls_out", "Outgoing calls"),
    Measure("voice_out_minutes", "Outgoing minutes"),
    Measure("sms_out", "Messages sent"),
    Measure("data_mb", "Data MB", is_target=False),  # 5% of prepaid lines used data in 2013
    Measure("topup_count", "Top-ups"),
    Measure("topup_sum", "Sum of top-ups"),
    Measure("balance_end", "Balance at the end"),
    Measure("charged", "Charged", is_target=False),  # by use alone there, mostly plan fees here
    Measure("days_since_call", "Days since call or message", is_scaled=False),
    Measure("days_since_topup", "Days since top-up", is_scaled=False),
    Measure("offnet_share", "Off-net share of minutes", is_scaled=False, is_target=False),
)
CORRELATED = (
    "calls_out",
    "voice_out_minutes",
    "sms_out",
    "data_mb",
    "topup_count",
    "topup_sum",
    "balance_end",
    "days_since_call",
)

REAL_SQL = f"""
with usage as (
    select *, year * 12 + month as month_no,
        max(year * 12 + month) over () as last_month
    from read_csv('{{folder}}/customer_usage.csv')
)
select
    user_account_id::varchar as line,
    (month_no - last_month + {MONTHS})::int as month,
    calls_outgoing_count as calls_out,
    calls_outgoing_duration as voice_out_minutes,
    sms_outgoing_count as sms_out,
    gprs_usage as data_mb,
    reloads_count as topup_count,
    case when reloads_sum >= 0 then reloads_sum end as topup_sum,
    user_account_balance_last as balance_end,
    user_spendings as charged,
    -- Some months count from the last day, some from the day after.
    least(greatest(1, calls_outgoing_inactive_days), greatest(1, sms_outgoing_inactive_days),
        {MOST_QUIET_DAYS}) as days_since_call,
    least(greatest(1, reloads_inactive_days), {MOST_QUIET_DAYS}) as days_since_topup,
    calls_outgoing_to_offnet_duration / nullif(calls_outgoing_duration, 0) as offnet_share,
    churn as has_left
from usage
join (
    select user_account_id, max(churn) as churn
    from read_csv('{{folder}}/customer_churn.csv') group by all
) using (user_account_id)
"""

SIMULATED_SQL = f"""
with months as (
    select unnest([{{months}}]) as first_day, unnest(range(1, {MONTHS} + 1)) as month
),
prepaid as (
    select distinct subscriber_id from {{crm_subscribers}} where payment_mode = 'PREPAID'
),
-- The line is in the network at the end of the month.
lines as (
    select subscriber_id, month, first_day, last_day(first_day) as last_day,
        balance_cny as balance_end
    from {{billing_balances}} join prepaid using (subscriber_id)
    join months on dt::date = last_day(first_day)
),
topups as (
    select subscriber_id, paid_at::date as day, amount_cny as amount
    from {{billing_payments}} where payment_kind = 'TOPUP'
),
actions as (
    select subscriber_id, usage_date::date as day,
        if(calls_out > 0 or sms_out > 0, 'CALL', 'DATA') as kind
    from {{usage_daily}} where calls_out > 0 or sms_out > 0 or data_mb > 0
    union all
    select subscriber_id, day, 'TOPUP' from topups
),
used as (
    select subscriber_id, month,
        sum(calls_out) as calls_out, sum(voice_out_minutes) as voice_out_minutes,
        sum(sms_out) as sms_out, sum(data_mb) as data_mb,
        sum(voice_offnet_minutes) / nullif(sum(voice_out_minutes + voice_in_minutes), 0)
            as offnet_share
    from {{usage_daily}} join months on date_trunc('month', usage_date::date) = first_day
    group by all
),
paid as (
    select subscriber_id, month, count(*) as topup_count, sum(amount) as topup_sum
    from topups join months on date_trunc('month', day) = first_day
    group by all
),
billed as (
    select subscriber_id, invoice.month as billed_month, total_cny as charged
    from {{billing_invoices}} as invoice
),
quiet as (
    select subscriber_id, month,
        min(last_day - day) as days_since_action,
        min(last_day - day) filter (kind = 'CALL') as days_since_call,
        min(last_day - day) filter (kind = 'TOPUP') as days_since_topup
    from lines join actions using (subscriber_id) where day <= last_day group by all
),
chosen as (
    select subscriber_id from quiet
    where month = {MONTHS} and days_since_action <= {DAYS_OF_LAST_ACTION}
),
later as (
    select subscriber_id, max(day) as last_action from actions group by all
)
select
    subscriber_id as line, month,
    coalesce(calls_out, 0) as calls_out,
    coalesce(voice_out_minutes, 0) as voice_out_minutes,
    coalesce(sms_out, 0) as sms_out,
    coalesce(data_mb, 0) as data_mb,
    coalesce(topup_count, 0) as topup_count,
    coalesce(topup_sum, 0) as topup_sum,
    balance_end,
    charged,
    greatest(1, least(coalesce(days_since_call, {MOST_QUIET_DAYS}), {MOST_QUIET_DAYS}))
        as days_since_call,
    greatest(1, least(coalesce(days_since_topup, {MOST_QUIET_DAYS}), {MOST_QUIET_DAYS}))
        as days_since_topup,
    offnet_share,
    case when {{is_followed}} then (last_action <= date '{{last_leaving_day}}')::int end as has_left
from lines
join chosen using (subscriber_id)
join later using (subscriber_id)
left join used using (subscriber_id, month)
left join paid using (subscriber_id, month)
left join quiet using (subscriber_id, month)
left join billed
    on billed.subscriber_id = lines.subscriber_id and billed_month = strftime(first_day, '%Y-%m')
"""


def real_panel(folder: Path) -> pd.DataFrame:
    return duckdb.connect().sql(REAL_SQL.format(folder=folder)).df()


def simulated_panel(landing: Path) -> pd.DataFrame:
    """The same columns from landing files; `has_left` is unknown if the files end too early."""
    first, last = delivered_days(landing)
    months = panel_months(first, last)
    leaving_ends = _next_month(_next_month(months[-1])) - timedelta(days=1)
    feeds = ("crm_subscribers", "billing_balances", "billing_payments", "billing_invoices")
    query = SIMULATED_SQL.format(
        months=", ".join(f"date '{month}'" for month in months),
        last_leaving_day=leaving_ends,
        is_followed=last >= leaving_ends + timedelta(days=SILENT_DAYS),
        **{feed: _rows(landing, feed) for feed in (*feeds, "usage_daily")},
    )
    return duckdb.connect().sql(query).df()


def delivered_days(landing: Path) -> tuple[date, date]:
    days = sorted(path.stem[-8:] for path in (landing / "usage_daily").glob("usage_daily_*.*"))
    if not days:
        raise SystemExit(f"{landing}: no usage_daily files")
    return date.fromisoformat(days[0]), date.fromisoformat(days[-1])


def panel_months(first: date, last: date) -> Sequence[date]:
    """The newest three full months after which leavers can be told; else the newest three."""
    full = []
    month = first if first.day == 1 else _next_month(first)
    while _next_month(month) <= last + timedelta(days=1):
        full.append(month)
        month = _next_month(month)
    if len(full) < MONTHS:
        raise SystemExit(f"{first} to {last}: {MONTHS} full months are needed")
    followed = [
        at
        for at in range(MONTHS, len(full))
        if _next_month(full[at]) - timedelta(days=1) + timedelta(days=SILENT_DAYS) <= last
    ]
    end = followed[-1] if followed else len(full)
    return full[end - MONTHS : end]


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _rows(landing: Path, feed: str) -> str:
    folder = landing / feed
    if any(folder.glob("*.parquet")):
        files = f"read_parquet('{folder}/{feed}_*.parquet', filename = true)"
    else:
        files = f"read_csv('{folder}/{feed}_*.csv', filename = true, union_by_name = true)"
    stamp = r"strptime(regexp_extract(filename, '_(\d{8})\.', 1), '%Y%m%d')::date"
    return f"(select * exclude (filename), {stamp} as dt from {files})"


def compare(real: pd.DataFrame, simulated: pd.DataFrame) -> dict[str, Any]:
    """All that is printed, as plain numbers."""
    measures = {m.name: compare_measure(m, real, simulated) for m in MEASURES}
    targets = [measures[m.name] for m in MEASURES if m.is_target]
    pairs = {
        f"{a}~{b}": (spearman(_of(real, a), _of(real, b)), _pair(simulated, a, b))
        for a, b in combinations(CORRELATED, 2)
    }
    return {
        "rows": {"real": len(real), "simulated": len(simulated)},
        "targets": {
            "ks": _mean([m["ks"] for m in targets]),
            "wasserstein": _mean([m["wasserstein"] for m in targets]),
            "zero": _mean_gap([measures[m.name]["zero"] for m in MEASURES if m.counts_zeros]),
            "month_to_month": _mean_gap([m["month_to_month"] for m in targets]),
            "rank_correlations": _mean_gap(pairs.values()),
        },
        "measures": measures,
        "topups_a_month": {
            "real": _topup_shares(real),
            "simulated": _topup_shares(simulated),
        },
        "rank_correlations": {
            pair: (round(r, 3), round(s, 3)) for pair, (r, s) in sorted(pairs.items())
        },
        "before_leaving": {
            "real": before_leaving(real),
            "simulated": before_leaving(simulated),
        },
    }


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)


def _mean_gap(pairs: Iterable[tuple[float, float]]) -> float:
    return _mean(abs(real - simulated) for real, simulated in pairs)


def _pair(panel: pd.DataFrame, a: str, b: str) -> float:
    return spearman(_of(panel, a), _of(panel, b))


def _of(panel: pd.DataFrame, name: str) -> Floats:
    return panel[name].to_numpy(dtype=np.float64, na_value=np.nan)


def compare_measure(
    measure: Measure, real: pd.DataFrame, simulated: pd.DataFrame
) -> dict[str, Any]:
    """Distances of one measure, and pairs (real, simulated) of what describes it."""
    both = [_known(panel, measure.name) for panel in (real, simulated)]
    shapes = [shape(measure, values) for values in both]
    positive = [values[values > 0] for values in both]

    def pair(values: Sequence[float]) -> tuple[float | None, float | None]:
        real, simulated = (None if np.isnan(value) else round(value, 3) for value in values)
        return real, simulated

    return {
        "ks": round(kolmogorov_smirnov(*shapes), 3),
        # Days are compared in months, so that a distance means about as much as a logarithm's.
        "wasserstein": round(
            wasserstein(*shapes) / (MOST_QUIET_DAYS if measure.name.startswith("days") else 1), 3
        ),
        "zero": pair([float((values <= 0).mean()) for values in both]),
        "zero_again": pair([zero_again(panel, measure.name) for panel in (real, simulated)]),
        "gini": pair([gini(values) for values in positive]),
        "p10_to_median": pair([to_median(values, 0.10) for values in both]),
        "p90_to_median": pair([to_median(values, 0.90) for values in both]),
        "p99_to_median": pair([to_median(values, 0.99) for values in both]),
        "month_to_month": pair(
            [month_to_month(panel, measure.name) for panel in (real, simulated)]
        ),
    }


def _known(panel: pd.DataFrame, name: str) -> Floats:
    values = _of(panel, name)
    return values[~np.isnan(values)]


def shape(measure: Measure, values: Floats) -> Floats:
    """What of a measure is compared: its logarithm after scaling, or the values as they are."""
    return log_shape(values) if measure.is_scaled else np.sort(values)


def consecutive(panel: pd.DataFrame, name: str) -> tuple[Floats, Floats]:
    """A measure of the same lines in two months that follow on."""
    before = panel[["line", "month", name]]
    after = before.assign(month=before["month"] - 1)
    both = before.merge(after, on=["line", "month"], suffixes=("_before", "_after"))
    return _of(both, f"{name}_before"), _of(both, f"{name}_after")


def month_to_month(panel: pd.DataFrame, name: str) -> float:
    return spearman(*consecutive(panel, name))


def zero_again(panel: pd.DataFrame, name: str) -> float:
    """Share of zeros after a zero."""
    before, after = consecutive(panel, name)
    return float((after[before <= 0] <= 0).mean()) if (before <= 0).any() else float("nan")


def _topup_shares(panel: pd.DataFrame) -> Mapping[str, float]:
    counts = np.minimum(_of(panel, "topup_count"), MOST_TOPUPS_SHOWN)
    names = [*map(str, range(MOST_TOPUPS_SHOWN)), f"{MOST_TOPUPS_SHOWN}+"]
    return {name: round(float((counts == n).mean()), 3) for n, name in enumerate(names)}


def before_leaving(panel: pd.DataFrame) -> Mapping[str, object] | None:
    """Minutes of the last month to the mean of the two before, of who leaves the month after and who
    stays; lines with all three months. None: the files end too early to tell, or nobody left."""
    wide = panel.pivot(index="line", columns="month", values="voice_out_minutes").dropna()
    left = panel.dropna(subset=["has_left"]).groupby("line")["has_left"].max()
    wide = wide.join(left, how="inner")
    if wide["has_left"].nunique() < 2:
        return None
    before = (wide[1] + wide[2]).to_numpy(dtype=np.float64) / 2
    last = wide[3].to_numpy(dtype=np.float64)
    has_left = wide["has_left"].to_numpy(dtype=bool)
    caller = before > 0
    ratio = np.divide(last, before, out=np.zeros_like(last), where=caller)

    def described(chosen: np.ndarray) -> Mapping[str, object]:
        return {
            "lines": int(chosen.sum()),
            "no_minutes_last": round(float((last[chosen] == 0).mean()), 3),
            "no_minutes_before": round(float((~caller[chosen]).mean()), 3),
            "ratio_quartiles": [
                round(float(q), 3) for q in np.quantile(ratio[chosen & caller], (0.25, 0.5, 0.75))
            ],
        }

    return {
        "left": described(has_left),
        "stayed": described(~has_left),
        "share_left": round(float(has_left.mean()), 4),
        "separation_by_ratio": round(
            separation(-ratio[has_left & caller], -ratio[~has_left & caller]), 3
        ),
        "separation_by_level": round(separation(-last[has_left], -last[~has_left]), 3),
    }


def report(result: Mapping[str, Any]) -> str:
    """Tables for people."""
    measures = result["measures"]
    titles = {m.name: m.title + ("" if m.is_target else " *") for m in MEASURES}
    described = ("zero", "zero_again", "gini", "p10_to_median", "p90_to_median", "p99_to_median")
    rows = [
        [titles[name], values["ks"], values["wasserstein"]]
        + [_both(values[key]) for key in (*described, "month_to_month")]
        for name, values in measures.items()
    ]
    head = ["measure", "KS", "W1", "zero", "zero again", "Gini", "p10/p50", "p90/p50", "p99/p50"]
    parts = [
        "Pairs are real / simulated; * does not count as a target.",
        tabulate(rows, [*head, "month to month"]),
        "Top-ups a month: " + json.dumps(result["topups_a_month"]),
        "Before leaving: " + json.dumps(result["before_leaving"], indent=1),
        "Means over the targets: " + json.dumps(result["targets"]),
    ]
    return "\n\n".join(parts)


def _both(pair: tuple[float | None, float | None]) -> str:
    return " / ".join("–" if value is None else f"{value:.2f}" for value in pair)


def curves(real: pd.DataFrame, simulated: pd.DataFrame) -> Sequence[Curve]:
    """Quantile curves of every measure, for the plot."""
    return [
        Curve(
            title=measure.title,
            is_log=measure.is_scaled,
            real=shape(measure, _known(real, measure.name)),
            simulated=shape(measure, _known(simulated, measure.name)),
            zeros=(
                float((_known(real, measure.name) <= 0).mean()),
                float((_known(simulated, measure.name) <= 0).mean()),
            )
            if measure.is_scaled
            else None,
        )
        for measure in MEASURES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("landing", type=Path)
    parser.add_argument("panel", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    real, simulated = real_panel(arguments.panel), simulated_panel(arguments.landing)
    result = compare(real, simulated)
    print(report(result))
    print(json.dumps(result))
    if arguments.plot is not None:
        arguments.plot.write_text(draw(curves(real, simulated)), encoding="utf-8")


if __name__ == "__main__":
    main()
