"""D04: no number, identity, name, address or free text lies anywhere but where it may.

It may lie in the landing zone, in the vault (encrypted) and in the lists' CSV. Everything else of
the home is searched: each file as bytes, each Parquet file and each table of the warehouse and of
Dagster's databases by its values, which compression hides from a search of bytes.
"""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pytest

from orchestration.contracts import Feed
from orchestration.landing.vault import read_vault
from orchestration.settings import DBT_PROJECT_DIR
from tests.loop.conftest import OPENS, PLANTED, World

PLACEHOLDERS = DBT_PROJECT_DIR / "seeds" / "policy" / "placeholder_names.csv"
# Digits of these lengths are numbers and identities; the rest of the values are words.
_CODE = re.compile(r"\d{11,17}[\dX]?")
_WORD = re.compile(r"[\u4e00-\u9fff]{3}[\u4e00-\u9fff0-9,,]*")
_WORDS = re.compile(r"[\u4e00-\u9fff][\u4e00-\u9fff0-9,,]*")


@dataclass(frozen=True)
class Needles:
    """Personal values to look for."""

    values: frozenset[str]

    @cached_property
    def by_length(self) -> dict[int, frozenset[bytes]]:
        """Length -> values that are digits, perhaps with a check letter."""
        codes = [value.encode() for value in self.values if _CODE.fullmatch(value)]
        return {
            length: frozenset(code for code in codes if len(code) == length)
            for length in {len(code) for code in codes}
        }

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(value for value in self.values if _WORD.fullmatch(value))

    def found_in(self, content: bytes) -> set[str]:
        found: set[bytes] = set()
        for run in set(re.findall(rb"\d{10,}X?", content)):
            for length, codes in self.by_length.items():
                found |= codes & {run[at : at + length] for at in range(len(run) - length + 1)}
        return {code.decode() for code in found} | self._words_in(content)

    def _words_in(self, content: bytes) -> set[str]:
        runs = set(_WORDS.findall(content.decode("utf-8", "ignore")))
        return {word for word in self.words if any(word in run for run in runs)}


def personal_values(world: World, feeds: Iterable[Feed]) -> Iterator[str]:
    """What the operator delivered in personal columns of CSV files, as it stands there."""
    for feed in feeds:
        names = [column.name for column in feed.columns if column.personal]
        for path in sorted((world.landing / feed.name).glob("*.csv")) if names else []:
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield from (row[name] for name in names if row.get(name))


@pytest.fixture(scope="module")
def needles(world: World) -> Needles:
    values = {
        value
        for value in (*personal_values(world, world.installation.feeds.values()), *PLANTED.values())
        # Birthdays and words of two characters are also other things.
        if _CODE.fullmatch(value) or _WORD.fullmatch(value)
    }
    # Names that stand for a missing one are nobody's, and policy lists them.
    with PLACEHOLDERS.open(encoding="utf-8", newline="") as file:
        values -= {row["name"] for row in csv.DictReader(file)}
    return Needles(frozenset(values))


def text_of(connection: duckdb.DuckDBPyConnection, relation: str) -> bytes:
    """The distinct values of every column of a relation as text, one a line."""
    names = [row[0] for row in connection.execute(f"describe select * from {relation}").fetchall()]
    chunks = []
    for name in names:
        values = connection.execute(
            f'select distinct "{name}"::varchar from {relation} where "{name}" is not null'
        ).fetchall()
        chunks += [value for (value,) in values]
    return "\n".join(chunks).encode()


def is_allowed(path: Path, home: Path) -> bool:
    top, *rest = path.relative_to(home).parts
    return top in ("landing", "truth") or (top == "published" and rest[-1] == "list.csv")


def searched_files(world: World) -> list[Path]:
    home = world.settings.home
    return [path for path in home.rglob("*") if path.is_file() and not is_allowed(path, home)]


def test_the_search_finds_what_is_there(world: World, needles: Needles) -> None:
    """Else the tests below could not fail."""
    assert len(needles.values) > 1500
    assert set(PLANTED.values()) <= needles.values
    seen: set[str] = set()
    for path in sorted(world.landing.rglob("*.csv")):
        seen |= needles.found_in(path.read_bytes())
    assert seen == needles.values
    listed = set()
    for path in world.settings.home.glob("published/*/*/list.csv"):
        listed |= needles.found_in(path.read_bytes())
    assert listed


