"""The feeds that the synthetic operator delivers: columns, kinds, keys, and writing them.

Here: turning arrays into tables of a feed and tables into landing files. Not here: what is in
them. The operator is a stranger to the platform, so its columns are spelled out here and not read
from the platform's contracts; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

# name[*]:kind, in the order of delivery; * marks the key.
_COLUMNS: Mapping[str, str] = {
    "org_units": ("org_id*:text parent_org_id:text org_level:text name_zh:text name_en:text"),
    "org_staff": (
        "staff_id*:text staff_name:text org_id:text channel_id:text section_id:text role:text "
        "employment:text daily_capacity_calls:count daily_capacity_visits:count"
    ),
    "org_channels": ("channel_id*:text org_id:text channel_type:text"),
    "org_agents": (
        "agent_id*:text valid_from*:date channel_id:text org_id:text agent_type:text valid_to:date"
    ),
    "billing_plans": (
        "plan_id*:text valid_from*:date valid_to:date name_zh:text name_en:text brand:text "
        "payment_mode:text monthly_fee_cny:cny voice_minutes:minutes data_mb:mb sms_count:count "
        "overage_voice_cny_per_min:rate overage_data_cny_per_mb:rate overage_sms_cny:rate "
        "overage_mode:text bandwidth_mbps:mb access_technology:text network_generation:text "
        "early_exit_fee_cny:cny org_id:text on_sale_from:date on_sale_to:date"
    ),
    "billing_products": (
        "product_id*:text on_sale_from*:date product_kind:text name_zh:text name_en:text "
        "monthly_fee_cny:cny voice_minutes:minutes data_mb:mb sms_count:count app_class:text "
        "is_partner:flag contract_months:count subsidy_cny:cny on_sale_to:date"
    ),
    "billing_subscriptions": (
        "subscription_id*:text subscriber_id:text product_id:text product_kind:text "
        "ordered_at:time started_at:time ended_at:time end_reason:text contract_end_date:date "
        "price_cny:cny is_trial:flag consent_method:text consent_ref:text consent_at:time "
        "order_channel_id:text order_agent_id:text order_staff_id:text group_id:text "
        "device_imei:text device_tac:text subsidy_cny:cny promo_id:text"
    ),
    "crm_subscribers": (
        "subscriber_id*:text msisdn:text imsi:text customer_id:text brand:text payment_mode:text "
        "service_type:text line_class:text activated_at:time first_registered_at:time "
        "ported_in_from:text acquisition_channel_id:text agent_id:text org_id:text "
        "section_id:text number_grade:text is_autopay:flag service_bars:text status:text "
        "status_reason:text status_at:time manager_id:text"
    ),
    "crm_customers": (
        "customer_id*:text name:text id_type:text id_number:text birthday:date gender:text "
        "address:text org_class:text vip_level:count interests:text occupation:text "
        "income_band:text points_balance:count contact_phone:text real_name_status:text "
        "credit_level:text preferred_channel:text"
    ),
    "crm_consents": (
        "subscriber_id*:text message_class*:text channel*:text changed_at*:time is_granted:flag "
        "source:text proof_ref:text"
    ),
    "device_models": (
        "tac*:text brand:text model:text device_class:text network_generation:text "
        "is_dual_sim:flag price_band:text released_on:date"
    ),
    "usage_daily": (
        "subscriber_id*:text usage_date*:date voice_out_minutes:minutes voice_in_minutes:minutes "
        "voice_offnet_minutes:minutes voice_competitor_minutes:minutes "
        "voice_night_minutes:minutes calls_out:count calls_in:count sms_out:count data_mb:mb "
        "data_mb_video:mb data_mb_social:mb data_mb_messaging:mb data_mb_music:mb data_mb_game:mb "
        "data_mb_other:mb data_mb_night:mb data_mb_roaming:mb data_mb_tethering:mb "
        "data_mb_background:mb data_mb_4g:mb data_mb_5g:mb data_sessions:count "
        "failed_data_sessions:count slow_data_mb:mb poor_coverage_minutes:minutes "
        "roaming_minutes:minutes counterparties:count dropped_calls:count failed_calls:count "
        "tac:text"
    ),
    "usage_devices": ("subscriber_id*:text imei*:text at*:time tac:text"),
    "usage_competitor_contacts": (
        "event_id*:text subscriber_id:text at:time kind:text forward_type:text "
        "forward_to_msisdn:text competitor:text"
    ),
    "usage_call_circle": (
        "subscriber_id*:text month*:month counterparty_msisdn*:text counterparty_operator:text "
        "minutes_out:minutes minutes_in:minutes is_onnet:flag"
    ),
    "billing_invoices": (
        "subscriber_id*:text month*:month invoice_id:text plan_id:text plan_fee_cny:cny "
        "voice_overage_cny:cny data_overage_cny:cny sms_overage_cny:cny roaming_cny:cny "
        "vas_cny:cny device_instalment_cny:cny discount_cny:cny adjustment_cny:cny other_cny:cny "
        "total_cny:cny voice_minutes:minutes data_mb:mb sms_count:count issued_on:date "
        "due_on:date"
    ),
    "billing_payments": (
        "payment_id*:text subscriber_id:text paid_at:time amount_cny:cny payment_kind:text "
        "method:text channel_id:text promo_id:text"
    ),
    "billing_balances": (
        "subscriber_id*:text balance_cny:cny gift_balance_cny:cny charged_mtd_cny:cny "
        "arrears_cny:cny arrears_since:date dunning_stage:text credit_limit_cny:cny "
        "valid_until:date"
    ),
    "billing_adjustments": (
        "adjustment_id*:text subscriber_id:text at:time kind:text amount_cny:cny "
        "reason_code:text product_id:text complaint_id:text offer_id:text staff_id:text"
    ),
    "usage_areas": "subscriber_id*:text month*:month kind*:text area_id:text days:count",
    "care_complaints": (
        "complaint_id*:text step*:text at*:time subscriber_id:text due_at:time category:text "
        "cause_class:text severity:text product_id:text staff_id:text channel_id:text "
        "satisfaction:count"
    ),
    "care_interactions": (
        "interaction_id*:text subscriber_id:text at:time channel_id:text reason:text outcome:text "
        "staff_id:text duration_seconds:count"
    ),
    "service_failures": (
        "failure_id*:text step*:text scope:text subscriber_id:text org_id:text kind:text "
        "severity:text at:time started_at:time ended_at:time detected_by:text "
        "customer_informed_at:time apology_at:time compensation_cny:cny"
    ),
    "market_offers": (
        "offer_id*:text valid_from*:date valid_to:date name_zh:text name_en:text family:text "
        "relationship_level:text cost_cny:cny channel_roles:text product_id:text tac:text "
        "responds_to:text stock_pool_id:text"
    ),
    "market_competitor_offers": (
        "competitor_offer_id*:text competitor:text offer_kind:text offer_text:text "
        "monthly_fee_cny:cny data_mb:mb voice_minutes:minutes network_generation:text "
        "seen_from:date seen_to:date org_id:text"
    ),
    "market_stock": (
        "pool_id*:text org_id*:text item:text tac:text is_labelled:flag reserved:count "
        "received:count issued:count remaining:count"
    ),
    "market_size": "org_id*:text month*:month operator*:text subscribers:count",
    "channel_commissions": (
        "commission_id*:text agent_id:text channel_id:text subscriber_id:text kind:text "
        "amount_cny:cny earned_on:date"
    ),
    "channel_stock_events": (
        "event_id*:text channel_id:text agent_id:text item_kind:text iccid:text imei:text "
        "tac:text event:text at:time"
    ),
    "churn_events": (
        "churn_event_id*:text subscriber_id:text at:time kind:text stated_cause:text "
        "competitor:text channel_id:text"
    ),
    "field_contacts": (
        "contact_id*:text work_order_id:text subscriber_id:text staff_id:text at:time "
        "channel:text message_class:text outcome:text reason_code:text has_switched:flag "
        "competitor:text offer_id:text template_code:text concession_cny:cny campaign_code:text "
        "minutes:minutes"
    ),
    "field_questionnaires": (
        "work_order_id*:text questionnaire_code*:text question_code*:text subscriber_id:text "
        "contact_id:text staff_id:text answer_code:text answer_text:text at:time"
    ),
    "field_work_order_events": (
        "event_id*:text work_order_id:text org_id:text state:text drop_reason:text at:time "
        "staff_id:text assignee_role:text evidence_ref:text"
    ),
    "field_retention_log": (
        "staff_id*:text log_date*:date org_id:text submitted_at:time visits:count calls:count "
        "no_answer:count saved:count revived:count refused:count concessions_cny:cny notes:text"
    ),
}

_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "count": pa.int64(),
    "cny": pa.decimal128(18, 2),  # given as fen
    "minutes": pa.decimal128(18, 2),  # given as hundredths of a minute
    "mb": pa.decimal128(18, 3),  # given as KB (thousandths of a MB)
    "rate": pa.decimal128(18, 6),  # given as millionths of a CNY
    "date": pa.date32(),  # given as days since 1970
    "time": pa.timestamp("s"),  # given as seconds since 1970, local time
    "flag": pa.bool_(),
    "month": pa.string(),  # YYYY-MM
}
PARQUET_FEEDS = frozenset({"usage_daily", "billing_balances"})
REFERENCE_FEEDS = (
    "org_units",
    "org_staff",
    "org_channels",
    "org_agents",
    "billing_plans",
    "billing_products",
    "device_models",
    "market_offers",
    "market_competitor_offers",
)
MONTHLY_FEEDS = ("billing_invoices", "usage_call_circle", "usage_areas", "market_size")
# Delivered from the first list on. Contacts are not among them: other systems contact people too.
FIELD_FEEDS = ("field_questionnaires", "field_work_order_events", "field_retention_log")
DAILY_FEEDS = tuple(
    name for name in _COLUMNS if name not in REFERENCE_FEEDS + MONTHLY_FEEDS + FIELD_FEEDS
)
# One row per key and date at most: the state at the end of the day.
STATE_FEEDS = frozenset({"billing_subscriptions", "crm_subscribers", "crm_customers"})
# No time later than the last second of the file's date may be delivered.
SECONDS_A_DAY = 86_400
NO_VALUE = np.iinfo(np.int64).min  # a missing date or time


def _parse(columns: str) -> tuple[tuple[str, str, bool], ...]:
    parsed = []
    for column in columns.split():
        name, kind = column.split(":")
        parsed.append((name.rstrip("*"), kind, name.endswith("*")))
    return tuple(parsed)


KINDS: Mapping[str, Mapping[str, str]] = {
    feed: {name: kind for name, kind, _ in _parse(columns)} for feed, columns in _COLUMNS.items()
}
KEYS: Mapping[str, tuple[str, ...]] = {
    feed: tuple(name for name, _, is_key in _parse(columns) if is_key)
    for feed, columns in _COLUMNS.items()
}
SCHEMAS: Mapping[str, pa.Schema] = {
    feed: pa.schema([(name, _TYPES[kind]) for name, kind in kinds.items()])
    for feed, kinds in KINDS.items()
}


def table(feed: str, rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """A table of the feed with `rows` rows; columns that are not given are NULL.

    Arrow arrays are taken as they are; numpy arrays by the column's kind (see `_TYPES`); a plain
    string or number is repeated. Raises ValueError for a column that the feed does not have.
    """
    kinds = KINDS[feed]
    unknown = set(columns) - set(kinds)
    if unknown:
        raise ValueError(f"{feed} has no column {', '.join(sorted(unknown))}")
    arrays = [_array(columns.get(name), kind, rows) for name, kind in kinds.items()]
    return pa.Table.from_arrays(arrays, schema=SCHEMAS[feed])


def _array(values: Any, kind: str, rows: int) -> pa.Array:
    data_type = _TYPES[kind]
    if values is None:
        return pa.nulls(rows, data_type)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values if values.type == data_type else values.cast(data_type)
    if isinstance(values, str):
        return pa.repeat(pa.scalar(values, pa.string()), rows)
    if isinstance(values, bool | int | np.integer):
        values = np.full(rows, values)
    if isinstance(values, list):
        return pa.array(values, data_type)
    if pa.types.is_decimal(data_type):
        return _decimals(values, data_type)
    if kind in ("date", "time"):
        missing = values == NO_VALUE
        whole = np.where(missing, 0, values)
        dtype = np.int32 if kind == "date" else np.int64
        return pa.array(whole.astype(dtype), data_type, mask=missing)
    if kind == "flag":
        return pa.array(values.astype(bool))
    return pa.array(values, data_type)


def _decimals(scaled: npt.NDArray[np.integer], data_type: pa.DataType) -> pa.Array:
    """Scaled integers as decimals without a detour over text: 128-bit little-endian words."""
    words = np.empty((len(scaled), 2), dtype="<i8")
    words[:, 0] = scaled
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(data_type, len(scaled), [None, pa.py_buffer(words)])


def coded(
    indices: npt.NDArray[Any],
    labels: Sequence[str | None],
    unknown: npt.NDArray[np.bool_] | None = None,
) -> pa.Array:
    """The label of each index; NULL where `unknown`."""
    return pa.array(labels, pa.string()).take(pa.array(indices.astype(np.int64), mask=unknown))


def padded(numbers: npt.NDArray[np.integer], width: int) -> pa.Array:
    """Whole numbers as text with leading zeros."""
    return pc.utf8_lpad(pa.array(numbers.astype(np.int64)).cast(pa.string()), width, "0")


def joined(*parts: pa.Array | str) -> pa.Array:
    """Text columns and constants put together row by row."""
    return pc.binary_join_element_wise(*parts, "")


@dataclass
class Outbox:
    """What one day has to deliver, collected piece by piece."""

    pieces: dict[str, list[pa.Table]] = field(default_factory=dict)
    is_closed: bool = False  # nothing is delivered of a day that is only lived through

    def add(self, feed: str, rows: int, columns: Mapping[str, Any]) -> None:
        if rows and not self.is_closed:
            self.pieces.setdefault(feed, []).append(table(feed, rows, columns))

    def collect(self, feed: str) -> pa.Table:
        """Everything for one feed, ordered by its key."""
        pieces = self.pieces.get(feed, [])
        if not pieces:
            return SCHEMAS[feed].empty_table()
        whole = pa.concat_tables(pieces)
        if feed in PARQUET_FEEDS:  # built in the order of the key
            return whole
        if feed in STATE_FEEDS:
            whole = _last_of_key(whole, KEYS[feed])
        return whole.sort_by([(name, "ascending") for name in KEYS[feed]])


def _last_of_key(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    (name,) = key
    keys = rows[name].combine_chunks().dictionary_encode()
    last = np.zeros(len(keys.dictionary), dtype=np.int64)
    last[keys.indices.to_numpy()] = np.arange(len(rows))
    return rows.take(pa.array(last))


def file_name(feed: str, dt: date, part: int | None = None) -> str:
    """Name of a landing file; `part` where a day comes in several files."""
    suffix = "parquet" if feed in PARQUET_FEEDS else "csv"
    return f"{feed}_{dt:%Y%m%d}{'' if part is None else f'_{part:02d}'}.{suffix}"


def write(landing: Path, feed: str, dt: date, rows: pa.Table, part: int | None = None) -> Path:
    """Put one landing file in its place in one step; the same rows give the same bytes."""
    suffix = "parquet" if feed in PARQUET_FEEDS else "csv"
    folder = landing / feed
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(feed, dt, part)
    unfinished = folder / f"{path.name}.tmp"
    if suffix == "parquet":
        write_parquet(rows, feed, unfinished)
    else:
        write_csv(rows, unfinished)
    unfinished.replace(path)
    return path


def write_parquet(rows: pa.Table, feed: str, path: Path) -> None:
    """Small and fast: a dictionary only where values repeat, decimals as the integers they are."""
    repeats = [
        name
        for name, kind in KINDS[feed].items()
        if kind in ("text", "date", "month", "flag")
        and name not in KEYS[feed]
        and name in rows.column_names
    ]
    pq.write_table(
        rows, path, compression="zstd", use_dictionary=repeats, store_decimal_as_integer=True
    )


def write_csv(rows: pa.Table, path: Path, delimiter: str = ",") -> None:
    """Plain values; with quotes only if some value of the file needs them."""
    try:
        options = pacsv.WriteOptions(
            quoting_header="none", quoting_style="none", delimiter=delimiter
        )
        pacsv.write_csv(rows, path, options)
    except pa.ArrowInvalid:
        options = pacsv.WriteOptions(quoting_header="none", delimiter=delimiter)
        pacsv.write_csv(rows, path, options)
