"""A small operator lived once: its days loaded, two lists worked, their effect measured.

The landing zone holds what the simulator delivers and a few things planted in it: rows that are no
good, personal values that must not get out, a correction that comes weeks later, a feed that does
not come on one day. What the home holds is noted at each turn, so that tests can compare.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.installation import Installation
from orchestration.lake import Lake
from orchestration.runs import Runner, prepare_dagster_home
from orchestration.settings import Settings
from orchestration.simulator import simulate
from tests.conftest import DAGSTER_VARIABLES

OPENS = date(2025, 5, 15)
EVE = date(2025, 5, 28)
FIRST, SECOND = date(2025, 5, 29), date(2025, 5, 30)
CORRECTED_ON = date(2025, 6, 5)
LAST = date(2025, 6, 30)
EVALUATED_IN = date(2025, 7, 1)
SUBSCRIBERS, SEED = 400, 7
SECRET = "not the operator's"

# Values of people who are in rows that are no good, and in free text: each is nowhere else.
PLANTED = {
    "msisdn": "19912345678",
    "imsi": "460991234567890",
    "imei": "356938035643809",
    "id_number": "99010119800101123X",
    "name": "欧阳震华壹",
    "address": "镜湖市虚构路七百七十七号九栋",
    "note": "客户说请改打19987654321找司徒无双",
    "note_number": "19987654321",
    "answer": "家里电话18899990000,诸葛孔方接",
    "answer_number": "18899990000",
    "staff_name": "上官测试员",
}


@dataclass
class World:
    """One home and what it held at each turn."""

    settings: Settings
    marts_after_second: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lake_after_second: Mapping[str, str] = field(default_factory=dict)
    lake_before_rerun: Mapping[str, str] = field(default_factory=dict)
    published_before_rerun: Mapping[str, str] = field(default_factory=dict)
    features_before: pa.Table | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.home)

    @property
    def installation(self) -> Installation:
        return Installation(self.settings)

    @property
    def landing(self) -> Path:
        return self.settings.landing_zone

    def table(self, sql: str, **parameters: Any) -> pa.Table:
        return self.installation.warehouse.table(sql, parameters)

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return self.table(sql, **parameters).to_pylist()

    def features(self, day: date) -> pa.Table:
        sql = "select * from step1_find.churn_features where as_of_date = $day order by all"
        return self.table(sql, day=day)

    def marts(self) -> dict[str, tuple[int, int]]:
        """Every table that dbt built -> its rows and a sum over their hashes."""
        names = self.rows(
            "select table_schema || '.' || table_name as name from information_schema.tables"
            " where table_type = 'BASE TABLE' order by name"
        )
        with self.installation.warehouse.connect(read_only=True) as connection:
            return {
                row["name"]: connection.execute(
                    f"select count(*), sum(hash(t)::hugeint)::varchar from {row['name']} as t"
                ).fetchone()
                or (0, 0)
                for row in names
            }


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder -> the SHA-256 of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def landing_file(landing: Path, feed: str, dt: date, suffix: str = ".csv") -> Path:
    return landing / feed / f"{feed}_{dt:%Y%m%d}{suffix}"


def header_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def append(path: Path, *rows: Mapping[str, str]) -> None:
    """Rows at the end of a CSV file that the operator delivered."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header_of(path), restval="", lineterminator="\n")
    writer.writerows(rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text.getvalue())


def plant_bad_rows(landing: Path) -> None:
    """Rows for the quarantine, within what is tolerated, that hold personal values."""
    subscribers = landing_file(landing, "crm_subscribers", OPENS)
    who = {"msisdn": PLANTED["msisdn"], "imsi": PLANTED["imsi"]}
    append(
        subscribers,
        {"subscriber_id": "", **who},
        {"subscriber_id": "SBAD1", "status": "ASLEEP", **who},
        {"subscriber_id": "SBAD2", "activated_at": PLANTED["msisdn"], **who},
    )
    customers = landing_file(landing, "crm_customers", OPENS)
    person = {name: PLANTED[name] for name in ("name", "id_number", "address")}
    append(
        customers,
        {"customer_id": "CBAD1", "birthday": "someday", **person},
        {"customer_id": "CBAD2", "vip_level": PLANTED["name"], **person},
    )
    with customers.open("a", encoding="utf-8") as file:
        file.write(f'CBAD3,"{PLANTED["name"]}"x,{PLANTED["id_number"]}\n')
        file.write(f"CBAD4,{PLANTED['name']},{PLANTED['id_number']}\n")
    devices = landing_file(landing, "usage_devices", OPENS)
    append(
        devices,
        {"subscriber_id": "S000000001", "imei": PLANTED["imei"], "at": "noon"},
        {"subscriber_id": "", "imei": PLANTED["imei"], "at": f"{OPENS} 10:00:00"},
    )
    staff = landing_file(landing, "org_staff", OPENS)
    append(staff, {"staff_id": "X1", "staff_name": PLANTED["staff_name"]})


