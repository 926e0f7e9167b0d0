"""Probabilities of churn in money: what a list earns at the policy's costs, and who is worth a call.

Here: the expected maximum profit of a ranking, the profit-optimal list, and the correction of
probabilities learned from a sample with too many churners. Not here: the costs (policy), and the
worth of one subscriber (SQL, `marts/step1_find/value`).

A contacted churner accepts the offer with probability g and stays: g (clv - d) - f. A contacted
stayer takes the offer for nothing: -(d + f). With clv the worth of a subscriber who stays, d the
cost of the offer, f that of the contact, and g ~ Beta(a, b), as it is not known before (Verbraken,
Verbeke & Baesens 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc
from sklearn.isotonic import isotonic_regression

from orchestration.retention.policy import ProfitPolicy

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Empc:
    """The expected maximum profit of a ranking.

    `value`: CNY a subscriber, over all subscribers and not only those contacted; `share`: of the
    subscribers that are contacted at that profit, on average over g.
    """

    value: float
    share: float


def empc(label: Floats, probability: Floats, policy: ProfitPolicy) -> Empc:
    """What contacting from the top of the ranking earns, where g is known when the list is cut.

    `label`: 0 or 1, a row a subscriber; `probability`: any score, higher = likelier to leave; only
    its order counts. Exact: on each edge of the ROC curve's convex hull the profit is linear in g,
    so the integral over Beta(a, b) is a difference of incomplete beta functions (Verbraken et al.
    2013). Raises ValueError without rows.
    """
    churners, stayers = _hull(label, probability)
    # g from which on the next edge of the hull pays: its stayers over its churners, in money.
    with np.errstate(divide="ignore"):
        stayers_each = np.diff(stayers) / np.diff(churners)
    keep = policy.clv_cny - policy.offer_cost_cny
    if keep <= 0:  # the offer costs what it saves
        return Empc(value=0.0, share=0.0)
    cut = policy.contact_cost_cny + stayers_each * (policy.offer_cost_cny + policy.contact_cost_cny)
    edges = np.concatenate([[0.0], np.clip(cut / keep, 0, 1), [1.0]])
    chance = np.diff(betainc(policy.accept_alpha, policy.accept_beta, edges))
    mean = policy.accept_alpha / (policy.accept_alpha + policy.accept_beta)
    moment = mean * np.diff(betainc(policy.accept_alpha + 1, policy.accept_beta, edges))
    spent = (
        policy.contact_cost_cny * churners
        + (policy.offer_cost_cny + policy.contact_cost_cny) * stayers
    )
    return Empc(
        value=float(np.sum(keep * churners * moment - spent * chance)),
        share=float(np.sum((churners + stayers) * chance)),
    )


def worth_contacting(probability: Floats, policy: ProfitPolicy) -> npt.NDArray[np.bool_]:
    """Whether a contact is expected to earn something, a row a subscriber: the profit-optimal list.

    p (E[g] (clv - d) - f) - (1 - p) (d + f) > 0. `probability` must be calibrated to the
    subscribers at hand. Often nobody is: then there is nothing to run.
    """
    mean = policy.accept_alpha / (policy.accept_alpha + policy.accept_beta)
    kept = mean * (policy.clv_cny - policy.offer_cost_cny)
    lost = policy.offer_cost_cny * (1 - probability) + policy.contact_cost_cny
    return np.asarray(probability * kept > lost, dtype=np.bool_)


def correct_prior(probability: Floats, trained_share: float, true_share: float) -> Floats:
    """Probabilities as if the model had been trained at the true share of churners.

    The odds times the ratio of the two odds (Elkan 2001; Saerens et al. 2002). Both shares lie
    between 0 and 1, both left out; else ValueError.
    """
    if not (0 < trained_share < 1 and 0 < true_share < 1):
        raise ValueError("a share of churners lies between 0 and 1")
    leave = probability * (true_share / trained_share)
    stay = (1 - probability) * ((1 - true_share) / (1 - trained_share))
    return np.asarray(leave / (leave + stay), dtype=np.float64)


def _hull(label: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Corners of the ROC curve's upper convex hull from (0, 0) on, as shares of all rows.

    Churners and stayers above each corner. The slopes of the hull are the churn rate by falling
    probability, pooled until it falls everywhere (Fawcett & Niculescu-Mizil 2007).
    """
    rows = len(label)
    if not rows:
        raise ValueError("no rows to judge")
    _, group = np.unique(-probability, return_inverse=True)
    counts = np.bincount(group).astype(np.float64)
    churners = np.bincount(group, weights=label)
    rate = isotonic_regression(churners / counts, sample_weight=counts, increasing=False)
    corner = np.flatnonzero(np.append(np.diff(rate) != 0, True))
    above = np.cumsum(churners)[corner] / rows
    reached = np.cumsum(counts)[corner] / rows
    start = np.zeros(1)
    return np.concatenate([start, above]), np.concatenate([start, reached - above])
