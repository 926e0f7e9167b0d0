"""The field answers what was listed, and leaves everybody else alone."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import simulate
from orchestration.simulator.feeds import DAILY_FEEDS, FIELD_FEEDS, MONTHLY_FEEDS
from orchestration.simulator.responses import is_won_back, potential_factor
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from tests.unit.simulator.conftest import FIRST, LAST, LISTED, SEED, SUBSCRIBERS, Delivered

Connection = duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """The same world without any list."""
    home = tmp_path_factory.mktemp("untouched")
    world = Delivered(home / "landing", home / "truth", home / "published")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, world.landing, world.truth, world.published)
    return world


def rows_of_others(path: Path) -> pa.Table:
    """The file's rows that do not belong to a listed subscriber."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path)
    else:
        names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        types = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        rows = pacsv.read_csv(path, convert_options=types)
    if "subscriber_id" not in rows.column_names:
        return rows
    is_listed = pc.is_in(rows["subscriber_id"], value_set=pa.array(LISTED))
    return rows.filter(pc.invert(is_listed))


def test_who_is_not_listed_lives_on_untouched(delivered: Delivered, untouched: Delivered) -> None:
    others = 0
    for feed in (*DAILY_FEEDS, *MONTHLY_FEEDS):
        if feed == "crm_customers":  # holds no subscriber
            continue
        for path in sorted((untouched.landing / feed).iterdir()):
            alone = rows_of_others(path)
            beside = rows_of_others(delivered.landing / feed / path.name)
            assert alone.equals(beside), path.name
            others += len(alone)
    assert others > 10_000
    for name in FIELD_FEEDS:
        assert not (untouched.landing / name).exists()


def test_contacts_change_the_lives_of_the_listed(
    delivered: Delivered, untouched: Delivered
) -> None:
    contacted = delivered.files()
    changed = {
        name.split("/")[0]
        for name, content in untouched.files().items()
        if contacted[name] != content
    }
    assert {"billing_payments", "billing_subscriptions", "usage_devices", "crm_consents"} <= changed


def test_contacts_answer_the_lists(delivered: Delivered, sql: Connection) -> None:
    contacts = delivered.rows("field_contacts")
    lists = (
        "(select work_order_id, subscriber_id, regexp_extract(filename, 'dt=([0-9-]+)', 1)::date"
        f" as listed_on, channel, message_class from read_parquet('{delivered.published}/*/*/*',"
        " filename = true, hive_partitioning = false))"
    )
    matched = sql.execute(
        "select count(*), count(l.work_order_id), min(c.dt - l.listed_on),"
        " max(c.dt - l.listed_on),"
        ' bool_and(c."at"::date > l.listed_on), bool_and(l.subscriber_id = c.subscriber_id'
        " and l.channel = c.channel and l.message_class = c.message_class)"
        f" from {contacts} c left join {lists} l using (work_order_id)"
    ).fetchall()[0]
    total, known, soonest, latest, is_after, is_same = matched
    assert 0 < total - known < 0.1 * total  # a few carry a work order that nobody issued
    assert (soonest, is_after, is_same) == (1, True, True)
    assert 2 <= latest <= 5
    late = sql.execute(f'select count(*) from {contacts} where dt > "at"::date').fetchall()[0][0]
    assert 0 < late < 0.2 * total
    outcomes = Counter(
        dict(sql.execute(f"select outcome, count(*) from {contacts} group by all").fetchall())
    )
    assert {"REACHED", "ACCEPTED", "REFUSED", "NO_ANSWER", "OPT_OUT"} <= set(outcomes)
    listed = len(LISTED)
    assert 20 * 25 * 0.8 - listed < known <= 20 * 25


def test_opting_out_withdraws_the_consent(delivered: Delivered, sql: Connection) -> None:
    withdrawn = sql.execute(
        f"select subscriber_id, channel from {delivered.rows('crm_consents')}"
        " where source = 'OPT_OUT' and is_granted = 'false' and message_class = 'MARKETING'"
    ).fetchall()
    opted_out = sql.execute(
        f"select subscriber_id, channel from {delivered.rows('field_contacts')}"
        " where outcome = 'OPT_OUT'"
    ).fetchall()
    assert set(opted_out) == set(withdrawn) != set()


def test_work_orders_go_through_their_states(delivered: Delivered, sql: Connection) -> None:
    events = delivered.rows("field_work_order_events")
    orders = sql.execute(
        "select work_order_id, list(state order by state), max(drop_reason),"
        f' arg_min(state, "at") from {events} group by all'
    ).fetchall()
    assert len(orders) == 25 * 20
    for work_order_id, states, drop_reason, first in orders:
        assert first == "DISPATCHED"
        is_dropped = "DROPPED" in states
        assert is_dropped == (drop_reason is not None)
        assert is_dropped != ("ASSIGNED" in states)
        if work_order_id.endswith("_19"):  # the line that we do not have
            assert drop_reason == "UNKNOWN_LINE"


def test_the_retention_log_counts_the_contacts(delivered: Delivered, sql: Connection) -> None:
    log = sql.execute(
        "select sum(visits::int), sum(calls::int), sum(saved::int), sum(refused::int)"
        f" from {delivered.rows('field_retention_log')}"
    ).fetchall()[0]
    # Contacts of the last days may still be on their way.
    contacts = sql.execute(
        "select count(*) filter (where channel = 'DOOR_VISIT'), count(*) filter (where channel ="
        " 'CALL'), count(*) filter (where outcome = 'ACCEPTED'), count(*) filter (where outcome ="
        f" 'REFUSED') from {delivered.rows('field_contacts')} where staff_id is not null"
    ).fetchall()[0]
    for logged, delivered_contacts in zip(log, contacts, strict=True):
        assert delivered_contacts <= logged <= delivered_contacts + 5


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published" / f"dt={FIRST - timedelta(days=1)}" / "list.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"work_order_id": ["wo_1"]}), path)
    with pytest.raises(ValueError, match=r"list\.parquet: .* needs the column subscriber_id"):
        simulate(50, FIRST, FIRST, 3, tmp_path / "l", tmp_path / "t", tmp_path / "published")


def test_right_remedies_help_wrong_ones_do_not_and_some_are_harmed() -> None:
    crowd = people(Draws(5), organisation(20_000), 20_000, 20_000, 20_000)
    slots, n = np.arange(crowd.slots), crowd.slots
    family = np.full(n, cat.FAMILY["NETWORK_FIX"])
    right = potential_factor(crowd, slots, family, np.full(n, cat.CAUSE["COVERAGE"]))
    wrong = potential_factor(crowd, slots, family, np.full(n, cat.CAUSE["COMPETITOR_OFFER"]))
    dogs = crowd.is_sleeping_dog
    assert 0.05 < dogs.mean() < 0.09
    assert right[~dogs].max() < 1
    assert 0.5 < right[~dogs].mean() < 0.65
    assert (wrong[~dogs] == 1).all()
    assert (wrong[dogs] > 1).all()
    back = is_won_back(crowd, slots, family, np.full(n, cat.CAUSE["COVERAGE"]))
    assert 0.4 < back.mean() < 0.5
    assert not back[dogs].any()
    assert not is_won_back(crowd, slots, family, np.full(n, cat.CAUSE["TERMINAL"])).any()
