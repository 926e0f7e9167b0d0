"""The seeds are read whole, and a mistake is named by file, line and column."""

from __future__ import annotations

from dataclasses import fields
from fnmatch import fnmatchcase

import pytest

from orchestration.retention import policy as policies
from orchestration.retention.policy import PolicyError, load_policy


def damage(seeds, file, old, new):
    path = seeds / "policy" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_policy_is_read_with_its_types(policy):
    assert policy.learner.min_churners == 50
    assert policy.contact.consent_when_feed_absent == "DENY"
    assert policy.contact.consent_needed_marketing is True
    assert policy.control.campaign_control_share == 0.10
    assert [action.priority for action in policy.actions] == sorted(
        action.priority for action in policy.actions
    )
    assert policy.labels["arm"]["TREATMENT"].zh == "干预组"
    assert policy.features[0].reason.en == "Uses less than usual"


def test_the_shipped_policy_is_valid(shipped_seeds):
    shipped = load_policy(shipped_seeds)
    conditions = [(action.payment_mode, action.top_reasons) for action in shipped.actions]
    assert (None, ()) in conditions  # somebody without a reason gets an action too
    names = {feature.name for feature in shipped.features}
    for action in shipped.actions:
        for pattern in action.top_reasons:
            assert any(fnmatchcase(name, pattern) for name in names), pattern


def test_every_code_in_the_domain_has_words(policy):
    from orchestration.retention import effects, selection

    codes = {
        getattr(selection, name)
        for name in (
            "NO_CONSENT",
            "CONSENT_WITHDRAWN",
            "NO_CONSENT_FEED",
            "RECENTLY_LISTED",
            "NO_ACTION",
            "NO_CAPACITY",
            "OPERATOR_HOLD",
            "AGENT_ALERTED",
            "REMINDER_ONLY",
        )
    }
    assert codes < set(policy.labels["suppression_reason"])
    assert set(policy.labels["effect_verdict"]) == set(effects.Verdict.__args__)
    assert set(policy.labels["model_kind"]) == {"BLEND", "BASE_RATE"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "learner_policy.csv",
            "min_churners,50",
            "min_churners,fifty",
            "policy/learner_policy.csv: line 2: column 'value': min_churners: "
            "'fifty' is not a whole number",
        ),
        (
            "control_policy.csv",
            "campaign_control_share,0.10",
            "campaign_control_share,0.9",
            "policy/control_policy.csv: line 3: column 'value': campaign_control_share: "
            "0.9 is not between 0 and 0.5",
        ),
        (
            "control_policy.csv",
            "confidence,0.95",
            "confidence,nan",
            "policy/control_policy.csv: line 4: column 'value': confidence: "
            "nan is not between 0.5 and 1, both left out",
        ),
        (
            "contact_policy.csv",
            "absent,DENY",
            "absent,MAYBE",
            "policy/contact_policy.csv: line 2: column 'value': consent_when_feed_absent: "
            "'MAYBE' is none of DENY, ALLOW",
        ),
        (
            "contact_policy.csv",
            "cooldown_days,30",
            "cool_days,30",
            "policy/contact_policy.csv: line 5: column 'name': no setting 'cool_days'",
        ),
        (
            "contact_policy.csv",
            "cooldown_days,30",
            "cool_days,30",
            "policy/contact_policy.csv: setting 'cooldown_days' is missing",
        ),
        (
            "actions.csv",
            "COMPLAINT_CARE,10,SERVICE_RECOVERY",
            "COMPLAINT_CARE,10,GIFT",
            "policy/actions.csv: line 2: column 'offer_family': no offer_family 'GIFT'",
        ),
        (
            "actions.csv",
            "*complaint*",
            "*complain_t*",
            "policy/actions.csv: line 2: column 'top_reasons': no feature is like *complain_t*",
        ),
        (
            "actions.csv",
            ",,,false,3,5.00",
            ",,,false,0,5.00",
            "policy/actions.csv: line 8: column 'due_days': 0 is not between 1 and inf",
        ),
        (
            "churn_model_features.csv",
            "用量低于平时,LOW",
            ",DOWN",
            "policy/churn_model_features.csv: line 2: column 'reason_when': "
            "'DOWN' is none of HIGH, LOW, EITHER",
        ),
        (
            "churn_model_features.csv",
            "用量低于平时,LOW",
            ",DOWN",
            "policy/churn_model_features.csv: line 2: column 'reason_zh': empty",
        ),
        (
            "list_columns.csv",
            "work_order_id,13,Work order,工单号",
            "",
            "policy/list_columns.csv: column 'work_order_id' is missing: feedback names it",
        ),
        (
            "list_policy.csv",
            "list_language,both,zh en or both",
            "list_language,both",
            "policy/list_policy.csv: line 4: 4 cells, the header has 5",
        ),
    ],
)
def test_mistakes_are_named_by_place(seeds, file, old, new, message):
    damage(seeds, file, old, new)
    with pytest.raises(PolicyError) as caught:
        load_policy(seeds)
    assert message in str(caught.value).splitlines()


def test_all_mistakes_are_told_at_once(seeds):
    damage(seeds, "learner_policy.csv", "folds,5", "folds,1")
    damage(seeds, "list_policy.csv", "FULL,FULL", "BARE,FULL")
    (seeds / "policy" / "list_columns.csv").unlink()
    with pytest.raises(PolicyError) as caught:
        load_policy(seeds)
    assert len(str(caught.value).splitlines()) == 3


def test_missing_column_is_named(seeds):
    damage(seeds, "churn_model_features.csv", "reason_when", "reason_side")
    message = "churn_model_features.csv: line 1: column 'reason_when': missing"
    with pytest.raises(PolicyError, match=message):
        load_policy(seeds)


def test_overrides_are_checked_and_change_the_version(seeds):
    plain = load_policy(seeds)
    open_ = load_policy(seeds, {"consent_when_feed_absent": "ALLOW"})
    assert open_.contact.consent_when_feed_absent == "ALLOW"
    assert open_.version != plain.version
    with pytest.raises(PolicyError, match="no setting 'consent'"):
        load_policy(seeds, {"consent": "ALLOW"})
    with pytest.raises(PolicyError, match="'x' is none of DENY, ALLOW"):
        load_policy(seeds, {"consent_when_feed_absent": "x"})


def test_version_is_blind_to_line_ends_and_sees_every_value(seeds):
    plain = load_policy(seeds)
    path = seeds / "policy" / "actions.csv"
    text = path.read_text(encoding="utf-8")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_policy(seeds).version == plain.version
    path.write_text(text.replace("5.00", "5.01"), encoding="utf-8")
    assert load_policy(seeds).version != plain.version


def test_settings_are_all_checked():
    for _, kind in policies.SETTING_FILES.values():
        assert all(item.metadata for item in fields(kind))
