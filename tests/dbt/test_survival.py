"""The discounted survival curve in SQL equals the sum that it stands for (O43)."""

from __future__ import annotations

import duckdb
import jinja2
import pytest

from orchestration.settings import DBT_PROJECT_DIR

MACROS = jinja2.Template((DBT_PROJECT_DIR / "macros" / "survival.sql").read_text()).module
# Probabilities of leaving within 30, 90 and 180 days; nobody; the last hazard of zero; nearly all.
CURVES = [
    (0.02, 0.07, 0.15),
    (0.5, 0.6, 0.61),
    (0.0, 0.0, 0.0),
    (0.1, 0.2, 0.2),
    (0.9, 0.99, 0.999),
]


def months_of(curve: str, months: int, factor: float) -> float:
    """The macros' answer."""
    sum_of_months = MACROS.expected_months("curve", months, factor)
    with duckdb.connect() as connection:
        rows = connection.execute(f"select {sum_of_months} from (select {curve}) as curve")
        return float(rows.fetchall()[0][0])


@pytest.mark.parametrize("months", [12, 36])
@pytest.mark.parametrize("rate", [0.0, 0.10])
@pytest.mark.parametrize("horizons", CURVES)
def test_o43_three_horizons(horizons: tuple[float, ...], rate: float, months: int) -> None:
    near, middle, long = horizons
    last = ((1 - long) / (1 - middle)) ** (1 / 3)
    stays = {1: 1 - near, 2: ((1 - near) * (1 - middle)) ** 0.5, 3: 1 - middle}
    stays |= {t: (1 - middle) * last ** (t - 3) for t in range(4, months + 1)}
    assert stays[6] == pytest.approx(1 - long)
    factor = (1 + rate) ** (-1 / 12)
    curve = MACROS.survival_curve(*(f"cast({each} as double)" for each in horizons))
    expected = sum(stay / (1 + rate) ** (t / 12) for t, stay in stays.items())
    assert months_of(curve, months, factor) == pytest.approx(expected, abs=1e-9)
