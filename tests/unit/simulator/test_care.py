"""What customers say: complaints and their steps, contacts with competitors, customer files."""

from __future__ import annotations

import re

import duckdb
import numpy as np
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import complaints, crm, identity, rivals
from orchestration.simulator.branches import poor_service_branches, poor_service_truth
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import LINE_CLASSES, people
from orchestration.simulator.randomness import Draws, Stream
from orchestration.simulator.state import VAS, opening_state
from orchestration.simulator.today import Today, World
from tests.unit.simulator.conftest import CARED_DAYS, CARED_FIRST, Cared

Connection = duckdb.DuckDBPyConnection
DAY = 20_000


@pytest.fixture(scope="module")
def db(cared: Cared) -> Connection:
    """The feeds, and one row a complaint: facts, the first time of each step, its branch."""
    connection = cared.db
    steps = ("OPENED", *complaints.STEPS)
    firsts = ", ".join(f"min(\"at\") filter (where step = '{step}') as {step}" for step in steps)
    connection.execute(
        "create or replace table cases as select complaint_id, any_value(subscriber_id) as"
        " subscriber_id, any_value(category) as category, any_value(cause_class) as cause_class,"
        " any_value(severity) as severity, any_value(due_at) as due_at, any_value(product_id) as"
        f" product_id, max(satisfaction) as satisfaction, {firsts} from care_complaints group by all"
    )
    return connection


def one(db: Connection, query: str) -> tuple:
    found = db.execute(query).fetchall()
    assert len(found) == 1
    return found[0]


def none(db: Connection, query: str) -> None:
    assert db.execute(query).fetchall() == []


def quiet_world(slots: int = 5_000) -> Today:
    draws, tree = Draws(4), organisation(slots)
    world = World(draws, tree, people(draws, tree, slots, DAY, DAY), slots, DAY)
    return Today(world, opening_state(draws, world.people, DAY), DAY)


def opened(today: Today, **hurt: np.ndarray) -> list[str]:
    """Categories of the complaints that open in a day with the given hurts, none otherwise."""
    branches = today.world.organisation.branches
    given = {
        "outage": np.zeros(branches),
        "wrong_bills": np.zeros(branches),
        "faulty": np.zeros(today.state.slots, dtype=bool),
    } | hurt
    u = today.uniform(Stream.CARE, "rival", "complain", "visit")["complain"]
    complaints.open_new(today, u, **given)
    rows = today.outbox.collect("care_complaints").to_pylist()
    return [row["category"] for row in rows if row["step"] == "OPENED"]


def test_complaints_are_of_every_kind(db: Connection) -> None:
    for column, values in (
        ("category", complaints.CATEGORIES),
        ("cause_class", complaints.CLASSES),
        ("severity", complaints.SEVERITIES),
        ("step", ("OPENED", *complaints.STEPS)),
        ("satisfaction", (1, 2, 3, 4, 5)),
    ):
        found = db.execute(
            f"select distinct {column} from care_complaints where {column} is not null"
        ).fetchall()
        assert {value for (value,) in found} == set(values), column


def test_steps_follow_each_other(db: Connection) -> None:
    none(
        db,
        "select * from cases where OPENED is null or ACKNOWLEDGED < OPENED or ANALYSED <="
        " ACKNOWLEDGED or RESOLVED <= ANALYSED or RECORDED <= RESOLVED or FOLLOWED_UP <= RECORDED"
        " or REOPENED <= RECORDED or WITHDRAWN <= OPENED or RESOLVED > WITHDRAWN",
    )
    none(db, 'select * from care_complaints where "at"::date <> dt')
    none(
        db,
        "select complaint_id from care_complaints c join cases using (complaint_id)"
        ' where c."at" > WITHDRAWN',
    )
    none(
        db,
        "select 1 from care_complaints where (satisfaction is not null) <> (step = 'FOLLOWED_UP')",
    )
    # What was opened again is worked off once more.
    again = one(
        db,
        "select count(*), bool_and(n > 1) from (select complaint_id, REOPENED,"
        " count(*) filter (where step = 'RESOLVED') as n from care_complaints join cases"
        " using (complaint_id) group by all) where REOPENED::date <"
        f" (date '1970-01-01' + {CARED_FIRST + CARED_DAYS - 15})",
    )
    assert again[0] > 50
    assert again[1]


