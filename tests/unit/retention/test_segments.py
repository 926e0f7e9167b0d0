"""Segments inside a brand (O45): what is there is found, the same twice, and held to last month."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.segments import agreement, segment

COLUMNS = ["arpu_avg_3m_cny", "voice_minutes_avg_3m", "data_mb_avg_3m"]
# Means of three kinds of users; each brand has its own.
KINDS = {
    "GOLD": [(200, 600, 900), (150, 60, 40_000), (40, 40, 200)],
    "YOUNG": [(60, 30, 20_000), (20, 100, 300)],
}


def lines(seed=1, each=400):
    """Lines of known kinds with long tails: the rows, and the kind of each."""
    random = np.random.default_rng(seed)
    frames = []
    for brand, kinds in KINDS.items():
        for kind, means in enumerate(kinds):
            values = random.lognormal(np.log(means), 0.35, (each, len(COLUMNS)))
            frame = pd.DataFrame(values, columns=COLUMNS)
            frames.append(frame.assign(brand=brand, kind=f"{brand}{kind}"))
    rows = pd.concat(frames, ignore_index=True)
    rows.insert(0, "subscriber_id", [f"S{n:05d}" for n in range(len(rows))])
    return rows.sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.fixture(scope="module")
def rows():
    return lines()


@pytest.fixture(scope="module")
def found(rows, policy):
    return segment(rows, COLUMNS, policy.segments)


def test_o45_the_kinds_of_each_brand_are_found(rows, found):
    assert found.brands["brand"].tolist() == ["GOLD", "YOUNG"]
    assert found.brands["segments"].tolist() == [3, 2]
    true = rows[["subscriber_id", "brand"]].assign(segment_id=rows["kind"])
    assert agreement(true, found.members)["agreement"].min() > 0.95


def test_o45_segments_are_numbered_from_the_highest_spend(found):
    assert found.profile["segment_id"].tolist() == [
        "GOLD-1",
        "GOLD-2",
        "GOLD-3",
        "YOUNG-1",
        "YOUNG-2",
    ]
    for _, brand in found.profile.groupby("brand"):
        assert brand["arpu_avg_3m_cny"].is_monotonic_decreasing
        assert brand["share"].sum() == pytest.approx(1)
    assert found.profile["lines"].sum() == len(found.members)


def test_o45_the_order_of_rows_does_not_matter(rows, found, policy):
    again = segment(rows.sample(frac=1, random_state=9), COLUMNS, policy.segments)
    pd.testing.assert_frame_equal(again.members, found.members)
    pd.testing.assert_frame_equal(again.profile, found.profile)
    pd.testing.assert_frame_equal(again.brands, found.brands)


def test_o45_a_sample_finds_the_segments_of_all(rows, found, policy):
    sampled = replace(policy.segments, segment_fit_lines=400, segment_judged_lines=200)
    few = segment(rows, COLUMNS, sampled)
    assert agreement(found.members, few.members)["agreement"].min() > 0.9
    assert len(few.members) == len(rows)


def test_o45_a_small_brand_is_one_segment(rows, policy):
    few = segment(rows[rows["brand"] == "GOLD"].head(299), COLUMNS, policy.segments)
    assert few.members["segment_id"].unique().tolist() == ["GOLD-1"]
    assert few.brands["silhouette"].isna().all()


def test_o45_unknown_columns_and_lines_without_differences(rows, policy):
    lacking = rows.assign(data_mb_avg_3m=np.nan)
    lacking.loc[lacking.index % 10 == 0, "voice_minutes_avg_3m"] = np.nan
    found = segment(lacking, COLUMNS, policy.segments)
    assert found.profile["data_mb_avg_3m"].isna().all()
    assert found.brands["segments"].min() >= 2
    same = segment(rows.assign(**dict.fromkeys(COLUMNS, 1.0)), COLUMNS, policy.segments)
    assert same.brands["segments"].tolist() == [1, 1]


def test_o45_nobody_is_no_segments(rows, policy):
    nobody = segment(rows.head(0), COLUMNS, policy.segments)
    assert nobody.members.empty
    assert nobody.profile.empty
    assert agreement(nobody.members, nobody.members).empty


def test_o45_stability_is_high_for_lasting_kinds_and_nil_for_none(rows, found, policy):
    random = np.random.default_rng(3)
    moved = rows.assign(
        **{name: rows[name] * random.lognormal(0, 0.1, len(rows)) for name in COLUMNS}
    )
    later = segment(moved, COLUMNS, policy.segments)
    lasting = agreement(found.members, later.members)
    assert lasting["agreement"].min() > 0.9
    shuffled = later.members.assign(
        segment_id=later.members.groupby("brand")["segment_id"].transform(
            lambda ids: random.permutation(ids.to_numpy())
        )
    )
    assert agreement(found.members, shuffled)["agreement"].abs().max() < 0.05


def test_o45_agreement_does_not_mind_names_or_lines_of_one_month(found):
    renamed = found.members.assign(segment_id="X" + found.members["segment_id"]).head(1500)
    compared = agreement(found.members, renamed)
    assert compared["agreement"].tolist() == [1, 1]
    assert compared["lines"].sum() == 1500


def test_o45_a_subscriber_comes_once(rows, policy):
    with pytest.raises(ValueError, match="not unique"):
        segment(pd.concat([rows, rows.head(1)]), COLUMNS, policy.segments)
