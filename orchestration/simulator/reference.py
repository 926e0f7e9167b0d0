"""The reference feeds, delivered on the opening day; plans again when they change.

Here: organisation and catalogues as tables. Not here: their content.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator import tariffs
from orchestration.simulator.feeds import NO_VALUE, table
from orchestration.simulator.identity import names
from orchestration.simulator.organisation import ROLES, Organisation
from orchestration.simulator.today import day_number

_ON_SALE_SINCE = day_number(date(2020, 1, 1))


def reference_tables(trees: Sequence[Organisation], opened_day: int) -> dict[str, pa.Table]:
    """Feed name -> the rows of the opening day's file."""
    (tree, *_) = trees
    branches = range(tree.branches)
    staff, products = tree.staff, cat.PRODUCTS
    agents = len(branches)
    since = np.full(max(len(products), len(cat.FAMILIES), agents), _ON_SALE_SINCE)
    tables = {
        "org_units": {
            "org_id": [unit.org_id for unit in tree.units],
            "parent_org_id": [unit.parent_org_id for unit in tree.units],
            "org_level": [unit.level for unit in tree.units],
            "name_zh": [unit.name_zh for unit in tree.units],
            "name_en": [unit.name_en for unit in tree.units],
        },
        "org_staff": {
            "staff_id": [member.staff_id for member in staff],
            "staff_name": names(np.arange(len(staff)) + 10**12),
            "org_id": [member.org_id for member in staff],
            "channel_id": [tree.hall(member.branch) for member in staff],
            "role": [ROLES[member.role] for member in staff],
            "employment": [member.employment for member in staff],
            "daily_capacity_calls": [member.calls for member in staff],
            "daily_capacity_visits": [member.visits for member in staff],
        },
        "org_channels": {
            "channel_id": [tree.hall(b) for b in branches]
            + [tree.agent_channel(b) for b in branches],
            "org_id": list(tree.branch_ids) * 2,
            "channel_type": ["OWN_HALL"] * agents + ["AGENT"] * agents,
        },
        "org_agents": {
            "agent_id": [tree.agent(b) for b in branches],
            "valid_from": since[:agents],
            "channel_id": [tree.agent_channel(b) for b in branches],
            "org_id": list(tree.branch_ids),
            "agent_type": "STREET",
        },
        "billing_plans": tariffs.plan_columns(opened_day, opened_day),
        "billing_products": {
            "product_id": [product.product_id for product in products],
            "on_sale_from": since[: len(products)],
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
        },
        "device_models": {
            "tac": [device.tac for device in cat.DEVICES],
            "brand": [device.brand for device in cat.DEVICES],
            "model": [device.model for device in cat.DEVICES],
            "device_class": [device.device_class for device in cat.DEVICES],
            "network_generation": [device.generation for device in cat.DEVICES],
            "is_dual_sim": [device.is_dual_sim for device in cat.DEVICES],
            "price_band": [device.price_band for device in cat.DEVICES],
            "released_on": [date.fromisoformat(device.released_on) for device in cat.DEVICES],
        },
        "market_offers": {
            "offer_id": [offer_id(index) for index in range(len(cat.FAMILIES))],
            "valid_from": since[: len(cat.FAMILIES)],
            "name_zh": [family.name_zh for family in cat.FAMILIES],
            "name_en": [family.name_en for family in cat.FAMILIES],
            "family": [family.code for family in cat.FAMILIES],
            "relationship_level": "L1",
            "cost_cny": np.array([family.cost_fen for family in cat.FAMILIES]),
        },
    }
    keys = {feed: next(iter(columns)) for feed, columns in tables.items()}
    built = {
        feed: table(feed, len(columns[keys[feed]]), columns) for feed, columns in tables.items()
    }
    return {
        feed: rows if feed == "billing_plans" else rows.sort_by(keys[feed])
        for feed, rows in built.items()
    }


def plan_table(opened_day: int, day: int) -> pa.Table:
    """The plans with all price versions, as redelivered whole on the day."""
    columns = tariffs.plan_columns(opened_day, day)
    return table("billing_plans", len(columns["plan_id"]), columns)


def offer_id(family: int) -> str:
    return f"OF{family + 1:02d}"