def test_facts_of_a_complaint_do_not_change(db: Connection) -> None:
    none(
        db,
        "select complaint_id from care_complaints group by all having count(distinct (category,"
        " cause_class, severity, due_at, channel_id, subscriber_id)) > 1"
        " or count(distinct coalesce(product_id, '')) > 1",
    )
    channels, staff = one(
        db, "select count(distinct channel_id), count(distinct staff_id) from care_complaints"
    )
    assert channels == 13  # the halls of the 12 branches and the call centre
    assert staff >= 40
    none(
        db,
        "select 1 from cases where (product_id is not null and category not in ('BILLING',"
        " 'UNAUTHORISED_ORDER', 'SALES_PROMISE')) or (product_id is null and category ="
        " 'UNAUTHORISED_ORDER')",
    )


def test_time_to_answer_is_due_by_severity_and_sometimes_missed(db: Connection) -> None:
    none(
        db,
        "select 1 from cases where due_at <> OPENED + to_hours(case severity when 'SEVERE' then 24"
        " when 'NORMAL' then 48 else 72 end)",
    )
    late, never, all_due = one(
        db,
        "select count(*) filter (where ACKNOWLEDGED > due_at), count(*) filter (where ACKNOWLEDGED"
        " is null and coalesce(ANALYSED, WITHDRAWN) > due_at), count(*) from cases where due_at <"
        f" (date '1970-01-01' + {CARED_FIRST + CARED_DAYS - 12})",
    )
    assert late > 20
    assert never > 10
    assert 0.03 < (late + never) / all_due < 0.15
    soonest = one(db, "select min(ACKNOWLEDGED - OPENED)::varchar from cases")[0]
    assert soonest == "00:00:00"  # acknowledged in the same minute happens


def test_a_few_complain_again_and_again(db: Connection) -> None:
    often, people_who_complain = one(
        db,
        "select count(*) filter (where n > 3), count(*) from (select a.subscriber_id, max(n) as n"
        " from (select a.complaint_id, a.subscriber_id, count(*) as n from cases a join cases b"
        " on b.subscriber_id = a.subscriber_id and b.OPENED <= a.OPENED"
        " and b.OPENED::date > a.OPENED::date - 90 group by all) a group by all)",
    )
    assert often > 10
    assert often < 0.05 * people_who_complain


def test_people_complain_of_what_drives_them_away(db: Connection) -> None:
    shares = {
        (cause, category): share
        for cause, category, share in db.execute(
            "select cause, category, n / sum(n) over (partition by cause) from (select cause,"
            " category, count(*) as n from openings o join cases c on c.subscriber_id ="
            " o.subscriber_id and c.OPENED::date = o.dt group by all)"
        ).fetchall()
    }
    for cause, category in (
        ("NETWORK_QUALITY", "NETWORK"),
        ("COVERAGE", "NETWORK"),
        ("SERVICE_ATTITUDE", "SERVICE"),
        ("TERMINAL", "DEVICE"),
        ("BILL_OPACITY", "BILLING"),
        ("COMPETITOR_OFFER", "SALES_PROMISE"),
    ):
        assert shares[cause, category] > 1.8 * shares["CONTENT", category], cause
    attitude = one(
        db,
        "select avg((cause_class = 'ATTITUDE')::int) filter (where cause = 'SERVICE_ATTITUDE'),"
        " avg((cause_class = 'ATTITUDE')::int) filter (where cause = 'CONTENT') from openings o"
        " join cases c on c.subscriber_id = o.subscriber_id and c.OPENED::date = o.dt"
        " where category = 'SERVICE'",
    )
    assert attitude[0] > 0.7 > attitude[1]


