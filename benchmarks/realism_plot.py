"""Quantile curves of real and simulated samples as an SVG, written by hand.

Here: drawing. Not here: the samples. No plotting library is needed for twelve small charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

COLUMNS = 4
WIDTH, HEIGHT = 230, 168  # of one chart with its labels
LEFT, TOP, RIGHT, BOTTOM = 46, 40, 10, 24  # room around the axes
HEADER = 64
SHARES = np.linspace(0.01, 0.99, 50)
# Multiples of the median at which a line is drawn, if in the picture: fine ones for short axes.
MULTIPLES = (0.001, 0.01, 0.1, 1, 10, 100, 1000)
FINE_MULTIPLES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
SHORT_AXIS = float(np.log(200))
REAL, SIMULATED = "#444444", "#d1495b"


@dataclass(frozen=True)
class Curve:
    """Both samples of a measure, sorted; logarithms relative to the median if `is_log`.

    zeros: shares of zeros in the real and the simulated sample, None where zero says nothing.
    """

    title: str
    is_log: bool
    real: Floats
    simulated: Floats
    zeros: tuple[float, float] | None


def draw(curves: Sequence[Curve]) -> str:
    """The whole picture."""
    rows = -(-len(curves) // COLUMNS)
    width, height = COLUMNS * WIDTH + 16, HEADER + rows * HEIGHT + 8
    charts = "".join(
        _chart(curve, 8 + place % COLUMNS * WIDTH, HEADER + place // COLUMNS * HEIGHT)
        for place, curve in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="10">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        + _text(16, 22, "Prepaid lines by month: a real panel and the simulator", size=14)
        + _text(
            16,
            40,
            "Quantile curves (1% to 99%). Amounts: positive months as multiples of their median, "
            "logarithmic; days and shares as they are.",
        )
        + _key(16, 56, REAL, "real")
        + _key(80, 56, SIMULATED, "simulated")
        + charts
        + "</svg>\n"
    )


def _chart(curve: Curve, x: int, y: int) -> str:
    left, top = x + LEFT, y + TOP
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    quantiles = [np.quantile(values, SHARES) for values in (curve.real, curve.simulated)]
    lowest, highest = _range(curve, quantiles)

    def across(share: float) -> float:
        return left + share * wide

    def up(value: float) -> float:
        return top + high * (1 - (value - lowest) / (highest - lowest))

    parts = [_text(x + LEFT, y + 16, curve.title, weight="bold", size=11)]
    if curve.zeros is not None:
        zeros = f"zero: {curve.zeros[0]:.0%} real, {curve.zeros[1]:.0%} simulated"
        parts.append(_text(x + LEFT, y + 30, zeros, fill="#666666", size=9))
    for value, label in _ticks(curve, lowest, highest):
        parts.append(_line(left, up(value), left + wide, up(value), "#dddddd"))
        parts.append(_text(left - 5, up(value) + 3, label, anchor="end", size=9))
    for share in (0.0, 0.5, 1.0):
        parts.append(_line(across(share), top, across(share), top + high, "#eeeeee"))
        parts.append(_text(across(share), top + high + 13, f"{share:.0%}", anchor="middle", size=9))
    for values, colour in zip(quantiles, (REAL, SIMULATED), strict=True):
        points = " ".join(
            f"{across(share):.1f},{up(value):.1f}"
            for share, value in zip(SHARES, values, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>\n'
        )
    return "".join(parts)


def _range(curve: Curve, quantiles: Sequence[Floats]) -> tuple[float, float]:
    values = np.concatenate(quantiles)
    if not curve.is_log:
        return 0.0, 1.0 if values.max() <= 1 else 31.0
    margin = 0.15
    return float(values.min()) - margin, float(values.max()) + margin


def _ticks(curve: Curve, lowest: float, highest: float) -> Sequence[tuple[float, str]]:
    if not curve.is_log:
        return [(highest * part, f"{highest * part:g}") for part in (0, 0.5, 1)]
    multiples = FINE_MULTIPLES if highest - lowest < SHORT_AXIS else MULTIPLES
    ticks = [(float(np.log(multiple)), f"×{multiple:g}") for multiple in multiples]
    return [(value, label) for value, label in ticks if lowest <= value <= highest]


def _key(x: int, y: int, colour: str, label: str) -> str:
    return _line(x, y - 4, x + 18, y - 4, colour, 2) + _text(x + 23, y, label)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>\n'
    )


def _text(
    x: float,
    y: float,
    text: str,
    size: int = 10,
    anchor: str = "start",
    weight: str = "normal",
    fill: str = "#222222",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}" fill="{fill}">{text}</text>\n'
    )
