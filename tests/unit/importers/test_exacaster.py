"""The Exacaster panel: hand-made files of a few rows against landing files worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from orchestration.contracts import Feed
from orchestration.importers import Count, import_exacaster
from orchestration.importers.exacaster import NOTES
from orchestration.importers.source_files import SourceError

COLUMNS = (
    "year,month,user_account_id,user_lifetime,calls_outgoing_count,calls_outgoing_duration,"
    "calls_outgoing_to_offnet_duration,sms_outgoing_count,gprs_session_count,gprs_usage,"
    "reloads_count,reloads_sum,user_account_balance_last,calls_outgoing_spendings,"
    "gprs_spendings,sms_outgoing_spendings,user_spendings,reloads_inactive_days\n"
)
# 01 was activated on 31 May 2019; 02's activation is unknown in November (18,229 days before the
# 30th are 2 January 1970), known in December; 03 first appears in December, unknown.
USAGE = (
    COLUMNS
    + "2019,11,01,183,4,10.5,3.07,7,2,1.25,2,15.5,4.05,1.5,0.2,0.35,2.06,9\n"
    + "2019,11,02,18229,0,0.0,0.0,0,0,0.0,1,-3.0,0.0,0.0,0.0,0.0,0.0,3620\n"
    + "2019,12,01,214,0,0.0,0.0,0,0,0.0,0,0.0,4.05,0.0,0.0,0.0,0.0,40\n"
    + "2019,12,02,10,1,0.0,0.0,0,0,0.0,0,0.0,0.0,0.0,0.0,0.0,-0.3,3651\n"
    + "2019,12,03,18260,0,0.0,0.0,1,0,0.0,0,0.0,1.0,0.0,0.0,0.05,0.05,3651\n"
)
CHURN = "year,month,user_account_id,churn\n2020,1,01,0\n2020,1,02,1\n2020,1,03,1\n"


def write(folder: Path, usage: str = USAGE, churn: str = CHURN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "customer_usage.csv").write_text(usage, encoding="utf-8")
    (folder / "customer_churn.csv").write_text(churn, encoding="utf-8")
    return folder


def landed(landing: Path, feed: str, dt: date) -> str:
    return (landing / feed / f"{feed}_{dt:%Y%m%d}.csv").read_text(encoding="utf-8")


def test_a_month_of_usage_is_released_on_the_first_of_the_next(tmp_path: Path) -> None:
    """02's top-ups of November are unknown: reversals outweigh them."""
    import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
    header = (
        "subscriber_id,month,voice_out_minutes,voice_offnet_minutes,data_mb,topup_cny,"
        "balance_end_cny,calls_out,sms_out,data_sessions,topup_count\n"
    )
    assert landed(tmp_path / "landing", "usage_monthly", date(2019, 12, 1)) == header + (
        "01,2019-11,10.50,3.07,1.25,15.50,4.05,4,7,2,2\n02,2019-11,0.00,0.00,0.00,,0.00,0,0,0,1\n"
    )
    assert landed(tmp_path / "landing", "usage_monthly", date(2020, 1, 1)) == header + (
        "01,2019-12,0.00,0.00,0.00,0.00,4.05,0,0,0,0\n"
        "02,2019-12,0.00,0.00,0.00,0.00,0.00,1,0,0,0\n"
        "03,2019-12,0.00,0.00,0.00,0.00,1.00,0,1,0,0\n"
    )


def test_charges_add_up_to_the_panels_total(tmp_path: Path) -> None:
    """A cent that the parts do not explain is `other`; a negative total stays negative."""
    import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
    header = (
        "subscriber_id,month,voice_overage_cny,data_overage_cny,sms_overage_cny,other_cny,"
        "total_cny\n"
    )
    assert landed(tmp_path / "landing", "billing_invoices", date(2019, 12, 1)) == header + (
        "01,2019-11,1.50,0.20,0.35,0.01,2.06\n02,2019-11,0.00,0.00,0.00,0.00,0.00\n"
    )
    assert landed(tmp_path / "landing", "billing_invoices", date(2020, 1, 1)) == header + (
        "01,2019-12,0.00,0.00,0.00,0.00,0.00\n"
        "02,2019-12,0.00,0.00,0.00,-0.30,-0.30\n"
        "03,2019-12,0.00,0.00,0.05,0.00,0.05\n"
    )


def test_subscribers_appear_when_first_seen_and_change_when_known_better(tmp_path: Path) -> None:
    """D01: 01 is not repeated in December, 02's activation becomes known, 03 is new."""
    import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
    landing = tmp_path / "landing"
    header = (
        "subscriber_id,payment_mode,service_type,line_class,activated_at,status,status_reason,"
        "status_at\n"
    )
    assert landed(landing, "crm_subscribers", date(2019, 11, 30)) == header + (
        "01,PREPAID,MOBILE,VOICE,2019-05-31,ACTIVE,NONE,\n02,PREPAID,MOBILE,VOICE,,ACTIVE,NONE,\n"
    )
    assert landed(landing, "crm_subscribers", date(2019, 12, 31)) == header + (
        "02,PREPAID,MOBILE,VOICE,2019-12-21,ACTIVE,NONE,\n03,PREPAID,MOBILE,VOICE,,ACTIVE,NONE,\n"
    )
    assert landed(landing, "crm_subscribers", date(2020, 2, 1)) == header + (
        "02,PREPAID,MOBILE,VOICE,2019-12-21,DEACTIVATED,EXPIRED,2020-01-31\n"
        "03,PREPAID,MOBILE,VOICE,,DEACTIVATED,EXPIRED,2020-01-31\n"
    )


