"""SQL sees every folder of the lake as a typed relation, whatever arrived."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.warehouse import LakeRelation, Warehouse

COLUMNS = {"subscriber_id": "varchar", "amount_cny": "decimal(18,2)"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home" / "warehouse.duckdb", tmp_path / "spill")


@pytest.fixture
def relation(tmp_path: Path) -> LakeRelation:
    return LakeRelation("raw", "payments", tmp_path / "payments", COLUMNS, {"dt": "date"})


def deliver(relation: LakeRelation, partition: str, **columns: Any) -> None:
    path = relation.folder / partition / "part.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def rows(warehouse: Warehouse, sql: str = "select * from raw.payments order by all") -> list[Any]:
    return warehouse.table(sql).to_pylist()


def test_a_feed_without_files_is_empty_and_typed(
    warehouse: Warehouse, relation: LakeRelation
) -> None:
    warehouse.register([relation])
    table = warehouse.table("select * from raw.payments")
    assert table.num_rows == 0
    assert table.schema.names == ["subscriber_id", "amount_cny", "dt"]
    assert table.schema.field("amount_cny").type == pa.decimal128(18, 2)
    assert table.schema.field("dt").type == pa.date32()


def test_partitions_are_columns_of_their_declared_type(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    relation = LakeRelation(
        "raw",
        "receipts",
        tmp_path / "receipts",
        {"kept": "bigint"},
        {"feed": "varchar", "dt": "date"},
    )
    # A feed's name that looks like a number stays text.
    deliver(relation, "feed=007/dt=2025-03-01", kept=[5])
    warehouse.register([relation])
    assert rows(warehouse, "select * from raw.receipts") == [
        {"kept": 5, "feed": "007", "dt": date(2025, 3, 1)}
    ]


def test_files_that_come_later_are_seen_without_registering_again(
    warehouse: Warehouse, relation: LakeRelation
) -> None:
    deliver(relation, "dt=2025-03-01", subscriber_id=["a"], amount_cny=[None])
    warehouse.register([relation])
    deliver(relation, "dt=2025-03-02", subscriber_id=["b"], amount_cny=[None])
    assert [row["subscriber_id"] for row in rows(warehouse)] == ["a", "b"]


def test_a_column_that_the_contract_gained_is_unknown_in_older_files(
    warehouse: Warehouse, relation: LakeRelation
) -> None:
    deliver(relation, "dt=2025-03-01", subscriber_id=["a"])
    warehouse.register([relation])
    assert [row["amount_cny"] for row in rows(warehouse)] == [None]
    amount = pa.array([Decimal(5)], pa.decimal128(18, 2))
    deliver(relation, "dt=2025-03-02", subscriber_id=["b"], amount_cny=amount)
    warehouse.register([relation])
    assert [row["amount_cny"] for row in rows(warehouse)] == [None, 5]


def test_a_column_that_the_contract_lost_is_gone(
    warehouse: Warehouse, relation: LakeRelation
) -> None:
    deliver(relation, "dt=2025-03-01", subscriber_id=["a"], extra=[1], amount_cny=[None])
    warehouse.register([relation])
    assert list(rows(warehouse)[0]) == ["subscriber_id", "amount_cny", "dt"]


def test_registering_twice_changes_nothing(warehouse: Warehouse, relation: LakeRelation) -> None:
    deliver(relation, "dt=2025-03-01", subscriber_id=["a"], amount_cny=[None])
    warehouse.register([relation])
    before = rows(warehouse)
    warehouse.register([relation])
    assert rows(warehouse) == before


def test_unfinished_files_are_not_seen(warehouse: Warehouse, relation: LakeRelation) -> None:
    deliver(relation, "dt=2025-03-01", subscriber_id=["a"], amount_cny=[None])
    (relation.folder / "dt=2025-03-01" / "x.writing").write_bytes(b"half")
    warehouse.register([relation])
    assert len(rows(warehouse)) == 1


def test_parameters_are_values_and_never_sql(warehouse: Warehouse, relation: LakeRelation) -> None:
    warehouse.register([relation])
    found = warehouse.table("select $name as name", {"name": "'; drop view raw.payments; --"})
    assert found.to_pylist() == [{"name": "'; drop view raw.payments; --"}]
    assert rows(warehouse) == []


def test_reading_does_not_write(warehouse: Warehouse, relation: LakeRelation) -> None:
    warehouse.register([relation])
    with (
        pytest.raises(duckdb.InvalidInputException),
        warehouse.connect(read_only=True) as connection,
    ):
        connection.execute("create table raw.x (a integer)")


def test_a_connection_is_closed_after_an_error(
    warehouse: Warehouse, relation: LakeRelation
) -> None:
    """The next connection, with other rights, must not be shut out."""
    with pytest.raises(ZeroDivisionError), warehouse.connect():
        raise ZeroDivisionError
    warehouse.register([relation])
    with pytest.raises(duckdb.Error):
        warehouse.table("select * from raw.nothing")
    warehouse.register([relation])
    assert rows(warehouse) == []
