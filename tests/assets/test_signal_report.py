"""The tables of the signal report (O01–O41) that a person reads in the UI."""

from __future__ import annotations

import pandas as pd

from orchestration.defs.step1_find.findings import by_branch, markdown

FIRED = pd.DataFrame(
    [("B1", "HR6", 1), ("B2", "HR6", 5), ("B2", "VAS", 2), ("B3", "VAS", 3)],
    columns=["org_id", "signal", "fired"],
)


def test_signals_by_branch_with_the_sum_of_all() -> None:
    assert by_branch(FIRED).to_dict("records") == [
        {"signal": "HR6", "all": 6, "B1": 1, "B2": 5, "B3": 0},
        {"signal": "VAS", "all": 5, "B1": 0, "B2": 2, "B3": 3},
    ]


def test_branches_with_most_signals_are_shown_and_the_others_summed() -> None:
    assert by_branch(FIRED, shown=2).to_dict("records") == [
        {"signal": "HR6", "all": 6, "B2": 5, "B3": 0, "others": 1},
        {"signal": "VAS", "all": 5, "B2": 2, "B3": 3, "others": 0},
    ]


def test_nothing_fired() -> None:
    assert markdown(by_branch(FIRED.head(0))).md_str == "–"


def test_what_is_not_there_reads_as_a_dash() -> None:
    text = markdown(pd.DataFrame({"signal": ["HR6", "VAS"], "missing": [None, "x"]}), rows=1).md_str
    assert "nan" not in text
    assert "None" not in text
    assert "–" in text
    assert text.endswith("1 more")