def test_hurts_of_the_day_bring_complaints() -> None:
    crowd = 30_000
    calm = opened(quiet_world(crowd))
    today = quiet_world(crowd)
    branches = today.world.organisation.branches
    cut = opened(today, outage=np.ones(branches))
    assert cut.count("NETWORK") > 5 * calm.count("NETWORK") > 0
    billed = opened(quiet_world(crowd), wrong_bills=np.ones(branches))
    assert billed.count("BILLING") > 3 * calm.count("BILLING") > 0
    faulty = np.arange(today.state.slots) < 1_000
    assert opened(quiet_world(crowd), faulty=faulty).count("NETWORK") > 20 + cut.count("DEVICE")


def test_who_finds_what_they_never_ordered_complains_of_it() -> None:
    today = quiet_world()
    assert not complaints.noticed(today).any()
    today.state.unauthorised_day[:200] = DAY
    today.state.unauthorised_day[200:400] = DAY - 1
    today.state.holding[:400, VAS] = cat.FIRST_VAS
    found = opened(today)
    slots = {
        int(row["subscriber_id"][1:]) - 1
        for row in today.outbox.collect("care_complaints").to_pylist()
        if row["category"] == "UNAUTHORISED_ORDER" and row["product_id"] == "VA01"
    }
    assert 100 < len([slot for slot in slots if slot < 200]) < 140  # six in ten of them
    assert found.count("UNAUTHORISED_ORDER") < len(slots) + 10


def test_many_contacts_bring_complaints_of_contacts() -> None:
    today = quiet_world()
    today.state.contact_days[:2_500] = DAY - 1
    today.state.contact_days[2_500:] = DAY - 20
    assert opened(today).count("CONTACT_NUISANCE") >= 5
    rows = today.outbox.collect("care_complaints").to_pylist()
    annoyed = [row["subscriber_id"] for row in rows if row["category"] == "CONTACT_NUISANCE"]
    assert max(annoyed) <= "S000002500"
    consents = today.outbox.collect("crm_consents").to_pylist()
    assert {row["source"] for row in consents} == {"COMPLAINT"}
    assert {row["subscriber_id"] for row in consents} < set(annoyed)


def test_poor_service_is_planted_in_one_branch_of_eight() -> None:
    for subscribers, branches in ((300, 6), (3_000, 9), (30_000, 12)):
        tree = organisation(subscribers)
        counts = {int(poor_service_branches(tree, Draws(seed)).sum()) for seed in range(20)}
        assert tree.branches == branches
        assert counts == {max(1, round(branches / 8))}
    tree = organisation(3_000)
    planted = [poor_service_branches(tree, Draws(seed)).argmax() for seed in range(60)]
    assert len(set(planted)) == tree.branches  # any of them may be the one
    truth = poor_service_truth(tree, Draws(3))
    assert truth["org_id"].to_pylist() == list(tree.branch_ids)
    assert truth["is_poor_service"].to_pylist() == poor_service_branches(tree, Draws(3)).tolist()


def test_poor_service_shows_in_the_complaints(cared: Cared, db: Connection) -> None:
    tree = cared.world.organisation
    poor = poor_service_branches(tree, cared.world.draws)
    names = ", ".join(f"'{tree.branch_ids[index]}'" for index in np.flatnonzero(poor))
    found = {
        is_poor: measures
        for is_poor, *measures in db.execute(
            f"select org_id in ({names}), avg((coalesce(ACKNOWLEDGED, ANALYSED) > due_at)::int),"
            " avg(RESOLVED::date - OPENED::date), avg(satisfaction),"
            " avg((cause_class in ('ATTITUDE', 'METHOD'))::int) filter (where category = 'SERVICE'),"
            " count(*) filter (where category = 'SERVICE') / any_value(lines)"
            " from cases join lines using (subscriber_id) join (select org_id in"
            f" ({names}) as is_poor, count(*) as lines from lines group by all) s"
            f" on s.is_poor = (org_id in ({names})) group by all"
        ).fetchall()
    }
    poorly, well = found[True], found[False]
    assert poorly[0] > 3 * well[0]  # answers past due
    assert poorly[1] > well[1] + 1  # days to resolve
    assert poorly[2] < well[2] - 0.7  # satisfaction
    assert poorly[3] > well[3] + 0.08  # attitude and method
    assert poorly[4] > 1.4 * well[4]  # service complaints a line


