"""How well the platform's own model path does on any flat table, as JSON.

`python benchmarks/accuracy.py TRAIN [--test TEST] --label COL [--id COL] [--drop COL,…]
    [--time COL --train-until X | --folds 5 --seed 42] [--prior P] [--against] [--score-to FILE]`

TRAIN and TEST are CSV or Parquet, a row a subscriber (or a subscriber and month, then give --id).
Rows that are equal in everything are kept once. Without --test and --time the table is judged
across stratified folds: `auc`, `average_precision`, `top_decile_lift` and `empc` are means of the
folds, the others are of all held-out rows together. Nothing is chosen on rows that judge.

--prior P: the true share of churners, where the table has another: probabilities are corrected to
it, and measured as if the judging rows had it (each churner and each stayer counts so many times).
--against: the reference models on the same splits. --score-to: id and probability of TEST, whose
label may be absent. EMPC and the profit-optimal share are at the costs of `profit_policy.csv`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from orchestration.retention import churn_learner, measures, profit, splits  # noqa: E402
from orchestration.retention.policy import Policy, load_policy  # noqa: E402

Floats = npt.NDArray[np.float64]
# Training rows, labels, columns, folds within and rows to judge -> probabilities, what was chosen.
Model = Callable[
    [pd.DataFrame, Floats, Sequence[str], npt.NDArray[np.int64], pd.DataFrame],
    tuple[Floats, dict[str, Any]],
]
MIN_TIMES = 3  # in the training part, for models to be chosen across times

YES = {"1", "1.0", "true", "yes", "y", "churned"}
NO = {"0", "0.0", "false", "no", "n", "stayed"}


@dataclass(frozen=True)
class Question:
    """What to learn from which columns, and how it is judged. Names as on the command line."""

    label: str
    id: str | None = None
    drop: tuple[str, ...] = ()
    time: str | None = None
    train_until: str | None = None
    folds: int = 5
    seed: int = 42
    prior: float | None = None
    against: bool = False


def main() -> None:
    arguments = _arguments()
    question = Question(
        label=arguments.label,
        id=arguments.id,
        drop=tuple(name.strip() for name in arguments.drop.split(",") if name.strip()),
        time=arguments.time,
        train_until=arguments.train_until,
        folds=arguments.folds,
        seed=arguments.seed,
        prior=arguments.prior,
        against=arguments.against,
    )
    test = read_table(arguments.test) if arguments.test else None
    result, scores = run(read_table(arguments.train), test, question)
    if arguments.score_to:
        assert scores is not None
        _write(scores, arguments.score_to)
    print(json.dumps(result, indent=2))


def run(
    train: pd.DataFrame, test: pd.DataFrame | None, question: Question
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """The measures of a table, and id and probability of each row of `test`."""
    policy = load_policy(ROOT / "dbt_project" / "seeds")
    train = splits.without_duplicates(train)
    label = labels(train, question.label)
    not_features = {question.label, question.id, question.time, *question.drop}
    columns = [name for name in train.columns if name not in not_features]
    unknown = not_features - {None} - set(train.columns)
    if unknown:
        raise SystemExit(f"no column {', '.join(sorted(str(name) for name in unknown))}")
    result: dict[str, Any] = {
        "rows": len(train),
        "churners": int(label.sum()),
        "columns": len(columns),
    }
    groups = None if question.id is None else train[question.id].to_numpy()
    if test is not None:
        result["split"] = "TEST"
        parts = [(np.ones(len(train), dtype=np.bool_), test)]
        judged = [labels(test, question.label)] if question.label in test.columns else []
    elif question.time is not None:
        is_early = splits.until(train[question.time], str(question.train_until))
        result["split"] = f"{question.time} <= {question.train_until}"
        parts = [(is_early, train[~is_early])]
        judged = [label[~is_early]]
    else:
        fold = splits.folds(label, question.folds, question.seed, groups)
        result["split"] = f"{question.folds} folds, seed {question.seed}"
        parts = [(fold != part, train[fold == part]) for part in range(question.folds)]
        judged = [label[fold == part] for part in range(question.folds)]

    scores = None
    models = {"platform": _platform(policy)} | (_references() if question.against else {})
    for name, model in models.items():
        started = time.perf_counter()
        found, choices = [], []
        for is_train, rest in parts:
            share = float(label[is_train].mean())
            within = _folds_within(train[is_train], label[is_train], question, policy)
            probability, choice = model(train[is_train], label[is_train], columns, within, rest)
            if question.prior is not None:
                probability = profit.correct_prior(probability, share, question.prior)
            found.append(probability)
            choices.append(choice)
        figures = measured(judged, found, question.prior, policy) if judged else {}
        figures["seconds"] = round(time.perf_counter() - started, 1)
        if name == "platform":
            result |= figures | {"chosen": choices}
            scores = _scores(test, question.id, found[0]) if test is not None else None
        else:
            result.setdefault("against", {})[name] = figures
    return result, scores


def _folds_within(
    rows: pd.DataFrame, label: Floats, question: Question, policy: Policy
) -> npt.NDArray[np.int64]:
    """The folds of a training part on which models are chosen: by time where that splits the table,
    else by subscriber, else by row."""
    settings = policy.learner
    if question.time is not None and rows[question.time].nunique() >= MIN_TIMES:
        return splits.folds_in_time(rows[question.time], settings.folds)
    groups = None if question.id is None else rows[question.id].to_numpy()
    return splits.folds(label, settings.folds, settings.seed, groups)


def measured(
    label: Sequence[Floats], probability: Sequence[Floats], prior: float | None, policy: Policy
) -> dict[str, Any]:
    """Measures over the parts that judge, a part a fold."""
    if prior is not None:
        pairs = [_at_prior(*part, prior) for part in zip(label, probability, strict=True)]
        label, probability = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    all_labels, everything = np.concatenate(label), np.concatenate(probability)
    worth = profit.worth_contacting(everything, policy.profit)

    def mean(measure: Callable[[Floats, Floats], float | None]) -> float | None:
        values = [measure(*part) for part in zip(label, probability, strict=True)]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    return {
        "auc": mean(measures.auc),
        "auc_all_rows": measures.auc(all_labels, everything),
        "average_precision": mean(measures.average_precision),
        "top_decile_lift": mean(measures.lift),
        "brier": measures.brier(all_labels, everything),
        "ece": measures.expected_calibration_error(all_labels, everything),
        "empc": mean(lambda y, p: profit.empc(y, p, policy.profit).value),
        "empc_share": mean(lambda y, p: profit.empc(y, p, policy.profit).share),
        "profit_optimal_share": float(np.mean(worth)),
    }


# --- Tables --------------------------------------------------------------------------------------


def read_table(path: Path) -> pd.DataFrame:
    """CSV (gzip too; a byte-order mark and blanks around names go) or Parquet."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    rows = pd.read_csv(path, encoding="utf-8-sig", low_memory=False)
    return rows.rename(columns=lambda name: str(name).strip())


