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


def test_the_newest_arrival_of_a_key_wins(tmp_path: Path) -> None:
    for name, amount in (("20250103", "30.00"), ("20250102", "10.00")):
        land(tmp_path, f"billing_payments_{name}.csv", HEADER + ROW.replace("10.00", amount))
    assert payments(tmp_path) == [("P1", 3000)]
    assert payments(tmp_path, "2025-01-02") == [("P1", 1000)]


def test_parts_of_a_date_are_one_release(tmp_path: Path) -> None:
    land(tmp_path, "billing_payments_20250102.csv", HEADER + ROW)
    land(tmp_path, "billing_payments_20250103.csv", HEADER + ROW.replace("10.00", "20.00"))
    land(tmp_path, "billing_payments_20250103_900.csv", HEADER + ROW.replace("10.00", "20.00"))
    assert payments(tmp_path) == [("P1", 2000)]
    land(tmp_path, "billing_payments_20250103_01.csv", HEADER + ROW.replace("10.00", "30.00"))
    assert payments(tmp_path) == [("P1", 1000)]
    land(tmp_path, "billing_payments_20250103_02.csv", "")
    assert Delivered.as_of(tmp_path, day("2025-01-31")).arrived("billing_payments") == {
        day("2025-01-02")
    }


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
        "P2,1,2025-01-02 10:00:00,10.001,TOPUP",
        "P2,1,2025-01-02 10:00:00,10.00,GIFT",
        "  ,1,2025-01-02 10:00:00,10.00,TOPUP",
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


@pytest.mark.parametrize(
    ("encoding", "no_character"),
    [("utf-8", b"\xff\xff"), ("gb18030", b"\xff\xff"), ("utf-16", b"\x00\xdc")],
)
def test_bytes_that_are_no_text_cost_their_row_alone(
    tmp_path: Path, encoding: str, no_character: bytes
) -> None:
    """As well where the other rows hold characters that only this encoding has there."""
    text = "customer_id,org_class,name\nC1,GROUP,张三\nC2,GROUP,李四{}\nC3,GROUP,王五\n"
    before, after = text.split("{}")
    mark = "".encode(encoding)  # of the whole file, not of its second part
    spoilt = before.encode(encoding) + no_character + after.encode(encoding)[len(mark) :]
    land(tmp_path, "crm_customers_20250101.csv", spoilt)
    rows = Delivered.as_of(tmp_path, day("2025-01-01")).rows("crm_customers")
    assert [(row["customer_id"], row["name"]) for row in rows] == [("C1", "张三"), ("C3", "王五")]


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


@pytest.mark.parametrize(
    ("feed", "text"),
    [
        # a day later than its file is too late, in whatever column it stands
        ("crm_subscribers", "subscriber_id,status_at\n1,2025-01-03\n2,2025-01-02 23:59:59\n"),
        ("billing_subscriptions", "subscription_id,ordered_at\n1,2025-01-03\n2,2025-01-02\n"),
        ("channel_commissions", "commission_id,earned_on\n1,2025-01-03\n2,2025-01-02\n"),
        ("usage_areas", "subscriber_id,month,kind\n1,2025-02,HOME\n2,2025-01,HOME\n"),
        # with an offset it is the time here that counts
        ("care_interactions", "interaction_id,at\n1,2025-01-02T16:00Z\n2,2025-01-02T15:59Z\n"),
        # numbers and codes
        ("billing_balances", "subscriber_id,arrears_cny\n1,-0.01\n2,0\n"),
        ("crm_customers", "customer_id,vip_level\n1,-1\n2,0\n"),
        ("usage_areas", "subscriber_id,month,kind,days\n1,2025-01,HOME,32\n2,2025-01,HOME,31\n"),
        (
            "care_complaints",
            "complaint_id,step,at,satisfaction\n1,OPENED,20250102,6\n2,OPENED,20250102,5\n",
        ),
        ("crm_customers", "customer_id,org_class\n1,FIRM\n2,GROUP\n"),
        # the row's own date
        ("crm_customers", "customer_id,dt\n1,2025-01-01\n2,20250102\n"),
    ],
)
def test_what_a_column_does_not_allow_costs_the_row(tmp_path: Path, feed: str, text: str) -> None:
    land(tmp_path, f"{feed}_20250102.csv", text)
    assert [name[0] for name in Delivered.as_of(tmp_path, day("2025-01-02")).by_key(feed)] == ["2"]


def test_a_number_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    header = "subscriber_id,month,counterparty_msisdn,minutes_out\n"
    land(
        tmp_path,
        "usage_call_circle_20250203.csv",
        f"{header}1,2025-01,+86 13900000001,1.005\n1,202501,(021) 555,1\n1,2025-01,-,1\n",
    )
    rows = Delivered.as_of(tmp_path, day("2025-02-03")).rows("usage_call_circle")
    assert [(row["counterparty_msisdn"], row["minutes_out"]) for row in rows] == [
        ("13900000001", 101),
        ("021555", 100),
    ]
