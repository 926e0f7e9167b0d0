"""The field answers what was listed, and leaves everybody else alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from orchestration.simulator import simulate
from orchestration.simulator.feeds import DAILY_FEEDS, FIELD_FEEDS, MONTHLY_FEEDS
from tests.unit.simulator.conftest import FIRST, LAST, LISTED, SEED, SUBSCRIBERS, Delivered

Connection = duckdb.DuckDBPyConnection
# Of customers, stocks and markets: their rows do not belong to one subscriber each.
NO_SUBSCRIBER = {"crm_customers", "channel_stock_events", "market_stock", "market_size"}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """The same world without any list."""
    home = tmp_path_factory.mktemp("untouched")
    world = Delivered(home / "landing", home / "truth", home / "published")
    simulate(SUBSCRIBERS, FIRST, LAST, SEED, world.landing, world.truth, world.published)
    return world


def rows_of_others(path: Path) -> pa.Table:
    """The file's rows that do not belong to a listed subscriber."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path)
    else:
        names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        types = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        rows = pacsv.read_csv(path, convert_options=types)
    if "subscriber_id" not in rows.column_names:
        return rows
    is_listed = pc.is_in(rows["subscriber_id"], value_set=pa.array(LISTED))
    return rows.filter(pc.invert(is_listed))


def test_who_is_not_listed_lives_on_untouched(delivered: Delivered, untouched: Delivered) -> None:
    others = 0
    for feed in (*DAILY_FEEDS, *MONTHLY_FEEDS):
        if feed in NO_SUBSCRIBER:
            continue
        for path in sorted((untouched.landing / feed).iterdir()):
            alone = rows_of_others(path)
            beside = rows_of_others(delivered.landing / feed / path.name)
            assert alone.equals(beside), path.name
            others += len(alone)
    assert others > 10_000
    for name in FIELD_FEEDS:
        assert not (untouched.landing / name).exists()


def test_contacts_change_the_lives_of_the_listed(
    delivered: Delivered, untouched: Delivered
) -> None:
    contacted = delivered.files()
    changed = {
        name.split("/")[0]
        for name, content in untouched.files().items()
        if contacted[name] != content
    }
    assert {"billing_payments", "billing_subscriptions", "usage_devices", "crm_consents"} <= changed


def test_opting_out_withdraws_the_consent(delivered: Delivered, sql: Connection) -> None:
    withdrawn = sql.execute(
        f"select subscriber_id, channel from {delivered.rows('crm_consents')}"
        " where source = 'OPT_OUT' and is_granted = 'false' and message_class = 'MARKETING'"
    ).fetchall()
    campaigns = (
        "select subscriber_id, channel, outcome from"
        f" {delivered.rows('field_contacts')} where campaign_code is not null"
    )
    ours = f"select subscriber_id, channel, outcome from {delivered.truth_of('field_contacts')}"
    opted_out = sql.execute(
        f"select subscriber_id, channel from ({campaigns} union all {ours})"
        " where outcome = 'OPT_OUT'"
    ).fetchall()
    assert len(set(withdrawn)) == len(withdrawn), "nobody is asked again"
    assert sorted(opted_out) == sorted(withdrawn) != []


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published" / f"dt={FIRST - timedelta(days=1)}" / "list.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"work_order_id": ["wo_1"]}), path)
    with pytest.raises(ValueError, match=r"list\.parquet: .* needs the column subscriber_id"):
        simulate(50, FIRST, FIRST, 3, tmp_path / "l", tmp_path / "t", tmp_path / "published")
