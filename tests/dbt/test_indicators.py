"""D05, D06: the catalogue of indicators and the tables hold the same, in ten views."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from orchestration.settings import DBT_PROJECT_DIR

CATALOGUE = DBT_PROJECT_DIR / "seeds" / "codes" / "indicator_catalog.csv"
KEY = ["subscriber_id", "as_of_date"]


@pytest.fixture(scope="module")
def catalogue() -> list[dict[str, str]]:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tables(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """View -> the columns of its table that are no key."""
    return {
        node["name"].removeprefix("indicators_"): [
            name for name in node["columns"] if name not in KEY
        ]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"].startswith("indicators_")
    }


def test_d06_ten_views_of_twenty_indicators_or_more(catalogue: list[dict[str, str]]) -> None:
    counts = Counter(row["view_name"] for row in catalogue)
    assert len(counts) == 10
    assert min(counts.values()) >= 20
    assert len(catalogue) >= 200
    assert len({row["code"] for row in catalogue}) == len(catalogue)


def test_d06_catalogue_and_tables_agree(
    catalogue: list[dict[str, str]], tables: dict[str, list[str]]
) -> None:
    listed: dict[str, set[str]] = {}
    for row in catalogue:
        listed.setdefault(row["view_name"], set()).add(row["code"])
    assert {view: set(columns) for view, columns in tables.items()} == listed


def test_d05_every_family_has_indicators_and_every_indicator_words(
    catalogue: list[dict[str, str]],
) -> None:
    assert {row["family"] for row in catalogue} == {"CUSTOMER", "SERVICE", "CONSUMPTION"}
    blank = [row["code"] for row in catalogue if not all(row.values())]
    assert blank == []


def test_d06_feeds_of_the_catalogue_exist(
    catalogue: list[dict[str, str]], manifest: Mapping[str, Any]
) -> None:
    feeds = {source["name"] for source in manifest["sources"].values()}
    named = {feed for row in catalogue for feed in row["feeds"].split(";")}
    assert named - feeds == set()


def test_d06_one_view_over_the_ten_tables(
    manifest: Mapping[str, Any], tables: dict[str, list[str]]
) -> None:
    (view,) = (
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == "subscriber_indicators"
    )
    read = {key.rsplit(".indicators_", 1)[-1] for key in view["depends_on"]["nodes"]}
    assert read == set(tables)


def test_signal_seeds_name_the_same_signals(manifest: Mapping[str, Any]) -> None:
    """O01 to O41: each signal has its words, its inputs and its place where it is found."""
    seeds = DBT_PROJECT_DIR / "seeds"
    with (seeds / "codes" / "signal_codes.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["code"] for row in csv.DictReader(file)}
    with (seeds / "policy" / "signal_inputs.csv").open(encoding="utf-8", newline="") as file:
        inputs = list(csv.DictReader(file))
    assert {row["signal"] for row in inputs} == codes
    macro = (DBT_PROJECT_DIR / "macros" / "signals.sql").read_text(encoding="utf-8")
    assert all(f"'code': '{code}'" in macro for code in codes)
    columns = {source["name"]: set(source["columns"]) for source in manifest["sources"].values()}
    wrong = [row for row in inputs if row["feed_column"] not in columns.get(row["feed"], set())]
    assert wrong == []
