"""The policy that a business analyst edits, read from the dbt seeds and checked.

Here: typed settings, the actions, the features' words, the columns and labels of lists, and errors
that name file, line and column. Not here: what the policy is used for, and any value of it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, cast

FEATURES_FILE = "policy/churn_model_features.csv"
ACTIONS_FILE = "policy/actions.csv"
LIST_COLUMNS_FILE = "policy/list_columns.csv"
# Read by dbt; here only part of the version.
DEFINITION_FILES = ("policy/churn_definition.csv", "policy/churn_cases.csv")
CODE_FILES = ("codes/codes.csv", "policy/loop_codes.csv")


class PolicyError(ValueError):
    """One problem of the policy a line: `<file>: line N: column 'x': what is wrong`."""


@dataclass(frozen=True)
class Label:
    """The words for a code."""

    en: str
    zh: str


@dataclass(frozen=True)
class FeatureSpec:
    """One column that the churn model may use, and the words it may become a reason with.

    `reason_when` says for which side of the usual value the words are true: HIGH, LOW, or EITHER.
    A feature that raises the risk from the other side is never a reason: its words would be false.
    `cause`: the cause that it points to, and with it the remedy; empty where it only shows that
    somebody is leaving.
    """

    name: str
    family: str
    unit: str
    label: Label
    reason: Label
    reason_when: Literal["HIGH", "LOW", "EITHER"]
    cause: str = ""


@dataclass(frozen=True)
class Action:
    """One thing that the field can do, and for whom."""

    action: str
    priority: int
    offer_family: str
    message_class: str
    channel: str
    assignee_role: str
    payment_mode: str | None
    top_reasons: tuple[str, ...]
    is_upsell: bool
    due_days: int
    cost_cny: float
    label: Label


@dataclass(frozen=True)
class ListColumn:
    """One column of the list that branch staff open."""

    name: str
    label: Label


def _setting(
    minimum: float = -math.inf,
    maximum: float = math.inf,
    choices: Sequence[str] = (),
    *,
    is_open: bool = False,
) -> Any:
    """A setting's allowed values; `is_open` leaves both ends of the range out."""
    return field(
        metadata={
            "minimum": minimum,
            "maximum": maximum,
            "choices": tuple(choices),
            "is_open": is_open,
        }
    )


@dataclass(frozen=True)
class IndexPolicy:
    """`index_policy.csv`: what the checks of the churn index tolerate."""

    max_calibration_error: float = _setting(0, 1)
    max_share_without_reason: float = _setting(0, 1)


@dataclass(frozen=True)
class LearnerPolicy:
    """`learner_policy.csv`: how any table is learned from; one set of values for all of them."""

    min_churners: int = _setting(2)
    prior_churn_rate: float = _setting(0, 1, is_open=True)
    prior_weight_rows: float = _setting(0, is_open=True)
    min_level_rows: int = _setting(1)
    folds: int = _setting(2, 20)
    held_out_churners: int = _setting(1)
    blend_prior_rows: float = _setting(0)
    additive_l2: float = _setting(0, is_open=True)
    max_trees: int = _setting(20)
    patience_trees: int = _setting(1)
    column_share: float = _setting(0, 1)
    leaf_booster_leaves: int = _setting(2)
    leaf_booster_rate: float = _setting(0, 1, is_open=True)
    leaf_booster_l2: float = _setting(0)
    level_booster_depth: int = _setting(1, 12)
    level_booster_rate: float = _setting(0, 1, is_open=True)
    level_booster_l2: float = _setting(0)
    bagged_rows: int = _setting(0)
    max_bags: int = _setting(1)
    holdout_dates: int = _setting(1)
    reasons_share: float = _setting(0, 1, is_open=True)
    min_reason_contribution: float = _setting(0)
    seed: int = _setting(0)
    threads: int = _setting(1)


@dataclass(frozen=True)
class ProfitPolicy:
    """`profit_policy.csv`: what a contact costs and what it can save."""

    clv_cny: float = _setting(0, is_open=True)
    offer_cost_cny: float = _setting(0)
    contact_cost_cny: float = _setting(0, is_open=True)
    accept_alpha: float = _setting(0, is_open=True)
    accept_beta: float = _setting(0, is_open=True)


@dataclass(frozen=True)
class LeakPolicy:
    """`leak_policy.csv`: from where on a column or a row is held to tell of the future."""

    leak_auc_alone: float = _setting(0.5, 1)
    leak_validation_gap: float = _setting(0, 0.5)
    leak_grace_days: int = _setting(0)
    leak_min_churners: int = _setting(20)
    leak_bins: int = _setting(2, 1000)
    leak_folds: int = _setting(2, 20)


