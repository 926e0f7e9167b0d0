"""A feed's contract is read from its one declaration, and a declaration that errs is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestration.contracts import (
    PROVENANCE,
    SEALED_CLASSES,
    TOKEN_CLASSES,
    Column,
    Feed,
    load_codes,
    load_feeds,
    load_tolerances,
)
from orchestration.installation import SEEDS

CODES = {"colour": frozenset({"RED", "BLUE"})}


def manifest_of(columns: Mapping[str, Mapping[str, Any]], key: list[str]) -> Mapping[str, Any]:
    """A manifest with one feed; `columns`: name -> meta."""
    node = {
        "name": "shop_sales",
        "source_name": "shop",
        "description": "Sales.",
        "config": {"meta": {"cadence": "D", "key": key}},
        "columns": {
            name: {"name": name, "data_type": "varchar", "config": {"meta": meta}}
            for name, meta in columns.items()
        },
    }
    receipts = node | {"name": "receipts", "config": {"meta": {}}}
    return {"sources": {"a": receipts, "b": node}}


def test_sources_without_a_cadence_are_no_feeds() -> None:
    feeds = load_feeds(manifest_of({"sale_id": {}}, ["sale_id", "dt"]), CODES)
    assert list(feeds) == ["shop_sales"]
    assert feeds["shop_sales"].required_columns == ("sale_id",)


@pytest.mark.parametrize(
    ("columns", "key", "message"),
    [
        ({"sale_id": {}}, ["sale_id", "shop_id"], "shop_sales: key column shop_id"),
        ({"paint": {"code_set": "smell"}}, ["paint"], "shop_sales.paint: no code table 'smell'"),
        (
            {"who": {"personal": "dna"}},
            ["who"],
            "shop_sales.who: unknown personal-data class 'dna'",
        ),
        (
            {"who": {"personal": "imei", "derives": "short_code"}},
            ["who"],
            "shop_sales.who: 'short_code' cannot be derived from it",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_names_feed_and_column(
    columns: Mapping[str, Any], key: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_feeds(manifest_of(columns, key), CODES)


@pytest.mark.parametrize("personal", sorted(TOKEN_CLASSES | SEALED_CLASSES))
def test_no_personal_column_keeps_its_name_in_raw(personal: str) -> None:
    """D04: of a personal value a token or a derived fact remains, and never the column itself."""
    raw = Column("it", "varchar", personal=personal).raw_columns
    assert "it" not in raw
    assert ("it_token" in raw) == (personal in TOKEN_CLASSES)


def test_every_raw_partition_tells_where_its_rows_came_from(feeds: Mapping[str, Feed]) -> None:
    for feed in feeds.values():
        assert list(feed.raw_columns)[-2:] == list(PROVENANCE)
        assert "dt" not in feed.raw_columns


def test_what_names_a_person_is_declared_personal(feeds: Mapping[str, Feed]) -> None:
    """A column that sounds personal and is not declared so would go to raw in clear."""
    sounds = (
        "msisdn",
        "imsi",
        "imei",
        "iccid",
        "id_number",
        "address",
        "birthday",
        "phone",
        "notes",
    )
    undeclared = [
        f"{feed.name}.{column.name}"
        for feed in feeds.values()
        for column in feed.columns
        if column.personal is None
        and (
            any(word in column.name for word in sounds)
            or column.name in ("name", "staff_name", "answer_text")
        )
    ]
    assert undeclared == []


def test_every_feed_has_a_tolerance_and_no_other_has(feeds: Mapping[str, Feed]) -> None:
    tolerances = load_tolerances(SEEDS, feeds)
    assert set(tolerances) == set(feeds)
    assert all(0 <= share < 1 for share in tolerances.values())


def test_keys_are_never_a_matter_of_taste(feeds: Mapping[str, Feed]) -> None:
    """The key's columns come in the order of the declaration and only `dt` is not delivered."""
    for feed in feeds.values():
        assert feed.required_columns, feed.name
        assert set(feed.key) - set(feed.required_columns) <= {"dt"}
        assert len(set(feed.key)) == len(feed.key)


def test_codes_are_those_of_the_seeds(feeds: Mapping[str, Feed]) -> None:
    codes = load_codes(SEEDS)
    used = [column for feed in feeds.values() for column in feed.columns if column.code_set]
    assert used
    for column in used:
        assert column.codes == codes[str(column.code_set)]
        assert column.codes
