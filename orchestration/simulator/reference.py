"""The reference feeds, delivered on the opening day; plans again when they change.

Here: the organisation of all regions, the catalogues and what competitors were seen to offer, as
tables. Not here: their content.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import tariffs
from orchestration.simulator.feeds import KEYS, NO_VALUE, table
from orchestration.simulator.identity import BATCHES, names, tac
from orchestration.simulator.organisation import (
    CALL_CENTER,
    OUTSOURCED_HALL,
    OWN_HALL,
    ROLES,
    Member,
    Organisation,
    Unit,
)
from orchestration.simulator.randomness import scramble
from orchestration.simulator.today import Ints, day_number

_ON_SALE_SINCE = day_number(date(2020, 1, 1))
_AGENTS_SINCE = day_number(date(2012, 1, 1))
_HEADQUARTERS = Unit("HQ", None, "HQ", "云通集团总部", "Yuntong Headquarters")
_WORKPLACE = {"CALL_AGENT": CALL_CENTER, "OUTSOURCED_HALL_MANAGER": OUTSOURCED_HALL}
_STAFF_NAMES_FROM = 10**12  # apart from the names of subscribers
_KB_A_GB, _HUNDREDTHS = 1_000_000, 100

# Competitors' offers, each modelled on one of our plans.
_OFFERS_A_CITY = 4  # of each competitor, one of each kind
_PRICE_PERCENT = (70, 115)  # of our fee
_DATA_PERCENT = (90, 150)  # of our allowance
_SEEN_DAYS_BEFORE = 300  # the opening, at most
_OFFER_DAYS = (60, 480)  # that an offer with an end lasts
_ENDLESS_PERCENT = 45
_MODELS = tuple(range(1, len(cat.PLANS)))  # not the very smallest plan


def reference_tables(trees: Sequence[Organisation], opened_day: int) -> dict[str, pa.Table]:
    """Feed name -> its only file's rows, for all regions together."""
    tables = {
        "org_units": _units(trees),
        "org_staff": _staff(trees),
        "org_channels": _channels(trees),
        "org_agents": _agents(trees, opened_day),
        "billing_plans": tariffs.plan_columns(opened_day, opened_day),
        "billing_products": _products(),
        "device_models": _device_models(trees),
        "market_offers": _offers(),
        "market_competitor_offers": _competitor_offers(trees, opened_day),
    }
    built = {}
    for feed, columns in tables.items():
        key = next(iter(columns))
        rows = table(feed, len(columns[key]), columns)
        built[feed] = rows.sort_by([(name, "ascending") for name in KEYS[feed]])
    return built


def _units(trees: Sequence[Organisation]) -> dict[str, Any]:
    units = [_HEADQUARTERS, *(unit for tree in trees for unit in tree.units)]
    return {
        "org_id": [unit.org_id for unit in units],
        "parent_org_id": [unit.parent_org_id for unit in units],
        "org_level": [unit.level for unit in units],
        "name_zh": [unit.name_zh for unit in units],
        "name_en": [unit.name_en for unit in units],
    }


def _staff(trees: Sequence[Organisation]) -> dict[str, Any]:
    staff = [member for tree in trees for member in tree.staff]
    return {
        "staff_id": [member.staff_id for member in staff],
        "staff_name": names(np.arange(len(staff)) + _STAFF_NAMES_FROM),
        "org_id": [member.org_id for member in staff],
        "channel_id": [_workplace(tree, member) for tree in trees for member in tree.staff],
        "section_id": [member.section_id for member in staff],
        "role": [ROLES[member.role] for member in staff],
        "employment": [member.employment for member in staff],
        "daily_capacity_calls": [member.calls for member in staff],
        "daily_capacity_visits": [member.visits for member in staff],
    }


def _workplace(tree: Organisation, member: Member) -> str:
    kind = _WORKPLACE.get(ROLES[member.role], OWN_HALL)
    return tree.channels[tree.outlets[member.branch, kind]].channel_id


