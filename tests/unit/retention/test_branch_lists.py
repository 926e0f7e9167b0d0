"""Lists that leave: what staff open, what systems read, and the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.retention.lists import (
    LIST_SCHEMA,
    branch_lists,
    dispatches,
    manifest,
    masked,
    safe_cells,
    to_csv_bytes,
    to_parquet_table,
    work_orders,
)


def in_language(policy, language, **listing):
    return replace(policy, listing=replace(policy.listing, list_language=language, **listing))


@pytest.fixture
def decisions():
    """Two branches, every arm; S3 outranks S1 in B1."""
    rows = pd.DataFrame(
        [
            ("S1", "B1", 2, "TREATMENT", "CARE_CALL", 0.30, "usage_ratio", "topups_30d"),
            ("S2", "B1", 3, "CAMPAIGN_CONTROL", "CARE_CALL", 0.2, "usage_ratio", None),
            ("S3", "B1", 1, "TREATMENT", "COMPLAINT_CARE", 0.4567, "complaints_90d", None),
            ("S4", "B2", 1, "GLOBAL_CONTROL", "CARE_CALL", 0.1, None, None),
            ("S5", "B2", 2, "TREATMENT", "CARE_CALL", 0.05, None, None),
            ("S6", "B2", None, "SUPPRESSED", "CARE_CALL", 0.6, None, None),
        ],
        columns=[
            *("subscriber_id", "org_id", "branch_rank", "arm", "action"),
            *("churn_probability", "reason_1", "reason_2"),
        ],
    )
    rows["branch_rank"] = rows["branch_rank"].astype("Int64")
    service = rows["action"] == "COMPLAINT_CARE"
    return rows.assign(
        reason_3=None,
        opportunity_id="op" + rows["subscriber_id"],
        decision_id="de" + rows["subscriber_id"],
        as_of_date=pd.Timestamp("2025-08-14"),
        due_days=service.map({True: 2, False: 3}).astype("Int64"),
        offer_family=service.map({True: "SERVICE_RECOVERY", False: "CARE_CALL"}),
        message_class=service.map({True: "SERVICE", False: "MARKETING"}),
        channel="CALL",
        assignee_role=service.map({True: "ACCOUNT_MANAGER", False: "CALL_AGENT"}),
        model_version="m1",
    )


CONTACTS = pd.DataFrame(
    {
        "subscriber_id": ["S1", "S3", "S9"],
        "msisdn": ["13800138000", "01012345678", "1"],
        "name": ["=HYPERLINK(1)", "王伟", "x"],
    }
)


@pytest.fixture
def lists(decisions, policy):
    return branch_lists(work_orders(decisions, policy), CONTACTS, policy)


def read(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_dispatches_hold_every_randomised_decision_and_send_the_treated(decisions):
    rows = dispatches(decisions)
    assert rows["subscriber_id"].tolist() == ["S1", "S2", "S3", "S4", "S5"]
    assert rows["is_dispatched"].tolist() == [True, False, True, False, True]
    assert rows["dispatch_id"].is_unique


def test_work_orders_are_the_treated_alone_ranked_in_their_branch(decisions, policy):
    orders = work_orders(decisions.sample(frac=1, random_state=1), policy)
    assert orders["subscriber_id"].tolist() == ["S3", "S1", "S5"]
    assert orders["rank"].tolist() == [1, 2, 1]
    assert orders["work_order_id"].str.fullmatch(r"wo_[0-9a-f]{20}").all()
    assert orders["due_date"].dt.strftime("%m-%d").tolist() == ["08-16", "08-17", "08-17"]
    sent = dispatches(decisions).query("is_dispatched")
    assert set(orders["dispatch_id"]) == set(sent["dispatch_id"])
    assert orders["reasons_en"].tolist() == [
        "Complained",
        "Uses less than usual; Topped up seldom",
        "No single cause stands out",
    ]
    assert orders["reasons_zh"].tolist() == ["有投诉", "用量低于平时；充值少", "无突出原因"]
    assert orders["action_zh"].tolist()[0] == "投诉关怀外呼"


def test_lists_are_by_branch_and_a_missing_number_is_flagged(lists):
    assert list(lists) == ["B1", "B2"]
    assert lists["B1"]["has_number"].tolist() == [True, True]
    assert lists["B2"]["has_number"].tolist() == [False]


def test_parquet_has_the_schema_and_nothing_personal(lists):
    table = to_parquet_table(lists["B1"])
    assert table.schema.equals(LIST_SCHEMA)
    assert {"msisdn", "name"}.isdisjoint(table.column_names)
    buffers = []
    for _ in range(2):
        buffer = io.BytesIO()
        pq.write_table(to_parquet_table(lists["B1"]), buffer)
        buffers.append(buffer.getvalue())
    assert buffers[0] == buffers[1]
    assert b"13800138000" not in buffers[0]
    assert "王伟".encode() not in buffers[0]


def test_csv_is_what_staff_read(lists, policy):
    content = to_csv_bytes(lists["B1"], in_language(policy, "zh"))
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 3
    assert content.replace(b"\r\n", b"").count(b"\n") == 0
    header, first, second = read(content)
    assert header[:8] == [
        "序号",
        "姓名",
        "号码",
        "动作",
        "原因",
        "离网风险%",
        "完成期限",
        "执行角色",
    ]
    assert first[:8] == [
        *("1", "王伟", "\t01012345678", "投诉关怀外呼", "有投诉", "45.7", "2025-08-16", "客户经理")
    ]
    assert second[1:3] == ["'=HYPERLINK(1)", "\t13800138000"]
    assert second[8:10] == ["外呼", "营销性触达"]


def test_a_row_without_a_score_has_an_empty_cell(decisions, policy):
    unscored = decisions.assign(churn_probability=None, model_version=None)
    listed = branch_lists(work_orders(unscored, policy), CONTACTS, policy)
    header, *rows = read(to_csv_bytes(listed["B1"], policy))
    place = next(i for i, title in enumerate(header) if "Churn risk" in title)
    assert [row[place] for row in rows] == ["", ""]
    files = {branch: {"list.csv": b""} for branch in listed}
    assert manifest(date(2025, 8, 14), listed, files, policy)["model_versions"] == []


def test_csv_speaks_english_or_both(lists, policy):
    english = read(to_csv_bytes(lists["B2"], in_language(policy, "en")))
    assert english[0][:5] == ["Rank", "Name", "Number", "Action", "Why"]
    assert english[1][:5] == ["1", "", "", "Care call", "No single cause stands out"]
    both = read(to_csv_bytes(lists["B2"], in_language(policy, "both")))
    assert both[0][3:5] == ["动作 Action", "原因 Why"]
    assert both[1][3:5] == ["关怀外呼 / Care call", "无突出原因 / No single cause stands out"]


def test_numbers_are_masked_where_the_policy_says_so(decisions, policy):
    hidden = in_language(policy, "zh", number_display="MASKED")
    listed = branch_lists(work_orders(decisions, hidden), CONTACTS, hidden)["B1"]
    assert listed["msisdn"].tolist() == ["010****5678", "138****8000"]
    assert b"138****8000" in to_csv_bytes(listed, hidden)
    short = masked(pd.Series(["12345", "1234567", None]))
    assert short.tolist()[:2] == ["*******", "*******"]
    assert short.isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "' =1"),
        ("\r\n=1", "' =1"),
        ("＝1+1", "'＝1+1"),
        ("00123", "\t00123"),
        ("+8613800138000", "\t+8613800138000"),
        ("12E5", "\t12E5"),
        ("2025-01-02", "\t2025-01-02"),
        ("1/2", "\t1/2"),
        ("张三\n李四", "张三 李四"),
        ("a\x00b", "a b"),
        ("wo_0123", "wo_0123"),
        ("", ""),
    ],
)
def test_cells_are_shown_and_never_run(text, shown):
    assert safe_cells(pd.Series([text], dtype="str")).tolist() == [shown]


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_cell_starts_as_a_formula_and_text_comes_back(text):
    shown = safe_cells(pd.Series([text], dtype="str")).iloc[0]
    # a tab stands before plain numbers alone, so stripping it frees no formula
    assert shown.removeprefix("\t").lstrip()[:1] not in tuple("=-@＝＋－＠")
    if shown.lstrip()[:1] == "+":
        assert shown.startswith("\t")
        assert not any(letter.isalpha() and letter not in "eE" for letter in shown)
    plain = shown.removeprefix("\t") if shown.startswith("\t") else shown.removeprefix("'")
    if text and text.isprintable() and not text.startswith("'"):
        assert plain == text


nasty = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # they are only read
)
@given(names=st.lists(nasty, min_size=2, max_size=2))
def test_csv_keeps_its_shape_whatever_the_names_are(lists, policy, names):
    listed = lists["B1"].assign(name=pd.Series(names, dtype="str"))
    rows = read(to_csv_bytes(listed, policy))
    assert [len(row) for row in rows] == [len(policy.list_columns)] * 3
    assert [row[1] for row in rows[1:]] == safe_cells(listed["name"]).tolist()


def test_manifest_tells_rows_hashes_and_versions(lists, policy):
    files = {
        branch: {f"{branch}.csv": to_csv_bytes(rows, policy)} for branch, rows in lists.items()
    }
    told = manifest(date(2025, 8, 14), lists, files, policy)
    assert told["rows"] == 3
    assert told["model_versions"] == ["m1"]
    assert told["policy_version"] == policy.version
    assert [branch["rows"] for branch in told["branches"]] == [2, 1]
    file = told["branches"][0]["files"][0]
    assert file["sha256"] == hashlib.sha256(files["B1"]["B1.csv"]).hexdigest()
    assert json.loads(json.dumps(told)) == told
    with pytest.raises(ValueError, match="not of the same branches"):
        manifest(date(2025, 8, 14), lists, {}, policy)


def test_a_day_without_treated_gives_no_lists(decisions, policy):
    none = work_orders(decisions[decisions["arm"] == "SUPPRESSED"], policy)
    assert len(none) == 0
    assert branch_lists(none, CONTACTS, policy) == {}
    assert manifest(date(2025, 8, 14), {}, {}, policy)["rows"] == 0


def test_a_contact_twice_is_refused(decisions, policy):
    with pytest.raises(ValueError, match="subscriber_id is not unique"):
        branch_lists(work_orders(decisions, policy), pd.concat([CONTACTS, CONTACTS]), policy)


def test_schema_has_what_readers_need():
    needed = {
        "work_order_id",
        "dispatch_id",
        "decision_id",
        "subscriber_id",
        "org_id",
        "action",
        "message_class",
        "channel",
        "assignee_role",
        "due_date",
        "rank",
        "churn_probability",
        "reason_1",
        "reasons_en",
        "reasons_zh",
    }
    assert needed <= set(LIST_SCHEMA.names)
    assert LIST_SCHEMA.field("due_date").type == pa.date32()
