"""What the lists changed: treated against held-out subscribers, as assigned (intention to treat).

Here: rates, intervals, the sample that a conclusion needs, the check of the arms' sizes, the
verdict. Not here: who left and when that is known (SQL), costs, adjustments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Literal

import pandas as pd

from orchestration.retention.assignment import (
    CAMPAIGN_CONTROL,
    GLOBAL_CONTROL,
    RANDOMISED,
    TREATMENT,
)
from orchestration.retention.identifiers import identifiers
from orchestration.retention.policy import ControlPolicy

ALL_CYCLES = "ALL"
Verdict = Literal["HELPED", "HARMED", "INCONCLUSIVE"]
# Below this expected count the chi-square approximation does not hold (Cochran 1954).
_MIN_EXPECTED = 5


@dataclass(frozen=True)
class Effect:
    """Treated against one kind of control, in one cycle or over all.

    Rates are shares; differences are treated minus control in percentage points: negative = fewer
    left. Null (None) = not to be known from these rows.
    """

    cycle: str
    control_arm: str
    treated_assigned: int
    control_assigned: int
    treated: int  # matured
    control: int
    treated_churners: int
    control_churners: int
    treated_churn_rate: float | None
    control_churn_rate: float | None
    difference_pp: float | None
    lower_pp: float | None
    upper_pp: float | None
    saved_subscribers: float | None
    required_per_arm: int | None
    planned_control_share: float | None
    sample_ratio_p: float | None
    verdict: Verdict
    reason: str


EFFECT_COLUMNS = ("effect_id", *Effect.__dataclass_fields__)


def effects(
    outcomes: pd.DataFrame, policy: ControlPolicy, outcome: str = "churned_within_30d"
) -> pd.DataFrame:
    """One row a cycle and kind of control, then the same over all cycles (`cycle` = ALL).

    `outcomes`: one row a decision: decision_id, subscriber_id, cycle, decided_on, arm,
    arm_probability, is_mature, and the 0/1 column named by `outcome` (null while unknown).
    A subscriber counts once a cycle, with the first decision. Only matured rows give rates, for
    churners and stayers alike. Nobody is dropped for not having been reached.

    The global control is drawn once for all time: from the second cycle on, its members on the list
    are those whom earlier treatment did not reach either, so its figure tells what the programme as
    a whole does, the campaign control's what this cycle did.
    Raises ValueError where a subscriber has two arms in one cycle.
    """
    units = _units(outcomes, outcome)
    found: list[Effect] = []
    for control_arm in (CAMPAIGN_CONTROL, GLOBAL_CONTROL):
        pairs = units[units["arm"].isin([TREATMENT, control_arm])]
        for cycle, rows in pairs.groupby("cycle", sort=True):
            found.append(_effect(str(cycle), control_arm, rows, policy))
        found.append(_overall(pairs, control_arm, policy))
    table = pd.DataFrame([asdict(effect) for effect in found]).astype(_DTYPES)
    table.insert(0, "effect_id", identifiers("ef", table["cycle"], table["control_arm"]))
    return table


def wilson(events: int, count: int, confidence: float) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927). `count` must be at least 1."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = events / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # Rounding must not push an end past the share itself (0 of n, n of n).
    return (
        min(max(0.0, (centre - spread) / scale), share),
        max(min(1.0, (centre + spread) / scale), share),
    )


def newcombe(
    events_1: int, count_1: int, events_2: int, count_2: int, confidence: float
) -> tuple[float, float]:
    """Hybrid score interval of share 1 - share 2 (Newcombe 1998, method 10)."""
    share_1, share_2 = events_1 / count_1, events_2 / count_2
    low_1, high_1 = wilson(events_1, count_1, confidence)
    low_2, high_2 = wilson(events_2, count_2, confidence)
    difference = share_1 - share_2
    return (
        difference - math.hypot(share_1 - low_1, high_2 - share_2),
        difference + math.hypot(high_1 - share_1, share_2 - low_2),
    )


def required_per_arm(
    control_rate: float, effect_pp: float, confidence: float, power: float
) -> int | None:
    """Subscribers in each arm to detect a fall by `effect_pp` (two-sided; Fleiss 1981, eq. 3.14).

    None where the rate cannot fall by so much.
    """
    effect = effect_pp / 100
    treated_rate = control_rate - effect
    if treated_rate < 0:
        return None
    z_alpha = NormalDist().inv_cdf((1 + confidence) / 2)
    z_beta = NormalDist().inv_cdf(power)
    mean = (control_rate + treated_rate) / 2
    root = z_alpha * math.sqrt(2 * mean * (1 - mean)) + z_beta * math.sqrt(
        control_rate * (1 - control_rate) + treated_rate * (1 - treated_rate)
    )
    return math.ceil((root / effect) ** 2)


def sample_ratio_p(treated: int, control: int, planned_control_share: float) -> float | None:
    """Chance of arms as unequal as these or more, if drawn as planned (chi-square, 1 degree).

    None where an expected count is below 5.
    """
    total = treated + control
    expected = total * planned_control_share
    if min(expected, total - expected) < _MIN_EXPECTED:
        return None
    statistic = (control - expected) ** 2 / expected
    statistic += (treated - (total - expected)) ** 2 / (total - expected)
    return math.erfc(math.sqrt(statistic / 2))


def _units(outcomes: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """One row a subscriber and cycle: the first randomised decision."""
    columns = [
        "decision_id",
        "subscriber_id",
        "cycle",
        "decided_on",
        "arm",
        "arm_probability",
        "is_mature",
    ]
    rows = outcomes.loc[outcomes["arm"].isin(RANDOMISED), [*columns, outcome]].reset_index(
        drop=True
    )
    churned = rows.pop(outcome).astype("Int64")
    is_mature = rows["is_mature"].fillna(False).astype(bool)
    if churned[is_mature].isna().any():
        raise ValueError(f"outcomes: {outcome} is null on a matured row")
    rows["is_mature"] = is_mature
    rows["churned"] = churned.fillna(0).astype("int64")
    arms = rows.groupby(["subscriber_id", "cycle"])["arm"].nunique()
    if (arms > 1).any():
        raise ValueError("outcomes: a subscriber has two arms in one cycle")
    ordered = rows.sort_values(
        ["cycle", "subscriber_id", "decided_on", "decision_id"], kind="stable"
    )
    return ordered.drop_duplicates(["cycle", "subscriber_id"])


def _effect(cycle: str, control_arm: str, rows: pd.DataFrame, policy: ControlPolicy) -> Effect:
    is_treated = rows["arm"] == TREATMENT
    matured = rows[rows["is_mature"]]
    churned = matured.groupby("arm")["churned"].agg(["count", "sum"])
    churned = churned.reindex([TREATMENT, control_arm], fill_value=0)
    treated, control = (int(count) for count in churned["count"])
    treated_churners, control_churners = (int(total) for total in churned["sum"])
    share = _planned_control_share(rows)
    assigned = int(is_treated.sum())
    effect = Effect(
        cycle=cycle,
        control_arm=control_arm,
        treated_assigned=assigned,
        control_assigned=len(rows) - assigned,
        treated=treated,
        control=control,
        treated_churners=treated_churners,
        control_churners=control_churners,
        treated_churn_rate=treated_churners / treated if treated else None,
        control_churn_rate=control_churners / control if control else None,
        difference_pp=None,
        lower_pp=None,
        upper_pp=None,
        saved_subscribers=None,
        required_per_arm=None,
        planned_control_share=share,
        sample_ratio_p=(
            sample_ratio_p(assigned, len(rows) - assigned, share) if share is not None else None
        ),
        verdict="INCONCLUSIVE",
        reason="NO_TREATED" if control else "NO_CONTROL",
    )
    return _compared(effect, policy) if treated and control else effect


def _compared(effect: Effect, policy: ControlPolicy) -> Effect:
    """The effect with its difference, interval and verdict. Both arms have matured rows."""
    counts = (
        effect.treated_churners,
        effect.treated,
        effect.control_churners,
        effect.control,
    )
    lower, upper = newcombe(*counts, policy.confidence)
    control_rate = effect.control_churners / effect.control
    difference = effect.treated_churners / effect.treated - control_rate
    verdict: Verdict = "HELPED" if upper < 0 else "HARMED" if lower > 0 else "INCONCLUSIVE"
    reason = "INTERVAL_INCLUDES_ZERO" if verdict == "INCONCLUSIVE" else "INTERVAL_EXCLUDES_ZERO"
    if effect.sample_ratio_p is not None and effect.sample_ratio_p < policy.sample_ratio_alpha:
        # Arms that are not as drawn differ by more than the treatment.
        verdict, reason = "INCONCLUSIVE", "SAMPLE_RATIO_MISMATCH"
    return replace(
        effect,
        difference_pp=100 * difference,
        lower_pp=100 * lower,
        upper_pp=100 * upper,
        saved_subscribers=-difference * effect.treated,
        required_per_arm=required_per_arm(
            control_rate, policy.min_detectable_effect_pp, policy.confidence, policy.power
        ),
        verdict=verdict,
        reason=reason,
    )


def _overall(rows: pd.DataFrame, control_arm: str, policy: ControlPolicy) -> Effect:
    """All cycles pooled; refused where the planned shares differ between them.

    Pooling cycles of unequal shares and unequal churn shows a difference that no cycle has
    (Simpson's paradox).
    """
    effect = _effect(ALL_CYCLES, control_arm, rows, policy)
    if effect.difference_pp is None or _has_one_share(rows):
        return effect
    return replace(
        effect,
        difference_pp=None,
        lower_pp=None,
        upper_pp=None,
        saved_subscribers=None,
        verdict="INCONCLUSIVE",
        reason="SHARES_CHANGED",
    )


def _has_one_share(rows: pd.DataFrame) -> bool:
    return bool((rows.groupby("arm")["arm_probability"].nunique() == 1).all())


def _planned_control_share(rows: pd.DataFrame) -> float | None:
    """P(control) among treated and control; None where the plan changed inside the rows."""
    chances: Sequence[float] = rows.groupby("arm")["arm_probability"].first().tolist()
    if len(chances) != 2 or not _has_one_share(rows):
        return None
    by_arm = rows.groupby("arm")["arm_probability"].first()
    return float(by_arm.drop(TREATMENT).iloc[0] / by_arm.sum())


_DTYPES = {
    "cycle": "str",
    "control_arm": "str",
    **dict.fromkeys(
        (
            "treated_assigned",
            "control_assigned",
            "treated",
            "control",
            "treated_churners",
            "control_churners",
        ),
        "int64",
    ),
    **dict.fromkeys(
        (
            "treated_churn_rate",
            "control_churn_rate",
            "difference_pp",
            "lower_pp",
            "upper_pp",
            "saved_subscribers",
            "planned_control_share",
            "sample_ratio_p",
        ),
        "float64",
    ),
    "required_per_arm": "Int64",
    "verdict": "str",
    "reason": "str",
}
