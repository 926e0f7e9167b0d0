"""Regions: their shapes, their people and channels, and what the reference feeds say of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator.identity import BATCHES
from orchestration.simulator.organisation import (
    AGENT,
    AGENT_TYPES,
    CHANNEL_TYPES,
    MOST_REGIONS,
    ROLES,
    SALES_SHARES,
    Organisation,
    organisation,
)
from orchestration.simulator.people import JOINERS_A_DAY
from orchestration.simulator.reference import reference_tables

OPENED = 20_089  # 2025-01-01
SMALL, MIDDLE, LARGE = 1_000, 20_000, 250_000


@pytest.fixture(scope="module")
def forty() -> list[Organisation]:
    """An operator of ten million in forty regions."""
    return [organisation(LARGE, region, 40) for region in range(40)]


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return reference_tables([organisation(MIDDLE, region, 3) for region in range(3)], OPENED)


@pytest.mark.parametrize(
    ("subscribers", "cities", "branches"),
    [(50, 2, 6), (SMALL, 2, 6), (2_000, 3, 9), (9_999, 3, 9), (MIDDLE, 4, 12), (LARGE, 4, 16)],
)
def test_trees_grow_with_the_region(subscribers: int, cities: int, branches: int) -> None:
    tree = organisation(subscribers)
    levels = Counter(unit.level for unit in tree.units)
    assert levels == {"PROVINCE": 1, "CITY": cities, "BRANCH": branches}
    parents = {unit.org_id: unit.parent_org_id for unit in tree.units}
    assert parents[tree.province_id] == "HQ"
    assert all(parents[city] == tree.province_id for city in tree.city_ids)
    for branch, city in zip(tree.branch_ids, tree.branch_city, strict=True):
        assert parents[branch] == tree.city_ids[city]
    assert subscribers < MIDDLE or 10_000 <= LARGE / organisation(LARGE).branches <= 20_000


def test_forty_regions_share_no_identifier_and_no_name(forty: list[Organisation]) -> None:
    for ids in (
        [unit.org_id for tree in forty for unit in tree.units],
        [unit.name_zh for tree in forty for unit in tree.units],
        [unit.name_en for tree in forty for unit in tree.units],
        [member.staff_id for tree in forty for member in tree.staff],
        [channel.channel_id for tree in forty for channel in tree.channels],
        [agent.agent_id for tree in forty for agent in tree.agents],
    ):
        assert len(ids) > 500
        assert len(set(ids)) == len(ids)
    every = [organisation(MIDDLE, region, MOST_REGIONS) for region in range(MOST_REGIONS)]
    assert len({name for tree in every for name in tree.city_names}) == 4 * MOST_REGIONS


def test_a_region_does_not_depend_on_how_many_others_there_are() -> None:
    assert organisation(MIDDLE, 2, 3) == organisation(MIDDLE, 2, 40)
    assert organisation(MIDDLE) == organisation(MIDDLE, 0, 7)
    for region, regions in ((3, 3), (-1, 3), (0, MOST_REGIONS + 1)):
        with pytest.raises(ValueError, match=f"region {region} of {regions}"):
            organisation(MIDDLE, region, regions)


@pytest.mark.parametrize("subscribers", [SMALL, MIDDLE, LARGE])
def test_branches_can_work_their_lists(subscribers: int) -> None:
    """Each role is there; calls for one subscriber in a hundred a day, visits for one in 500."""
    tree = organisation(subscribers)
    roles = Counter((member.branch, member.role) for member in tree.staff)
    assert len(roles) == tree.branches * len(ROLES)
    calls, visits = Counter[int](), Counter[int]()
    for member in tree.staff:
        calls[member.branch] += member.calls
        visits[member.branch] += member.visits
    assert min(calls.values()) >= tree.subscribers_a_branch / 100
    assert min(visits.values()) >= tree.subscribers_a_branch / 500
    assert [member.staff_id for member in tree.staff] == sorted(m.staff_id for m in tree.staff)


def test_work_is_spread_over_the_members_of_a_role() -> None:
    tree = organisation(LARGE)
    slots = np.arange(20_000)
    branches, roles = slots % tree.branches, slots // 7 % len(ROLES)
    first = tree.staff_of(branches, roles)
    spread = tree.staff_of(branches, roles, slots)
    for chosen in (first, spread):
        assert [tree.staff[i].branch for i in chosen] == branches.tolist()
        assert [tree.staff[i].role for i in chosen] == roles.tolist()
    assert len(np.unique(first)) == tree.branches * len(ROLES)
    assert len(np.unique(spread)) == len(tree.staff)
    busy = np.bincount(spread)[[m.role == ROLES.index("CALL_AGENT") for m in tree.staff]]
    assert busy.max() < 3 * busy.min()
    anybody = tree.staff_of(branches, np.full(len(slots), -1))
    assert {tree.staff[i].role for i in anybody} == {0}


@pytest.mark.parametrize("subscribers", [SMALL, MIDDLE, LARGE])
def test_agents_activate_about_sixty_in_half_a_year(subscribers: int) -> None:
    tree = organisation(subscribers)
    assert cat.PLANNED_JOINERS_A_DAY == JOINERS_A_DAY
    assert {agent.branch for agent in tree.agents} == set(range(tree.branches))
    sold = subscribers * JOINERS_A_DAY * 180 * SALES_SHARES[AGENT]
    if len(tree.agents) > tree.branches:
        assert 50 <= sold / len(tree.agents) <= 70
    for agent in tree.agents:
        assert tree.channels[agent.channel].channel_type == "AGENT"
        assert tree.channels[agent.channel].branch == agent.branch
    assert {channel.channel_type for channel in tree.channels} == set(CHANNEL_TYPES)
    assert tree.hall(1) == tree.channels[1].channel_id
    assert tree.channels[1].branch == 1


def test_sellers_are_of_the_branch_in_their_shares() -> None:
    tree = organisation(MIDDLE)
    n = 300_000
    branches = np.arange(n) % tree.branches
    channel, agent = tree.seller_of(branches, np.random.default_rng(3).random(n))
    kinds = np.array([c.kind for c in tree.channels])[channel]
    shares = np.bincount(kinds, minlength=len(CHANNEL_TYPES)) / n
    assert np.abs(shares - SALES_SHARES).max() < 0.005
    sold = agent >= 0
    assert (sold == (kinds == AGENT)).all()
    assert (np.array([a.branch for a in tree.agents])[agent[sold]] == branches[sold]).all()
    assert (tree.agent_channels[agent[sold]] == channel[sold]).all()
    places = np.array([c.branch for c in tree.channels])[channel]
    city_of = np.array(tree.branch_city)
    here = places >= 0
    assert (city_of[places[here]] == city_of[branches[here]]).all()
    outsourced = kinds == CHANNEL_TYPES.index("OUTSOURCED_HALL")
    assert (places[here & ~outsourced] == branches[here & ~outsourced]).all()
    of_channels = np.bincount(channel, minlength=len(tree.channels)) / n
    assert np.abs(of_channels - tree.sales_shares).max() < 0.003
    assert np.bincount(agent[sold], minlength=len(tree.agents)).min() > 0.8 * sold.sum() / len(
        tree.agents
    )


def test_reference_tables_hold_all_regions_and_one_headquarters(
    tables: dict[str, pa.Table],
) -> None:
    units = tables["org_units"]
    ids = units["org_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 1 + 3 * (1 + 4 + 12)
    assert Counter(units["org_level"].to_pylist())["HQ"] == 1
    parents = dict(zip(ids, units["parent_org_id"].to_pylist(), strict=True))
    assert parents.pop("HQ") is None
    assert set(parents.values()) <= set(ids)
    channels = set(tables["org_channels"]["channel_id"].to_pylist())
    for feed, key in (("org_staff", "staff_id"), ("org_channels", "channel_id")):
        rows = tables[feed]
        assert len(set(rows[key].to_pylist())) == len(rows)
        assert set(rows["org_id"].to_pylist()) <= set(ids)
    staff = tables["org_staff"].to_pylist()
    assert {row["channel_id"] for row in staff} <= channels
    assert {row["employment"] for row in staff} == {
        "LONG_CONTRACT",
        "SHORT_CONTRACT",
        "DISPATCHED",
    }
    sections = {row["section_id"] for row in staff}
    assert None in sections
    assert all(s is None or (s.startswith("P") and s[-3:] in ("S01", "S02")) for s in sections)


def test_some_agents_moved_once_before_the_opening(tables: dict[str, pa.Table]) -> None:
    spells: dict[str, list[dict]] = {}
    for row in tables["org_agents"].to_pylist():
        spells.setdefault(row["agent_id"], []).append(row)
    moved = [rows for rows in spells.values() if len(rows) > 1]
    assert 0.04 < len(moved) / len(spells) < 0.16
    opened = pa.scalar(OPENED, pa.int32()).cast(pa.date32()).as_py()
    for before, after in moved:
        assert before["channel_id"] != after["channel_id"]
        assert (after["valid_from"] - before["valid_to"]).days == 1
        assert 0 < (opened - after["valid_from"]).days <= 180
        assert after["valid_to"] is None
    assert {rows[0]["agent_type"] for rows in spells.values()} == set(AGENT_TYPES)


def test_competitors_offers_are_like_ours_some_cheaper_some_over(
    tables: dict[str, pa.Table],
) -> None:
    rows = tables["market_competitor_offers"].to_pylist()
    opened = pa.scalar(OPENED, pa.int32()).cast(pa.date32()).as_py()
    each = Counter((row["org_id"], row["competitor"]) for row in rows)
    assert set(each.values()) == {4}
    assert len(each) == 3 * 4 * len(cat.COMPETITORS)
    assert len({row["competitor_offer_id"] for row in rows}) == len(rows)
    cheaper = 0
    for row in rows:
        fee, gb = float(row["monthly_fee_cny"]), float(row["data_mb"]) / 1000
        ours = [p for p in cat.PLANS if p.generation == row["network_generation"]]
        assert min(p.fee_fen for p in ours) * 0.4 <= fee * 100
        assert fee * 100 <= max(p.fee_fen for p in ours) * 1.2
        cheaper += any(p.fee_fen / 100 > fee and p.data_gb <= gb for p in ours)
        assert f"{int(gb)}GB" in row["offer_text"]
        assert f"{int(fee)}元" in row["offer_text"]
        assert 0 <= (opened - row["seen_from"]).days <= 300
        assert row["seen_to"] is None or row["seen_to"] > row["seen_from"]
    assert 0.3 < cheaper / len(rows) < 0.95
    over = [row for row in rows if row["seen_to"] is not None and row["seen_to"] < opened]
    endless = [row for row in rows if row["seen_to"] is None]
    assert len(over) > len(rows) / 20
    assert len(endless) > len(rows) / 3
    assert {row["network_generation"] for row in rows} == {"4G", "5G"}


def test_offers_name_their_bond_roles_causes_and_goods(tables: dict[str, pa.Table]) -> None:
    offers = {row["family"]: row for row in tables["market_offers"].to_pylist()}
    assert set(offers) == set(cat.FAMILY)
    for row in offers.values():
        assert row["relationship_level"] in {"FINANCIAL", "SOCIAL", "CUSTOMISED", "STRUCTURAL"}
        assert set(row["channel_roles"].split(";")) <= set(ROLES)
        assert set(row["responds_to"].split(";")) <= set(cat.CAUSES)
    in_stock = {family for family, row in offers.items() if row["stock_pool_id"]}
    assert in_stock == {"GIFT_HANDSET", "TOPUP_FOR_HANDSET", "DEVICE_UPGRADE"}
    assert in_stock == {family for family, row in offers.items() if row["tac"]}
    models = set(tables["device_models"]["tac"].to_pylist())
    assert {offers[family]["tac"] for family in in_stock} <= models
    assert len(tables["device_models"]) == len(models) == 3 * BATCHES * len(cat.DEVICES)
    products = set(tables["billing_products"]["product_id"].to_pylist())
    sold = {row["product_id"] for row in offers.values() if row["product_id"]}
    assert sold
    assert sold <= products
    assert pc.all(pc.greater_equal(tables["market_offers"]["cost_cny"], 0)).as_py()
