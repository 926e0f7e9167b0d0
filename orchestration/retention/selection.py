"""From ranked opportunities to candidates: one simple action each, or the reasons why not.

Here: eligibility, the choice of the action, the places on each branch's list. Not here: the ranking
(the opportunities' mart), the draw of arms (`assignment.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestration.retention.assignment import RANDOMISED
from orchestration.retention.policy import Action, ContactPolicy, FeatureSpec, ListPolicy, Policy

UNASSIGNED = "UNASSIGNED"
SEPARATOR = ";"
ACTION_COLUMNS = (
    "action",
    "offer_family",
    "message_class",
    "channel",
    "assignee_role",
    "due_days",
    "cost_cny",
)

NO_CONSENT = "NO_CONSENT"
CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
NO_CONSENT_FEED = "NO_CONSENT_FEED"
RECENTLY_LISTED = "RECENTLY_LISTED"
NO_ACTION = "NO_ACTION"
NO_CAPACITY = "NO_CAPACITY"
OPERATOR_HOLD = "OPERATOR_HOLD"
AGENT_ALERTED = "AGENT_ALERTED"
REMINDER_ONLY = "REMINDER_ONLY"
# Flags of an opportunity that keep it off every list.
EXCLUDING_FLAGS = {
    "is_held": OPERATOR_HOLD,
    "is_agent_alerted": AGENT_ALERTED,
    "is_reminder_only": REMINDER_ONLY,
}

_Mask = npt.NDArray[np.bool_]


def select(
    opportunities: pd.DataFrame,
    *,
    policy: Policy,
    consents: pd.DataFrame | None,
    decided: pd.DataFrame,
    exclusions: pd.DataFrame,
    capacity: pd.DataFrame,
) -> pd.DataFrame:
    """Every opportunity of one day with its action, its place and whether it is selected.

    `opportunities`: opportunity_id, subscriber_id, as_of_date (one day), org_id (branch; null =
    unknown), payment_mode, attention_rank (1 = first), reason_1..reason_3 (null without a score),
    is_upsell_blocked; other columns are kept.
    `consents`: subscriber_id, message_class, channel, is_granted: the newest state as of the day;
    None = the operator delivers none, and policy decides.
    `decided`: earlier decisions (subscriber_id, as_of_date, arm). Held-out subscribers rest as long
    as listed ones, or the arms would stop being comparable. Rows of the day itself or later are not
    looked at.
    `exclusions`: subscriber_id, suppression_reason (codes of the seeds), as `exclusions_of` finds.
    `capacity`: org_id, daily_capacity_calls, one row a unit; unknown (null or no row) -> policy.
    A list never holds more than the policy's share of a branch's opportunities (at least one).

    Returns the rows in the order given, a fresh index, plus `ACTION_COLUMNS`, branch_rank (among
    the eligible of the branch; null otherwise), is_selected, suppression_reasons (codes joined by
    `;`, null when selected). A control takes a place on the list as a treated subscriber does: a
    place refilled would let the draw decide who else is listed.
    Raises ValueError for a code without a label, two days, or a key that is not unique.
    """
    rows = opportunities.reset_index(drop=True)
    _check(rows, consents, exclusions, capacity, policy)
    rows["org_id"] = rows["org_id"].fillna(UNASSIGNED)

    permissions = {
        way: _permission(rows, way, consents, policy.contact)
        for way in sorted({(action.message_class, action.channel) for action in policy.actions})
    }
    rows, objection = _choose_actions(rows, policy.actions, policy.features, permissions)
    reasons = pd.Series("", index=rows.index, dtype="str")
    reasons = _append(reasons, _excluded(rows, exclusions))
    reasons = _append(reasons, objection)
    reasons = _append(reasons, _code(_is_resting(rows, decided, policy.contact), RECENTLY_LISTED))

    rows["branch_rank"] = _branch_rank(rows, (reasons == "").to_numpy())
    places = _places(rows["org_id"], capacity, policy.listing)
    reasons = _append(reasons, _code((rows["branch_rank"] > places).fillna(False), NO_CAPACITY))
    rows["is_selected"] = (reasons == "").to_numpy()
    rows["suppression_reasons"] = reasons.mask(reasons == "")
    return rows


def _check(
    rows: pd.DataFrame,
    consents: pd.DataFrame | None,
    exclusions: pd.DataFrame,
    capacity: pd.DataFrame,
    policy: Policy,
) -> None:
    keys = [("opportunities", rows, ["subscriber_id"]), ("capacity", capacity, ["org_id"])]
    if consents is not None:
        keys.append(("consents", consents, ["subscriber_id", "message_class", "channel"]))
    for name, frame, key in keys:
        if frame.duplicated(key).any():
            raise ValueError(f"{name}: {', '.join(key)} is not unique")
    if rows["as_of_date"].nunique(dropna=False) > 1:
        raise ValueError("opportunities: more than one as_of_date")
    given = set(exclusions["suppression_reason"].unique())
    unknown = sorted(given - set(policy.labels["suppression_reason"]))
    if unknown:
        raise ValueError(f"exclusions: no suppression_reason {', '.join(map(repr, unknown))}")


def _permission(
    rows: pd.DataFrame,
    way: tuple[str, str],
    consents: pd.DataFrame | None,
    policy: ContactPolicy,
) -> pd.Series:
    """Why a message class may not use a channel, a code a row; empty text = it may."""
    message_class, channel = way
    is_needed = {
        "MARKETING": policy.consent_needed_marketing,
        "SERVICE": policy.consent_needed_service,
    }[message_class]
    if consents is None:
        is_denied = is_needed and policy.consent_when_feed_absent == "DENY"
        return pd.Series(NO_CONSENT_FEED if is_denied else "", index=rows.index, dtype="str")
    ways = consents[(consents["message_class"] == message_class) & (consents["channel"] == channel)]
    is_granted = rows["subscriber_id"].map(ways.set_index("subscriber_id")["is_granted"])
    withdrawn = (is_granted == False).fillna(False).astype(bool)  # noqa: E712 - null is neither
    missing = is_granted.isna() & is_needed
    return _code(withdrawn, CONSENT_WITHDRAWN) + _code(missing, NO_CONSENT)


def _choose_actions(
    rows: pd.DataFrame,
    actions: Sequence[Action],
    features: Sequence[FeatureSpec],
    permissions: dict[tuple[str, str], pd.Series],
) -> tuple[pd.DataFrame, pd.Series]:
    """The first action by priority that applies and is permitted; and what objects to it.

    Where no action that applies is permitted, the first that applies stays, with its objection.
    """
    chosen = np.full(len(rows), -1)
    fallback = np.full(len(rows), -1)
    for position, action in enumerate(actions):
        applies = _applies(rows, action, features)
        permitted = (permissions[action.message_class, action.channel] == "").to_numpy()
        fallback = np.where(applies & (fallback < 0), position, fallback)
        chosen = np.where(applies & permitted & (chosen < 0), position, chosen)
    best = np.where(chosen >= 0, chosen, fallback)

    rows = rows.copy()
    for column in ACTION_COLUMNS:
        values = pd.Series([getattr(action, column) for action in actions])
        rows[column] = values.reindex(best).set_axis(rows.index)
    rows["due_days"] = rows["due_days"].astype("Int64")

    objection = _code(best < 0, NO_ACTION)
    for position, action in enumerate(actions):
        is_here = best == position
        objection = objection.mask(is_here, permissions[action.message_class, action.channel])
    return rows, objection


def _applies(rows: pd.DataFrame, action: Action, features: Sequence[FeatureSpec]) -> _Mask:
    """Whether the action's conditions hold: payment mode, the first reason's feature, no up-sell
    where that is blocked."""
    applies = np.ones(len(rows), dtype=bool)
    if action.is_upsell:
        applies &= ~rows["is_upsell_blocked"].to_numpy(dtype=bool)
    if action.payment_mode is not None:
        applies &= (rows["payment_mode"] == action.payment_mode).fillna(False).to_numpy(dtype=bool)
    if action.top_reasons:
        named = [
            feature.name
            for feature in features
            if any(fnmatchcase(feature.name, pattern) for pattern in action.top_reasons)
        ]
        applies &= rows["reason_1"].isin(named).to_numpy()
    return applies


def exclusions_of(opportunities: pd.DataFrame) -> pd.DataFrame:
    """Who is on no list whatever could be done: subscriber_id, suppression_reason, a row a reason.

    `opportunities`: subscriber_id and the flags is_held, is_agent_alerted, is_reminder_only.
    """
    frames = [
        pd.DataFrame(
            {
                "subscriber_id": opportunities.loc[
                    opportunities[flag].astype(bool), "subscriber_id"
                ],
                "suppression_reason": reason,
            }
        )
        for flag, reason in EXCLUDING_FLAGS.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _excluded(rows: pd.DataFrame, exclusions: pd.DataFrame) -> pd.Series:
    """All exclusion codes of each subscriber, sorted and joined; empty text = none."""
    joined = (
        exclusions[["subscriber_id", "suppression_reason"]]
        .drop_duplicates()
        .sort_values(["subscriber_id", "suppression_reason"])
        .groupby("subscriber_id")["suppression_reason"]
        .agg(SEPARATOR.join)
    )
    return rows["subscriber_id"].map(joined).fillna("").astype("str")


def _is_resting(rows: pd.DataFrame, decided: pd.DataFrame, policy: ContactPolicy) -> pd.Series:
    """Selected, in whatever arm, less than `cooldown_days` before the day."""
    day = pd.to_datetime(rows["as_of_date"]).max()  # the only one; NaT without rows
    earlier = decided.loc[decided["arm"].isin(RANDOMISED), ["subscriber_id", "as_of_date"]]
    age = day - pd.to_datetime(earlier["as_of_date"])
    is_recent = (age > pd.Timedelta(0)) & (age < pd.Timedelta(days=policy.cooldown_days))
    return rows["subscriber_id"].isin(earlier.loc[is_recent, "subscriber_id"])


def _branch_rank(rows: pd.DataFrame, eligible: _Mask) -> pd.Series:
    """1, 2, ... inside each branch over the eligible, by attention rank, then subscriber_id."""
    ordered = rows.loc[eligible].sort_values(["attention_rank", "subscriber_id"], kind="stable")
    rank = ordered.groupby("org_id").cumcount() + 1
    return rank.reindex(rows.index).astype("Int64")


def _places(branch: pd.Series, capacity: pd.DataFrame, policy: ListPolicy) -> pd.Series:
    """Places on each row's branch list: what the staff can call, and no more than the policy's
    share of the branch's subscribers (at least one)."""
    known = capacity.set_index("org_id")["daily_capacity_calls"].astype("Float64")
    calls = branch.map(known).fillna(policy.default_capacity_calls)
    subscribers = branch.map(branch.value_counts()).astype("float64")
    share = pd.Series(np.ceil(subscribers * policy.max_listed_share)).clip(lower=1)
    return calls.astype("float64").clip(upper=share)


def _code(is_so: pd.Series | _Mask, code: str) -> pd.Series:
    """The code where true, empty text elsewhere."""
    mask = np.asarray(is_so, dtype=bool)
    index = is_so.index if isinstance(is_so, pd.Series) else pd.RangeIndex(len(mask))
    return pd.Series(np.where(mask, code, ""), index=index, dtype="str")


def _append(reasons: pd.Series, codes: pd.Series) -> pd.Series:
    """`reasons` with one more code where there is one."""
    joint = pd.Series(
        np.where((reasons != "") & (codes != ""), SEPARATOR, ""), index=reasons.index, dtype="str"
    )
    return reasons + joint + codes
