"""The card of a month's churn model in words, English and Chinese (O18).

Here: what a card says to who decides whether to trust the model. Not here: how its figures come
about (`index_model.py`), and what is held against them (`defs/step1_find/churn.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.retention.policy import Label

Card = Mapping[str, Any]

# A horizon's words, and the measures that a card shows, in their order.
HORIZONS: Mapping[str, Label] = {
    "near": Label("near", "近期"),
    "mid": Label("mid", "中期"),
    "far": Label("far", "远期"),
}
MEASURES: Mapping[str, Label] = {
    "auc": Label("AUC", "AUC"),
    "average_precision": Label("average precision", "平均精度"),
    "top_decile_lift": Label("top-decile lift", "首十分位提升度"),
    "brier": Label("Brier", "Brier"),
    "ece": Label("ECE", "校准误差"),
    "base_rate": Label("left", "离网率"),
    "rows": Label("rows", "样本数"),
    "churners": Label("churners", "离网样本"),
}
WAYS: Mapping[str, Label] = {
    "TIME_ORDERED": Label(
        "on newer dates than it was trained on", "在比训练数据更新的观察日上验证"
    ),
    "FOLDS": Label("on subscribers that it was not trained on", "在未参与训练的用户上验证"),
}


@dataclass(frozen=True)
class Judged:
    """Measures of one horizon on rows that the model had not seen, and which rows these were."""

    way: str
    measures: Mapping[str, Any]


def judged(card: Card, horizon: str = "near") -> Judged | None:
    """How good the model is, the harder way first; None where there was too little to tell.

    A base rate tells nobody apart and is not judged.
    """
    if card["kind"] == "BASE_RATE":
        return None
    for way in WAYS:
        measures = card["metrics"].get(way, {}).get(horizon)
        if measures is not None and measures["auc"] is not None:
            return Judged(way, measures)
    return None


def promised_too_much(card: Card) -> float | None:
    """Near AUC on subscribers it had not seen minus that on newer dates; None if one is missing."""
    found = [
        card["metrics"].get(way, {}).get("near", {}).get("auc") for way in ("FOLDS", "TIME_ORDERED")
    ]
    across, later = found
    return None if across is None or later is None else float(across - later)


def in_words(card: Card, features: Mapping[str, Label], kinds: Mapping[str, Label]) -> Label:
    """The card as Markdown, in both languages.

    `features`: the words of each column that a model may use; `kinds`: those of the kinds of model.
    """
    return Label(en=_words(card, features, kinds, "en"), zh=_words(card, features, kinds, "zh"))


def _words(
    card: Card, features: Mapping[str, Label], kinds: Mapping[str, Label], language: str
) -> str:
    def say(en: str, zh: str) -> str:
        return en if language == "en" else zh

    def word(label: Label) -> str:
        return str(getattr(label, language))

    observation = card["observation"]
    days = {name: card["horizons"][name] * observation["interval_days"] for name in HORIZONS}
    spans = ", ".join(f"{word(HORIZONS[name])} {count}" for name, count in days.items())
    dates = card["as_of_dates"]
    span = f"{dates[0]} – {dates[-1]}" if dates else "–"
    lines = [
        say(f"## Churn model of {card['month']}", f"## {card['month']} 离网模型"),
        "",
        say(
            f"{word(kinds[card['kind']])}. Version {card['version']}.",
            f"{word(kinds[card['kind']])}。版本 {card['version']}。",
        ),
        "",
        say(
            f"It gives the chance that a subscriber leaves within so many days ({spans}), counted "
            f"from {observation['lead_days']} days after the date of the features.",
            f"输出用户在若干天内离网的概率({spans}),自特征日期后第{observation['lead_days']}天起算。",
        ),
        "",
        say("### Learned from", "### 训练数据"),
        "",
        say(
            f"{card['rows']:,} rows ({card['rows_offered']:,} offered), {card['churners']:,} of them "
            f"left; {len(dates)} month-ends, {span}. An outcome counts when it is final, "
            f"at most {observation['maturity_days']} days after its interval.",
            f"{card['rows']:,} 行(可用 {card['rows_offered']:,} 行),其中离网 {card['churners']:,} 行;"
            f"{len(dates)} 个月末,{span}。结果最终确定后才计入,最迟在区间结束后"
            f"{observation['maturity_days']}天。",
        ),
        "",
    ]
    for way, words in WAYS.items():
        lines += _measures(card["metrics"].get(way, {}), word(words), language)
    lines += [say("### Limits", "### 限制"), ""]
    reached = card["is_extrapolated_from"] - 1
    if reached < max(card["horizons"].values()):
        seen = reached * observation["interval_days"]
        lines.append(
            say(
                f"- Too few churners were seen beyond {seen} days: the chance to leave in a later "
                "interval is that of the last one seen.",
                f"- {seen}天以后观测到的离网样本过少,更远区间沿用最后观测区间的离网率。",
            )
        )
    if card["kind"] == "BASE_RATE":
        lines.append(
            say(
                "- Everybody has the same chance, and no reasons are given.",
                "- 所有用户概率相同,不给出原因。",
            )
        )
    else:
        share = card["policy"]["reasons_share"]
        lines.append(
            say(
                f"- Reasons are given for the {share:.0%} with the highest chance alone "
                f"(from {card['reasons_from']:.2%} in the near horizon). A reason is what raises this "
                "subscriber's risk; it is no proof of a cause.",
                f"- 仅对概率最高的{share:.0%}用户(近期概率不低于{card['reasons_from']:.2%})给出原因。"
                "原因指推高该用户风险的因素,并非因果证明。",
            )
        )
    lines.append(
        say(
            "- Who was treated is among the rows: where treatment works, the risk is understated.",
            "- 样本含已干预用户:干预有效时风险会被低估。",
        )
    )
    lines += ["", say("### Columns", "### 使用的字段"), ""]
    lines.append(_names(card["columns"], features, language))
    if card["dropped_columns"]:
        lines += ["", say("Told nothing apart, left out:", "无区分能力,未使用:")]
        lines.append(_names(card["dropped_columns"], features, language))
    return "\n".join(lines) + "\n"


def _measures(by_horizon: Mapping[str, Any], words: str, language: str) -> list[str]:
    """A table of a row a horizon; the words alone where nothing could be measured."""
    title = f"### Judged {words}" if language == "en" else f"### {words}"
    if not by_horizon:
        none = (
            "Not measured: too few dates or churners." if language == "en" else "数据不足,未验证。"
        )
        return [title, "", none, ""]
    measured = {name: by_horizon[name] for name in HORIZONS if name in by_horizon}
    head = ["", *(getattr(label, language) for label in MEASURES.values())]
    lines = [title, "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, measures in measured.items():
        cells = [_figure(measures[measure]) for measure in MEASURES]
        lines.append(f"| {getattr(HORIZONS[name], language)} | {' | '.join(cells)} |")
    return [*lines, ""]


def _figure(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _names(columns: list[str], features: Mapping[str, Label], language: str) -> str:
    separator, none = (", ", "none") if language == "en" else ("、", "无")
    return separator.join(str(getattr(features[name], language)) for name in columns) or none
