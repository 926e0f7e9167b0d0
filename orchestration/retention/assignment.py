"""Arms: who is treated, who is held out. Assigned once, stored, read back.

Here: the draw, and that a stored arm wins over it. Not here: who may be listed (`selection.py`)
and what the arms show (`effects.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from orchestration.retention.identifiers import identifiers, uniform_draws
from orchestration.retention.policy import ControlPolicy

TREATMENT = "TREATMENT"
CAMPAIGN_CONTROL = "CAMPAIGN_CONTROL"
GLOBAL_CONTROL = "GLOBAL_CONTROL"
SUPPRESSED = "SUPPRESSED"
RANDOMISED = (TREATMENT, CAMPAIGN_CONTROL, GLOBAL_CONTROL)


def cycle_of(dates: pd.Series) -> pd.Series:
    """The cycle (calendar month, `YYYY-MM`) of each date."""
    return pd.to_datetime(dates).dt.strftime("%Y-%m")


def assign(
    candidates: pd.DataFrame, stored: pd.DataFrame, policy: ControlPolicy, key: bytes
) -> pd.DataFrame:
    """One decision an opportunity: `candidates` with decision_id, cycle, arm, arm_probability.

    `candidates`: `selection.select`'s rows (needs opportunity_id, subscriber_id, as_of_date,
    is_selected). Not selected -> SUPPRESSED, whose arm_probability is null: nothing was drawn.
    Selected -> GLOBAL_CONTROL by a draw on the subscriber alone (the same in every cycle), else
    CAMPAIGN_CONTROL by a draw on cycle and subscriber, else TREATMENT. `arm_probability` is the
    chance that the draw had of giving this arm.
    `stored`: decisions made before (subscriber_id, cycle, arm, arm_probability; may be empty). A
    subscriber with an arm in the cycle keeps it, whatever the policy says today.

    The order stays, the index is fresh. Raises ValueError where `stored` holds two arms for one
    subscriber and cycle, or an opportunity comes twice.
    """
    if candidates["opportunity_id"].duplicated().any():
        raise ValueError("opportunity_id: an opportunity comes twice")
    decisions = candidates.reset_index(drop=True)
    decisions["decision_id"] = identifiers("de", decisions["opportunity_id"])
    decisions["cycle"] = cycle_of(decisions["as_of_date"]).astype("str")
    selected = decisions.loc[decisions["is_selected"], ["subscriber_id", "cycle"]]
    drawn = _kept(_draw(selected, policy, key), stored)
    decisions["arm"] = drawn["arm"].reindex(decisions.index).fillna(SUPPRESSED)
    decisions["arm_probability"] = drawn["arm_probability"].reindex(decisions.index)
    return decisions


def _draw(selected: pd.DataFrame, policy: ControlPolicy, key: bytes) -> pd.DataFrame:
    """Arm and its probability for each selected row, from the keyed draws alone."""
    subscriber = selected["subscriber_id"]
    framed = selected["cycle"] + "\n" + subscriber
    is_global = uniform_draws(subscriber, key, "global control") < policy.global_control_share
    is_campaign = uniform_draws(framed, key, "campaign control") < policy.campaign_control_share
    offered = 1 - policy.global_control_share
    conditions = [is_global, is_campaign]
    arms = np.select(conditions, [GLOBAL_CONTROL, CAMPAIGN_CONTROL], TREATMENT)
    chances = np.select(
        conditions,
        [policy.global_control_share, offered * policy.campaign_control_share],
        offered * (1 - policy.campaign_control_share),
    )
    return selected.assign(arm=arms.astype(object), arm_probability=chances)


def _kept(drawn: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """`drawn`, with the stored arm and probability where the cycle already has one."""
    earlier = stored.loc[
        stored["arm"].isin(RANDOMISED), ["subscriber_id", "cycle", "arm", "arm_probability"]
    ].drop_duplicates(["subscriber_id", "cycle", "arm"])
    if earlier.duplicated(["subscriber_id", "cycle"]).any():
        raise ValueError("stored: a subscriber has two arms in one cycle")
    merged = drawn[["subscriber_id", "cycle"]].merge(
        earlier, on=["subscriber_id", "cycle"], how="left"
    )
    merged.index = drawn.index
    is_stored = merged["arm"].notna()
    return drawn.assign(
        arm=drawn["arm"].mask(is_stored, merged["arm"]),
        arm_probability=drawn["arm_probability"].mask(is_stored, merged["arm_probability"]),
    )
