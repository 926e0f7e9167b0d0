"""Megaline: hand-made files of a few rows against landing files worked out by hand."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import Feed
from orchestration.importers import Count, import_megaline
from orchestration.importers.source_files import SourceError

Files = dict[str, str]

# Prices and allowances are not the publisher's: small, so that every boundary is near.
PLANS = """\
messages_included,mb_per_month_included,minutes_included,usd_monthly_pay,usd_per_gb,usd_per_message,usd_per_minute,plan_name
2,1024,10,15,8,0.05,0.25,small
9,5120,90,45.50,3,0.02,0.10,large
"""
USERS = """\
user_id,first_name,last_name,age,city,reg_date,plan,churn_date
007,Ada,Test,30,"Springfield-Shelbyville, XA-YB MSA",3/1/2020,small,
8,Bo,"Quote, Jr",41,"New–Town, YB MSA",3/2/2020,large,4/5/2020
"""
CALLS = """\
id,user_id,call_date,duration
007_1,007,3/1/2020,1.00
007_2,007,3/1/2020,1.01
007_3,007,3/1/2020,0.0
8_1,8,4/5/2020,2.5
8_2,8,4/6/2020,7
"""
SESSIONS = """\
id,user_id,session_date,mb_used
007_1,007,3/1/2020,0
007_2,007,3/1/2020,512.25
8_1,8,4/6/2020,10.1
"""
MESSAGES = """\
id,user_id,message_date
007_1,007,3/3/2020
8_1,8,4/30/2020
"""
SAMPLE = {
    "users": USERS,
    "plans": PLANS,
    "calls": CALLS,
    "internet": SESSIONS,
    "messages": MESSAGES,
}


def write(folder: Path, **replaced: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (SAMPLE | replaced).items():
        (folder / f"megaline_{name}.csv").write_text(text, encoding="utf-8")
    return folder


def landed(landing: Path, feed: str, dt: date) -> str:
    return (landing / feed / f"{feed}_{dt:%Y%m%d}.csv").read_text(encoding="utf-8")


def all_rows(landing: Path, feed: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted((landing / feed).iterdir()):
        with path.open(encoding="utf-8", newline="") as file:
            rows.extend(csv.DictReader(file))
    return rows


def invoice(landing: Path, user: str, month: str) -> dict[str, str]:
    rows = all_rows(landing, "billing_invoices")
    return next(row for row in rows if (row["subscriber_id"], row["month"]) == (user, month))


def test_usage_of_a_day_is_measured_not_rounded(tmp_path: Path) -> None:
    """1.00 + 1.01 minutes stay 2.01; the call of no length failed; D01."""
    import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    header = (
        "subscriber_id,usage_date,voice_out_minutes,calls_out,sms_out,data_mb,data_sessions,"
        "failed_calls\n"
    )
    assert landed(tmp_path / "landing", "usage_daily", date(2020, 3, 1)) == (
        header + "007,2020-03-01,2.01,2,0,512.25,2,1\n"
    )
    assert landed(tmp_path / "landing", "usage_daily", date(2020, 3, 2)) == header
    assert landed(tmp_path / "landing", "usage_daily", date(2020, 4, 6)) == (
        header + "8,2020-04-06,7.00,1,0,10.10,1,0\n"
    )


def test_a_user_registers_and_leaves(tmp_path: Path) -> None:
    import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    landing = tmp_path / "landing"
    header = (
        "subscriber_id,customer_id,payment_mode,service_type,line_class,activated_at,"
        "first_registered_at,org_id,status,status_reason,status_at\n"
    )
    assert landed(landing, "crm_subscribers", date(2020, 3, 1)) == header + (
        "007,007,POSTPAID,MOBILE,VOICE,2020-03-01,2020-03-01,US-XA-SPRINGFIELD-SHELBYVILLE,"
        "ACTIVE,NONE,2020-03-01\n"
    )
    assert landed(landing, "crm_subscribers", date(2020, 3, 3)) == header
    assert landed(landing, "crm_subscribers", date(2020, 4, 5)) == header + (
        "8,8,POSTPAID,MOBILE,VOICE,2020-03-02,2020-03-02,US-YB-NEW-TOWN,"
        "DEACTIVATED,CUSTOMER_REQUEST,2020-04-05\n"
    )
    assert landed(landing, "churn_events", date(2020, 4, 5)) == (
        "churn_event_id,subscriber_id,at,kind\n8-exit,8,2020-04-05,CLOSED\n"
    )
    assert landed(landing, "billing_subscriptions", date(2020, 4, 5)) == (
        "subscription_id,subscriber_id,product_id,product_kind,ordered_at,started_at,ended_at,"
        "end_reason,price_cny\n"
        "8-large,8,large,PLAN,2020-03-02,2020-03-02,2020-04-05,CUSTOMER,45.50\n"
    )
    assert landed(landing, "crm_customers", date(2020, 3, 2)) == (
        'customer_id,name\n8,"Bo Quote, Jr"\n'
    )


def test_a_user_who_leaves_on_the_first_day_has_one_row_that_day(tmp_path: Path) -> None:
    users = USERS.replace("3/1/2020,small,", "3/1/2020,small,3/1/2020")
    import_megaline(write(tmp_path / "source", users=users), tmp_path / "landing")
    states = [
        r for r in all_rows(tmp_path / "landing", "crm_subscribers") if r["customer_id"] == "007"
    ]
    assert [row["status"] for row in states] == ["DEACTIVATED"]
    holdings = all_rows(tmp_path / "landing", "billing_subscriptions")
    assert [r["end_reason"] for r in holdings if r["subscriber_id"] == "007"] == ["CUSTOMER"]


def test_areas_become_branches_of_their_first_state(tmp_path: Path) -> None:
    """D12: HQ > province > city > branch."""
    import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    assert landed(tmp_path / "landing", "org_units", date(2020, 3, 1)) == (
        "org_id,parent_org_id,org_level,name_en\n"
        "MEGALINE,,HQ,Megaline\n"
        "US,MEGALINE,PROVINCE,United States\n"
        "US-XA,US,CITY,XA\n"
        'US-XA-SPRINGFIELD-SHELBYVILLE,US-XA,BRANCH,"Springfield-Shelbyville, XA-YB MSA"\n'
        "US-YB,US,CITY,YB\n"
        'US-YB-NEW-TOWN,US-YB,BRANCH,"New–Town, YB MSA"\n'
    )


def test_plans_carry_allowances_and_prices(tmp_path: Path) -> None:
    import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    assert landed(tmp_path / "landing", "billing_plans", date(2020, 3, 1)) == (
        "plan_id,valid_from,name_en,payment_mode,monthly_fee_cny,voice_minutes,data_mb,sms_count,"
        "overage_voice_cny_per_min,overage_data_cny_per_mb,overage_sms_cny,overage_mode\n"
        "large,2020-03-01,Large,POSTPAID,45.50,90,5120,9,0.10,0.002930,0.02,BILL\n"
        "small,2020-03-01,Small,POSTPAID,15.00,10,1024,2,0.25,0.007812,0.05,BILL\n"
    )


def test_invoices_of_a_closed_month_are_released_on_the_third_of_the_next(tmp_path: Path) -> None:
    """April ends with the data (30 April): two months, two files, nothing for the exit's rest."""
    summary = import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    landing = tmp_path / "landing"
    header = (
        "subscriber_id,month,invoice_id,plan_id,plan_fee_cny,voice_overage_cny,data_overage_cny,"
        "sms_overage_cny,total_cny,voice_minutes,data_mb,sms_count,issued_on\n"
    )
    assert landed(landing, "billing_invoices", date(2020, 4, 3)) == header + (
        "007,2020-03,007-202003,small,15.00,0.00,0.00,0.00,15.00,3,512.25,1,2020-04-03\n"
        "8,2020-03,8-202003,large,45.50,0.00,0.00,0.00,45.50,0,0.00,0,2020-04-03\n"
    )
    # The call, the session and the message after 5 April are not rated.
    assert landed(landing, "billing_invoices", date(2020, 5, 3)) == header + (
        "007,2020-04,007-202004,small,15.00,0.00,0.00,0.00,15.00,0,0.00,0,2020-05-03\n"
        "8,2020-04,8-202004,large,45.50,0.00,0.00,0.00,45.50,3,0.00,0,2020-05-03\n"
    )
    assert summary.last_dt == date(2020, 5, 3)


