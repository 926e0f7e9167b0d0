"""The one code location: everything Dagster knows, built from an installation.

Here: putting the definitions together. Not here: any definition of its own.
"""

from __future__ import annotations

import dagster as dg

from orchestration.defs.automation import automation
from orchestration.defs.dbt import dbt_definitions
from orchestration.defs.ingestion.arrivals import arrivals_asset
from orchestration.defs.ingestion.feeds import feed_assets
from orchestration.defs.step1_find.churn import churn_assets
from orchestration.defs.step1_find.findings import findings_assets
from orchestration.defs.step1_find.value import value_assets
from orchestration.defs.step2_strategy.decisions import decisions_asset
from orchestration.defs.step3_act.publishing import publishing_assets
from orchestration.defs.step4_evaluate.effects import effects_asset
from orchestration.installation import Installation
from orchestration.settings import Settings
from orchestration.terminal import TERMINAL_LOGGER, terminal_logger


def build_defs(settings: Settings) -> dg.Definitions:
    """Fresh definitions for one installation; tests pass settings of their own."""
    installation = Installation(settings)
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[
                *feed_assets(installation),
                arrivals_asset(installation),
                *dbt_definitions(installation),
                *churn_assets(installation),
                *findings_assets(installation),
                *value_assets(installation),
                decisions_asset(installation),
                *publishing_assets(installation),
                effects_asset(installation),
            ],
            executor=dg.in_process_executor,
            loggers={TERMINAL_LOGGER: terminal_logger, "console": dg.colored_console_logger},
        ),
        automation(installation),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What the web server, the daemon and the command line load."""
    return build_defs(Settings.from_environment())