def test_forwards_begin_and_end_consistently(db: Connection) -> None:
    """A forward that was seen to begin ends once, with the same facts, before the next begins."""
    forwards = (
        "select *, lag(kind) over w as kind_before, lag(forward_type) over w as type_before,"
        " lag(competitor) over w as competitor_before, lag(forward_to_msisdn) over w as to_before,"
        ' lag("at") over w as at_before from usage_competitor_contacts where (kind ='
        " 'CALL_FORWARD_ON' and event_id not like 'CG%') or event_id like 'CE%'"
        ' window w as (partition by subscriber_id order by "at")'
    )
    none(db, f"select * from ({forwards}) where kind = kind_before")
    none(
        db,
        f"select * from ({forwards}) where kind = 'CALL_FORWARD_OFF' and (kind_before is null or"
        " forward_type is distinct from type_before or competitor is distinct from competitor_before"
        " or forward_to_msisdn <> to_before)",
    )
    same_day, longest = one(
        db,
        f'select count(*) filter (where "at"::date = at_before::date), max("at" - at_before)'
        f" from ({forwards}) where kind = 'CALL_FORWARD_OFF'",
    )
    assert same_day > 10
    assert longest.days > 45
    begun, ended = one(
        db,
        "select count(*) filter (where kind = 'CALL_FORWARD_ON'),"
        f" count(*) filter (where kind = 'CALL_FORWARD_OFF') from ({forwards})",
    )
    assert 0.4 < ended / begun < 0.8  # the others stay on
    unseen = one(
        db,
        "select count(*) from usage_competitor_contacts where kind = 'CALL_FORWARD_OFF'"
        " and event_id not like 'CE%'",
    )[0]
    assert unseen > 10  # ends of forwards that nobody saw begin


def test_contacts_name_types_and_competitors_where_they_can(db: Connection) -> None:
    none(
        db,
        "select 1 from usage_competitor_contacts where (forward_to_msisdn is not null) <>"
        " (kind in ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF')) or length(forward_to_msisdn) <> 11"
        " or (forward_type is not null and kind not in ('CALL_FORWARD_ON', 'CALL_FORWARD_OFF'))",
    )
    found = db.execute(
        "select kind, count(*), avg((competitor is null)::int), list(distinct forward_type)"
        " from usage_competitor_contacts group by all order by all"
    ).fetchall()
    assert {kind for kind, *_ in found} == set(rivals.KINDS)
    for kind, count, unknown, types in found:
        assert count > 30
        assert 0 < unknown < 0.4, kind
        if kind == "CALL_FORWARD_ON":
            assert set(types) - {None} == set(rivals.FORWARD_TYPES)
    numbers = one(
        db,
        "select count(*) from (select event_id from usage_competitor_contacts group by all"
        " having count(*) > 1)",
    )
    assert numbers == (0,)