def test_a_month_that_the_data_do_not_finish_is_not_invoiced(tmp_path: Path) -> None:
    messages = MESSAGES.replace("4/30/2020", "4/29/2020")
    summary = import_megaline(write(tmp_path / "source", messages=messages), tmp_path / "landing")
    assert {r["month"] for r in all_rows(tmp_path / "landing", "billing_invoices")} == {"2020-03"}
    assert (summary.first_dt, summary.last_dt) == (date(2020, 3, 1), date(2020, 4, 29))


@pytest.mark.parametrize(
    ("durations", "minutes", "overage"),
    [
        (["9.00", "0.99"], "10", "0.00"),  # 9 + 1: the allowance exactly used
        (["9.00", "1.00"], "10", "0.00"),
        (["9.00", "1.01"], "11", "0.25"),  # over by one
        (["0.01"] * 12, "12", "0.50"),  # every call is rounded up on its own
        (["0.00"] * 12, "0", "0.00"),
    ],
)
def test_calls_are_rated_in_whole_minutes_each(
    tmp_path: Path, durations: Sequence[str], minutes: str, overage: str
) -> None:
    rows = "".join(f"{i},007,3/9/2020,{value}\n" for i, value in enumerate(durations))
    calls = "id,user_id,call_date,duration\n" + rows
    import_megaline(write(tmp_path / "source", calls=calls), tmp_path / "landing")
    bill = invoice(tmp_path / "landing", "007", "2020-03")
    assert (bill["voice_minutes"], bill["voice_overage_cny"]) == (minutes, overage)
    assert float(bill["total_cny"]) == 15 + float(overage)