def _channels(trees: Sequence[Organisation]) -> dict[str, Any]:
    channels = [channel for tree in trees for channel in tree.channels]
    return {
        "channel_id": [channel.channel_id for channel in channels],
        "org_id": [channel.org_id for channel in channels],
        "channel_type": [channel.channel_type for channel in channels],
    }


def _agents(trees: Sequence[Organisation], opened_day: int) -> dict[str, Any]:
    """One row an agent and channel; who moved has an earlier row that has ended."""
    rows: list[tuple[str, int, int, str, str, str]] = []
    for tree in trees:
        for agent in tree.agents:
            since, now = _AGENTS_SINCE, tree.channels[agent.channel]
            if agent.former_channel >= 0:
                before, since = since, opened_day - agent.moved_days_before_opening
                old = tree.channels[agent.former_channel]
                spell = (agent.agent_id, before, since - 1, old.channel_id, old.org_id)
                rows.append((*spell, agent.agent_type))
            here = (agent.agent_id, since, NO_VALUE, now.channel_id, now.org_id)
            rows.append((*here, agent.agent_type))
    agent_id, valid_from, valid_to, channel_id, org_id, agent_type = zip(*rows, strict=True)
    return {
        "agent_id": list(agent_id),
        "valid_from": np.array(valid_from),
        "channel_id": list(channel_id),
        "org_id": list(org_id),
        "agent_type": list(agent_type),
        "valid_to": np.array(valid_to),
    }


def plan_table(opened_day: int, day: int) -> pa.Table:
    """The plans with all price versions, as redelivered whole on the day."""
    columns = tariffs.plan_columns(opened_day, day)
    return table("billing_plans", len(columns["plan_id"]), columns)


def _products() -> dict[str, Any]:
    products = cat.PRODUCTS
    return {
        "product_id": [product.product_id for product in products],
        "on_sale_from": np.full(len(products), _ON_SALE_SINCE),
        "product_kind": [product.kind for product in products],
        "name_zh": [product.name_zh for product in products],
        "name_en": [product.name_en for product in products],
        "monthly_fee_cny": cat.PRODUCT_FEE_FEN,
        "data_mb": cat.PRODUCT_DATA_KB,
        "app_class": [product.app_class for product in products],
        "is_partner": [product.is_partner for product in products],
        "contract_months": [product.contract_months for product in products],
        "subsidy_cny": np.array([product.subsidy_fen for product in products]),
        "on_sale_to": np.full(len(products), NO_VALUE),
    }


def _device_models(trees: Sequence[Organisation]) -> dict[str, Any]:
    """Each model under the codes of all its batches in all regions."""
    codes = [
        (str(code), device)
        for tree in trees
        for batch in range(1, BATCHES + 1)
        for code, device in zip(_tacs(tree.region, batch), cat.DEVICES, strict=True)
    ]
    devices = [device for _, device in codes]
    return {
        "tac": [code for code, _ in codes],
        "brand": [device.brand for device in devices],
        "model": [device.model for device in devices],
        "device_class": [device.device_class for device in devices],
        "network_generation": [device.generation for device in devices],
        "is_dual_sim": [device.is_dual_sim for device in devices],
        "price_band": [device.price_band for device in devices],
        "released_on": [date.fromisoformat(device.released_on) for device in devices],
    }


def _tacs(region: int, batch: int) -> Ints:
    models = np.arange(len(cat.DEVICES))
    return tac(models, np.full(len(models), region), np.full(len(models), batch))


