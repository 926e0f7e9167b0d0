"""Personal data stays in the vault: tokens, derived facts, and a search for planted values."""

from __future__ import annotations

import hashlib
import hmac
import stat
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing.personal import (
    bind_placeholder_names,
    bind_token_key,
    is_placeholder,
    is_valid_id_number,
    load_placeholder_names,
    normalised,
    token,
)
from orchestration.landing.vault import read_vault
from orchestration.settings import DBT_PROJECT_DIR
from tests.unit.landing.conftest import DAY, KEYS, Door

VALID_ID = "11010519491231002X"  # the example of GB 11643-1999
OTHER_ID = "440524188001010014"


def evaluate(sql: str, value: Any) -> Any:
    with duckdb.connect() as connection:
        bind_token_key(connection, KEYS.token)
        bind_placeholder_names(connection, load_placeholder_names(DBT_PROJECT_DIR / "seeds"))
        row = connection.execute(f"select {sql} from (select $1::varchar as x)", [value]).fetchone()
    assert row is not None
    return row[0]


def hmac_of(text: str) -> str:
    return hmac.new(KEYS.token, text.encode(), hashlib.sha256).hexdigest()


@given(st.text(max_size=80).filter(lambda text: "\0" not in text), st.binary(max_size=64))
@settings(max_examples=60, deadline=None)
def test_tokens_are_hmac_sha256(text: str, key: bytes) -> None:
    """The token in SQL equals Python's (RFC 2104)."""
    with duckdb.connect() as connection:
        bind_token_key(connection, key)
        row = connection.execute(f"select {token('x')} from (select $1::varchar as x)", [text])
        assert row.fetchone() == (hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),)


@pytest.mark.parametrize(
    ("personal", "value", "expected"),
    [
        ("phone", "139-0000 0001", "13900000001"),
        ("phone", "+86 13900000001", "13900000001"),
        ("phone", "008613900000001", "13900000001"),
        ("phone", "8613900000001", "13900000001"),
        ("phone", "86123456789", "86123456789"),
        ("phone", "10086", "10086"),
        ("phone", "n/a", None),
        ("imei", "35-209900-176148-1", "35209900176148"),
        ("imei", "3520990017614823", "35209900176148"),
        ("imsi", " 460001234567890", "460001234567890"),
        ("iccid", "8986 0012", "89860012"),
        ("id_number", " 11010519491231002x ", VALID_ID),
        ("area", " A1 ", "A1"),
        ("area", None, None),
    ],
)
def test_identifiers_have_one_form(personal: str, value: str | None, expected: str | None) -> None:
    assert evaluate(normalised(personal, "x"), value) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (VALID_ID, True),
        ("110105194912310021", False),
        (OTHER_ID, True),
        ("110105194913310020", False),
        ("11010519491231002Y", False),
        ("A1010519491231002X", False),
        ("110105491231002", None),
        ("E12345678", None),
        (None, None),
    ],
)
def test_check_digit_of_id_numbers(number: str | None, expected: bool | None) -> None:
    assert evaluate(is_valid_id_number("x"), number) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("王小明", False),
        ("12345", True),
        ("XXX", True),
        ("无", True),
        (" 测试用户 ", True),
        ("Unknown", True),
        ("Ann", False),
        ("  ", None),
        ("\u3000", None),
        (None, None),
    ],
)
def test_placeholder_names(name: str | None, expected: bool | None) -> None:
    assert evaluate(is_placeholder("x"), name) is expected


def test_facts_and_tokens_in_raw(door: Door) -> None:
    header = "customer_id,name,id_number,birthday,address,contact_phone\n"
    rows = [
        f"C1,王小明,{VALID_ID.lower()},,北京,+86 139 0000 0001\n",
        "C2,,E123,1980-02-03,  ,13900000002\n",
        f"C3,x,{VALID_ID},1980-02-03,,\n",
    ]
    door.deliver("crm_customers_20250301.csv", header + "".join(rows))
    door.ingest(
        "crm_customers", placeholder_names=load_placeholder_names(DBT_PROJECT_DIR / "seeds")
    )
    first, second, third = door.raw("crm_customers")
    assert "name" not in first
    assert first["contact_phone_token"] == hmac_of("13900000001")
    assert first["id_number_token"] == third["id_number_token"] == hmac_of(VALID_ID)
    facts = ("birth_year", "id_number_is_valid", "name_is_placeholder", "has_address")
    assert [[row[fact] for fact in facts] for row in (first, second, third)] == [
        [1949, True, False, True],
        [1980, None, None, False],
        [1980, True, True, False],
    ]


def test_a_short_code_is_told_from_the_number_of_a_person(door: Door) -> None:
    numbers = ["10086", "955 88", "123456", "1234567", "13900000001", "+86 13900000002"]
    rows = [f"S1,2025-02,{number},1" for number in numbers]
    header = "subscriber_id,month,counterparty_msisdn,minutes_out"
    door.deliver("usage_call_circle_20250301.csv", "\n".join([header, *rows]))
    door.ingest("usage_call_circle")
    told = {
        row["counterparty_msisdn_token"]: row["counterparty_is_short_code"]
        for row in door.raw("usage_call_circle")
    }
    assert [told[hmac_of(number)] for number in ("10086", "95588", "123456", "1234567")] == [
        True,
        True,
        True,
        False,
    ]
    assert told[hmac_of("13900000001")] is False


def test_an_absent_address_column_is_unknown(door: Door) -> None:
    door.deliver("crm_customers_20250301.csv", "customer_id\nC1\n")
    door.ingest("crm_customers")
    assert door.raw("crm_customers")[0]["has_address"] is None


