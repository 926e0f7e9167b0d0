"""A small operator with dirt in its files: lived once, loaded once, looked at as of a few dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pydantic import SecretStr

from orchestration.installation import Installation
from orchestration.settings import Settings
from orchestration.simulator import simulate
from tests.reference.evaluate import Reference
from tests.step1.loaded_operator import LoadedOperator

# Eight months of bills have come on the last dates.
FIRST, DAYS = date(2024, 7, 1), 256
LAST = FIRST + timedelta(days=DAYS - 1)
# A month-end; a date after the circles of the month came; the last, with the state of the one before.
DATES = (date(2025, 1, 31), LAST - timedelta(days=5), LAST)
INDEX = date(2024, 9, 30)  # whose labels are mature on the last date
SUBSCRIBERS, SEED = 700, 31
DIRT = "light,missing_file=1.5%,absent_column=1%"


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> LoadedOperator:
    home = tmp_path_factory.mktemp("operator")
    settings = Settings(home=home, secret_key=SecretStr("test"), start_date=FIRST, threads=2)
    simulate(
        SUBSCRIBERS, FIRST, LAST, SEED, settings.landing_zone, settings.home / "truth", dirt=DIRT
    )
    operator = LoadedOperator(Installation(settings), FIRST, LAST)
    operator.load()
    operator.look_at(INDEX)
    return operator


@pytest.fixture(scope="session", params=DATES, ids=str)
def looked_at(
    operator: LoadedOperator, request: pytest.FixtureRequest
) -> tuple[LoadedOperator, Reference]:
    """The platform and the reference as of one date; the dates come in order."""
    operator.look_at(request.param)
    return operator, Reference.as_of(operator.landing, request.param)
