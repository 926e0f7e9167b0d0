"""What every suite owes, whatever its data are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping

import duckdb
import pytest
from quality_batches import relation

from expectations.expectation import PLACES, Expectation, rows_where
from expectations.feeds import EXTRAS, feed_suite
from expectations.lists import LIST_SUITE
from expectations.scores import score_suite
from orchestration.contracts import Feed
from orchestration.retention.lists import LIST_SCHEMA

ALWAYS = {"columns_match_contract", "row_count_matches_receipt", "key_is_complete", "key_is_unique"}


def test_declaring_does_not_import_great_expectations() -> None:
    """Great Expectations takes seconds to import; definitions load without it."""
    code = (
        "import sys, orchestration.quality, expectations.feeds, expectations.lists, "
        "expectations.scores; sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_feed_has_the_checks_of_its_contract(feeds: Mapping[str, Feed]) -> None:
    for feed in feeds.values():
        suite = {expectation.name: expectation for expectation in feed_suite(feed)}
        assert suite.keys() >= ALWAYS, feed.name
        assert all(suite[name].severity == "critical" for name in ALWAYS)
        columns = [column for column in feed.columns if not column.personal]
        assert ("codes_are_known" in suite) == any(column.codes for column in columns), feed.name
        assert ("events_not_after_release" in suite) == any(
            column.is_event_time for column in columns
        ), feed.name


def test_extras_are_of_feeds_that_exist(feeds: Mapping[str, Feed]) -> None:
    assert EXTRAS.keys() <= feeds.keys()


def test_words_are_there_in_both_languages(feeds: Mapping[str, Feed]) -> None:
    for expectation in _all_expectations(feeds):
        assert expectation.description.endswith("."), expectation
        assert any("\u4e00" <= letter <= "\u9fff" for letter in expectation.description_zh)


def test_unexpected_rows_show_places_and_no_values(feeds: Mapping[str, Feed]) -> None:
    """Every query binds on empty relations, and selects nothing but places."""
    for feed in feeds.values():
        _assert_shows_places(feed_suite(feed), {**feed.raw_columns, "dt": "date"})
    score = {
        "subscriber_id": "varchar",
        "churn_probability_near": "double",
        "churn_probability_mid": "double",
        "churn_probability_far": "double",
        "reason_1": "varchar",
        "model_month": "date",
        "model_version": "varchar",
        "dt": "date",
        "row_number": "bigint",
    }
    _assert_shows_places(score_suite(0.5), score)
    kinds = {"string": "varchar", "date32[day]": "date", "int32": "integer", "bool": "boolean"}
    listed = {field.name: kinds.get(str(field.type), str(field.type)) for field in LIST_SCHEMA}
    _assert_shows_places(LIST_SUITE, {**listed, "dt": "date", "row_number": "bigint"})


def test_a_name_that_no_check_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="name of an asset check"):
        rows_where("true", name="has space", severity="warning", description="", description_zh="")


def test_a_query_that_does_not_read_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="does not read"):
        Expectation("reads_nothing", "warning", "", "", "SELECT 1 AS rows")


def _all_expectations(feeds: Mapping[str, Feed]) -> Iterator[Expectation]:
    for feed in feeds.values():
        yield from feed_suite(feed)
    yield from score_suite(0.5)
    yield from LIST_SUITE


def _assert_shows_places(suite: tuple[Expectation, ...], batch: Mapping[str, str]) -> None:
    beside = {
        "receipts": {"dt": "date", "kept": "bigint"},
        "missing_columns": {"dt": "date", "column_name": "varchar"},
        "population": {"dt": "date", "subscriber_id": "varchar"},
        "models": {"model_version": "varchar", "reasons_from": "double"},
        "decisions": {"decision_id": "varchar", "subscriber_id": "varchar", "arm": "varchar"},
        "manifest": {"org_id": "varchar", "rows": "bigint"},
    }
    with duckdb.connect() as connection:
        for name, columns in {**beside, "batch": batch}.items():
            connection.register(name, relation(columns, []))
        for expectation in suite:
            shown = connection.sql(expectation.sql())
            assert set(shown.columns) <= PLACES, expectation.name
            assert shown.fetchall() == [], expectation.name
    names = [expectation.name for expectation in suite]
    assert len(set(names)) == len(names)
