"""The accuracy benchmark on small tables: its command line, splits and prior."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import accuracy
from orchestration.settings import PROJECT_ROOT

RANDOM = np.random.default_rng(2)
COUNT = 900
USE = RANDOM.normal(size=COUNT)
LEFT = RANDOM.random(COUNT) < 1 / (1 + np.exp(1 + 1.5 * USE))
TABLE = pd.DataFrame(
    {
        "customer": [f"C{n}" for n in range(COUNT)],
        "use": USE,
        "leak": LEFT.astype(int),
        "month": np.arange(COUNT) % 4 + 1,
        "left": np.where(LEFT, "Yes", "No"),
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    train = TABLE.iloc[:600].rename(columns={"customer": " customer"})
    train.to_csv(folder / "train.csv", index=False, encoding="utf-8-sig")
    TABLE.iloc[600:].to_parquet(folder / "test.parquet", index=False)
    TABLE.iloc[600:].drop(columns="left").to_csv(folder / "unlabelled.csv", index=False)
    return folder


def _run(*arguments: object) -> dict:
    command = [sys.executable, str(PROJECT_ROOT / "benchmarks" / "accuracy.py")]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_scores_for_a_table_without_labels_are_those_judged_with_them(folder):
    given = ("--label", "left", "--id", "customer", "--drop", "leak,month")
    labelled = folder / "labelled.csv"
    result = _run(
        folder / "train.csv", "--test", folder / "test.parquet", *given, "--score-to", labelled
    )
    assert 0.7 < result["auc"] < 0.95  # the leak is not used
    assert {"average_precision", "top_decile_lift", "brier", "ece", "empc"} <= set(result)
    blind = folder / "blind.csv"
    nothing = _run(
        folder / "train.csv", "--test", folder / "unlabelled.csv", *given, "--score-to", blind
    )
    assert "auc" not in nothing
    assert blind.read_bytes() == labelled.read_bytes()
    scores = pd.read_csv(blind)
    assert scores["customer"].tolist() == TABLE["customer"].iloc[600:].tolist()
    assert scores["probability"].between(0, 1, inclusive="neither").all()


def test_the_cut_in_time_learns_from_what_came_before():
    question = accuracy.Question(
        label="left", id="customer", drop=("leak",), time="month", train_until="3"
    )
    result, scores = accuracy.run(TABLE, None, question)
    assert scores is None
    assert result["split"] == "month <= 3"
    assert 0.7 < result["auc"] < 0.95


def test_copies_are_counted_once():
    twice = pd.concat([TABLE, TABLE.iloc[:300]])
    question = accuracy.Question(label="left", id="customer", drop=("leak", "month"), folds=2)
    assert accuracy.run(twice, None, question)[0]["rows"] == COUNT


def test_a_prior_counts_churners_as_the_share_that_they_truly_are():
    label = np.repeat([1.0, 0.0], 500)
    chance = np.linspace(0.9, 0.1, 1000)
    repeated, _ = accuracy._at_prior(label, chance, 0.02)
    assert repeated.mean() == pytest.approx(0.02, abs=0.0005)
    repeated, _ = accuracy._at_prior(np.repeat([1.0, 0.0], [20, 980]), chance, 0.02)
    assert len(repeated) == 1000


def test_words_for_a_label():
    words = pd.DataFrame({"left": [" Yes", "no", True, 0]})
    assert accuracy.labels(words, "left").tolist() == [1, 0, 1, 0]
    with pytest.raises(SystemExit, match="perhaps"):
        accuracy.labels(pd.DataFrame({"left": ["yes", "perhaps"]}), "left")
