"""What the operator sells and knows before anybody lives in it: plans, products, devices, offers.

Here: fixed tables of an imaginary operator, and the causes with their base hazards and remedies.
Not here: people (`people.py`), files (`reference.py`). All numbers are invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BRANDS = ("云通", "畅行")  # postpaid, prepaid
COMPETITORS = ("移星", "联讯", "电广")


@dataclass(frozen=True)
class Plan:
    """A tariff plan. `data_fen_per_gb` = 0 means that no overage is billed."""

    plan_id: str
    name_zh: str
    name_en: str
    is_prepaid: bool
    fee_fen: int
    voice_minutes: int
    data_gb: int
    sms_count: int
    voice_fen_per_minute: int
    data_fen_per_gb: int
    sms_fen: int
    overage_mode: str
    generation: str
    exit_fee_fen: int


PLANS = (
    Plan("PL01", "轻享19", "Light 19", False, 1900, 60, 3, 0, 15, 500, 10, "BILL", "4G", 0),
    Plan("PL02", "畅聊39", "Talk 39", False, 3900, 200, 10, 20, 15, 500, 10, "BILL", "4G", 0),
    Plan("PL03", "畅享59", "Enjoy 59", False, 5900, 300, 20, 50, 15, 500, 10, "BILL", "5G", 5000),
    Plan("PL04", "尊享89", "Select 89", False, 8900, 500, 30, 50, 15, 300, 10, "THROTTLE", "5G", 0),
    Plan(
        "PL05",
        "尊享129",
        "Select 129",
        False,
        12900,
        800,
        50,
        100,
        15,
        300,
        10,
        "THROTTLE",
        "5G",
        0,
    ),
    Plan(
        "PL06", "臻享199", "Prime 199", False, 19900, 1500, 100, 100, 15, 0, 10, "THROTTLE", "5G", 0
    ),
    Plan("PR01", "随心9", "Free 9", True, 900, 0, 1, 0, 20, 800, 10, "BILL", "4G", 0),
    Plan("PR02", "随心19", "Free 19", True, 1900, 50, 5, 0, 20, 500, 10, "BILL", "4G", 0),
    Plan("PR03", "随心29", "Free 29", True, 2900, 100, 10, 0, 20, 500, 10, "STOP", "4G", 0),
    Plan("PR04", "随心49", "Free 49", True, 4900, 200, 20, 0, 20, 500, 10, "STOP", "5G", 0),
    # Off sale: dearer and smaller than PL02, so that nobody would choose it anew.
    Plan("PL07", "怀旧59", "Classic 59", False, 5900, 150, 8, 0, 15, 500, 10, "BILL", "4G", 0),
)
PLAN_INDEX: Mapping[str, int] = {plan.plan_id: index for index, plan in enumerate(PLANS)}
PLAN_FEE_FEN = np.array([plan.fee_fen for plan in PLANS], dtype=np.int64)
PLAN_VOICE_MINUTES = np.array([plan.voice_minutes for plan in PLANS], dtype=np.int64)
PLAN_DATA_KB = np.array([plan.data_gb * 1_000_000 for plan in PLANS], dtype=np.int64)
PLAN_SMS = np.array([plan.sms_count for plan in PLANS], dtype=np.int64)
PLAN_VOICE_FEN = np.array([plan.voice_fen_per_minute for plan in PLANS], dtype=np.int64)
PLAN_DATA_FEN = np.array(
    [plan.data_fen_per_gb if plan.overage_mode == "BILL" else 0 for plan in PLANS], dtype=np.int64
)
PLAN_SMS_FEN = np.array([plan.sms_fen for plan in PLANS], dtype=np.int64)
PLAN_STOPS = np.array([plan.overage_mode == "STOP" for plan in PLANS])
PLAN_THROTTLES = np.array([plan.overage_mode == "THROTTLE" for plan in PLANS])
PLAN_IS_PREPAID = np.array([plan.is_prepaid for plan in PLANS])
PLAN_IS_5G = np.array([plan.generation == "5G" for plan in PLANS])


@dataclass(frozen=True)
class Product:
    """Whatever is held besides the plan; of an instalment contract `fee_fen` is the instalment."""

    product_id: str
    kind: str
    name_zh: str
    name_en: str
    fee_fen: int
    data_gb: int
    app_class: str | None
    is_partner: bool
    contract_months: int
    subsidy_fen: int


PRODUCTS = (
    Product("VA01", "VAS", "彩铃", "Ring-back tone", 500, 0, "MUSIC", False, 0, 0),
    Product("VA02", "VAS", "视频会员", "Video club", 1500, 0, "VIDEO", True, 0, 0),
    Product("VA03", "VAS", "来电名片", "Caller card", 300, 0, None, False, 0, 0),
    Product("DP01", "DATA_PACK", "加油包2GB", "Top-up pack 2 GB", 1000, 2, None, False, 0, 0),
    Product("DP02", "DATA_PACK", "加油包5GB", "Top-up pack 5 GB", 2000, 5, None, False, 0, 0),
    Product(
        "DC01", "DEVICE_CONTRACT", "合约机24月", "Device contract", 0, 0, None, False, 24, 60000
    ),
    Product(
        "DC02", "DEVICE_CONTRACT", "分期购机24月", "Instalments", 8000, 0, None, False, 24, 30000
    ),
    Product("VA04", "VAS", "阅读会员", "Reading club", 800, 0, "READING", True, 0, 0),
    Product("BU01", "BUNDLE", "宽带融合包", "Broadband bundle", 3000, 10, None, False, 0, 0),
    Product("BU02", "BUNDLE", "视频融合包", "Video bundle", 2500, 8, "VIDEO", True, 0, 0),
    Product("FP01", "FAMILY_PLAN", "家庭共享", "Family plan", 1000, 3, None, False, 0, 0),
    Product("GV01", "GROUP_VNET", "集团V网", "Group V-net", 500, 0, None, False, 0, 0),
)
PRODUCT_INDEX: Mapping[str, int] = {
    product.product_id: index for index, product in enumerate(PRODUCTS)
}
PRODUCT_FEE_FEN = np.array([product.fee_fen for product in PRODUCTS], dtype=np.int64)
PRODUCT_DATA_KB = np.array([product.data_gb * 1_000_000 for product in PRODUCTS], dtype=np.int64)
FIRST_VAS, FIRST_PACK, DEVICE_CONTRACT = 0, 3, 5
INSTALMENT_CONTRACT = PRODUCT_INDEX["DC02"]
FIRST_BUNDLE, SECOND_BUNDLE = PRODUCT_INDEX["BU01"], PRODUCT_INDEX["BU02"]
FAMILY_PRODUCT, VNET_PRODUCT = PRODUCT_INDEX["FP01"], PRODUCT_INDEX["GV01"]
TRIAL_VAS = PRODUCT_INDEX["VA04"]
PRODUCT_CONTRACT_DAYS = np.array([product.contract_months for product in PRODUCTS]) * 365 // 12
CONTRACT_DISCOUNT_FEN = 1000  # a month, of a device contract without instalments
ROAMING_FEN_PER_MINUTE, ROAMING_FEN_PER_GB = 20, 1000


@dataclass(frozen=True)
class Device:
    """A device model, by its type allocation code."""

    tac: str
    brand: str
    model: str
    device_class: str
    generation: str
    is_dual_sim: bool
    price_band: str
    released_on: str


DEVICES = (
    Device("86000101", "Norte", "N1", "FEATURE_PHONE", "2G", True, "LOW", "2016-03-01"),
    Device("86000102", "Norte", "N4", "FEATURE_PHONE", "4G", True, "LOW", "2019-05-01"),
    Device("86000201", "Huaxi", "A3", "SMARTPHONE", "4G", True, "LOW", "2018-09-01"),
    Device("86000202", "Huaxi", "A5", "SMARTPHONE", "4G", True, "MID", "2020-04-01"),
    Device("86000203", "Huaxi", "P7 5G", "SMARTPHONE", "5G", True, "MID", "2022-03-01"),
    Device("86000204", "Huaxi", "P9 5G", "SMARTPHONE", "5G", True, "HIGH", "2024-03-01"),
    Device("86000301", "Xingmi", "R8", "SMARTPHONE", "4G", True, "LOW", "2019-01-01"),
    Device("86000302", "Xingmi", "R10 5G", "SMARTPHONE", "5G", True, "LOW", "2021-06-01"),
    Device("86000303", "Xingmi", "R13 5G", "SMARTPHONE", "5G", True, "MID", "2023-06-01"),
    Device("86000401", "Pomme", "8", "SMARTPHONE", "4G", False, "HIGH", "2018-09-20"),
    Device("86000402", "Pomme", "13", "SMARTPHONE", "5G", True, "HIGH", "2021-09-20"),
    Device("86000403", "Pomme", "15", "SMARTPHONE", "5G", True, "HIGH", "2023-09-20"),
    Device("86000501", "Zhilian", "Meter", "IOT", "4G", False, "LOW", "2020-01-01"),
)
DEVICE_IS_5G = np.array([device.generation == "5G" for device in DEVICES])
DEVICE_IS_SMART = np.array([device.device_class == "SMARTPHONE" for device in DEVICES])
DEVICE_YEAR = np.array([int(device.released_on[:4]) for device in DEVICES])
NEWEST_DEVICES = (5, 8, 11)
METER = 12

# Leaf causes with the share of departures they start, and which trait drives them (people.py).
CAUSES = (
    "PLAN_MISFIT",
    "COMPETITOR_OFFER",
    "BILL_OPACITY",
    "UNAUTHORISED_ORDER",
    "SERVICE_ATTITUDE",
    "SERVICE_METHOD",
    "FACILITIES",
    "NETWORK_QUALITY",
    "COVERAGE",
    "TERMINAL",
    "SERVICE_LAG",
    "SOCIAL_CIRCLE",
    "CONTRACT_END",
    "LIFE_EVENT",
    "REMOVED",
)
CAUSE = {cause: index for index, cause in enumerate(CAUSES)}
BASE_SHARE = np.array(
    [0.20, 0.22, 0.06, 0.03, 0.05, 0.05, 0.02, 0.09, 0.08, 0.07, 0.05, 0.06, 0.02, 0.0, 0.0],
    dtype=np.float32,
)
# The trait that multiplies each cause's hazard, and how strongly (log scale per unit).
CAUSE_TRAIT: tuple[tuple[str, float], ...] = (
    ("price_sensitivity", 0.35),
    ("competitor_exposure", 0.4),
    ("price_sensitivity", 0.25),
    ("dissatisfaction", 0.35),
    ("dissatisfaction", 0.45),
    ("dissatisfaction", 0.35),
    ("dissatisfaction", 0.2),
    ("poor_coverage", 0.8),
    ("poor_coverage", 0.9),
    ("device_age", 0.6),
    ("need_growth", 0.35),
    ("competitor_exposure", 0.3),
    ("price_sensitivity", 0.25),
    ("need_growth", 0.0),
    ("need_growth", 0.0),
)


@dataclass(frozen=True)
class Family:
    """A family of offers or actions: its name, cost, and the causes that it remedies."""

    code: str
    name_zh: str
    name_en: str
    cost_fen: int
    remedies: tuple[str, ...]


FAMILIES = (
    Family("REMINDER", "续费提醒", "Reminder", 0, ("CONTRACT_END", "BILL_OPACITY")),
    Family("CARE_CALL", "关怀回访", "Care call", 300, ("SERVICE_ATTITUDE", "BILL_OPACITY")),
    Family("PLAN_CHANGE", "套餐优化", "Plan change", 1500, ("PLAN_MISFIT", "BILL_OPACITY")),
    Family("MATCH_TARIFF", "资费匹配", "Matched tariff", 2000, ("COMPETITOR_OFFER", "PLAN_MISFIT")),
    Family("TOPUP_BONUS", "充值赠送", "Top-up bonus", 1000, ("COMPETITOR_OFFER", "PLAN_MISFIT")),
    Family("TOPUP_FOR_HANDSET", "预存购机", "Handset for top-up", 30000, ("TERMINAL",)),
    Family("GIFT_HANDSET", "赠送终端", "Handset as a gift", 50000, ("TERMINAL", "SERVICE_LAG")),
    Family("DATA_PACK", "流量包", "Data pack", 1000, ("PLAN_MISFIT", "SERVICE_LAG")),
    Family("OVERAGE_WAIVER", "超套减免", "Overage waiver", 2000, ("BILL_OPACITY", "PLAN_MISFIT")),
    Family("POINTS", "积分赠送", "Points", 500, ("COMPETITOR_OFFER",)),
    Family("BUNDLE", "融合套餐", "Bundle", 3000, ("SOCIAL_CIRCLE", "CONTRACT_END")),
    Family("FAMILY_PLAN", "家庭套餐", "Family plan", 2000, ("SOCIAL_CIRCLE",)),
    Family("GROUP_VNET", "集团V网", "Group V-net", 1000, ("SOCIAL_CIRCLE",)),
    Family("DEVICE_UPGRADE", "终端升级", "Device upgrade", 20000, ("TERMINAL", "CONTRACT_END")),
    Family(
        "SERVICE_RECOVERY",
        "服务补救",
        "Service recovery",
        1000,
        ("SERVICE_ATTITUDE", "SERVICE_METHOD", "FACILITIES", "UNAUTHORISED_ORDER"),
    ),
    Family("NETWORK_FIX", "网络优化", "Network fix", 0, ("NETWORK_QUALITY", "COVERAGE")),
    Family("CLUB_INVITE", "俱乐部邀请", "Club invitation", 500, ("SOCIAL_CIRCLE",)),
)
FAMILY: Mapping[str, int] = {family.code: index for index, family in enumerate(FAMILIES)}
# What the people in the field take the actions on the lists to be, where the name differs.
ACTION_FAMILY: Mapping[str, str] = {
    "COMPLAINT_CARE": "SERVICE_RECOVERY",
    "BALANCE_REMINDER": "REMINDER",
    "COMPETITOR_SAVE": "MATCH_TARIFF",
    "CONTRACT_RENEWAL": "DEVICE_UPGRADE",
    "PLAN_CHECK": "PLAN_CHANGE",
}
REMEDIES = np.array([[cause in family.remedies for cause in CAUSES] for family in FAMILIES])

STATUSES = ("ACTIVE", "ONE_WAY_SUSPENDED", "TWO_WAY_SUSPENDED", "DEACTIVATED")
ACTIVE, ONE_WAY, TWO_WAY, DEACTIVATED = range(4)
REASONS = (
    "NONE",
    "CUSTOMER_REQUEST",
    "ARREARS",
    "FRAUD",
    "LOST_SIM",
    "PORT_OUT",
    "EXPIRED",
    "REAL_NAME",
    "OPERATOR",
)
(NONE, CUSTOMER_REQUEST, ARREARS, FRAUD, LOST_SIM, PORT_OUT, EXPIRED, REAL_NAME, OPERATOR) = range(
    len(REASONS)
)
# Suspensions that end by themselves when their days are over.
HELD = (CUSTOMER_REQUEST, LOST_SIM, REAL_NAME, OPERATOR)

# How a subscriber goes. SILENT and UNPAID leave no event of their own.
EXITS = (
    "NONE",
    "PORT_OUT",
    "CLOSED",
    "SILENT",
    "UNPAID",
    "FRAUD_REMOVED",
    "OPERATOR_REMOVED",
)

# Joiners a day per subscriber for whom the operator plans its agents and stocks.
PLANNED_JOINERS_A_DAY = 0.0026


@dataclass(frozen=True)
class Pool:
    """A stock of handsets that branches keep for one family of offers."""

    pool_id: str
    family: str
    item: str
    device: int  # index into DEVICES
    is_labelled: bool  # marked as for retention only
    share: float  # handsets a month per subscriber of a branch
    reserved_share: float  # of what remains


POOLS = (
    Pool("SP01", "GIFT_HANDSET", "赠送终端", 8, True, 0.0010, 1.0),
    Pool("SP02", "TOPUP_FOR_HANDSET", "预存购机终端", 5, False, 0.0020, 0.5),
    Pool("SP03", "DEVICE_UPGRADE", "升级终端", 11, False, 0.0015, 0.5),
)
POOL_OF_FAMILY = np.array(
    [
        next((i for i, pool in enumerate(POOLS) if pool.family == family.code), -1)
        for family in FAMILIES
    ]
)
POOL_DEVICE = np.array([pool.device for pool in POOLS])

# The bond that each family of offers builds.
RELATIONSHIP_LEVEL: Mapping[str, str] = {
    "REMINDER": "SOCIAL",
    "CARE_CALL": "SOCIAL",
    "PLAN_CHANGE": "CUSTOMISED",
    "MATCH_TARIFF": "FINANCIAL",
    "TOPUP_BONUS": "FINANCIAL",
    "TOPUP_FOR_HANDSET": "FINANCIAL",
    "GIFT_HANDSET": "FINANCIAL",
    "DATA_PACK": "CUSTOMISED",
    "OVERAGE_WAIVER": "FINANCIAL",
    "POINTS": "FINANCIAL",
    "BUNDLE": "STRUCTURAL",
    "FAMILY_PLAN": "STRUCTURAL",
    "GROUP_VNET": "STRUCTURAL",
    "DEVICE_UPGRADE": "STRUCTURAL",
    "SERVICE_RECOVERY": "SOCIAL",
    "NETWORK_FIX": "CUSTOMISED",
    "CLUB_INVITE": "SOCIAL",
}
_ON_CALL, _ON_VISIT = ("CALL_AGENT", "ACCOUNT_MANAGER"), ("ACCOUNT_MANAGER", "VIP_MANAGER")
# Who may make an offer of the family, where it is not everybody who calls.
OFFER_ROLES: Mapping[str, tuple[str, ...]] = {
    "TOPUP_FOR_HANDSET": ("SALES_REP", "OUTSOURCED_HALL_MANAGER"),
    "GIFT_HANDSET": _ON_VISIT,
    "DEVICE_UPGRADE": ("SALES_REP", *_ON_VISIT),
    "BUNDLE": ("SALES_REP", "ACCOUNT_MANAGER"),
    "GROUP_VNET": _ON_VISIT,
    "SERVICE_RECOVERY": _ON_VISIT,
    "NETWORK_FIX": ("LINE_TECHNICIAN",),
    "CLUB_INVITE": _ON_VISIT,
}
OFFER_ROLES_ELSE = _ON_CALL
OFFER_PRODUCT: Mapping[str, str] = {"DATA_PACK": "DP01", "DEVICE_UPGRADE": "DC01"}
# What a competitor's offer is about, with the words on its posters.
COMPETITOR_OFFER_KINDS = (
    ("PLAN", "{gb}GB+{minutes}分钟,月费{yuan}元"),
    ("PROMOTION", "限时优惠:新入网{gb}GB+{minutes}分钟,月费{yuan}元"),
    ("PORT_IN", "携号转入专享:{gb}GB+{minutes}分钟,月费{yuan}元"),
    ("BUNDLE", "宽带融合:{gb}GB+{minutes}分钟,月费{yuan}元"),
)
# How large each competitor is in a city, as a multiple of our subscribers at the opening.
COMPETITOR_SIZE = (2.1, 0.8, 0.15)
# A device bought without our help: bought in the own hall of the branch, else somewhere else.
DEVICES_IN_HALL = 0.45
# Commissions. Fen for an activation by payment mode (postpaid, prepaid); a share of the plan's fee.
ACTIVATION_COMMISSION_FEN = np.array([5_000, 2_000])
RESIDUAL_PERCENT, RESIDUAL_DAYS, CLAWBACK_DAYS = 3, 365, 90
