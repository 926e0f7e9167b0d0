"""Profit of a ranking equals the published package; who is worth a contact; a sample's prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from empulse.metrics import empc_score
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orchestration.retention.policy import ProfitPolicy
from orchestration.retention.profit import correct_prior, empc, worth_contacting

SHIPPED = ProfitPolicy(
    clv_cny=200, offer_cost_cny=10, contact_cost_cny=1, accept_alpha=6, accept_beta=14
)


def published(label, probability, policy):
    terms = {
        "alpha": policy.accept_alpha,
        "beta": policy.accept_beta,
        "clv": policy.clv_cny,
        "incentive_cost": policy.offer_cost_cny,
        "contact_cost": policy.contact_cost_cny,
    }
    return (
        empc_score(label, probability, **terms),
        empc_score.optimal_rate(label, probability, **terms),
    )


def test_the_shipped_policy_is_that_of_the_paper(policy):
    assert policy.profit == SHIPPED


both_classes = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40)), min_size=4, max_size=200
).filter(lambda pairs: 0 < sum(churned for churned, _ in pairs) < len(pairs))


@settings(max_examples=300, deadline=None)
@given(
    pairs=both_classes,
    clv=st.integers(50, 500),
    offer=st.integers(1, 40),
    contact=st.integers(1, 10),
    alpha=st.integers(2, 12),
    beta=st.integers(2, 20),
)
def test_empc_equals_the_published_package(pairs, clv, offer, contact, alpha, beta):
    label = np.array([float(churned) for churned, _ in pairs])
    probability = np.array([score / 40 for _, score in pairs])
    policy = ProfitPolicy(clv, offer, contact, alpha, beta)
    value, share = published(label, probability, policy)
    mine = empc(label, probability, policy)
    assert mine.value == pytest.approx(value, abs=1e-9)
    assert mine.share == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5])
def test_empc_of_many_rows_equals_the_published_package(rate):
    random = np.random.default_rng(11)
    label = (random.random(20_000) < rate).astype(float)
    probability = 1 / (1 + np.exp(-random.normal(1.5 * label - 2, 1)))
    value, share = published(label, probability, SHIPPED)
    mine = empc(label, probability, SHIPPED)
    assert mine.value == pytest.approx(value, abs=1e-9)
    assert mine.share == pytest.approx(share, abs=1e-9)


def test_empc_is_the_integral_of_the_best_profit_at_each_rate_of_acceptance():
    label = np.array([1.0, 1, 0, 1, 0, 0, 0, 0, 1, 0])
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1])

    def best(accept):
        each = np.where(label == 1, accept * 190 - 1, -11)
        return max(0.0, np.cumsum(each).max()) / len(label)

    accept = (np.arange(20_000) + 0.5) / 20_000
    whole = np.mean([best(each) for each in accept] * stats.beta.pdf(accept, 6, 14))
    assert empc(label, probability, SHIPPED).value == pytest.approx(whole, abs=1e-6)


def test_empc_of_one_class_or_without_profit():
    probability = np.array([0.3, 0.6, 0.9])
    nobody = empc(np.zeros(3), probability, SHIPPED)
    assert (nobody.value, nobody.share) == (0, 0)
    everybody = empc(np.ones(3), probability, SHIPPED)
    assert everybody.value == pytest.approx(0.3 * 190 - 1, abs=1e-3)
    assert everybody.share == pytest.approx(1, abs=1e-3)
    dear = empc(np.array([1.0, 0, 1]), probability, replace(SHIPPED, offer_cost_cny=200))
    assert (dear.value, dear.share) == (0, 0)
    with pytest.raises(ValueError, match="no rows"):
        empc(np.zeros(0), np.zeros(0), SHIPPED)


def test_worth_contacting_is_where_the_expected_profit_turns():
    # p (0.3 x 190 - 1) = (1 - p) 11 at p = 11 / 67
    border = 11 / 67
    probability = np.array([0.0, border - 1e-9, border + 1e-9, 1.0])
    assert worth_contacting(probability, SHIPPED).tolist() == [False, False, True, True]
    assert not worth_contacting(np.ones(2), replace(SHIPPED, offer_cost_cny=200)).any()


@settings(max_examples=100, deadline=None)
@given(
    probability=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    trained=st.floats(0.01, 0.99),
    true=st.floats(0.01, 0.99),
)
def test_a_prior_is_corrected_there_and_back_in_order(probability, trained, true):
    given_ = np.array(probability)
    there = correct_prior(given_, trained, true)
    assert ((there >= 0) & (there <= 1)).all()
    assert correct_prior(there, true, trained) == pytest.approx(given_, abs=1e-9)
    order = np.argsort(given_, kind="stable")
    assert (np.diff(there[order]) >= -1e-12).all()


def test_a_corrected_sample_is_calibrated():
    random = np.random.default_rng(5)
    true = random.beta(0.5, 24.5, 200_000)  # 2% leave
    churned = random.random(200_000) < true
    keep = churned | (random.random(200_000) < churned.sum() / (~churned).sum())
    balanced = true[keep] / (true[keep] + (1 - true[keep]) * (churned.sum() / (~churned).sum()))
    corrected = correct_prior(balanced, churned[keep].mean(), churned.mean())
    assert corrected == pytest.approx(true[keep], abs=5e-3)


def test_a_prior_must_be_a_share():
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct_prior(np.array([0.5]), 0.5, 0.0)