def test_forwards_of_others_are_delivered_as_told() -> None:
    today = quiet_world(200)
    slots = np.array([3, 4, 150])
    seconds = today.at(np.array([0.1, 0.2, 0.3]))
    before = today.state.forward_off_day.copy()
    rivals.forward(today, slots, "CALL_FORWARD_ON", seconds, np.array([0, 2, -1]))
    rivals.forward(today, slots, "CALL_FORWARD_OFF", seconds + 60, np.array([0, 2, -1]))
    rows = today.outbox.collect("usage_competitor_contacts").to_pylist()
    assert [row["kind"] for row in rows] == ["CALL_FORWARD_ON"] * 3 + ["CALL_FORWARD_OFF"] * 3
    assert [row["competitor"] for row in rows[:3]] == [cat.COMPETITORS[0], cat.COMPETITORS[2], None]
    for on, off in zip(rows[:3], rows[3:], strict=True):
        assert on["forward_type"] == off["forward_type"] in {"CFU", "CFB"}
        assert on["forward_to_msisdn"] == off["forward_to_msisdn"]
    assert len({row["event_id"] for row in rows}) == 6
    assert np.array_equal(before, today.state.forward_off_day)


def test_numbers_change_under_the_line(db: Connection) -> None:
    changed, owners = one(
        db,
        "select count(*) filter (where n > 1), max(m) from (select subscriber_id, count(distinct"
        " msisdn) as n from crm_subscribers group by all), (select max(c) as m from (select"
        " count(distinct subscriber_id) as c from crm_subscribers group by msisdn))",
    )
    assert 60 < changed < 200  # of 20,000 in 100 days
    assert owners == 1
    none(
        db,
        "select subscriber_id from crm_subscribers group by all having count(distinct imsi) > 1"
        " or count(distinct customer_id) > 1 or count(distinct org_id) > 1",
    )
    none(  # the customer is reached under the newest number of the first line
        db,
        "select c.customer_id from (select customer_id, arg_max(contact_phone, dt) as phone"
        " from crm_customers group by all) c join (select subscriber_id, arg_max(msisdn, dt) as"
        " number from crm_subscribers group by all) s on s.subscriber_id = 'S' || c.customer_id[2:]"
        " where phone <> number",
    )
    slots = np.arange(2_000)
    numbers = [
        number
        for version in range(6)
        for number in identity.msisdn(slots, np.full(2_000, version)).to_pylist()
    ]
    assert len(set(numbers)) == 12_000


def test_some_names_and_identity_numbers_are_bad(db: Connection) -> None:
    """By plain arithmetic: wrong check digits and placeholders are those marked unverified."""
    persons = db.execute(
        "select distinct on (customer_id) name, id_number, real_name_status from crm_customers"
        " where org_class = 'INDIVIDUAL' order by customer_id, dt"
    ).fetchall()
    bad = 0
    for name, number, status in persons:
        total = sum(2 ** (17 - place) % 11 * int(digit) for place, digit in enumerate(number[:17]))
        is_broken = number[17] != "10X98765432"[total % 11]
        is_nameless = name in identity.PLACEHOLDER_NAMES
        assert (status == "UNVERIFIED") == (is_broken or is_nameless)
        bad += is_broken or is_nameless
    assert 0.003 < bad / len(persons) < 0.009


def test_customers_change(db: Connection) -> None:
    address, level, less = one(
        db,
        "select count(*) filter (where a > 1), count(*) filter (where v > 1), count(*) filter"
        " (where p) from (select customer_id, count(distinct address) as a, count(distinct"
        " vip_level) as v, bool_or(points_balance < before) as p from (select *,"
        " lag(points_balance) over (partition by customer_id order by dt) as before"
        " from crm_customers) group by all)",
    )
    assert address > 100
    assert level > 100
    assert less > 500
    none(  # a VIP's lines have a manager of their branch
        db,
        "select s.subscriber_id from (select subscriber_id, any_value(customer_id) as customer_id,"
        " arg_max(coalesce(manager_id, '-'), dt) as manager from crm_subscribers group by all) s"
        " join (select customer_id, arg_max(vip_level, dt) as level from crm_customers group by all)"
        " using (customer_id) where (level > 0) <> (manager <> '-')",
    )
    bars = db.execute("select distinct service_bars from crm_subscribers").fetchall()
    assert ("ROAMING_BAR",) in bars
    assert one(db, "select count(distinct section_id) from crm_subscribers") == (48,)