@pytest.mark.parametrize(
    ("sizes", "overage"),
    [
        (["1024.00"], "0.00"),
        (["1023.99", "0.01"], "0.00"),  # exactly used, by the month's sum
        (["1024.00", "0.01"], "8.00"),  # a hundredth of an MB opens the next GB
        (["2048.00"], "8.00"),
        (["2048.01"], "16.00"),
        (["0.50"] * 4, "0.00"),  # sessions are not rounded one by one
    ],
)
def test_data_are_rated_in_whole_gigabytes_a_month(
    tmp_path: Path, sizes: Sequence[str], overage: str
) -> None:
    rows = "".join(f"{i},007,3/9/2020,{value}\n" for i, value in enumerate(sizes))
    sessions = "id,user_id,session_date,mb_used\n" + rows
    import_megaline(write(tmp_path / "source", internet=sessions), tmp_path / "landing")
    assert invoice(tmp_path / "landing", "007", "2020-03")["data_overage_cny"] == overage


@pytest.mark.parametrize(("count", "overage"), [(2, "0.00"), (3, "0.05"), (5, "0.15")])
def test_messages_are_rated_by_the_piece(tmp_path: Path, count: int, overage: str) -> None:
    rows = "".join(f"{i},007,3/9/2020\n" for i in range(count))
    messages = "id,user_id,message_date\n" + rows + "end,007,3/31/2020\n"
    messages = messages.replace(f"{count - 1},007,3/9/2020\n", "")
    import_megaline(write(tmp_path / "source", messages=messages), tmp_path / "landing")
    bill = invoice(tmp_path / "landing", "007", "2020-03")
    assert (bill["sms_count"], bill["sms_overage_cny"]) == (str(count), overage)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["007", "8", "stranger"]),
        st.dates(date(2020, 2, 20), date(2020, 4, 10)),
        st.integers(0, 99_999),
    ),
    max_size=20,
)


@settings(max_examples=15, deadline=None)
@given(calls=EVENTS, sessions=EVENTS, messages=EVENTS)
def test_every_event_is_in_usage_once(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[str, date, int]],
    sessions: list[tuple[str, date, int]],
    messages: list[tuple[str, date, int]],
) -> None:
    """Events in = events out, minutes and MB to the hundredth, whoever and whenever; D01."""
    root = tmp_path_factory.mktemp("events")

    def text(header: str, events: list[tuple[str, date, int]], has_amount: bool) -> str:
        lines = [
            f"{i},{user},{day:%m/%d/%Y}" + (f",{amount / 100:.2f}" if has_amount else "")
            for i, (user, day, amount) in enumerate(events)
        ]
        return "\n".join([header, *lines]) + "\n"

    source = write(
        root / "source",
        calls=text("id,user_id,call_date,duration", calls, True),
        internet=text("id,user_id,session_date,mb_used", sessions, True),
        messages=text("id,user_id,message_date", messages, False),
    )
    summary = import_megaline(source, root / "landing")
    rows = all_rows(root / "landing", "usage_daily")

    def total(column: str) -> int:
        return sum(int(row[column].replace(".", "")) for row in rows)

    assert total("calls_out") + total("failed_calls") == len(calls)
    assert total("failed_calls") == sum(amount == 0 for _, _, amount in calls)
    assert total("data_sessions") == len(sessions)
    assert total("sms_out") == len(messages)
    assert total("voice_out_minutes") == sum(amount for _, _, amount in calls)
    assert total("data_mb") == sum(amount for _, _, amount in sessions)
    keys = {(row["subscriber_id"], row["usage_date"]) for row in rows}
    assert len(keys) == len(rows) == summary.rows["usage_daily"]