def _offers() -> dict[str, Any]:
    families = cat.FAMILIES
    pools = [cat.POOLS[pool] if pool >= 0 else None for pool in cat.POOL_OF_FAMILY]
    roles = [cat.OFFER_ROLES.get(family.code, cat.OFFER_ROLES_ELSE) for family in families]
    return {
        "offer_id": [offer_id(index) for index in range(len(families))],
        "valid_from": np.full(len(families), _ON_SALE_SINCE),
        "name_zh": [family.name_zh for family in families],
        "name_en": [family.name_en for family in families],
        "family": [family.code for family in families],
        "relationship_level": [cat.RELATIONSHIP_LEVEL[family.code] for family in families],
        "cost_cny": np.array([family.cost_fen for family in families]),
        "channel_roles": [";".join(able) for able in roles],
        "product_id": [cat.OFFER_PRODUCT.get(family.code) for family in families],
        "tac": [cat.DEVICES[pool.device].tac if pool else None for pool in pools],
        "responds_to": [";".join(family.remedies) for family in families],
        "stock_pool_id": [pool.pool_id if pool else None for pool in pools],
    }


def _competitor_offers(trees: Sequence[Organisation], opened_day: int) -> dict[str, Any]:
    """What each competitor is seen to offer in each city around the opening.

    Those with an end were announced with it, so that it may lie ahead.
    """
    cities = [city_id for tree in trees for city_id in tree.city_ids]
    first_city = [tree.region * 1_000 for tree in trees for _ in tree.city_ids]
    nth_city = [place for tree in trees for place in range(len(tree.city_ids))]
    rows = np.arange(len(cities) * len(cat.COMPETITORS) * _OFFERS_A_CITY)
    city, rest = np.divmod(rows, len(cat.COMPETITORS) * _OFFERS_A_CITY)
    competitor, nth = np.divmod(rest, _OFFERS_A_CITY)
    # By the city itself: the same whatever other regions there are.
    seed = ((np.array(first_city) + np.array(nth_city))[city] * 100 + rest) * 16

    def between(salt: int, low: int, high: int) -> Ints:
        mixed = scramble(seed + salt) >> np.uint64(11)
        return low + (mixed % np.uint64(high - low + 1)).astype(np.int64)

    model = np.array(_MODELS)[between(0, 0, len(_MODELS) - 1)]
    # Posters show whole CNY and GB, minutes in tens.
    yuan = np.maximum(5, np.rint(cat.PLAN_FEE_FEN[model] * between(1, *_PRICE_PERCENT) / 10**4))
    gb = np.maximum(1, np.rint(cat.PLAN_DATA_KB[model] / 10**8 * between(2, *_DATA_PERCENT)))
    minutes = cat.PLAN_VOICE_MINUTES[model] * between(3, 8, 13) // 100 * 10 + 20
    seen_from = opened_day - between(4, 0, _SEEN_DAYS_BEFORE)
    seen_to = seen_from + between(5, *_OFFER_DAYS)
    endless = between(6, 0, 99) < _ENDLESS_PERCENT
    kinds = [cat.COMPETITOR_OFFER_KINDS[kind] for kind in nth]
    whole = zip(kinds, gb.astype(int), minutes, yuan.astype(int), strict=True)
    return {
        "competitor_offer_id": [
            f"CO-{cities[c]}-{k + 1}{n + 1}" for c, k, n in zip(city, competitor, nth, strict=True)
        ],
        "competitor": [cat.COMPETITORS[index] for index in competitor],
        "offer_kind": [kind for kind, _ in kinds],
        "offer_text": [
            text.format(gb=size, minutes=talk, yuan=price) for (_, text), size, talk, price in whole
        ],
        "monthly_fee_cny": yuan.astype(np.int64) * 100,
        "data_mb": gb.astype(np.int64) * _KB_A_GB,
        "voice_minutes": minutes * _HUNDREDTHS,
        "network_generation": [cat.PLANS[index].generation for index in model],
        "seen_from": seen_from,
        "seen_to": np.where(endless, NO_VALUE, seen_to),
        "org_id": [cities[index] for index in city],
    }


def offer_id(family: int) -> str:
    return f"OF{family + 1:02d}"
