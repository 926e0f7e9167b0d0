"""The reference feeds, delivered on the opening day.

Here: organisation and catalogues as tables. Not here: their content.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import NO_VALUE, table
from orchestration.simulator.identity import names
from orchestration.simulator.organisation import ROLES
from orchestration.simulator.today import day_number

_ON_SALE_SINCE = day_number(date(2020, 1, 1))


def reference_tables(trees) -> dict[str, pa.Table]:
    """Feed name -> its only file's rows."""
    (tree, *_) = trees
    branches = range(tree.branches)
    staff, plans, products = tree.staff, cat.PLANS, cat.PRODUCTS
    agents = len(branches)
    since = np.full(max(len(plans), len(products), len(cat.FAMILIES), agents), _ON_SALE_SINCE)
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
        "billing_plans": {
            "plan_id": [plan.plan_id for plan in plans],
            "valid_from": since[: len(plans)],
            "name_zh": [plan.name_zh for plan in plans],
            "name_en": [plan.name_en for plan in plans],
            "brand": [cat.BRANDS[plan.is_prepaid] for plan in plans],
            "payment_mode": ["PREPAID" if plan.is_prepaid else "POSTPAID" for plan in plans],
            "monthly_fee_cny": cat.PLAN_FEE_FEN,
            "voice_minutes": cat.PLAN_VOICE_MINUTES * 100,
            "data_mb": cat.PLAN_DATA_KB,
            "sms_count": cat.PLAN_SMS,
            "overage_voice_cny_per_min": cat.PLAN_VOICE_FEN * 10_000,
            "overage_data_cny_per_mb": cat.PLAN_DATA_FEN * 10,  # fen a GB to millionths a MB
            "overage_sms_cny": cat.PLAN_SMS_FEN * 10_000,
            "overage_mode": [plan.overage_mode for plan in plans],
            "access_technology": "MOBILE",
            "network_generation": [plan.generation for plan in plans],
            "early_exit_fee_cny": np.array([plan.exit_fee_fen for plan in plans]),
            "org_id": "HQ",
            "on_sale_from": since[: len(plans)],
        },
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
    return {feed: rows.sort_by(keys[feed]) for feed, rows in built.items()}


def offer_id(family: int) -> str:
    return f"OF{family + 1:02d}"
