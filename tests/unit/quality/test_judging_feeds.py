"""A feed's days in the lake against its suite: what is there, what is missing, what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from quality_batches import DAY

from orchestration.contracts import Feed
from orchestration.lake import Lake
from orchestration.landing.receipts import Receipt, write_receipt
from orchestration.quality import Verdict, judge_feed

BEFORE = DAY - timedelta(days=1)
ROWS = [{"interaction_id": name, "subscriber_id": "s"} for name in ("i", "j")]
Put = Callable[..., None]


def _failed(verdicts: list[Verdict]) -> dict[str, str]:
    return {verdict.name: verdict.message for verdict in verdicts if not verdict.passed}


def test_good_days_pass_together(feeds: Mapping[str, Feed], lake: Lake, put: Put) -> None:
    feed = feeds["care_interactions"]
    put(feed, ROWS, BEFORE)
    put(feed, ROWS)
    verdicts = judge_feed(feed, [BEFORE, DAY], lake)
    assert _failed(verdicts) == {}
    assert {verdict.message for verdict in verdicts} == {"nothing unexpected"}


def test_rows_that_the_receipt_does_not_know(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    put(feed, ROWS, BEFORE)
    put(feed, ROWS, kept=3)
    assert _failed(judge_feed(feed, [BEFORE, DAY], lake)) == {
        "row_count_matches_receipt": "1 unexpected: dt 2025-01-31, rows 2"
    }


def test_a_day_without_a_receipt_is_not_passed(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    put(feed, ROWS)
    assert _failed(judge_feed(feed, [BEFORE, DAY], lake)) == {
        "row_count_matches_receipt": "1 unexpected: dt 2025-01-30, rows 0"
    }
    assert _failed(judge_feed(feed, [BEFORE], lake)).keys() == {"row_count_matches_receipt"}


def test_an_empty_batch_does_not_pass_by_accident(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    put(feed, [], kept=2)
    verdicts = judge_feed(feed, [DAY], lake)
    assert _failed(verdicts).keys() == {"row_count_matches_receipt"}
    lake.raw(feed.name, DAY).unlink()
    assert _failed(judge_feed(feed, [DAY], lake)).keys() == {"row_count_matches_receipt"}


def test_a_header_only_file_has_nothing_to_judge(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    put(feed, [])
    verdicts = {verdict.name: verdict for verdict in judge_feed(feed, [DAY], lake)}
    assert all(verdict.passed for verdict in verdicts.values())
    assert verdicts["key_is_unique"].message == "no rows to judge"


def test_a_day_on_which_nothing_arrived_has_nothing_to_judge(
    feeds: Mapping[str, Feed], lake: Lake
) -> None:
    """Written as landing writes it: a receipt of no file, and no partition."""
    feed = feeds["care_interactions"]
    write_receipt(lake, Receipt(feed.name, DAY))
    verdicts = judge_feed(feed, [DAY], lake)
    assert _failed(verdicts) == {}
    assert {verdict.message for verdict in verdicts} == {"no rows to judge", "nothing unexpected"}


def test_columns_that_differ_from_the_contract_leave_the_rest_unjudged(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    columns = {name: kind for name, kind in feed.raw_columns.items() if name != "outcome"}
    put(feed, ROWS, columns={**columns, "duration_seconds": "integer", "extra": "varchar"})
    verdicts = {verdict.name: verdict for verdict in judge_feed(feed, [DAY], lake)}
    assert not any(verdict.passed for verdict in verdicts.values())
    assert verdicts["columns_match_contract"].unexpected_rows == 3
    assert set(verdicts["columns_match_contract"].observed) == {
        "column_name duration_seconds",
        "column_name extra",
        "column_name outcome",
    }
    assert verdicts["key_is_unique"].unexpected_rows is None
    assert verdicts["key_is_unique"].message == ("not judged: the columns differ from the contract")


def test_missing_columns_of_the_receipt_are_respected(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["crm_consents"]
    row = {
        "subscriber_id": "s",
        "message_class": "MARKETING",
        "channel": "SMS",
        "changed_at": f"{BEFORE} 10:00:00",
        "is_granted": True,
    }
    put(feed, [row], BEFORE, missing_columns=["proof_ref"])
    put(feed, [row])
    assert _failed(judge_feed(feed, [BEFORE, DAY], lake)) == {
        "granted_has_proof": (
            "1 unexpected: dt 2025-01-31, source_file crm_consents.csv, source_line 2"
        )
    }


def test_judging_leaves_nothing_in_the_workspace(
    feeds: Mapping[str, Feed], lake: Lake, put: Put
) -> None:
    feed = feeds["care_interactions"]
    put(feed, ROWS)
    judge_feed(feed, [DAY], lake)
    assert list(lake.workspace.iterdir()) == []
