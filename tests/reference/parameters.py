"""The policy values of the rules, with their defaults.

Here: numbers and sets that a rule reads; tests may vary them with `dataclasses.replace`. Not here:
what is done with them. Money is fen, minutes are hundredths, data is KB unless the name says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

LAPSE_REASONS = frozenset({"ARREARS", "EXPIRED", "NONE"})
HOLD_REASONS = frozenset({"OPERATOR", "FRAUD", "REAL_NAME", "LOST_SIM"})


def percent(value: int) -> Fraction:
    return Fraction(value, 100)


@dataclass(frozen=True)
class Parameters:
    """Defaults of the rule table; one block a rule."""

    # Reading of unknown: a window with a day whose file has not come proves no absence.
    missing_day_is_unknown: bool = True

    # Shared: usage_ratio
    min_recent_days: int = 24
    min_base_days: int = 60
    min_base_mou: int = 30_00
    min_base_kb: int = 300_000

    # Churn
    silent_days_prepaid: int = 60
    arrears_days_postpaid: int = 90
    voluntary_suspension_days: int = 180
    min_activity_kb: int = 1_000
    silence_counts: bool = True  # source EVENTS_AND_SILENCE; False: EVENTS_ONLY
    population_days_prepaid: int = 14
    revived_wait_days: int = 30
    lead_days: int = 7
    bulk_lines: int = 20
    bulk_days: int = 7

    # O01, O02
    zero_call_days: int = 5
    zero_call_max_unknown: int = 2
    suspended_days: int = 7
    suspended_reasons: frozenset[str] = frozenset(
        {"ARREARS", "EXPIRED", "CUSTOMER_REQUEST", "NONE"}
    )

    # O03 HR1
    severe_days: int = 30
    complaint_count: int = 3
    complaint_days: int = 90

    # O05 HR3
    collapse_drop: Fraction = Fraction(50, 100)
    min_base_spend: int = 20_00
    spend_valid_days: int = 45
    max_partial_days: int = 5

    # O07 HR5
    low_balance: int = 10_00
    low_balance_days: int = 3

    # O08 HR6
    contract_days: int = 60
    contract_bands: tuple[int, ...] = (30, 60)

    # O09 HR7, O10 HR8, PORT_INTENT
    forward_days: int = 30
    forward_types: frozenset[str] = frozenset({"CFU", "CFB"})
    hotline_days: int = 30
    port_intent_days: int = 30

    # O14
    dual_min_types: int = 2
    dual_top_share: Fraction = Fraction(25, 100)
    dual_jaccard: Fraction = Fraction(30, 100)
    dual_min_members: int = 5
    dual_low: Fraction = Fraction(50, 100)
    dual_high: Fraction = Fraction(80, 100)
    dual_memory_days: int = 90
    dual_weights: Mapping[str, Fraction] = field(
        default_factory=lambda: {
            "E1": percent(40),
            "E2": percent(50),
            "E3": percent(70),
            "E4": percent(70),
            "E5": percent(50),
            "E6": percent(30),
        }
    )
    dual_own_onnet_only: bool = False  # E3: compare only the on-net part of the own circle
    short_code_max_digits: int = 6
    imei_max_subscribers: int = 3
    imei_days: int = 180

    # O15
    exposure_rise: Fraction = Fraction(15, 100)
    exposure_min_minutes: int = 30_00

    # O22
    vas_days: int = 30
    vas_held_days: int = 30
    vas_gap_days: int = 7

    # O23, O24
    arpu_ratio: Fraction = Fraction(70, 100)
    arpu_min_base: int = 20_00
    cause_explained_share: Fraction = Fraction(50, 100)
    cause_substitute_rise: Fraction = Fraction(120, 100)
    cause_evidence_days: int = 90

    # O28
    integrity_days: int = 90
    integrity_max_unproven_share: Fraction = Fraction(50, 100)

    # O29
    shock_ratio: Fraction = Fraction(150, 100)
    shock_min_rise: int = 10_00
    shock_shown_days: int = 30
    shock_complaint_days: int = 90

    # O30
    reentry_days: int = 90
    reentry_min_score: Fraction = Fraction(60, 100)
    reentry_jaccard: Fraction = Fraction(50, 100)
    reentry_circle_min: int = 5
    reentry_device_days: int = 60
    reentry_max_lines_an_id: int = 5
    reentry_weights: Mapping[str, Fraction] = field(
        default_factory=lambda: {
            "ID": percent(60),
            "DEVICE": percent(55),
            "CIRCLE": percent(60),
            "AREA": percent(15),
        }
    )

    # O31
    peer_ratio: Fraction = Fraction(2)
    arbitrage_min_n: int = 30
    arbitrage_alpha: Fraction = Fraction(1, 1000)
    cohort_days: int = 180
    min_peers: int = 5
    floor_median: Fraction = Fraction(1, 100)
    survival_days: int = 90
    first_usage_days: int = 30

    # O32
    fit_low: Fraction = Fraction(60, 100)
    fit_high: Fraction = Fraction(110, 100)
    fit_months: int = 3
    fit_min_days: int = 25

    # O33
    spike: Fraction = Fraction(150, 100)
    drop: Fraction = Fraction(50, 100)
    anomaly_min_elapsed_days: int = 7
    anomaly_base_minutes: int = 30_00
    anomaly_base_kb: int = 300_000

    # O34
    over_plan_warn: Fraction = Fraction(80, 100)
    over_plan_full: Fraction = Fraction(100, 100)

    # O35
    device_quantile: Fraction = Fraction(75, 100)
    device_min_group: int = 100
    network_generation_by_org: Mapping[str, str] = field(default_factory=dict)
    network_generation_elsewhere: str = "5G"

    # O36
    data_cause_share: Fraction = Fraction(30, 100)
    data_burst_share: Fraction = Fraction(50, 100)
    data_burst_ratio: Fraction = Fraction(2)
    data_small_months: int = 2

    # O41
    deal_switches: int = 2
    deal_days: int = 365


DEFAULTS = Parameters()
