"""Arms are drawn from the subscriber, the cycle and the key alone, and kept once stored."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orchestration.retention.assignment import (
    CAMPAIGN_CONTROL,
    GLOBAL_CONTROL,
    RANDOMISED,
    SUPPRESSED,
    TREATMENT,
    assign,
)
from orchestration.retention.identifiers import identifiers, keyed_digests, uniform_draws

KEY = b"k" * 32
NOTHING = pd.DataFrame({"subscriber_id": [], "cycle": [], "arm": [], "arm_probability": []}).astype(
    {"subscriber_id": "str", "cycle": "str", "arm": "str", "arm_probability": "float64"}
)


def candidates(subscribers, day="2025-08-14", selected=True):
    subscribers = pd.Series(list(subscribers), dtype="str")
    return pd.DataFrame(
        {
            "opportunity_id": day + "/" + subscribers,
            "subscriber_id": subscribers,
            "as_of_date": pd.Timestamp(day),
            "is_selected": selected,
        }
    )


def arms(decisions):
    return dict(zip(decisions["subscriber_id"], decisions["arm"], strict=True))


names = st.lists(st.text(max_size=12), min_size=1, max_size=60, unique=True)


def test_digests_are_hmac_sha256():
    for key in (KEY, b"short", b"long" * 40):
        digests = keyed_digests(pd.Series(["S1", "用户"]), key, "arms")
        for value, digest in zip(["S1", "用户"], digests, strict=True):
            message = f"arms\n{value}".encode()
            assert digest == hmac.new(key, message, hashlib.sha256).hexdigest()


def test_null_subscribers_are_refused():
    with pytest.raises(ValueError, match="1 values are null"):
        keyed_digests(pd.Series(["S1", None], name="subscriber_id"), KEY, "arms")


def test_identifiers_frame_their_parts():
    one = identifiers("wo", pd.Series(["a", "ab", None]), pd.Series(["bc", "c", ""]))
    assert one.str.fullmatch(r"wo_[0-9a-f]{20}").all()
    assert one.is_unique
    assert one[0] == identifiers("wo", pd.Series(["a"]), pd.Series(["bc"]))[0]
    assert one[0][3:] != identifiers("di", pd.Series(["a"]), pd.Series(["bc"]))[0][3:]


def test_draws_are_uniform():
    values = pd.Series([f"S{n}" for n in range(200_000)])
    draws = uniform_draws(values, KEY, "arms")
    assert (draws >= 0).all()
    assert (draws < 1).all()
    assert stats.kstest(draws, "uniform").pvalue > 0.001
    other = uniform_draws(values, KEY, "other")
    assert abs(np.corrcoef(draws, other)[0, 1]) < 0.01
    assert not np.array_equal(draws, uniform_draws(values, b"x" * 32, "arms"))


def test_shares_are_those_of_the_policy(policy):
    decided = assign(candidates(f"S{n}" for n in range(100_000)), NOTHING, policy.control, KEY)
    share = decided["arm"].value_counts(normalize=True)
    # four standard errors at 100k
    assert share[GLOBAL_CONTROL] == pytest.approx(0.05, abs=0.0028)
    assert share[CAMPAIGN_CONTROL] == pytest.approx(0.095, abs=0.0037)
    chance = decided.groupby("arm")["arm_probability"].unique().explode().astype(float).to_dict()
    assert chance == pytest.approx(
        {TREATMENT: 0.855, CAMPAIGN_CONTROL: 0.095, GLOBAL_CONTROL: 0.05}
    )


def test_global_control_stays_and_campaign_control_is_drawn_anew(policy):
    people = [f"S{n}" for n in range(20_000)]
    august = arms(assign(candidates(people), NOTHING, policy.control, KEY))
    september = arms(assign(candidates(people, "2025-09-14"), NOTHING, policy.control, KEY))

    def members(decided, arm):
        return {name for name, its in decided.items() if its == arm}

    assert members(august, GLOBAL_CONTROL) == members(september, GLOBAL_CONTROL)
    both = members(august, CAMPAIGN_CONTROL) & members(september, CAMPAIGN_CONTROL)
    # drawn independently: about a tenth of a tenth of those outside the global control
    assert len(both) / 20_000 == pytest.approx(0.95 * 0.01, abs=0.003)


def test_a_larger_global_share_only_adds(policy):
    people = [f"S{n}" for n in range(5000)]
    larger = replace(policy.control, global_control_share=0.2)
    small = arms(assign(candidates(people), NOTHING, policy.control, KEY))
    large = arms(assign(candidates(people), NOTHING, larger, KEY))
    assert all(large[n] == GLOBAL_CONTROL for n, arm in small.items() if arm == GLOBAL_CONTROL)


@settings(max_examples=15, deadline=None)
@given(people=names, data=st.data())
def test_arms_do_not_depend_on_order_or_company(policy, people, data):
    together = arms(assign(candidates(people), NOTHING, policy.control, KEY))
    some = data.draw(st.lists(st.sampled_from(people), min_size=1, unique=True))
    assert arms(assign(candidates(some), NOTHING, policy.control, KEY)) == {
        name: together[name] for name in some
    }


@settings(max_examples=15, deadline=None)
@given(people=names, data=st.data())
def test_every_opportunity_gets_one_decision_and_one_arm(policy, people, data):
    chosen = data.draw(st.lists(st.booleans(), min_size=len(people), max_size=len(people)))
    given_rows = candidates(people, selected=chosen)
    decided = assign(given_rows, NOTHING, policy.control, KEY)
    assert decided["opportunity_id"].tolist() == given_rows["opportunity_id"].tolist()
    assert decided["decision_id"].is_unique
    assert (decided["arm"] == SUPPRESSED).tolist() == [not is_in for is_in in chosen]
    assert decided["arm_probability"].isna().tolist() == [not is_in for is_in in chosen]
    assert set(decided["arm"]) <= {SUPPRESSED, *RANDOMISED}


@settings(max_examples=15, deadline=None)
@given(people=names, shares=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)))
def test_a_stored_arm_wins_over_a_changed_policy(policy, people, shares):
    """Never two arms in one cycle, whatever the policy becomes."""
    first = assign(candidates(people), NOTHING, policy.control, KEY)
    changed = replace(
        policy.control, global_control_share=shares[0], campaign_control_share=shares[1]
    )
    later = assign(candidates(people, "2025-08-30"), first, changed, b"another key")
    assert later["arm"].tolist() == first["arm"].tolist()
    assert later["arm_probability"].tolist() == first["arm_probability"].tolist()


def test_a_stored_arm_of_another_cycle_or_a_suppression_binds_nobody(policy):
    never = replace(policy.control, global_control_share=0.0, campaign_control_share=0.0)
    stored = pd.DataFrame(
        {
            "subscriber_id": ["S1", "S2"],
            "cycle": ["2025-07", "2025-08"],
            "arm": [CAMPAIGN_CONTROL, SUPPRESSED],
            "arm_probability": [0.095, None],
        }
    )
    decided = assign(candidates(["S1", "S2"]), stored, never, KEY)
    assert decided["arm"].tolist() == [TREATMENT, TREATMENT]


def test_a_suppressed_day_leaves_the_stored_arm_alone(policy):
    first = assign(candidates(["S1"]), NOTHING, policy.control, KEY)
    later = assign(candidates(["S1"], "2025-08-15", selected=False), first, policy.control, KEY)
    assert later["arm"].tolist() == [SUPPRESSED]
    assert later["arm_probability"].isna().all()


def test_contradictions_are_refused(policy):
    twice = pd.DataFrame(
        {
            "subscriber_id": ["S1", "S1"],
            "cycle": ["2025-08", "2025-08"],
            "arm": [TREATMENT, CAMPAIGN_CONTROL],
            "arm_probability": [0.855, 0.095],
        }
    )
    with pytest.raises(ValueError, match="two arms in one cycle"):
        assign(candidates(["S1"]), twice, policy.control, KEY)
    with pytest.raises(ValueError, match="an opportunity comes twice"):
        assign(candidates(["S1", "S1"]), NOTHING, policy.control, KEY)


def test_an_empty_day_gives_an_empty_table(policy):
    decided = assign(candidates([]), NOTHING, policy.control, KEY)
    assert len(decided) == 0
    assert {"decision_id", "cycle", "arm", "arm_probability"} <= set(decided.columns)