def test_an_exit_is_known_only_after_its_month(tmp_path: Path) -> None:
    """Only the month is known: dated its last day, visible from the day after."""
    import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
    assert landed(tmp_path / "landing", "churn_events", date(2020, 2, 1)) == (
        "churn_event_id,subscriber_id,at,kind\n"
        "02-202001,02,2020-01-31,EXPIRED\n"
        "03-202001,03,2020-01-31,EXPIRED\n"
    )
    assert len(list((tmp_path / "landing" / "churn_events").iterdir())) == 1


@pytest.mark.parametrize(
    ("lifetime", "activated_at"),
    [
        ("0", "2019-11-30"),
        ("29", "2019-11-01"),
        ("17865", "1971-01-01"),
        ("17866", ""),  # 31 December 1970: counted from the Unix clock's zero
    ],
)
def test_a_lifetime_counted_from_the_clocks_zero_is_unknown(
    tmp_path: Path, lifetime: str, activated_at: str
) -> None:
    usage = USAGE.replace("01,183,", f"01,{lifetime},")
    import_exacaster(write(tmp_path / "source", usage), tmp_path / "landing")
    first = landed(tmp_path / "landing", "crm_subscribers", date(2019, 11, 30)).splitlines()[1]
    assert first == f"01,PREPAID,MOBILE,VOICE,{activated_at},ACTIVE,NONE,"


def test_nothing_is_lost_silently(tmp_path: Path) -> None:
    summary = import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
    assert summary.files == {
        "crm_subscribers": 3,
        "usage_monthly": 2,
        "billing_invoices": 2,
        "churn_events": 1,
    }
    assert summary.rows == {
        "crm_subscribers": 6,
        "usage_monthly": 5,
        "billing_invoices": 5,
        "churn_events": 2,
    }
    file = "customer_usage.csv"
    assert summary.set_aside == (
        Count(file, 1, "negative reloads_sum: topup_cny is empty"),
        Count(file, 2, "user_lifetime counted from the Unix clock's zero: activated_at is empty"),
    )
    assert summary.observed == (
        Count(file, 1, "users who first appear after the first month; first seen then"),
        Count(file, 1, "the activation differs from the month before; delivered anew"),
        Count(file, 1, "calls counted but no minutes"),
        Count(file, 1, "negative user_spendings: a negative total"),
        Count(file, 2, "charges do not add up to user_spendings: in other_cny"),
    )
    assert (summary.first_dt, summary.last_dt) == (date(2019, 11, 30), date(2020, 2, 1))
    assert summary.notes == NOTES


def test_a_repeated_user_month_is_left_to_the_landing_zone(tmp_path: Path) -> None:
    """All rows are delivered: the contract's rule for duplicates drops or quarantines them."""
    repeated = USAGE.splitlines()[3]
    conflicting = repeated.replace("4.05", "4.06")
    usage = USAGE + repeated + "\n" + conflicting + "\n"
    summary = import_exacaster(write(tmp_path / "source", usage), tmp_path / "landing")
    january = landed(tmp_path / "landing", "usage_monthly", date(2020, 1, 1)).splitlines()
    assert sum(line.startswith("01,") for line in january) == 3
    assert summary.rows["usage_monthly"] == 7
    assert summary.observed[0] == Count(
        "customer_usage.csv", 2, "the user and month occur more than once; all rows delivered"
    )
    # The state did not change, whatever the balance was.
    assert summary.rows["crm_subscribers"] == 6


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order of the rows, and from the folder above."""
    import_exacaster(write(tmp_path / "source"), tmp_path / "once")
    lines = USAGE.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    write(tmp_path / "data" / "exacaster_panel", shuffled)
    import_exacaster(tmp_path / "data", tmp_path / "again")
    import_exacaster(tmp_path / "data", tmp_path / "again")
    once = {path.name: path.read_bytes() for path in (tmp_path / "once").rglob("*.csv")}
    again = {
        path.name: path.read_bytes() for path in (tmp_path / "again").rglob("*") if path.is_file()
    }
    assert again == once


def test_every_column_is_of_the_contract(tmp_path: Path, feeds: Mapping[str, Feed]) -> None:
    summary = import_exacaster(write(tmp_path / "source"), tmp_path / "landing")
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
    ("usage", "churn", "message"),
    [
        (
            USAGE.replace("gprs_usage", "gprs_megabytes"),
            CHURN,
            r"^customer_usage\.csv: line 1: column 'gprs_usage' is missing$",
        ),
        (
            USAGE.replace("2019,12,03", "2019,13,03"),
            CHURN,
            r"^customer_usage\.csv: line 6: column 'month' is not a month \(1 such rows\)$",
        ),
        (
            USAGE.replace("10.5,3.07", "-10.5,3.07"),
            CHURN,
            r"^customer_usage\.csv: line 2: column 'calls_outgoing_duration' is negative",
        ),
        (
            USAGE.replace("02,10,", "02,ten,"),
            CHURN,
            r"^customer_usage\.csv: line 5: column 'user_lifetime' is not a whole number",
        ),
        (
            USAGE,
            CHURN.replace("03,1", "03,yes"),
            r"^customer_churn\.csv: line 4: column 'churn' is neither 0 nor 1",
        ),
        (
            USAGE,
            CHURN + "2020,1,02,0\n",
            r"^customer_churn\.csv: line 3: column 'churn' is both 0 and 1 for one user and month",
        ),
        (USAGE, CHURN.splitlines()[0] + "\n", r"^customer_churn\.csv: no rows$"),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, usage: str, churn: str, message: str) -> None:
    source = write(tmp_path / "source", usage, churn)
    with pytest.raises(SourceError, match=message):
        import_exacaster(source, tmp_path / "landing")
    assert not (tmp_path / "landing").exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"customer_usage\.csv, customer_churn\.csv: no such file"
    ):
        import_exacaster(tmp_path, tmp_path / "landing")