def test_a_personal_key_column_is_compared_by_its_token(door: Door) -> None:
    """Two ways of writing one number are one key; a number without digits is none."""
    rows = ["S1,2025-02,139-0000-0001,5", "S1,2025-02,13900000001,6", "S1,2025-02,BANK,7"]
    header = "subscriber_id,month,counterparty_msisdn,minutes_out"
    door.deliver("usage_call_circle_20250301.csv", "\n".join([header, *rows]))
    (receipt,) = door.ingest("usage_call_circle")
    assert receipt.kept == 0
    assert door.reasons("usage_call_circle") == [
        (2, None, "CONFLICTING_DUPLICATE"),
        (3, None, "CONFLICTING_DUPLICATE"),
        (4, "counterparty_msisdn", "MISSING_KEY"),
    ]


def test_the_vault_holds_the_clear_rows(door: Door) -> None:
    door.deliver(
        "crm_customers_20250301.csv", "customer_id,name,contact_phone\nC1,王,139 1\n,李,2\n"
    )
    door.ingest("crm_customers")
    path = door.lake.vault("crm_customers", DAY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = read_vault(path, KEYS.vault, ["customer_id", "name", "contact_phone_token"])
    assert table.to_pylist() == [
        {"customer_id": "C1", "name": "王", "contact_phone_token": hmac_of("1391")}
    ]
    assert set(read_vault(path, KEYS.vault).column_names) == {
        *("customer_id", "name", "id_number", "birthday", "address", "contact_phone"),
        *("id_number_token", "contact_phone_token", "source_file", "source_line"),
    }
    with pytest.raises(OSError, match=r"(?i)decrypt|metadata|key"):
        read_vault(path, b"x" * 32)
    quarantined = read_vault(door.lake.vault_quarantine("crm_customers", DAY), KEYS.vault)
    assert quarantined.to_pylist() == [
        {
            "source_file": "crm_customers_20250301.csv",
            "source_line": 3,
            "raw_text": ",李,2",
        }
    ]
    assert door.quarantine("crm_customers")[0]["raw_text"] is None


def test_another_key_replaces_the_vault(door: Door) -> None:
    door.deliver("crm_customers_20250301.csv", "customer_id,name\nC1,王\n")
    door.ingest("crm_customers")
    path = door.lake.vault("crm_customers", DAY)
    before = path.read_bytes()
    door.deliver("crm_customers_20250301.csv", "customer_id,name\nC1,李\n")
    door.ingest("crm_customers")
    assert path.read_bytes() != before
    assert read_vault(path, KEYS.vault, ["name"]).to_pylist() == [{"name": "李"}]


PLANTED = {
    "name": "欧阳planted",
    "phone": "13912345678",
    "id_number": VALID_ID,
    "address": "长安街planted88号",
    "imsi": "460009876543210",
    "imei": "35209900176148",
    "birthday": "1949-12-31",
    "text": "call13912345678planted",
}


def readable(path: Path) -> str:
    """Everything in a Parquet file as text, with its metadata."""
    file = pq.ParquetFile(path)
    return f"{file.schema_arrow}{file.metadata}{file.metadata.metadata}{file.read().to_pylist()}"


def test_no_personal_value_outside_the_vault(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    """Well-formed, malformed, duplicate, refused rows with planted values: none is found (D01)."""
    p = PLANTED
    customer = f"{p['name']},{p['id_number']},{p['birthday']},{p['address']},{p['phone']}"
    header = "customer_id,name,id_number,birthday,address,contact_phone"
    customers = [
        header,
        f"C1,{customer}",
        f"C2,{customer},too,many",
        f'C3,"{customer}',
        f",{customer}",
        f"C5,{p['name']},{p['id_number']},{p['phone']},{p['address']},x",
        f"C6,{customer}",
        f"C6,{customer}9",
    ]
    door.deliver("crm_customers_20250301.csv", "\n".join(customers))
    # No header: its first row must not be quoted in the message.
    door.deliver("crm_customers_20250302.csv", "\n".join(customers[1:]))
    door.deliver(
        "crm_subscribers_20250301.csv",
        f"subscriber_id,msisdn,imsi,status\nS1,{p['phone']},{p['imsi']},{p['phone']}\nS2,{p['phone']},{p['imsi']},ACTIVE\n",
    )
    door.deliver(
        "usage_devices_20250301.csv",
        f"subscriber_id,imei,at,tac\nS1,{p['imei']}1,{p['phone']},\nS1,{p['imei']}1,20250301,35209900\n",
    )
    door.deliver(
        "field_retention_log_20250301.csv",
        f"staff_id,log_date,notes\nE1,20250301,{p['text']}\nE2,{p['text']},{p['text']}\n",
    )
    message = str(door.failure("crm_customers", [DAY, date(2025, 3, 2)]))
    for feed in ("crm_subscribers", "usage_devices", "field_retention_log"):
        (receipt,) = door.ingest(feed)
        assert (receipt.kept, receipt.quarantined) == (1, 1), feed
    assert len(door.quarantine("crm_customers")) == 6
    output = capfd.readouterr()
    places = {"message": message, "output": output.out + output.err}
    files = [path for path in door.lake.home.rglob("*") if path.is_file()]
    for path in files:
        name = str(path.relative_to(door.lake.home))
        places[name] = path.read_bytes().decode("latin-1")
        if not name.startswith("vault"):
            places[name] += readable(path)
    assert len(files) > 12
    assert places["lake/raw/crm_customers/dt=2025-03-01/part.parquet"].count("C1")
    for place, text in places.items():
        for kind, value in PLANTED.items():
            assert value not in text, f"{kind} in {place}"
            assert value.encode().decode("latin-1") not in text, f"{kind} in {place}"
