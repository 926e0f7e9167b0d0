"""What an installation says of itself: counts and places, never a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.contracts import Feed
from orchestration.installation import SEEDS
from orchestration.lake import Lake
from orchestration.landing.ingest import Keys, ingest
from orchestration.landing.problems import load_reasons
from orchestration.settings import Settings
from orchestration.status import (
    day_summary,
    describe_model,
    feed_status,
    loop_status,
    quarantine_status,
    stray_files,
)

DAYS = [date(2025, 3, 1), date(2025, 3, 2)]
MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings()


def deliver(settings: Settings, name: str, text: str) -> Path:
    path = settings.landing_zone / name.rsplit("_", 1)[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def take_in(settings: Settings, feed: Feed) -> None:
    ingest(
        feed,
        DAYS,
        settings.landing_zone,
        Lake(settings.home),
        Keys(token=settings.key("token"), vault=settings.key("vault")),
        settings.timezone,
        load_reasons(SEEDS),
        "1GB",
        1,
    )


def test_an_empty_home_has_nothing_to_say(settings: Settings) -> None:
    assert feed_status(settings) == []
    assert quarantine_status(settings) == []
    assert stray_files(settings) == []
    assert loop_status(settings) == []


def test_each_feed_is_counted_from_its_receipts(
    settings: Settings, feeds: Mapping[str, Feed]
) -> None:
    """D12: rows in the files = kept + quarantined + duplicates, for a reader to add up."""
    deliver(settings, "churn_events_20250301.csv", "churn_event_id,kind\n1,CLOSED\n1,CLOSED\n2,X\n")
    take_in(settings, feeds["churn_events"])
    take_in(settings, feeds["org_units"])
    assert feed_status(settings) == [
        {
            "feed": "churn_events",
            "days_arrived": 1,
            "last_arrived": date(2025, 3, 1),
            "rows_in_files": 3,
            "kept": 1,
            "quarantined": 1,
            "duplicates": 1,
        },
        {
            "feed": "org_units",
            "days_arrived": 0,
            "last_arrived": None,
            "rows_in_files": 0,
            "kept": 0,
            "quarantined": 0,
            "duplicates": 0,
        },
    ]


def test_quarantine_is_shown_by_reason_with_labels_and_the_first_place(
    settings: Settings, feeds: Mapping[str, Feed]
) -> None:
    bad = "subscriber_id,msisdn,status\nS1,13812345678,ASLEEP\nS2,13912345678,ASLEEP\n,137,ACTIVE\n"
    deliver(settings, "crm_subscribers_20250302.csv", bad)
    take_in(settings, feeds["crm_subscribers"])
    rows = quarantine_status(settings)
    assert [(row["column"], row["reason"], row["rows"]) for row in rows] == [
        ("status", "UNKNOWN_CODE", 2),
        ("subscriber_id", "MISSING_KEY", 1),
    ]
    assert rows[0]["feed"] == "crm_subscribers"
    assert rows[0]["first_at"] == "crm_subscribers_20250302.csv line 2"
    assert rows[0]["meaning"]
    assert rows[0]["含义"] == "代码不在码表中"
    assert "13812345678" not in str(rows)


def test_the_first_place_is_the_first_line_and_not_the_first_in_the_alphabet(
    settings: Settings, feeds: Mapping[str, Feed]
) -> None:
    lines = [f"{number},{'X' if number > 1 else 'CLOSED'}" for number in range(1, 12)]
    deliver(settings, "churn_events_20250301.csv", "\n".join(["churn_event_id,kind", *lines, ""]))
    take_in(settings, feeds["churn_events"])
    (row,) = quarantine_status(settings)
    assert row["rows"] == 10
    assert row["first_at"] == "churn_events_20250301.csv line 3"


def test_a_repaired_file_empties_the_quarantine(
    settings: Settings, feeds: Mapping[str, Feed]
) -> None:
    path = deliver(settings, "churn_events_20250301.csv", "churn_event_id,kind\n1,X\n")
    take_in(settings, feeds["churn_events"])
    assert quarantine_status(settings)
    path.write_text("churn_event_id,kind\n1,CLOSED\n")
    take_in(settings, feeds["churn_events"])
    assert quarantine_status(settings) == []
    assert feed_status(settings)[0]["kept"] == 1


def test_files_that_are_not_loaded_are_named(settings: Settings) -> None:
    deliver(settings, "churn_events_20250301.csv", "churn_event_id\n1\n")
    for name in ("churn_events_20250230.csv", "churn_event_20250301.csv", "notes.txt"):
        (settings.landing_zone / "churn_events" / name).write_text("x")
    (settings.landing_zone / "churn_events" / "churn_events_20250302.csv.part").write_text("x")
    assert stray_files(settings) == [
        {"file": f"churn_events/{name}", "why": why}
        for name, why in (
            ("churn_event_20250301.csv", "no file of this feed"),
            ("churn_events_20250230.csv", "no file of this feed"),
            ("notes.txt", "no file of this feed"),
            ("churn_events_20250302.csv.part", "still being written"),
        )
    ]


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


MANIFEST = {
    "as_of_date": "2025-03-01",
    "rows": 3,
    "decisions": {"rows": 12},
    "branches": [{"org_id": "A"}, {"org_id": "B"}],
}
CARD = {
    "month": "2025-03-01",
    "kind": "BLEND",
    "rows": 1500,
    "churners": 60,
    "metrics": {
        "FOLDS": {"near": {"auc": 0.9, "top_decile_lift": 4.0}},
        "TIME_ORDERED": {"near": {"auc": 0.71234, "top_decile_lift": 3.21}},
    },
}


def test_models_and_lists_are_listed_oldest_first(settings: Settings) -> None:
    lake = Lake(settings.home)
    write_json(lake.model("churn", DAYS[0]) / "card.json", CARD)
    for day in reversed(DAYS):
        write_json(lake.published(day) / "manifest.json", MANIFEST | {"as_of_date": str(day)})
    assert loop_status(settings) == [
        {
            "what": "churn model 2025-03-01",
            "made_of": "1,500 rows, 60 churners",
            "result": "BLEND, near AUC 0.712, top-decile lift 3.2 (TIME_ORDERED)",
        },
        *(
            {
                "what": f"lists of {day}",
                "made_of": "12 decisions",
                "result": "3 work orders for 2 branches",
            }
            for day in DAYS
        ),
    ]


def test_a_model_that_could_not_be_judged_says_so() -> None:
    unjudged = {
        "BASE_RATE": {"FOLDS": {"near": {"auc": 0.5}}, "TIME_ORDERED": {}},
        "BLEND": {"FOLDS": {}, "TIME_ORDERED": {}},
    }
    for kind, metrics in unjudged.items():
        told = describe_model({"kind": kind, "metrics": metrics})
        assert told == f"{kind}, not validated: too few churners"


def test_a_day_adds_up_from_its_files(settings: Settings) -> None:
    """Each number names the file whose rows it counts."""
    lake, day = Lake(settings.home), DAYS[0]
    lake.write_table(
        pa.table({"subscriber_id": list("abcdef")}), lake.loop_day("churn_scores", day)
    )
    arms = ["TREATMENT", "TREATMENT", "CAMPAIGN_CONTROL", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED"]
    why = [None, None, None, "NO_CONSENT", "NO_CONSENT", "NO_ACTION"]
    lake.write_table(
        pa.table({"arm": arms, "suppression_reasons": pa.array(why, pa.string())}),
        lake.loop_day("decisions", day),
    )
    write_json(lake.published(day) / "manifest.json", MANIFEST)
    rows = day_summary(settings, day)
    assert [(row["what"], row["rows"]) for row in rows] == [
        ("subscribers scored", 6),
        ("decisions: campaign_control", 1),
        ("decisions: suppressed (NO_ACTION)", 1),
        ("decisions: suppressed (NO_CONSENT)", 2),
        ("decisions: treatment", 2),
        ("work orders on the lists of 2 branches", 3),
    ]
    for row in rows:
        assert (settings.home.parent / row["where"]).exists()
