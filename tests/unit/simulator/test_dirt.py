"""Dirt: the amount that was asked for, where the truth says, and nothing else."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.contracts import Feed
from orchestration.simulator import dirt_kinds
from orchestration.simulator.dirt import EXTRA_COLUMN, Soiler
from orchestration.simulator.dirt_kinds import (
    CORRECTABLE_FEEDS,
    ROW_KINDS,
    TEXT_KINDS,
    Amount,
    DirtPlan,
    Kind,
    Outcome,
)
from orchestration.simulator.feeds import (
    KEYS,
    KINDS,
    PARQUET_FEEDS,
    REFERENCE_FEEDS,
    SCHEMAS,
    table,
    write,
)
from tests.unit.simulator.clean_tables import clean_tables
from tests.unit.simulator.conftest import Delivered

OPENED, DAY = date(2025, 1, 1), date(2025, 3, 10)
ROWS = 400
EVERY_ROW_KIND = ",".join(f"{kind}=3" for kind in ROW_KINDS)


def payments(day: date = DAY, rows: int = ROWS) -> pa.Table:
    numbers = np.arange(rows)
    seconds = (day - date(1970, 1, 1)).days * 86_400 + numbers * 100
    return table(
        "billing_payments",
        rows,
        {
            "payment_id": pa.array([f"P{day:%m%d}{number:05d}" for number in numbers]),
            "subscriber_id": pa.array([f"S{number:05d}" for number in numbers]),
            "paid_at": seconds,
            "amount_cny": numbers * 100 + 50,
            "payment_kind": "TOPUP",
            "method": "支付宝",
        },
    )


def usage(day: date = DAY, rows: int = ROWS) -> pa.Table:
    numbers = np.arange(rows)
    return table(
        "usage_daily",
        rows,
        {
            "subscriber_id": pa.array([f"S{number:05d}" for number in numbers]),
            "usage_date": np.full(rows, (day - date(1970, 1, 1)).days),
            "data_mb": numbers * 10,
            "calls_out": numbers,
        },
    )


class Zone:
    """A landing zone with a soiler."""

    def __init__(self, home: Path, plan: str, seed: int = 5) -> None:
        self.landing, self.truth = home / "landing", home / "truth"
        self.soiler = Soiler(DirtPlan.parse(plan), seed, self.truth, OPENED)

    def write(
        self,
        rows: pa.Table,
        feed: str = "billing_payments",
        dt: date = DAY,
        part: int | None = None,
    ) -> bytes:
        self.soiler.write(self.landing, feed, dt, rows, part)
        path = self.landing / feed / f"{self.stem(feed, dt, part)}.{self.suffix(feed)}"
        return path.read_bytes() if path.exists() else b""

    def rows(self, feed: str = "billing_payments", dt: date = DAY, part: int | None = None) -> Any:
        return self.table("rows", self.stem(feed, dt, part))

    def counts(
        self, feed: str = "billing_payments", dt: date = DAY, part: int | None = None
    ) -> dict[str, Any]:
        (row,) = self.table("files", self.stem(feed, dt, part))
        return row

    def table(self, name: str, stem: str) -> list[dict[str, Any]]:
        return pq.ParquetFile(self.truth / "dirt" / name / f"{stem}.parquet").read().to_pylist()

    def files(self) -> dict[str, bytes]:
        paths = [*self.landing.rglob("*.*"), *self.truth.rglob("*.parquet")]
        home = self.landing.parent
        return {str(path.relative_to(home)): path.read_bytes() for path in paths if path.is_file()}

    @staticmethod
    def suffix(feed: str) -> str:
        return "parquet" if feed in PARQUET_FEEDS else "csv"

    @staticmethod
    def stem(feed: str, dt: date, part: int | None) -> str:
        return f"{feed}_{dt:%Y%m%d}" + ("" if part is None else f"_{part:02d}")


def clean_lines(rows: pa.Table, tmp_path: Path) -> list[bytes]:
    return write(tmp_path / "clean", "billing_payments", DAY, rows).read_bytes().splitlines()


# --- plans -------------------------------------------------------------------------------------


def test_a_plan_is_read_from_text() -> None:
    plan = DirtPlan.parse("light, open_quote=3,FUTURE_EVENT=0.5%,missing_file=1,bad_bytes=0")
    assert plan.amount(Kind.OPEN_QUOTE, "billing_payments") == Amount(rows=3)
    assert plan.amount(Kind.FUTURE_EVENT, "billing_payments") == Amount(share=0.005)
    assert plan.amount(Kind.MISSING_FILE, "billing_payments") == Amount(share=1.0)
    assert plan.amount(Kind.BAD_BYTES, "billing_payments") == Amount()
    light = DirtPlan.parse("light")
    assert plan.amount(Kind.UTF16, "billing_payments") == light.amounts[Kind.UTF16]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filthy", "neither light nor heavy nor kind=amount"),
        ("light=2", "neither light"),
        ("open_quote=many", "expected a share"),
        ("open_quote=150%", "more than all"),
        ("missing_file=0.7,zero_bytes=0.5", "more than every file"),
    ],
)
def test_an_impossible_plan_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirtPlan.parse(text)


def test_shares_are_rounded_down() -> None:
    assert [Amount(share=0.01).of(rows) for rows in (99, 100, 300, 301)] == [0, 1, 3, 3]
    assert Amount(rows=5).of(3) == 3


def test_light_dirt_stays_below_two_percent() -> None:
    """What a careful reader tolerates; and light loses no file."""
    light = DirtPlan.parse("light")
    bad = [kind for kind in ROW_KINDS if kind not in (Kind.REPEATED_ROW, Kind.LATE_CORRECTION)]
    twice = light.amounts[Kind.DUPLICATE_KEY].share
    assert sum(light.amounts[kind].share for kind in bad) + twice < 0.02
    assert not any(light.amounts[kind].share for kind in dirt_kinds.FATES)


def test_the_operator_s_handbook_agrees_with_the_contracts(feeds: Mapping[str, Feed]) -> None:
    """Codes, event times, signs and limits are spelled out here for a stranger; they must agree."""
    for name, feed in feeds.items():
        coded = tuple(column.name for column in feed.columns if column.codes)
        assert dirt_kinds.coded_columns(name) == coded, name
        events = tuple(column.name for column in feed.columns if column.is_event_time)
        assert dirt_kinds.event_columns(name) == events, name
        numbers = [c for c in feed.columns if c.data_type.startswith(("bigint", "decimal"))]
        signed = [column.name for column in numbers if column.minimum is None]
        assert dirt_kinds._SIGNED.get(name, "").split() == signed, name
        capped = [column.name for column in numbers if column.maximum is not None]
        assert dirt_kinds._CAPPED.get(name, "").split() == capped, name
    for name in CORRECTABLE_FEEDS:
        assert "dt" not in feeds[name].key
        assert feeds[name].cadence == "D"


@pytest.mark.parametrize("feed", KINDS)
def test_every_feed_has_a_value_to_restate(feed: str) -> None:
    assert not set(dirt_kinds.restatable_columns(feed)) & {*KEYS[feed]}
    assert dirt_kinds.restatable_columns(feed)


# --- rows --------------------------------------------------------------------------------------


def test_each_kind_comes_in_the_stated_number(tmp_path: Path) -> None:
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},dt_column=1,negative_number=0")
    zone.write(payments())
    wanted: Counter[str] = Counter(dict.fromkeys(ROW_KINDS, 3))
    wanted[Kind.DUPLICATE_KEY] = 6  # a pair is two rows
    del wanted[Kind.NEGATIVE_NUMBER]
    found = Counter(row["kind"] for row in zone.rows() if row["line"] is not None)
    assert found == wanted
    keys = [row["key"] for row in zone.rows() if row["line"] and not row["is_added"]]
    assert len(set(keys)) == len(keys), "a row has one fault"


def test_parquet_has_the_kinds_that_types_allow(tmp_path: Path) -> None:
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},dt_column=1,gb18030=1,other_delimiter=1")
    zone.write(usage(), "usage_daily")
    found = Counter(row["kind"] for row in zone.rows("usage_daily") if row["line"])
    impossible = {*TEXT_KINDS, Kind.UNKNOWN_CODE}  # usage has no code
    assert set(found) == set(ROW_KINDS) - impossible
    assert {row["kind"] for row in zone.rows("usage_daily") if not row["line"]} == {Kind.DT_COLUMN}


def test_the_truth_names_line_value_and_key(tmp_path: Path) -> None:
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},bad_bytes=0")
    clean = clean_lines(payments(), tmp_path)
    lines = zone.write(payments()).splitlines()
    header = lines[0].decode().split(",")
    with_values = [row for row in zone.rows() if row["column"]]
    assert {row["kind"] for row in with_values} >= {*dirt_kinds.VALUE_KINDS} - {
        Kind.NEGATIVE_NUMBER,
        Kind.OTHER_DT,
    }
    for row in with_values:
        (fields,) = csv.reader([lines[row["line"] - 1].decode()])
        assert fields[header.index(row["column"])] == (row["delivered_value"] or "")
        assert fields[0] == (row["key"] if row["kind"] != Kind.MISSING_KEY else "")
        if not row["is_added"]:
            (fields,) = csv.reader([clean[row["line"] - 1].decode()])
            assert fields[header.index(row["column"])] == row["clean_value"]
            assert row["clean_value"] != row["delivered_value"]


def test_clean_rows_keep_their_bytes_and_places(tmp_path: Path) -> None:
    zone = Zone(tmp_path, EVERY_ROW_KIND)
    clean = clean_lines(payments(), tmp_path)
    lines = zone.write(payments()).split(b"\n")[:-1]
    touched = {row["line"] for row in zone.rows()}
    untouched = [number for number in range(1, len(clean) + 1) if number not in touched]
    assert len(untouched) > ROWS // 2
    assert [lines[n - 1] for n in untouched] == [clean[n - 1] for n in untouched]
    added = {row["line"] for row in zone.rows() if row["is_added"]}
    assert added == set(range(len(clean) + 1, len(lines) + 1))


def test_rows_are_conserved(tmp_path: Path) -> None:
    zone = Zone(tmp_path, EVERY_ROW_KIND)
    content = zone.write(payments())
    counts = zone.counts()
    outcomes = Counter(row["outcome"] for row in zone.rows())
    assert counts["records"] == content.count(b"\n") - 1
    assert counts["clean_rows"] == ROWS
    bad = counts["spoilt_rows"] + counts["added_bad_rows"]
    assert bad == outcomes[Outcome.QUARANTINED]
    assert counts["records"] == counts["good_rows"] + bad + counts["repeated_rows"]
    assert counts["good_rows"] == ROWS - counts["spoilt_rows"]
    assert counts["repeated_rows"] == outcomes[Outcome.DROPPED] == 3


def test_a_value_over_two_lines_is_left_alone(tmp_path: Path) -> None:
    rows = payments()
    names = [f"a\nb {n}" if n % 3 else "c" for n in range(ROWS)]
    place = rows.column_names.index("method")
    rows = rows.set_column(place, "method", pa.array(names))
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},dt_column=1")
    content = zone.write(rows).split(b"\n")
    for row in zone.rows():
        if row["line"] and row["kind"] not in (Kind.OPEN_QUOTE, Kind.STRAY_QUOTE):
            if row["kind"] == Kind.MISSING_KEY:
                assert content[row["line"] - 1].startswith(b",")
            else:
                assert row["key"].encode() in content[row["line"] - 1]


def test_rows_of_one_key_are_left_alone(tmp_path: Path) -> None:
    """Whoever delivers a key twice on purpose has a truth of its own about it."""
    rows = payments(rows=6).take(pa.array([0, 0, 1, 2, 2, 3]))
    zone = Zone(tmp_path, "missing_key=6")
    zone.write(rows)
    assert [row["line"] for row in zone.rows()] == [4, 7]


# --- files -------------------------------------------------------------------------------------


def test_without_dirt_a_file_is_as_always(delivered: Delivered, tmp_path: Path) -> None:
    zone = Zone(tmp_path, "")
    for feed in ("crm_customers", "usage_daily", "billing_payments", "field_retention_log"):
        for day, rows in clean_tables(delivered.landing, feed):
            content = zone.write(rows, feed, day)
            name = f"{feed}/{zone.stem(feed, day, None)}.{zone.suffix(feed)}"
            if feed in PARQUET_FEEDS:
                assert pq.read_table(zone.landing / name).equals(rows)
            else:
                assert content == (delivered.landing / name).read_bytes(), name
    assert not zone.truth.exists()


@pytest.mark.parametrize(("kind", "encoding"), [(Kind.GB18030, "gb18030"), (Kind.UTF16, "utf-16")])
def test_another_encoding_holds_the_same_text(tmp_path: Path, kind: Kind, encoding: str) -> None:
    content = Zone(tmp_path, f"{kind}=1").write(payments())
    assert content.decode(encoding).encode().splitlines() == clean_lines(payments(), tmp_path)
    with pytest.raises(UnicodeDecodeError):
        content.decode()


def test_what_reads_as_utf8_is_not_called_gb18030(tmp_path: Path) -> None:
    zone = Zone(tmp_path, "gb18030=1")
    place = payments().column_names.index("method")
    zone.write(payments().set_column(place, "method", pa.repeat("莫", ROWS)))
    assert not (zone.truth / "dirt").exists()


def test_a_file_s_columns_drift(tmp_path: Path) -> None:
    zone = Zone(
        tmp_path, "column_order=1,extra_column=1,absent_column=1,dt_column=1,other_delimiter=1"
    )
    header = zone.write(payments()).splitlines()[0].decode()
    (delimiter,) = {character for character in header if character in "|\t^"}
    names = header.split(delimiter)
    drift = {row["kind"]: row["column"] for row in zone.rows()}
    absent = drift[Kind.ABSENT_COLUMN]
    expected = {*SCHEMAS["billing_payments"].names, "dt", EXTRA_COLUMN} - {absent}
    assert set(names) == expected
    assert absent not in KEYS["billing_payments"]
    assert names != [name for name in SCHEMAS["billing_payments"].names if name in names]


def test_lost_files(tmp_path: Path) -> None:
    for plan, content, outcome in (
        ("missing_file=1", None, Outcome.NOT_DELIVERED),
        ("zero_bytes=1", b"", Outcome.FAILED),
        ("header_only=1", clean_lines(payments(), tmp_path)[0] + b"\n", Outcome.EMPTY),
    ):
        zone = Zone(tmp_path / plan, plan)
        zone.write(payments())
        path = zone.landing / "billing_payments" / "billing_payments_20250310.csv"
        assert (path.read_bytes() if path.exists() else None) == content
        counts = zone.counts()
        assert (counts["outcome"], counts["lost_rows"], counts["records"]) == (outcome, ROWS, 0)
        # The operator's first files are there: all others build on them.
        assert zone.write(payments(OPENED), dt=OPENED).count(b"\n") == ROWS + 1


def test_all_parts_of_a_lost_day_are_lost(tmp_path: Path) -> None:
    zone = Zone(tmp_path, "missing_file=50%")
    lost = []
    for offset in range(20):
        day = DAY + timedelta(days=offset)
        parts = [not zone.write(payments(day), dt=day, part=part) for part in (1, 2, 3)]
        assert len(set(parts)) == 1
        lost += parts[:1]
    assert 0 < sum(lost) < 20


def test_a_file_delivered_twice(tmp_path: Path) -> None:
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},repeated_file=1")
    content = zone.write(payments(), part=2)
    again = zone.landing / "billing_payments" / "billing_payments_20250310_902.csv"
    assert again.read_bytes() == content
    first = zone.counts(part=2)
    second = zone.counts(part=902)
    assert second["records"] == first["records"]
    assert second["good_rows"] == 0
    assert second["added_bad_rows"] == first["spoilt_rows"] + first["added_bad_rows"]
    zone.soiler.withdraw(zone.landing, "billing_payments", DAY, 2)
    assert [name for name in zone.files() if "902" in name or "_02" in name] == []


@pytest.mark.parametrize("feed", REFERENCE_FEEDS)
def test_reference_data_comes_whole(delivered: Delivered, tmp_path: Path, feed: str) -> None:
    zone = Zone(tmp_path, f"{EVERY_ROW_KIND},missing_file=1,absent_column=1,extra_column=1")
    ((day, rows),) = clean_tables(delivered.landing, feed)
    content = zone.write(rows, feed, DAY)
    assert [row["kind"] for row in zone.rows(feed)] == [Kind.EXTRA_COLUMN]
    assert content.count(b"\n") == len(rows) + 1
    assert day < DAY


# --- late corrections --------------------------------------------------------------------------


@pytest.mark.parametrize("feed", ["billing_payments", "usage_daily"])
def test_a_later_file_puts_the_row_right(tmp_path: Path, feed: str) -> None:
    zone = Zone(tmp_path, "late_correction=4,missing_file=30%,absent_column=20%")
    make = payments if feed == "billing_payments" else usage
    days = [DAY + timedelta(days=offset) for offset in range(20)]
    wrong: dict[tuple[date, str], dict[str, Any]] = {}
    right: list[tuple[date, str]] = []
    for day in days:
        if zone.write(make(day), feed, day):
            for row in zone.rows(feed, day):
                if row["outcome"] == Outcome.SUPERSEDED:
                    wrong[row["corrected_on"], row["key"]] = row
                    assert row["corrected_on"] > day
                elif row["line"]:
                    right.append((day, row["key"]))
    assert sorted(right) == sorted(due for due in wrong if due[0] <= days[-1])
    assert len(right) > 20
    for day, key in right:
        row = wrong[day, key]
        path = zone.landing / feed / f"{feed}_{day:%Y%m%d}.{zone.suffix(feed)}"
        if path.suffix == ".parquet":
            records = pq.read_table(path).to_pylist()
        else:
            records = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        (corrected,) = [
            record for record in records if "|".join(str(record[k]) for k in KEYS[feed]) == key
        ]
        value = corrected[row["column"]]
        assert (None if value in (None, "") else str(value)) == row["clean_value"]
        assert row["clean_value"] != row["delivered_value"]


def test_a_state_of_the_day_is_not_corrected_tomorrow(tmp_path: Path) -> None:
    zone = Zone(tmp_path, "late_correction=4")
    rows = table("billing_balances", 9, {"subscriber_id": pa.array([f"S{n}" for n in range(9)])})
    zone.write(rows, "billing_balances")
    assert not (zone.truth / "dirt").exists()


# --- determinism -------------------------------------------------------------------------------

ALL_DIRT = f"heavy,{EVERY_ROW_KIND}"
DAYS = [DAY + timedelta(days=offset) for offset in range(12)]


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    zones = [Zone(tmp_path / name, ALL_DIRT) for name in ("one", "two")]
    for zone in zones:
        for day in DAYS:
            zone.write(payments(day), dt=day)
            zone.write(usage(day), "usage_daily", day, 1)
    assert zones[0].files() == zones[1].files()
    other = Zone(tmp_path / "other", ALL_DIRT, seed=6)
    for day in DAYS:
        other.write(payments(day), dt=day)
    same = [
        name for name, content in other.files().items() if zones[0].files().get(name) == content
    ]
    assert not [name for name in same if "landing" in name]


def test_order_repetition_and_other_files_do_not_matter(tmp_path: Path) -> None:
    """Parts in any order, days again from some day on, with another plan in between."""
    one, two = Zone(tmp_path / "one", ALL_DIRT), Zone(tmp_path / "two", ALL_DIRT)
    for day in DAYS:
        for part in (1, 2):
            one.write(payments(day, ROWS + part), dt=day, part=part)
    for part in (2, 1):
        for day in DAYS[:9]:
            two.write(payments(day, ROWS + part), dt=day, part=part)
    filthy = Soiler(DirtPlan.parse("late_correction=9,repeated_file=1"), 1, two.truth, OPENED)
    for day in DAYS[6:]:
        filthy.write(two.landing, "billing_payments", day, payments(day), 1)
    for part in (1, 2):
        for day in DAYS[5:]:
            two.write(payments(day, ROWS + part), dt=day, part=part)
    assert two.files() == one.files()