@dataclass(frozen=True)
class SegmentPolicy:
    """`segment_policy.csv`: how segments are made and held to be stable."""

    segment_min_lines: int = _setting(10)
    segment_max_count: int = _setting(2, 20)
    segment_min_share: float = _setting(0, 0.5)
    segment_fit_lines: int = _setting(100)
    segment_judged_lines: int = _setting(100, 20_000)
    segment_min_agreement: float = _setting(0, 1)


@dataclass(frozen=True)
class ContactPolicy:
    """`contact_policy.csv`: who may be contacted."""

    consent_when_feed_absent: str = _setting(choices=("DENY", "ALLOW"))
    consent_needed_marketing: bool = _setting()
    consent_needed_service: bool = _setting()
    cooldown_days: int = _setting(0)


@dataclass(frozen=True)
class ControlPolicy:
    """`control_policy.csv`: who is held out, and what an effect must show."""

    global_control_share: float = _setting(0, 0.5)
    campaign_control_share: float = _setting(0, 0.5)
    confidence: float = _setting(0.5, 1, is_open=True)
    power: float = _setting(0.5, 1, is_open=True)
    min_detectable_effect_pp: float = _setting(0, 100, is_open=True)
    sample_ratio_alpha: float = _setting(0, 0.5, is_open=True)


@dataclass(frozen=True)
class ListPolicy:
    """`list_policy.csv`: the lists that leave."""

    default_capacity_calls: int = _setting(0)
    max_listed_share: float = _setting(0, 1)
    list_language: str = _setting(choices=("zh", "en", "both"))
    number_display: str = _setting(choices=("FULL", "MASKED"))


SETTING_FILES: Mapping[str, tuple[str, type]] = {
    "learner": ("policy/learner_policy.csv", LearnerPolicy),
    "index": ("policy/index_policy.csv", IndexPolicy),
    "profit": ("policy/profit_policy.csv", ProfitPolicy),
    "leaks": ("policy/leak_policy.csv", LeakPolicy),
    "segments": ("policy/segment_policy.csv", SegmentPolicy),
    "contact": ("policy/contact_policy.csv", ContactPolicy),
    "control": ("policy/control_policy.csv", ControlPolicy),
    "listing": ("policy/list_policy.csv", ListPolicy),
}


@dataclass(frozen=True)
class Policy:
    """All policy of the loop; `version` changes with any byte of it."""

    learner: LearnerPolicy
    index: IndexPolicy
    profit: ProfitPolicy
    leaks: LeakPolicy
    segments: SegmentPolicy
    contact: ContactPolicy
    control: ControlPolicy
    listing: ListPolicy
    features: tuple[FeatureSpec, ...]
    actions: tuple[Action, ...]
    list_columns: tuple[ListColumn, ...]
    labels: Mapping[str, Mapping[str, Label]]
    version: str


def load_policy(
    seeds: Path,
    overrides: Mapping[str, str] | None = None,
    definition_overrides: Mapping[str, str] | None = None,
) -> Policy:
    """Read and check every policy file under the dbt `seeds` folder.

    `overrides` replaces settings by name (a demonstration's `consent_when_feed_absent`),
    `definition_overrides` parameters of the churn definition, which dbt reads; both are part of
    the version. Raises PolicyError with every problem found, one a line.
    """
    overrides = dict(overrides or {})
    problems: list[str] = []
    tables = {
        name: _read_table(seeds, name, problems)
        for name in (
            *(file for file, _ in SETTING_FILES.values()),
            FEATURES_FILE,
            ACTIONS_FILE,
            LIST_COLUMNS_FILE,
            *DEFINITION_FILES,
            *CODE_FILES,
        )
    }
    known = {item.name for _, kind in SETTING_FILES.values() for item in fields(kind)}
    problems += [f"overrides: no setting {name!r}" for name in sorted(set(overrides) - known)]
    settings = {
        part: _settings(tables[file], kind, overrides, problems)
        for part, (file, kind) in SETTING_FILES.items()
    }
    labels = _labels([tables[file] for file in CODE_FILES], problems)
    features = _features(tables[FEATURES_FILE], problems)
    actions = _actions(tables[ACTIONS_FILE], labels, features, problems)
    columns = _list_columns(tables[LIST_COLUMNS_FILE], problems)
    if problems:
        raise PolicyError("\n".join(problems))
    return Policy(
        **cast(Any, settings),
        features=features,
        actions=actions,
        list_columns=columns,
        labels=labels,
        version=_version(tables.values(), overrides | dict(definition_overrides or {})),
    )


# --- Reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """One record of a policy file, with where it stands."""

    file: str
    line: int
    values: Mapping[str, str]

    def problem(self, column: str, what: str) -> str:
        return f"{self.file}: line {self.line}: column {column!r}: {what}"


