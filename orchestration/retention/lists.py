"""Work orders and the lists that branches work from.

Here: dispatches, work orders, one list a branch, its files' bytes and the manifest. Not here: where
files go, and reading the vault (the publisher does, and hands the contacts in).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from orchestration.retention.assignment import RANDOMISED, TREATMENT
from orchestration.retention.identifiers import identifiers
from orchestration.retention.policy import Label, Policy

# What a list's Parquet file holds; the phone number and the name are in the CSV alone.
LIST_SCHEMA = pa.schema(
    [
        ("work_order_id", pa.string()),
        ("dispatch_id", pa.string()),
        ("decision_id", pa.string()),
        ("opportunity_id", pa.string()),
        ("subscriber_id", pa.string()),
        ("org_id", pa.string()),
        ("as_of_date", pa.date32()),
        ("due_date", pa.date32()),
        ("rank", pa.int32()),
        ("action", pa.string()),
        ("action_en", pa.string()),
        ("action_zh", pa.string()),
        ("offer_family", pa.string()),
        ("message_class", pa.string()),
        ("channel", pa.string()),
        ("assignee_role", pa.string()),
        ("churn_probability", pa.float64()),
        ("reason_1", pa.string()),
        ("reason_2", pa.string()),
        ("reason_3", pa.string()),
        ("reasons_en", pa.string()),
        ("reasons_zh", pa.string()),
        ("has_number", pa.bool_()),
        ("model_version", pa.string()),
        ("policy_version", pa.string()),
    ]
)
CONTACT_COLUMNS = ("msisdn", "name")

_CODE_SETS = {
    "message_class": "message_class",
    "channel": "contact_channel",
    "assignee_role": "staff_role",
}
# What a spreadsheet program may run (OWASP, CSV injection), the full-width forms included.
_FORMULA = re.compile(r"^\s*[=+\-@＝＋－＠]")
# What it would turn into a number or a date: 00123 -> 123, 12E5 -> 1200000, 2025-01-02 -> a date.
_NUMERIC = re.compile(r"^\s*\+?[\d０-９][\d０-９.,:/\-\s]*(?:[eE][+\-]?\d+)?\s*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def dispatches(decisions: pd.DataFrame) -> pd.DataFrame:
    """One row a randomised decision: dispatch_id, decision_id, subscriber_id, org_id, as_of_date,
    arm, is_dispatched.

    Held-out subscribers have a row too, with is_dispatched false: it is where their chain ends.
    """
    rows = decisions[decisions["arm"].isin(RANDOMISED)].reset_index(drop=True)
    columns = ["decision_id", "subscriber_id", "org_id", "as_of_date", "arm"]
    result = rows[columns].assign(is_dispatched=rows["arm"] == TREATMENT)
    result.insert(0, "dispatch_id", identifiers("di", rows["decision_id"]))
    return result.sort_values("decision_id", ignore_index=True)


def work_orders(decisions: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """The treated decisions as work orders, in `LIST_SCHEMA`'s columns but has_number.

    `decisions`: `assignment.assign`'s rows with churn_probability and model_version. The due date
    is the action's days after the as-of date; the list is worked from the day after it. Ranks
    count 1, 2, ... in each branch. Sorted by branch and rank.
    """
    rows = decisions[decisions["arm"] == TREATMENT]
    rows = rows.sort_values(["org_id", "branch_rank"], kind="stable", ignore_index=True)
    orders = rows[["decision_id", "opportunity_id", "subscriber_id", "org_id"]].copy()
    orders["dispatch_id"] = identifiers("di", orders["decision_id"])
    orders["work_order_id"] = identifiers("wo", orders["dispatch_id"])
    orders["as_of_date"] = pd.to_datetime(rows["as_of_date"])
    orders["due_date"] = orders["as_of_date"] + pd.to_timedelta(
        rows["due_days"].astype("int64"), unit="D"
    )
    orders["rank"] = (rows.groupby("org_id").cumcount() + 1).astype("int32")
    labels = {action.action: action.label for action in policy.actions}
    orders["action"] = rows["action"]
    for language in ("en", "zh"):
        orders[f"action_{language}"] = _words(rows["action"], labels, language)
    for column in ("offer_family", *_CODE_SETS, "churn_probability", "model_version"):
        orders[column] = rows[column]
    for column in ("reason_1", "reason_2", "reason_3"):
        orders[column] = rows[column].astype("str")
    orders["reasons_en"] = _reason_words(rows, policy, "en", "; ")
    orders["reasons_zh"] = _reason_words(rows, policy, "zh", "；")
    orders["policy_version"] = policy.version
    return orders[[name for name in LIST_SCHEMA.names if name != "has_number"]]


def branch_lists(
    orders: pd.DataFrame, contacts: pd.DataFrame, policy: Policy
) -> Mapping[str, pd.DataFrame]:
    """Branch -> its list: `LIST_SCHEMA`'s columns, then `CONTACT_COLUMNS`.

    `contacts`: subscriber_id, msisdn, name (text, null = unknown), from the vault; one row a
    subscriber. A subscriber without a number stays on the list with has_number false.
    Raises ValueError if `contacts` has a subscriber twice.
    """
    if contacts["subscriber_id"].duplicated().any():
        raise ValueError("contacts: subscriber_id is not unique")
    reached = orders.merge(
        contacts[["subscriber_id", *CONTACT_COLUMNS]], on="subscriber_id", how="left"
    )
    reached["has_number"] = reached["msisdn"].notna() & (reached["msisdn"].str.strip() != "")
    if policy.listing.number_display == "MASKED":
        reached["msisdn"] = masked(reached["msisdn"])
    reached = reached[[*LIST_SCHEMA.names, *CONTACT_COLUMNS]]
    return {
        str(branch): listed.reset_index(drop=True)
        for branch, listed in reached.groupby("org_id", sort=True)
    }


def masked(numbers: pd.Series) -> pd.Series:
    """13812345678 -> 138****5678; seven characters or fewer -> asterisks alone."""
    text = numbers.astype("str")
    hidden = text.str.slice(0, 3) + "****" + text.str.slice(-4)
    return hidden.mask(text.str.len() <= 7, "*******")


def to_parquet_table(listed: pd.DataFrame) -> pa.Table:
    """A branch's list as an Arrow table in `LIST_SCHEMA`: no phone number, no name."""
    return pa.Table.from_pandas(
        listed[LIST_SCHEMA.names], schema=LIST_SCHEMA, preserve_index=False
    ).replace_schema_metadata(None)


