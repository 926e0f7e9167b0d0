"""Numbers and names of the listed, from the vault.

Here: the one reader of the vault outside ingestion. Not here: what is printed of them
(`retention/lists.py`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.installation import Installation
from orchestration.landing.vault import read_vault

CUSTOMERS_SQL = """
select subscriber_id, customer_id from core.dim_subscribers
where visible_from <= $day and visible_to > $day and subscriber_id in (select unnest($wanted))
"""


def contacts_of(installation: Installation, day: date, subscribers: list[str]) -> pd.DataFrame:
    """subscriber_id, msisdn, name as of `day`, one row a subscriber; null where unknown."""
    customer_of = installation.warehouse.table(
        CUSTOMERS_SQL, {"day": day, "wanted": subscribers}
    ).to_pandas()
    customers = customer_of["customer_id"].dropna().unique().tolist()
    numbers = newest(installation, "crm_subscribers", "subscriber_id", "msisdn", day, subscribers)
    names = newest(installation, "crm_customers", "customer_id", "name", day, customers)
    return (
        pd.DataFrame({"subscriber_id": subscribers}, dtype="str")
        .merge(customer_of, on="subscriber_id", how="left")
        .merge(numbers, on="subscriber_id", how="left")
        .merge(names, on="customer_id", how="left")[["subscriber_id", "msisdn", "name"]]
    )


def newest(
    installation: Installation, feed: str, key: str, column: str, day: date, wanted: list[str]
) -> pd.DataFrame:
    """`key`, `column` for the wanted keys, from the newest release up to `day` that has each.

    Releases are read backwards until every key is found, so that a day reads little of a long
    history; the rows of one release hold a key once.
    """
    folder = installation.lake.vault(feed, day).parent.parent
    vault_key = installation.settings.key("vault")
    missing = pa.array(sorted(set(wanted)), pa.string())
    found = []
    for release in sorted(folder.glob("dt=*/part.parquet"), reverse=True):
        if release.parent.name.removeprefix("dt=") > day.isoformat():
            continue
        if not len(missing):
            break
        table = read_vault(release, vault_key, [key, column])
        table = table.filter(pc.is_in(table[key], value_set=missing))
        found.append(table)
        missing = missing.filter(
            pc.invert(pc.is_in(missing, value_set=table[key].combine_chunks()))
        )
    if not found:
        return pd.DataFrame({key: [], column: []}, dtype="str")
    return pa.concat_tables(found).to_pandas().astype("str")
