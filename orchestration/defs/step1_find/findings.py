"""What a person sees of the findings of a day, and the checks beside them.

Here: counts of signals by branch, what could not be evaluated, drift of indicators, and the month's
screen of them. Not here: rules (dbt) and statistics (`retention/screening.py`, `retention/drift.py`).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pandas as pd

from orchestration.installation import Installation
from orchestration.partitions import days_of, last_day_before, month_of
from orchestration.retention import drift, screening

OWNERS = ["team:retention-analytics"]
REPORT_KEY = dg.AssetKey(["step1_find", "signal_report"])
DRIFT_KEY = dg.AssetKey(["step1_find", "indicator_drift"])
SCREEN_KEY = dg.AssetKey(["step1_find", "indicator_screen"])
INDICATORS_KEY = dg.AssetKey(["step1_find", "subscriber_indicators"])

# Shares and ranks of so many lines are as good as of all.
SAMPLE_LINES = 100_000
# Rows of a table that a person reads in the UI, and branches side by side in one.
SHOWN_ROWS = 40
SHOWN_BRANCHES = 12

COVERAGE_SQL = """
select
    signal,
    sum(evaluated)::bigint as evaluated,
    sum(fired)::bigint as fired,
    sum(unknown)::bigint as unknown,
    round(sum(unknown) / nullif(sum(evaluated) + sum(unknown), 0), 4) as unknown_share,
    max(missing_feeds) as missing_feeds
from step1_find.signal_coverage
where as_of_date = $day
group by signal
order by unknown_share desc, signal
"""
BRANCHES_SQL = """
select org_id, signal, fired
from step1_find.signal_coverage
where as_of_date = $day and fired > 0
order by org_id, signal
"""
DAYS_SQL = """
select as_of_date, count(*) as signals, count(distinct subscriber_id) as subscribers,
    count(*) filter (where is_new) as new_signals
