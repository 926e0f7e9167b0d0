"""Published lists as the field reads them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.retention.lists import LIST_SCHEMA
from orchestration.simulator import catalogue as cat
from orchestration.simulator import work_lists
from orchestration.simulator.organisation import ROLES, organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from orchestration.simulator.state import opening_state
from orchestration.simulator.today import Today, World
from orchestration.simulator.work_lists import CALL, DOOR, SMS, Orders

DAY = 20_100
LISTED_ON = date(1970, 1, 1) + timedelta(days=DAY - 1)


def read(folder: Path, columns: dict[str, Any], schema: pa.Schema | None = None) -> Orders:
    draws, tree = Draws(1), organisation(50)
    world = World(draws, tree, people(draws, tree, 50, DAY, DAY), 50, DAY)
    today = Today(world, opening_state(draws, world.people, DAY), DAY)
    path = folder / f"dt={LISTED_ON}" / "branch" / "list.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns, schema=schema), path)
    return work_lists.read(today, folder)


def test_the_publisher_s_own_form_is_understood(tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {field.name: [None, None, None, None] for field in LIST_SCHEMA} | {
        "work_order_id": ["w1", "w2", "w3", "w4"],
        "subscriber_id": ["S000000003", "S000000001", "S000000007", "S000000050"],
        "org_id": ["P1C1B1"] * 4,
        "due_date": [LISTED_ON + timedelta(days=5), LISTED_ON, None, None],
        "rank": [4, 1, 2, None],
        "action": ["NETWORK_CARE", "COMPETITOR_SAVE", "TOPUP_REMINDER", "SOMETHING_NEW"],
        "offer_family": ["NETWORK_FIX", None, "REMINDER", "NEW_FAMILY"],
        "channel": ["CALL", "DOOR_VISIT", "SMS", "PIGEON"],
        "assignee_role": ["LINE_TECHNICIAN", "VIP_MANAGER", None, "BOSS"],
        "message_class": ["SERVICE", "MARKETING", "SERVICE", None],
        "reason_1": [None, "arrears_days", None, "usage_ratio"],
    }
    orders = read(tmp_path, rows, LIST_SCHEMA)
    assert orders.work_order_ids.to_pylist() == ["w1", "w2", "w3", "w4"]
    assert orders.slots.tolist() == [2, 0, 6, 49]
    families = ["NETWORK_FIX", "MATCH_TARIFF", "REMINDER", "CARE_CALL"]
    assert orders.families.tolist() == [cat.FAMILY[family] for family in families]
    assert orders.channels.tolist() == [CALL, DOOR, SMS, CALL]
    roles = ["LINE_TECHNICIAN", "VIP_MANAGER", "CALL_AGENT", "CALL_AGENT"]
    assert orders.roles.tolist() == [ROLES.index(role) for role in roles]
    assert orders.is_marketing.tolist() == [0, 1, 0, 1]
    assert orders.is_about_payment.tolist() == [0, 1, 1, 0]
    # Never due before it can be worked; without a date some days after the list.
    assert orders.due_days.tolist() == [DAY + 4, DAY, DAY + 2, DAY + 2]
    assert orders.ranks.tolist()[:3] == [4, 1, 2]
    assert orders.ranks[3] > 1_000_000
    assert Orders.from_table(orders.to_table()).to_table().equals(orders.to_table())


def test_orders_of_other_regions_are_left_to_them(tmp_path: Path) -> None:
    orders = read(
        tmp_path,
        {
            "work_order_id": ["a", "b", "c", "d"],
            "subscriber_id": ["S000000001", "S999999999", "S999999999", "S000000051"],
            "org_id": ["ELSEWHERE", "ELSEWHERE", "P1C1B1", None],
        },
    )
    assert orders.work_order_ids.to_pylist() == ["a", "c"]
    assert orders.slots.tolist() == [0, -1]


def test_columns_of_another_kind_count_as_unknown(tmp_path: Path) -> None:
    orders = read(
        tmp_path,
        {
            "work_order_id": pa.array(["a"]).dictionary_encode(),
            "subscriber_id": ["S000000001"],
            "due_date": ["next week"],
            "rank": ["first"],
            "action": [[1, 2]],
        },
    )
    assert orders.due_days.tolist() == [DAY + 2]
    assert orders.families.tolist() == [cat.FAMILY["CARE_CALL"]]
