"""Verdicts as asset checks: one an expectation, a critical one blocks what is downstream."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from expectations.expectation import rows_where
from orchestration.quality import Verdict, check_results, check_specs

KEY = dg.AssetKey(["raw", "care_interactions"])
SUITE = [
    rows_where("a > 1", name="hard", severity="critical", description="Hard.", description_zh="硬"),
    rows_where("b > 1", name="soft", severity="warning", description="Soft.", description_zh="软"),
]


def _verdict(name: str, severity: str, unexpected_rows: int | None) -> Verdict:
    observed = ("dt 2025-01-31, source_line 2",) if unexpected_rows else ()
    passed = unexpected_rows == 0
    return Verdict(name, severity, passed, unexpected_rows, observed, "m")  # type: ignore[arg-type]


def _run(hard: int | None, soft: int | None) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    ran: list[str] = []

    @dg.asset(key=KEY, check_specs=check_specs(KEY, SUITE))
    def feed() -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
        yield dg.Output(None)
        yield from check_results(
            KEY, [_verdict("hard", "critical", hard), _verdict("soft", "warning", soft)]
        )

    @dg.asset(deps=[KEY])
    def downstream() -> None:
        ran.append("downstream")

    result = dg.materialize(
        [feed, downstream], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )
    return result, ran


def test_specs_say_what_and_how_hard() -> None:
    hard, soft = check_specs(KEY, SUITE)
    assert (hard.name, hard.blocking, soft.name, soft.blocking) == ("hard", True, "soft", False)
    assert hard.asset_key == KEY
    assert hard.description == "Hard. 硬"
    assert "SELECT dt, source_file, source_line FROM batch WHERE a > 1" in str(hard.metadata["sql"])


@pytest.mark.parametrize(
    ("hard", "soft", "goes_on"), [(0, 0, True), (0, 5, True), (1, 0, False), (None, 0, False)]
)
def test_only_a_critical_failure_stops_the_run(
    hard: int | None, soft: int | None, goes_on: bool
) -> None:
    result, ran = _run(hard, soft)
    assert result.success is goes_on
    assert ran == (["downstream"] if goes_on else [])


def test_results_carry_counts_and_places() -> None:
    hard, soft = check_results(
        KEY, [_verdict("hard", "critical", 3), _verdict("soft", "warning", None)]
    )
    assert (hard.severity, soft.severity) == (
        dg.AssetCheckSeverity.ERROR,
        dg.AssetCheckSeverity.WARN,
    )
    assert hard.metadata["unexpected_rows"] == dg.IntMetadataValue(3)
    assert hard.metadata["observed"] == dg.TextMetadataValue("dt 2025-01-31, source_line 2")
    assert dict(soft.metadata) == {}
    assert (hard.check_name, hard.asset_key, hard.description) == ("hard", KEY, "m")