from step1_find.signals
where as_of_date between $day - 30 and $day
group by as_of_date
order by as_of_date desc
"""
PERIODS_SQL = """
select churn_period, count(*) as subscribers
from step1_find.churn_periods
where as_of_date = $day
group by churn_period
order by churn_period
"""
SAMPLE_SQL = f"""
select * exclude (subscriber_id, as_of_date)
from step1_find.subscriber_indicators
where as_of_date = $day
order by hash(subscriber_id), subscriber_id
limit {SAMPLE_LINES}
"""
LIMITS_SQL = """
select parameter, cast(value as double) as value from policy.signal_parameters
where parameter like 'screen_%' or parameter = 'drift_max_psi'
"""


def findings_assets(installation: Installation) -> list[dg.AssetsDefinition]:
    """The day's report and drift, the month's screen (O01–O41, D07, D08)."""
    return [
        signal_report_asset(installation),
        indicator_drift_asset(installation),
        indicator_screen_asset(installation),
    ]


def signal_report_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=REPORT_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[
            ["step1_find", "signals"],
            ["step1_find", "signal_coverage"],
            ["step1_find", "churn_periods"],
        ],
        owners=OWNERS,
        kinds={"python"},
        check_specs=[
            dg.AssetCheckSpec(
                "every_signal_could_be_evaluated",
                asset=REPORT_KEY,
                description="No feed that a signal needs is missing; where one is, the share of lines "
                "of which the signal is unknown.",
            )
        ],
        description="Signals of the day by kind, branch and day, periods, and what could not be "
        "evaluated. 信号日报",
    )
    def signal_report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (day,) = days_of(context)
        coverage, branches, days, periods = (
            installation.warehouse.table(sql, {"day": day}).to_pandas()
            for sql in (COVERAGE_SQL, BRANCHES_SQL, DAYS_SQL, PERIODS_SQL)
        )
        lacking = coverage[coverage["missing_feeds"].notna()]
        feeds = sorted({feed for text in lacking["missing_feeds"] for feed in text.split(";")})
        unknown, evaluated = coverage["unknown"].sum(), coverage["evaluated"].sum()
        yield dg.MaterializeResult(
            metadata={
                "by_signal": markdown(coverage),
                "by_branch": markdown(by_branch(branches)),
                "by_day": markdown(days),
                "by_period": markdown(periods),
                # Numbers are plotted over days.
                "signals": int(coverage["fired"].sum()),
                "unknown_share": float(unknown / max(unknown + evaluated, 1)),
                **{
                    f"lines in {period}": int(lines)
                    for period, lines in periods.itertuples(index=False)
                },
                **{
                    f"lines with {signal}": int(fired)
                    for signal, fired in sorted(
                        zip(coverage["signal"], coverage["fired"], strict=True)
                    )
                },
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=REPORT_KEY,
                    check_name="every_signal_could_be_evaluated",
                    passed=lacking.empty,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"missing, wholly or on days: {', '.join(feeds)}"
                    if feeds
                    else None,
                    metadata={
                        "missing_feeds": ", ".join(feeds),
                        "unknown_share": float(unknown / max(unknown + evaluated, 1)),
                        "signals": markdown(lacking),
                    },
                )
            ],
        )

    return signal_report


def indicator_drift_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=DRIFT_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[INDICATORS_KEY],
        owners=OWNERS,
        kinds={"python", "parquet"},
        check_specs=[
            dg.AssetCheckSpec(
                "indicators_are_stable",
                asset=DRIFT_KEY,
                description="No indicator's population stability index against the month-end before "
                "is above drift_max_psi.",
            )
        ],
        description="How far each indicator has moved since the month-end before: population "
        "stability index. 指标稳定性",
    )
    def indicator_drift(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (day,) = days_of(context)
        before = last_day_before(day)
        then, now = sample(installation, before), sample(installation, day)
        found = drift.stability(then, now)
        installation.lake.write_frame(found, installation.lake.loop_day("indicator_drift", day))
        limit = limits(installation)["drift_max_psi"]
        moved = found[found["psi"] > limit]
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(found),
                "compared_with": str(before),
                "largest": markdown(found),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=DRIFT_KEY,
                    check_name="indicators_are_stable",
                    passed=moved.empty,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"no indicators as of {before} to compare with"
                    if then.empty
                    else None,
                    metadata={"moved": len(moved), "indicators": markdown(moved)},
                )
            ],
        )

    return indicator_drift


def indicator_screen_asset(installation: Installation) -> dg.AssetsDefinition:
    @dg.asset(
        key=SCREEN_KEY,
        group_name="step1_find",
        partitions_def=installation.clocks.months,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        deps=[INDICATORS_KEY],
        owners=OWNERS,
        kinds={"python", "parquet"},
        tags={"monthly": ""},
        description="Which indicators are worth keeping, by the last day before the month: usable "
        "(D07), one of each pair that says the same, factor loadings (D08), and why others go. "
        "指标筛选",
    )
    def indicator_screen(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        month = month_of(context)
        values = sample(installation, last_day_before(month))
        if values.empty:
            return dg.MaterializeResult(
                metadata={"screened": f"no indicators as of {last_day_before(month)}"}
            )
        policy = limits(installation)
        found = screening.screen(
            values,
            # The catalogue's order of views is the business order.
            list(values.columns),
            screening.ScreenLimits(
                policy["screen_max_null_share"],
                policy["screen_max_top_share"],
                policy["screen_max_correlation"],
            ),
        )
        for name, frame in {
            "indicator_screen": found.indicators,
            "indicator_correlations": found.correlations,
            "indicator_loadings": found.loadings,
        }.items():
            installation.lake.write_frame(frame, installation.lake.loop_month(name, month))
        dropped = found.indicators[~found.indicators["is_kept"]]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(found.indicators),
                "kept": int(found.indicators["is_kept"].sum()),
                "dropped": markdown(dropped, rows=len(dropped)),
                "correlations": markdown(found.correlations),
                "loadings": markdown(found.loadings),
            }
        )

    return indicator_screen


def sample(installation: Installation, day: date) -> pd.DataFrame:
    """Indicators of a fixed sample of the lines as of a day, those that are numbers or flags."""
    values = installation.warehouse.table(SAMPLE_SQL, {"day": day}).to_pandas()
    return values[
        [
            name
            for name, kind in values.dtypes.items()
            if pd.api.types.is_numeric_dtype(kind) or set(values[name].dropna()) <= {True, False}
        ]
    ]


def limits(installation: Installation) -> dict[str, float]:
    """Policy of screen and drift by parameter."""
    rows = installation.warehouse.table(LIMITS_SQL).to_pylist()
    return {row["parameter"]: row["value"] for row in rows}


def by_branch(branches: pd.DataFrame, shown: int = SHOWN_BRANCHES) -> pd.DataFrame:
    """One row a signal, one column a branch, of the branches with most signals; all in the first.

    `branches`: org_id, signal, fired. `others` is the sum over the branches that are not shown.
    """
    table = branches.pivot_table(
        index="signal", columns="org_id", values="fired", aggfunc="sum", fill_value=0
    )
    largest = table.sum().sort_values(ascending=False, kind="stable").index[:shown]
    rest = table.drop(columns=largest)
    found = table[sorted(largest)]
    found.insert(0, "all", table.sum(axis=1))
    if rest.shape[1]:
        found = found.assign(others=rest.sum(axis=1))
    return found.reset_index()


def markdown(frame: pd.DataFrame, rows: int = SHOWN_ROWS) -> dg.MarkdownMetadataValue:
    """The first rows as a table for the UI."""
    shown = frame.head(rows).astype(object).where(frame.head(rows).notna(), "–")
    text = shown.to_markdown(index=False) if len(frame) else "–"
    more = len(frame) - rows
    return dg.MetadataValue.md(f"{text}\n\n{more} more" if more > 0 else text)
