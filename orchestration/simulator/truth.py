"""What really is: who people are, how near they are to leaving, who belongs with whom.

Here: the truth files, one part a region in each table's folder. They are for tests and benchmarks;
the platform never reads them. Not here: how the story goes on after the last day (`outlook.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.simulator import campaigns, life, plants, responses
from orchestration.simulator import catalogue as cat
from orchestration.simulator.branches import poor_service_truth
from orchestration.simulator.circles import twin_number
from orchestration.simulator.feeds import coded
from orchestration.simulator.people import LINE_CLASSES
from orchestration.simulator.state import GONE, NEVER
from orchestration.simulator.ties import LOOKALIKES, NOBODY, washers
from orchestration.simulator.today import Ints, Today, days_column

_STAGES = ("CONTENT", "THINKING", "DECIDED", "GONE")


def write_month_end(today: Today, truth: Path, part: str) -> None:
    """Everybody still there at the month's end: stage, hazards by cause, chance to leave soon."""
    state = today.state
    slots = np.flatnonzero(today.is_in_network & (state.stage != GONE))
    hazards = life.daily_hazards(today, slots)
    chances = life.chances_to_leave(today, slots, hazards.sum(axis=1))
    _write(
        {
            "subscriber_id": today.ids(slots),
            "as_of_date": days_column(np.full(len(slots), today.day)),
            "stage": coded(state.stage[slots].astype(np.int64), _STAGES),
            "stage_days": today.day - state.stage_day[slots],
            "cause": coded(responses.current_cause(today, slots), cat.CAUSES),
            **{f"hazard_{cause.lower()}": hazards[:, i] for i, cause in enumerate(cat.CAUSES)},
            **{
                f"leaves_within_{days}_days": chances[:, i]
                for i, days in enumerate(life.CHANCE_DAYS)
            },
        },
        truth / "hazards" / f"month={today.date:%Y-%m}" / f"{part}.parquet",
    )


def write_story(today: Today, truth: Path, part: str) -> None:
    """All that is true at the end of the last day, table by table."""
    tables = {
        "people": _people(today),
        "exits": departures(today, np.flatnonzero(today.state.left_day != NEVER)),
        "reentries": _reentries(today),
        "look_alikes": _look_alikes(today),
        "dual_handsets": _dual_handsets(today),
        "firms": _firms(today),
        "washing_agents": _washing_agents(today),
        "branches": poor_service_truth(today.world.organisation, today.world.draws),
        "remedies": _remedies(),
        "response_constants": _response_constants(),
        **plants.planted_billing(today),
    }
    for name, columns in tables.items():
        _write(columns, truth / name / f"{part}.parquet")


def write_outlook(columns: Mapping[str, Any], truth: Path, part: str) -> None:
    """Departures after the last day that was delivered."""
    _write(columns, truth / "outlook" / f"{part}.parquet")


def departures(today: Today, slots: Ints) -> dict[str, Any]:
    """When, how and why the slots left, as columns."""
    state = today.state
    slots = slots[today.is_present[slots]]
    cause = state.cause[slots].astype(np.int64)
    removed = state.removed_day[slots]
    ties = today.world.people.ties
    return {
        "subscriber_id": today.ids(slots),
        "left_on": days_column(state.left_day[slots]),
        "exit": coded(state.exit_kind[slots].astype(np.int64), cat.EXITS),
        "cause": coded(np.maximum(cause, 0), cat.CAUSES, cause < 0),
        "removed_on": days_column(removed),
        "is_number_change": (ties.successor[slots] != NOBODY)
        & (ties.gives_up_day[slots] <= state.exit_day[slots])
        & (state.exit_day[slots] != NEVER),
        "is_firm": ties.is_firm[slots],
    }


def _people(today: Today) -> dict[str, Any]:
    """Traits that matter to a test, and potential outcomes by action family."""
    people = today.world.people
    slots = np.flatnonzero(today.is_present)
    causes = people.dominant_cause[slots]
    percents: dict[str, np.ndarray] = {}
    for index, family in enumerate(cat.FAMILIES):
        name = family.code.lower()
        takes = responses.takes_percent(people, slots, index)
        wins_back = responses.wins_back_percent(people, slots, index)
        percents[f"takes_percent_{name}"] = takes.astype(np.uint8)
        percents[f"wins_back_percent_{name}"] = wins_back.astype(np.uint8)
    return {
        "subscriber_id": today.ids(slots),
        "activated_on": days_column(people.activated_day[slots]),
        "line_class": coded(people.line_class[slots], LINE_CLASSES),
        "dominant_cause": coded(causes, cat.CAUSES),
        "best_plan": coded(people.best_plan[slots], [plan.plan_id for plan in cat.PLANS]),
        "is_sleeping_dog": people.is_sleeping_dog[slots],
        "is_unreachable": responses.is_unreachable(people, slots),
        "has_wrong_number": responses.has_wrong_number(people, slots),
        "reachability": people.reachability[slots],
        "price_sensitivity": people.price_sensitivity[slots],
        "competitor_exposure": people.competitor_exposure[slots],
        "dissatisfaction": people.dissatisfaction[slots],
        "poor_coverage": people.poor_coverage[slots],
        "device_age": people.device_age[slots],
        "need_growth": people.need_growth[slots],
        "carelessness": people.carelessness[slots],
        **percents,
    }


