"""A small world lived once, with lists published in its second month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import care, crm, life, network, simulate
from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import CONTENT, opening_state
from orchestration.simulator.today import Today, World

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 8)
FIRST_LIST, LAST_LIST = date(2025, 2, 10), date(2025, 3, 6)
SUBSCRIBERS, SEED = 300, 11
# The first third of the subscribers are listed in turn; nobody else ever is.
LISTED = [f"S{number:09d}" for number in range(1, SUBSCRIBERS // 3 + 1)]
ACTIONS = ("CARE_CALL", "MATCH_TARIFF", "PLAN_CHECK", "TOPUP_BONUS", "DATA_PACK", "GIFT_HANDSET")


@dataclass(frozen=True)
class Delivered:
    """The folders of one simulated operator."""

    landing: Path
    truth: Path
    published: Path

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.landing)): path.read_bytes()
            for path in sorted(self.landing.rglob("*.*"))
        }

    def rows(self, feed: str) -> str:
        """SQL that reads a feed as text, with the file's date as `dt`."""
        suffix = "parquet" if any((self.landing / feed).glob("*.parquet")) else "csv"
        glob = f"{self.landing}/{feed}/{feed}_*.{suffix}"
        stamp = r"strptime(regexp_extract(filename, '_(\d{8})\.', 1), '%Y%m%d')::date"
        if suffix == "parquet":
            return f"(select *, {stamp} as dt from read_parquet('{glob}', filename = true))"
        options = "all_varchar = true, header = true, delim = ',', quote = '\"', filename = true"
        return f"(select *, {stamp} as dt from read_csv('{glob}', {options}))"

    def truth_of(self, name: str) -> str:
        """SQL that reads the daily files of a truth table."""
        return f"read_parquet('{self.truth}/{name}/*/*.parquet', hive_partitioning = false)"


def publish(folder: Path) -> Path:
    """Lists of 20 subscribers a day, in two branches' files."""
    day = FIRST_LIST
    while day <= LAST_LIST:
        offset = (day - FIRST_LIST).days * 20
        chosen = [LISTED[(offset + place) % len(LISTED)] for place in range(20)]
        rows = pa.table(
            {
                "work_order_id": [f"wo_{day:%Y%m%d}_{place:02d}" for place in range(20)],
                "subscriber_id": [*chosen[:-1], "NOBODY"],
                "org_id": ["P1C1B1"] * 20,
                "action": [ACTIONS[place % len(ACTIONS)] for place in range(20)],
                "assignee_role": ["CALL_AGENT", "ACCOUNT_MANAGER"] * 10,
                "channel": (["CALL"] * 7 + ["SMS", "APP", "DOOR_VISIT"]) * 2,
                "message_class": ["MARKETING", "SERVICE"] * 10,
            }
        )
        for branch, part in (("A", rows.slice(0, 10)), ("B", rows.slice(10))):
            path = folder / f"dt={day}" / branch / "list.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(part, path)
        day += timedelta(days=1)
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def delivered(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    home = tmp_path_factory.mktemp("operator")
    world = Delivered(home / "landing", home / "truth", published)
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, world.landing, world.truth, published)
    return world


@pytest.fixture(scope="session")
def sql() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


CARED_SLOTS, CARED_DAYS, CARED_FIRST = 20_000, 100, 20_100
CARED_FEEDS = (
    "care_complaints",
    "care_interactions",
    "usage_competitor_contacts",
    "service_failures",
    "crm_subscribers",
    "crm_customers",
    "crm_consents",
)


@dataclass(frozen=True)
class Cared:
    """A larger world of which only minds, networks, customer files and care are lived."""

    world: World
    db: duckdb.DuckDBPyConnection
    """A table a feed (with `dt`), `lines` (subscriber, branch, slot), `levels` (org, dt, level),
    and `openings` (subscriber, dt, the cause at the opening of a complaint, CONTENT for none)."""


@pytest.fixture(scope="session")
def cared() -> Cared:
    draws, tree = Draws(29), organisation(CARED_SLOTS)
    last = CARED_FIRST + CARED_DAYS - 1
    world = World(
        draws, tree, people(draws, tree, CARED_SLOTS, CARED_FIRST, last), CARED_SLOTS, CARED_FIRST
    )
    state = opening_state(draws, world.people, CARED_FIRST)
    rows: dict[str, list[pa.Table]] = {name: [] for name in (*CARED_FEEDS, "levels", "openings")}

    def keep(name: str, day: int, table: pa.Table) -> None:
        dt = pa.array(np.full(len(table), day, dtype=np.int32), pa.date32())
        rows[name].append(table.append_column("dt", dt))

    for day in range(CARED_FIRST, last + 1):
        today = Today(world, state, day)
        if day == CARED_FIRST:
            life.begin(today)
        crm.deliver_subscribers(today, today.joined_slots)
        crm.deliver_customers(today, today.joined_slots)
        crm.deliver_consents(today, today.joined_slots)
        turns = life.think(today)
        network.live(today)
        care.live(today, turns)
        crm.live(today)
        level, wrong_bills = network.levels(today)
        levels = {"org_id": tree.branch_ids, "level": level, "wrong_bills": wrong_bills}
        keep("levels", day, pa.table(levels))
        new = np.flatnonzero(state.complaint_second // 86_400 == day)
        cause = state.cause[new].astype(np.int64)
        causes = coded(cause, cat.CAUSES, (state.stage[new] == CONTENT) | (cause < 0))
        keep(
            "openings",
            day,
            pa.table({"subscriber_id": today.ids(new), "cause": causes.fill_null("CONTENT")}),
        )
        for feed in CARED_FEEDS:
            keep(feed, day, today.outbox.collect(feed))
    connection = duckdb.connect(config={"threads": 1})
    for name, tables in rows.items():
        connection.register("kept", pa.concat_tables(tables))
        connection.execute(f"create table {name} as select * from kept")
    everybody = pa.table(
        {
            "subscriber_id": world.subscriber_ids,
            "org_id": coded(world.people.branch, tree.branch_ids),
            "slot": np.arange(world.people.slots),
        }
    )
    connection.register("kept", everybody)
    connection.execute("create table lines as select * from kept")
    return Cared(world, connection)
