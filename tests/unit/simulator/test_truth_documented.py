"""The documentation names the truth's tables and columns as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from orchestration.simulator import catalogue as cat
from orchestration.simulator import dirt_truth, life
from tests.unit.simulator.conftest import Delivered

PAGE = Path(__file__).parents[3] / "docs" / "simulator.md"
# What stands for several columns.
FAMILIES: Mapping[str, Sequence[object]] = {
    "<family>": [family.code.lower() for family in cat.FAMILIES],
    "<cause>": [cause.lower() for cause in cat.CAUSES],
    "<days>": life.CHANCE_DAYS,
}


def expanded(name: str) -> Iterator[str]:
    for stands_for, values in FAMILIES.items():
        if stands_for in name:
            yield from (name.replace(stands_for, str(value)) for value in values)
            return
    yield name


def section(title: str) -> str:
    _, text = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")
    return text.split("\n## ")[0]


def documented() -> dict[str, set[str]]:
    """Table -> columns, by the backticked words in small letters."""
    rows = [
        line.strip("|").split("|")
        for line in section("The truth's tables").splitlines()
        if line.startswith("| `")
    ]
    return {
        re.findall(r"`([a-z_/]+)`", table)[0]: {
            column
            for name in re.findall(r"`([a-z][a-z0-9_<>]*)`", columns)
            if name != "exits"  # a table
            for column in expanded(name)
        }
        for table, _, columns in rows
    }


def written(truth: Path) -> dict[str, set[str]]:
    """Table -> columns of its files; folders by day or month are no part of a table's name."""
    tables: dict[str, set[str]] = {}
    for path in truth.rglob("*.parquet"):
        folders = path.relative_to(truth).parent.parts
        table = "/".join(folder for folder in folders if "=" not in folder)
        columns = set(pq.ParquetFile(path).schema_arrow.names)
        assert tables.setdefault(table, columns) == columns, path
    return tables


def test_the_documented_truth_is_what_is_written(delivered: Delivered) -> None:
    tables = written(delivered.truth)
    tables["dirt/rows"] = set(dirt_truth.ROWS.names)  # this operator is clean
    tables["dirt/files"] = set(dirt_truth.FILES.names)
    assert documented() == tables


def test_planted_phenomena_name_tables_of_the_truth() -> None:
    tables = documented()
    lines = [line for line in section("Planted phenomena").splitlines() if line.startswith("| ")]
    named = {
        name
        for line in lines[1:]
        for name in re.findall(r"`([a-z_.]+)`", line.split("|")[2])
        if name not in tables["reentries"]
    }
    assert len(named) > 10
    for name in named:
        table, _, column = name.partition(".")
        assert table in tables, name
        assert not column or column in tables[table], name
