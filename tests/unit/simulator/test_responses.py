"""What a contact does: the truth tables say it, and what happens follows them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import fatigue, life, responses, simulate
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws, Stream
from orchestration.simulator.responses import Contacts, is_won_back, potential_factor
from orchestration.simulator.state import CONTENT, GONE, NEVER, THINKING, opening_state
from orchestration.simulator.today import Today, World
from orchestration.simulator.work_lists import APP, CALL, DOOR, HALL, SMS
from tests.unit.simulator.conftest import Delivered

Connection = duckdb.DuckDBPyConnection
SIZE, DAY = 20_000, 20_000


@cache
def world() -> World:
    draws, tree = Draws(5), organisation(SIZE)
    return World(draws, tree, people(draws, tree, SIZE, DAY, DAY), SIZE, DAY)


def a_day() -> Today:
    return Today(world(), opening_state(world().draws, world().people, DAY), DAY)


def contacts_of(
    today: Today,
    slots: npt.NDArray[np.int64],
    families: npt.NDArray[np.int64],
    causes: npt.NDArray[np.int64],
    channel: int = CALL,
    recent: int = 0,
) -> Contacts:
    n = len(slots)
    return Contacts(
        slots=slots,
        families=families,
        channels=np.full(n, channel),
        is_marketing=np.zeros(n, dtype=np.int64),
        is_last_attempt=np.ones(n, dtype=bool),
        causes=causes,
        recent=np.full(n, recent),
    )


def test_right_remedies_help_wrong_ones_do_not_and_some_are_harmed() -> None:
    crowd = world().people
    slots, n = np.arange(crowd.slots), crowd.slots
    family = np.full(n, cat.FAMILY["NETWORK_FIX"])
    coverage = np.full(n, cat.CAUSE["COVERAGE"])
    right = potential_factor(crowd, slots, family, coverage)
    wrong = potential_factor(crowd, slots, family, np.full(n, cat.CAUSE["COMPETITOR_OFFER"]))
    dogs = crowd.is_sleeping_dog
    assert 0.05 < dogs.mean() < 0.09
    assert right[~dogs].max() < 1
    assert 0.5 < right[~dogs].mean() < 0.65
    assert (wrong[~dogs] == 1).all()
    assert (wrong[dogs] > 1).all()
    back = is_won_back(crowd, slots, family, coverage)
    assert 0.4 < back.mean() < 0.5
    assert not back[dogs].any()
    assert not is_won_back(crowd, slots, family, np.full(n, cat.CAUSE["TERMINAL"])).any()


def test_each_cause_with_an_offer_has_a_remedy() -> None:
    has_remedy = cat.REMEDIES.any(axis=0)
    named = {cause for cause, right in zip(cat.CAUSES, has_remedy, strict=True) if not right}
    assert named == {"LIFE_EVENT", "REMOVED"}


def test_outcomes_of_families_are_independent_and_another_seed_gives_others() -> None:
    crowd = world().people
    slots = np.arange(crowd.slots)
    first = responses.takes_percent(crowd, slots, 3)
    assert np.bincount(first, minlength=100).min() > 100
    for other in (
        responses.takes_percent(crowd, slots, 4),
        responses.wins_back_percent(crowd, slots, 3),
        responses.takes_percent(people(Draws(6), world().organisation, SIZE, DAY, DAY), slots, 3),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.03


def test_the_truth_gives_the_outcome_of_any_contact(delivered: Delivered, sql: Connection) -> None:
    """From the truth files alone: every person, family and cause."""
    table = pq.read_table(delivered.truth / "people/01.parquet")
    remedies = pq.read_table(delivered.truth / "remedies/01.parquet").to_pylist()
    constants = dict(
        sql.execute(
            f"from read_parquet('{delivered.truth}/response_constants/01.parquet')"
        ).fetchall()
    )
    draws = Draws(11)
    tree = organisation(300)
    first, last = (date(2025, 1, 1) - date(1970, 1, 1)).days, (date(2025, 3, 8) - date(1970, 1, 1))
    crowd = people(draws, tree, 300, first, last.days)
    slots = np.arange(len(table))
    dogs = table["is_sleeping_dog"].to_numpy(zero_copy_only=False)
    assert len(remedies) == len(cat.FAMILIES) * len(cat.CAUSES)
    for row in remedies:
        name = row["family"].lower()
        takes = table[f"takes_percent_{name}"].to_numpy() < constants["takes_percent"]
        factor = np.where(takes, row["factor_taken"], row["factor_else"])
        factor = factor * np.where(dogs, constants["factor_sleeping_dog"], 1)
        families = np.full(len(slots), cat.FAMILY[row["family"]])
        causes = np.full(len(slots), cat.CAUSE[row["cause"]])
        assert np.allclose(factor, potential_factor(crowd, slots, families, causes))
        wins = table[f"wins_back_percent_{name}"].to_numpy() < constants["wins_back_percent"]
        back = is_won_back(crowd, slots, families, causes)
        assert np.array_equal(row["is_right"] & wins & ~dogs, back)
        accepts = row["accept_chance"] * np.where(dogs, constants["accepts_sleeping_dog"], 1)
        assert np.allclose(accepts, responses.accept_chance(crowd, slots, families, causes))
    unreachable = table["is_unreachable"].to_numpy(zero_copy_only=False)
    assert np.array_equal(unreachable, responses.is_unreachable(crowd, slots))


def test_what_happens_follows_the_truth(delivered: Delivered, sql: Connection) -> None:
    """Each contact that took place had the effect that the truth files give for it."""
    contacts = sql.sql(
        "select c.outcome, c.effect, c.recent_contacts, c.is_won_back, c.stage, c.family,"
        " r.is_right, p.is_sleeping_dog, p.* from"
        f" {delivered.truth_of('field_contacts')} c"
        f" join '{delivered.truth}/remedies/01.parquet' r using (family, cause)"
        f" join '{delivered.truth}/people/01.parquet' p using (subscriber_id)"
    ).to_arrow_table()
    value = dict(
        sql.execute(
            f"from read_parquet('{delivered.truth}/response_constants/01.parquet')"
        ).fetchall()
    )
    strength = {
        "ACCEPTED": 1.0,
        "REACHED": value["talk_strength"],
        "DELIVERED": value["text_strength"],
    }
    through = {"ACCEPTED", "REACHED", "DELIVERED", "REFUSED", "OPT_OUT", "CALL_BACK"}
    changed = 0
    for row in contacts.to_pylist():
        name, dog = row["family"].lower(), row["is_sleeping_dog"]
        factor = 1.0
        if row["is_right"]:
            takes = row[f"takes_percent_{name}"] < value["takes_percent"]
            factor = value["factor_taken"] if takes else value["factor_else"]
        if dog:
            factor *= value["factor_sleeping_dog"]
        power = strength.get(row["outcome"], 0.0)
        if row["outcome"] in ("REFUSED", "OPT_OUT") and factor > 1:
            power = 1.0
        effect = factor**power
        if row["outcome"] in through:
            effect *= value["fatigue_harm"] ** row["recent_contacts"]
        if row["stage"] == GONE:
            effect = 1.0
        assert row["effect"] == pytest.approx(effect, rel=1e-5)
        changed += effect != 1
        wins = row[f"wins_back_percent_{name}"] < value["wins_back_percent"]
        may = row["outcome"] == "ACCEPTED" and THINKING <= row["stage"] < GONE
        assert row["is_won_back"] == (may and row["is_right"] and wins and not dog)
    assert changed > 100


def test_the_effect_is_the_factor_on_the_hazard() -> None:
    today = a_day()
    crowd, slots = today.world.people, np.arange(SIZE)
    causes = responses.current_cause(today, slots)
    right = cat.REMEDIES[:, causes].argmax(axis=0)  # some family that helps
    before = life.daily_hazards(today, slots).sum(axis=1)
    contacts = contacts_of(today, slots, right, causes)
    accepted = np.full(SIZE, responses.ACCEPTED)
    effect = responses.effects(crowd, contacts, accepted)
    responses.react(today, contacts, accepted, effect)
    after = life.daily_hazards(today, slots).sum(axis=1)
    factor = potential_factor(crowd, slots, right, causes)
    assert np.allclose(after, before * factor, rtol=1e-4, atol=0)
    assert after[~crowd.is_sleeping_dog].sum() < 0.65 * before[~crowd.is_sleeping_dog].sum()
    untouched = a_day()
    untouched.day = today.day = DAY + responses.REMEDY_DAYS + 1
    over = life.daily_hazards(today, slots)
    assert np.array_equal(over, life.daily_hazards(untouched, slots))


def test_who_is_left_alone_better_is_harmed_by_every_talk() -> None:
    today = a_day()
    crowd = today.world.people
    dogs = np.flatnonzero(crowd.is_sleeping_dog)
    causes = responses.current_cause(today, dogs)
    wrong = (~cat.REMEDIES[:, causes]).argmax(axis=0)
    contacts = contacts_of(today, dogs, wrong, causes)
    for outcome in (responses.REACHED, responses.ACCEPTED, responses.REFUSED, responses.OPT_OUT):
        effect = responses.effects(crowd, contacts, np.full(len(dogs), outcome))
        assert (effect > 1.2).all()
    for outcome in (responses.NO_ANSWER, responses.NOT_HOME, responses.WRONG_NUMBER):
        assert (responses.effects(crowd, contacts, np.full(len(dogs), outcome)) == 1).all()


def rates(today: Today, contacts: Contacts) -> dict[int, float]:
    u = today.uniform(Stream.FIELD_CONTACTS, "reach", "mood", "busy")
    outcomes = responses.outcomes(today, contacts, u)
    return {code: float((outcomes == code).mean()) for code in np.unique(outcomes)}


def test_contacts_weary() -> None:
    today = a_day()
    slots = np.arange(SIZE)
    families = np.full(SIZE, cat.FAMILY["PLAN_CHANGE"])
    causes = np.full(SIZE, cat.CAUSE["PLAN_MISFIT"])
    fresh = rates(today, contacts_of(today, slots, families, causes))
    weary = rates(today, contacts_of(today, slots, families, causes, recent=4))
    assert weary[responses.NO_ANSWER] > fresh[responses.NO_ANSWER] + 0.15
    accepts = [r[responses.ACCEPTED] / (1 - r[responses.NO_ANSWER]) for r in (fresh, weary)]
    assert accepts[1] == pytest.approx(accepts[0] * responses.FATIGUE_ACCEPTS**4, rel=0.1)
    crowd = today.world.people
    refused = np.full(SIZE, responses.REFUSED)
    calm = responses.effects(crowd, contacts_of(today, slots, families, causes), refused)
    tired = responses.effects(crowd, contacts_of(today, slots, families, causes, recent=4), refused)
    assert np.allclose(tired / calm, responses.FATIGUE_HARM**4)


def test_contacts_of_thirty_days_are_remembered() -> None:
    today = a_day()
    state, slots = today.state, np.array([3, 8])
    for day in (DAY, DAY + 10, DAY + 29):
        fatigue.remember_contact(state, slots, day)
    assert fatigue.recent_contacts(state, np.array([3, 4, 8]), DAY + 29).tolist() == [3, 0, 3]
    assert fatigue.recent_contacts(state, slots, DAY + 30).tolist() == [2, 2]
    assert fatigue.recent_contacts(state, slots, DAY + 59).tolist() == [0, 0]


def test_some_are_unreachable_by_phone_and_answers_follow_reachability() -> None:
    today = a_day()
    crowd, slots = today.world.people, np.arange(SIZE)
    families = np.full(SIZE, cat.FAMILY["CARE_CALL"])
    causes = np.full(SIZE, cat.CAUSE["COVERAGE"])
    u = today.uniform(Stream.FIELD_CONTACTS, "reach", "mood", "busy")

    def reached(channel: int) -> npt.NDArray[np.bool_]:
        contacts = contacts_of(today, slots, families, causes, channel)
        return np.isin(
            responses.outcomes(today, contacts, u),
            (*responses.GETS_THROUGH, responses.WRONG_NUMBER),
        )

    deaf = responses.is_unreachable(crowd, slots)
    assert 0.05 < deaf.mean() < 0.07
    assert not reached(CALL)[deaf].any()
    for channel in (SMS, APP, DOOR, HALL):
        assert 0.25 < reached(channel)[deaf].mean() < 0.99
    easy, hard = crowd.reachability > 0.85, crowd.reachability < 0.45
    assert reached(CALL)[easy & ~deaf].mean() > 0.85
    assert reached(CALL)[hard & ~deaf].mean() < 0.45


def test_who_has_gone_neither_accepts_nor_changes() -> None:
    today = a_day()
    state, slots = today.state, np.arange(SIZE)
    state.stage[:] = GONE
    state.left_day[:] = DAY - 1
    state.exit_kind[:] = np.where(slots % 2, cat.EXITS.index("PORT_OUT"), cat.EXITS.index("SILENT"))
    state.status[slots % 2 == 1] = cat.DEACTIVATED
    contacts = contacts_of(today, slots, np.zeros(SIZE, np.int64), np.zeros(SIZE, np.int64))
    u = today.uniform(Stream.FIELD_CONTACTS, "reach", "mood", "busy")
    outcomes = responses.outcomes(today, contacts, u)
    assert not np.isin(outcomes, (responses.ACCEPTED, responses.OPT_OUT)).any()
    talked = np.isin(outcomes, responses.TALKS)
    assert talked[slots % 2 == 1].mean() > 0.4, "a ported number still rings"
    assert 0.05 < talked[slots % 2 == 0].mean() < 0.2
    responses.react(today, contacts, outcomes, np.full(SIZE, 0.5))
    assert (state.remedy_factor == 1).all()
    assert (state.stage == GONE).all()


def test_winning_back_ends_the_thought() -> None:
    today = a_day()
    state, slots = today.state, np.arange(SIZE)
    state.stage[:], state.cause[:] = THINKING, cat.CAUSE["TERMINAL"]
    state.exit_day[:] = DAY + 3
    causes = responses.current_cause(today, slots)
    contacts = contacts_of(today, slots, np.full(SIZE, cat.FAMILY["GIFT_HANDSET"]), causes)
    accepted = np.full(SIZE, responses.ACCEPTED)
    back = responses.react(today, contacts, accepted, np.ones(SIZE))
    assert 0.4 < back.mean() < 0.5
    assert (state.stage[back] == CONTENT).all()
    assert (state.exit_day[back] == NEVER).all()
    assert (state.stage[~back] == THINKING).all()


# A randomised list, end to end: the same world without a list, with right and with wrong remedies.
FIRST, LAST, LISTED_ON = date(2025, 1, 1), date(2025, 3, 31), date(2025, 1, 5)
TREATED_DAYS = 6


def is_treated(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return numbers * 2_654_435_761 % 2**32 < 2**31


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Truth folders of the three worlds of 2,000 subscribers."""
    home = tmp_path_factory.mktemp("trial")
    worlds: dict[str, Path] = {}
    for name in ("none", "right", "wrong"):
        base = home / name
        if name != "none":
            people_table = pq.read_table(worlds["none"] / "people/01.parquet")
            publish_trial(base / "published", people_table, name == "right")
        simulate(2_000, FIRST, LAST, 21, base / "landing", base / "truth", base / "published")
        worlds[name] = base / "truth"
    return worlds