@dataclass(frozen=True)
class _Table:
    file: str
    header: tuple[str, ...]
    rows: tuple[_Row, ...]

    def lacks(self, columns: Sequence[str], problems: list[str]) -> bool:
        """Report columns that the file must have and has not."""
        missing = [name for name in columns if name not in self.header]
        if self.header:
            problems += [f"{self.file}: line 1: column {name!r}: missing" for name in missing]
        return bool(missing)


def _read_table(seeds: Path, file: str, problems: list[str]) -> _Table:
    try:
        # Spreadsheet programs save with a byte-order mark.
        text = (seeds / file).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problems.append(f"{file}: the file is missing")
        return _Table(file, (), ())
    except UnicodeDecodeError:
        problems.append(f"{file}: not UTF-8")
        return _Table(file, (), ())
    reader = csv.reader(io.StringIO(text, newline=""))
    header = tuple(name.strip() for name in next(reader, ()))
    if not header:
        problems.append(f"{file}: the file is empty")
    rows: list[_Row] = []
    for record in reader:
        if not any(cell.strip() for cell in record):
            continue
        if len(record) != len(header):
            problems.append(
                f"{file}: line {reader.line_num}: {len(record)} cells, the header has {len(header)}"
            )
            continue
        values = {name: cell.strip() for name, cell in zip(header, record, strict=True)}
        rows.append(_Row(file, reader.line_num, values))
    return _Table(file, header, tuple(rows))