def test_consents_come_and_go(db: Connection) -> None:
    found = dict(
        db.execute(
            "select is_granted, count(*) from crm_consents where source <> 'ACTIVATION' group by all"
        ).fetchall()
    )
    assert found[True] > 200
    assert found[False] > 300
    none(db, "select 1 from crm_consents where source <> 'ACTIVATION' and changed_at::date <> dt")
    unproven = one(db, "select avg((proof_ref is null)::int) from crm_consents")[0]
    assert 0.01 < unproven < 0.06


def test_firms_own_many_lines() -> None:
    today = quiet_world(400)
    owners = np.arange(today.world.people.slots)
    for first in range(0, 400, 20):
        owners[first : first + 8] = first
    ties = today.world.people.ties
    object.__setattr__(ties, "customer_slot", owners)
    object.__setattr__(ties, "is_firm", np.bincount(owners)[owners] > 1)
    crm.deliver_customers(today, today.joined_slots)
    crm.deliver_subscribers(today, today.joined_slots)
    customers = {
        row["customer_id"]: row for row in today.outbox.collect("crm_customers").to_pylist()
    }
    lines = [row["customer_id"] for row in today.outbox.collect("crm_subscribers").to_pylist()]
    assert len(customers) == 400 - 20 * 7
    assert {owner for owner in lines if lines.count(owner) > 1} == {
        owner for owner, row in customers.items() if row["org_class"] != "INDIVIDUAL"
    }
    classes = {row["org_class"] for row in customers.values()}
    assert classes == {"INDIVIDUAL", "GROUP", "GOVERNMENT"}
    for row in customers.values():
        is_person = row["org_class"] == "INDIVIDUAL"
        assert is_person == (row["birthday"] is not None) == (row["gender"] is not None)
        assert is_person == (row["id_type"] == "ID_CARD")
        if row["org_class"] == "GROUP":
            assert re.search("有限公司$", row["name"])


def test_lines_tell_their_service_where_people_have_one() -> None:
    today = quiet_world(100)
    slots = today.joined_slots
    crm.deliver_subscribers(today, slots[:50])
    kinds = np.where(np.arange(today.world.people.slots) % 2 == 0, "BROADBAND", "MOBILE")
    classes = (np.arange(today.world.people.slots) % 5 == 0).astype(np.int64)
    object.__setattr__(today.world.people, "service_type", kinds)
    object.__setattr__(today.world.people, "line_class", classes)
    names = np.array(LINE_CLASSES)[classes[50:100]]
    crm.deliver_subscribers(today, slots[50:])
    rows = today.outbox.collect("crm_subscribers").to_pylist()
    told = [(row["service_type"], row["line_class"]) for row in rows]
    assert {service for service, _ in told[:50]} == {"MOBILE"}
    assert told[50:] == list(zip(kinds[50:100].tolist(), names.tolist(), strict=True))


def test_few_draws_depend_on_the_key_alone() -> None:
    draws = Draws(9)
    keys = np.array([5, 900, 17, 2**40])
    u = draws.few(Stream.COMPLAINTS, DAY, keys, ("a", "b"))
    again = draws.few(Stream.COMPLAINTS, DAY, keys[::-1], ("a", "b"))
    assert np.array_equal(u["b"], again["b"][::-1])
    many = draws.few(Stream.COMPLAINTS, DAY, np.arange(200_000), ("a", "b"))
    for name, values in many.items():
        assert 0 <= values.min() < 0.0001 < 0.9999 < values.max() < 1, name
        assert abs(values.mean() - 0.5) < 0.003
        others = draws.few(Stream.COMPLAINTS, DAY + 1, np.arange(200_000), (name,))[name]
        assert abs(np.corrcoef(values, others)[0, 1]) < 0.01
    assert abs(np.corrcoef(many["a"], many["b"])[0, 1]) < 0.01