def test_what_is_peculiar_is_counted(tmp_path: Path) -> None:
    calls = CALLS + "007_2,007,3/1/2020,1.01\n9_1,9,3/5/2020,1\n007_0,007,2/29/2020,1\n"
    summary = import_megaline(write(tmp_path / "source", calls=calls), tmp_path / "landing")
    assert summary.set_aside == (
        Count("megaline_calls.csv", 1, "the whole row repeats an earlier one"),
    )
    assert {(c.source_file, c.what.split(";")[0], c.rows) for c in summary.observed} == {
        ("megaline_calls.csv", "user unknown", 1),
        ("megaline_calls.csv", "before registration", 1),
        ("megaline_calls.csv", "after the churn date", 1),
        ("megaline_internet.csv", "after the churn date", 1),
        ("megaline_messages.csv", "after the churn date", 1),
        ("megaline_calls.csv", "duration zero", 1),
        ("megaline_internet.csv", "no megabytes", 1),
        # 29 February to 30 April are 62 days, 7 of them with events.
        ("megaline_users.csv", "days without any event", 55),
    }
    assert summary.files["usage_daily"] == 62
    assert summary.rows["crm_subscribers"] == 3


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Twice over the same landing zone, and from the folder above, with the columns reordered."""
    source = write(tmp_path / "data" / "megaline")
    import_megaline(source, tmp_path / "landing")
    once = contents(tmp_path / "landing")
    import_megaline(source, tmp_path / "landing")
    assert contents(tmp_path / "landing") == once
    lines = CALLS.splitlines()
    write(source, calls="\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    import_megaline(tmp_path / "data", tmp_path / "other")
    assert contents(tmp_path / "other") == once


def contents(folder: Path) -> Mapping[str, bytes]:
    return {
        os.path.relpath(path, folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_column_is_of_the_contract(tmp_path: Path, feeds: Mapping[str, Feed]) -> None:
    summary = import_megaline(write(tmp_path / "source"), tmp_path / "landing")
    for name in summary.files:
        feed = feeds[name]
        for path in sorted((tmp_path / "landing" / name).iterdir()):
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                columns = list(reader.fieldnames or [])
                rows = list(reader)
            assert set(feed.required_columns) <= set(columns)
            assert set(columns) <= {column.name for column in feed.columns}
            coded = [feed.column(name) for name in columns if feed.column(name).codes]
            assert all(row[c.name] in c.codes | {""} for row in rows for c in coded)
            keys = [tuple(row[key] for key in feed.required_columns) for row in rows]
            assert len(set(keys)) == len(keys)
            assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"users": USERS.replace("churn_date", "left_on")},
            "megaline_users.csv: line 1: column 'churn_date' is missing",
        ),
        (
            {"users": USERS.replace("3/2/2020", "2020/3/2")},
            r"megaline_users.csv: line 3: column 'reg_date' is not a date \(1 such rows\)",
        ),
        (
            {"users": USERS.replace("4/5/2020", "3/1/2020")},
            "megaline_users.csv: line 3: column 'churn_date' is before reg_date",
        ),
        (
            {"users": USERS.replace("large", "huge")},
            "megaline_users.csv: line 3: column 'plan' is not a plan of megaline_plans.csv",
        ),
        (
            {"users": USERS.replace("YB MSA", "Somewhere")},
            "megaline_users.csv: line 2: column 'city' is not '<cities>, <states> MSA'",
        ),
        (
            {"users": USERS + USERS.splitlines()[1] + "\n"},
            "megaline_users.csv: line 4: column 'user_id' is repeated",
        ),
        (
            {"users": USERS.replace("007,Ada,", "007,")},
            "megaline_users.csv: line 2: 7 fields where the header has 8",
        ),
        (
            {"calls": CALLS.replace("2.5", "2.505")},
            "megaline_calls.csv: line 5: column 'duration' is not a number with up to two decimals",
        ),
        (
            {"calls": CALLS.replace("2.5", "inf")},
            "megaline_calls.csv: line 5: column 'duration' is not a number",
        ),
        (
            {"calls": CALLS.replace(",7\n", ",-7\n")},
            "megaline_calls.csv: line 6: column 'duration' is negative",
        ),
        (
            {"calls": CALLS.replace("007_2", "007_1")},
            "megaline_calls.csv: line 3: column 'id' is repeated with other values",
        ),
        (
            {"plans": PLANS.replace("1024", "1024.5")},
            "megaline_plans.csv: line 2: column 'mb_per_month_included' is not a whole number",
        ),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, replaced: Files, message: str) -> None:
    source = write(tmp_path / "source", **replaced)
    with pytest.raises(SourceError, match=message) as error:
        import_megaline(source, tmp_path / "landing")
    assert not (tmp_path / "landing").exists()
    assert "Ada" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "megaline_plans.csv").unlink()
    with pytest.raises(SourceError, match=r"^megaline_plans\.csv: no such file in .*source"):
        import_megaline(source, tmp_path / "landing")


def test_bytes_that_are_not_utf8_are_an_error_without_the_text(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    path = source / "megaline_users.csv"
    path.write_bytes(path.read_bytes().replace(b"Ada", b"Ad\xe0"))
    with pytest.raises(SourceError, match=r"^megaline_users\.csv: not a CSV file in UTF-8"):
        import_megaline(source, tmp_path / "landing")