def plant_words(landing: Path) -> None:
    """Good rows whose free text and names must not get out; the answers are a feed of their own."""
    log = landing_file(landing, "field_retention_log", SECOND)
    append(log, {"staff_id": "X1", "log_date": str(SECOND), "notes": PLANTED["note"]})
    answers = landing_file(landing, "field_questionnaires", SECOND)
    answers.parent.mkdir(parents=True, exist_ok=True)
    answers.write_text(
        "work_order_id,questionnaire_code,question_code,answer_text,at\n"
        f'wo_x,Q1,1,"{PLANTED["answer"]}",{SECOND} 10:00:00\n',
        encoding="utf-8",
    )


def plant_corrections(landing: Path) -> None:
    """What comes weeks later and speaks of days before the first list."""
    told = landing_file(landing, "usage_daily", EVE, ".parquet")
    rows = pq.read_table(told).slice(0, 5)
    tripled = rows.set_column(
        rows.schema.get_field_index("calls_out"), "calls_out", pa.array([9999] * len(rows))
    )
    pq.write_table(tripled, landing_file(landing, "usage_daily", CORRECTED_ON, "_02.parquet"))
    path = landing_file(landing, "crm_subscribers", CORRECTED_ON)
    with path.open(encoding="utf-8", newline="") as file:
        taken = {row["subscriber_id"] for row in csv.DictReader(file)}
    opening = landing_file(landing, "crm_subscribers", OPENS)
    with opening.open(encoding="utf-8", newline="") as file:
        active = [
            row
            for row in csv.DictReader(file)
            if row["status"] == "ACTIVE" and row["subscriber_id"] not in taken
        ]
    # One in two subscribers is said to have been out of service since long before.
    append(
        path,
        *(
            row | {"status": "TWO_WAY_SUSPENDED", "status_at": f"{OPENS} 00:00:00"}
            for row in active[::2]
        ),
    )


def exported(call: Callable[[], None]) -> None:
    """Call with the environment put back afterwards."""
    before = {name: os.environ.get(name) for name in DAGSTER_VARIABLES}
    try:
        call()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def home_of(folder: Path, project: Installation, landing: Path | None = None) -> Settings:
    """Settings of a fresh home that starts with the session's parse of the dbt project."""
    manifest = folder / "dbt" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    _ = project.manifest
    manifest.write_bytes(project.manifest_path.read_bytes())
    return Settings(home=folder, landing=landing, secret_key=SECRET, start_date=OPENS, threads=2)


def live(world: World) -> None:
    settings = world.settings

    def days(first: date, last: date) -> None:
        simulate(
            SUBSCRIBERS,
            first,
            last,
            SEED,
            settings.landing_zone,
            settings.home / "truth",
            settings.home / "published",
        )

    days(OPENS, EVE)
    plant_bad_rows(settings.landing_zone)
    runner = Runner(settings, lambda step: None)
    runner.load(OPENS, EVE)
    days(FIRST, FIRST)
    runner.day(FIRST)
    days(SECOND, SECOND)
    plant_words(settings.landing_zone)
    landing_file(settings.landing_zone, "billing_payments", SECOND).unlink()
    runner.day(SECOND)
    world.marts_after_second = world.marts()
    world.lake_after_second = digests(world.lake.root)
    world.features_before = world.features(FIRST)
    days(SECOND + timedelta(days=1), LAST)
    plant_corrections(settings.landing_zone)
    runner.load(SECOND + timedelta(days=1), LAST)
    runner.month(EVALUATED_IN)
    world.lake_before_rerun = digests(world.lake.root)
    world.published_before_rerun = digests(settings.home / "published")
    runner.day(FIRST)


@pytest.fixture(scope="session")
def world(
    tmp_path_factory: pytest.TempPathFactory, project: Installation, parsed_once: None
) -> World:
    """The home after everything, the first day run once more at the very end."""
    lived = World(home_of(tmp_path_factory.mktemp("world") / "home", project))
    exported(lambda: live(lived))
    return lived


@pytest.fixture(scope="session")
def twin(
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
    project: Installation,
    parsed_once: None,
) -> World:
    """A fresh home with the same secret and the same landing zone, through the second day."""
    settings = home_of(tmp_path_factory.mktemp("twin") / "home", project, world.landing)

    def repeat() -> None:
        runner = Runner(settings, lambda step: None)
        runner.load(OPENS, EVE)
        runner.day(FIRST)
        runner.day(SECOND)

    exported(repeat)
    return World(settings)


@pytest.fixture
def dagster_home(world: World) -> Iterator[None]:
    """The world's own Dagster instance, in the environment."""
    before = {name: os.environ.get(name) for name in DAGSTER_VARIABLES}
    prepare_dagster_home(world.settings)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
