"""Great Expectations counts what SQL counts, and says so when it can't count."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from quality_batches import DAY, by_hand, feed_batch

from expectations.expectation import Expectation, rows_where
from expectations.feeds import feed_suite
from orchestration import quality
from orchestration.contracts import Feed
from orchestration.quality import SuiteError, judge, numbered, parquet

VALUES = numbered(
    pa.table(
        {
            "code": ["A{9}", "b:name", "50%", "it's", "\\d", None],
            "share": [0.1, float("nan"), 0.3, None, -1.0, 2.0],
        }
    ),
    DAY,
)


def _rows(violated: str, name: str = "holds", severity: str = "critical") -> Expectation:
    return rows_where(
        violated,
        name=name,
        severity=severity,  # type: ignore[arg-type]
        description="It holds.",
        description_zh="成立",
        place="dt, row_number",
    )


def test_counts_equal_hand_sql(feeds: Mapping[str, Feed], tmp_path: Path) -> None:
    """Every expectation of every feed, on random rows with faults of every kind."""
    random = np.random.default_rng(7)
    refuted = 0
    for feed in feeds.values():
        relations = feed_batch(feed, _random_rows(feed, random, 60))
        suite = feed_suite(feed)
        verdicts = judge(suite, relations, tmp_path)
        counts = {verdict.name: verdict.unexpected_rows for verdict in verdicts}
        assert counts == by_hand(suite, relations), feed.name
        assert all(verdict.passed == (counts[verdict.name] == 0) for verdict in verdicts)
        refuted += sum(not verdict.passed for verdict in verdicts)
    assert refuted > 3 * len(feeds)


def _random_rows(feed: Feed, random: np.random.Generator, rows: int) -> list[dict[str, object]]:
    codes = {column.name: sorted(column.codes) for column in feed.columns}

    def value(name: str, kind: str) -> object:
        if random.random() < 0.2:
            return None
        number = int(random.integers(-3, 40))
        if kind == "varchar":
            return str(random.choice([*codes.get(name, []), "X1", "12345678"]))
        if kind == "boolean":
            return bool(number % 2)
        if kind in {"date", "timestamp"}:
            hour = f" {abs(number) % 24:02}:00:00" if kind == "timestamp" else ""
            return f"2025-01-{28 + abs(number) % 4}{hour}"
        return number

    kinds = {
        name: kind
        for name, kind in feed.raw_columns.items()
        if name not in {"source_file", "source_line"}
    }
    return [{name: value(name, kind) for name, kind in kinds.items()} for _ in range(rows)]


@pytest.mark.parametrize(
    ("violated", "unexpected"),
    [
        ("regexp_full_match(code, '[A-Z]\\{[0-9]{1}\\}')", 1),
        ("code = 'b:name'", 1),
        ("code LIKE '%:name'", 1),
        ("code LIKE '50\\%' ESCAPE '\\'", 1),
        ("code = 'it''s'", 1),
        ("code::VARCHAR = '\\d'", 1),
        ("row_number % 2 = 0", 3),
        ("dt = DATE '2025-01-31' AND TIMESTAMP '2025-01-01 00:00:00' < dt", 6),
        ("isnan(share)", 1),
        ("code IS NULL", 1),
        ("NOT (share > 0 AND share < 1)", 3),
    ],
)
def test_sql_arrives_unchanged(violated: str, unexpected: int, tmp_path: Path) -> None:
    """Braces, colons, percent signs, quotes and backslashes mean what they mean in DuckDB."""
    (verdict,) = judge([_rows(violated)], {"batch": VALUES}, tmp_path)
    assert verdict.unexpected_rows == unexpected
    assert by_hand([_rows(violated)], {"batch": VALUES}) == {"holds": unexpected}


def test_verdicts_keep_the_order_and_severity_of_the_suite(tmp_path: Path) -> None:
    suite = [_rows("share > 1", "b", "warning"), _rows("false", "a"), _rows("true", "c")]
    verdicts = judge(suite, {"batch": VALUES}, tmp_path)
    assert [(each.name, each.severity, each.passed) for each in verdicts] == [
        ("b", "warning", False),
        ("a", "critical", True),
        ("c", "critical", False),
    ]


def test_sample_is_the_first_rows_and_says_that_there_are_more(tmp_path: Path) -> None:
    many = numbered(pa.table({"value": np.arange(5_000)}), DAY)
    (verdict,) = judge([_rows("value >= 100")], {"batch": many}, tmp_path)
    assert verdict.unexpected_rows == 4_900
    assert verdict.observed == tuple(f"dt 2025-01-31, row_number {row}" for row in (101, 102, 103))
    assert verdict.message == "4900 unexpected: " + "; ".join(verdict.observed) + "; …"


def test_parquet_files_are_read_with_their_day_and_row_numbers(tmp_path: Path) -> None:
    paths = []
    for day in (30, 31):
        path = tmp_path / "it's" / f"dt=2025-01-{day}" / "part.parquet"
        path.parent.mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.from_arrow(pa.table({"value": [day, 0]})).write_parquet(str(path))
        paths.append(path)
    (verdict,) = judge([_rows("value > 0")], {"batch": parquet(paths)}, tmp_path)
    assert verdict.observed == ("dt 2025-01-30, row_number 1", "dt 2025-01-31, row_number 1")


def test_no_parquet_file_is_no_batch() -> None:
    with pytest.raises(ValueError, match="no Parquet file"):
        parquet([])


def test_an_error_of_the_tool_is_not_a_failure_of_the_data(tmp_path: Path) -> None:
    suite = [_rows("share > 1", "sane"), _rows("no_such_column > 1", "broken")]
    with pytest.raises(SuiteError, match=r"^broken: Binder Error: .*no_such_column"):
        judge(suite, {"batch": VALUES}, tmp_path)
    (after,) = judge([_rows("share > 1")], {"batch": VALUES}, tmp_path)
    assert after.unexpected_rows == 2  # NaN is larger than 1, too


def test_an_error_does_not_quote_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SuiteError, match=r"^holds: Conversion Error$") as raised:
        judge([_rows("CAST(code AS INTEGER) > 1")], {"batch": VALUES}, tmp_path)
    told = "".join(capfd.readouterr()) + caplog.text + repr(raised.value)
    assert "b:name" not in told
    assert "A{9}" not in told


def test_a_missing_relation_is_an_error_of_the_tool(tmp_path: Path) -> None:
    suite = [_rows("code IN (SELECT code FROM codes)")]
    with pytest.raises(SuiteError, match=r"Catalog Error: .*codes"):
        judge(suite, {"batch": VALUES}, tmp_path)


def test_an_unreadable_file_is_an_error_of_the_tool(tmp_path: Path) -> None:
    path = tmp_path / "dt=2025-01-31" / "part.parquet"
    path.parent.mkdir()
    path.write_bytes(b"not parquet")
    with pytest.raises(SuiteError):
        judge([_rows("true")], {"batch": parquet([path])}, tmp_path)


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "Binder Error: it"},
        {"('metric', '1')": {"raised_exception": True, "exception_message": "Binder Error: it"}},
        {"a": {"b": {"raised_exception": True, "exception_message": "x Binder Error: it\ny"}}},
    ],
)
def test_an_exception_is_found_however_deep_it_lies(info: dict[str, object]) -> None:
    result = SimpleNamespace(exception_info=info)
    with pytest.raises(SuiteError, match=r"^holds: Binder Error: it$"):
        quality._raise_tool_errors([_rows("true")], {"holds": result})


def test_an_expectation_without_a_result_is_an_error_of_the_tool() -> None:
    with pytest.raises(SuiteError, match=r"^holds: no result$"):
        quality._raise_tool_errors([_rows("true")], {})


def test_judging_writes_no_file_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """No project folder, no data docs, no usage statistics, no progress bar."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    quality._context.cache_clear()
    judge([_rows("true")], {"batch": VALUES}, tmp_path / "workspace")
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    assert capfd.readouterr() == ("", "")
    assert quality._context().config.analytics_enabled is False
