"""A policy and hand-made rows for the domain's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestration.retention.policy import LearnerPolicy, Policy, load_policy

SEEDS = Path(__file__).resolve().parents[3] / "dbt_project" / "seeds"
FEATURES = """\
feature,family,unit,label_en,label_zh,reason_en,reason_zh,reason_when,cause
usage_ratio,CONSUMPTION,1,Usage ratio,用量比,Uses less than usual,用量低于平时,LOW,
complaints_90d,SERVICE,complaints,Complaints in 90 days,90天投诉数,Complained,有投诉,HIGH,
is_contract_ending,CUSTOMER,boolean,Contract ends soon,合约将到期,Contract ends,合约到期,HIGH,CONTRACT_END
topups_30d,CONSUMPTION,count,Top-ups,充值次数,Topped up seldom,充值少,LOW,
competitor_contacts_30d,SERVICE,contacts,Contacts,接触,Spoke to a competitor,联系竞争对手,HIGH,COMPETITOR_OFFER
poor_coverage_minutes_30d,SERVICE,minutes,Poor coverage,弱覆盖,In poor coverage,弱覆盖,HIGH,COVERAGE
allowance_used_ratio,CONSUMPTION,1,Allowance used,套餐使用率,Plan does not fit,套餐不匹配,EITHER,PLAN_MISFIT
"""


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """The shipped policy over a small set of features, free to be damaged."""
    folder = tmp_path / "seeds"
    shutil.copytree(SEEDS, folder)
    (folder / "policy" / "churn_model_features.csv").write_text(FEATURES, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def shipped_seeds() -> Path:
    return SEEDS


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = tmp_path_factory.mktemp("policy") / "seeds"
    shutil.copytree(SEEDS, folder)
    (folder / "policy" / "churn_model_features.csv").write_text(FEATURES, encoding="utf-8")
    # Lists as long as the staff can call; the share has a test of its own.
    return load_policy(folder, {"max_listed_share": "1"})


@pytest.fixture(scope="session")
def observe() -> Callable[..., pd.DataFrame]:
    """Training rows whose churn really follows from the features, with unknown values."""

    def rows(subscribers: int, dates: list[str], seed: int = 7, base: float = -2.5) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        frames = []
        for date in dates:
            ratio = random.lognormal(0, 0.5, subscribers)
            complaints = random.poisson(0.2, subscribers).astype(float)
            ending = random.random(subscribers) < 0.2
            log_odds = base - 1.5 * np.log(ratio) + 1.0 * complaints + 1.2 * ending
            churned = random.random(subscribers) < 1 / (1 + np.exp(-log_odds))
            topups = random.exponential(30, subscribers)
            topups[random.random(subscribers) < 0.3] = np.nan
            frame = pd.DataFrame(
                {
                    "subscriber_id": [f"S{n:06d}" for n in range(subscribers)],
                    "as_of_date": pd.Timestamp(date),
                    "payment_mode": np.where(
                        random.random(subscribers) < 0.6, "PREPAID", "POSTPAID"
                    ),
                    "is_churn": churned.astype(int),
                    "usage_ratio": ratio,
                    "complaints_90d": complaints,
                    "is_contract_ending": ending,
                    "topups_30d": topups,
                    "competitor_contacts_30d": np.nan,
                    "poor_coverage_minutes_30d": np.nan,
                    "allowance_used_ratio": 1.0,
                }
            )
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    return rows


@pytest.fixture(scope="session")
def quick_learner(policy: Policy) -> LearnerPolicy:
    """Fewer and larger steps, for speed; each booster fitted once."""
    return replace(
        policy.learner,
        max_trees=60,
        patience_trees=15,
        leaf_booster_rate=0.15,
        level_booster_rate=0.2,
        folds=3,
        bagged_rows=0,
    )
