"""Data that does not fit the plan, for a planted reason that shows in the usage."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import numpy as np
import pytest

from orchestration.simulator import catalogue as cat
from orchestration.simulator import simulate
from orchestration.simulator.data_habits import KINDS, NONE, data_habits
from orchestration.simulator.organisation import organisation
from orchestration.simulator.people import people
from orchestration.simulator.randomness import Draws
from tests.unit.simulator.conftest import FIRST, SEED, Delivered

OPENED = 20_089
# Share of a month's data that tells the cause of a misfit (rule O36).
CAUSE_SHARE, BURST_SHARE = 0.30, 0.50


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    home = tmp_path_factory.mktemp("data_habits")
    world = Delivered(home / "landing", home / "truth", home / "published")
    simulate(2_000, FIRST, FIRST + timedelta(days=39), SEED, world.landing, world.truth)
    return world


def test_each_habit_is_planted_in_its_share_of_people() -> None:
    crowd = people(Draws(5), organisation(40_000), 40_000, OPENED, OPENED)
    planted = data_habits(Draws(5), crowd, OPENED)
    smart = cat.DEVICE_IS_SMART[crowd.first_device]
    counts = np.bincount(planted.kind, minlength=len(KINDS))
    expected = 0.008 * smart.sum()
    for kind in range(1, len(KINDS)):
        assert abs(counts[kind] - expected) < 5 * expected**0.5, KINDS[kind]
    assert (planted.kind[~smart] == NONE).all()
    begun = planted.first_day[planted.kind != NONE] == OPENED
    assert 0.2 < begun.mean() < 0.5


def test_planted_data_habits_show_in_the_usage(lived: Delivered) -> None:
    """O36: the part of the data that names the cause is large for who has the habit."""
    with duckdb.connect(config={"threads": 1}) as sql:
        shares = sql.execute(
            "select coalesce(kind, 'NONE'), count(distinct u.subscriber_id), sum(data_mb_roaming),"
            " sum(data_mb_tethering), sum(data_mb_background), sum(data_mb_video), sum(data_mb)"
            f" from {lived.rows('usage_daily')} u left join"
            f" read_parquet('{lived.truth}/data_misfits/*.parquet') using (subscriber_id)"
            " where from_on is null or u.usage_date >= from_on group by all"
        ).fetchall()
    parts = {
        kind: dict(zip(KINDS[1:], (float(part) / float(whole) for part in found), strict=True))
        for kind, people_with_it, *found, whole in shares
        if people_with_it > 3
    }
    assert set(parts) == set(KINDS)
    for kind in KINDS[1:]:
        least = BURST_SHARE if kind == "APP_BURST" else CAUSE_SHARE
        assert parts[kind][kind] > least > parts["NONE"][kind], kind


def test_outgrown_devices_are_old_and_much_used(lived: Delivered) -> None:
    """O35."""
    with duckdb.connect(config={"threads": 1}) as sql:
        found = sql.execute(
            "select network_generation, count(*), min(data_mb_a_day) from"
            f" read_parquet('{lived.truth}/device_misfits/*.parquet') group by all"
        ).fetchall()
    ((generation, lines, least),) = found
    assert generation == "4G"
    assert lines > 50
    assert least > 100