def to_csv_bytes(listed: pd.DataFrame, policy: Policy) -> bytes:
    """A branch's list as staff open it: the policy's columns and language.

    UTF-8 with a byte-order mark and CRLF, so that Excel reads the Chinese. Text that a spreadsheet
    would run gets an apostrophe before it, text that it would take for a number or date a tab
    (phone numbers and identifiers stay text); control characters become spaces.
    """
    language = policy.listing.list_language
    shown = {
        _in(column.label, language): _cells(listed, column.name, policy, language)
        for column in policy.list_columns
    }
    text = pd.DataFrame(shown).to_csv(index=False, lineterminator="\r\n", na_rep="")
    return b"\xef\xbb\xbf" + text.encode("utf-8")


def safe_cells(values: pd.Series) -> pd.Series:
    """Text that a spreadsheet shows as it is; null -> empty text."""
    text = values.astype("str").fillna("").str.replace(_CONTROL, " ", regex=True)
    is_numeric = text.str.match(_NUMERIC)
    is_formula = text.str.match(_FORMULA) & ~is_numeric
    prefix = np.select([is_numeric, is_formula], ["\t", "'"], "")
    return pd.Series(prefix, index=text.index, dtype="str") + text


def manifest(
    as_of_date: date,
    lists: Mapping[str, pd.DataFrame],
    files: Mapping[str, Mapping[str, bytes]],
    policy: Policy,
) -> dict[str, Any]:
    """What left the house on a day, to be checked against what comes back.

    `files`: branch -> file name -> bytes. Returns row counts, the SHA-256 and size of each file,
    and the versions of policy and models; branches and files sorted. Raises ValueError if lists
    and files are not of the same branches.
    """
    if set(lists) != set(files):
        raise ValueError("manifest: lists and files are not of the same branches")
    versions = {
        str(v) for listed in lists.values() for v in listed["model_version"].dropna().unique()
    }
    return {
        "as_of_date": as_of_date.isoformat(),
        "policy_version": policy.version,
        "model_versions": sorted(versions),
        "rows": sum(len(listed) for listed in lists.values()),
        "branches": [
            {
                "org_id": branch,
                "rows": len(lists[branch]),
                "files": [
                    {
                        "file": name,
                        "bytes": len(content),
                        "sha256": hashlib.sha256(content).hexdigest(),
                    }
                    for name, content in sorted(files[branch].items())
                ],
            }
            for branch in sorted(lists)
        ],
    }


def _in(label: Label, language: str) -> str:
    if language == "both":
        return label.zh if label.zh == label.en else f"{label.zh} {label.en}"
    return label.zh if language == "zh" else label.en


def _words(codes: pd.Series, labels: Mapping[str, Label], language: str) -> pd.Series:
    """Each code in words; a code without words stays as it is."""
    words = {code: _in(label, language) for code, label in labels.items()}
    return pd.Series(codes.map(words).fillna(codes), dtype="str")


def _reason_words(rows: pd.DataFrame, policy: Policy, language: str, separator: str) -> pd.Series:
    """The reasons' sentences joined; without any, the policy's words for that."""
    words = {feature.name: _in(feature.reason, language) for feature in policy.features}
    joined = pd.Series("", index=rows.index, dtype="str")
    for column in ("reason_1", "reason_2", "reason_3"):
        word = rows[column].map(words).astype("str").fillna("")
        joint = np.where((joined != "") & (word != ""), separator, "")
        joined = joined + pd.Series(joint, index=rows.index, dtype="str") + word
    return joined.mask(joined == "", _in(policy.labels["list_text"]["NO_REASON"], language))


def _cells(listed: pd.DataFrame, column: str, policy: Policy, language: str) -> pd.Series:
    """One column of a staff list as safe text; numbers as numbers."""
    if column == "rank":
        return listed["rank"]
    if column == "churn_probability_percent":
        percent = listed["churn_probability"].astype("float64") * 100
        # Blank for who has no score.
        return pd.Series(percent.map("{:.1f}".format, na_action="ignore").fillna(""), dtype="str")
    if column == "due_date":
        # Excel shows an ISO date as a date in any country's setting.
        return pd.Series(listed["due_date"].dt.strftime("%Y-%m-%d"), dtype="str")
    if column in ("action", "reasons"):
        zh, en = listed[f"{column}_zh"], listed[f"{column}_en"]
        both = zh + " / " + en
        return safe_cells({"zh": zh, "en": en, "both": both.mask(zh == en, zh)}[language])
    if column in _CODE_SETS:
        return safe_cells(_words(listed[column], policy.labels[_CODE_SETS[column]], language))
    return safe_cells(listed[column])