def _reentries(today: Today) -> dict[str, Any]:
    """Old and new line of each person who came back with a new number."""
    state, people, ties = today.state, today.world.people, today.world.people.ties
    new = np.flatnonzero((ties.predecessor != NOBODY) & today.is_present)
    old = ties.predecessor[new]
    left = state.left_day[old]
    agents = [agent.agent_id for agent in today.world.organisation.agents]
    agent = people.sold_by_agent[new]
    return {
        "old_subscriber_id": today.ids(old),
        "new_subscriber_id": today.ids(new),
        "old_left_on": days_column(left),
        "new_activated_on": days_column(people.activated_day[new]),
        "gap_days": pa.array(people.activated_day[new] - left, mask=left == NEVER),
        "has_same_id": ties.has_same_id[new],
        "has_same_device": ties.has_same_device[new],
        "has_same_circle": ties.has_same_circle[new],
        "has_same_home": ties.has_same_home[new],
        "is_washed": ties.is_washed[new],
        "agent_id": coded(np.maximum(agent, 0), agents, agent == NOBODY),
    }


def _look_alikes(today: Today) -> dict[str, Any]:
    """Lines that share a device or a name with another line and are somebody else's."""
    ties = today.world.people.ties
    slots = np.flatnonzero((ties.look_alike > 0) & today.is_present)
    relative = ties.relative[slots]
    return {
        "subscriber_id": today.ids(slots),
        "kind": coded(ties.look_alike[slots], LOOKALIKES),
        "other_subscriber_id": _ids_or_null(today, relative),
    }


def _dual_handsets(today: Today) -> dict[str, Any]:
    """Who carries a competitor's number since when, and what shows of it."""
    twins = today.world.people.twins
    slots = np.flatnonzero((twins.since <= today.day) & today.is_present)
    return {
        "subscriber_id": today.ids(slots),
        "since": days_column(twins.since[slots]),
        "second_msisdn": twin_number(today.world.people.keys[slots]),
        "tops_the_circle": twins.tops_the_circle[slots],
        "shares_the_circle": twins.shares_the_circle[slots],
        "forwards_on": days_column(twins.forward_day[slots]),
        "is_complement": twins.is_complement[slots],
    }


def _firms(today: Today) -> dict[str, Any]:
    """Lines of firms, and the day on which the firm moves."""
    ties = today.world.people.ties
    slots = np.flatnonzero(ties.is_firm)
    return {
        "subscriber_id": today.ids(slots),
        "firm_subscriber_id": today.ids(ties.customer_slot[slots]),
        "moves_on": days_column(ties.gives_up_day[slots]),
    }


def _washing_agents(today: Today) -> dict[str, Any]:
    """Agents who activate cards for the commission."""
    world = today.world
    flags = washers(world.organisation, world.draws)
    agents = [agent.agent_id for agent in world.organisation.agents]
    return {"agent_id": coded(np.flatnonzero(flags), agents)}


def _remedies() -> dict[str, Any]:
    """What each action family does for each cause.

    With the percents of the people and the constants that gives the outcome of any contact: the
    factor on the hazard is 1 for a wrong remedy; for the right one `factor_taken` where the
    family's takes_percent is below the constant, else `factor_else`; times `factor_sleeping_dog`.
    """
    families, causes = np.indices(cat.REMEDIES.shape).reshape(2, -1)
    right = cat.REMEDIES[families, causes]
    return {
        "family": coded(families, [each.code for each in cat.FAMILIES]),
        "cause": coded(causes, cat.CAUSES),
        "is_right": right,
        "factor_taken": np.where(right, responses.FACTOR_TAKEN, 1.0),
        "factor_else": np.where(right, responses.FACTOR_ELSE, 1.0),
        "accept_chance": np.where(right, responses.ACCEPTS_RIGHT, responses.ACCEPTS_WRONG),
    }


def _response_constants() -> dict[str, Any]:
    """What holds for every contact."""
    constants = {
        **responses.CONSTANTS,
        "campaign_weight": campaigns.WEIGHT,
        "campaign_effect_days": campaigns.EFFECT_DAYS,
    }
    return {
        "name": pa.array(constants.keys(), pa.string()),
        "value": pa.array(constants.values(), pa.float64()),
    }


def write_field_day(
    today: Today, truth: Path, part: str, contacts: pa.Table, faults: pa.Table
) -> None:
    """Every contact that took place, and what is wrong with the reports of the day."""
    for name, rows in (("field_contacts", contacts), ("field_faults", faults)):
        path = truth / name / f"dt={today.date:%Y-%m-%d}" / f"{part}.parquet"
        if len(rows):
            _write({column: rows[column] for column in rows.column_names}, path)
        else:  # of an earlier life of the day
            path.unlink(missing_ok=True)


def _ids_or_null(today: Today, slots: Ints) -> pa.Array:
    index = pa.array(np.maximum(slots, 0), mask=slots == NOBODY)
    return today.world.subscriber_ids.take(index)


def _write(columns: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{path.name}.tmp"
    pq.write_table(pa.table(dict(columns)), unfinished, compression="zstd")
    unfinished.replace(path)