def publish_trial(folder: Path, people_table: pa.Table, is_right: bool) -> None:
    causes = people_table["dominant_cause"].to_pylist()[:2_000]
    numbers = np.flatnonzero(is_treated(np.arange(2_000)))
    for part in range(TREATED_DAYS):
        chosen = numbers[part::TREATED_DAYS]
        families = []
        for number in chosen:
            right = cat.REMEDIES[:, cat.CAUSE[causes[number]]]
            if is_right:
                families.append(cat.FAMILIES[int(right.argmax())].code)
            else:  # one that leaves nothing behind but the talk
                network = right[cat.FAMILY["NETWORK_FIX"]]
                families.append("CLUB_INVITE" if network else "NETWORK_FIX")
        path = folder / f"dt={LISTED_ON + timedelta(days=part)}" / "list.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(
            pa.table(
                {
                    "work_order_id": [f"w{number}" for number in chosen],
                    "subscriber_id": [f"S{number + 1:09d}" for number in chosen],
                    "action": ["SAVE"] * len(chosen),
                    "offer_family": families,
                    "assignee_role": ["CALL_AGENT"] * len(chosen),
                    "message_class": ["SERVICE"] * len(chosen),
                }
            ),
            path,
        )


def accepted_in(truth: Path, sql: Connection, more: str = "true") -> set[str]:
    rows = sql.execute(
        "select subscriber_id from"
        f" read_parquet('{truth}/field_contacts/*/01.parquet', hive_partitioning = false)"
        f" where outcome = 'ACCEPTED' and stage < {GONE} and {more}"
    ).fetchall()
    return {subscriber_id for (subscriber_id,) in rows}


