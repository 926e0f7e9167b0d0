"""The simulator's dirt through the real door: each row ends where the truth says, no other does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.contracts import Feed
from orchestration.landing.problems import LandingError
from orchestration.landing.receipts import FileReceipt, Receipt
from orchestration.simulator import simulate
from orchestration.simulator.dirt import EXTRA_COLUMN, Soiler
from orchestration.simulator.dirt_kinds import ROW_KINDS, DirtPlan, Kind, Outcome
from tests.unit.landing.conftest import Door
from tests.unit.simulator.clean_tables import clean_tables

FIRST, LAST = date(2025, 2, 20), date(2025, 3, 11)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
SUBSCRIBERS, SEED = 300, 7
REASONS: Mapping[str, str] = {
    Kind.OPEN_QUOTE: "BROKEN_QUOTING",
    Kind.STRAY_QUOTE: "BROKEN_QUOTING",
    Kind.TOO_FEW_FIELDS: "FIELD_COUNT",
    Kind.TOO_MANY_FIELDS: "FIELD_COUNT",
    Kind.BAD_BYTES: "BAD_ENCODING",
    Kind.IMPOSSIBLE_DATE: "WRONG_TYPE",
    Kind.TEXT_IN_NUMBER: "WRONG_TYPE",
    Kind.NEGATIVE_NUMBER: "OUT_OF_RANGE",
    Kind.UNKNOWN_CODE: "UNKNOWN_CODE",
    Kind.FUTURE_EVENT: "FUTURE_EVENT",
    Kind.MISSING_KEY: "MISSING_KEY",
    Kind.OTHER_DT: "WRONG_DATE",
    Kind.DUPLICATE_KEY: "CONFLICTING_DUPLICATE",
}
# Two rows of each kind a file, and files of every form; a day in eight or so is lost.
PLAN = ",".join(
    [
        *(f"{kind}=2" for kind in ROW_KINDS),
        "gb18030=25%,utf16=25%,other_delimiter=30%,column_order=30%,extra_column=30%",
        "dt_column=40%,absent_column=20%,repeated_file=25%",
        "missing_file=5%,zero_bytes=4%,header_only=4%",
    ]
)
# Daily events, personal data, state, snapshot and usage as Parquet, a month, reference data.
FEEDS = (
    "billing_payments",
    "billing_balances",
    "billing_invoices",
    "billing_subscriptions",
    "care_complaints",
    "care_interactions",
    "churn_events",
    "crm_consents",
    "crm_customers",
    "crm_subscribers",
    "org_units",
    "usage_call_circle",
    "usage_competitor_contacts",
    "usage_daily",
    "usage_devices",
)


@dataclass(frozen=True)
class Soiled:
    """A clean and a dirty landing zone of the same days, and the truth between them."""

    clean: Path
    dirty: Path
    truth: Path

    def truths(self, table: str, feed: str) -> list[dict[str, Any]]:
        paths = sorted((self.truth / "dirt" / table).glob(f"{feed}_2*.parquet"))
        return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


@pytest.fixture(scope="session")
def soiled(tmp_path_factory: pytest.TempPathFactory) -> Soiled:
    home = tmp_path_factory.mktemp("soiled")
    zones = Soiled(home / "clean" / "landing", home / "dirty" / "landing", home / "truth")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, zones.clean, home / "people")
    soiler = Soiler(DirtPlan.parse(PLAN), SEED, zones.truth, FIRST)
    for feed in FEEDS:
        for day, rows in clean_tables(zones.clean, feed):
            if feed in ("usage_daily", "crm_subscribers"):  # as two regions deliver it
                half = len(rows) // 2
                soiler.write(zones.dirty, feed, day, rows.slice(0, half), 1)
                soiler.write(zones.dirty, feed, day, rows.slice(half), 2)
            else:
                soiler.write(zones.dirty, feed, day, rows)
    return zones


@dataclass(frozen=True)
class TakenIn:
    """What came of a feed at the door."""

    door: Door
    files: Mapping[str, FileReceipt]
    arrived: frozenset[date]
    failed: frozenset[str]


def take_in(landing: Path, feed: str, feeds: Mapping[str, Feed]) -> TakenIn:
    door = Door(landing.parent, feeds)
    receipts: list[Receipt] = []
    failed: set[str] = set()
    try:
        receipts = door.ingest(feed, DAYS)
    except LandingError as error:
        receipts = list(error.receipts)
        failed = {problem.file for problem in error.problems}
    return TakenIn(
        door,
        {file.file: file for receipt in receipts for file in receipt.files},
        frozenset(receipt.dt for receipt in receipts if receipt.arrived),
        frozenset(failed),
    )


@pytest.mark.parametrize("name", FEEDS)
def test_the_door_finds_the_dirt_and_nothing_else(
    soiled: Soiled, feeds: Mapping[str, Feed], name: str
) -> None:
    before = take_in(soiled.clean, name, feeds)
    after = take_in(soiled.dirty, name, feeds)
    rows, files = soiled.truths("rows", name), soiled.truths("files", name)
    assert all(file.kept == file.records for file in before.files.values())
    check_files(before, after, files)
    check_quarantine(after, rows, feeds[name])
    check_forms(after, rows)
    check_kept_rows(before, after, rows, feeds[name])


def check_files(before: TakenIn, after: TakenIn, truths: list[dict[str, Any]]) -> None:
    """Counts of every file, and which did not come."""
    by_outcome: dict[str, set[str]] = {outcome: set() for outcome in Outcome}
    for truth in truths:
        by_outcome[truth["outcome"]].add(truth["file"])
    assert after.failed == by_outcome[Outcome.FAILED]
    lost = after.failed | by_outcome[Outcome.NOT_DELIVERED]
    assert after.files.keys() & lost == set()
    truth_of = {truth["file"]: truth for truth in truths}
    for file, receipt in after.files.items():
        if file in truth_of:
            truth = truth_of[file]
            bad = truth["spoilt_rows"] + truth["added_bad_rows"]
            found = (receipt.records, receipt.kept, receipt.quarantined, receipt.duplicates)
            assert found == (truth["records"], truth["good_rows"], bad, truth["repeated_rows"])
        else:
            assert receipt.records == receipt.kept
    # Row by row of the operator's days, nothing is left over.
    delivered = sum(receipt.kept for receipt in after.files.values())
    clean = sum(receipt.kept for receipt in before.files.values())
    taken_away = sum(truth["lost_rows"] + truth["spoilt_rows"] for truth in truths)
    assert delivered == clean - taken_away + sum(truth["corrections"] for truth in truths)


def check_quarantine(after: TakenIn, truths: list[dict[str, Any]], feed: Feed) -> None:
    expected = {
        (
            truth["file"],
            truth["line"],
            None if truth["kind"] == Kind.DUPLICATE_KEY else truth["column"],
            REASONS[truth["kind"]],
        )
        for truth in truths
        if truth["outcome"] == Outcome.QUARANTINED
    }
    found = [
        (row["source_file"], row["source_line"], row["column_name"], row["reason"], row["problems"])
        for day in DAYS
        for row in after.door.quarantine(feed.name, day)
    ]
    assert {row[:4] for row in found} == expected
    assert len(found) == len(expected)
    for _, _, column, reason, problems in found:  # the one fault that was made, no other
        assert problems == (f"{column}:{reason}" if column else reason)


def check_forms(after: TakenIn, truths: list[dict[str, Any]]) -> None:
    kinds = {
        (truth["file"], truth["kind"]): truth["column"] for truth in truths if truth["line"] is None
    }
    for file, receipt in after.files.items():
        if receipt.file_format == "csv":
            encodings = {kind for kind in (Kind.GB18030, Kind.UTF16) if (file, kind) in kinds}
            expected = {
                frozenset({Kind.GB18030}): "gb18030",
                frozenset({Kind.UTF16}): "utf-16-le",
            }.get(frozenset(encodings), "utf-8")
            assert receipt.encoding == expected
            assert (receipt.delimiter != ",") == ((file, Kind.OTHER_DELIMITER) in kinds)
        extra = (EXTRA_COLUMN,) if (file, Kind.EXTRA_COLUMN) in kinds else ()
        assert receipt.extra_columns == extra
        absent = kinds.get((file, Kind.ABSENT_COLUMN))
        assert receipt.missing_columns == ((absent,) if absent else ())


def check_kept_rows(
    before: TakenIn, after: TakenIn, truths: list[dict[str, Any]], feed: Feed
) -> None:
    """Every kept row is the clean one, a wrong one yet to be corrected, or a correction."""
    clean = {
        (day, row["source_line"]): row
        for day in DAYS
        if day in before.arrived
        for row in before.door.raw(feed.name, day)
    }
    at = {(truth["file"], truth["line"]): truth for truth in truths if truth["line"] is not None}
    wrong = {
        (truth["corrected_on"], truth["key"]): truth
        for truth in truths
        if truth["outcome"] == Outcome.SUPERSEDED
    }
    absent = {
        truth["file"]: truth["column"] for truth in truths if truth["kind"] == Kind.ABSENT_COLUMN
    }
    seen: set[tuple[date, int]] = set()
    for day in sorted(after.arrived):
        for row in after.door.raw(feed.name, day):
            file, line = row.pop("source_file"), row.pop("source_line")
            truth = at.get((file, line))
            if truth and truth["is_added"]:
                assert truth["outcome"] == Outcome.KEPT
                origin = wrong[day, truth["key"]]
                source = origin["dt"], clean_line(origin, before)
            else:
                source = day, clean_line({"file": file, "line": line, "dt": day}, before)
                seen.add(source)
            expected = dict(clean[source])
            del expected["source_file"], expected["source_line"]
            if truth and truth["outcome"] == Outcome.SUPERSEDED:
                assert is_shown(row.get(truth["column"]), truth["delivered_value"], feed, truth)
                assert row != expected
                for changed in feed.column(truth["column"]).raw_columns:
                    del row[changed], expected[changed]
            if column := absent.get(file):
                for name in feed.column(column).raw_columns:
                    assert row.pop(name, None) is None or name == "birth_year"
                    expected.pop(name, None)
            assert row == expected
    lost = {(t["dt"], clean_line(t, before)) for t in truths if is_spoilt(t)}
    days_lost = {truth["dt"] for truth in truths if truth["kind"] in LOST}
    assert seen == {place for place in clean if place not in lost and place[0] not in days_lost}


LOST = (Kind.MISSING_FILE, Kind.ZERO_BYTES, Kind.HEADER_ONLY)


def is_spoilt(truth: dict[str, Any]) -> bool:
    return truth["outcome"] == Outcome.QUARANTINED and not truth["is_added"]


def is_shown(value: Any, delivered: str, feed: Feed, truth: dict[str, Any]) -> bool:
    column = feed.column(truth["column"])
    if column.personal:
        return value is None
    if isinstance(value, bool):
        return str(value).lower() == delivered
    return value == Decimal(delivered) if not isinstance(value, str) else value == delivered


def clean_line(place: Mapping[str, Any], before: TakenIn) -> int:
    """The row's line in the clean file: that of the second part goes on where the first ends."""
    parts = place["file"].partition(".")[0].rsplit(f"{place['dt']:%Y%m%d}", 1)[1]
    if parts != "_02":
        return int(place["line"])
    (file,) = [name for name in before.files if f"{place['dt']:%Y%m%d}" in name]
    return int(place["line"]) + before.files[file].records // 2


def test_every_kind_was_there(soiled: Soiled) -> None:
    """Or the test above proves less than it says."""
    found = {truth["kind"] for feed in FEEDS for truth in soiled.truths("rows", feed)}
    assert found == set(Kind)
    assert {
        truth["kind"]
        for truth in soiled.truths("rows", "crm_customers")
        if truth["outcome"] == Outcome.QUARANTINED
    } >= set(REASONS) - {Kind.FUTURE_EVENT, Kind.OTHER_DT}


def test_light_dirt_on_a_small_operator_is_within_tolerance(
    soiled: Soiled, feeds: Mapping[str, Feed], tmp_path: Path
) -> None:
    soiler = Soiler(DirtPlan.parse("light"), SEED, tmp_path / "truth", FIRST)
    rows = pa.concat_tables(rows for _, rows in clean_tables(soiled.clean, "usage_daily"))
    soiler.write(tmp_path / "landing", "usage_daily", LAST, rows)
    taken = take_in(tmp_path / "landing", "usage_daily", feeds)
    (file,) = taken.files.values()
    assert 0 < file.quarantined < 0.02 * file.records
    assert file.duplicates > 0