def _version(tables: Iterable[_Table], overrides: Mapping[str, str]) -> str:
    """Short hash of the policy's content, blind to line ends and byte-order marks."""
    content = [(table.file, table.header, [row.values for row in table.rows]) for table in tables]
    text = repr((content, sorted(overrides.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _settings(
    table: _Table, kind: type, overrides: Mapping[str, str], problems: list[str]
) -> object | None:
    if not table.header or table.lacks(("name", "value", "unit", "label_en", "label_zh"), problems):
        return None
    specs = {item.name: item for item in fields(kind)}
    values: dict[str, Any] = {}
    for row in table.rows:
        name = row.values["name"]
        if name not in specs:
            problems.append(row.problem("name", f"no setting {name!r}"))
        elif name in values:
            problems.append(row.problem("name", f"{name!r} is set twice"))
        else:
            text = overrides.get(name, row.values["value"])
            try:
                values[name] = _parse(text, str(specs[name].type), specs[name].metadata)
            except ValueError as error:
                values[name] = None
                problems.append(row.problem("value", f"{name}: {error}"))
    missing = [name for name in specs if name not in values]
    problems += [f"{table.file}: setting {name!r} is missing" for name in missing]
    return None if missing else cast(object, kind(**values))


def _parse(text: str, kind: str, allowed: Mapping[str, Any]) -> bool | int | float | str:
    """A setting's text as its type. Raises ValueError in words."""
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() == "true"
    if kind == "str":
        if text not in allowed["choices"]:
            raise ValueError(f"{text!r} is none of {', '.join(allowed['choices'])}")
        return text
    try:
        number: int | float = int(text) if kind == "int" else float(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a {'whole number' if kind == 'int' else 'number'}"
        ) from None
    low, high = allowed["minimum"], allowed["maximum"]
    is_inside = low < number < high if allowed["is_open"] else low <= number <= high
    if not is_inside or not math.isfinite(number):
        ends = f"between {low} and {high}" + (", both left out" if allowed["is_open"] else "")
        raise ValueError(f"{text} is not {ends}")
    return number


def _labels(tables: Sequence[_Table], problems: list[str]) -> Mapping[str, Mapping[str, Label]]:
    labels: dict[str, dict[str, Label]] = {}
    for table in tables:
        if not table.header or table.lacks(("code_set", "code", "label_en", "label_zh"), problems):
            continue
        for row in table.rows:
            codes = labels.setdefault(row.values["code_set"], {})
            if row.values["code"] in codes:
                problems.append(row.problem("code", f"{row.values['code']!r} is there twice"))
            codes[row.values["code"]] = _label(row, "label", problems)
    return labels


def _label(row: _Row, name: str, problems: list[str]) -> Label:
    for column in (f"{name}_en", f"{name}_zh"):
        if not row.values[column]:
            problems.append(row.problem(column, "empty"))
    return Label(en=row.values[f"{name}_en"], zh=row.values[f"{name}_zh"])


def _features(table: _Table, problems: list[str]) -> tuple[FeatureSpec, ...]:
    words = ("label_en", "label_zh", "reason_en", "reason_zh", "reason_when", "cause")
    if not table.header or table.lacks(("feature", "family", "unit", *words), problems):
        return ()
    features: dict[str, FeatureSpec] = {}
    for row in table.rows:
        name, side = row.values["feature"], row.values["reason_when"]
        if name in features:
            problems.append(row.problem("feature", f"{name!r} is there twice"))
        if side not in ("HIGH", "LOW", "EITHER"):
            problems.append(row.problem("reason_when", f"{side!r} is none of HIGH, LOW, EITHER"))
        features[name] = FeatureSpec(
            name=name,
            family=row.values["family"],
            unit=row.values["unit"],
            label=_label(row, "label", problems),
            reason=_label(row, "reason", problems),
            reason_when=cast(Any, side),
            cause=row.values["cause"],
        )
    return tuple(features.values())


def _actions(
    table: _Table,
    labels: Mapping[str, Mapping[str, Label]],
    features: Sequence[FeatureSpec],
    problems: list[str],
) -> tuple[Action, ...]:
    code_sets = {
        "offer_family": "offer_family",
        "message_class": "message_class",
        "channel": "contact_channel",
        "assignee_role": "staff_role",
        "payment_mode": "payment_mode",
    }
    needed = ("action", "priority", *code_sets, "top_reasons", "is_upsell", "due_days", "cost_cny")
    if not table.header or table.lacks((*needed, "label_en", "label_zh"), problems):
        return ()
    actions: dict[str, Action] = {}
    for row in table.rows:
        values = row.values
        if not values["action"] or values["action"] in actions:
            problems.append(row.problem("action", f"{values['action']!r} is empty or there twice"))
        for column, code_set in code_sets.items():
            is_blank = column == "payment_mode" and not values[column]
            if not is_blank and values[column] not in labels.get(code_set, {}):
                problems.append(row.problem(column, f"no {code_set} {values[column]!r}"))
        patterns = tuple(part.strip() for part in values["top_reasons"].split(";") if part.strip())
        if patterns and not any(
            fnmatchcase(feature.name, pattern) for feature in features for pattern in patterns
        ):
            problems.append(row.problem("top_reasons", f"no feature is like {'; '.join(patterns)}"))
        actions[values["action"]] = Action(
            action=values["action"],
            priority=int(_cell(row, "priority", "int", 0, problems)),
            offer_family=values["offer_family"],
            message_class=values["message_class"],
            channel=values["channel"],
            assignee_role=values["assignee_role"],
            payment_mode=values["payment_mode"] or None,
            top_reasons=patterns,
            is_upsell=_flag(row, "is_upsell", problems),
            due_days=int(_cell(row, "due_days", "int", 1, problems)),
            cost_cny=_cell(row, "cost_cny", "float", 0, problems),
            label=_label(row, "label", problems),
        )
    return tuple(sorted(actions.values(), key=lambda action: (action.priority, action.action)))


def _flag(row: _Row, column: str, problems: list[str]) -> bool:
    value = row.values[column].strip().lower()
    if value not in ("true", "false"):
        problems.append(row.problem(column, f"{row.values[column]!r} is not true or false"))
    return value == "true"


def _cell(row: _Row, column: str, kind: str, minimum: float, problems: list[str]) -> float:
    allowed = {"minimum": minimum, "maximum": math.inf, "is_open": False}
    try:
        return float(_parse(row.values[column], kind, allowed))
    except ValueError as error:
        problems.append(row.problem(column, str(error)))
        return minimum


def _list_columns(table: _Table, problems: list[str]) -> tuple[ListColumn, ...]:
    if not table.header or table.lacks(("column", "sort_order", "label_en", "label_zh"), problems):
        return ()
    columns: dict[str, tuple[float, ListColumn]] = {}
    for row in table.rows:
        name = row.values["column"]
        if name not in STAFF_COLUMNS:
            problems.append(
                row.problem("column", f"{name!r} is none of {', '.join(STAFF_COLUMNS)}")
            )
        elif name in columns:
            problems.append(row.problem("column", f"{name!r} is there twice"))
        order = _cell(row, "sort_order", "int", 0, problems)
        columns[name] = (order, ListColumn(name, _label(row, "label", problems)))
    if "work_order_id" not in columns:
        problems.append(f"{table.file}: column 'work_order_id' is missing: feedback names it")
    return tuple(column for _, column in sorted(columns.values(), key=lambda item: item[0]))


# What a list for staff can show; `list_columns.csv` chooses and orders.
STAFF_COLUMNS = (
    "rank",
    "work_order_id",
    "subscriber_id",
    "org_id",
    "name",
    "msisdn",
    "action",
    "message_class",
    "channel",
    "assignee_role",
    "due_date",
    "churn_probability_percent",
    "reasons",
)
