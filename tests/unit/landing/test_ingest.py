"""Every outcome of a delivery: what is kept, what goes to quarantine, what fails and how."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.contracts import Feed
from orchestration.landing import ingest as engine
from orchestration.landing import passes
from orchestration.landing.problems import LandingError
from orchestration.landing.receipts import read_receipt
from orchestration.landing.rules import row_rules
from tests.unit.landing.conftest import DAY, Door

NEXT = date(2025, 3, 2)
HEADER = "payment_id,subscriber_id,paid_at,amount_cny,payment_kind"
GOOD = "P1,S1,2025-03-01 09:00:00,50.00,TOPUP"


def payments(*rows: str, header: str = HEADER) -> str:
    return "".join(f"{line}\n" for line in (header, *rows))


# --- form --------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "|", "\t", "^"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_forms(door: Door, encoding: str, delimiter: str, newline: str) -> None:
    """Encodings, delimiters and line ends give the same rows (D01)."""
    text = "org_id,parent_org_id,org_level,name_zh,name_en\n0010,,BRANCH,冶城营业厅璺,Yecheng\n"
    delivered = text.replace(",", delimiter).replace("\n", newline).encode(encoding)
    door.deliver("org_units_20250301.csv", delivered)
    (receipt,) = door.ingest("org_units")
    (row,) = door.raw("org_units")
    assert row == {
        "org_id": "0010",
        "parent_org_id": None,
        "org_level": "BRANCH",
        "name_zh": "冶城营业厅璺",
        "name_en": "Yecheng",
        "source_file": "org_units_20250301.csv",
        "source_line": 2,
    }
    assert receipt.files[0].delimiter == delimiter
    assert receipt.is_conserved


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_byte_order_mark(door: Door, encoding: str) -> None:
    door.deliver("org_units_20250301.csv", "org_id,name_zh\n1,营业厅\n".encode(encoding))
    (receipt,) = door.ingest("org_units")
    assert receipt.files[0].encoding == encoding
    assert door.raw("org_units")[0]["name_zh"] == "营业厅"


def test_gzip_and_parquet_give_the_same_rows(door: Door) -> None:
    text = payments(GOOD, "P2,S2,20250301,7.5,BILL")
    for day, name, content in [
        (date(2025, 3, 1), "csv", text),
        (date(2025, 3, 2), "csv.gz", gzip.compress(text.encode())),
        (
            date(2025, 3, 3),
            "parquet",
            pa.table(
                {
                    "payment_id": ["P1", "P2"],
                    "subscriber_id": ["S1", "S2"],
                    "paid_at": [datetime(2025, 3, 1, 9), datetime(2025, 3, 1)],
                    "amount_cny": [50.0, 7.5],
                    "payment_kind": ["TOPUP", "BILL"],
                }
            ),
        ),
    ]:
        door.deliver(f"billing_payments_{day:%Y%m%d}.{name}", content)
    days = [date(2025, 3, 1), date(2025, 3, 2), date(2025, 3, 3)]
    assert [receipt.kept for receipt in door.ingest("billing_payments", days)] == [2, 2, 2]
    rows = [
        [
            {k: v for k, v in row.items() if not k.startswith("source")}
            for row in door.raw(feed, day)
        ]
        for feed in ["billing_payments"]
        for day in days
    ]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][1]["amount_cny"] == Decimal("7.50")
    assert [row["source_line"] for row in door.raw("billing_payments", days[2])] == [1, 2]


def test_raw_has_the_contracts_columns_and_types(door: Door, feeds: Mapping[str, Feed]) -> None:
    door.deliver("billing_payments_20250301.csv", payments(GOOD))
    door.ingest("billing_payments")
    path = door.lake.raw("billing_payments", DAY)
    found = duckdb.execute(
        f"select column_name, lower(column_type) from (describe from read_parquet('{path}',"
        " hive_partitioning = false))"
    ).fetchall()
    assert found == list(feeds["billing_payments"].raw_columns.items())


def test_header_is_matched_by_name(door: Door) -> None:
    """Any order, any case, blanks around; extra columns are named, missing ones are NULL."""
    door.deliver("billing_payments_20250301.csv", ' Amount_CNY ,"x",PAYMENT_ID\n5.00,?,P1\n')
    (receipt,) = door.ingest("billing_payments")
    assert receipt.extra_columns == ("x",)
    assert "subscriber_id" in receipt.missing_columns
    (row,) = door.raw("billing_payments")
    assert (row["payment_id"], row["amount_cny"], row["subscriber_id"]) == ("P1", Decimal(5), None)


def test_several_parts_are_one_release(door: Door) -> None:
    door.deliver("billing_payments_20250301_01.csv", payments(GOOD))
    door.deliver("billing_payments_20250301_02.csv", "payment_id|subscriber_id\nP2|S2\n")
    (receipt,) = door.ingest("billing_payments")
    assert [(file.file, file.kept) for file in receipt.files] == [
        ("billing_payments_20250301_01.csv", 1),
        ("billing_payments_20250301_02.csv", 1),
    ]
    assert [row["payment_id"] for row in door.raw("billing_payments")] == ["P1", "P2"]


def test_header_only_is_an_arrival_with_zero_rows(door: Door) -> None:
    door.deliver("billing_payments_20250301.csv", payments())
    (receipt,) = door.ingest("billing_payments")
    assert receipt.arrived
    assert receipt.records == 0
    assert door.raw("billing_payments") == []


def test_blank_lines_are_counted(door: Door) -> None:
    door.deliver("billing_payments_20250301.csv", f"\r\n{HEADER}\r\n\r\n{GOOD}\r\n\r\n")
    (receipt,) = door.ingest("billing_payments")
    (file,) = receipt.files
    assert (file.physical_lines, file.header_lines, file.blank_lines) == (5, 1, 3)
    assert door.raw("billing_payments")[0]["source_line"] == 4
    assert receipt.is_conserved


# --- quarantine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (",S1,2025-03-01,1.00,BILL", "payment_id", "MISSING_KEY"),
        ("  ,S1,2025-03-01,1.00,BILL", "payment_id", "MISSING_KEY"),
        ("\u3000,S1,2025-03-01,1.00,BILL", "payment_id", "MISSING_KEY"),
        ("P2,S1,2025-02-30,1.00,BILL", "paid_at", "WRONG_TYPE"),
        ("P2,S1,2025-03-01,1.005,BILL", "amount_cny", "WRONG_TYPE"),
        ("P2,S1,2025-03-01,1.00,GIFT", "payment_kind", "UNKNOWN_CODE"),
        ("P2,S1,2025-03-02,1.00,BILL", "paid_at", "FUTURE_EVENT"),
        ("P2,S1,2025-03-01T23:00:00-01:00,1.00,BILL", "paid_at", "FUTURE_EVENT"),
        ("P2,S1,2025-03-01,1.00", None, "FIELD_COUNT"),
        ("P2,S1,2025-03-01,1.00,BILL,", None, "FIELD_COUNT"),
        ('P2,"S1,2025-03-01,1.00,BILL', None, "BROKEN_QUOTING"),
        ('P2,S"1",2025-03-01,1.00,BILL', None, "BROKEN_QUOTING"),
    ],
)
def test_a_bad_row_goes_to_quarantine_whole(
    door: Door, row: str, column: str | None, reason: str
) -> None:
    """File, line, column, reason with both labels, and the raw text (D01)."""
    door.deliver("billing_payments_20250301.csv", payments(GOOD, row, "P3,S3,2025-03-01,1,BILL"))
    (receipt,) = door.ingest("billing_payments")
    assert (receipt.records, receipt.kept, receipt.quarantined) == (3, 2, 1)
    assert receipt.is_conserved
    (found,) = door.quarantine("billing_payments")
    assert found["label_en"]
    assert found["label_zh"]
    del found["label_en"], found["label_zh"]
    assert found == {
        "source_file": "billing_payments_20250301.csv",
        "source_line": 3,
        "line_count": 1,
        "column_name": column,
        "reason": reason,
        "problems": f"{column}:{reason}" if column else reason,
        "raw_text": row,
    }
    assert [line["payment_id"] for line in door.raw("billing_payments")] == ["P1", "P3"]


def test_all_problems_of_a_row_are_named(door: Door) -> None:
    door.deliver("billing_payments_20250301.csv", payments(",S1,never,1.005,GIFT"))
    door.ingest("billing_payments")
    (row,) = door.quarantine("billing_payments")
    assert (row["column_name"], row["reason"]) == ("payment_id", "MISSING_KEY")
    assert row["problems"] == (
        "payment_id:MISSING_KEY; paid_at:WRONG_TYPE; amount_cny:WRONG_TYPE;"
        " payment_kind:UNKNOWN_CODE"
    )


def test_range(door: Door) -> None:
    text = "subscriber_id,usage_date,calls_out,data_mb\nS1,20250301,-1,1\nS2,20250301,1,-0.001\n"
    door.deliver("usage_daily_20250301.csv", text)
    door.ingest("usage_daily")
    assert door.reasons("usage_daily") == [
        (2, "calls_out", "OUT_OF_RANGE"),
        (3, "data_mb", "OUT_OF_RANGE"),
    ]


def test_undecodable_bytes_cost_their_row(door: Door) -> None:
    """Neither UTF-8 nor GB18030 fits the whole file: UTF-8 has the fewest bad lines."""
    lines = ["org_id,name_zh", "1,营业厅", "2,x", "3,冶城路"]
    content = "\n".join(lines).encode().replace(b"2,x", b"2,\xff\xff") + b"\n"
    door.deliver("org_units_20250301.csv", content)
    (receipt,) = door.ingest("org_units")
    assert receipt.files[0].encoding == "utf-8"
    assert door.reasons("org_units") == [(3, None, "BAD_ENCODING")]
    assert [row["name_zh"] for row in door.raw("org_units")] == ["营业厅", "冶城路"]


def test_a_rows_own_date_must_be_the_files(door: Door) -> None:
    rows = ("2025-03-01,P1", "20250301,P2", ",P3", "2025-02-28,P4", "x,P5")
    door.deliver("billing_payments_20250301.csv", payments(*rows, header="dt,payment_id"))
    (receipt,) = door.ingest("billing_payments")
    assert receipt.kept == 3
    assert receipt.extra_columns == ()
    assert door.reasons("billing_payments") == [(5, "dt", "WRONG_DATE"), (6, "dt", "WRONG_DATE")]


def test_a_value_over_several_lines_has_one_line_number(door: Door) -> None:
    door.deliver(
        "org_units_20250301.csv", 'org_id,name_en\n1,"a\nb"\n2,"c\nd",extra\n"3\n",ok\n4,e\n'
    )
    (receipt,) = door.ingest("org_units")
    assert [row["source_line"] for row in door.raw("org_units")] == [2, 6, 8]
    assert receipt.is_conserved
    assert door.reasons("org_units") == [
        (4, None, "BROKEN_QUOTING"),
        (5, None, "BROKEN_QUOTING"),
    ]


def test_exact_duplicates_are_dropped_and_counted(door: Door) -> None:
    """The first by file and line stays, also when a whole part is delivered twice."""
    door.deliver("billing_payments_20250301_01.csv", payments(GOOD, GOOD))
    door.deliver("billing_payments_20250301_02.csv", payments(GOOD))
    (receipt,) = door.ingest("billing_payments")
    assert [(file.kept, file.duplicates) for file in receipt.files] == [(1, 1), (0, 1)]
    assert receipt.is_conserved
    (row,) = door.raw("billing_payments")
    assert (row["source_file"], row["source_line"]) == ("billing_payments_20250301_01.csv", 2)


def test_conflicting_duplicates_go_to_quarantine_together(door: Door) -> None:
    """The same key with different content: nobody can say which one is true."""
    other = GOOD.replace("50.00", "60.00")
    door.deliver("billing_payments_20250301.csv", payments(GOOD, GOOD, other, "P2,S1,,1,BILL"))
    (receipt,) = door.ingest("billing_payments")
    assert (receipt.kept, receipt.quarantined, receipt.duplicates) == (1, 3, 0)
    assert door.reasons("billing_payments") == [
        (line, None, "CONFLICTING_DUPLICATE") for line in (2, 3, 4)
    ]
    assert door.quarantine("billing_payments")[2]["raw_text"] == other


def test_the_same_key_on_another_date_is_no_duplicate(door: Door) -> None:
    for day in (DAY, NEXT):
        door.deliver(f"billing_payments_{day:%Y%m%d}.csv", payments(GOOD))
    assert [r.kept for r in door.ingest("billing_payments", [DAY, NEXT])] == [1, 1]


def test_bad_parquet_rows_keep_their_row_as_json(door: Door) -> None:
    table = pa.table(
        {
            "Payment_ID": ["P1", None, "P3"],
            "amount_cny": [1.0, 2.0, float("nan")],
            "gap": pa.nulls(3),
            "subscriber_id": pa.nulls(3),
        }
    )
    door.deliver("billing_payments_20250301.parquet", table)
    (receipt,) = door.ingest("billing_payments")
    assert (receipt.records, receipt.kept, receipt.quarantined) == (3, 1, 2)
    assert receipt.extra_columns == ("gap",)
    assert door.reasons("billing_payments") == [
        (2, "payment_id", "MISSING_KEY"),
        (3, "amount_cny", "WRONG_TYPE"),
    ]
    assert door.quarantine("billing_payments")[0]["raw_text"] == (
        '{"Payment_ID":null,"amount_cny":2.0,"gap":null,"subscriber_id":null}'
    )


def test_quarantine_and_expectations_share_their_rules(door: Door) -> None:
    """What is kept violates no rule of the contract: the same SQL, run on the raw partition."""
    rows = [
        f"P{i},S1,2025-03-0{1 + i % 2} 00:00:00,1,{'BILL' if i % 3 else 'X'}" for i in range(12)
    ]
    door.deliver("billing_payments_20250301.csv", payments(*rows))
    (receipt,) = door.ingest("billing_payments")
    assert 0 < receipt.kept < 12
    path = door.lake.raw("billing_payments", DAY)
    raw = f"(select *, date '{DAY}' as dt from read_parquet('{path}', hive_partitioning = false))"
    for rule in row_rules(door.feeds["billing_payments"]):
        query = f"select count(*) from {raw} where {rule.violated}"
        assert duckdb.execute(query).fetchall() == [(0,)]


# --- deliveries that fail ----------------------------------------------------------------------


def parquet_bytes(table: pa.Table, tmp_path: Path) -> bytes:
    pq.write_table(table, tmp_path / "scratch")
    return (tmp_path / "scratch").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("csv", b"", "is empty (0 bytes): a failed delivery"),
        ("csv.gz", gzip.compress(b""), "is empty (0 bytes decompressed): a failed delivery"),
        ("parquet", b"", "is empty (0 bytes): a failed delivery"),
        ("csv", b"\n\n", "line 2: is no CSV: no header line"),
        (
            "csv",
            b"subscriber_id,amount_cny\nS1,1\n",
            "line 1: column 'payment_id': required column is missing",
        ),
        (
            "csv",
            b"\npayment_id,Subscriber_ID,subscriber_id\n",
            "line 2: column 'subscriber_id': is twice in the header",
        ),
        (
            "csv",
            bytes(range(256)) * 40,
            "is no CSV of billing_payments: no name in the header is a column of the contract",
        ),
        (
            "csv",
            b"P1,S1,2025-03-01\n",
            "line 1: is no CSV of billing_payments:"
            " no name in the header is a column of the contract",
        ),
        ("csv", b"x" * (2 << 20), "line 1: is no CSV: no header line"),
        (
            "csv.gz",
            gzip.compress(payments(GOOD).encode())[:-12],
            "is cut short: the gzip data ends too early",
        ),
        (
            "csv.gz",
            gzip.compress(payments(GOOD).encode())[:-8] + b"\0" * 8,
            "is damaged: not valid gzip data, or the checksum does not match",
        ),
        (
            "csv.gz",
            payments(GOOD).encode(),
            "is damaged: not valid gzip data, or the checksum does not match",
        ),
        ("parquet", b"PAR1 but nothing else", "is no readable Parquet file (ArrowInvalid)"),
    ],
)
def test_a_failed_delivery_says_file_line_and_column(
    door: Door, suffix: str, content: bytes, message: str
) -> None:
    """The old partition stays, other dates are written, the message says what is wrong (D01)."""
    door.deliver("billing_payments_20250301.csv", payments(GOOD))
    door.ingest("billing_payments")
    before = door.digests()
    (door.landing / "billing_payments" / "billing_payments_20250301.csv").unlink()
    name = f"billing_payments_20250301.{suffix}"
    door.deliver(name, content)
    door.deliver("billing_payments_20250302.csv", payments(GOOD))
    error = door.failure("billing_payments", [DAY, NEXT])
    assert len(error.problems) == 1
    assert str(error).startswith(f"{name}: ")
    assert str(error).endswith(message)
    assert [receipt.dt for receipt in error.receipts] == [NEXT]
    after = door.digests()
    assert {path: after[path] for path in before} == before
    assert door.raw("billing_payments", NEXT)


def test_parquet_with_a_missing_column_or_type(door: Door, tmp_path: Path) -> None:
    door.deliver("billing_payments_20250301.parquet", pa.table({"subscriber_id": ["S1"]}))
    door.deliver(
        "billing_payments_20250302.parquet",
        pa.table({"payment_id": ["P1"], "paid_at": [1.5], "amount_cny": [[1.0]]}),
    )
    assert str(door.failure("billing_payments", [DAY, NEXT])).splitlines() == [
        "billing_payments_20250301.parquet: column 'payment_id': required column is missing",
        "billing_payments_20250302.parquet: column 'paid_at':"
        " Parquet type DOUBLE cannot hold timestamp",
        "billing_payments_20250302.parquet: column 'amount_cny':"
        " Parquet type DOUBLE[] cannot hold decimal(18,2)",
    ]


def test_damaged_parquet_pages_fail_their_date_only(door: Door) -> None:
    table = pa.table({"payment_id": [f"P{i:06d}" for i in range(50_000)]})
    path = door.deliver("billing_payments_20250301.parquet", table)
    content = bytearray(path.read_bytes())
    content[1000 : len(content) // 2] = b"\xff" * (len(content) // 2 - 1000)
    path.write_bytes(content)
    door.deliver("billing_payments_20250302.parquet", table)
    error = door.failure("billing_payments", [DAY, NEXT])
    assert [problem.file for problem in error.problems] == [path.name]
    assert "is no readable Parquet file" in str(error)
    assert len(door.raw("billing_payments", NEXT)) == 50_000
    assert not door.lake.raw("billing_payments", DAY).exists()


def test_a_file_that_changes_while_it_is_read_fails(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = door.deliver("billing_payments_20250301.csv", payments(GOOD))
    door.deliver("billing_payments_20250302.csv", payments(GOOD))
    read = passes.read_records

    def read_while_writing(*arguments: Any, **options: Any) -> Any:
        with path.open("a") as file:
            file.write("P9,S9,2025-03-01,1,BILL\n")
        return read(*arguments, **options)

    monkeypatch.setattr(passes, "read_records", read_while_writing)
    error = door.failure("billing_payments", [DAY, NEXT])
    assert str(error) == f"{path.name}: changed while it was being read"
    assert [receipt.dt for receipt in error.receipts] == [NEXT]
    assert not door.lake.receipt("billing_payments", DAY).exists()


def test_an_unfinished_file_is_no_arrival(door: Door) -> None:
    door.deliver("billing_payments_20250301.csv.tmp", payments(GOOD))
    (receipt,) = door.ingest("billing_payments")
    assert not receipt.arrived


# --- re-runs -----------------------------------------------------------------------------------


def test_no_file_leaves_a_receipt_and_no_partition(door: Door) -> None:
    (receipt,) = door.ingest("billing_payments")
    assert not receipt.arrived
    assert not door.lake.raw("billing_payments", DAY).parent.exists()
    table = pq.ParquetFile(door.lake.receipt("billing_payments", DAY)).read()
    assert table.select(["file", "arrived", "records"]).to_pylist() == [
        {"file": None, "arrived": False, "records": None}
    ]
    assert read_receipt(door.lake, "billing_payments", DAY) == receipt


def test_a_withdrawn_file_takes_its_partition_along(door: Door) -> None:
    path = door.deliver("crm_customers_20250301.csv", "customer_id,name\nC1,王\n,李\n")
    door.ingest("crm_customers")
    path.unlink()
    door.ingest("crm_customers")
    receipt = door.lake.receipt("crm_customers", DAY)
    assert list(door.digests()) == [str(receipt.relative_to(door.lake.home))]


def test_a_repaired_file_empties_the_quarantine(door: Door) -> None:
    door.deliver("billing_payments_20250301.csv", payments(GOOD, "P2,S2,never,1,BILL"))
    door.ingest("billing_payments")
    assert door.reasons("billing_payments") == [(3, "paid_at", "WRONG_TYPE")]
    door.deliver("billing_payments_20250301.csv", payments(GOOD, "P2,S2,20250301,1,BILL"))
    (receipt,) = door.ingest("billing_payments")
    assert (receipt.kept, receipt.quarantined) == (2, 0)
    assert not door.lake.quarantine("billing_payments", DAY).exists()


def deliver_everything(door: Door) -> None:
    rows = [f'C{i},王{i},1390000{i:04d},"北京 {i}号"' for i in range(3000)]
    rows[5] = rows[4]
    rows[8] = rows[7].replace("王", "李")
    rows[11] = "broken"
    header = "customer_id,name,contact_phone,address"
    door.deliver("crm_customers_20250301_01.csv", payments(*rows, header=header))
    door.deliver("crm_customers_20250301_02.csv", payments(*rows[:4], ",,,", header=header))
    door.deliver("crm_customers_20250302.csv", payments(header=header))
    door.deliver("crm_customers_20250303.csv", payments(*rows, header=header).replace(",", "|"))


def test_a_rerun_gives_the_same_bytes(door: Door) -> None:
    """Also the vault's, and whatever dates are taken in together (D01)."""
    days = [date(2025, 3, day) for day in (1, 2, 3, 4)]
    deliver_everything(door)
    first = door.ingest("crm_customers", days)
    before = door.digests()
    assert any("vault" in path for path in before)
    assert door.ingest("crm_customers", days) == first
    assert door.digests() == before
    for day in days:
        door.ingest("crm_customers", [day])
    assert door.digests() == before


