"""Landing files: what is visible, what has arrived, which row counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.reference.delivered import Delivered
from tests.reference.handmade import day

HEADER = "payment_id,subscriber_id,paid_at,amount_cny,payment_kind\n"
ROW = "P1,1,2025-01-02 10:00:00,10.00,TOPUP\n"


def land(folder: Path, name: str, content: str | bytes) -> Path:
    feed = name[: name.index("_2025")]
    path = folder / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return folder


def payments(folder: Path, as_of: str = "2025-01-31") -> list[tuple[str, int]]:
    rows = Delivered.as_of(folder, day(as_of)).rows("billing_payments")
    return sorted((row["payment_id"], row["amount_cny"]) for row in rows)


def test_a_file_is_visible_from_its_date_on(tmp_path: Path) -> None:
    land(tmp_path, "billing_payments_20250103.csv", HEADER + ROW)
    assert payments(tmp_path, "2025-01-02") == []
    assert payments(tmp_path, "2025-01-03") == [("P1", 1000)]


def test_header_only_has_arrived_and_empty_has_not(tmp_path: Path) -> None:
    land(tmp_path, "billing_payments_20250102.csv", HEADER)
    land(tmp_path, "billing_payments_20250103.csv", "")
    land(tmp_path, "billing_payments_20250104.csv.gz", "")
    land(tmp_path, "billing_payments_20250105.csv.gz", HEADER)
    delivered = Delivered.as_of(tmp_path, day("2025-01-05"))
    assert delivered.arrived("billing_payments") == {day("2025-01-02"), day("2025-01-05")}
    assert delivered.missing("billing_payments", 30) == [day("2025-01-04"), day("2025-01-03")]


def test_the_newest_arrival_of_a_key_wins_over_dates_and_parts(tmp_path: Path) -> None:
    for name, amount in (("20250103_02", "30.00"), ("20250103_01", "20.00"), ("20250102", "10.00")):
        land(tmp_path, f"billing_payments_{name}.csv", HEADER + ROW.replace("10.00", amount))
    assert payments(tmp_path) == [("P1", 3000)]
    assert payments(tmp_path, "2025-01-02") == [("P1", 1000)]


def test_the_same_key_twice_in_a_file(tmp_path: Path) -> None:
    land(tmp_path, "billing_payments_20250103.csv", HEADER + ROW + ROW)
    assert payments(tmp_path) == [("P1", 1000)]
    land(tmp_path, "billing_payments_20250103.csv", HEADER + ROW + ROW.replace("10.00", "11.00"))
    assert payments(tmp_path) == []


@pytest.mark.parametrize(
    "bad",
    [
        "P2,1,2025-01-04 00:00:00,10.00,TOPUP",  # after the file's date
        "P2,1,2025-01-02 10:00:00,ten,TOPUP",
        "P2,1,2025-13-02 10:00:00,10.00,TOPUP",
        "P2,1,2025-01-02 10:00:00,10.00",
        "P2,1,2025-01-02 10:00:00,10.00,TOPUP,MORE",
        ",1,2025-01-02 10:00:00,10.00,TOPUP",
        'P2,"1,2025-01-02 10:00:00,10.00,TOPUP',
    ],
)
def test_a_bad_row_costs_itself_alone(tmp_path: Path, bad: str) -> None:
    land(tmp_path, "billing_payments_20250103.csv", f"{HEADER}{bad}\n{ROW}")
    assert payments(tmp_path) == [("P1", 1000)]


def test_encodings_delimiters_and_line_ends(tmp_path: Path) -> None:
    text = "customer_id,name,org_class\nC1,张三,GROUP\n"
    forms = [
        text.encode("utf-8-sig"),
        text.replace(",", "|").encode("gb18030"),
        text.replace("\n", "\r\n").encode("utf-16"),
        text.replace(",", "\t").encode(),
        text.replace("张三", '"张\n三"').encode(),
    ]
    for number, form in enumerate(forms):
        folder = tmp_path / str(number)
        land(folder, "crm_customers_20250101.csv", form)
        (row,) = Delivered.as_of(folder, day("2025-01-01")).rows("crm_customers")
        assert (row["customer_id"], row["org_class"]) == ("C1", "GROUP")
        assert row["name"].startswith("张")


def test_a_reference_feed_is_its_newest_file(tmp_path: Path) -> None:
    land(tmp_path, "device_models_20250101.csv", "tac,is_dual_sim\nT1,true\nT2,true\n")
    land(tmp_path, "device_models_20250110.csv", "tac,is_dual_sim\nT1,false\n")
    rows = Delivered.as_of(tmp_path, day("2025-01-31")).rows("device_models")
    assert [(row["tac"], row["is_dual_sim"]) for row in rows] == [("T1", False)]
    assert len(Delivered.as_of(tmp_path, day("2025-01-09")).rows("device_models")) == 2


def test_negative_usage_and_unknown_codes_do_not_count(tmp_path: Path) -> None:
    land(
        tmp_path,
        "usage_daily_20250102.csv",
        "subscriber_id,usage_date,data_mb\n1,2025-01-02,-1\n2,20250102,1.5\n3,2025/01/02,\n",
    )
    rows = Delivered.as_of(tmp_path, day("2025-01-02")).rows("usage_daily")
    assert [(row["subscriber_id"], row["data_mb"]) for row in rows] == [("2", 1500), ("3", None)]
    land(tmp_path, "crm_subscribers_20250102.csv", "subscriber_id,status\n1,ASLEEP\n2,ACTIVE\n")
    rows = Delivered.as_of(tmp_path, day("2025-01-02")).rows("crm_subscribers")
    assert [row["subscriber_id"] for row in rows] == ["2"]