def labels(rows: pd.DataFrame, name: str) -> Floats:
    """1 = left, 0 = stayed, from numbers, booleans or words. Ends the program on anything else."""
    if name not in rows.columns:
        raise SystemExit(f"no column {name}")
    words = rows[name].astype("str").str.strip().str.lower()
    is_yes, is_no = words.isin(YES), words.isin(NO)
    if not (is_yes | is_no).all():
        odd = sorted(words[~(is_yes | is_no)].fillna("nothing").unique())[:3]
        raise SystemExit(f"{name}: neither 0 nor 1, yes nor no: {', '.join(odd)}")
    return is_yes.to_numpy(dtype=np.float64)


def _scores(test: pd.DataFrame, name: str | None, probability: Floats) -> pd.DataFrame:
    ids = np.arange(len(test)) if name is None else test[name].to_numpy()
    return pd.DataFrame({name or "row": ids, "probability": probability})


def _write(scores: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        scores.to_parquet(path, index=False)
    else:
        scores.to_csv(path, index=False)


def _at_prior(label: Floats, probability: Floats, prior: float) -> tuple[Floats, Floats]:
    """The rows, each so many times that churners are the share `prior` of them."""
    churners = float(label.sum())
    stayers = len(label) - churners
    if not churners or not stayers:
        return label, probability
    # Copies of a stayer for each copy of a churner; whole numbers as near as need be.
    ratio = Fraction((1 - prior) / prior * churners / stayers).limit_denominator(20)
    # Too few churners for the share: stayers once, churners more often.
    if ratio.numerator == 0:
        ratio = Fraction(1, round(prior / (1 - prior) * stayers / churners))
    times = np.where(label == 1, ratio.denominator, ratio.numerator)
    return np.repeat(label, times), np.repeat(probability, times)


# --- Models --------------------------------------------------------------------------------------


def _platform(policy: Policy) -> Model:
    def model(
        rows: pd.DataFrame,
        label: Floats,
        columns: Sequence[str],
        fold: npt.NDArray[np.int64],
        rest: pd.DataFrame,
    ) -> tuple[Floats, dict[str, Any]]:
        learner = churn_learner.fit(rows, columns, label, policy.learner, fold).learner
        choices = {"kind": learner.kind, **learner.choices}
        return churn_learner.probability(churn_learner.log_odds(learner, rest)), choices

    return model


def _references() -> dict[str, Model]:
    """What the platform is compared with: the usual models with the usual settings."""
    import catboost
    import lightgbm
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

    def frame(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        result = rows[list(columns)].copy()
        for name in columns:
            if not pd.api.types.is_numeric_dtype(result[name]):
                result[name] = result[name].astype("str").fillna("unknown").astype("category")
        return result

    def regression(rows: pd.DataFrame, *, is_ranked: bool) -> Any:
        scale = QuantileTransformer(output_distribution="normal", n_quantiles=200, random_state=0)
        names = rows.select_dtypes("category").columns
        numbers = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True),
            *([scale] if is_ranked else []),
            StandardScaler(),
        )
        marks = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)
        rest = [name for name in rows.columns if name not in set(names)]
        return make_pipeline(
            make_column_transformer((numbers, rest), (marks, list(names))),
            LogisticRegression(max_iter=1000),
        )

    def boosted(**settings: Any) -> Callable[[pd.DataFrame], Any]:
        return lambda _: lightgbm.LGBMClassifier(
            n_jobs=1, random_state=42, verbosity=-1, **settings
        )

    def cat(rows: pd.DataFrame) -> Any:
        return catboost.CatBoostClassifier(
            iterations=500,
            learning_rate=0.05,
            random_seed=42,
            thread_count=1,
            allow_writing_files=False,
            verbose=0,
            cat_features=list(rows.select_dtypes("category").columns),
        )

    makers: dict[str, Callable[[pd.DataFrame], Any]] = {
        "logistic_plain": lambda rows: regression(rows, is_ranked=False),
        "logistic_quantile": lambda rows: regression(rows, is_ranked=True),
        "lightgbm_default": boosted(),
        "lightgbm_tuned": boosted(
            n_estimators=300,
            learning_rate=0.03,
            num_leaves=8,
            min_child_samples=30,
            colsample_bytree=0.6,
            subsample=0.8,
            subsample_freq=1,
            reg_lambda=5,
        ),
        "catboost": cat,
    }

    def fitted(make: Callable[[pd.DataFrame], Any]) -> Model:
        def model(
            rows: pd.DataFrame,
            label: Floats,
            columns: Sequence[str],
            _: npt.NDArray[np.int64],
            rest: pd.DataFrame,
        ) -> tuple[Floats, dict[str, Any]]:
            known, asked = frame(rows, columns), frame(rest, columns)
            for name in known.select_dtypes("category").columns:
                levels = pd.Index(known[name].cat.categories).union(asked[name].cat.categories)
                known[name] = known[name].cat.set_categories(levels)
                asked[name] = asked[name].cat.set_categories(levels)
            estimator = make(known).fit(known, label.astype(int))
            return np.asarray(estimator.predict_proba(asked)[:, 1], dtype=np.float64), {}

        return model

    models = {name: fitted(make) for name, make in makers.items()}
    parts = [models[name] for name in ("logistic_quantile", "lightgbm_tuned", "catboost")]

    def blend(*given: Any) -> tuple[Floats, dict[str, Any]]:
        found = [np.clip(part(*given)[0], 1e-6, 1 - 1e-6) for part in parts]
        mean = np.mean([np.log(p / (1 - p)) for p in found], axis=0)
        return 1 / (1 + np.exp(-mean)), {}

    return models | {"blend": blend}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--id")
    parser.add_argument("--drop", default="")
    parser.add_argument("--time")
    parser.add_argument("--train-until")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--prior", type=float)
    parser.add_argument("--against", action="store_true")
    parser.add_argument("--score-to", type=Path)
    arguments = parser.parse_args()
    if (arguments.time is None) != (arguments.train_until is None):
        parser.error("--time and --train-until go together")
    if arguments.score_to and not arguments.test:
        parser.error("--score-to needs --test: rows that the model has not seen")
    if arguments.test and arguments.time:
        parser.error("either --test or --time")
    if arguments.prior is not None and not 0 < arguments.prior < 1:
        parser.error("--prior lies between 0 and 1")
    return arguments


if __name__ == "__main__":
    main()
