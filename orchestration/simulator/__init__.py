"""A synthetic operator with a known truth, that answers our lists.

It writes the landing files that an operator would write, and the truth apart. It knows nothing of
the platform but the form of the published lists; the platform knows nothing of the truth.
"""

from orchestration.simulator.operator import (
    OperatorMismatchError,
    RegionFailedError,
    SimulationSummary,
    simulate,
)

__all__ = ["OperatorMismatchError", "RegionFailedError", "SimulationSummary", "simulate"]