def test_threads_and_grouping_do_not_change_a_byte(
    tmp_path: Path, feeds: Mapping[str, Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [date(2025, 3, day) for day in (1, 2, 3)]
    outcomes = []
    for threads, pass_bytes in ((1, 1), (2, 10**9)):
        monkeypatch.setattr(engine, "PASS_BYTES", pass_bytes)
        door = Door(tmp_path / str(threads), feeds, threads)
        deliver_everything(door)
        receipts = door.ingest("crm_customers", days)
        lake = {k: v for k, v in door.digests().items() if not k.startswith("vault")}
        outcomes.append((receipts, lake))
    assert outcomes[0] == outcomes[1]


def test_nothing_unfinished_stays_behind(door: Door) -> None:
    deliver_everything(door)
    door.ingest("crm_customers")
    assert list(door.lake.workspace.iterdir()) == []


def test_progress_is_told_date_by_date(door: Door) -> None:
    told: list[date] = []
    door.ingest(
        "billing_payments", [NEXT, DAY], on_progress=lambda receipt: told.append(receipt.dt)
    )
    assert told == [DAY, NEXT]


# --- any input ---------------------------------------------------------------------------------

DIRT = st.one_of(
    st.binary(max_size=30),
    st.text('P1,|\t^"\r\n中 0.5-', max_size=30).map(str.encode),
    st.sampled_from([b"P1,S1,2025-03-01,1,BILL", b"P1,S1,2025-03-01,2,BILL", b'P2,"S\n2",,,']),
)


@given(
    lines=st.lists(DIRT, max_size=25),
    header=st.one_of(st.just(HEADER.encode()), st.binary(max_size=20)),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    is_gzip=st.booleans(),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_conserved_or_refused(
    door: Door, lines: list[bytes], header: bytes, newline: bytes, is_gzip: bool
) -> None:
    """Rows and lines always add up; no failure other than LandingError (D01)."""
    content = newline.join([header, *lines])
    folder = door.landing / "billing_payments"
    for old in folder.glob("*"):
        old.unlink()
    suffix = "csv.gz" if is_gzip else "csv"
    door.deliver(
        f"billing_payments_20250301.{suffix}", gzip.compress(content) if is_gzip else content
    )
    try:
        (receipt,) = door.ingest("billing_payments")
    except LandingError:
        return
    assert receipt.is_conserved
    assert receipt.kept == len(door.raw("billing_payments"))
    assert receipt.quarantined == len(door.quarantine("billing_payments"))
    ids = [row["payment_id"] for row in door.raw("billing_payments")]
    assert len(set(ids)) == len(ids)
