"""Candidates: one action each, the branch's places, and reasons for whoever stays out."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.retention.selection import UNASSIGNED, exclusions_of, select

DAY = pd.Timestamp("2025-08-14")


def opportunities(**columns):
    size = len(next(iter(columns.values())))
    rows = pd.DataFrame(
        {
            "opportunity_id": [f"op{n}" for n in range(size)],
            "subscriber_id": [f"S{n}" for n in range(size)],
            "as_of_date": DAY,
            "org_id": "B1",
            "payment_mode": "PREPAID",
            "attention_rank": range(1, size + 1),
            "reason_1": None,
            "reason_2": None,
            "reason_3": None,
            "is_upsell_blocked": False,
        }
    )
    return rows.assign(**columns)


def frame(columns, rows=()):
    return pd.DataFrame(list(rows), columns=list(columns))


def consents(*rows):
    return frame(("subscriber_id", "message_class", "channel", "is_granted"), rows)


def run(rows, policy, *, given=None, decided=(), exclusions=(), capacity=()):
    return select(
        rows,
        policy=policy,
        consents=given,
        decided=frame(("subscriber_id", "as_of_date", "arm"), decided),
        exclusions=frame(("subscriber_id", "suppression_reason"), exclusions),
        capacity=frame(("org_id", "daily_capacity_calls"), capacity),
    )


@pytest.fixture
def open_policy(policy):
    return replace(policy, contact=replace(policy.contact, consent_when_feed_absent="ALLOW"))


def test_the_first_action_by_priority_that_applies_is_taken(open_policy):
    rows = opportunities(
        reason_1=["complaints_90d", "topups_30d", "topups_30d", "usage_ratio", None],
        payment_mode=["POSTPAID", "PREPAID", "POSTPAID", "PREPAID", None],
    )
    chosen = run(rows, open_policy)
    assert chosen["action"].tolist() == [
        "COMPLAINT_CARE",
        "TOPUP_REMINDER",
        "CARE_CALL",
        "CARE_CALL",
        "CARE_CALL",
    ]
    first = chosen.iloc[0]
    assert (first["message_class"], first["channel"], first["due_days"], first["cost_cny"]) == (
        "SERVICE",
        "CALL",
        2,
        8.0,
    )
    assert chosen["is_selected"].all()
    assert chosen["suppression_reasons"].isna().all()


def test_o28_nothing_is_sold_up_where_that_is_blocked_but_care_goes_on(open_policy):
    rows = opportunities(
        reason_1=["allowance_used_ratio", "allowance_used_ratio", "complaints_90d"],
        is_upsell_blocked=[False, True, True],
    )
    chosen = run(rows, open_policy)
    assert chosen["action"].tolist() == ["PLAN_CHECK", "CARE_CALL", "COMPLAINT_CARE"]


def test_rows_without_a_score_are_decided_like_the_others(open_policy):
    rows = opportunities(reason_1=["usage_ratio", None], churn_probability=[0.4, None])
    chosen = run(rows, open_policy)
    assert chosen["action"].tolist() == ["CARE_CALL", "CARE_CALL"]
    assert chosen["is_selected"].all()


def test_flags_of_an_opportunity_keep_it_off_the_lists(open_policy):
    rows = opportunities(
        org_id=["B1"] * 4,
        is_held=[True, False, False, False],
        is_agent_alerted=[True, True, False, False],
        is_reminder_only=[False, False, True, False],
    )
    found = exclusions_of(rows)
    chosen = run(rows, open_policy, exclusions=found.itertuples(index=False))
    assert chosen["suppression_reasons"].fillna("").tolist() == [
        "AGENT_ALERTED;OPERATOR_HOLD",
        "AGENT_ALERTED",
        "REMINDER_ONLY",
        "",
    ]


def test_no_consent_feed_follows_the_policy(policy, open_policy):
    rows = opportunities(reason_1=["usage_ratio", "complaints_90d"])
    denied = run(rows, policy)
    assert denied["suppression_reasons"].tolist()[0] == "NO_CONSENT_FEED"
    assert denied["is_selected"].tolist() == [False, True]  # a service message needs none
    assert run(rows, open_policy)["is_selected"].all()


def test_consent_is_of_the_class_and_channel_and_a_withdrawal_always_holds(policy):
    rows = opportunities(reason_1=["usage_ratio"] * 5 + ["complaints_90d"])
    given = consents(
        ("S0", "MARKETING", "CALL", True),
        ("S1", "MARKETING", "SMS", True),
        ("S2", "SERVICE", "CALL", True),
        ("S3", "MARKETING", "CALL", False),
        ("S5", "SERVICE", "CALL", False),
    )
    chosen = run(rows, policy, given=given)
    assert chosen["suppression_reasons"].fillna("").tolist() == [
        "",
        "NO_CONSENT",
        "NO_CONSENT",
        "CONSENT_WITHDRAWN",
        "NO_CONSENT",
        "CONSENT_WITHDRAWN",  # of the service call; the care call is denied too, no consent
    ]


def test_a_permitted_action_is_taken_before_one_that_is_not(policy):
    rows = opportunities(reason_1=["complaints_90d"])
    given = consents(("S0", "SERVICE", "CALL", False), ("S0", "MARKETING", "CALL", True))
    chosen = run(rows, policy, given=given)
    assert chosen["action"].tolist() == ["CARE_CALL"]
    assert chosen["is_selected"].all()


@pytest.mark.parametrize(("days", "rests"), [(1, True), (29, True), (30, False)])
@pytest.mark.parametrize("arm", ["TREATMENT", "CAMPAIGN_CONTROL", "GLOBAL_CONTROL"])
def test_whoever_was_selected_rests_in_any_arm(open_policy, days, rests, arm):
    listed = DAY - pd.Timedelta(days=days)
    chosen = run(opportunities(org_id=["B1"]), open_policy, decided=[("S0", listed, arm)])
    assert chosen["is_selected"].tolist() == [not rests]
    assert chosen["suppression_reasons"].fillna("").tolist() == ["RECENTLY_LISTED" if rests else ""]


def test_rest_looks_at_neither_suppressions_nor_the_day_itself_nor_later(open_policy):
    decided = [
        ("S0", DAY - pd.Timedelta(days=3), "SUPPRESSED"),
        ("S1", DAY, "TREATMENT"),
        ("S2", DAY + pd.Timedelta(days=1), "TREATMENT"),
    ]
    assert run(opportunities(org_id=["B1"] * 3), open_policy, decided=decided)["is_selected"].all()


def test_exclusions_keep_their_row_and_all_their_reasons(open_policy):
    chosen = run(
        opportunities(org_id=["B1", "B1"]),
        open_policy,
        exclusions=[("S0", "OPERATOR_REMOVED"), ("S0", "OPERATOR_HOLD"), ("S0", "OPERATOR_HOLD")],
        decided=[("S0", DAY - pd.Timedelta(days=2), "TREATMENT")],
    )
    assert chosen["suppression_reasons"].tolist()[0] == (
        "OPERATOR_HOLD;OPERATOR_REMOVED;RECENTLY_LISTED"
    )
    assert chosen["branch_rank"].isna().tolist() == [True, False]
    assert chosen["is_selected"].tolist() == [False, True]


def test_places_go_by_attention_in_each_branch(open_policy):
    rows = opportunities(
        org_id=["B1", "B2", "B1", "B1", None, "B2"], attention_rank=[6, 5, 4, 3, 2, 1]
    )
    small = replace(open_policy, listing=replace(open_policy.listing, default_capacity_calls=1))
    chosen = run(rows, small, capacity=[("B1", 2), ("B2", None)])
    assert chosen["branch_rank"].tolist() == [3, 2, 2, 1, 1, 1]
    assert chosen["is_selected"].tolist() == [False, False, True, True, True, True]
    assert chosen["org_id"].tolist()[4] == UNASSIGNED
    assert chosen["suppression_reasons"].dropna().tolist() == ["NO_CAPACITY", "NO_CAPACITY"]


@pytest.mark.parametrize(("share", "listed"), [(0.5, 5), (0.41, 5), (0.4, 4), (0.01, 1)])
def test_a_list_holds_no_more_than_the_share_of_its_branch(open_policy, share, listed):
    capped = replace(open_policy, listing=replace(open_policy.listing, max_listed_share=share))
    chosen = run(opportunities(org_id=["B1"] * 10), capped)
    assert chosen["is_selected"].sum() == listed
    assert set(chosen.loc[~chosen["is_selected"], "suppression_reasons"]) == {"NO_CAPACITY"}
    assert chosen.loc[chosen["is_selected"], "attention_rank"].max() == listed


def test_the_suppressed_take_no_place(open_policy):
    chosen = run(
        opportunities(org_id=["B1", "B1"]),
        open_policy,
        exclusions=[("S0", "OPERATOR_REMOVED")],
        capacity=[("B1", 1)],
    )
    assert chosen["is_selected"].tolist() == [False, True]


def test_without_an_action_that_applies_nobody_is_selected(open_policy):
    only = replace(open_policy, actions=open_policy.actions[:1])
    chosen = run(opportunities(reason_1=["usage_ratio", "complaints_90d"]), only)
    assert chosen["suppression_reasons"].fillna("").tolist() == ["NO_ACTION", ""]
    assert chosen["action"].isna().tolist() == [True, False]


def test_an_empty_day_gives_an_empty_table(open_policy):
    chosen = run(opportunities(org_id=["B1"]).iloc[:0], open_policy)
    assert len(chosen) == 0
    assert {"action", "is_selected", "suppression_reasons", "branch_rank"} <= set(chosen.columns)


def test_contradictions_are_refused(open_policy):
    rows = opportunities(org_id=["B1", "B1"])
    with pytest.raises(ValueError, match="opportunities: subscriber_id is not unique"):
        run(rows.assign(subscriber_id="S0"), open_policy)
    with pytest.raises(ValueError, match="more than one as_of_date"):
        run(rows.assign(as_of_date=[DAY, DAY + pd.Timedelta(days=1)]), open_policy)
    with pytest.raises(ValueError, match="no suppression_reason 'BORED'"):
        run(rows, open_policy, exclusions=[("S0", "BORED")])
    twice = consents(("S0", "SERVICE", "CALL", True), ("S0", "SERVICE", "CALL", False))
    with pytest.raises(ValueError, match=r"consents: .* is not unique"):
        run(rows, open_policy, given=twice)


@settings(max_examples=40, deadline=None)
@given(
    people=st.lists(
        st.tuples(
            st.sampled_from(["B1", "B2", None]),
            st.sampled_from(["PREPAID", "POSTPAID", None]),
            st.sampled_from(["complaints_90d", "usage_ratio", "topups_30d", None]),
            st.sampled_from([True, False, None]),
            st.booleans(),
        ),
        min_size=1,
        max_size=40,
    ),
    places=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_everyone_keeps_a_row_and_the_result_is_the_same_in_any_order(
    policy, people, places, order
):
    branch, mode, reason, consent, removed = zip(*people, strict=True)
    rows = opportunities(org_id=branch, payment_mode=mode, reason_1=reason)
    given = consents(
        *((f"S{n}", "MARKETING", "CALL", c) for n, c in enumerate(consent) if c is not None)
    )
    exclusions = [(f"S{n}", "OPERATOR_REMOVED") for n, is_out in enumerate(removed) if is_out]
    options = {"given": given, "exclusions": exclusions, "capacity": [("B1", places)]}
    chosen = run(rows, policy, **options)
    assert chosen["opportunity_id"].tolist() == rows["opportunity_id"].tolist()
    assert (chosen["is_selected"] == chosen["suppression_reasons"].isna()).all()
    assert not chosen.loc[list(removed), "is_selected"].any()
    assert chosen.loc[chosen["org_id"] == "B1", "is_selected"].sum() <= places

    positions = list(range(len(rows)))
    order.shuffle(positions)
    again = run(rows.iloc[positions], policy, **options).sort_values("attention_rank")
    pd.testing.assert_frame_equal(again.reset_index(drop=True), chosen)
