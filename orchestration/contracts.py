"""The contract of each feed, read from the dbt manifest.

The contract (columns, types, key, personal-data class, unit, codes, ranges) is declared once, in
`dbt_project/models/staging/<source>/_<source>__sources.yml`. Here: reading it into typed objects.
Not here: parsing files by it (`landing/`), building the manifest (`defs/dbt.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Cadence = Literal["D", "S", "M", "R"]

# Personal identifiers that must match across feeds become keyed tokens; the rest is sealed: it
# leaves no trace outside the vault but the facts of DERIVED_FACTS.
TOKEN_CLASSES = frozenset({"phone", "imsi", "imei", "iccid", "id_number", "area"})
SEALED_CLASSES = frozenset({"name", "address", "birthday", "free_text"})
# personal class -> (suffix-free column of the derived fact, SQL type). Of a phone number only where
# the contract asks for it (`derives: short_code`): then `<column without _msisdn>_is_short_code`.
DERIVED_FACTS: Mapping[str, tuple[str, str]] = {
    "birthday": ("birth_year", "bigint"),
    "id_number": ("id_number_is_valid", "boolean"),
    "name": ("name_is_placeholder", "boolean"),
    "address": ("has_address", "boolean"),
}
# Written to every raw partition after the contract's columns: where each row came from.
PROVENANCE: Mapping[str, str] = {"source_file": "varchar", "source_line": "bigint"}


@dataclass(frozen=True)
class Column:
    """One delivered column of a feed."""

    name: str
    data_type: str
    description: str = ""
    personal: str | None = None
    code_set: str | None = None
    codes: frozenset[str] = frozenset()
    unit: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    is_event_time: bool = False
    is_month: bool = False
    is_rounded: bool = False
    derives_short_code: bool = False

    @property
    def raw_columns(self) -> Mapping[str, str]:
        """Name -> SQL type of what this column leaves in raw."""
        if self.personal is None:
            return {self.name: self.data_type}
        columns: dict[str, str] = {}
        if self.personal in TOKEN_CLASSES:
            columns[f"{self.name}_token"] = "varchar"
        if self.personal in DERIVED_FACTS:
            name, data_type = DERIVED_FACTS[self.personal]
            columns[name] = data_type
        if self.derives_short_code:
            columns[self.short_code_fact] = "boolean"
        return columns

    @property
    def short_code_fact(self) -> str:
        """The derived fact that tells a service number from a person's."""
        return f"{self.name.removesuffix('_msisdn')}_is_short_code"


@dataclass(frozen=True)
class Feed:
    """One feed: a folder of files in the landing zone."""

    name: str
    source: str
    description: str
    cadence: Cadence
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def has_personal_data(self) -> bool:
        return any(column.personal for column in self.columns)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The key columns that a file must hold (`dt` comes from the file's name)."""
        return tuple(name for name in self.key if name != "dt")

    @property
    def raw_columns(self) -> Mapping[str, str]:
        """Name -> SQL type of a raw partition's columns, in order, without `dt` (the folder's name)."""
        columns: dict[str, str] = {}
        for column in self.columns:
            columns.update(column.raw_columns)
        return {**columns, **PROVENANCE}

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def load_codes(seeds: Path) -> Mapping[str, frozenset[str]]:
    """Code set -> its codes, from the code tables among the seeds."""
    codes: dict[str, set[str]] = {}
    with (seeds / "codes" / "codes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes.setdefault(row["code_set"], set()).add(row["code"])
    with (seeds / "codes" / "cause_codes.csv").open(encoding="utf-8", newline="") as file:
        codes["cause_codes"] = {row["cause"] for row in csv.DictReader(file)}
    return {name: frozenset(values) for name, values in codes.items()}


def load_tolerances(seeds: Path, feeds: Iterable[str]) -> Mapping[str, float]:
    """Feed -> the share of a day's rows that may be quarantined before nothing downstream runs.

    Raises ValueError for a feed without a tolerance and for a share outside 0..1.
    """
    path = seeds / "policy" / "feed_tolerances.csv"
    with path.open(encoding="utf-8", newline="") as file:
        shares = {row["feed"]: float(row["max_quarantined_share"]) for row in csv.DictReader(file)}
    problems = [f"{name}: no tolerance" for name in feeds if name not in shares]
    problems += [
        f"{name}: {share} is no share" for name, share in shares.items() if not 0 <= share <= 1
    ]
    if problems:
        raise ValueError(f"{path.name}: {'; '.join(problems)}")
    return shares


def load_feeds(
    manifest: Mapping[str, Any], codes: Mapping[str, frozenset[str]]
) -> Mapping[str, Feed]:
    """Feed name -> contract, from a dbt manifest, in the order of the source files.

    Raises ValueError for a declaration that contradicts itself (a key column that does not exist,
    a code set without a code table).
    """
    feeds = [
        _feed(node, codes)
        for node in manifest["sources"].values()
        if "cadence" in node["config"].get("meta", {})
    ]
    return {feed.name: feed for feed in sorted(feeds, key=lambda feed: (feed.source, feed.name))}


def _feed(node: Mapping[str, Any], codes: Mapping[str, frozenset[str]]) -> Feed:
    meta = node["config"]["meta"]
    columns = tuple(_column(node["name"], spec, codes) for spec in node["columns"].values())
    feed = Feed(
        name=node["name"],
        source=node["source_name"],
        description=node["description"],
        cadence=meta["cadence"],
        key=tuple(meta["key"]),
        columns=columns,
    )
    missing = set(feed.required_columns) - {column.name for column in columns}
    if missing:
        raise ValueError(f"{feed.name}: key column {', '.join(sorted(missing))} is not declared")
    return feed


def _column(feed: str, spec: Mapping[str, Any], codes: Mapping[str, frozenset[str]]) -> Column:
    meta = spec.get("config", {}).get("meta", {})
    code_set = meta.get("code_set")
    if code_set is not None and code_set not in codes:
        raise ValueError(f"{feed}.{spec['name']}: no code table {code_set!r} among the seeds")
    personal = meta.get("personal")
    if personal is not None and personal not in TOKEN_CLASSES | SEALED_CLASSES:
        raise ValueError(f"{feed}.{spec['name']}: unknown personal-data class {personal!r}")
    derives = meta.get("derives")
    if derives is not None and (derives != "short_code" or personal != "phone"):
        raise ValueError(f"{feed}.{spec['name']}: {derives!r} cannot be derived from it")
    return Column(
        name=spec["name"],
        data_type=spec["data_type"],
        description=spec.get("description", ""),
        personal=personal,
        code_set=code_set,
        codes=codes[code_set] if code_set else frozenset(),
        unit=meta.get("unit"),
        minimum=meta.get("min"),
        maximum=meta.get("max"),
        is_event_time=bool(meta.get("event_time")),
        is_month=meta.get("format") == "month",
        is_rounded=bool(meta.get("rounds")),
        derives_short_code=derives == "short_code",
    )