def test_no_file_holds_a_personal_value(world: World, needles: Needles) -> None:
    """Logs, dbt's artefacts, Dagster's files, manifests, and the vault, which is encrypted."""
    leaks = {}
    for path in searched_files(world):
        if found := needles.found_in(path.read_bytes()):
            leaks[str(path.relative_to(world.settings.home))] = sorted(found)[:3]
    assert leaks == {}


def test_no_parquet_file_outside_the_vault_holds_a_personal_value(
    world: World, needles: Needles
) -> None:
    home = world.settings.home
    folders = sorted(
        {
            path.parent.parent
            for path in home.rglob("*.parquet")
            if not is_allowed(path, home) and "vault" not in path.relative_to(home).parts
        }
    )
    assert len(folders) > 60
    leaks = {}
    with duckdb.connect() as connection:
        for folder in folders:
            text = text_of(
                connection,
                f"read_parquet('{folder}/*/*.parquet', union_by_name = true,"
                " hive_partitioning = false)",
            )
            if found := needles.found_in(text):
                leaks[str(folder.relative_to(home))] = sorted(found)[:3]
    assert leaks == {}


def test_no_table_of_the_warehouse_holds_a_personal_value(world: World, needles: Needles) -> None:
    leaks = {}
    with world.installation.warehouse.connect(read_only=True) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_type = 'BASE TABLE'"
        ).fetchall()
        assert len(tables) > 20
        for (table,) in tables:
            if found := needles.found_in(text_of(connection, table)):
                leaks[table] = sorted(found)[:3]
    assert leaks == {}


def test_no_value_in_dagsters_databases_is_personal(world: World, needles: Needles) -> None:
    """Metadata of materializations and checks, errors, the log of every step."""
    databases = sorted((world.settings.home / "dagster").rglob("*.db"))
    assert databases
    leaks = {}
    for path in databases:
        if found := needles.found_in(sqlite_text(path)):
            leaks[path.name] = sorted(found)[:3]
    assert leaks == {}


def sqlite_text(path: Path) -> bytes:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables: Sequence[tuple[str]] = connection.execute(
            "select name from sqlite_master where type = 'table'"
        ).fetchall()
        rows = [
            str(value).encode()
            for (table,) in tables
            for row in connection.execute(f"select * from {table}")
            for value in row
            if isinstance(value, str)
        ]
    finally:
        connection.close()
    # Chinese is escaped in JSON.
    text = b"\n".join(rows)
    unescaped = re.sub(
        rb"\\+u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)).encode("utf-8", "ignore"), text
    )
    return text + unescaped


def test_nothing_is_left_in_the_workspace(world: World) -> None:
    """Spill and unfinished files hold values in clear."""
    assert [path for path in world.lake.workspace.rglob("*") if path.is_file()] == []


def test_the_rows_in_quarantine_are_whole_in_the_vault(world: World) -> None:
    """Who repairs a row can read it with the key, and nobody without."""
    key = world.settings.key("vault")
    for feed, planted in (("crm_customers", "id_number"), ("usage_devices", "imei")):
        path = world.lake.vault_quarantine(feed, OPENS)
        text = " ".join(read_vault(path, key, ["raw_text"])["raw_text"].to_pylist())
        assert PLANTED[planted] in text
        with pytest.raises(OSError, match=r".+"):
            read_vault(path, b"0" * 32)
        with duckdb.connect() as connection:
            texts = connection.execute(
                f"select raw_text from '{world.lake.quarantine(feed, OPENS)}'"
            ).fetchall()
        assert {value for (value,) in texts} == {None}


def test_the_same_number_is_the_same_token_in_every_feed(world: World) -> None:
    """D04: a customer's number in one feed is found as a line's number in another."""
    matched = world.rows(
        "select count(*) as rows from (select distinct msisdn_token as token"
        " from raw.crm_subscribers) inner join (select distinct contact_phone_token as token"
        " from raw.crm_customers) using (token)"
    )
    assert matched[0]["rows"] > 300


def test_what_holds_numbers_can_be_read_by_its_owner_only(world: World) -> None:
    home = world.settings.home
    private = [
        *home.glob("vault/*/*/*.parquet"),
        *home.glob("published/*/*/list.csv"),
    ]
    assert len(private) > 100
    assert {path.stat().st_mode & 0o077 for path in private} == {0}
    assert {path.stat().st_mode & 0o077 for path in home.glob("published/dt=*")} == {0}
