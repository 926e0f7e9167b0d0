"""How lists are worked: order book, capacities, second extraction, reports and their faults."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import simulate
from orchestration.simulator.field import DROP_REASONS, GRACE_DAYS, MOST_ATTEMPTS, _share_out
from orchestration.simulator.field_reports import (
    FAULTS,
    NO_STAFF,
    QUESTIONNAIRE,
    QUESTIONS,
    REVIVAL_DAYS,
)
from orchestration.simulator.responses import OUTCOMES
from tests.unit.simulator.conftest import Delivered

Connection = duckdb.DuckDBPyConnection
FIRST, LAST, SEED, SIZE = date(2025, 1, 1), date(2025, 3, 20), 17, 900
FIRST_LIST, LAST_LIST = date(2025, 2, 1), date(2025, 3, 15)
CROWDED = date(2025, 2, 12)  # far more visits than anybody has time for
ONE_DAY = timedelta(days=1)
DAILY = 45
FAMILIES = [family.code for family in cat.FAMILIES]
ROLES = ("CALL_AGENT", "ACCOUNT_MANAGER", "CALL_AGENT", "LINE_TECHNICIAN")
CHANNELS = ("CALL", "CALL", "CALL", "SMS", "APP", "DOOR_VISIT", "HALL")
Rows = list[dict[str, Any]]


def rows_of(sql: Connection, query: str) -> Rows:
    return sql.sql(query).to_arrow_table().to_pylist()


def statuses_by_day(world: Delivered, sql: Connection) -> dict[date, dict[str, str]]:
    """Status of every line at the end of each day, as delivered."""
    changes = defaultdict(dict)
    query = f"select subscriber_id, status, dt from {world.rows('crm_subscribers')} order by dt"
    for row in rows_of(sql, query):
        changes[row["dt"]][row["subscriber_id"]] = row["status"]
    known: dict[str, str] = {}
    days: dict[date, dict[str, str]] = {}
    day = FIRST
    while day <= LAST:
        known = known | changes.get(day, {})
        days[day] = known
        day += ONE_DAY
    return days


def order(day: date, place: int, subscriber_id: str, **more: Any) -> dict[str, Any]:
    return {
        "work_order_id": f"wo_{day:%m%d}_{place:03d}",
        "subscriber_id": subscriber_id,
        "org_id": "P1C1B1",
        "due_date": day + timedelta(days=2 + place % 3),
        "rank": place + 1,
        "action": "SAVE_CALL",
        "offer_family": FAMILIES[place % len(FAMILIES)],
        "message_class": ("MARKETING", "SERVICE")[place % 2],
        "channel": CHANNELS[place % len(CHANNELS)],
        "assignee_role": ROLES[place % len(ROLES)],
        "reason_1": "usage_ratio",
        **more,
    }


def debts_by_day(world: Delivered, sql: Connection) -> dict[date, set[str]]:
    """Who is in arrears at the end of each day, as delivered."""
    query = f"select subscriber_id, dt from {world.rows('billing_balances')} where arrears_cny > 0"
    days: dict[date, set[str]] = defaultdict(set)
    for row in rows_of(sql, query):
        days[row["dt"]].add(row["subscriber_id"])
    return days


def publish(
    folder: Path, statuses: dict[date, dict[str, str]], debts: dict[date, set[str]]
) -> None:
    """A mixed list a day and all suspended or unpaid lines; one day with far too many visits."""
    day, listed = FIRST_LIST, 0
    while day <= LAST_LIST:
        there = [s for s, status in sorted(statuses[day].items()) if status == "ACTIVE"]
        chosen = [there[(listed + n * 7) % len(there)] for n in range(DAILY)]
        rows = [order(day, place, who) for place, who in enumerate(chosen)]
        down = [s for s, status in sorted(statuses[day].items()) if "SUSPENDED" in status]
        for who in down:
            about = {"action": "SUSPENDED_LINE", "offer_family": "REMINDER", "channel": "CALL"}
            rows.append(order(day, len(rows), who, reason_1="arrears_days", **about))
        for who in sorted(debts[day] - set(down)):
            more = {"action": "BALANCE_REMINDER", "offer_family": None, "channel": "CALL"}
            rows.append(order(day, len(rows), who, **more))
        if day == CROWDED:
            visit = {"channel": "DOOR_VISIT", "assignee_role": "LINE_TECHNICIAN"}
            rows += [order(day, 300 + n, who, **visit) for n, who in enumerate(there)]
        rows.append(order(day, 998, "NOBODY"))
        rows.append(rows[0])  # listed twice
        rows.append(order(day, 999, chosen[0], rank=None, due_date=None))  # the person, twice
        path = folder / f"dt={day}" / "list.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        listed += DAILY
        day += ONE_DAY


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """The world without lists."""
    home = tmp_path_factory.mktemp("quiet")
    world = Delivered(home / "landing", home / "truth", home / "published")
    simulate(SIZE, FIRST, LAST, SEED, world.landing, world.truth, world.published)
    return world


@pytest.fixture(scope="module")
def worked(
    quiet: Delivered, sql: Connection, tmp_path_factory: pytest.TempPathFactory
) -> Delivered:
    home = tmp_path_factory.mktemp("worked")
    world = Delivered(home / "landing", home / "truth", home / "published")
    publish(world.published, statuses_by_day(quiet, sql), debts_by_day(quiet, sql))
    simulate(SIZE, FIRST, LAST, SEED, world.landing, world.truth, world.published)
    return world


@pytest.fixture(scope="module")
def statuses(worked: Delivered, sql: Connection) -> dict[date, dict[str, str]]:
    return statuses_by_day(worked, sql)


@pytest.fixture(scope="module")
def listed(worked: Delivered, sql: Connection) -> dict[str, dict[str, Any]]:
    query = (
        "select *, regexp_extract(filename, 'dt=([0-9-]+)', 1)::date as listed_on from"
        f" read_parquet('{worked.published}/*/list.parquet', filename = true,"
        " hive_partitioning = false)"
    )
    return {row["work_order_id"]: row for row in rows_of(sql, query)}


@pytest.fixture(scope="module")
def contacts(worked: Delivered, sql: Connection) -> Rows:
    """What took place, reported or not."""
    return rows_of(sql, f"from {worked.truth_of('field_contacts')} order by day, contact_id")


@pytest.fixture(scope="module")
def faults(worked: Delivered, sql: Connection) -> Rows:
    return rows_of(sql, f"from {worked.truth_of('field_faults')}")


@pytest.fixture(scope="module")
def events(worked: Delivered, sql: Connection) -> dict[str, Rows]:
    query = (
        'select work_order_id, state, drop_reason, "at"::timestamp as happened_at, staff_id,'
        f' evidence_ref from {worked.rows("field_work_order_events")} order by "at", event_id'
    )
    by_order: dict[str, Rows] = defaultdict(list)
    for row in rows_of(sql, query):
        by_order[row["work_order_id"]].append(row)
    return by_order


def by_order(rows: Rows) -> dict[str, Rows]:
    grouped: dict[str, Rows] = defaultdict(list)
    for row in rows:
        grouped[row["work_order_id"]].append(row)
    return grouped


def test_contacts_come_after_the_list_and_are_tried_again(
    contacts: Rows, listed: dict[str, dict[str, Any]]
) -> None:
    retried = 0
    again = {"NO_ANSWER", "NOT_HOME", "CALL_BACK"}
    for work_order_id, tries in by_order(contacts).items():
        assert all(row["day"] > listed[work_order_id]["listed_on"] for row in tries)
        assert {row["subscriber_id"] for row in tries} == {listed[work_order_id]["subscriber_id"]}
        assert {row["channel"] for row in tries} == {listed[work_order_id]["channel"]}
        assert len(tries) <= MOST_ATTEMPTS
        assert all(before["day"] < after["day"] for before, after in pairwise(tries))
        assert all(row["outcome"] in again for row in tries[:-1])
        retried += len(tries) > 1
    assert retried > 100
    assert {row["outcome"] for row in contacts} == set(OUTCOMES)
    persons = Counter((row["subscriber_id"], row["day"]) for row in contacts)
    assert max(persons.values()) == 1, "nobody is contacted twice a day"


def test_channels_have_their_outcomes(contacts: Rows) -> None:
    seen = defaultdict(set)
    for row in contacts:
        seen[row["channel"]].add(row["outcome"])
    texts = {"DELIVERED", "UNDELIVERED", "ACCEPTED", "OPT_OUT"}
    assert seen["SMS"] <= texts
    assert seen["APP"] <= texts
    assert "NOT_HOME" in seen["DOOR_VISIT"]
    assert not seen["DOOR_VISIT"] & {"NO_ANSWER", "WRONG_NUMBER", "CALL_BACK", "DELIVERED"}
    assert {"REACHED", "ACCEPTED", "NO_ANSWER"} <= seen["HALL"]
    assert {"WRONG_NUMBER", "CALL_BACK"} <= seen["CALL"]
    assert all((row["staff_id"] is None) == (row["channel"] in ("SMS", "APP")) for row in contacts)


def test_nobody_works_beyond_the_day_s_capacity(
    worked: Delivered, sql: Connection, contacts: Rows, events: dict[str, Rows]
) -> None:
    capacity = {
        row["staff_id"]: (int(row["daily_capacity_calls"]), int(row["daily_capacity_visits"]))
        for row in rows_of(sql, f"from {worked.rows('org_staff')}")
    }
    done: Counter[tuple[str, date, bool]] = Counter()
    for row in contacts:
        if row["staff_id"] is not None:
            done[row["staff_id"], row["day"], row["channel"] == "DOOR_VISIT"] += 1
    for (staff_id, _, is_visit), count in done.items():
        assert count <= capacity[staff_id][is_visit]
    full = [key for key, count in done.items() if count == capacity[key[0]][key[2]]]
    assert full, "the crowded day fills somebody's day"
    crowded = [o for o in events if o.startswith(f"wo_{CROWDED:%m%d}_") and int(o[8:]) >= 300]
    dropped = [e for o in crowded for e in events[o] if e["drop_reason"] == "NO_CAPACITY"]
    assert dropped
    for event in dropped:
        number = int(event["work_order_id"][8:])
        due = CROWDED + timedelta(days=2 + number % 3)
        too_late = due + timedelta(days=GRACE_DAYS + 1)
        # Looked at again on the day after, where another order of the person came first.
        assert too_late <= event["happened_at"].date() <= too_late + timedelta(days=1)
        assert event["work_order_id"] not in by_order(contacts)
    # What is worked of them is worked by rank.
    firsts = {o: rows[0]["day"] for o, rows in by_order(contacts).items() if o in set(crowded)}
    by_rank = [day for _, day in sorted(firsts.items())]
    assert np.corrcoef(np.arange(len(by_rank)), [d.toordinal() for d in by_rank])[0, 1] > 0.4


def test_work_is_shared_out_in_turns() -> None:
    pools, capacity = np.array([0, 0, 1, 0]), np.array([2, 1, 1, 3])
    wanted = np.array([0, 1, 0, 0, 1, 0, 0, 0, 0])
    assert _share_out(wanted, pools, capacity).tolist() == [
        0, 2, 1, 3, NO_STAFF, 0, 3, 3, NO_STAFF,
    ]  # fmt: skip


def test_orders_go_through_their_states(
    events: dict[str, Rows], listed: dict[str, dict[str, Any]], contacts: Rows
) -> None:
    assert set(events) == set(listed)
    tries = by_order(contacts)
    seen: set[str] = set()
    for work_order_id, rows in events.items():
        states = [row["state"] for row in rows]
        seen |= set(states)
        assert states[:2] == ["CREATED", "DISPATCHED"]
        assert rows[0]["happened_at"].date() == listed[work_order_id]["listed_on"] + ONE_DAY
        assert states.count("DROPPED") + states.count("CLOSED") <= 1
        assert states.count("ESCALATED") <= 1
        assert states.count("ASSIGNED") <= 1
        if {"DROPPED", "CLOSED"} & set(states):
            assert states[-1] in ("DROPPED", "CLOSED")
        assert ("ASSIGNED" in states) == (work_order_id in tries)
        if listed[work_order_id]["action"] == "SUSPENDED_LINE" and "ASSIGNED" in states:
            assert states.index("RE_EXTRACTED") < states.index("ASSIGNED")
        for row in rows:
            assert (row["evidence_ref"] is not None) == (row["state"] == "VISITED")
            assert (row["drop_reason"] is not None) == (row["state"] == "DROPPED")
        visits = [
            row["day"] for row in tries.get(work_order_id, []) if row["channel"] == "DOOR_VISIT"
        ]
        assert visits == [r["happened_at"].date() for r in rows if r["state"] == "VISITED"]
        for row in rows:
            due = listed[work_order_id]["due_date"]
            if row["state"] == "ESCALATED" and due is not None:
                assert row["happened_at"].date() > due
    assert seen == {
        "CREATED", "DISPATCHED", "RE_EXTRACTED", "DROPPED", "ASSIGNED", "CONTACTED", "VISITED",
        "CLOSED", "ESCALATED",
    }  # fmt: skip
    open_days = {
        o: rows[-1]["happened_at"].date()
        for o, rows in events.items()
        if rows[-1]["state"] not in ("DROPPED", "CLOSED")
    }
    assert all(listed[o]["listed_on"] > LAST - timedelta(days=20) for o in open_days)


def test_second_extraction_drops_what_has_changed(
    worked: Delivered,
    sql: Connection,
    events: dict[str, Rows],
    listed: dict[str, dict[str, Any]],
    statuses: dict[date, dict[str, str]],
    contacts: Rows,
) -> None:
    reasons: Counter[str] = Counter()
    debts = debts_by_day(worked, sql)
    talks = [r for r in contacts if r["outcome"] in ("REACHED", "ACCEPTED", "REFUSED", "OPT_OUT")]
    talked = {(row["subscriber_id"], row["day"]) for row in talks}
    for work_order_id, rows in events.items():
        on_list = listed[work_order_id]
        who, listed_on = on_list["subscriber_id"], on_list["listed_on"]
        for row in rows:
            if row["state"] != "DROPPED":
                continue
            reasons[row["drop_reason"]] += 1
            eve = row["happened_at"].date() - ONE_DAY
            then, now = statuses[listed_on].get(who), statuses[eve].get(who)
            if row["drop_reason"] not in ("UNKNOWN_LINE", "NO_CAPACITY"):
                assert "RE_EXTRACTED" in [r["state"] for r in rows]
            if row["drop_reason"] == "UNKNOWN_LINE":
                assert who == "NOBODY"
            elif row["drop_reason"] == "REVIVED":
                assert then is not None
                assert "SUSPENDED" in then
                assert now == "ACTIVE"
            elif row["drop_reason"] == "PAID":
                assert who in debts[listed_on]
                assert who not in debts[eve]
            elif row["drop_reason"] == "LEFT":
                assert then != "DEACTIVATED"
                assert now == "DEACTIVATED"
            elif row["drop_reason"] == "ALREADY_CONTACTED":
                days = (eve - listed_on).days
                assert any((who, listed_on + n * ONE_DAY) in talked for n in range(1, days + 1))
    assert set(reasons) <= set(DROP_REASONS)
    assert set(reasons) >= set(DROP_REASONS) - {"ON_HOLD"}
    # And nobody is called about a suspension that is over.
    for work_order_id, rows in by_order(contacts).items():
        on_list = listed[work_order_id]
        if on_list["action"] != "SUSPENDED_LINE":
            continue
        assert "RE_EXTRACTED" in [row["state"] for row in events[work_order_id]]
        if "SUSPENDED" in statuses[on_list["listed_on"]].get(on_list["subscriber_id"], ""):
            for row in rows:
                status = statuses[row["day"] - ONE_DAY][row["subscriber_id"]]
                assert status not in ("ACTIVE", "DEACTIVATED")


def test_reports_differ_from_what_took_place_as_the_truth_says(
    worked: Delivered, sql: Connection, contacts: Rows, faults: Rows
) -> None:
    assert {row["kind"] for row in faults} == set(FAULTS)
    delivered = rows_of(
        sql,
        f"select * exclude (filename) from {worked.rows('field_contacts')}"
        " where campaign_code is null",
    )
    told: Counter[tuple[str, date]] = Counter((r["contact_id"], r["dt"]) for r in delivered)
    expected: Counter[tuple[str, date]] = Counter((r["contact_id"], r["day"]) for r in contacts)
    day_of = {row["contact_id"]: row["day"] for row in contacts}
    for row in faults:
        contact_id, kind = row["contact_id"], row["kind"]
        if kind in ("LATE", "NEVER_REPORTED"):
            del expected[contact_id, day_of[contact_id]]
    for row in faults:
        if row["kind"] in ("LATE", "TWICE_NEXT_DAY", "TWICE_IN_A_FILE", "UNKNOWN_ORDER"):
            expected[row["contact_id"], row["delivered_on"]] += 1
            if row["kind"] == "LATE":
                assert row["delivered_on"] > row["day"]
            if row["kind"] == "UNKNOWN_ORDER":
                assert row["work_order_id"].startswith("UNKNOWN-")
    arrived = Counter({key: count for key, count in expected.items() if key[1] <= LAST})
    assert told == arrived
    # What is delivered twice is the same to the letter.
    contents: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in delivered:
        contents[row["contact_id"]].add(tuple(v for k, v in sorted(row.items()) if k != "dt"))
    assert all(len(content) == 1 for content in contents.values())
    kinds = Counter(row["kind"] for row in faults)
    assert 0.03 * len(contacts) < kinds["LATE"] < 0.08 * len(contacts)
    assert 0.005 * len(contacts) < kinds["NEVER_REPORTED"] < 0.03 * len(contacts)


def test_what_people_tell(worked: Delivered, sql: Connection, contacts: Rows) -> None:
    truth = {row["contact_id"]: row for row in contacts}
    rows = rows_of(
        sql,
        f"select * from {worked.rows('field_contacts')} where contact_id like 'FC-%'",
    )
    switched, causes, excuses = Counter[bool](), Counter[bool](), 0
    for row in rows:
        true = truth[row["contact_id"]]
        is_talk = true["outcome"] in ("REACHED", "ACCEPTED", "REFUSED", "OPT_OUT")
        told = [row["reason_code"], row["has_switched"], row["competitor"]]
        if not is_talk or true["channel"] in ("SMS", "APP"):
            assert told == [None, None, None]
            assert float(row["minutes"]) <= 0.5
        if row["has_switched"] is not None:
            switched[row["has_switched"] == "true"] += 1
            if true["stage"] == 3:
                assert row["has_switched"] == "true"
            elif true["stage"] < 2:
                assert row["has_switched"] == "false"
        if row["competitor"] is not None:
            assert true["stage"] >= 1
        if row["reason_code"] in cat.CAUSES:
            assert true["stage"] >= 1
            causes[row["reason_code"] == true["cause"]] += 1
        elif row["reason_code"] is not None:
            assert true["outcome"] == "REFUSED"
            excuses += 1
        elif true["outcome"] == "REFUSED" and true["channel"] not in ("SMS", "APP"):
            pytest.fail("a refusal has a reason")
        assert (row["offer_id"] is not None) == (true["outcome"] == "ACCEPTED")
        assert round(float(row["concession_cny"]) * 100) == true["concession_fen"]
    assert switched[True] > 3
    assert switched[False] > 100
    assert causes[True] > 4 * causes[False] > 0
    assert excuses > 50


def test_logs_are_the_sums_of_the_day(
    worked: Delivered,
    sql: Connection,
    contacts: Rows,
    faults: Rows,
    statuses: dict[date, dict[str, str]],
) -> None:
    names = ("visits", "calls", "no_answer", "saved", "refused", "concessions", "revived")
    expected: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    watched: dict[str, tuple[str, date]] = {}
    talks = ("REACHED", "ACCEPTED", "REFUSED", "OPT_OUT")
    by_day: dict[date, Rows] = defaultdict(list)
    for row in contacts:
        by_day[row["day"]].append(row)
    day = FIRST_LIST
    while day <= LAST:
        for who, (staff_id, since) in list(watched.items()):
            status = statuses[day - ONE_DAY][who]
            if status == "ACTIVE":
                expected[staff_id, day]["revived"] += 1
            if status in ("ACTIVE", "DEACTIVATED") or (day - since).days >= REVIVAL_DAYS:
                del watched[who]
        for row in by_day[day]:
            if row["staff_id"] is None:
                continue
            tally = expected[row["staff_id"], day]
            tally["visits"] += row["channel"] == "DOOR_VISIT"
            tally["calls"] += row["channel"] == "CALL"
            tally["no_answer"] += row["outcome"] in ("NO_ANSWER", "NOT_HOME")
            tally["saved"] += row["outcome"] == "ACCEPTED"
            tally["refused"] += row["outcome"] == "REFUSED"
            tally["concessions"] += row["concession_fen"]
            if row["was_suspended"] and row["outcome"] in talks:
                watched[row["subscriber_id"]] = (row["staff_id"], day)
        day += ONE_DAY
    missing = {(r["staff_id"], r["day"]) for r in faults if r["kind"] == "LOG_MISSING"}
    assert missing
    logs = rows_of(sql, f"select * from {worked.rows('field_retention_log')}")
    late = 0
    found = set()
    for row in logs:
        key = (row["staff_id"], date.fromisoformat(row["log_date"]))
        found.add(key)
        logged = [int(row[name]) for name in names if name not in ("concessions",)]
        want = [expected[key][name] for name in names if name not in ("concessions",)]
        assert logged == want, key
        assert round(float(row["concessions_cny"]) * 100) == expected[key]["concessions"]
        submitted = datetime.fromisoformat(row["submitted_at"])
        assert submitted.date() == row["dt"]
        assert key[1] <= row["dt"] <= key[1] + ONE_DAY
        assert submitted.hour >= 18 if row["dt"] == key[1] else submitted.hour < 10
        late += row["dt"] > key[1]
    assert late > 10
    owed = {key for key in expected if key[1] < LAST} - missing
    assert owed <= found
    assert not found & missing
    assert sum(tally["revived"] for tally in expected.values()) > 3


def test_questionnaires_are_asked_after_talks(
    worked: Delivered, sql: Connection, contacts: Rows
) -> None:
    talked = {
        row["contact_id"]: row
        for row in contacts
        if row["outcome"] in ("REACHED", "ACCEPTED", "REFUSED")
    }
    answers = rows_of(sql, f"select * from {worked.rows('field_questionnaires')}")
    asked = {row["contact_id"] for row in answers}
    assert 0.03 * len(talked) < len(asked) < 0.2 * len(talked)
    assert {row["questionnaire_code"] for row in answers} == {QUESTIONNAIRE}
    assert {row["question_code"] for row in answers} == set(QUESTIONS)
    leaving = Counter[bool]()
    for row in answers:
        contact = talked[row["contact_id"]]
        assert row["work_order_id"] == contact["work_order_id"]
        assert row["subscriber_id"] == contact["subscriber_id"]
        after = datetime.fromisoformat(row["at"]).date() - contact["day"]
        assert 2 <= after.days <= 4
        assert datetime.fromisoformat(row["at"]).date() == row["dt"]
        if (
            row["question_code"] == "LEAVING_REASON"
            and contact["stage"] >= 1
            and not contact["is_won_back"]
        ):
            leaving[row["answer_code"] == contact["cause"]] += 1
        if row["question_code"].endswith(("OPINION", "SATISFACTION")):
            assert row["answer_code"] in "12345"
    assert leaving[True] > leaving[False] > 0
    keys = [(r["work_order_id"], r["questionnaire_code"], r["question_code"]) for r in answers]
    assert len(set(keys)) == len(keys)
    texts = [row["answer_text"] for row in answers if row["answer_text"]]
    assert len(texts) > 20


def test_answers_and_marks_follow_the_truth(
    worked: Delivered, sql: Connection, contacts: Rows
) -> None:
    """Marks of the network fall with poor coverage: noisy, but the truth is in them."""
    marks = rows_of(
        sql,
        "select avg(answer_code::int) as mark, dominant_cause in ('COVERAGE', 'NETWORK_QUALITY')"
        f" as is_poor from {worked.rows('field_questionnaires')}"
        f" join '{worked.truth}/people/01.parquet' using (subscriber_id)"
        " where question_code = 'NETWORK_OPINION' group by all",
    )
    mark = {row["is_poor"]: row["mark"] for row in marks}
    assert mark[True] < mark[False] - 0.5


def test_the_same_lists_give_the_same_bytes_in_any_chunks(
    worked: Delivered, tmp_path: Path
) -> None:
    parts = Delivered(tmp_path / "landing", tmp_path / "truth", worked.published)
    first = FIRST
    for last in (date(2025, 2, 13), date(2025, 2, 14), date(2025, 3, 2), LAST):
        simulate(SIZE, first, last, SEED, parts.landing, parts.truth, parts.published)
        first = last + ONE_DAY
    assert parts.files() == worked.files()
    for name in ("field_contacts", "field_faults"):
        files = sorted(path.relative_to(worked.truth) for path in worked.truth.glob(f"{name}/*/*"))
        assert len(files) > 30
        for path in files:
            assert (parts.truth / path).read_bytes() == (worked.truth / path).read_bytes()


def test_a_list_of_the_bare_minimum_is_worked(tmp_path: Path, sql: Connection) -> None:
    """Nothing but ids, some of them missing, unknown, or published a second time."""
    world = Delivered(tmp_path / "landing", tmp_path / "truth", tmp_path / "published")
    for day in (FIRST, FIRST + ONE_DAY):
        path = world.published / f"dt={day}" / "list.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(
            pa.table(
                {
                    "work_order_id": ["w1", "w1", "w2", "w3", None, "w4"],
                    "subscriber_id": ["S000000001", "S000000001", "S000000002", None, "S1", "X"],
                }
            ),
            path,
        )
    empty = world.published / f"dt={FIRST + 2 * ONE_DAY}" / "list.parquet"
    empty.parent.mkdir(parents=True)
    pq.write_table(
        pa.table({"work_order_id": ["w9"], "subscriber_id": ["S000000001"]}).slice(1), empty
    )
    simulate(60, FIRST, FIRST + 8 * ONE_DAY, 3, world.landing, world.truth, world.published)
    seen = rows_of(
        sql,
        "select work_order_id, count(*) filter (state = 'CREATED') as times"
        f" from {world.rows('field_work_order_events')} group by all order by all",
    )
    assert [row["work_order_id"] for row in seen] == ["w1", "w2"]


def test_other_systems_contact_people_without_any_list(quiet: Delivered, sql: Connection) -> None:
    days = sorted(path.stem for path in (quiet.landing / "field_contacts").iterdir())
    assert len(days) == (LAST - FIRST).days + 1
    rows = rows_of(
        sql,
        "select c.*, (select arg_max(is_granted = 'true', changed_at) from"
        f" {quiet.rows('crm_consents')} n where n.subscriber_id = c.subscriber_id"
        " and n.message_class = 'MARKETING' and n.channel = c.channel"
        " and (n.source = 'ACTIVATION' or n.changed_at::date < c.\"at\"::date)) as may from"
        f" {quiet.rows('field_contacts')} c",
    )
    assert all(row["work_order_id"] is None and row["campaign_code"] for row in rows)
    assert all(row["may"] for row in rows), "only who agreed and has not taken it back"
    assert {row["message_class"] for row in rows} == {"MARKETING"}
    assert {"DELIVERED", "REACHED", "NO_ANSWER"} <= {row["outcome"] for row in rows}
    weeks = (LAST - FIRST).days / 7
    assert 0.015 * SIZE * weeks < len(rows) < 0.04 * SIZE * weeks
    assert not quiet.truth.joinpath("field_contacts").exists()


def test_campaigns_are_the_same_beside_lists(
    quiet: Delivered, worked: Delivered, sql: Connection
) -> None:
    """Who is on no list is contacted by the others on the same days with the same outcome."""
    query = (
        'select contact_id, subscriber_id, "at", outcome from {rows} where campaign_code is not'
        " null order by contact_id"
    )
    alone = rows_of(sql, query.format(rows=quiet.rows("field_contacts")))
    beside = rows_of(sql, query.format(rows=worked.rows("field_contacts")))
    on_lists = {
        row["subscriber_id"]
        for row in rows_of(sql, f"select subscriber_id from '{worked.published}/*/list.parquet'")
    }
    others = [row for row in alone if row["subscriber_id"] not in on_lists]
    assert others == [row for row in beside if row["subscriber_id"] not in on_lists]
    assert {row["contact_id"] for row in alone} & {row["contact_id"] for row in beside}