def exits_in(truth: Path, sql: Connection) -> set[tuple[str, date]]:
    voluntary = "exit <> 'FRAUD_REMOVED'"
    rows = sql.execute(
        f"select subscriber_id, left_on from read_parquet('{truth}/exits/01.parquet')"
        f" where {voluntary}"
    ).fetchall()
    return set(rows)


def test_a_randomised_list_shows_the_effect(trial: dict[str, Path], sql: Connection) -> None:
    dogs = {
        s
        for (s,) in sql.execute(
            f"select subscriber_id from '{trial['none']}/people/01.parquet' where is_sleeping_dog"
        ).fetchall()
    }
    without = exits_in(trial["none"], sql)
    # Right remedies: of those who accepted, fewer leave than would have left.
    accepted = accepted_in(trial["right"], sql) - dogs
    assert len(accepted) > 200
    leave = {s for s, _ in exits_in(trial["right"], sql)} & accepted
    would_leave = {s for s, _ in without} & accepted
    assert len(would_leave) >= 15
    assert len(leave) < 0.75 * len(would_leave)
    # Wrong remedies: the same people leave on the same days.
    accepted = accepted_in(trial["wrong"], sql, "effect = 1")
    assert len(accepted) > 80
    with_wrong = {exit_ for exit_ in exits_in(trial["wrong"], sql) if exit_[0] in accepted}
    assert with_wrong == {exit_ for exit_ in without if exit_[0] in accepted} != set()


def test_sleeping_dogs_leave_more_often(trial: dict[str, Path], sql: Connection) -> None:
    """Those who were talked to about anything, against themselves without it."""
    harmed = {
        s
        for (s,) in sql.execute(
            "select distinct subscriber_id from"
            f" read_parquet('{trial['wrong']}/field_contacts/*/01.parquet',"
            f" hive_partitioning = false) join '{trial['none']}/people/01.parquet'"
            " using (subscriber_id) where is_sleeping_dog and effect > 1"
        ).fetchall()
    }
    left = {name: {s for s, _ in exits_in(trial[name], sql)} & harmed for name in trial}
    assert len(harmed) > 30
    assert len(left["wrong"]) > len(left["none"])


def test_who_was_not_treated_leaves_on_the_same_day(
    trial: dict[str, Path], sql: Connection
) -> None:
    treated = {f"S{n + 1:09d}" for n in np.flatnonzero(is_treated(np.arange(2_000)))}
    controls = [
        {exit_ for exit_ in exits_in(truth, sql) if exit_[0] not in treated}
        for truth in trial.values()
    ]
    assert len(controls[0]) > 100
    assert controls[0] == controls[1] == controls[2]
