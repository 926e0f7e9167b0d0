"""Treated against control: figures by hand, from the literature and from scipy."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orchestration.retention.effects import (
    ALL_CYCLES,
    EFFECT_COLUMNS,
    effects,
    newcombe,
    required_per_arm,
    sample_ratio_p,
    wilson,
)
from orchestration.retention.policy import ControlPolicy

POLICY = ControlPolicy(
    global_control_share=0.05,
    campaign_control_share=0.1,
    confidence=0.95,
    power=0.8,
    min_detectable_effect_pp=1.0,
    sample_ratio_alpha=0.001,
)
CHANCES = {"TREATMENT": 0.855, "CAMPAIGN_CONTROL": 0.095, "GLOBAL_CONTROL": 0.05}


def outcomes(*groups, start=0):
    """Rows of (cycle, arm, count, churners, matured)."""
    rows = []
    for cycle, arm, count, churners, is_mature in groups:
        for n in range(count):
            rows.append((cycle, arm, CHANCES.get(arm), int(n < churners), is_mature))
    frame = pd.DataFrame(
        rows, columns=["cycle", "arm", "arm_probability", "churned_within_30d", "is_mature"]
    )
    number = pd.Series(range(start, start + len(frame))).astype(str)
    return frame.assign(
        decision_id="d" + number, subscriber_id="S" + number, decided_on=pd.Timestamp("2025-08-14")
    )


def one(table, cycle, control_arm="CAMPAIGN_CONTROL"):
    found = table[(table["cycle"] == cycle) & (table["control_arm"] == control_arm)]
    assert len(found) == 1
    return found.iloc[0]


def test_newcombe_gives_the_published_example():
    """Newcombe 1998, table II (a), method 10: 56/70 - 48/80 -> 0.0524 to 0.3339."""
    low, high = newcombe(56, 70, 48, 80, 0.95)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    low, high = newcombe(10, 10, 0, 10, 0.95)  # table II (h)
    assert (round(low, 4), round(high, 4)) == (0.6075, 1.0)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(data, confidence):
    count = data.draw(st.integers(1, 5000))
    events = data.draw(st.integers(0, count))
    expected = stats.binomtest(events, count).proportion_ci(confidence, method="wilson")
    assert wilson(events, count, confidence) == pytest.approx(tuple(expected), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_interval_holds_the_difference_and_turns_with_the_arms(data):
    counts = [data.draw(st.integers(1, 500)) for _ in range(2)]
    events = [data.draw(st.integers(0, count)) for count in counts]
    low, high = newcombe(events[0], counts[0], events[1], counts[1], 0.95)
    difference = events[0] / counts[0] - events[1] / counts[1]
    assert -1 - 1e-12 <= low <= difference <= high <= 1 + 1e-12
    turned = newcombe(events[1], counts[1], events[0], counts[0], 0.95)
    assert turned == pytest.approx((-high, -low), abs=1e-12)


def test_required_sample_is_that_of_the_literature():
    """Revival falling from 44% to 39% needs about 1,500 an arm."""
    assert required_per_arm(0.44, 5, 0.95, 0.8) == 1524
    assert required_per_arm(0.005, 1, 0.95, 0.8) is None
    # by hand at 10% -> 8%: ((1.96 sqrt(2 .09 .91) + .8416 sqrt(.09 + .0736)) / .02)^2
    root = 1.959964 * math.sqrt(0.1638) + 0.841621 * math.sqrt(0.1636)
    assert required_per_arm(0.10, 2, 0.95, 0.8) == math.ceil((root / 0.02) ** 2)


@pytest.mark.parametrize(("treated", "control"), [(900, 100), (870, 130), (9, 91), (500, 500)])
def test_sample_ratio_is_scipys_chi_square(treated, control):
    total = treated + control
    expected = stats.chisquare([treated, control], [0.9 * total, 0.1 * total]).pvalue
    assert sample_ratio_p(treated, control, 0.1) == pytest.approx(expected, rel=1e-9)


def test_sample_ratio_needs_expected_counts():
    assert sample_ratio_p(44, 5, 0.1) is None
    assert sample_ratio_p(45, 5, 0.1) == 1.0


def test_an_effect_by_hand():
    table = effects(
        outcomes(
            ("2025-08", "TREATMENT", 9000, 450, True),
            ("2025-08", "CAMPAIGN_CONTROL", 1000, 80, True),
            ("2025-08", "GLOBAL_CONTROL", 520, 42, True),
            ("2025-08", "SUPPRESSED", 300, 200, True),
        ),
        POLICY,
    )
    assert table.columns.tolist() == list(EFFECT_COLUMNS)
    row = one(table, "2025-08")
    assert (row["treated"], row["control"]) == (9000, 1000)
    assert row["treated_churn_rate"] == 0.05
    assert row["control_churn_rate"] == 0.08
    assert row["difference_pp"] == pytest.approx(-3.0)
    low, high = newcombe(450, 9000, 80, 1000, 0.95)
    assert (row["lower_pp"], row["upper_pp"]) == pytest.approx((100 * low, 100 * high))
    assert row["saved_subscribers"] == pytest.approx(270)
    assert row["planned_control_share"] == pytest.approx(0.1)
    assert row["sample_ratio_p"] == pytest.approx(1.0)
    assert (row["verdict"], row["reason"]) == ("HELPED", "INTERVAL_EXCLUDES_ZERO")
    assert row["required_per_arm"] == required_per_arm(0.08, 1.0, 0.95, 0.8)
    world = one(table, "2025-08", "GLOBAL_CONTROL")
    assert (world["control"], world["control_churners"]) == (520, 42)
    assert world["planned_control_share"] == pytest.approx(0.05 / 0.905)
    assert table["effect_id"].is_unique
    assert table["effect_id"].str.fullmatch(r"ef_[0-9a-f]{20}").all()


def test_verdicts():
    def verdict(treated, control):
        rows = outcomes(
            ("c", "TREATMENT", 9000, treated, True), ("c", "CAMPAIGN_CONTROL", 1000, control, True)
        )
        return tuple(one(effects(rows, POLICY), "c")[["verdict", "reason"]])

    assert verdict(720, 80) == ("INCONCLUSIVE", "INTERVAL_INCLUDES_ZERO")
    assert verdict(1100, 80) == ("HARMED", "INTERVAL_EXCLUDES_ZERO")


def test_without_a_control_there_is_no_effect():
    table = effects(outcomes(("c", "TREATMENT", 100, 10, True)), POLICY)
    for control_arm in ("CAMPAIGN_CONTROL", "GLOBAL_CONTROL"):
        for cycle in ("c", ALL_CYCLES):
            row = one(table, cycle, control_arm)
            assert row["reason"] == "NO_CONTROL"
            assert row["treated_churn_rate"] == 0.1
            assert row[["difference_pp", "lower_pp", "upper_pp", "saved_subscribers"]].isna().all()
            assert pd.isna(row["required_per_arm"])


def test_only_matured_rows_count_for_churners_too():
    rows = outcomes(
        ("c", "TREATMENT", 50, 5, True),
        ("c", "TREATMENT", 40, 40, False),
        ("c", "CAMPAIGN_CONTROL", 10, 1, True),
    )
    rows.loc[~rows["is_mature"], "churned_within_30d"] = None
    row = one(effects(rows, POLICY), "c")
    assert (row["treated_assigned"], row["treated"], row["treated_churners"]) == (90, 50, 5)


def test_arms_that_are_not_as_drawn_conclude_nothing():
    rows = outcomes(("c", "TREATMENT", 9000, 450, True), ("c", "CAMPAIGN_CONTROL", 1300, 130, True))
    row = one(effects(rows, POLICY), "c")
    assert row["sample_ratio_p"] < 0.001
    assert (row["verdict"], row["reason"]) == ("INCONCLUSIVE", "SAMPLE_RATIO_MISMATCH")
    assert row["difference_pp"] == pytest.approx(-5.0)  # shown, and not believed


def test_a_subscriber_counts_once_a_cycle_with_the_first_decision():
    rows = outcomes(("c", "TREATMENT", 10, 0, True), ("c", "CAMPAIGN_CONTROL", 10, 5, True))
    later = rows.assign(
        decision_id="x" + rows["decision_id"],
        decided_on=pd.Timestamp("2025-08-31"),
        churned_within_30d=1,
    )
    again = effects(pd.concat([later, rows], ignore_index=True), POLICY)
    pd.testing.assert_frame_equal(again, effects(rows, POLICY))


def test_cycles_are_told_apart_and_pooled():
    table = effects(
        pd.concat(
            [
                outcomes(
                    ("2025-07", "TREATMENT", 90, 9, True),
                    ("2025-07", "CAMPAIGN_CONTROL", 10, 2, True),
                ),
                outcomes(
                    ("2025-08", "TREATMENT", 180, 9, True),
                    ("2025-08", "CAMPAIGN_CONTROL", 20, 2, True),
                    start=50,  # some people are in both cycles
                ),
            ]
        ),
        POLICY,
    )
    campaign = table[table["control_arm"] == "CAMPAIGN_CONTROL"]
    assert campaign["cycle"].tolist() == ["2025-07", "2025-08", ALL_CYCLES]
    assert campaign["treated"].tolist() == [90, 180, 270]
    assert one(table, ALL_CYCLES)["difference_pp"] == pytest.approx(100 * (18 / 270 - 4 / 30))


def test_cycles_with_other_shares_are_not_pooled():
    """Churn twice as high in the cycle with the larger control: pooling would show a gain."""
    august = outcomes(("08", "TREATMENT", 90, 9, True), ("08", "CAMPAIGN_CONTROL", 10, 1, True))
    september = outcomes(
        ("09", "TREATMENT", 50, 20, True), ("09", "CAMPAIGN_CONTROL", 50, 20, True)
    ).assign(arm_probability=0.5)
    table = effects(pd.concat([august, september]), POLICY)
    assert one(table, "08")["difference_pp"] == pytest.approx(0)
    assert one(table, "09")["difference_pp"] == pytest.approx(0)
    row = one(table, ALL_CYCLES)
    assert row["reason"] == "SHARES_CHANGED"
    assert row[["difference_pp", "saved_subscribers", "planned_control_share"]].isna().all()


def test_no_decisions_give_no_effect():
    table = effects(outcomes(), POLICY)
    assert table["cycle"].tolist() == [ALL_CYCLES, ALL_CYCLES]
    assert (table["reason"] == "NO_CONTROL").all()


def test_two_arms_in_a_cycle_are_refused():
    rows = outcomes(("c", "TREATMENT", 1, 0, True), ("c", "CAMPAIGN_CONTROL", 1, 0, True))
    with pytest.raises(ValueError, match="two arms in one cycle"):
        effects(rows.assign(subscriber_id="S0"), POLICY)
    with pytest.raises(ValueError, match="null on a matured row"):
        effects(rows.assign(churned_within_30d=None), POLICY)


@settings(max_examples=20, deadline=None)
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(order):
    rows = outcomes(
        ("a", "TREATMENT", 30, 4, True),
        ("a", "CAMPAIGN_CONTROL", 9, 3, True),
        ("b", "TREATMENT", 20, 4, False),
        ("b", "GLOBAL_CONTROL", 5, 1, True),
    )
    positions = list(range(len(rows)))
    order.shuffle(positions)
    pd.testing.assert_frame_equal(effects(rows.iloc[positions], POLICY), effects(rows, POLICY))
