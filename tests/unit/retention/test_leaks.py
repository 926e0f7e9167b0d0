"""Leaks of the future: every planted one is found, and none where there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.leaks import (
    Kind,
    Leak,
    after_churn,
    better_than_later,
    known_later,
    power_alone,
    predicts_alone,
    validation_gap,
)

DATES = pd.to_datetime(["2025-01-31", "2025-02-28", "2025-03-31"])
CLEAN = ["usage_ratio", "complaints", "has_autopay", "topup_days", "city", "activated_on", "id"]


def clean_rows(seed=1, size=2000):
    """Subscribers on three dates with real, strong, lawful features; (rows, label)."""
    random = np.random.default_rng(seed)
    count = size * len(DATES)
    ratio = random.lognormal(0, 0.6, count)
    complaints = random.poisson(0.3, count)
    city = random.choice(["north", "south", "west"], count)
    odds = -2.5 - 1.8 * np.log(ratio) + 0.8 * complaints + 0.7 * (city == "west")
    label = (random.random(count) < 1 / (1 + np.exp(-odds))).astype(float)
    topups = random.exponential(20, count)
    topups[random.random(count) < 0.4] = np.nan
    rows = pd.DataFrame(
        {
            "as_of_date": np.repeat(DATES, size),
            "usage_ratio": ratio,
            "complaints": complaints,
            "has_autopay": random.random(count) < 0.5,
            "topup_days": topups,
            "city": pd.Series(city, dtype="str"),
            "activated_on": pd.Timestamp("2024-12-31")
            - pd.to_timedelta(random.integers(1, 2000, count), "D"),
            "id": [f"S{n:07d}" for n in random.permutation(count)],
        }
    )
    return rows, label


# Column -> what it makes of the label; each a way in which real files leak.
PLANTED = {
    "score_of_the_past_model": lambda label, random: np.where(
        label == 1, random.integers(65, 101, len(label)), random.integers(5, 81, len(label))
    ),
    "satisfaction": lambda label, random: -label * 4 + random.normal(0, 1, len(label)),
    "reason_given": lambda label, random: pd.Series(
        np.where(label == 1, "better offer", None), dtype="str"
    ),
    "status": lambda label, random: pd.Series(
        np.where(label == 1, "Churned", random.choice(["Stayed", "Joined"], len(label))),
        dtype="str",
    ),
    "days_since_exit": lambda label, random: np.where(
        label == 1, random.integers(1, 30, len(label)), np.nan
    ),
    "last_seen_on": lambda label, random: pd.Series(
        np.where(label == 1, np.datetime64("NaT"), np.datetime64("2025-05-01"))
    ),
    "balance_either_way": lambda label, random: (
        np.where(label == 1, random.choice([-50.0, 90.0], len(label)), 20.0)
        + random.normal(0, 3, len(label))
    ),
    "is_closed": lambda label, random: label == 1,
}


@pytest.mark.parametrize("seed", range(5))
def test_clean_columns_are_no_leaks(policy, seed):
    rows, label = clean_rows(seed)
    assert predicts_alone(rows, label, CLEAN, policy.leaks) == []
    # and they are not cleared by being useless
    assert power_alone(rows["usage_ratio"], label, policy.leaks) > 0.7


@pytest.mark.parametrize("name", PLANTED)
def test_a_column_that_predicts_alone_is_found(policy, name):
    rows, label = clean_rows()
    rows[name] = PLANTED[name](label, np.random.default_rng(2))
    (leak,) = predicts_alone(rows, label, [*CLEAN, name], policy.leaks)
    assert (leak.kind, leak.name, leak.limit) == ("PREDICTS_ALONE", name, 0.90)
    assert 0.9 < leak.value <= 1


def test_the_best_leak_comes_first(policy):
    rows, label = clean_rows()
    for name, plant in PLANTED.items():
        rows[name] = plant(label, np.random.default_rng(2))
    found = predicts_alone(rows, label, list(rows.columns[1:]), policy.leaks)
    assert {leak.name for leak in found} == set(PLANTED)
    assert [leak.value for leak in found] == sorted((leak.value for leak in found), reverse=True)


def test_too_few_churners_tell_nothing(policy):
    rows, label = clean_rows()
    few = label * (np.cumsum(label) < 30)
    assert power_alone(pd.Series(few), few, policy.leaks) is None
    assert predicts_alone(rows.assign(leak=few), few, ["leak"], policy.leaks) == []


def test_the_order_of_a_column_counts_in_either_direction(policy):
    _, label = clean_rows()
    values = pd.Series(label + np.random.default_rng(9).normal(0, 0.6, len(label)))
    up, down = (power_alone(sign * values, label, policy.leaks) for sign in (1, -1))
    assert up == pytest.approx(down, abs=1e-3)
    assert up > 0.8


def test_a_feature_known_after_its_as_of_date_is_found():
    rows = pd.DataFrame(
        {
            "as_of_date": pd.to_datetime(["2025-01-31", "2025-01-31", "2025-02-28"]),
            "arpu": [10.0, None, 30.0],
            "arpu_known_on": pd.to_datetime(["2025-02-03", "2025-02-03", None]),
            "minutes": [1.0, 2.0, 3.0],
            "minutes_known_on": pd.to_datetime(["2025-01-31", "2025-01-02", "2025-02-28"]),
            "next_month": [1, 1, 1],
        }
    )
    dates = {
        "arpu": "arpu_known_on",
        "minutes": "minutes_known_on",
        "next_month": date(2025, 2, 28),
    }
    assert known_later(rows, "as_of_date", dates) == [
        Leak("KNOWN_LATER", "arpu", 1, 0),
        Leak("KNOWN_LATER", "next_month", 2, 0),
    ]
    with pytest.raises(KeyError):
        known_later(rows, "as_of_date", {"sms": "sms_known_on"})


def test_events_after_churn_are_found(policy):
    churn_dates = pd.Series({"A": pd.Timestamp("2025-03-10"), "B": pd.NaT})
    calls = pd.DataFrame(
        {
            "subscriber_id": ["A", "A", "B", "C"],
            "at": pd.to_datetime(
                ["2025-03-10 23:59", "2025-03-11 00:00", "2025-12-31 08:00", "2025-12-31 08:00"]
            ),
        }
    )
    bills = pd.DataFrame({"subscriber_id": ["A"], "dt": [pd.Timestamp("2025-03-10")]})
    events = {"calls": calls, "bills": bills}
    assert after_churn(events, churn_dates, "subscriber_id", policy.leaks) == [
        Leak("AFTER_CHURN", "calls", 1, 0)
    ]
    patient = replace(policy.leaks, leak_grace_days=1)
    assert after_churn(events, churn_dates, "subscriber_id", patient) == []


def by_value_of(column):
    """A model that has learned the churn rate of each value."""

    def predict(learned, label, judged):
        rates = pd.Series(label).groupby(learned[column].to_numpy()).mean()
        return judged[column].map(rates).fillna(label.mean()).to_numpy(dtype=float)

    return predict


def test_what_random_folds_alone_can_learn_is_found(policy):
    rows, label = clean_rows()
    # The file in which the outcome came: each of another rate, and none there on the next date.
    random = np.random.default_rng(4)
    month = rows["as_of_date"].dt.month.to_numpy()
    rows["file"] = month * 100 + np.where(label == 1, 0, random.integers(0, 20, len(rows)))
    leak = better_than_later(rows, label, "as_of_date", by_value_of("file"), policy.leaks)
    assert leak is not None
    assert (leak.kind, leak.limit) == ("BETTER_THAN_LATER", 0.03)
    assert leak.value > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_a_lawful_model_is_as_good_on_newer_dates(policy, seed):
    rows, label = clean_rows(seed)
    rows["ratio_tenth"] = (rows["usage_ratio"] * 5).astype(int).clip(upper=20)
    predict = by_value_of("ratio_tenth")
    assert better_than_later(rows, label, "as_of_date", predict, policy.leaks) is None
    assert abs(validation_gap(rows, label, "as_of_date", predict, policy.leaks)) < 0.03


def test_one_date_cannot_tell_of_newer_ones(policy):
    rows, label = clean_rows()
    one = (rows["as_of_date"] == DATES[0]).to_numpy()
    gap = validation_gap(rows[one], label[one], "as_of_date", by_value_of("city"), policy.leaks)
    assert gap is None


# --- The leaks of public files (docs/real-data.md), in small data of the same shape ---------------


def test_the_churn_score_of_the_ibm_file_is_found(policy):
    random = np.random.default_rng(6)
    label = (random.random(3000) < 0.265).astype(float)
    rows = pd.DataFrame(
        {
            "Churn Score": PLANTED["score_of_the_past_model"](label, random),
            "Churn Reason": PLANTED["reason_given"](label, random),
            "Contract": pd.Series(
                np.where(random.random(3000) < 0.5 + 0.35 * label, "Month-to-month", "Two year"),
                dtype="str",
            ),
            "CLTV": random.integers(2000, 6500, 3000),
        }
    )
    found = predicts_alone(rows, label, list(rows.columns), policy.leaks)
    assert [leak.name for leak in found] == ["Churn Reason", "Churn Score"]


def test_the_month_of_churn_in_the_hgp_file_is_found(policy):
    """Churn is no use in September; the features end in August."""
    random = np.random.default_rng(7)
    label = (random.random(1000) < 0.09).astype(float)
    used = np.where(label == 1, 0.0, random.lognormal(4, 1, 1000))
    rows = pd.DataFrame(
        {
            "as_of_date": pd.Timestamp("2014-08-31"),
            "total_ic_mou_8": random.lognormal(4, 1, 1000) * np.where(label == 1, 0.4, 1),
            "total_ic_mou_9": used,
            "sep_vbc_3g": np.where(label == 1, 0.0, random.exponential(100, 1000)),
        }
    )
    months = {"_8": date(2014, 8, 31), "_9": date(2014, 9, 30), "sep": date(2014, 9, 30)}
    dates = {
        name: day
        for name in rows.columns[1:]
        for mark, day in months.items()
        if name.endswith(mark) or name.startswith(mark)
    }
    assert [leak.name for leak in known_later(rows, "as_of_date", dates)] == [
        "total_ic_mou_9",
        "sep_vbc_3g",
    ]
    alone = predicts_alone(rows, label, list(rows.columns[1:]), policy.leaks)
    assert {leak.name for leak in alone} == {"total_ic_mou_9", "sep_vbc_3g"}


def test_the_calls_after_churn_in_the_megaline_files_are_found(policy):
    users = pd.DataFrame({"user_id": range(1000, 1010), "churn_date": ["12/18/2018", *[None] * 9]})
    calls = pd.DataFrame(
        {
            "user_id": [1000, 1000, 1000, 1001],
            "call_date": pd.to_datetime(["2018-12-17", "2018-12-18", "2018-12-19", "2018-12-30"]),
        }
    )
    churn_dates = pd.to_datetime(users.set_index("user_id")["churn_date"], format="%m/%d/%Y")
    assert after_churn({"calls": calls}, churn_dates, "user_id", policy.leaks) == [
        Leak("AFTER_CHURN", "calls", 1, 0)
    ]


def test_every_kind_of_leak_has_words(policy):
    assert set(policy.labels["leak_kind"]) == set(Kind.__args__)
