"""What holds for every public model: contract, descriptions, a key, portable SQL."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import DBT_PROJECT_DIR

POLICY = DBT_PROJECT_DIR / "seeds" / "policy"
HANZI = re.compile(r"[\u4e00-\u9fff]")
# Identifiers of churn_features that are no input of a model.
LEAD = {
    "subscriber_id",
    "as_of_date",
    "customer_id",
    "org_id",
    "payment_mode",
    "in_population",
    "no_index_reason",
    "arpu_cny",
}


def rows(name: str) -> list[dict[str, str]]:
    with (POLICY / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def public_models(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["fqn"][1] == "marts":
            yield node


def test_public_models_have_contract_key_and_descriptions(manifest: Mapping[str, Any]) -> None:
    keyed = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["test_metadata"]["name"] == "unique_key"
    }
    problems = []
    for model in public_models(manifest):
        name = model["name"]
        if not model["config"]["contract"]["enforced"]:
            problems.append(f"{name}: no contract")
        if not HANZI.search(model["description"]):
            problems.append(f"{name}: not described in both languages")
        if model["unique_id"] not in keyed:
            problems.append(f"{name}: no key test")
        for column in model["columns"].values():
            if not column["description"] or not column["data_type"]:
                problems.append(f"{name}.{column['name']}: no description or type")
    assert problems == []


def test_code_columns_are_described_in_both_languages(manifest: Mapping[str, Any]) -> None:
    """D12: whoever reads a code in a mart finds its words in both languages."""
    codes = {
        column["name"]
        for source in manifest["sources"].values()
        for column in source["columns"].values()
        if "code_set" in column["config"].get("meta", {})
    } - {"stated_cause", "step"}
    # `channel` of the loop is not the feeds' column; `family` of a feature is not an offer's.
    unlabelled = [
        f"{model['name']}.{column['name']}"
        for model in public_models(manifest)
        for column in model["columns"].values()
        if column["name"] in codes and not HANZI.search(column["description"])
    ]
    assert unlabelled == []


def test_seed_of_features_and_tables_hold_the_same_columns(manifest: Mapping[str, Any]) -> None:
    features = [row["feature"] for row in rows("churn_model_features.csv")]
    models = {model["name"]: list(model["columns"]) for model in public_models(manifest)}
    assert [name for name in models["churn_features"] if name not in LEAD] == features
    training = models["churn_training_rows"]
    assert [name for name in training if name in set(features)] == features
    assert set(training) - set(features) == {
        "month",
        "subscriber_id",
        "index_date",
        "org_id",
        "payment_mode",
        "left_in",
        "observed",
        "rows_offered",
    }


def test_features_have_words_for_staff_in_both_languages_and_known_causes() -> None:
    causes = {
        row["cause"] for row in rows("../codes/cause_codes.csv") if row["remedy_en"] != "None"
    }
    for row in rows("churn_model_features.csv"):
        assert row["family"] in {"CUSTOMER", "SERVICE", "CONSUMPTION"}, row
        assert HANZI.search(row["reason_zh"]), row
        assert HANZI.search(row["label_zh"]), row
        assert row["reason_en"], row
        assert row["label_en"], row
        assert row["cause"] in causes | {""}, row


def test_the_definition_of_churn_is_the_agreed_one() -> None:
    definition = {row["parameter"]: row["value"] for row in rows("churn_definition.csv")}
    agreed = {
        "source": "EVENTS_AND_SILENCE",
        "silent_days_prepaid": "60",
        "suspended_days_prepaid": "60",
        "arrears_days_postpaid": "90",
        "voluntary_suspension_days": "180",
        "reentry_days": "90",
        "revival_wait_days": "30",
        "min_activity_mb": "1",
        "prepaid_activity_days": "14",
        "lead_days": "7",
        "horizon_days": "30",
        "maturity_days_prepaid": "60",
        "maturity_days_postpaid": "90",
        "bulk_exit_lines": "20",
        "bulk_exit_days": "7",
    }
    assert agreed.items() <= definition.items()


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bqualify\b",
        r"::",
        r"\bgenerate_series\b",
        r"\brange\s*\(",
        r"\btry_cast\b",
        r"\bsafe_cast\b",
    ],
)
def test_models_use_portable_sql(pattern: str) -> None:
    models: list[Path] = sorted((DBT_PROJECT_DIR / "models").rglob("*.sql"))
    guilty = [path.name for path in models if re.search(pattern, path.read_text(encoding="utf-8"))]
    assert models
    assert guilty == []
