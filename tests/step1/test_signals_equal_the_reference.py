"""Every signal says of every line what the plain reference says of the files as delivered (O01–O41)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

import pytest

from tests.reference.evaluate import Reference
from tests.step1.loaded_operator import LoadedOperator

Answers = Mapping[str, bool | None]

# code -> relation and column with true, false, or null where it is unknown
SIGNALS = {
    "ZERO_CALL_5D": ("int_findings_traffic", "zero_call_5d"),
    "DOUBLE_SUSPENSION_7D": ("int_findings_suspension", "double_suspension_7d"),
    "HR1_COMPLAINT": ("int_findings_complaints", "hr1_complaint"),
    "HR2_VOLUNTARY_SUSPENSION": ("int_findings_suspension", "hr2_voluntary_suspension"),
    "HR4_ARREARS_SUSPENSION": ("int_findings_suspension", "hr4_arrears_suspension"),
    "HR7_FORWARD_TO_COMPETITOR": ("int_findings_rivals", "hr7_forward_to_competitor"),
    "HR8_COMPETITOR_HOTLINE": ("int_findings_rivals", "hr8_competitor_hotline"),
    "DUAL_SIM_EXPOSURE": ("int_findings_rivals", "dual_sim_exposure"),
    "USAGE_SPIKE": ("int_findings_traffic", "usage_spike"),
    "USAGE_DROP": ("int_findings_traffic", "usage_drop"),
    "PORT_INTENT": ("int_findings_rivals", "port_intent"),
    "HR3_COLLAPSE": ("int_findings_bills", "hr3_collapse"),
    "HR5_LOW_BALANCE": ("int_findings_bills", "hr5_low_balance"),
    "HR6_CONTRACT_EXPIRING": ("int_findings_holdings", "hr6_contract_expiring"),
    "DUAL_HANDSET": ("dual_handsets", "dual_handset"),
    "VAS_CHURN": ("int_findings_holdings", "vas_churn"),
    "ARPU_DECLINE": ("int_findings_bills", "arpu_decline"),
    "INTEGRITY_RISK": ("int_findings_holdings", "integrity_risk"),
    "BILL_SHOCK": ("int_findings_bills", "bill_shock"),
    "PLAN_MISMATCH": ("int_findings_fit", "plan_mismatch"),
    "OVER_PLAN_80": ("int_findings_fit", "over_plan_80"),
    "OVER_PLAN_100": ("int_findings_fit", "over_plan_100"),
    "DEVICE_MISMATCH": ("int_findings_devices", "device_mismatch"),
    "DATA_MISMATCH": ("int_findings_fit", "data_mismatch"),
    "DEAL_HUNTER": ("int_findings_holdings", "deal_hunter"),
}
SHOWN = 8


def expected(reference: Reference, code: str) -> Answers:
    return {
        name: reference.finding(line, code).is_true for name, line in reference.book.base.items()
    }


def found(operator: LoadedOperator, code: str, day: date) -> Answers:
    relation, column = SIGNALS[code]
    if relation.startswith("int_"):
        source = f"intermediate.{relation}"
    else:  # kept by date
        source = f"step1_find.{relation} where as_of_date = date '{day}'"
    return dict(operator.query(f"select subscriber_id, {column} from {source}"))


def differences(want: Answers, got: Answers) -> str:
    """What differs, and the first lines on which it does; empty when all is the same."""
    missing = "no row"
    pairs = {
        name: (want.get(name, missing), got.get(name, missing)) for name in want.keys() | got.keys()
    }
    wrong = {name: pair for name, pair in sorted(pairs.items()) if pair[0] is not pair[1]}
    counts = Counter(wrong.values())
    shown = [f"{name}: {a}, not {b}" for name, (a, b) in list(wrong.items())[:SHOWN]]
    heads = [f"{number} times {a}, not {b}" for (a, b), number in counts.items()]
    return "\n".join(heads + shown)


@pytest.mark.parametrize("code", SIGNALS)
def test_signal_equals_the_reference(
    looked_at: tuple[LoadedOperator, Reference], code: str
) -> None:
    operator, reference = looked_at
    assert differences(expected(reference, code), found(operator, code, reference.book.day)) == ""


def test_not_everything_is_unknown(looked_at: tuple[LoadedOperator, Reference]) -> None:
    """The comparison says something: most rules answer for somebody, and many fire."""
    operator, reference = looked_at
    answers = {code: set(found(operator, code, reference.book.day).values()) for code in SIGNALS}
    assert sum(True in each for each in answers.values()) > len(answers) / 2, answers
